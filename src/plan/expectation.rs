//! What a fault plan expects, faults or not: the words of the file, checked against the plan.
//!
//! How an expectation is judged is in `view/verdict`; nothing here has seen a run.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::Plan;
use super::source::{Problem, Source, To};
use crate::units::{DeviceId, Span, Time};

/// An expectation as a file says it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename = "Expectation", deny_unknown_fields)]
pub(super) enum ExpectationFile {
    NoRequestLost,
    Answered(f64),
    Estimates { at_most: f64 },
    FailsWith(String),
    MaxAbsError(f64),
    Top1Equal,
    Accuracy(f64),
    LatencyP50(Bound),
    LatencyP90(Bound),
    LatencyP99(Bound),
    LatencyP999(Bound),
    Recovery(AtMost),
    AnswersAgain(AtMost),
    Detected { who: String, within: Span },
    Suspects(Vec<String>),
    SuspectsAmong(Vec<String>),
    Margin(i64),
    Healed { within: Span },
    During { from: Time, to: Time, expect: Vec<Self> },
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename = "Bound")]
pub(super) enum AtMost {
    AtMost(Span),
}

/// Something that must hold, of the whole run or of a part of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    pub what: Expected,
    pub during: Option<Window>,
    /// The line of the file that says so.
    pub line: usize,
}

/// A part of a run: requests accepted and things happening from its first moment until before its
/// last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from: Time,
    pub to: Time,
}

/// What must hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// Every request was answered.
    NoRequestLost,
    /// At least this share of requests was answered.
    Answered(f64),
    /// At most this share of requests was answered with an estimate.
    Estimates(f64),
    /// Some request failed, and each that did gave a reason with these words in it.
    FailsWith(String),
    /// No output of an answer is further from the whole model's.
    MaxAbsError(f64),
    /// Every answer names the class that the whole model names.
    Top1Equal,
    /// At least this share of labelled answers is right.
    Accuracy(f64),
    Latency(Percentile, Bound),
    /// No request that was in flight when a fault struck took so much longer than in the twin.
    Recovery(Span),
    /// So soon after each fault some request was answered.
    AnswersAgain(Span),
    /// So soon after the first fault on it each of the devices was suspected, excluded or caught.
    Detected {
        devices: BTreeSet<DeviceId>,
        within: Span,
    },
    /// These devices, and no others, were suspected, excluded or caught.
    Suspects(BTreeSet<DeviceId>),
    /// No others than these were.
    SuspectsAmong(BTreeSet<DeviceId>),
    /// Every stage could lose so many more devices at any time.
    Margin(i64),
    /// So soon after the last fault all devices were up, held their shares and were held healthy.
    Healed(Span),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Percentile {
    P50,
    P90,
    P99,
    P999,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub enum Bound {
    AtMost(Span),
    /// So many times that of the same run without faults.
    AtMostTimesTwin(f64),
}

impl Percentile {
    /// As a share of all.
    pub fn share(self) -> f64 {
        match self {
            Self::P50 => 0.5,
            Self::P90 => 0.9,
            Self::P99 => 0.99,
            Self::P999 => 0.999,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::P999 => "p99.9",
        }
    }
}

impl Window {
    pub fn contains(self, at: Time) -> bool {
        (self.from..self.to).contains(&at)
    }
}

/// What a file expects, windows taken apart; what is wrong with it is added to the problems.
pub(super) fn checked(
    source: &Source,
    plan: &Plan,
    file: &[ExpectationFile],
    problems: &mut Vec<Problem>,
) -> Vec<Expectation> {
    let mut check = Check { source, plan, problems, found: Vec::new() };
    check.list(file, &[To::Field("expect")], None);
    check.found
}

struct Check<'c> {
    source: &'c Source,
    plan: &'c Plan,
    problems: &'c mut Vec<Problem>,
    found: Vec<Expectation>,
}

impl Check<'_> {
    fn problem(&mut self, path: &[To<'_>], message: String, fix: impl Into<String>) {
        self.problems.push(self.source.problem(path, message, fix));
    }

    fn list(&mut self, file: &[ExpectationFile], path: &[To<'_>], during: Option<Window>) {
        for (at, expectation) in file.iter().enumerate() {
            let path = [path, &[To::Item(at)]].concat();
            if let ExpectationFile::During { from, to, expect } = expectation {
                self.window(&path, Window { from: *from, to: *to }, expect, during);
            } else {
                let what = self.expected(&path, expectation);
                let line = self.source.line(&path);
                self.found.extend(what.map(|what| Expectation { what, during, line }));
            }
        }
    }

    fn window(
        &mut self,
        path: &[To<'_>],
        window: Window,
        expect: &[ExpectationFile],
        around: Option<Window>,
    ) {
        if around.is_some() {
            let message = "a During within a During".to_owned();
            self.problem(path, message, "write them beside each other");
        }
        if window.from >= window.to {
            let message = format!("nothing is from {} to {}", window.from, window.to);
            self.problem(path, message, "let it end later than it begins");
        }
        self.list(expect, &[path, &[To::Field("expect")]].concat(), Some(window));
    }

    fn expected(&mut self, path: &[To<'_>], file: &ExpectationFile) -> Option<Expected> {
        match file {
            ExpectationFile::NoRequestLost => Some(Expected::NoRequestLost),
            ExpectationFile::Answered(least) => self.share(path, *least).map(Expected::Answered),
            ExpectationFile::Estimates { at_most } => {
                let path = [path, &[To::Field("at_most")]].concat();
                self.share(&path, *at_most).map(Expected::Estimates)
            }
            ExpectationFile::FailsWith(words) => Some(Expected::FailsWith(words.clone())),
            ExpectationFile::MaxAbsError(most) => {
                self.bound(path, *most).map(Expected::MaxAbsError)
            }
            ExpectationFile::Top1Equal => Some(Expected::Top1Equal),
            ExpectationFile::Accuracy(least) => self.share(path, *least).map(Expected::Accuracy),
            ExpectationFile::LatencyP50(bound) => self.latency(path, Percentile::P50, *bound),
            ExpectationFile::LatencyP90(bound) => self.latency(path, Percentile::P90, *bound),
            ExpectationFile::LatencyP99(bound) => self.latency(path, Percentile::P99, *bound),
            ExpectationFile::LatencyP999(bound) => self.latency(path, Percentile::P999, *bound),
            ExpectationFile::Recovery(AtMost::AtMost(most)) => Some(Expected::Recovery(*most)),
            ExpectationFile::AnswersAgain(AtMost::AtMost(most)) => {
                Some(Expected::AnswersAgain(*most))
            }
            ExpectationFile::Detected { who, within } => {
                let path = [path, &[To::Field("who")]].concat();
                let devices = self.devices(&path, who)?;
                Some(Expected::Detected { devices, within: *within })
            }
            ExpectationFile::Suspects(who) => self.all_devices(path, who).map(Expected::Suspects),
            ExpectationFile::SuspectsAmong(who) => {
                self.all_devices(path, who).map(Expected::SuspectsAmong)
            }
            ExpectationFile::Margin(least) => Some(Expected::Margin(*least)),
            ExpectationFile::Healed { within } => Some(Expected::Healed(*within)),
            ExpectationFile::During { .. } => None,
        }
    }

    fn latency(&mut self, path: &[To<'_>], which: Percentile, bound: Bound) -> Option<Expected> {
        if let Bound::AtMostTimesTwin(factor) = bound {
            self.bound(path, factor)?;
        }
        Some(Expected::Latency(which, bound))
    }

    fn bound(&mut self, path: &[To<'_>], bound: f64) -> Option<f64> {
        if bound.is_finite() && bound >= 0.0 {
            return Some(bound);
        }
        self.problem(path, format!("{bound} is no bound"), "give a number that is not negative");
        None
    }

    fn share(&mut self, path: &[To<'_>], share: f64) -> Option<f64> {
        if (0.0..=1.0).contains(&share) {
            return Some(share);
        }
        self.problem(path, format!("{share} is not a share"), "give a number from 0 to 1");
        None
    }

    fn all_devices(&mut self, path: &[To<'_>], who: &[String]) -> Option<BTreeSet<DeviceId>> {
        let mut found = Some(BTreeSet::new());
        for (at, name) in who.iter().enumerate() {
            // The list stands within the parentheses of its word.
            let path = [path, &[To::Item(0), To::Item(at)]].concat();
            let devices = self.devices(&path, name);
            found = found.zip(devices).map(|(found, devices)| &found | &devices);
        }
        found
    }

    fn devices(&mut self, path: &[To<'_>], who: &str) -> Option<BTreeSet<DeviceId>> {
        let devices: BTreeSet<DeviceId> = self.plan.devices_called(who).into_iter().collect();
        if devices.is_empty() {
            let names: Vec<&str> = self.plan.devices.iter().map(|d| d.name.as_str()).collect();
            let message = format!("there is no device or tag \"{who}\"");
            self.problem(path, message, format!("name one of {}", names.join(", ")));
            return None;
        }
        Some(devices)
    }
}
