//! The fault-plan file: what goes wrong, when, to whom, and what is expected all the same.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Plan;
use super::expectation::{self, Expectation, ExpectationFile};
use super::source::{Problem, Problems, Source, To};
use super::trigger::{Trigger, TriggerFile, Who};
use crate::fault::FaultKind;
use crate::maths::delay::Refusal;
use crate::units::{DeviceId, Span, Time};

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
    /// Names, tags, or `any 2 of TAG`.
    who: String,
    what: FaultKind,
    #[serde(default)]
    lasts: Option<Span>,
    #[serde(default)]
    from: Option<Time>,
    #[serde(default)]
    until: Option<Time>,
}

/// A fault plan, checked against the plan it is for.
#[derive(Clone, Debug)]
pub struct FaultPlan {
    /// The file's name without its extension.
    pub name: String,
    pub requests: Option<usize>,
    pub seed: Option<u64>,
    pub faults: Vec<Fault>,
    /// Each fault as the file says it.
    pub written: Vec<String>,
    pub expect: Vec<Expectation>,
    /// Whether a run stops as soon as some expectation cannot be fulfilled any more.
    pub abort_on_fail: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub trigger: Trigger,
    pub who: Who,
    pub what: FaultKind,
    /// How long it lasts; for ever if nothing is said. A crash that ends is a restart.
    pub lasts: Option<Span>,
    /// From when on its trigger is looked at; from the beginning if nothing is said.
    pub from: Option<Time>,
    /// From when on it strikes no more, and is over if it is in force.
    pub until: Option<Time>,
}

impl Fault {
    /// It strikes at once, and is for good.
    pub fn from_the_start(who: Vec<DeviceId>, what: FaultKind) -> Self {
        let (trigger, who) = (Trigger::At(Time::ZERO), who.into());
        Self { trigger, who, what, lasts: None, from: None, until: None }
    }
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
        Self::from_file(&source, file, plan)
    }

    /// Like [`Self::read`], from text that could stand at `path`.
    pub fn parse(path: &Path, text: String, plan: &Plan) -> Result<Self, Problems> {
        let (source, file) = Source::parse::<FaultPlanFile>(path, text)?;
        Self::from_file(&source, file, plan)
    }

    fn from_file(source: &Source, file: FaultPlanFile, plan: &Plan) -> Result<Self, Problems> {
        let mut check = Check { source, plan, problems: Vec::new() };
        let requests = file.requests.unwrap_or(plan.requests);
        if requests == 0 {
            check.problem(&[To::Field("requests")], "no requests to run", "ask for at least 1");
        }
        let faults = file.faults.iter().enumerate();
        let faults = faults.filter_map(|(at, fault)| check.fault(at, fault, requests)).collect();
        let mut problems = check.problems;
        let expect = expectation::checked(source, plan, &file.expect, &mut problems);
        let name = source.path().file_stem();
        let name = name.map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let text = |at| source.text(&[To::Field("faults"), To::Item(at)]).to_owned();
        let written = (0..file.faults.len()).map(text).collect();
        let FaultPlanFile { requests, seed, abort_on_fail, .. } = file;
        let checked = Self { name, requests, seed, faults, written, expect, abort_on_fail };
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
        let who = Who::parse(&file.who, self.plan);
        let who = self.or_report(&field("who"), who);
        let trigger = file.at.load(self.plan, requests);
        let trigger = self.or_report(&field("at"), trigger);
        let mut what = file.what.clone();
        let loaded = what.load(&|named| self.source.text_of(named));
        self.or_report(&field("what"), loaded);
        if matches!(what, FaultKind::Corrupt(_)) && !self.plan.computes() {
            let message = "Corrupt spoils numbers, and with numerics: Skip there are none";
            self.problem(&field("what"), message, "let numerics be Full, or drop the fault");
        }
        if what == FaultKind::Restart && file.lasts.is_some() {
            let fix = "for a device that stays away a while write Crash with lasts";
            self.problem(&field("lasts"), "a Restart is over at once", fix);
        }
        if let (Some(until), Some(Trigger::At(at))) = (file.until, &trigger)
            && until <= *at
        {
            let message = format!("until {until} it cannot strike at {at}");
            self.problem(&field("until"), message, "give a later moment");
        }
        Some(Fault {
            trigger: trigger?,
            who: who?,
            what,
            lasts: file.lasts,
            from: file.from,
            until: file.until,
        })
    }

    fn or_report<T>(&mut self, path: &[To<'_>], loaded: Result<T, Refusal>) -> Option<T> {
        loaded.map_err(|refusal| self.problems.push(self.source.refusal(path, refusal))).ok()
    }
}
