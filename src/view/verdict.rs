//! The verdict: each expectation of a fault plan against what was seen.

use std::fmt;

use serde::Serialize;

use super::report::Report;
use crate::plan::{Bound, Expectation};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    pub status: Status,
    pub checks: Vec<Check>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Pass,
    Fail,
    /// Everything held, but some fault never struck, so nothing was shown.
    Inconclusive,
}

/// One expectation and what was seen instead, or as well.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    pub expect: String,
    pub seen: String,
    pub holds: bool,
}

impl Verdict {
    /// Judges a report. Requests may be lost only if the plan says so: without a word about it,
    /// none may.
    pub fn of(report: &Report, twin: Option<&Report>, expectations: &[Expectation]) -> Self {
        let speaks_of_loss = |expectation: &Expectation| {
            matches!(expectation, Expectation::NoRequestLost | Expectation::FailsWith(_))
        };
        let implied =
            (!expectations.iter().any(speaks_of_loss)).then_some(&Expectation::NoRequestLost);
        let checks: Vec<Check> =
            implied.into_iter().chain(expectations).map(|e| check(e, report, twin)).collect();
        let status = if checks.iter().any(|check| !check.holds) {
            Status::Fail
        } else if report.some_fault_never_struck() {
            Status::Inconclusive
        } else {
            Status::Pass
        };
        Self { status, checks }
    }
}

fn check(expectation: &Expectation, report: &Report, twin: Option<&Report>) -> Check {
    let requests = &report.requests;
    let (expect, seen, holds) = match expectation {
        Expectation::NoRequestLost => (
            "no request lost".to_owned(),
            format!("{} of {} answered", requests.answered, requests.sent),
            requests.answered == requests.sent,
        ),
        Expectation::FailsWith(words) => {
            let told = requests.reasons.iter().filter(|(reason, _)| reason.contains(words));
            let told: usize = told.map(|(_, count)| count).sum();
            (
                format!("some requests fail, each with \"{words}\""),
                format!("{} failed, {told} of them so", requests.failed),
                requests.failed > 0 && told == requests.failed,
            )
        }
        Expectation::MaxAbsError(bound) => (
            format!("error at most {bound:.1e}"),
            report.max_abs_err.map_or("no answer".to_owned(), |error| format!("{error:.1e}")),
            report.max_abs_err.is_none_or(|error| error <= *bound),
        ),
        Expectation::Top1Equal => (
            "every answer names the whole model's class".to_owned(),
            report.top1_agreement.map_or("no answer".to_owned(), |a| format!("{:.2} %", 100.0 * a)),
            report.top1_agreement.is_none_or(|agreement| agreement == 1.0),
        ),
        Expectation::LatencyP99(bound) => p99(*bound, report, twin),
    };
    Check { expect, seen, holds }
}

fn p99(bound: Bound, report: &Report, twin: Option<&Report>) -> (String, String, bool) {
    let seen = report.latency_ms.p99;
    let (expect, most) = match bound {
        Bound::AtMost(span) => (format!("p99 at most {span}"), span.as_millis()),
        Bound::AtMostTimesTwin(factor) => {
            let twin = twin.unwrap_or(report).latency_ms.p99;
            (format!("p99 at most {factor} × the twin's {twin:.2} ms"), factor * twin)
        }
    };
    (expect, format!("{seen:.2} ms"), report.requests.answered > 0 && seen <= most)
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
