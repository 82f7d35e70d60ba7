//! What the threads of a pool know together, and what each does all its life.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::line::{Line, Urgency, Weight, Work};
use crate::maths::crew::wait_awake;

/// So many, and the jobs they have.
pub(super) struct Threads {
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

impl Threads {
    pub(super) fn new(threads: usize) -> Self {
        let (state, called, calls) = Default::default();
        Self { state, called, calls, threads }
    }

    /// Puts a job in line.
    pub(super) fn put(&self, urgency: Urgency, weight: Weight, work: Work) {
        let mut state = self.state();
        state.line.put(urgency, weight, work);
        self.call(&state);
    }

    /// Does the next job on the driver's thread, if it is light and a processor is free; says whether it did.
    pub(super) fn help(&self) -> bool {
        let mut state = self.state();
        if state.busy >= self.threads || state.line.first() != Some(Weight::Light) {
            return false;
        }
        let Some((weight, work)) = state.line.next() else { return false };
        state.driver_helps = true;
        let mut state = self.work_on(state, weight, work);
        state.driver_helps = false;
        self.call(&state);
        true
    }

    /// Whether a processor is free for a driver that waits awake.
    pub(super) fn let_linger(&self) -> bool {
        let state = self.state();
        state.busy < self.threads && !state.is_laden()
    }

    /// Ends them all. What still waits is for nobody any more.
    pub(super) fn end(&self) {
        let mut state = self.state();
        (state.is_over, state.line) = (true, Line::default());
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.called.notify_all();
    }

    /// What a thread does all its life.
    pub(super) fn work(&self) {
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
}

/// A thread that has nothing to do looks so often whether that has changed.
pub(super) const LOOKS: usize = 1000;

/// So often, or so long, it waits before it begins what may not be needed.
const FEW_LOOKS: usize = 20;
const PATIENCE: Duration = Duration::from_micros(50);
const FOREVER: Duration = Duration::from_secs(3600);
