//! What several tests need: the shipped files, and runs of them.
#![allow(dead_code, reason = "each test uses a part of this")]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kofn::drive::{Clock, Setup, Trace};
use kofn::event::{Event, Worth};
use kofn::fault::FaultKind;
use kofn::maths::chance::Seed;
use kofn::plan::{Fault, FaultPlan, Plan};
use kofn::units::{DeviceId, RequestId};

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn topology(name: &str) -> PathBuf {
    root().join(format!("topologies/{name}.ron"))
}

pub(crate) fn plan(name: &str) -> Arc<Plan> {
    Arc::new(Plan::read(&topology(name)).unwrap_or_else(|problems| panic!("{problems}")))
}

/// A shipped topology with some words changed; every one must be in it.
pub(crate) fn changed(name: &str, changes: &[(&str, &str)]) -> Arc<Plan> {
    let path = topology(name);
    let mut text = std::fs::read_to_string(&path).expect("a shipped topology");
    for (from, to) in changes {
        assert!(text.contains(from), "{from} is in {name}");
        text = text.replace(from, to);
    }
    Arc::new(Plan::parse(&path, text).unwrap_or_else(|problems| panic!("{problems}")))
}

/// So many requests, with faults as a fault plan writes them.
pub(crate) fn run(plan: &Arc<Plan>, requests: usize, faults: &str) -> Trace {
    let text = format!("FaultPlan(topology: \"-\", faults: [{faults}], expect: [])");
    let faults = FaultPlan::parse(Path::new("drawn"), text, plan);
    let faults = faults.unwrap_or_else(|problems| panic!("{problems}"));
    simulate(&setup(plan, requests).with_faults(faults.faults))
}

/// How many answers are worth that.
pub(crate) fn of_worth(trace: &Trace, what: Worth) -> usize {
    count(trace, |event| matches!(event, Event::Answered { worth, .. } if *worth == what))
}

/// How many answers name the whole model's class.
pub(crate) fn agreeing(trace: &Trace) -> usize {
    answers(trace).iter().filter(|(_, _, top1, whole)| top1 == whole).count()
}

pub(crate) fn failed(trace: &Trace) -> usize {
    count(trace, |event| matches!(event, Event::Failed { .. }))
}

pub(crate) fn fault_plan(path: &Path) -> (Arc<Plan>, FaultPlan) {
    let topology = FaultPlan::topology_of(path).unwrap_or_else(|problems| panic!("{problems}"));
    let plan = Arc::new(Plan::read(&topology).unwrap_or_else(|problems| panic!("{problems}")));
    let faults = FaultPlan::read(path, &plan).unwrap_or_else(|problems| panic!("{problems}"));
    (plan, faults)
}

pub(crate) fn setup(plan: &Arc<Plan>, requests: usize) -> Setup {
    Setup::new(plan.clone(), requests, Seed(1)).expect("the whole model runs")
}

pub(crate) fn simulate(setup: &Setup) -> Trace {
    setup.run(Clock::Virtual, &mut |_| ControlFlow::Continue(())).expect("the simulation ends")
}

/// A device that is gone from the start.
pub(crate) fn dead_from_the_start(device: usize) -> Fault {
    Fault::from_the_start(vec![DeviceId(device)], FaultKind::Crash)
}

/// For each answered request: its error, its class and the whole model's.
pub(crate) fn answers(trace: &Trace) -> Vec<(RequestId, f64, usize, usize)> {
    let mut judged = Vec::new();
    for record in trace {
        if let Event::Judged { request, error, top1, top1_of_whole, .. } = &record.event {
            judged.push((*request, *error, *top1, *top1_of_whole));
        }
    }
    judged.sort_by_key(|(request, ..)| *request);
    judged
}

pub(crate) fn count(trace: &Trace, what: impl Fn(&Event) -> bool) -> usize {
    trace.iter().filter(|record| what(&record.event)).count()
}
