//! Choices, run in virtual time: what is told of them comes from here and not from estimates.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::drive::side_by_side::{cores, side_by_side};
use crate::drive::{Clock, Setup};
use crate::fault::FaultKind;
use crate::maths::chance::Seed;
use crate::node::{Case, Deployment};
use crate::plan::{Draft, Fault, Numerics, Part, Plan};
use crate::units::DeviceId;
use crate::view::advice::Measured;
use crate::view::compare::Compared;
use crate::view::report::Report;

/// Runs choices, each once.
pub(super) struct Trials<'d> {
    draft: &'d Draft,
    cases: Arc<Vec<Case>>,
    requests: usize,
    seed: Seed,
    /// None of a choice that the fleet cannot carry.
    tried: Vec<(Vec<Part>, Option<Measured>)>,
}

impl<'d> Trials<'d> {
    pub(super) fn new(draft: &'d Draft, requests: usize, seed: Seed) -> Self {
        let inputs = draft.input().tensors.clone();
        let case = Case { truth: Vec::new(), inputs, label: None };
        Self { draft, cases: Arc::new(vec![case]), requests, seed, tried: Vec::new() }
    }

    /// The same trials with another seed, of which none has been made.
    pub(super) fn anew(&self, requests: usize, seed: Seed) -> Self {
        let (cases, tried) = (self.cases.clone(), Vec::new());
        Self { draft: self.draft, cases, requests, seed, tried }
    }

    /// Runs those that have not been run.
    ///
    /// # Errors
    /// If kofn itself breaks down.
    pub(super) fn run(&mut self, choices: &[Vec<Part>]) -> anyhow::Result<()> {
        let mut fresh: Vec<&Vec<Part>> = Vec::new();
        for choice in choices {
            if !self.knows(choice) && !fresh.contains(&choice) {
                fresh.push(choice);
            }
        }
        let measured = side_by_side(&fresh, cores(), |choice| self.measure(choice, 0));
        for (choice, measured) in fresh.into_iter().zip(measured) {
            self.tried.push((choice.clone(), measured?));
        }
        Ok(())
    }

    /// What came of a choice that was run, if the fleet can carry it.
    pub(super) fn of(&self, choice: &[Part]) -> Option<&Measured> {
        self.tried.iter().find(|(tried, _)| tried == choice)?.1.as_ref()
    }

    /// All that were run and can be carried.
    pub(super) fn tried(&self) -> impl Iterator<Item = (&Vec<Part>, &Measured)> {
        self.tried.iter().filter_map(|(choice, measured)| Some((choice, measured.as_ref()?)))
    }

    pub(super) fn knows(&self, choice: &Vec<Part>) -> bool {
        self.tried.iter().any(|(tried, _)| tried == choice)
    }

    pub(super) fn count(&self) -> usize {
        self.tried.len()
    }

    /// Runs a choice with so many of the devices gone that have most to do.
    ///
    /// # Errors
    /// If kofn itself breaks down.
    pub(super) fn measure(&self, choice: &[Part], lost: usize) -> anyhow::Result<Option<Measured>> {
        let Ok(mut plan) = self.draft.plan(choice) else { return Ok(None) };
        // Latencies hang on sizes and seeds, not on numbers.
        plan.numerics = Numerics::Skip;
        let (plan, seed, requests) = (Arc::new(plan), self.seed, self.requests);
        let deployment = Arc::new(Deployment::new(&plan, seed));
        let (cases, faults) = (self.cases.clone(), gone(&plan, lost));
        let setup = Setup { plan, deployment, cases, faults, requests, seed };
        let report = Report::new(
            &setup.plan,
            seed.0,
            &[],
            &setup.run(Clock::Virtual, &mut |_| ControlFlow::Continue(()))?,
            None,
        );
        let compared = Compared::of("", &setup.plan, &report);
        Ok(Some(Measured {
            mean_ms: report.latency_ms.mean,
            p50_ms: report.latency_ms.p50,
            p99_ms: report.latency_ms.p99,
            answered: compared.answered,
            devices: compared.devices,
            // Without a stage nothing hangs on any device.
            may_lose: (!setup.plan.stages.is_empty()).then_some(compared.may_lose),
            work: compared.work,
        }))
    }
}

/// The devices that do most for a request are gone from the start.
fn gone(plan: &Plan, lost: usize) -> Vec<Fault> {
    let work = |device: DeviceId| {
        let shares = plan.stages.iter().flat_map(|stage| {
            let held = stage.holders.iter().enumerate();
            held.filter(move |(_, holders)| holders[0] == device)
                .map(move |(share, _)| stage.share_work(share).0)
        });
        shares.sum::<u64>()
    };
    let mut devices: Vec<DeviceId> = (0..plan.devices.len()).map(DeviceId).collect();
    devices.sort_by_key(|device| std::cmp::Reverse(work(*device)));
    devices.truncate(lost);
    if lost == 0 { Vec::new() } else { vec![Fault::from_the_start(devices, FaultKind::Crash)] }
}
