//! The threads that jobs run on in real time: of those that wait, the most urgent first.
//!
//! The driver's own thread is one of them, as far as jobs are light: while it computes a share itself,
//! nobody must wake it to hear that another one is done. Where several devices share a processor,
//! shares that may not be needed come last.
//!
//! They are a crew (`maths/crew.rs`): who has no job takes a part of another's.

mod line;
mod threads;

use std::sync::{Arc, Barrier, Mutex, PoisonError};

use anyhow::Context as _;
pub(super) use line::{Begun, Urgency, Weight};
use threads::{LOOKS, Threads};

use crate::maths::crew::{as_one_of_crew, wait_awake};

/// The jobs that wait for a thread. Its threads end with it.
pub(super) struct Pool(Arc<Threads>);

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
    let all = Arc::new(Threads::new(threads));
    let driver = Mutex::new(Some((drive, Pool(all.clone()))));
    // Nobody is to take what another one is to do all its life.
    let all_are_there = Barrier::new(threads + 1);
    let ended = crew.broadcast(|thread| {
        all_are_there.wait();
        if thread.index() > 0 {
            as_one_of_crew(|| all.work());
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
        self.0.put(urgency, weight, Box::new(work));
    }

    /// Lets the driver do the next job itself, if it is light and a processor is free; says whether it did.
    pub(super) fn help(&self) -> bool {
        self.0.help()
    }

    /// Lets the driver wait awake for a while, and help, if a processor is free and nothing takes so long
    /// that it had better sleep; says whether it came to what it waits for.
    pub(super) fn linger(&self, has_come: impl Fn() -> bool) -> bool {
        self.0.let_linger() && wait_awake(LOOKS, has_come)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.0.end();
    }
}

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
