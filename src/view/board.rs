//! The board: the state of everything at one moment, as the trace up to it tells. Viewers draw it.
//!
//! A fold and nothing more: the same records give the same board, whether they come one by one from
//! a run that goes on or from a file. Going back in time is folding fewer of them.

#![expect(clippy::wildcard_enum_match_arm, reason = "a fold looks at what it folds")]

mod device;
mod flight;

use std::collections::{BTreeMap, VecDeque};

use hdrhistogram::Histogram;

pub use device::{DeviceBoard, Face, InHand};
pub use flight::{Cell, CellState, Decoded, End, Enough, Flight, Judged, RoundBoard};

use super::trace::Header;
use crate::event::{Event, Record, Worth};
use crate::units::{DeviceId, FaultId, RequestId, Span, StageId, Time};

/// What is known at one moment.
#[derive(Clone, Debug)]
pub struct Board {
    /// The moment of the last record.
    pub now: Time,
    /// How many records it was folded from.
    pub records: usize,
    pub devices: Vec<DeviceBoard>,
    pub stages: Vec<StageBoard>,
    /// Requests that have not ended, or whose answer is not judged yet.
    pub flights: BTreeMap<RequestId, Flight>,
    /// The last ones that have, newest last.
    pub landed: VecDeque<Flight>,
    pub faults: BTreeMap<FaultId, FaultBoard>,
    pub tally: Tally,
    /// Latencies of answered requests, in nanoseconds.
    pub latencies: Histogram<u64>,
}

/// How the rounds of a stage went so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StageBoard {
    /// How many more devices it can lose, once that was said.
    pub margin: Option<i64>,
    pub rounds: usize,
    pub rebuilt: usize,
    /// The last decoding.
    pub decode: Span,
    pub worst_condition: f64,
}

/// A fault that struck.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultBoard {
    pub what: String,
    pub began: Time,
    /// Whom it has hold of now.
    pub on: Vec<DeviceId>,
    pub ended: Option<Time>,
}

/// Counts over the whole run so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    pub accepted: usize,
    pub answered: usize,
    /// Of those answered, how many only so.
    pub approximate: usize,
    pub estimates: usize,
    pub failed: usize,
    pub judged: usize,
    pub labelled: usize,
    pub right: usize,
    pub agreeing: usize,
    pub rebuilt: usize,
    /// Wrong shares found out.
    pub caught: usize,
    /// The largest error of any answer against the whole model's.
    pub max_error: f64,
}

/// How many landed requests are kept.
const LANDED: usize = 32;

impl Board {
    /// Before anything happened.
    pub fn new(header: &Header) -> Self {
        let device = |id| DeviceBoard::new(header.holds(DeviceId(id)));
        Self {
            now: Time::ZERO,
            records: 0,
            devices: (0..header.devices.len()).map(device).collect(),
            stages: vec![StageBoard::default(); header.stages.len()],
            flights: BTreeMap::new(),
            landed: VecDeque::new(),
            faults: BTreeMap::new(),
            tally: Tally::default(),
            latencies: Histogram::new(3).expect("three digits are allowed"),
        }
    }

    /// Takes in the next record.
    pub fn take(&mut self, header: &Header, record: &Record) {
        self.now = record.at;
        self.records += 1;
        self.count(&record.event);
        self.fly(header, record);
        self.device(record);
        self.stage(&record.event);
        self.fault(record);
    }

    /// The request to look at: the oldest in flight, else the last that landed.
    pub fn flight(&self) -> Option<&Flight> {
        self.flights.values().next().or(self.landed.back())
    }

    /// A latency that so large a share of answers does not exceed; none without answers.
    pub fn latency(&self, quantile: f64) -> Option<Span> {
        (!self.latencies.is_empty()).then(|| Span(self.latencies.value_at_quantile(quantile)))
    }

    /// The faults in force on a device, oldest first.
    pub fn faults_on(&self, device: DeviceId) -> impl Iterator<Item = (FaultId, &FaultBoard)> {
        let on = self.faults.iter().filter(move |(_, fault)| fault.on.contains(&device));
        on.map(|(id, fault)| (*id, fault))
    }

    fn count(&mut self, event: &Event) {
        let tally = &mut self.tally;
        match event {
            Event::Accepted { .. } => tally.accepted += 1,
            Event::Answered { latency, worth, .. } => {
                tally.answered += 1;
                tally.approximate += usize::from(*worth == Worth::Approximate);
                tally.estimates += usize::from(*worth == Worth::Estimate);
                self.latencies.record(latency.0).expect("the histogram grows as needed");
            }
            Event::Failed { .. } => tally.failed += 1,
            Event::Judged { error, top1, top1_of_whole, label, .. } => {
                tally.judged += 1;
                tally.max_error = tally.max_error.max(*error);
                tally.labelled += usize::from(label.is_some());
                tally.right += usize::from(*label == Some(*top1));
                tally.agreeing += usize::from(top1 == top1_of_whole);
            }
            Event::Decoded { rebuilt, .. } => tally.rebuilt += usize::from(!rebuilt.is_empty()),
            Event::Caught { .. } => tally.caught += 1,
            _ => {}
        }
    }

    fn fly(&mut self, header: &Header, record: &Record) {
        let Some(request) = record.event.request() else {
            if let Event::Died { device, .. } = &record.event {
                self.flights.values_mut().for_each(|flight| flight.lose(*device));
            }
            return;
        };
        if matches!(record.event, Event::Accepted { .. }) {
            self.flights.insert(request, Flight::new(request, record.at, header.stages.len()));
        }
        if let Event::Gathered { requests, .. } = &record.event {
            for other in requests.iter().filter(|other| **other != request) {
                let flight = self.flights.get_mut(other);
                flight.into_iter().for_each(|flight| flight.with = Some(request));
            }
        }
        let late = self.landed.iter_mut().rev().find(|flight| flight.request == request);
        let Some(flight) = self.flights.get_mut(&request).or(late) else { return };
        flight.take(header, record);
        if flight.is_over()
            && let Some(flight) = self.flights.remove(&request)
        {
            self.landed.push_back(flight);
            if self.landed.len() > LANDED {
                self.landed.pop_front();
            }
        }
    }

    fn device(&mut self, record: &Record) {
        if let Event::Decoded { request, stage, .. } = &record.event {
            self.devices.iter_mut().for_each(|device| device.forget_queued(*request, *stage));
        }
        if let Event::Scattered { request, stage, asked, .. } = &record.event {
            for (share, device) in asked {
                self.devices[device.0].asked(*request, *stage, *share);
            }
            return;
        }
        for device in record.event.devices() {
            self.devices[device.0].take(record);
        }
    }

    fn stage(&mut self, event: &Event) {
        match event {
            Event::MarginChanged { stage, left } => self.stages[stage.0].margin = Some(*left),
            Event::Decoded { stage, rebuilt, condition, took, .. } => {
                let stage = &mut self.stages[stage.0];
                stage.rounds += 1;
                stage.rebuilt += usize::from(!rebuilt.is_empty());
                stage.decode = *took;
                stage.worst_condition = stage.worst_condition.max(*condition);
            }
            _ => {}
        }
    }

    fn fault(&mut self, Record { at, event }: &Record) {
        match event {
            Event::FaultBegan { fault, device, what } => {
                let new =
                    || FaultBoard { what: what.clone(), began: *at, on: Vec::new(), ended: None };
                let fault = self.faults.entry(*fault).or_insert_with(new);
                fault.ended = None;
                // A restart is over at once.
                if what != "Restart" && !fault.on.contains(device) {
                    fault.on.push(*device);
                }
            }
            Event::FaultEnded { fault, device } => {
                if let Some(fault) = self.faults.get_mut(fault) {
                    fault.on.retain(|on| on != device);
                    fault.ended = fault.on.is_empty().then_some(*at);
                }
            }
            _ => {}
        }
    }
}

/// The request and stage of a task.
type Task = (RequestId, StageId, usize);
