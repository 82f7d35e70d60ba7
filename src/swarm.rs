//! The swarm: from a seed draw a fleet, a code, a policy and misfortune, and hold the run to what must
//! always be true.
//!
//! *Safety*: never a wrong answer; every request ends exactly once; within the margin none is lost.
//! *Liveness*: when the faults have ended, everything is answered and every device is trusted again.
//! The idea is TigerBeetle's: the seed draws the configuration too, so that shapes nobody would write
//! down are tried. What is drawn is text, as a person would write it, and enters by the same door.

mod draw;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use crate::drive::{Clock, Setup, Trace};
use crate::event::{Event, Standing};
use crate::maths::chance::Seed;
use crate::plan::{FaultPlan, Plan, Problems};
use crate::units::{DeviceId, RequestId, Span, Time};

pub use draw::{Base, Scenario};

/// What a run of the swarm came to.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub answered: usize,
    pub failed: usize,
    /// How often each kind of fault struck.
    pub struck: BTreeMap<String, usize>,
}

/// A law that was broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub String);

/// An answer further from the whole model's than this is wrong.
const WRONG: f64 = 1e-3;
/// After the last fault's end, how long until the fleet must be whole: twice the longest exile that
/// a scenario draws, and some.
const HEALS_WITHIN: Span = Span(500_000_000);

impl Scenario {
    /// Parses, runs and checks what was drawn.
    ///
    /// # Errors
    /// If what was drawn is no sound file, which is our own bug.
    pub fn run(&self, base: &Path) -> anyhow::Result<Result<Seen, Broken>> {
        let (plan, faults) = self.load(base)?;
        let requests = faults.requests.unwrap_or(plan.requests);
        let seed = Seed(faults.seed.unwrap_or(0));
        let setup = Setup::new(plan, requests, seed)?.with_faults(faults.faults);
        let trace = setup.run(Clock::Virtual, &mut |_| ControlFlow::Continue(()))?;
        Ok(self.check(&trace))
    }

    fn load(&self, base: &Path) -> Result<(Arc<Plan>, FaultPlan), Problems> {
        let plan = Arc::new(Plan::parse(base, self.topology.clone())?);
        let faults = FaultPlan::parse(base, self.faults.clone(), &plan)?;
        Ok((plan, faults))
    }

    fn check(&self, trace: &Trace) -> Result<Seen, Broken> {
        let seen = safe(trace)?;
        if self.within_margin && seen.failed > 0 {
            return Err(Broken(format!("{} requests lost within the margin", seen.failed)));
        }
        if self.ends {
            live(trace)?;
        }
        Ok(seen)
    }
}

/// Never a wrong answer; every request ends exactly once.
#[expect(clippy::wildcard_enum_match_arm, reason = "a law looks at few events")]
fn safe(trace: &Trace) -> Result<Seen, Broken> {
    let mut seen = Seen::default();
    let mut open: BTreeMap<RequestId, bool> = BTreeMap::new();
    for record in trace {
        match &record.event {
            Event::Accepted { request } => {
                open.insert(*request, true);
            }
            Event::Answered { request, .. } | Event::Failed { request, .. } => {
                if open.insert(*request, false) != Some(true) {
                    return Err(Broken(format!("request {} ended twice", request.0)));
                }
                let answered = matches!(record.event, Event::Answered { .. });
                seen.answered += usize::from(answered);
                seen.failed += usize::from(!answered);
            }
            Event::Judged { request, error, .. } if error.is_nan() || *error > WRONG => {
                return Err(Broken(format!("request {} is wrong by {error:.1e}", request.0)));
            }
            Event::FaultBegan { what, .. } => {
                let kind = what.split('(').next().unwrap_or_default();
                *seen.struck.entry(kind.to_owned()).or_default() += 1;
            }
            _ => {}
        }
    }
    match open.iter().find(|(_, open)| **open) {
        Some((request, _)) => Err(Broken(format!("request {} never ended", request.0))),
        None => Ok(seen),
    }
}

/// When the faults have ended, everything is answered and every device is trusted again.
#[expect(clippy::wildcard_enum_match_arm, reason = "a law looks at few events")]
fn live(trace: &Trace) -> Result<(), Broken> {
    let ended = |e: &Event| matches!(e, Event::FaultBegan { .. } | Event::FaultEnded { .. });
    let last = trace.iter().rev().find(|record| ended(&record.event));
    let whole = last.map_or(Time::ZERO, |record| record.at) + HEALS_WITHIN;
    let mut late: Option<RequestId> = None;
    let mut standings: BTreeMap<DeviceId, Standing> = BTreeMap::new();
    let mut liars: BTreeSet<DeviceId> = BTreeSet::new();
    for record in trace {
        match &record.event {
            Event::Accepted { request } if record.at >= whole => late = late.or(Some(*request)),
            Event::Failed { request, reason, .. } if late.is_some_and(|late| *request >= late) => {
                return Err(Broken(format!(
                    "request {} lost in fair weather: {reason}",
                    request.0
                )));
            }
            Event::Judgement { device, to, .. } => {
                standings.insert(*device, *to);
            }
            Event::Caught { device, .. } => {
                liars.insert(*device);
            }
            _ => {}
        }
    }
    // A liar must show good results, and one that is always outrun has no occasion to.
    let trusted = |(device, standing): &(&DeviceId, &Standing)| match standing {
        Standing::Healthy | Standing::Slow => true,
        Standing::Probation => liars.contains(device),
        Standing::Suspect | Standing::Excluded => false,
    };
    let distrusted = standings.iter().find(|entry| !trusted(entry));
    match (late, distrusted) {
        (Some(_), Some((device, standing))) => {
            let name = device.0 + 1;
            Err(Broken(format!("device {name} is still {standing:?} in fair weather")))
        }
        _ => Ok(()),
    }
}
