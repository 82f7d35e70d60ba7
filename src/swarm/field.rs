//! A topology as it is, under drawn misfortune: `kofn check --swarm`.
//!
//! The fleet, model, code and policy are the user's; so is the pace. How fast requests go in fair
//! weather is measured, and all faults are drawn in that measure: the first part of a run is storm, the
//! rest fair weather, long enough for every exile to end.

use std::ops::ControlFlow;
use std::sync::Arc;

use rand::seq::SliceRandom;

use super::draw::{Drawing, Faults};
use super::laws::Laws;
use crate::drive::{Clock, Setup};
use crate::maths::chance::{Purpose, Seed};
use crate::plan::{Plan, Stage, StageWork, Verify};
use crate::units::{DeviceId, Span};

/// Where the misfortune of a topology is drawn.
#[derive(Clone, Debug)]
pub struct Field {
    plan: Arc<Plan>,
    /// The topology, as a fault plan names it.
    topology: String,
    /// How many requests a run has.
    pub requests: usize,
    /// How many of them are sent in the storm.
    storm_requests: usize,
    storm: Span,
    heals_within: Span,
    /// The largest number that the whole model gives.
    largest: f64,
}

/// A drawn fault plan, as text, and the laws that hold for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Ordeal {
    pub faults: String,
    pub laws: Laws,
}

/// Why no misfortune can be drawn for a topology, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsuited {
    #[error("no stage runs on the devices, so nothing can go wrong there; code some layer")]
    NoStage,
    #[error(
        "until a fleet is whole again {requests} requests would go by, and at most {MOST_REQUESTS} \
         are tried; shorten policy.health.exile, which is {exile}"
    )]
    TooLong { requests: usize, exile: Span },
}

impl Field {
    /// Runs a few requests in fair weather, for the pace.
    ///
    /// # Errors
    /// [`Unsuited`], or if the whole model fails on an input.
    pub fn new(plan: &Arc<Plan>, topology: &str) -> anyhow::Result<Self> {
        anyhow::ensure!(!plan.stages.is_empty(), Unsuited::NoStage);
        let calm = Setup::new(plan.clone(), MEASURED, Seed(0))?;
        let trace = calm.run(Clock::Virtual, &mut |_| ControlFlow::Continue(()))?;
        let took = trace.last().map_or(Span::ZERO, |record| Span(record.at.0));
        let pace = Span((took.0 / MEASURED as u64).max(1));
        let exile = plan.policy.health.exile;
        let storm = (pace * STORM_REQUESTS as f64).max(exile * 2.0);
        let heals_within = exile * EXILES + pace * ROUNDS_TO_TRUST + deployment(plan) * 2.0;
        // A fault may begin with the storm's last moment, and lasts 150 / 400 of it at most.
        let whole = storm * 1.5 + heals_within;
        let storm_requests = in_units(storm, pace);
        let requests = in_units(whole, pace) + STORM_REQUESTS;
        anyhow::ensure!(requests <= MOST_REQUESTS, Unsuited::TooLong { requests, exile });
        let largest = largest(&calm);
        Ok(Self {
            plan: plan.clone(),
            topology: topology.to_owned(),
            requests,
            storm_requests,
            storm,
            heals_within,
            largest,
        })
    }

    /// The laws, of which some hold for some ordeals only.
    pub fn laws(&self) -> Laws {
        let Self { largest, heals_within, .. } = *self;
        Laws {
            wrong: WRONG * largest,
            rough: ROUGH * largest,
            approximate: self.plan.stages.iter().any(|stage| stage.batch.is_some()),
            heals_within,
            within_margin: true,
            ends: true,
        }
    }

    /// Why devices are not made to lie: a stage where lies may pass, and how it is verified.
    pub fn spares_lies(&self) -> Option<String> {
        let always = |stage: &&Stage| {
            stage.verify == Verify::Always && matches!(stage.work, StageWork::Layers(_))
        };
        let open = self.plan.stages.iter().find(|stage| !always(stage))?;
        Some(format!("{} is verified with {:?}, which lets some pass", open.name, open.verify))
    }

    pub fn draw(&self, seed: u64) -> Ordeal {
        let mut rng = Seed(seed).stream(Purpose::Swarm, &[]);
        let mut devices: Vec<DeviceId> = (0..self.plan.devices.len()).map(DeviceId).collect();
        devices.shuffle(&mut rng);
        let rounds = (self.requests * self.plan.stages.len()) as f64;
        let mut drawing = Drawing {
            rng,
            tolerates: self.bearable(&devices),
            devices: devices.iter().map(|d| self.plan.devices[d.0].name.clone()).collect(),
            verifies: self.spares_lies().is_none(),
            layers: self.plan.stages.iter().map(|stage| stage.name.clone()).collect(),
            requests: self.storm_requests,
            chance: (STRIKES_BY_CHANCE / rounds).min(1.0),
            pace: self.storm.as_secs() / DRAWN_STORM.as_secs(),
        };
        let Faults { list, within_margin, end: ends } = drawing.faults();
        let Self { topology, requests, .. } = self;
        let faults = format!(
            "FaultPlan(\n    topology: {topology:?},\n    requests: {requests},\n    seed: {seed},\n    \
             faults: [\n{list}    ],\n)\n"
        );
        Ordeal { faults, laws: Laws { within_margin, ends, ..self.laws() } }
    }

    /// How many of these devices, from the first on, can be lost with no stage lost.
    fn bearable(&self, devices: &[DeviceId]) -> usize {
        let bears = |lost: &[DeviceId]| {
            self.plan.stages.iter().all(|stage| {
                // Who is second in turn is asked only on a retry.
                let asked = if self.plan.policy.retries == 0 { 1 } else { usize::MAX };
                let gone = |holders: &&Vec<DeviceId>| {
                    holders.iter().take(asked).all(|device| lost.contains(device))
                };
                let gone = stage.holders.iter().filter(gone).count();
                gone <= stage.tolerates * stage.code.hand()
            })
        };
        (1..=devices.len()).take_while(|count| bears(&devices[..*count])).count()
    }
}

/// The largest number that the whole model gives, or one.
pub(super) fn largest(calm: &Setup) -> f64 {
    let numbers = calm.cases.iter().flat_map(|case| &case.truth).flatten();
    numbers.fold(1.0, |most: f64, x| most.max(f64::from(x.abs())))
}

fn in_units(span: Span, unit: Span) -> usize {
    span.0.div_ceil(unit.0) as usize
}

/// The longest that a device may have to wait for its shares: until it is believed not to have them,
/// and while they are on their way.
fn deployment(plan: &Plan) -> Span {
    let held = plan.devices.iter().zip(plan.held_bytes());
    let ways = held.map(|(device, held)| device.bandwidth.time_for(held) * 2.0);
    let deadline = plan.stages.iter().map(|stage| stage.deadline).max();
    ways.max().unwrap_or_default() + deadline.unwrap_or_default()
}

/// An answer is wrong if it is off by this part of the largest number that the whole model gives.
const WRONG: f64 = 1e-4;
/// One that is read off a curve is, if it is off by so many times that number. No theorem gives it: of two
/// thousand drawn runs the roughest answer was off by five times. It tells the rough from rubbish.
pub(super) const ROUGH: f64 = 20.0;
/// A schedule with more would take minutes.
const MOST_REQUESTS: usize = 100_000;
/// Requests in fair weather from which the pace is taken.
const MEASURED: usize = 30;
/// The storm covers at least so many requests.
const STORM_REQUESTS: usize = 15;
/// An exile doubles up to 16 times the first; half as much again is left for what comes after it.
const EXILES: f64 = 24.0;
/// A liar needs twelve good replies to be trusted.
const ROUNDS_TO_TRUST: f64 = 20.0;
/// How often a fault that waits for chance is expected to strike in a run.
const STRIKES_BY_CHANCE: f64 = 5.0;
/// Faults are drawn to begin within this, before times are stretched.
const DRAWN_STORM: Span = Span(400_000_000);
