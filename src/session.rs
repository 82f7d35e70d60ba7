//! A session: a run that is looked at while it goes on, with all that was typed into it.
//!
//! ```text
//!   play, step, jump ──► how far the run may go ──► records ──► playhead
//!   strike, call off ──► at the newest moment: said to the run
//!                        at an earlier one: a branch, which is the same run up to there
//! ```
//!
//! Whatever is typed is a fault of a plan at that moment, so a session can be written as a fault plan
//! and is then the same run, record for record. A trace that was read from a file is a session in
//! which nothing can be typed.

mod branch;
mod engine;
mod jump;
mod monkey;
mod record;
mod script;
mod strike;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use hdrhistogram::Histogram;

pub use branch::Branch;
pub use jump::Stop;
pub use monkey::Monkey;
pub use script::Script;

use crate::drive::{Clock, Command, Progress, Setup, helm};
use crate::event::{Event, Record};
use crate::plan::{FaultPlan, Plan};
use crate::units::{Span, Time};
use crate::view::playhead::Playhead;
use crate::view::trace::Header;

/// Where a session comes from: what its command lines say.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    pub topology: String,
    /// The fault plan that was given.
    pub faults: Option<String>,
    /// How many requests were asked for on the command line.
    pub requests: Option<usize>,
}

/// A run that is looked at.
#[derive(Debug)]
pub struct Session {
    /// What runs; none for a trace from a file.
    stage: Option<Stage>,
    branches: Vec<Branch>,
    current: usize,
    monkey: Option<Monkey>,
    /// What a trace from a file is of, if that is at hand.
    of: Option<Arc<Plan>>,
}

/// What a session's runs are made from.
#[derive(Debug)]
struct Stage {
    setup: Setup,
    clock: Clock,
    origin: Origin,
    /// Where the latencies of other runs come from, each by its name.
    beside: Vec<(String, Receiver<Histogram<u64>>)>,
}

/// How a branch went, up to a moment that all branches have reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    pub name: String,
    /// Where it left its parent.
    pub forked: Option<Time>,
    /// What was typed in it last.
    pub last_typed: Option<String>,
    pub accepted: usize,
    pub answered: usize,
    pub failed: usize,
    pub p50: Option<Span>,
    pub p99: Option<Span>,
    pub max_error: f64,
}

impl Session {
    /// Starts a run, which waits at its beginning in virtual time.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn start(
        setup: &Setup,
        clock: Clock,
        faults: Option<&FaultPlan>,
        origin: Origin,
    ) -> anyhow::Result<Self> {
        let script = Script::of(faults);
        let name = faults.map(|faults| faults.name.as_str());
        let header = Header::of(&setup.plan, name, setup.seed.0, setup.requests);
        let branch = Branch::start("1".to_owned(), header, setup, clock, script)?;
        let stage = Stage { setup: setup.clone(), clock, origin, beside: Vec::new() };
        let (branches, current) = (vec![branch], 0);
        let mut session = Self { stage: Some(stage), branches, current, monkey: None, of: None };
        session.run_beside("without faults", setup.with_faults(Vec::new()))?;
        Ok(session)
    }

    /// A trace from a file, and what it is of, if that is at hand.
    ///
    /// # Errors
    /// If a long trace cannot be written to a temporary file.
    pub fn of_trace(
        header: Header,
        records: Vec<Record>,
        of: Option<Arc<Plan>>,
    ) -> anyhow::Result<Self> {
        let mut playhead = Playhead::new(header);
        for record in records {
            playhead.push(record)?;
        }
        let branch = Branch::of_trace(playhead);
        Ok(Self { stage: None, branches: vec![branch], current: 0, monkey: None, of })
    }

    /// Whether it goes by real time, which only runs forward.
    pub fn is_live(&self) -> bool {
        self.stage.as_ref().is_some_and(|stage| stage.clock == Clock::Live)
    }

    /// What runs; none for a trace from a file.
    pub fn plan(&self) -> Option<&Arc<Plan>> {
        self.stage.as_ref().map(|stage| &stage.setup.plan)
    }

    /// Where inputs and the names of classes are to be found, if that is at hand.
    pub fn background(&self) -> Option<&Arc<Plan>> {
        self.plan().or(self.of.as_ref())
    }

    pub fn branch(&self) -> &Branch {
        &self.branches[self.current]
    }

    pub fn branch_mut(&mut self) -> &mut Branch {
        &mut self.branches[self.current]
    }

    pub fn branches(&self) -> usize {
        self.branches.len()
    }

    pub fn current(&self) -> usize {
        self.current
    }

    /// Looks at another branch.
    pub fn switch(&mut self, branch: usize) {
        self.current = branch.min(self.branches.len() - 1);
    }

    /// Makes another run in virtual time, whose latencies are to be seen beside this one's.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn run_beside(&mut self, name: &str, setup: Setup) -> anyhow::Result<()> {
        // Real time is not shared, and is not to be compared with virtual time.
        if let Some(stage) = self.stage.as_mut().filter(|stage| stage.clock == Clock::Virtual) {
            stage.beside.push((name.to_owned(), latencies(setup)?));
        }
        Ok(())
    }

    /// The latencies of runs beside this one that have ended since this was asked last.
    pub fn ended_beside(&mut self) -> Vec<(String, Histogram<u64>)> {
        let Some(stage) = &mut self.stage else { return Vec::new() };
        let ended =
            |(name, run): &(String, Receiver<_>)| Some((name.clone(), run.try_recv().ok()?));
        stage.beside.iter().filter_map(ended).collect()
    }

    /// Lets a span of time pass; what the monkey does in it is done.
    ///
    /// # Errors
    /// If the run broke down, or old records cannot be read back.
    pub fn advance(&mut self, span: Span) -> anyhow::Result<()> {
        let to = self.branch().moment() + span;
        while let Some(due) = self.monkey_due().filter(|due| *due <= to) {
            self.branch_mut().go_on_until(due)?;
            // It waits for a run that cannot keep up, so that it strikes at the same moment always.
            if self.branch().moment() < due || self.branch().is_over() {
                return Ok(());
            }
            let Some((words, who)) = self.monkey_trick() else { break };
            // Its words are a plan's, so they are read as those are.
            let _ = self.strike(&words, &who);
        }
        self.branch_mut().go_on_until(to)
    }

    /// All branches beside each other, up to the last moment that each has reached.
    ///
    /// # Errors
    /// If old records cannot be read back.
    pub fn compare(&mut self) -> anyhow::Result<(Time, Vec<Standing>)> {
        let reached = self.branches.iter_mut().map(Branch::newest).min().unwrap_or(Time::ZERO);
        let standings = self.branches.iter_mut().map(|branch| branch.standing(reached));
        Ok((reached, standings.collect::<anyhow::Result<_>>()?))
    }
}

const ONLY_WATCHED: &str = "a trace can only be watched; kofn run TOPOLOGY can be broken";

/// The latencies of a run that is made on a thread of its own.
fn latencies(setup: Setup) -> anyhow::Result<Receiver<Histogram<u64>>> {
    let (found, run) = channel();
    std::thread::Builder::new().name("beside".to_owned()).spawn(move || {
        let mut latencies = Histogram::new(3).expect("three digits are allowed");
        // Steered, because then nothing is kept of a run that may be long.
        let (helm, rudder) = helm();
        helm.say(Command::Until(Time(u64::MAX)));
        let ran = setup.steered(Clock::Virtual, rudder, &mut |progress| {
            if let Progress::Happened(record) = progress
                && let Event::Answered { latency, .. } = record.event
            {
                latencies.record(latency.0).expect("the histogram grows as needed");
            }
            ControlFlow::Continue(())
        });
        if ran.is_ok() {
            // The session may be over: then nobody is interested.
            let _ = found.send(latencies);
        }
    })?;
    Ok(run)
}
