//! The fold of a trace that a report is made of.

use std::collections::{BTreeMap, BTreeSet};

use super::{DeviceReport, FaultReport, Requests, StageReport};
use crate::event::{Event, Record, Worth};
use crate::plan::Plan;
use crate::units::{DeviceId, FaultId, RequestId, Span, StageId, Time};

/// The fold of a trace. What it keeps grows with requests and devices, not with what happens.
#[derive(Debug, Default)]
pub struct Fold {
    pub(super) requests: Requests,
    pub(super) judged: usize,
    pub(super) labelled: usize,
    pub(super) right: usize,
    pub(super) agreeing: usize,
    pub(super) max_abs_err: f64,
    pub(super) lives: BTreeMap<RequestId, Life>,
    stages: BTreeMap<StageId, StageFold>,
    /// By device, without their names.
    pub(super) devices: Vec<DeviceReport>,
    /// The undecided rounds.
    rounds: BTreeMap<(RequestId, StageId), Vec<Asked>>,
    faults: BTreeMap<FaultId, FaultFold>,
}

/// Who was last asked for a share of a round, and whether it has not replied. Small: there may be thousands.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    device: Option<u32>,
    is_open: bool,
}

impl Asked {
    fn device(self) -> Option<DeviceId> {
        self.device.map(|device| DeviceId(device as usize))
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    accepted: Time,
    /// The latency, if it was answered.
    pub(super) answered: Option<Span>,
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

impl Fold {
    pub fn of(plan: &Plan, trace: &[Record]) -> Self {
        let mut fold = Self::default();
        for record in trace {
            fold.take(plan, record);
        }
        fold
    }

    /// Takes in what happened next.
    pub fn take(&mut self, plan: &Plan, Record { at, event }: &Record) {
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
            Event::NotComputed { .. } => self.requests.not_computed += 1,
            Event::Scattered { request, stage, attempt, asked } => {
                self.stages.entry(*stage).or_default().retried += usize::from(*attempt == 1);
                asked.iter().for_each(|(_, device)| self.device(*device).tasks += 1);
                let round = self.rounds.entry((*request, *stage)).or_default();
                for (share, device) in asked {
                    if round.len() <= *share {
                        round.resize(*share + 1, Asked::default());
                    }
                    round[*share] = Asked { device: Some(device.0 as u32), is_open: true };
                }
            }
            Event::Arrived { request, stage, share, .. }
            | Event::Refused { request, stage, share, .. }
            | Event::Skipped { request, stage, share, .. } => {
                self.close(*request, *stage, *share);
            }
            Event::Late { request, stage, share, device } => {
                self.close(*request, *stage, *share);
                self.device(*device).late += 1;
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
                let round = self.rounds.remove(&(*request, *stage)).unwrap_or_default();
                for device in used.iter().filter_map(|share| round.get(*share)?.device()) {
                    self.device(device).used += 1;
                }
            }
            Event::Died { device, .. } => {
                let asked = self.rounds.values_mut().flatten();
                let died = asked.filter(|asked| asked.is_open && asked.device() == Some(*device));
                let held = died.map(|asked| asked.is_open = false).count();
                self.device(*device).lost += held;
            }
            Event::Lost { device, what: "task" | "reply", .. } => {
                self.device(*device).lost += 1;
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
        let whole = (request, StageId(0))..=(request, StageId(usize::MAX));
        self.rounds.extract_if(whole, |_, _| true).for_each(drop);
    }

    fn device(&mut self, DeviceId(device): DeviceId) -> &mut DeviceReport {
        if self.devices.len() <= device {
            self.devices.resize_with(device + 1, DeviceReport::default);
        }
        &mut self.devices[device]
    }

    /// A share's device has replied.
    fn close(&mut self, request: RequestId, stage: StageId, share: usize) {
        let round = self.rounds.get_mut(&(request, stage));
        if let Some(asked) = round.and_then(|round| round.get_mut(share)) {
            asked.is_open = false;
        }
    }

    pub(super) fn stage(&self, id: StageId, name: &str, code: String) -> StageReport {
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

    pub(super) fn fault(&self, id: FaultId, twin: Option<&Self>) -> FaultReport {
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
