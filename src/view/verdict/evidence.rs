//! What expectations are held against: a trace, and the lives of its requests.

use std::collections::BTreeMap;

use super::Scene;
use crate::event::{Event, Record, Worth};
use crate::plan::Plan;
use crate::units::{DeviceId, RequestId, Span, StageId, Time};

/// A trace, with what several expectations ask of it already gathered.
#[derive(Clone, Debug)]
pub struct Evidence<'t> {
    pub(super) plan: &'t Plan,
    pub(super) trace: &'t [Record],
    pub(super) lives: BTreeMap<RequestId, Life>,
}

/// A request from its acceptance to its end.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) accepted: Time,
    pub(super) end: Option<(Time, End)>,
    /// What its answer is worth.
    pub(super) worth: Worth,
    pub(super) judged: Option<Judged>,
    /// Its longest round.
    pub(super) longest: Option<(StageId, Span)>,
    /// The round it is in, and since when; if it failed, the one it failed in.
    pub(super) round: Option<(StageId, Time)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum End {
    Answered(Span),
    Failed(String),
}

/// An answer beside the whole model's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Judged {
    pub(super) at: Time,
    pub(super) error: f64,
    pub(super) top1: usize,
    pub(super) top1_of_whole: usize,
    pub(super) label: Option<usize>,
}

impl<'t> Evidence<'t> {
    pub fn of(plan: &'t Plan, trace: &'t [Record]) -> Self {
        let (mut lives, mut batches) = (BTreeMap::new(), Batches::new());
        for record in trace {
            take(&mut lives, record);
            share(&mut lives, &mut batches, record);
        }
        Self { plan, trace, lives }
    }

    /// What evidence rests on of a record; none if it needs nothing of it. In a fleet of thousands nearly
    /// everything that happens is about one share.
    pub fn rests_on(record: &Record) -> Option<Record> {
        let event = match &record.event {
            Event::Encoded { .. }
            | Event::Started { .. }
            | Event::Arrived { .. }
            | Event::Late { .. }
            | Event::Skipped { .. }
            | Event::Refused { .. }
            | Event::Enough { .. }
            | Event::DeadlinePassed { .. }
            | Event::LocalRan { .. }
            | Event::Lost { .. }
            | Event::Doubted { .. } => return None,
            Event::Scattered { request, stage, attempt, .. } => Event::Scattered {
                request: *request,
                stage: *stage,
                attempt: *attempt,
                asked: Vec::new(),
            },
            Event::Decoded { request, stage, condition, took, worth, .. } => Event::Decoded {
                request: *request,
                stage: *stage,
                used: Vec::new(),
                rebuilt: Vec::new(),
                condition: *condition,
                took: *took,
                worth: *worth,
            },
            Event::Accepted { .. }
            | Event::Gathered { .. }
            | Event::Answered { .. }
            | Event::Failed { .. }
            | Event::Judged { .. }
            | Event::NotComputed { .. }
            | Event::Deployed { .. }
            | Event::FaultBegan { .. }
            | Event::FaultEnded { .. }
            | Event::Died { .. }
            | Event::Judgement { .. }
            | Event::Caught { .. }
            | Event::MarginChanged { .. } => record.event.clone(),
        };
        Some(Record { at: record.at, event })
    }

    /// The moment of the last thing seen.
    pub(super) fn end(&self) -> Time {
        self.trace.last().map_or(Time::ZERO, |record| record.at)
    }

    pub(super) fn device(&self, device: DeviceId) -> &str {
        &self.plan.devices[device.0].name
    }

    pub(super) fn stage(&self, stage: StageId) -> &str {
        &self.plan.stages[stage.0].name
    }
}

fn take(lives: &mut BTreeMap<RequestId, Life>, Record { at, event }: &Record) {
    if let Event::Accepted { request } = event {
        let worth = Worth::Exact;
        let none =
            Life { accepted: *at, end: None, worth, judged: None, longest: None, round: None };
        lives.insert(*request, none);
    } else if let Some(life) = event.request().and_then(|request| lives.get_mut(&request)) {
        life.take(*at, event);
    }
}

/// Who is in the batch of a stage that is told under the name of its first request.
type Batches = BTreeMap<(RequestId, StageId), Vec<RequestId>>;

/// What is told of the first request of a batch and is true of the others.
fn share(
    lives: &mut BTreeMap<RequestId, Life>,
    batches: &mut Batches,
    Record { at, event }: &Record,
) {
    if let Event::Gathered { request, stage, requests, .. } = event {
        for other in requests {
            lives.entry(*other).and_modify(|life| life.round = Some((*stage, *at)));
        }
        batches.insert((*request, *stage), requests.clone());
    } else if let Event::Decoded { request, stage, .. } = event {
        for other in batches.remove(&(*request, *stage)).unwrap_or_default() {
            lives.entry(other).and_modify(|life| {
                life.leave_round(*at);
                life.round = None;
            });
        }
    }
}

impl Life {
    fn take(&mut self, at: Time, event: &Event) {
        if let Event::Scattered { stage, attempt: 0, .. } = event {
            // More may be asked in a round that goes on.
            let began = self.round.filter(|(here, _)| here == stage);
            self.round = began.or(Some((*stage, at)));
        } else if let Event::Decoded { .. } = event {
            self.leave_round(at);
            self.round = None;
        } else if let Event::Answered { latency, worth, .. } = event {
            self.worth = *worth;
            self.end = Some((at, End::Answered(*latency)));
        } else if let Event::Failed { reason, .. } = event {
            self.leave_round(at);
            self.end = Some((at, End::Failed(reason.clone())));
        } else if let Event::Judged { error, top1, top1_of_whole, label, .. } = event {
            let (error, top1, top1_of_whole, label) = (*error, *top1, *top1_of_whole, *label);
            self.judged = Some(Judged { at, error, top1, top1_of_whole, label });
        }
    }

    fn leave_round(&mut self, now: Time) {
        let Some((stage, began)) = self.round else { return };
        let took = now - began;
        if self.longest.is_none_or(|(_, longest)| took > longest) {
            self.longest = Some((stage, took));
        }
    }

    pub(super) fn latency(&self) -> Option<Span> {
        match self.end {
            Some((_, End::Answered(latency))) => Some(latency),
            Some((_, End::Failed(_))) | None => None,
        }
    }

    /// When and why it failed.
    pub(super) fn failure(&self) -> Option<(Time, &str)> {
        match &self.end {
            Some((at, End::Failed(reason))) => Some((*at, reason)),
            Some((_, End::Answered(_))) | None => None,
        }
    }

    pub(super) fn in_flight_at(&self, moment: Time) -> bool {
        self.accepted <= moment && self.end.as_ref().is_none_or(|(end, _)| moment < *end)
    }
}

impl<'s> Scene<'s> {
    /// The requests accepted in the part that counts.
    pub(super) fn lives(&self) -> impl Iterator<Item = (RequestId, &'s Life)> + Clone + '_ {
        let lives = self.run.lives.iter().map(|(request, life)| (*request, life));
        lives.filter(|(_, life)| self.contains(life.accepted))
    }

    /// The answers to those requests, in the order of requests.
    pub(super) fn judged(&self) -> impl Iterator<Item = (RequestId, Judged)> + Clone + '_ {
        self.lives().filter_map(|(request, life)| Some((request, life.judged?)))
    }

    /// Each fault that struck in the part that counts: when, whom, and what it was.
    pub(super) fn faults(&self) -> impl Iterator<Item = (Time, DeviceId, &'s str)> + '_ {
        let inside = self.run.trace.iter().filter(|record| self.contains(record.at));
        inside.filter_map(|record| {
            let Event::FaultBegan { device, what, .. } = &record.event else { return None };
            Some((record.at, *device, what.as_str()))
        })
    }
}
