//! The fault-plan file: what goes wrong, when, to whom, and what is expected all the same.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::expectation::{self, Expectation, ExpectationFile};
use super::source::{Problem, Problems, Source, To};
use super::topology::DelayFile;
use super::{Plan, build};
use crate::maths::chance::Delay;
use crate::units::{DeviceId, RequestId, Span, StageId, Time};

/// A whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename = "FaultPlan", deny_unknown_fields)]
struct FaultPlanFile {
    topology: String,
    #[serde(default)]
    requests: Option<usize>,
    #[serde(default)]
    seed: Option<u64>,
    #[serde(default)]
    faults: Vec<FaultFile>,
    #[serde(default)]
    expect: Vec<ExpectationFile>,
    #[serde(default)]
    abort_on_fail: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename = "Fault", deny_unknown_fields)]
struct FaultFile {
    at: TriggerFile,
    /// A device's name, or a tag.
    who: String,
    what: FaultKindFile,
    #[serde(default)]
    lasts: Option<Span>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename = "Trigger", deny_unknown_fields)]
enum TriggerFile {
    At(Time),
    AtStage { request: usize, stage: String, phase: Phase },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename = "FaultKind", deny_unknown_fields)]
enum FaultKindFile {
    Crash,
    Restart,
    Slow { by: f64 },
    Delay(DelayFile),
    Drop { probability: f64 },
}

/// A fault plan, checked against the plan it is for.
#[derive(Clone, Debug)]
pub struct FaultPlan {
    /// The file's name without its extension.
    pub name: String,
    pub requests: Option<usize>,
    pub seed: Option<u64>,
    pub faults: Vec<Fault>,
    pub expect: Vec<Expectation>,
    /// Whether a run stops as soon as some expectation cannot be fulfilled any more.
    pub abort_on_fail: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub trigger: Trigger,
    pub who: Vec<DeviceId>,
    pub what: FaultKind,
    /// How long it lasts; for ever if nothing is said. A crash that ends is a restart.
    pub lasts: Option<Span>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    At(Time),
    AtStage { request: RequestId, stage: StageId, phase: Phase },
}

/// A moment of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Phase {
    /// Its tasks have been sent.
    Scattered,
    /// A reply came in.
    FirstReply,
    /// Enough replies are in, and decoding begins.
    Decoding,
}

/// A misfortune.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// The device is gone, with its memory.
    Crash,
    /// The device goes down and comes back at once, empty; its shares are deployed again.
    Restart,
    /// Its jobs take so many times as long.
    Slow { by: f64 },
    /// Its messages, both ways, take so much longer.
    Delay(Delay),
    /// Each of its messages, both ways, is lost with this probability.
    Drop { probability: f64 },
}

impl FaultPlan {
    /// The topology that a fault-plan file is for.
    pub fn topology_of(path: &Path) -> Result<PathBuf, Problems> {
        let (source, file) = Source::read::<FaultPlanFile>(path)?;
        Ok(source.resolve(&file.topology))
    }

    /// Reads a fault plan and checks it against the plan of its topology.
    pub fn read(path: &Path, plan: &Plan) -> Result<Self, Problems> {
        let (source, file) = Source::read::<FaultPlanFile>(path)?;
        let mut check = Check { source: &source, plan, problems: Vec::new() };
        let requests = file.requests.unwrap_or(plan.requests);
        if requests == 0 {
            check.problem(&[To::Field("requests")], "no requests to run", "ask for at least 1");
        }
        let faults = file.faults.iter().enumerate();
        let faults = faults.filter_map(|(at, fault)| check.fault(at, fault, requests)).collect();
        let mut problems = check.problems;
        let expect = expectation::checked(&source, plan, &file.expect, &mut problems);
        let name = path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
        let FaultPlanFile { requests, seed, abort_on_fail, .. } = file;
        let checked = Self { name, requests, seed, faults, expect, abort_on_fail };
        source.verdict(Some(checked), problems)
    }
}

struct Check<'c> {
    source: &'c Source,
    plan: &'c Plan,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn problem(&mut self, path: &[To<'_>], message: impl Into<String>, fix: impl Into<String>) {
        self.problems.push(self.source.problem(path, message.into(), fix));
    }

    fn fault(&mut self, at: usize, file: &FaultFile, requests: usize) -> Option<Fault> {
        let field = |name| [To::Field("faults"), To::Item(at), To::Field(name)];
        let who = self.plan.devices_called(&file.who);
        if who.is_empty() {
            let names: Vec<&str> = self.plan.devices.iter().map(|d| d.name.as_str()).collect();
            let message = format!("there is no device or tag \"{}\"", file.who);
            self.problem(&field("who"), message, format!("name one of {}", names.join(", ")));
        }
        let trigger = match &file.at {
            TriggerFile::At(at) => Some(Trigger::At(*at)),
            TriggerFile::AtStage { request, stage, phase } => {
                if *request >= requests {
                    let message = format!("request {request} is never sent: there are {requests}");
                    self.problem(&field("at"), message, "requests count from 0");
                }
                let found = self.plan.stage(stage);
                if found.is_none() {
                    let names: Vec<&str> =
                        self.plan.stages.iter().map(|s| s.name.as_str()).collect();
                    let message = format!("there is no stage \"{stage}\"");
                    self.problem(
                        &field("at"),
                        message,
                        format!("name one of {}", names.join(", ")),
                    );
                }
                let request = RequestId(*request);
                found.map(|stage| Trigger::AtStage { request, stage, phase: *phase })
            }
        };
        let what = self.kind(&field("what"), &file.what);
        if matches!(what, Some(FaultKind::Restart)) && file.lasts.is_some() {
            let fix = "for a device that stays away a while write Crash with lasts";
            self.problem(&field("lasts"), "a Restart is over at once", fix);
        }
        Some(Fault { trigger: trigger?, who, what: what?, lasts: file.lasts })
    }

    fn kind(&mut self, path: &[To<'_>], file: &FaultKindFile) -> Option<FaultKind> {
        match file {
            FaultKindFile::Crash => Some(FaultKind::Crash),
            FaultKindFile::Restart => Some(FaultKind::Restart),
            FaultKindFile::Slow { by } => {
                if !(by.is_finite() && *by >= 1.0) {
                    let message = format!("slow by {by} is not slow");
                    self.problem(path, message, "give a factor of at least 1");
                }
                Some(FaultKind::Slow { by: *by })
            }
            FaultKindFile::Drop { probability } => {
                if !(0.0..=1.0).contains(probability) {
                    let message = format!("{probability} is not a probability");
                    self.problem(path, message, "give a number from 0 to 1");
                }
                Some(FaultKind::Drop { probability: *probability })
            }
            FaultKindFile::Delay(delay) => {
                build::delay(self.source, path, delay, &mut self.problems).map(FaultKind::Delay)
            }
        }
    }
}
