//! The threads that jobs run on in real time: of those that wait, the most urgent first.
//!
//! The driver's own thread is one of them, as far as jobs are light: while it computes a share itself,
//! nobody must wake it to hear that another one is done. Where several devices share a processor,
//! shares that may not be needed come last.

mod line;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::{hint, thread};

use line::Line;
pub(super) use line::{Begun, Urgency, Weight};

/// The jobs that wait for a thread. Its threads end with it.
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// A thread is called when there is something for it.
    called: Condvar,
    /// How often that happened.
    calls: AtomicUsize,
    threads: usize,
}

#[derive(Default)]
struct State {
    line: Line,
    /// Threads at work, the driver's among them.
    busy: usize,
    /// Whether the driver is.
    driver_helps: bool,
    /// Threads that wait awake.
    lingering: usize,
    is_over: bool,
}

impl Pool {
    pub(super) fn new() -> Self {
        Self::of(rayon::current_num_threads())
    }

    fn of(threads: usize) -> Self {
        let (state, called, calls) = Default::default();
        let pool = Self(Arc::new(Shared { state, called, calls, threads }));
        for _ in 0..threads {
            let shared = pool.0.clone();
            thread::spawn(move || shared.work());
        }
        pool
    }

    /// Runs `work` on some thread, as soon as nothing more urgent waits.
    pub(super) fn run(
        &self,
        urgency: Urgency,
        weight: Weight,
        work: impl FnOnce() + Send + 'static,
    ) {
        let mut state = self.0.state();
        state.line.put(urgency, weight, Box::new(work));
        self.0.call(&state);
    }

    /// Lets the driver do the next job itself, if it is light and a processor is free; says whether it did.
    pub(super) fn help(&self) -> bool {
        let mut state = self.0.state();
        if state.busy >= self.0.threads || state.line.first() != Some(Weight::Light) {
            return false;
        }
        let Some(work) = state.line.next() else { return false };
        state.busy += 1;
        state.driver_helps = true;
        // What was left to it may be taken now.
        self.0.call(&state);
        drop(state);
        work();
        let mut state = self.0.state();
        state.busy -= 1;
        state.driver_helps = false;
        self.0.call(&state);
        true
    }

    /// Lets the driver wait awake for a while, if a processor is free; says whether it came to what it
    /// waits for.
    pub(super) fn linger(&self, has_come: impl Fn() -> bool) -> bool {
        let is_free = self.0.state().busy < self.0.threads;
        is_free && wait_awake(has_come)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = self.0.state();
        // What still waits is for nobody any more.
        (state.is_over, state.line) = (true, Line::default());
        self.0.called.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is something for one more thread. The driver needs a place too, if only for its events,
    /// unless there is something heavy. What is light and first is left to it: it comes to that as soon as
    /// all jobs of a step are in line.
    fn has_work(&self, state: &State) -> bool {
        let comes = !state.driver_helps && !state.line.has_heavy();
        let places = self.threads.saturating_sub(usize::from(comes)).max(1);
        let its_own = usize::from(comes && state.line.first() == Some(Weight::Light));
        state.line.len() > its_own && state.busy < places
    }

    fn call(&self, state: &State) {
        if self.has_work(state) {
            self.calls.fetch_add(1, Ordering::Relaxed);
            if state.lingering == 0 {
                self.called.notify_one();
            }
        }
    }

    /// Waits awake, for a while; says whether there is something to do. Between a request's rounds there is
    /// too little time to sleep: who is woken may be put on a processor where another thread computes.
    fn linger<'l>(&'l self, mut state: MutexGuard<'l, State>) -> (MutexGuard<'l, State>, bool) {
        let calls = self.calls.load(Ordering::Relaxed);
        state.lingering += 1;
        drop(state);
        wait_awake(|| self.calls.load(Ordering::Relaxed) != calls);
        let mut state = self.state();
        state.lingering -= 1;
        let is_wanted = state.is_over || self.has_work(&state);
        (state, is_wanted)
    }

    /// What a thread does all its life.
    fn work(&self) {
        let mut state = self.state();
        while !state.is_over {
            if !self.has_work(&state) {
                state = match self.linger(state) {
                    (state, true) => state,
                    (state, false) => {
                        self.called.wait(state).unwrap_or_else(PoisonError::into_inner)
                    }
                };
                continue;
            }
            state.busy += 1;
            while let Some(work) = state.line.next() {
                drop(state);
                work();
                state = self.state();
            }
            state.busy -= 1;
        }
    }
}

/// Looks for a while whether something has come; says whether it has.
fn wait_awake(has_come: impl Fn() -> bool) -> bool {
    (0..LOOKS).any(|_| {
        (0..PAUSES).for_each(|_| hint::spin_loop());
        thread::yield_now();
        has_come()
    })
}

/// A thread that has nothing to do looks so often whether that has changed, so many pauses apart.
const LOOKS: usize = 1000;
const PAUSES: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread::ThreadId;

    /// Keeps a thread of the pool until something is sent.
    fn keep_one(pool: &Pool) -> Sender<()> {
        let (go_on, wait) = channel();
        let (here, began) = channel();
        pool.run(Urgency::Supervisor, Weight::Heavy, move || {
            here.send(()).expect("somebody listens");
            wait.recv().expect("somebody says so");
        });
        began.recv().expect("it begins");
        go_on
    }

    #[test]
    fn of_those_that_wait_the_most_urgent_runs_first() {
        let pool = Pool::of(1);
        let share = |request, share| Urgency::Share { request, share };
        let came = [share(1, 0), share(0, 4), share(0, 1), Urgency::Supervisor, share(0, 1)];
        let (done, order) = channel();
        let go_on = keep_one(&pool);
        for (number, urgency) in came.into_iter().enumerate() {
            let done = done.clone();
            let work = move || done.send(number).expect("somebody listens");
            pool.run(urgency, Weight::Heavy, work);
        }
        go_on.send(()).expect("it waits");
        assert_eq!(order.iter().take(came.len()).collect::<Vec<_>>(), [3, 2, 4, 1, 0]);
    }

    /// A job, and which thread did it.
    fn job(pool: &Pool, weight: Weight) -> Receiver<ThreadId> {
        let (done, by) = channel();
        let work = move || done.send(thread::current().id()).expect("somebody listens");
        pool.run(Urgency::Supervisor, weight, work);
        by
    }

    #[test]
    fn the_driver_does_what_is_light_if_a_processor_is_free() {
        let pool = Pool::of(2);
        let go_on = keep_one(&pool);
        let by = job(&pool, Weight::Light);
        assert!(pool.help());
        assert_eq!(by.recv(), Ok(thread::current().id()));
        assert!(!pool.help(), "nothing is left");
        let spare = job(&pool, Weight::Spare);
        assert!(!pool.help(), "it may not be needed");
        let heavy = job(&pool, Weight::Heavy);
        assert!(heavy.recv().is_ok_and(|by| by != thread::current().id()));
        go_on.send(()).expect("it waits");
        assert!(spare.recv().is_ok_and(|by| by != thread::current().id()));
    }

    #[test]
    fn one_light_job_is_left_to_the_driver_and_others_are_done_beside_it() {
        let pool = Pool::of(2);
        let alone = job(&pool, Weight::Light);
        assert!(pool.help());
        assert_eq!(alone.recv(), Ok(thread::current().id()));
        let (done, is_done) = channel();
        let first = move || is_done.recv().expect("another thread does the second meanwhile");
        pool.run(Urgency::Supervisor, Weight::Light, first);
        pool.run(Urgency::Supervisor, Weight::Light, move || done.send(()).expect("it waits"));
        assert!(pool.help());
    }

    #[test]
    fn with_one_processor_the_driver_leaves_it_to_the_thread_that_has_it() {
        let pool = Pool::of(1);
        let go_on = keep_one(&pool);
        let by = job(&pool, Weight::Light);
        assert!(!pool.help());
        go_on.send(()).expect("it waits");
        assert!(by.recv().is_ok_and(|by| by != thread::current().id()));
    }
}
