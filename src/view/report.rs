//! The report: what a run came to, as a fold of its trace and, for what faults cost, its twin's.
//!
//! The JSON keys are documented in the README and stable.

mod fold;

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

pub use fold::Fold;

use super::verdict::{Status, Verdict};
use crate::event::Record;
use crate::plan::{Percentile, Plan};
use crate::units::{DeviceId, FaultId, Span, StageId};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    pub seed: u64,
    pub requests: Requests,
    /// Right answers among those with a label; none if there are no labels.
    pub accuracy: Option<f64>,
    /// Answers that name the class the whole model names.
    pub top1_agreement: Option<f64>,
    pub max_abs_err: Option<f64>,
    pub latency_ms: Latency,
    pub stages: Vec<StageReport>,
    pub devices: Vec<DeviceReport>,
    pub faults: Vec<FaultReport>,
    pub verdict: Option<Verdict>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Requests {
    pub sent: usize,
    pub answered: usize,
    /// Of those answered: read off a curve through the results of a batch.
    pub approximate: usize,
    /// Of those answered: guessed from fewer shares than are needed.
    pub estimates: usize,
    pub failed: usize,
    /// Answered where nothing is computed: of what was answered nothing is known.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_computed: usize,
    /// Answered, but not within the policy's `answer_within`.
    pub late: usize,
    /// The different reasons of failures, and how often each was given.
    pub reasons: BTreeMap<String, usize>,
}

/// Of answered requests, in milliseconds; zero if there are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageReport {
    pub name: String,
    pub code: String,
    pub rounds: usize,
    /// Rounds in which some source was computed from others.
    pub rebuilt: usize,
    /// Rounds that were asked for again.
    pub retried: usize,
    /// Of its input, a round; weights are encoded before the run.
    pub encode_ms_mean: f64,
    pub decode_ms_mean: f64,
    pub worst_condition: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DeviceReport {
    pub name: String,
    pub tasks: usize,
    /// Replies that an answer was decoded from.
    pub used: usize,
    /// Replies that came when the round was decided.
    pub late: usize,
    /// Tasks that died with the device or on its link.
    pub lost: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FaultReport {
    pub what: String,
    pub devices: Vec<String>,
    /// When it struck; none if it never did.
    pub at_ms: Option<f64>,
    /// The requests that were in flight.
    pub hit: Vec<usize>,
    /// The most that an answer to one of those took longer than in the twin.
    pub cost_ms: Option<f64>,
    /// How much longer than in the twin answers took on average to requests that arrived while it
    /// was in force.
    pub mean_cost_ms: Option<f64>,
}

impl Report {
    /// Folds a run; `twin` is the same run without faults, if there were any. `faults` are what was
    /// planned: what each is, and the devices it is for.
    pub fn new(
        plan: &Plan,
        seed: u64,
        faults: &[(String, Vec<DeviceId>)],
        trace: &[Record],
        twin: Option<&[Record]>,
    ) -> Self {
        let twin = twin.map(|twin| Fold::of(plan, twin));
        Self::of(plan, seed, faults, Fold::of(plan, trace), twin.as_ref())
    }

    /// Like [`Self::new`], of a run that was folded while it went on.
    pub fn of(
        plan: &Plan,
        seed: u64,
        faults: &[(String, Vec<DeviceId>)],
        fold: Fold,
        twin: Option<&Fold>,
    ) -> Self {
        let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
        let stages = plan.stages.iter().enumerate();
        let faults = faults.iter().enumerate();
        Self {
            seed,
            accuracy: share(fold.right, fold.labelled),
            top1_agreement: share(fold.agreeing, fold.judged),
            max_abs_err: (fold.judged > 0).then_some(fold.max_abs_err),
            latency_ms: Latency::of(fold.lives.values().filter_map(|life| life.answered)),
            stages: stages
                .map(|(id, stage)| fold.stage(StageId(id), &stage.name, stage.code.name()))
                .collect(),
            faults: faults
                .map(|(id, (what, devices))| FaultReport {
                    what: what.clone(),
                    devices: devices.iter().map(|d| plan.devices[d.0].name.clone()).collect(),
                    ..fold.fault(FaultId(id), twin)
                })
                .collect(),
            devices: (0..plan.devices.len())
                .map(|id| {
                    let name = plan.devices[id].name.clone();
                    let seen = fold.devices.get(id).cloned();
                    DeviceReport { name, ..seen.unwrap_or_default() }
                })
                .collect(),
            requests: fold.requests,
            verdict: None,
        }
    }

    /// The verdict's; a run that nobody judged went as expected.
    pub fn status(&self) -> Status {
        self.verdict.as_ref().map_or(Status::Pass, |verdict| verdict.status)
    }

    /// Whether some planned fault never struck.
    pub fn some_fault_never_struck(&self) -> bool {
        self.faults.iter().any(|fault| fault.at_ms.is_none())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Latency {
    pub(super) fn of(latencies: impl Iterator<Item = Span>) -> Self {
        let mut histogram = Histogram::<u64>::new(3).expect("three digits are allowed");
        let mut total = 0.0;
        for latency in latencies {
            histogram.record(latency.0).expect("the histogram grows as needed");
            total += latency.as_millis();
        }
        if histogram.is_empty() {
            return Self::default();
        }
        let ms = |which: Percentile| Span(histogram.value_at_quantile(which.share())).as_millis();
        let [p50, p90, p99, p999] =
            [Percentile::P50, Percentile::P90, Percentile::P99, Percentile::P999].map(ms);
        Self { mean: total / histogram.len() as f64, p50, p90, p99, p999 }
    }

    pub(super) fn at(&self, which: Percentile) -> f64 {
        match which {
            Percentile::P50 => self.p50,
            Percentile::P90 => self.p90,
            Percentile::P99 => self.p99,
            Percentile::P999 => self.p999,
        }
    }
}
