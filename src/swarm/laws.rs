//! What must be true of every run, whatever was drawn.
//!
//! *Safety*: never a wrong answer; every request ends exactly once; within the margin none is lost.
//! *Liveness*: when the faults have ended, everything is answered and every device is trusted again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::ControlFlow;

use crate::drive::{Clock, Setup, Trace};
use crate::event::{Event, Standing, Worth};
use crate::maths::chance::Seed;
use crate::plan::FaultPlan;
use crate::units::{DeviceId, RequestId, Span, Time};

/// The laws that a run is held to.
#[derive(Clone, Debug, PartialEq)]
pub struct Laws {
    /// An answer further from the whole model's than this is wrong, unless it says that it is not exact.
    pub wrong: f64,
    /// So is one read off a curve that is further than this, whatever it says.
    pub rough: f64,
    /// Whether all answers are read off a curve, and have to say that they are.
    pub approximate: bool,
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
    /// Of those given as exact.
    pub largest_error: f64,
    /// Answers that were not, and the largest error of those read off a curve.
    pub inexact: usize,
    pub roughest: f64,
    /// How many rounds were for several requests.
    pub shared: usize,
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
            Law::NoWrongAnswer => {
                format!("[Answered(0.0), Estimates(at_most: 1.0), MaxAbsError({wrong:e})]")
            }
            Law::EndsOnce | Law::NoneLostWithinMargin => {
                "[NoRequestLost, Estimates(at_most: 0.0)]".to_owned()
            }
            Law::AllAnsweredAfter => format!(
                "[Answered(0.0), Estimates(at_most: 1.0), During(from: \"{}ns\", to: \"{}ns\", expect: [NoRequestLost, Estimates(at_most: 0.0)])]",
                broken.since.0,
                broken.since.0 + FOREVER.0,
            ),
            Law::AllTrustedAfter => {
                format!(
                    "[Answered(0.0), Estimates(at_most: 1.0), Healed(within: \"{}ns\")]",
                    heals_within.0
                )
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

    fn by_request(&self, law: Law, seen: impl ToString, request: RequestId, since: Time) -> Broken {
        self.broken(law, seen, format!("request {}", request.0), since)
    }

    /// Whether an answer may say this of itself: what is read off a curve is not exact, and within the margin
    /// nobody has to guess.
    fn admits(&self, worth: Worth) -> Result<(), (Law, &'static str)> {
        match worth {
            Worth::Exact if self.approximate => {
                Err((Law::NoWrongAnswer, "read off a curve and given as exact"))
            }
            Worth::Estimate if self.within_margin => {
                Err((Law::NoneLostWithinMargin, "it was only guessed"))
            }
            Worth::Exact | Worth::Approximate | Worth::Estimate => Ok(()),
        }
    }

    /// Never a wrong answer; every request ends exactly once; within the margin none is lost.
    #[expect(clippy::wildcard_enum_match_arm, reason = "a law looks at few events")]
    fn safe(&self, trace: &Trace) -> Result<Seen, Broken> {
        let mut seen = Seen::default();
        let mut open: BTreeMap<RequestId, Option<Time>> = BTreeMap::new();
        // What answers say of themselves, where they are not exact.
        let mut inexact: BTreeMap<RequestId, Worth> = BTreeMap::new();
        for record in trace {
            match &record.event {
                Event::Accepted { request } => {
                    open.insert(*request, Some(record.at));
                }
                Event::Answered { request, .. } | Event::Failed { request, .. }
                    if !matches!(open.insert(*request, None), Some(Some(_))) =>
                {
                    let place = format!("request {}", request.0);
                    return Err(self.broken(Law::EndsOnce, "ended twice", place, record.at));
                }
                Event::Gathered { took: None, .. } => seen.shared += 1,
                Event::Answered { request, worth, .. } => {
                    seen.answered += 1;
                    self.admits(*worth)
                        .map_err(|(law, seen)| self.by_request(law, seen, *request, record.at))?;
                    if !worth.is_exact() {
                        inexact.insert(*request, *worth);
                        seen.inexact += 1;
                    }
                }
                Event::Failed { request, reason, .. } => {
                    seen.failed += 1;
                    if self.within_margin {
                        let law = Law::NoneLostWithinMargin;
                        return Err(self.by_request(law, reason, *request, record.at));
                    }
                }
                Event::Judged { request, error, .. } => {
                    let (most, largest) = match inexact.get(request) {
                        None | Some(Worth::Exact) => (self.wrong, &mut seen.largest_error),
                        Some(Worth::Approximate) => (self.rough, &mut seen.roughest),
                        // Nothing is claimed of what is guessed, but that it is a number.
                        Some(Worth::Estimate) => (f64::MAX, &mut 0.0),
                    };
                    if error.is_nan() || *error > most {
                        let by = format!("wrong by {error:.1e}");
                        return Err(self.by_request(Law::NoWrongAnswer, by, *request, record.at));
                    }
                    *largest = largest.max(*error);
                }
                Event::FaultBegan { what, .. } => {
                    let kind = what.split('(').next().unwrap_or_default();
                    *seen.struck.entry(kind.to_owned()).or_default() += 1;
                }
                _ => {}
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
                    return Err(self.by_request(Law::AllAnsweredAfter, reason, *request, whole));
                }
                Event::Answered { request, worth: Worth::Estimate, .. }
                    if late.contains(request) =>
                {
                    let seen = "it was only guessed";
                    return Err(self.by_request(Law::AllAnsweredAfter, seen, *request, whole));
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
