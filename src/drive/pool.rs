//! The threads that jobs run on in real time: of those that wait, the most urgent first.
//!
//! The driver's own thread is one of them, as far as jobs are light: while it computes a share itself,
//! nobody must wake it to hear that another one is done. Where several devices share a processor,
//! shares that may not be needed come last.
//!
//! They are a crew (`maths/crew.rs`): who has no job takes a part of another's.

mod line;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
pub(super) use line::{Begun, Urgency, Weight};
use line::{Line, Work};

use crate::maths::crew::{as_one_of_crew, wait_awake};

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
    /// Of these, at what is heavy.
    laden: usize,
    /// Whether the driver is at work.
    driver_helps: bool,
    /// Threads that sleep, of those that are not the driver's.
    asleep: usize,
    is_over: bool,
}

impl State {
    /// Whether something takes so long that the driver had better sleep meanwhile.
    fn is_laden(&self) -> bool {
        self.laden > 0 || self.line.has_heavy()
    }
}

/// Gives a driver, which is a thread of the same crew, a pool of as many threads as there are processors.
///
/// # Errors
/// If the machine has no threads left.
pub(super) fn with_pool<R: Send>(drive: impl FnOnce(Pool) -> R + Send) -> anyhow::Result<R> {
    with_threads(rayon::current_num_threads(), drive)
}

fn with_threads<R: Send>(
    threads: usize,
    drive: impl FnOnce(Pool) -> R + Send,
) -> anyhow::Result<R> {
    let crew = rayon::ThreadPoolBuilder::new().num_threads(threads + 1).build()?;
    let (state, called, calls) = Default::default();
    let shared = Arc::new(Shared { state, called, calls, threads });
    let driver = Mutex::new(Some((drive, Pool(shared.clone()))));
    // Nobody is to take what another one is to do all its life.
    let all_are_there = Barrier::new(threads + 1);
    let ended = crew.broadcast(|thread| {
        all_are_there.wait();
        if thread.index() > 0 {
            as_one_of_crew(|| shared.work());
            return None;
        }
        let driver = driver.lock().unwrap_or_else(PoisonError::into_inner).take();
        driver.map(|(drive, pool)| as_one_of_crew(|| drive(pool)))
    });
    ended.into_iter().flatten().next().context("the driver is one of the threads")
}

impl Pool {
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
        let Some((weight, work)) = state.line.next() else { return false };
        state.driver_helps = true;
        let mut state = self.0.work_on(state, weight, work);
        state.driver_helps = false;
        self.0.call(&state);
        true
    }

    /// Lets the driver wait awake for a while, and help, if a processor is free and nothing takes so long
    /// that it had better sleep; says whether it came to what it waits for.
    pub(super) fn linger(&self, has_come: impl Fn() -> bool) -> bool {
        let is_free = {
            let state = self.0.state();
            state.busy < self.0.threads && !state.is_laden()
        };
        is_free && wait_awake(LOOKS, has_come)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = self.0.state();
        // What still waits is for nobody any more.
        (state.is_over, state.line) = (true, Line::default());
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        self.0.called.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is something for one more thread. The driver needs a place too, if only for its events,
    /// unless it sleeps. What is light and first is left to it: it comes to that as soon as all jobs of a step
    /// are in line.
    fn has_work(&self, state: &State) -> bool {
        let comes = !state.driver_helps && !state.is_laden();
        let places = self.threads.saturating_sub(usize::from(comes)).max(1);
        let its_own = usize::from(comes && state.line.first() == Some(Weight::Light));
        state.line.len() > its_own && state.busy < places
    }

    /// Calls who waits awake, if there is something for one more thread; and who sleeps, if there is that, or
    /// something to help with, and a processor for it.
    fn call(&self, state: &State) {
        let has_work = self.has_work(state);
        if has_work {
            self.calls.fetch_add(1, Ordering::Relaxed);
        }
        let nobody_comes = state.asleep == self.threads;
        if (has_work || state.busy > 0) && (nobody_comes || self.awake(state) < self.threads) {
            self.called.notify_one();
        }
    }

    /// How many threads want a processor. The driver does too, if only for its events, unless it sleeps.
    fn awake(&self, state: &State) -> usize {
        self.threads - state.asleep + usize::from(!state.is_laden())
    }

    /// Does a job.
    fn work_on<'l>(
        &'l self,
        mut state: MutexGuard<'l, State>,
        weight: Weight,
        work: Work,
    ) -> MutexGuard<'l, State> {
        let laden = usize::from(weight == Weight::Heavy);
        (state.busy, state.laden) = (state.busy + 1, state.laden + laden);
        // What was left to the driver may be taken now.
        self.call(&state);
        drop(state);
        work();
        let mut state = self.state();
        (state.busy, state.laden) = (state.busy - 1, state.laden - laden);
        state
    }

    /// Waits for something to do, not long if there is only what may not be needed; says whether nothing came.
    /// For a while it waits awake, if there is a processor for it: between a request's rounds there is too
    /// little time to sleep, for who is woken may be put on a processor where another thread computes.
    fn wait<'l>(&'l self, mut state: MutexGuard<'l, State>) -> (MutexGuard<'l, State>, bool) {
        let may_be_for_nothing = self.has_work(&state);
        if self.awake(&state) <= self.threads {
            let calls = self.calls.load(Ordering::Relaxed);
            drop(state);
            let looks = if may_be_for_nothing { FEW_LOOKS } else { LOOKS };
            let is_called = wait_awake(looks, || self.calls.load(Ordering::Relaxed) != calls);
            state = self.state();
            if is_called || may_be_for_nothing || self.has_work(&state) || state.is_over {
                return (state, !is_called);
            }
        }
        state.asleep += 1;
        let most = if may_be_for_nothing { PATIENCE } else { FOREVER };
        let waited = self.called.wait_timeout(state, most);
        let (mut state, wait) = waited.unwrap_or_else(PoisonError::into_inner);
        state.asleep -= 1;
        (state, wait.timed_out())
    }

    /// What a thread does all its life.
    fn work(&self) {
        let mut state = self.state();
        // Who did something goes on with what is there, and waits before it does what may not be needed.
        let (mut goes_on, mut is_quiet) = (false, false);
        while !state.is_over {
            let takes = match state.line.is_spare() {
                true => is_quiet && self.has_work(&state),
                false => goes_on || self.has_work(&state),
            };
            let next = if takes { state.line.next() } else { None };
            goes_on = next.is_some();
            (state, is_quiet) = match next {
                Some((weight, work)) => (self.work_on(state, weight, work), false),
                None => self.wait(state),
            };
        }
    }
}

/// A thread that has nothing to do looks so often whether that has changed.
const LOOKS: usize = 1000;

/// So often, or so long, it waits before it begins what may not be needed.
const FEW_LOOKS: usize = 20;
const PATIENCE: Duration = Duration::from_micros(50);
const FOREVER: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread::{self, ThreadId};

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
        with_threads(1, |pool| {
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
        })
        .expect("threads");
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
        with_threads(2, |pool| {
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
        })
        .expect("threads");
    }

    #[test]
    fn one_light_job_is_left_to_the_driver_and_others_are_done_beside_it() {
        with_threads(2, |pool| {
            let alone = job(&pool, Weight::Light);
            assert!(pool.help());
            assert_eq!(alone.recv(), Ok(thread::current().id()));
            let (done, is_done) = channel();
            let first = move || is_done.recv().expect("another thread does the second meanwhile");
            pool.run(Urgency::Supervisor, Weight::Light, first);
            pool.run(Urgency::Supervisor, Weight::Light, move || done.send(()).expect("it waits"));
            assert!(pool.help());
        })
        .expect("threads");
    }

    #[test]
    fn with_one_processor_the_driver_leaves_it_to_the_thread_that_has_it() {
        with_threads(1, |pool| {
            let go_on = keep_one(&pool);
            let by = job(&pool, Weight::Light);
            assert!(!pool.help());
            go_on.send(()).expect("it waits");
            assert!(by.recv().is_ok_and(|by| by != thread::current().id()));
        })
        .expect("threads");
    }
}
