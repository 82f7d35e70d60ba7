//! The doing: hosts nodes as actors, carries out their effects, and keeps the clock.
//!
//! Two drivers run the same nodes: `simulated` in virtual time, exact to the nanosecond and equal
//! byte for byte from run to run; `live` in real time, with jobs on a pool of threads. All
//! misfortune is in the weather, between the nodes: no node knows that it is slow.

mod coming;
mod grips;
mod helm;
mod host;
mod live;
mod physics;
mod pool;
mod queue;
mod run;
pub mod side_by_side;
mod simulated;
mod weather;

use std::ops::ControlFlow;
use std::sync::Arc;

use rand_distr::{Distribution, Exp};
use rayon::prelude::*;

pub use helm::{Command, Helm, Progress, Rudder, helm};
pub use host::{DeviceActor, Host, Step, SupervisorActor};

use crate::event::Record;
use crate::maths::Tensor;
use crate::maths::chance::{Purpose, Seed};
use crate::node::{Case, Client, Deployment, Schedule};
use crate::plan::{Arrivals, Fault, Input, Plan};
use crate::units::{Span, Time};

/// Everything a run is made from. Cloning shares it: a run and its twin differ in faults alone.
#[derive(Clone, Debug)]
pub struct Setup {
    pub plan: Arc<Plan>,
    pub deployment: Arc<Deployment>,
    pub cases: Arc<Vec<Case>>,
    pub faults: Vec<Fault>,
    pub requests: usize,
    pub seed: Seed,
}

/// What happened, in order.
pub type Trace = Vec<Record>;

/// Which clock a run goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    Virtual,
    Live,
}

impl Setup {
    /// Deploys the plan, and runs the whole model once for each input that will be asked for, if anything
    /// is computed at all.
    ///
    /// # Errors
    /// If the whole model fails on an input.
    pub fn new(plan: Arc<Plan>, requests: usize, seed: Seed) -> anyhow::Result<Self> {
        let used = requests.min(plan.inputs.len());
        let cases = |inputs: &[Input]| -> anyhow::Result<Vec<Case>> {
            let tensors: Vec<&[Tensor]> = inputs.iter().map(|input| &input.tensors[..]).collect();
            let truths = match plan.computes() {
                true => plan.whole.run_each(&tensors)?,
                false => vec![Vec::new(); inputs.len()],
            };
            let case = |(input, truth): (&Input, Vec<Tensor>)| Case {
                inputs: input.tensors.clone(),
                label: input.label,
                truth,
            };
            Ok(inputs.iter().zip(truths).map(case).collect())
        };
        let cases: Vec<Vec<Case>> = plan.inputs[..used]
            .par_chunks(plan.whole.together())
            .map(cases)
            .collect::<anyhow::Result<_>>()?;
        // The truth needs room for weights, too: it is done with.
        let deployment = Arc::new(Deployment::new(&plan, seed));
        let cases = Arc::new(cases.into_iter().flatten().collect());
        Ok(Self { plan, deployment, cases, faults: Vec::new(), requests, seed })
    }

    /// The same run with these faults.
    pub fn with_faults(&self, faults: Vec<Fault>) -> Self {
        Self { faults, ..self.clone() }
    }

    /// Runs it; `watch` is shown every record as it is made, and may stop the run with it.
    ///
    /// # Errors
    /// If kofn itself breaks down, or computes nothing and should do so in real time.
    pub fn run(
        &self,
        clock: Clock,
        watch: &mut (dyn FnMut(&Record) -> ControlFlow<()> + Send),
    ) -> anyhow::Result<Trace> {
        let mut trace = Trace::new();
        self.watched(clock, &mut |record| {
            let go_on = watch(&record);
            trace.push(record);
            go_on
        })?;
        Ok(trace)
    }

    /// Runs it and keeps nothing; `take` is given every record as it is made, and may stop the run with it.
    ///
    /// # Errors
    /// Like [`Self::run`].
    pub fn watched(
        &self,
        clock: Clock,
        take: &mut (dyn FnMut(Record) -> ControlFlow<()> + Send),
    ) -> anyhow::Result<()> {
        self.drive(clock, None, &mut |progress| match progress {
            Progress::Happened(record) => take(record),
            Progress::Resting { .. } => ControlFlow::Continue(()),
        })
    }

    /// Runs it in virtual time for its times alone: what a job gives for an input is computed once, and
    /// charged for as often as it is done. Times are those of [`Self::run`] to the nanosecond as long
    /// as nobody lies: they hang on sizes and seeds, not on numbers.
    ///
    /// # Errors
    /// If kofn itself breaks down.
    pub fn rehearse(&self) -> anyhow::Result<Trace> {
        let mut trace = Trace::new();
        simulated::rehearsed(self, &mut |progress| {
            if let Progress::Happened(record) = progress {
                trace.push(record);
            }
            ControlFlow::Continue(())
        })?;
        Ok(trace)
    }

    /// Runs it as its helm says; `watch` is told how it goes on, and nothing is kept.
    ///
    /// # Errors
    /// If kofn itself breaks down.
    pub fn steered(
        &self,
        clock: Clock,
        rudder: Rudder,
        watch: &mut (dyn FnMut(Progress) -> ControlFlow<()> + Send),
    ) -> anyhow::Result<()> {
        self.drive(clock, Some(rudder), watch)
    }

    fn drive(
        &self,
        clock: Clock,
        rudder: Option<Rudder>,
        watch: &mut (dyn FnMut(Progress) -> ControlFlow<()> + Send),
    ) -> anyhow::Result<()> {
        match clock {
            Clock::Virtual => simulated::simulated(self, rudder, watch),
            Clock::Live if !self.plan.computes() => {
                anyhow::bail!(
                    "in real time everything is computed: numerics: Skip has no place there"
                )
            }
            Clock::Live => live::live(self, rudder, watch),
        }
    }

    fn client(&self) -> Client {
        let client = Client::new(self.cases.clone(), self.requests, self.schedule());
        if self.plan.computes() { client } else { client.of_blanks() }
    }

    fn schedule(&self) -> Schedule {
        match self.plan.arrivals {
            Arrivals::ClosedLoop { clients } => Schedule::ClosedLoop(clients),
            Arrivals::Poisson { per_second } => {
                let gap = Exp::new(per_second).expect("a positive rate was checked");
                let mut rng = self.seed.stream(Purpose::Arrivals, &[]);
                let next = |at: &mut Time, _| {
                    *at = *at + Span::from_secs(gap.sample(&mut rng));
                    Some(*at)
                };
                Schedule::Open((0..self.requests).scan(Time::ZERO, next).collect())
            }
        }
    }
}
