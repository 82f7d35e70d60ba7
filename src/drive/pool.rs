//! The threads that jobs run on in real time: of those that wait, the most urgent first.
//!
//! Where several devices share a processor, shares that may not be needed come last.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::node::Job;

/// The jobs that wait for a thread. Cloning copies a pointer.
#[derive(Clone, Default)]
pub(super) struct Pool(Arc<Mutex<Line>>);

#[derive(Default)]
struct Line {
    waiting: BinaryHeap<Reverse<Waiting>>,
    came: u64,
}

struct Waiting {
    urgency: Urgency,
    /// Among equals the first comes first.
    number: u64,
    work: Box<dyn FnOnce() + Send>,
}

/// What the supervisor does holds up everybody; then come older requests, and of one request first the
/// shares with low numbers, which in systematic codes are the plain ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    Supervisor,
    Share { request: usize, share: usize },
}

impl Urgency {
    pub(super) fn of(job: &Job) -> Self {
        match job {
            Job::Share { ticket, .. } => {
                Self::Share { request: ticket.round.request.0, share: ticket.share }
            }
            Job::Encode { .. }
            | Job::Decode { .. }
            | Job::Mix { .. }
            | Job::ReadOff { .. }
            | Job::Local { .. } => Self::Supervisor,
        }
    }
}

impl Pool {
    /// Runs `work` on some thread, as soon as nothing more urgent waits.
    pub(super) fn run(&self, urgency: Urgency, work: impl FnOnce() + Send + 'static) {
        let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = line.came;
        line.came += 1;
        line.waiting.push(Reverse(Waiting { urgency, number, work: Box::new(work) }));
        drop(line);
        // One call for each that waits; which of them it is for shows when there is a thread for it.
        let pool = self.clone();
        rayon::spawn(move || {
            let next = pool.0.lock().unwrap_or_else(PoisonError::into_inner).waiting.pop();
            if let Some(Reverse(next)) = next {
                (next.work)();
            }
        });
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.urgency, self.number).cmp(&(other.urgency, other.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn of_those_that_wait_the_most_urgent_runs_first() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
        let share = |request, share| Urgency::Share { request, share };
        let came = [share(1, 0), share(0, 4), share(0, 1), Urgency::Supervisor, share(0, 1)];
        let (done, order) = channel();
        pool.install(|| {
            let line = Pool::default();
            for (number, urgency) in came.into_iter().enumerate() {
                let done = done.clone();
                line.run(urgency, move || done.send(number).expect("somebody listens"));
            }
        });
        assert_eq!(order.iter().take(came.len()).collect::<Vec<_>>(), [3, 2, 4, 1, 0]);
    }
}
