//! What a run came to: its report with the verdict, and its trace if somebody wants it.

use std::ops::ControlFlow;

use crate::drive::{Clock, Setup, Trace};
use crate::event::Record;
use crate::maths::chance::Seed;
use crate::plan::{Expectation, FaultPlan};
use crate::units::DeviceId;
use crate::view::report::{Fold, Report};
use crate::view::verdict::{Evidence, Trial, Verdict, Watchdog};

pub(super) struct Outcome {
    pub(super) report: Report,
    /// What was kept of it.
    pub(super) trace: Trace,
}

/// What is kept of what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    Everything,
    /// What a verdict rests on. A trace of everything grows with every message.
    Evidence,
}

impl Keep {
    fn of(self, record: Record, trace: &mut Trace) {
        match self {
            Self::Everything => trace.push(record),
            Self::Evidence => trace.extend(Evidence::rests_on(&record)),
        }
    }
}

/// The run that others are measured against, as far as that needs it.
pub(super) fn twin(
    calm: &Setup,
    clock: Clock,
    seen: &mut (dyn FnMut(&Record) + Send),
) -> anyhow::Result<Trace> {
    let mut trace = Trace::new();
    calm.watched(clock, &mut |record| {
        seen(&record);
        Keep::Evidence.of(record, &mut trace);
        ControlFlow::Continue(())
    })?;
    Ok(trace)
}

/// Used when nobody says otherwise, so that two people see the same.
const DEFAULT_SEED: u64 = 1;

/// The seed asked for, or the fault plan's.
pub(super) fn seed(asked: Option<u64>, faults: Option<&FaultPlan>) -> u64 {
    asked.or(faults.and_then(|faults| faults.seed)).unwrap_or(DEFAULT_SEED)
}

/// How many requests: as asked for, or as the fault plan or the topology says.
pub(super) fn requests(
    asked: Option<usize>,
    faults: Option<&FaultPlan>,
    plan: &crate::plan::Plan,
) -> usize {
    asked.or(faults.and_then(|faults| faults.requests)).unwrap_or(plan.requests)
}

impl Outcome {
    /// Plays a fault plan and judges the run beside its twin, which is what `calm` comes to as it
    /// is. Without faults a run is its own twin.
    pub(super) fn of(
        calm: &Setup,
        faults: Option<&FaultPlan>,
        twin: Option<&Trace>,
        (clock, keep): (Clock, Keep),
        seen: &mut (dyn FnMut(&Record) + Send),
    ) -> anyhow::Result<Self> {
        let planned = faults.map_or(&[][..], |plan| &plan.faults);
        let expectations = faults.map_or(&[][..], |plan| &plan.expect);
        let aborts = faults.is_some_and(|plan| plan.abort_on_fail);
        let mut watchdog = aborts.then(|| Watchdog::new(expectations, &calm.plan));
        let mut stopped = false;
        let (mut fold, mut trace) = (Fold::default(), Trace::new());
        calm.with_faults(planned.to_vec()).watched(clock, &mut |record| {
            seen(&record);
            let go_on = watchdog.as_mut().map_or(ControlFlow::Continue(()), |dog| dog.see(&record));
            stopped = go_on.is_break();
            fold.take(&calm.plan, &record);
            keep.of(record, &mut trace);
            go_on
        })?;
        let names: Vec<(String, Vec<DeviceId>)> = planned
            .iter()
            .map(|fault| (fault.what.to_string(), fault.who.devices.clone()))
            .collect();
        let Seed(seed) = calm.seed;
        let twin = twin.map(Vec::as_slice);
        let folded = twin.map(|twin| Fold::of(&calm.plan, twin));
        let mut report = Report::of(&calm.plan, seed, &names, fold, folded.as_ref());
        report.verdict = Some(verdict(calm, &report, &trace, twin, expectations, stopped));
        Ok(Self { report, trace })
    }
}

fn verdict(
    calm: &Setup,
    report: &Report,
    trace: &[Record],
    twin: Option<&[Record]>,
    expectations: &[Expectation],
    stopped: bool,
) -> Verdict {
    let run = Evidence::of(&calm.plan, trace);
    let twin = twin.map(|twin| Evidence::of(&calm.plan, twin));
    let some_fault_never_struck = report.some_fault_never_struck();
    let twin = twin.as_ref();
    Verdict::of(&Trial { run: &run, twin, expectations, some_fault_never_struck, stopped })
}
