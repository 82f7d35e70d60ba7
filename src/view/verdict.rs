//! The verdict: each expectation of a fault plan against what was seen.
//!
//! One file a group of expectations; each gives a `Finding`: what was seen, and if the expectation
//! is broken where and since when.

mod answers;
mod devices;
mod evidence;
mod loss;
mod times;
mod watchdog;

use std::fmt;

use serde::Serialize;

pub use evidence::Evidence;
pub use watchdog::Watchdog;
use watchdog::is_final;

use crate::plan::{Below, Expectation, Expected, Plan, Window};
use crate::units::Time;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    pub status: Status,
    pub checks: Vec<Check>,
    /// When the run was stopped because it could only fail; nothing else was judged then.
    pub aborted_at_ms: Option<f64>,
}

/// From best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Pass,
    /// Everything held, but some fault never struck, or some expectation could not be judged, so
    /// nothing was shown.
    Inconclusive,
    Fail,
}

/// One expectation and what was seen instead, or as well.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    pub expect: String,
    pub seen: String,
    pub holds: bool,
    /// If it does not hold: whether all that is so is that nobody can tell.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
    /// If it does not hold: the request, stage or device that broke it.
    pub place: Option<String>,
    /// If it does not hold: since when.
    pub since_ms: Option<f64>,
    /// The line of the fault plan that expects it.
    pub line: usize,
}

/// What a verdict is given on.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'t> {
    pub run: &'t Evidence<'t>,
    /// The same run without faults; the run itself if there were none.
    pub twin: Option<&'t Evidence<'t>>,
    pub expectations: &'t [Expectation],
    pub some_fault_never_struck: bool,
    /// Whether a [`Watchdog`] stopped the run.
    pub stopped: bool,
}

/// What was seen of an expectation, and what broke it, if it is broken.
#[derive(Clone, Debug, PartialEq)]
struct Finding {
    seen: String,
    broken: Option<Broken>,
    /// Whether nobody can tell.
    unknown: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Broken {
    place: String,
    since: Time,
}

/// What an expectation is held against: the run, its twin, and the part that counts.
#[derive(Clone, Copy, Debug)]
struct Scene<'s> {
    run: &'s Evidence<'s>,
    twin: &'s Evidence<'s>,
    during: Option<Window>,
    some_fault_never_struck: bool,
}

impl Verdict {
    pub fn of(trial: &Trial<'_>) -> Self {
        let all = with_implied(trial.expectations, trial.run.plan);
        let mut checks: Vec<Check> = all.iter().map(|e| check(e, trial)).collect();
        if trial.stopped {
            // What was not at an end cannot be judged, except for what is broken for good.
            let mut final_too = all.iter().map(|expectation| is_final(&expectation.what));
            checks.retain(|check| final_too.next() == Some(true) && check.is_broken());
        }
        let status = if trial.stopped || checks.iter().any(Check::is_broken) {
            Status::Fail
        } else if trial.some_fault_never_struck || checks.iter().any(|check| check.unknown) {
            Status::Inconclusive
        } else {
            Status::Pass
        };
        let aborted_at_ms = trial.stopped.then(|| trial.run.end().as_millis());
        Self { status, checks, aborted_at_ms }
    }
}

/// Requests may be lost only if the plan says so: without a word about it, none may. Nor may answers be
/// estimates, where the topology lets them be, unless the plan does so too.
fn with_implied(expectations: &[Expectation], plan: &Plan) -> Vec<Expectation> {
    let speaks_of_loss = |expectation: &Expectation| {
        let allows = matches!(expectation.what, Expected::Answered(_) | Expected::FailsWith(_));
        allows || (expectation.what == Expected::NoRequestLost && expectation.during.is_none())
    };
    let implied = Expectation { what: Expected::NoRequestLost, during: None, line: 1 };
    let implied = (!expectations.iter().any(speaks_of_loss)).then_some(implied);
    let speaks_of_estimates = |expectation: &Expectation| {
        matches!(expectation.what, Expected::Estimates(_)) && expectation.during.is_none()
    };
    let none = Expectation { what: Expected::Estimates(0.0), during: None, line: 1 };
    let may_be = plan.stages.iter().any(|stage| stage.below == Below::Estimate);
    let none = (may_be && !expectations.iter().any(speaks_of_estimates)).then_some(none);
    implied.into_iter().chain(none).chain(expectations.iter().cloned()).collect()
}

fn check(expectation: &Expectation, trial: &Trial<'_>) -> Check {
    let Expectation { what, during, line } = expectation;
    let (run, twin) = (trial.run, trial.twin.unwrap_or(trial.run));
    let some_fault_never_struck = trial.some_fault_never_struck;
    let scene = Scene { run, twin, during: *during, some_fault_never_struck };
    let (expect, Finding { seen, broken, unknown }) = finding(what, &scene);
    let when = during.map_or(String::new(), |w| format!(" from {} to {}", w.from, w.to));
    Check {
        expect: expect + &when,
        seen,
        holds: broken.is_none() && !unknown,
        unknown,
        since_ms: broken.as_ref().map(|broken| broken.since.as_millis()),
        place: broken.map(|broken| broken.place),
        line: *line,
    }
}

/// What is expected, in words, and what was found.
fn finding(expected: &Expected, scene: &Scene<'_>) -> (String, Finding) {
    match expected {
        Expected::NoRequestLost => loss::none(scene),
        Expected::Answered(least) => loss::answered(*least, scene),
        Expected::Estimates(most) => loss::estimates(*most, scene),
        Expected::FailsWith(words) => loss::fails_with(words, scene),
        Expected::MaxAbsError(most) => answers::max_abs_error(*most, scene),
        Expected::Top1Equal => answers::top1_equal(scene),
        Expected::Accuracy(least) => answers::accuracy(*least, scene),
        Expected::Latency(which, bound) => times::latency(*which, *bound, scene),
        Expected::Recovery(most) => times::recovery(*most, scene),
        Expected::AnswersAgain(most) => times::answers_again(*most, scene),
        Expected::Detected { devices, within } => devices::detected(devices, *within, scene),
        Expected::Suspects(who) => devices::suspects(who, scene),
        Expected::SuspectsAmong(who) => devices::suspects_among(who, scene),
        Expected::Margin(least) => devices::margin(*least, scene),
        Expected::Healed(within) => devices::healed(*within, scene),
    }
}

impl Finding {
    fn holds(seen: impl Into<String>) -> Self {
        Self { seen: seen.into(), broken: None, unknown: false }
    }

    fn broken(seen: impl Into<String>, place: impl Into<String>, since: Time) -> Self {
        let broken = Some(Broken { place: place.into(), since });
        Self { seen: seen.into(), broken, unknown: false }
    }

    /// Nobody can tell, and why.
    fn unknown(why: impl Into<String>) -> Self {
        Self { seen: why.into(), broken: None, unknown: true }
    }
}

impl Scene<'_> {
    fn contains(&self, at: Time) -> bool {
        self.during.is_none_or(|window| window.contains(at))
    }

    /// Where the part that counts begins.
    fn start(&self) -> Time {
        self.during.map_or(Time::ZERO, |window| window.from)
    }

    /// What an expectation about faults finds if there were none. If one was planned that never
    /// struck, that is said of the whole run; else the expectation is about nothing.
    fn no_fault(&self, seen: String) -> Finding {
        if self.some_fault_never_struck {
            return Finding::holds(seen);
        }
        Finding::broken(seen, "whole run", self.start())
    }
}

impl Check {
    /// Whether something else was seen than was expected.
    pub fn is_broken(&self) -> bool {
        !self.holds && !self.unknown
    }
}

impl fmt::Display for Check {
    /// `expected: seen; where, since when`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.expect, self.seen)?;
        let (Some(place), Some(since)) = (&self.place, self.since_ms) else { return Ok(()) };
        write!(f, "; {place}, since {since:.3} ms")
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Inconclusive => "INCONCLUSIVE",
        })
    }
}
