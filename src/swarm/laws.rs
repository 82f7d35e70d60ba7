//! What must be true of every run, whatever was drawn.
//!
//! *Safety*: never a wrong answer; every request ends exactly once; within the margin none is lost.
//! *Liveness*: when the faults have ended, everything is answered and every device is trusted again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::ControlFlow;

use crate::drive::{Clock, Setup, Trace};
use crate::event::{Event, Standing};
use crate::maths::chance::Seed;
use crate::plan::FaultPlan;
use crate::units::{DeviceId, RequestId, Span, Time};

/// The laws that a run is held to.
#[derive(Clone, Debug, PartialEq)]
pub struct Laws {
    /// An answer further from the whole model's than this is wrong, unless it says that it is not exact.
    pub wrong: f64,
    /// After the last fault's end, how long until the fleet must be whole.
    pub heals_within: Span,
    /// Whether the faults together touch no more devices than may be lost.
    pub within_margin: bool,
    /// Whether all faults end.
    pub ends: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    NoWrongAnswer,
    EndsOnce,
    NoneLostWithinMargin,
    AllAnsweredAfter,
    AllTrustedAfter,
}

/// A law that was broken: how, by what, and since when.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    pub law: Law,
    pub expected: String,
    pub seen: String,
    /// The request or device that broke it.
    pub place: String,
    pub since: Time,
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    pub answered: usize,
    pub failed: usize,
    pub largest_error: f64,
    /// How often each kind of fault struck.
    pub struck: BTreeMap<String, usize>,
}

impl Law {
    pub const ALL: [Self; 5] = [
        Self::NoWrongAnswer,
        Self::EndsOnce,
        Self::NoneLostWithinMargin,
        Self::AllAnsweredAfter,
        Self::AllTrustedAfter,
    ];
}

impl Laws {
    /// Plays a fault plan from the setup without faults, and holds the run to these laws.
    ///
    /// # Errors
    /// The first law that is broken.
    pub fn hold(&self, calm: &Setup, faults: &FaultPlan) -> Result<Seen, Broken> {
        let requests = faults.requests.unwrap_or(calm.requests);
        let seed = faults.seed.map_or(calm.seed, Seed);
        let setup = Setup { requests, seed, ..calm.with_faults(faults.faults.clone()) };
        match setup.run(Clock::Virtual, &mut |_| ControlFlow::Continue(())) {
            Ok(trace) => self.judge(&trace, &|device| setup.plan.devices[device.0].name.clone()),
            Err(error) => Err(self.broken(Law::EndsOnce, error, "whole run", Time::ZERO)),
        }
    }

    fn judge(&self, trace: &Trace, name: &dyn Fn(DeviceId) -> String) -> Result<Seen, Broken> {
        let seen = self.safe(trace)?;
        if self.ends {
            self.live(trace, name)?;
        }
        Ok(seen)
    }

    /// Whether a run is held to a law.
    pub fn include(&self, law: Law) -> bool {
        match law {
            Law::NoWrongAnswer | Law::EndsOnce => true,
            Law::NoneLostWithinMargin => self.within_margin,
            Law::AllAnsweredAfter | Law::AllTrustedAfter => self.ends,
        }
    }

    /// A law in words.
    pub fn expected(&self, law: Law) -> String {
        let Self { wrong, heals_within, .. } = self;
        match law {
            Law::NoWrongAnswer => {
                format!("no answer given as exact is wrong by more than {wrong:.1e}")
            }
            Law::EndsOnce => "every request ends exactly once".to_owned(),
            Law::NoneLostWithinMargin => "within the margin no request is lost".to_owned(),
            Law::AllAnsweredAfter => {
                format!("from {heals_within} after the last fault every request is answered")
            }
            Law::AllTrustedAfter => {
                format!("{heals_within} after the last fault every device is trusted again")
            }
        }
    }

    /// What a fault plan must expect for it to fail where this law is broken, as RON. A plan that does
    /// not speak of losses allows none, so those that are not meant are allowed.
    pub fn expectation(&self, broken: &Broken) -> String {
        let Self { wrong, heals_within, .. } = self;
        match broken.law {
            Law::NoWrongAnswer => format!("[Answered(0.0), MaxAbsError({wrong:e})]"),
            Law::EndsOnce | Law::NoneLostWithinMargin => "[NoRequestLost]".to_owned(),
            Law::AllAnsweredAfter => format!(
                "[Answered(0.0), During(from: \"{}ns\", to: \"{}ns\", expect: [NoRequestLost])]",
                broken.since.0,
                broken.since.0 + FOREVER.0,
            ),
            Law::AllTrustedAfter => {
                format!("[Answered(0.0), Healed(within: \"{}ns\")]", heals_within.0)
            }
        }
    }

    fn broken(
        &self,
        law: Law,
        seen: impl ToString,
        place: impl Into<String>,
        since: Time,
    ) -> Broken {
        let (expected, seen) = (self.expected(law), seen.to_string());
        Broken { law, expected, seen, place: place.into(), since }
    }

    /// Never a wrong answer; every request ends exactly once; within the margin none is lost.
    #[expect(clippy::wildcard_enum_match_arm, reason = "a law looks at few events")]
    fn safe(&self, trace: &Trace) -> Result<Seen, Broken> {
        let mut seen = Seen::default();
        let mut open: BTreeMap<RequestId, Option<Time>> = BTreeMap::new();
        // Answers that say of themselves that they may be off.
        let mut inexact: BTreeSet<RequestId> = BTreeSet::new();
        for record in trace {
            match &record.event {
                Event::Accepted { request } => {
                    open.insert(*request, Some(record.at));
                }
                Event::Answered { request, .. } | Event::Failed { request, .. } => {
                    if !matches!(open.insert(*request, None), Some(Some(_))) {
                        let place = format!("request {}", request.0);
                        return Err(self.broken(Law::EndsOnce, "ended twice", place, record.at));
                    }
                    let says_so = |event: &Event| matches!(event, Event::Answered { worth, .. } if !worth.is_exact());
                    inexact.extend(says_so(&record.event).then_some(*request));
                    seen.answered += usize::from(matches!(record.event, Event::Answered { .. }));
                }
                Event::Judged { request, error, .. } => {
                    let most = if inexact.contains(request) { f64::MAX } else { self.wrong };
                    if error.is_nan() || *error > most {
                        let place = format!("request {}", request.0);
                        let by = format!("wrong by {error:.1e}");
                        return Err(self.broken(Law::NoWrongAnswer, by, place, record.at));
                    }
                    if !inexact.contains(request) {
                        seen.largest_error = seen.largest_error.max(*error);
                    }
                }
                Event::FaultBegan { what, .. } => {
                    let kind = what.split('(').next().unwrap_or_default();
                    *seen.struck.entry(kind.to_owned()).or_default() += 1;
                }
                _ => {}
            }
            if let Event::Failed { request, reason, .. } = &record.event {
                seen.failed += 1;
                if self.within_margin {
                    let place = format!("request {}", request.0);
                    return Err(self.broken(Law::NoneLostWithinMargin, reason, place, record.at));
                }
            }
        }
        match open.iter().find_map(|(request, open)| open.map(|since| (request, since))) {
            Some((request, since)) => {
                let place = format!("request {}", request.0);
                Err(self.broken(Law::EndsOnce, "never ended", place, since))
            }
            None => Ok(seen),
        }
    }

    /// When the faults have ended, everything is answered and every device is trusted again.
    #[expect(clippy::wildcard_enum_match_arm, reason = "a law looks at few events")]
    fn live(&self, trace: &Trace, name: &dyn Fn(DeviceId) -> String) -> Result<(), Broken> {
        let ended = |e: &Event| matches!(e, Event::FaultBegan { .. } | Event::FaultEnded { .. });
        let last = trace.iter().rev().find(|record| ended(&record.event));
        let whole = last.map_or(Time::ZERO, |record| record.at) + self.heals_within;
        let mut late: BTreeSet<RequestId> = BTreeSet::new();
        let mut standings: BTreeMap<DeviceId, (Standing, Time)> = BTreeMap::new();
        let mut liars: BTreeSet<DeviceId> = BTreeSet::new();
        for record in trace {
            match &record.event {
                Event::Accepted { request } if record.at >= whole => {
                    late.insert(*request);
                }
                Event::Failed { request, reason, .. } if late.contains(request) => {
                    let place = format!("request {}", request.0);
                    return Err(self.broken(Law::AllAnsweredAfter, reason, place, whole));
                }
                Event::Judgement { device, to, .. } => {
                    standings.insert(*device, (*to, record.at));
                }
                Event::Caught { device, .. } => {
                    liars.insert(*device);
                }
                _ => {}
            }
        }
        // A liar must show good results, and one that is always outrun has no occasion to.
        let is_trusted = |device: &DeviceId, standing: Standing| match standing {
            Standing::Healthy | Standing::Slow => true,
            Standing::Probation => liars.contains(device),
            Standing::Suspect | Standing::Excluded => false,
        };
        let mut standings = standings.iter();
        match standings.find(|(device, (standing, _))| !is_trusted(device, *standing)) {
            Some((device, (standing, since))) if !late.is_empty() => {
                let seen = format!("still {standing:?}");
                Err(self.broken(Law::AllTrustedAfter, seen, name(*device), *since))
            }
            _ => Ok(()),
        }
    }
}

/// Longer than any run.
const FOREVER: Span = Span(3_600_000_000_000);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, seen, place, since, .. } = self;
        write!(f, "{expected}: {seen}; {place}, since {since}")
    }
}
