//! The report: what a run came to, as a fold of its trace and, for what faults cost, its twin's.
//!
//! The JSON keys are documented in the README and stable.

use std::collections::{BTreeMap, BTreeSet};

use hdrhistogram::Histogram;
use serde::Serialize;

use super::verdict::{Status, Verdict};
use crate::event::{Event, Record, Worth};
use crate::plan::{Percentile, Plan};
use crate::units::{DeviceId, FaultId, RequestId, Span, StageId, Time};

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

/// The fold of a trace.
#[derive(Debug, Default)]
struct Fold {
    requests: Requests,
    judged: usize,
    labelled: usize,
    right: usize,
    agreeing: usize,
    max_abs_err: f64,
    lives: BTreeMap<RequestId, Life>,
    stages: BTreeMap<StageId, StageFold>,
    devices: BTreeMap<DeviceId, DeviceReport>,
    /// Who was last asked for a share, while its round is undecided and it has not replied.
    open: BTreeMap<(RequestId, StageId, usize), DeviceId>,
    asked: BTreeMap<(RequestId, StageId, usize), DeviceId>,
    faults: BTreeMap<FaultId, FaultFold>,
}

#[derive(Clone, Copy, Debug)]
struct Life {
    accepted: Time,
    /// The latency, if it was answered.
    answered: Option<Span>,
    ended: bool,
}

#[derive(Debug, Default)]
struct StageFold {
    rounds: usize,
    rebuilt: usize,
    retried: usize,
    encode: Span,
    decode: Span,
    worst_condition: f64,
}

#[derive(Debug)]
struct FaultFold {
    began: Time,
    ended: Option<Time>,
    hit: BTreeSet<RequestId>,
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
        let fold = Fold::of(plan, trace);
        let twin = twin.map(|twin| Fold::of(plan, twin));
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
                    ..fold.fault(FaultId(id), twin.as_ref())
                })
                .collect(),
            devices: (0..plan.devices.len())
                .map(|id| {
                    let name = plan.devices[id].name.clone();
                    let seen = fold.devices.get(&DeviceId(id)).cloned();
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

impl Fold {
    fn of(plan: &Plan, trace: &[Record]) -> Self {
        let mut fold = Self::default();
        for record in trace {
            fold.take(plan, record);
        }
        fold
    }

    fn take(&mut self, plan: &Plan, Record { at, event }: &Record) {
        match event {
            Event::Accepted { request } => {
                self.requests.sent += 1;
                let life = Life { accepted: *at, answered: None, ended: false };
                self.lives.insert(*request, life);
            }
            Event::Answered { request, latency, worth } => {
                self.requests.answered += 1;
                self.requests.approximate += usize::from(*worth == Worth::Approximate);
                self.requests.estimates += usize::from(*worth == Worth::Estimate);
                let late = plan.policy.answer_within.is_some_and(|within| *latency > within);
                self.requests.late += usize::from(late);
                self.end(*request, Some(*latency));
            }
            Event::Failed { request, reason, .. } => {
                self.requests.failed += 1;
                *self.requests.reasons.entry(reason.clone()).or_default() += 1;
                self.end(*request, None);
            }
            Event::Judged { error, top1, top1_of_whole, label, .. } => {
                self.judged += 1;
                self.max_abs_err = self.max_abs_err.max(*error);
                self.agreeing += usize::from(top1 == top1_of_whole);
                self.labelled += usize::from(label.is_some());
                self.right += usize::from(*label == Some(*top1));
            }
            Event::Scattered { request, stage, attempt, asked } => {
                self.stages.entry(*stage).or_default().retried += usize::from(*attempt == 1);
                for (share, device) in asked {
                    self.devices.entry(*device).or_default().tasks += 1;
                    self.open.insert((*request, *stage, *share), *device);
                    self.asked.insert((*request, *stage, *share), *device);
                }
            }
            Event::Arrived { request, stage, share, .. }
            | Event::Refused { request, stage, share, .. }
            | Event::Skipped { request, stage, share, .. } => {
                self.open.remove(&(*request, *stage, *share));
            }
            Event::Late { request, stage, share, device } => {
                self.open.remove(&(*request, *stage, *share));
                self.devices.entry(*device).or_default().late += 1;
            }
            Event::Encoded { stage, took, .. } => {
                self.stages.entry(*stage).or_default().encode += *took;
            }
            Event::Decoded { request, stage, used, rebuilt, condition, took, worth } => {
                let seen = self.stages.entry(*stage).or_default();
                seen.rounds += 1;
                let guessed = *worth == Worth::Estimate;
                seen.rebuilt += usize::from(!rebuilt.is_empty() && !guessed);
                seen.decode += *took;
                seen.worst_condition = seen.worst_condition.max(*condition);
                for share in used {
                    let device = self.asked[&(*request, *stage, *share)];
                    self.devices.entry(device).or_default().used += 1;
                }
                self.forget_round(*request, *stage);
            }
            Event::Died { device, .. } => {
                let held = self.open.extract_if(.., |_, asked| asked == device).count();
                self.devices.entry(*device).or_default().lost += held;
            }
            Event::Lost { device, what: "task" | "reply", .. } => {
                self.devices.entry(*device).or_default().lost += 1;
            }
            Event::FaultBegan { fault, .. } => {
                let flying = self.lives.iter().filter(|(_, life)| !life.ended);
                let hit = flying.map(|(request, _)| *request).collect();
                self.faults.entry(*fault).or_insert(FaultFold { began: *at, ended: None, hit });
            }
            Event::FaultEnded { fault, .. } => {
                if let Some(fault) = self.faults.get_mut(fault) {
                    fault.ended = Some(*at);
                }
            }
            Event::Gathered { .. }
            | Event::Started { .. }
            | Event::Enough { .. }
            | Event::DeadlinePassed { .. }
            | Event::LocalRan { .. }
            | Event::Deployed { .. }
            | Event::Judgement { .. }
            | Event::Caught { .. }
            | Event::Doubted { .. }
            | Event::MarginChanged { .. }
            | Event::Lost { .. } => {}
        }
    }

    fn end(&mut self, request: RequestId, answered: Option<Span>) {
        if let Some(life) = self.lives.get_mut(&request) {
            *life = Life { answered, ended: true, ..*life };
        }
        let whole = (request, StageId(0), 0)..=(request, StageId(usize::MAX), usize::MAX);
        self.open.extract_if(whole.clone(), |_, _| true).for_each(drop);
        self.asked.extract_if(whole, |_, _| true).for_each(drop);
    }

    fn forget_round(&mut self, request: RequestId, stage: StageId) {
        let round = (request, stage, 0)..=(request, stage, usize::MAX);
        self.open.extract_if(round, |_, _| true).for_each(drop);
    }

    fn stage(&self, id: StageId, name: &str, code: String) -> StageReport {
        let none = StageFold::default();
        let seen = self.stages.get(&id).unwrap_or(&none);
        StageReport {
            name: name.to_owned(),
            code,
            rounds: seen.rounds,
            rebuilt: seen.rebuilt,
            retried: seen.retried,
            encode_ms_mean: seen.encode.as_millis() / seen.rounds.max(1) as f64,
            decode_ms_mean: seen.decode.as_millis() / seen.rounds.max(1) as f64,
            worst_condition: seen.worst_condition,
        }
    }

    fn fault(&self, id: FaultId, twin: Option<&Self>) -> FaultReport {
        let struck = self.faults.get(&id);
        let cost = |request: &RequestId| {
            let here = self.lives.get(request)?.answered?;
            let there = twin?.lives.get(request)?.answered?;
            Some(here.as_millis() - there.as_millis())
        };
        let costs: Vec<f64> =
            struck.iter().flat_map(|fault| fault.hit.iter()).filter_map(cost).collect();
        let during: Vec<f64> = struck
            .iter()
            .flat_map(|fault| {
                let lasts = |life: &Life| {
                    life.accepted >= fault.began
                        && fault.ended.is_none_or(|end| life.accepted < end)
                };
                self.lives.iter().filter(move |(_, life)| lasts(life)).map(|(request, _)| request)
            })
            .filter_map(cost)
            .collect();
        FaultReport {
            what: String::new(),
            devices: Vec::new(),
            at_ms: struck.map(|fault| fault.began.as_millis()),
            hit: struck.iter().flat_map(|f| f.hit.iter()).map(|request| request.0).collect(),
            cost_ms: costs.into_iter().reduce(f64::max),
            mean_cost_ms: (!during.is_empty())
                .then(|| during.iter().sum::<f64>() / during.len() as f64),
        }
    }
}
