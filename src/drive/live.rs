//! Real time: device actors on one thread, their jobs on a pool, replies by message.
//!
//! The only file with a clock. Links and machines are what they are here; the weather only adds
//! misfortune, and a crash drops the host and what it held.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::iter::{ParallelBridge as _, ParallelIterator as _};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Setup;
use super::coming::{Coming, Finished, Life, Pace};
use super::helm::{Command, Leave, Rudder, obey};
use super::pool::{Begun, Pool, Urgency, Weight, with_pool};
use super::run::{Run, Watch};
use crate::fault::{Cost, Way};
use crate::node::{Job, NodeId, Output};
use crate::plan::{Plan, Share, Trigger};
use crate::units::{Bytes, DeviceId, Flops, Span, Time};

/// Runs in real time.
///
/// # Errors
/// If the machine has no threads left, or the pool of them breaks down.
pub(super) fn live(setup: &Setup, rudder: Option<Rudder>, watch: Watch<'_>) -> anyhow::Result<()> {
    // Parities too: the request in which a device dies is not to wait for it.
    setup.deployment.shares().par_bridge().for_each(Share::prepare);
    with_pool(|pool| drive(setup, Rc::new(pool), rudder, watch))?
}

fn drive(
    setup: &Setup,
    pool: Rc<Pool>,
    rudder: Option<Rudder>,
    watch: Watch<'_>,
) -> anyhow::Result<()> {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().build().expect("a thread's runtime needs only a timer")
    };
    actix::System::with_tokio_rt(runtime).block_on(async {
        let (finished, mut results) = unbounded_channel();
        let clock = Stopwatch::start();
        let (plan, begun) = (setup.plan.clone(), Begun::default());
        let pace = Real { pool: pool.clone(), plan, begun, finished };
        let mut run = Run::start(setup, pace, true, rudder.is_some(), watch);
        let mut commands = rudder.map(|Rudder(commands)| commands);
        while !run.is_over() {
            let now = clock.now();
            let is_said = || commands.as_ref().is_some_and(|commands| !commands.is_empty());
            match run.next_due() {
                Some(due) if due <= now => {
                    let (_, what) = run.pop().expect("it was due");
                    run.happen(now, what).await;
                }
                _ if !is_said() && pool.help() => {}
                due if !is_said()
                    && pool.linger(|| {
                        let is_due = due.is_some_and(|due| due <= clock.now());
                        is_due || is_said() || !results.is_empty()
                    }) => {}
                due => {
                    let wait = due.map_or(FOREVER, |due| Duration::from_nanos((due - now).0));
                    tokio::select! {
                        // The queue has something due.
                        () = tokio::time::sleep(wait) => {}
                        result = results.recv() => {
                            let Ended { life, output, took, held_back } =
                                result.ok_or_else(|| anyhow::anyhow!("the pool is gone"))?;
                            run.push(clock.now() + held_back, Coming::Done { life, output, took });
                        }
                        command = next(&mut commands) => {
                            let Some(command) = command else { break };
                            let now = clock.now();
                            obey(&mut run, now, at_once(command, now), Leave::Until(now)).await;
                        }
                    }
                }
            }
            while let Ok(Ended { life, output, took, held_back }) = results.try_recv() {
                run.push(clock.now() + held_back, Coming::Done { life, output, took });
            }
        }
        Ok(())
    })
}

/// What is said next to a run that is steered.
async fn next(commands: &mut Option<UnboundedReceiver<Command>>) -> Option<Command> {
    match commands {
        Some(commands) => commands.recv().await,
        None => std::future::pending().await,
    }
}

/// In real time what is said takes effect now.
fn at_once(command: Command, now: Time) -> Command {
    match command {
        Command::Plan(mut fault) if matches!(fault.trigger, Trigger::At(_)) => {
            fault.trigger = Trigger::At(now);
            Command::Plan(fault)
        }
        Command::CallOff { fault, .. } => Command::CallOff { fault, from: now },
        other @ (Command::Plan(_) | Command::Until(_) | Command::Next) => other,
    }
}

/// Longer than any run.
const FOREVER: Duration = Duration::from_secs(3600);

struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "the one clock there is")]
    fn start() -> Self {
        Self(Instant::now())
    }

    fn now(&self) -> Time {
        Time(self.0.elapsed().as_nanos() as u64)
    }
}

/// A job that the pool has finished.
struct Ended {
    life: Life,
    output: Output,
    took: Span,
    /// What a slow device would still need.
    held_back: Span,
}

struct Real {
    pool: Rc<Pool>,
    plan: Arc<Plan>,
    begun: Begun,
    finished: UnboundedSender<Ended>,
}

impl Pace for Real {
    fn arrival(&mut self, now: Time, _: (DeviceId, Way), _: Bytes, _: &[u64; 6]) -> Time {
        now
    }

    fn went_down(&mut self, _: Time, _: DeviceId) {}

    fn begin(&mut self, now: Time, life: Life, job: Job, cost: Cost) -> Option<Finished> {
        if life.node == NodeId::Supervisor && is_small(&job) {
            let clock = Stopwatch::start();
            let output = run_or_break(job);
            let took = clock.now() - Time::ZERO;
            return Some(Finished { at: now + took, output, took });
        }
        let finished = self.finished.clone();
        let weight = Weight::of(&job, &mut self.begun, &self.plan);
        self.pool.run(Urgency::of(&job), weight, move || {
            let clock = Stopwatch::start();
            let output = run_or_break(job);
            let took = clock.now() - Time::ZERO;
            let held_back = took * (cost.factor - 1.0) + cost.extra;
            // The run may be over: then nobody is interested.
            let _ = finished.send(Ended { life, output, took: took + held_back, held_back });
        });
        None
    }
}

/// Runs a job; one that panics gives what broken ones give.
fn run_or_break(job: Job) -> Output {
    let broken = job.broken();
    catch_unwind(AssertUnwindSafe(|| job.run())).unwrap_or(broken)
}

/// Whether a job takes less time than waking another thread for it, twice, on a machine of our days.
fn is_small(job: &Job) -> bool {
    job.work() < Flops(200_000) && job.traffic() < Bytes(200_000)
}
