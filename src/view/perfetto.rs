//! A trace for ui.perfetto.dev and chrome://tracing: a track a device, and one for the supervisor; more
//! where several requests are in flight at once.
//!
//! The format is Chrome's trace-event JSON. A trace says when a device starts a share and when its
//! reply comes in, not when it was done, so a slice includes the reply's way unless the next share
//! was started before.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::trace::Header;
use crate::event::{Event, Record};
use crate::units::{DeviceId, RequestId, StageId, Time};

/// Writes the whole trace as one JSON object.
///
/// # Errors
/// If writing fails.
pub fn write(to: &mut dyn Write, header: &Header, trace: &[Record]) -> io::Result<()> {
    let mut drawing =
        Drawing { header, events: Vec::new(), busy: BTreeMap::new(), lanes: Vec::new() };
    for record in trace {
        drawing.device(record);
        drawing.supervisor(record);
        drawing.mark(record);
    }
    let end = trace.last().map_or(Time::ZERO, |record| record.at);
    for device in 0..header.devices.len() {
        drawing.leave(DeviceId(device), end);
    }
    drawing.name_tracks();
    let whole = json!({
        "displayTimeUnit": "ms",
        "otherData": serde_json::to_value(header)?,
        "traceEvents": drawing.events,
    });
    serde_json::to_writer(to, &whole)?;
    Ok(())
}

struct Drawing<'d> {
    header: &'d Header,
    events: Vec<Value>,
    /// The share each device has in hand.
    busy: BTreeMap<DeviceId, Busy>,
    /// The requests in flight, each on a track of its own, the lowest that was free.
    lanes: Vec<Option<Flight>>,
}

/// A share in hand.
#[derive(Clone, Copy)]
struct Busy {
    since: Time,
    request: RequestId,
    stage: StageId,
    share: usize,
    /// When the supervisor decided the round without it.
    cancelled: Option<Time>,
}

/// A request in flight.
#[derive(Clone, Copy)]
struct Flight {
    request: RequestId,
    accepted: Time,
    round: Option<(StageId, Time)>,
}

const PROCESS: usize = 1;

/// Tracks of the supervisor come first, then those of devices.
const DEVICES: usize = 1000;

impl Drawing<'_> {
    fn device(&mut self, record: &Record) {
        let at = record.at;
        if let Event::Started { request, stage, share, device } = &record.event {
            self.leave(*device, at);
            let (request, stage, share) = (*request, *stage, *share);
            let busy = Busy { since: at, request, stage, share, cancelled: None };
            self.busy.insert(*device, busy);
        } else if let Event::Arrived { request, stage, share, device, .. }
        | Event::Late { request, stage, share, device } = &record.event
        {
            let Some(busy) = self.busy.get_mut(device) else { return };
            if (busy.request, busy.stage, busy.share) == (*request, *stage, *share) {
                // It came, so it was not stopped.
                busy.cancelled = None;
                self.leave(*device, at);
            }
        } else if let Event::Died { device, .. } = &record.event {
            self.leave(*device, at);
        } else if let Event::Enough { request, .. } | Event::Failed { request, .. } = &record.event
        {
            let theirs = self.busy.values_mut().filter(|busy| busy.request == *request);
            theirs.for_each(|busy| busy.cancelled = busy.cancelled.or(Some(at)));
        }
    }

    /// Draws what a device had in hand.
    fn leave(&mut self, device: DeviceId, at: Time) {
        let Some(busy) = self.busy.remove(&device) else { return };
        let name = format!("#{} {}", busy.request.0, self.header.stage(busy.stage));
        let mut arguments = json!({ "request": busy.request, "share": busy.share });
        // Whoever is cancelled finishes at some later moment that nobody sees.
        let end = busy.cancelled.map_or(at, |cancelled| cancelled.min(at));
        arguments["cancelled"] = json!(busy.cancelled.is_some());
        self.slice(DEVICES + device.0, name, (busy.since, end), arguments);
    }

    fn supervisor(&mut self, record: &Record) {
        let at = record.at;
        let Some(request) = record.event.request() else { return };
        if let Event::Accepted { .. } = record.event {
            return self.take_off(Flight { request, accepted: at, round: None });
        }
        let flies = |lane: &Option<Flight>| lane.is_some_and(|flight| flight.request == request);
        let Some(lane) = self.lanes.iter().position(flies) else { return };
        if let Event::Scattered { stage, attempt: 0, .. } = &record.event {
            if let Some(flight) = &mut self.lanes[lane] {
                flight.round = Some((*stage, at));
            }
        } else if let Event::Decoded { took, used, rebuilt, .. } = &record.event {
            self.end_round(lane, at);
            let began = Time(at.0.saturating_sub(took.0));
            let arguments = json!({ "used": used, "rebuilt": rebuilt });
            self.slice(lane, "decode".to_owned(), (began, at), arguments);
        } else if let Event::Encoded { stage, took, .. } = &record.event {
            let began = Time(at.0.saturating_sub(took.0));
            let arguments = json!({ "stage": self.header.stage(*stage) });
            self.slice(lane, "encode".to_owned(), (began, at), arguments);
        } else if let Event::LocalRan { step, took, .. } = &record.event {
            let began = Time(at.0.saturating_sub(took.0));
            self.slice(lane, "local".to_owned(), (began, at), json!({ "step": step }));
        } else if let Event::Answered { .. } | Event::Failed { .. } = &record.event {
            self.land(lane, at);
        }
    }

    fn take_off(&mut self, flight: Flight) {
        match self.lanes.iter_mut().find(|lane| lane.is_none()) {
            Some(lane) => *lane = Some(flight),
            None => self.lanes.push(Some(flight)),
        }
    }

    fn land(&mut self, lane: usize, at: Time) {
        self.end_round(lane, at);
        let Some(flight) = self.lanes[lane].take() else { return };
        let name = format!("#{}", flight.request.0);
        self.slice(lane, name, (flight.accepted, at), json!({}));
    }

    fn end_round(&mut self, lane: usize, at: Time) {
        let Some(flight) = &mut self.lanes[lane] else { return };
        let Some((stage, began)) = flight.round.take() else { return };
        let name = self.header.stage(stage).to_owned();
        self.slice(lane, name, (began, at), json!({}));
    }

    /// Faults, deaths and judgements, on the track of the device.
    fn mark(&mut self, record: &Record) {
        let Some((category, name)) = mark(&record.event) else { return };
        for device in record.event.devices() {
            self.events.push(json!({
                "ph": "i", "s": "t", "pid": PROCESS, "tid": DEVICES + device.0,
                "name": name, "cat": category, "ts": microseconds(record.at),
            }));
        }
    }

    fn slice(&mut self, track: usize, name: String, (began, end): (Time, Time), arguments: Value) {
        // What takes no time has no slice.
        if end > began {
            self.events.push(json!({
                "ph": "X", "pid": PROCESS, "tid": track, "name": name,
                "ts": microseconds(began), "dur": microseconds(Time((end - began).0)),
                "args": arguments,
            }));
        }
    }

    fn name_tracks(&mut self) {
        let lanes = (0..self.lanes.len()).map(|lane| match lane {
            0 => (lane, "supervisor".to_owned()),
            _ => (lane, format!("supervisor, at once {}", lane + 1)),
        });
        let devices = self.header.devices.iter().enumerate();
        let devices = devices.map(|(device, name)| (DEVICES + device, name.clone()));
        let named = lanes.chain(devices).flat_map(|(track, name)| {
            let about = |what: &str, arguments: Value| {
                json!({ "ph": "M", "pid": PROCESS, "tid": track, "name": what, "args": arguments })
            };
            [
                about("thread_name", json!({ "name": name })),
                about("thread_sort_index", json!({ "sort_index": track })),
            ]
        });
        let mut events: Vec<Value> = named.collect();
        events.append(&mut self.events);
        self.events = events;
    }
}

/// What is marked on a device's track: its category and its name.
fn mark(event: &Event) -> Option<(&'static str, String)> {
    if let Event::FaultBegan { what, .. } = event {
        Some(("fault", what.clone()))
    } else if let Event::FaultEnded { fault, .. } = event {
        Some(("fault", format!("fault {} ends", fault.0)))
    } else if let Event::Died { why, .. } = event {
        Some(("device", format!("died: {why}")))
    } else if let Event::Judgement { to, why, .. } = event {
        Some(("supervisor", format!("{to:?}: {why}")))
    } else if let Event::Caught { how, .. } = event {
        Some(("supervisor", format!("caught: {how:?}")))
    } else {
        None
    }
}

/// The format's unit.
fn microseconds(at: Time) -> f64 {
    at.0 as f64 / 1e3
}
