//! A trace for ui.perfetto.dev and chrome://tracing: a track a device, and one for the supervisor; more
//! where several requests, or several rounds of one, are in flight at once.
//!
//! The format is Chrome's trace-event JSON. A trace says when a device starts a share and when its
//! reply comes in, not when it was done, so a slice includes the reply's way unless the next share
//! was started before.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::trace::Header;
use crate::event::{Event, Record};
use crate::units::{DeviceId, RequestId, Span, StageId, Time};

/// Writes the whole trace as one JSON object.
///
/// # Errors
/// If writing fails.
pub fn write(to: &mut dyn Write, header: &Header, trace: &[Record]) -> io::Result<()> {
    let mut drawing = Drawing {
        header,
        events: Vec::new(),
        busy: BTreeMap::new(),
        flights: BTreeMap::new(),
        rounds: BTreeMap::new(),
        slices: Vec::new(),
    };
    for record in trace {
        drawing.device(record);
        drawing.supervisor(record);
        drawing.mark(record);
    }
    let end = trace.last().map_or(Time::ZERO, |record| record.at);
    for device in 0..header.devices.len() {
        drawing.leave(DeviceId(device), end);
    }
    let lanes = drawing.lay_out();
    drawing.name_tracks(lanes);
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
    /// The requests in flight, and since when.
    flights: BTreeMap<RequestId, Time>,
    /// Their rounds.
    rounds: BTreeMap<(RequestId, StageId), Time>,
    /// What the supervisor did.
    slices: Vec<Slice>,
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

/// Something the supervisor did for a request.
struct Slice {
    request: RequestId,
    began: Time,
    end: Time,
    name: String,
    arguments: Value,
}

const PROCESS: usize = 1;

/// Tracks of the supervisor come first, then those of devices.
const DEVICES: usize = 1_000_000;

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
        } else if let Event::Enough { request, stage, .. } = &record.event {
            self.call_off(at, |busy| (busy.request, busy.stage) == (*request, *stage));
        } else if let Event::Failed { request, .. } = &record.event {
            self.call_off(at, |busy| busy.request == *request);
        }
    }

    fn call_off(&mut self, at: Time, is_off: impl Fn(&Busy) -> bool) {
        let theirs = self.busy.values_mut().filter(|busy| is_off(busy));
        theirs.for_each(|busy| busy.cancelled = busy.cancelled.or(Some(at)));
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
        let before = |took: &Span| Time(at.0.saturating_sub(took.0));
        let stage_name = |stage: &StageId| self.header.stage(*stage).to_owned();
        if let Event::Accepted { .. } = record.event {
            self.flights.insert(request, at);
        } else if let Event::Scattered { stage, attempt: 0, .. } = &record.event {
            self.rounds.entry((request, *stage)).or_insert(at);
        } else if let Event::Decoded { stage, took, used, rebuilt, .. } = &record.event {
            let round = self.rounds.remove(&(request, *stage));
            self.did(request, (round.unwrap_or(at), at), stage_name(stage), json!({}));
            let arguments = json!({ "used": used, "rebuilt": rebuilt });
            self.did(request, (before(took), at), "decode".to_owned(), arguments);
        } else if let Event::Encoded { stage, took, .. } = &record.event {
            let arguments = json!({ "stage": stage_name(stage) });
            self.did(request, (before(took), at), "encode".to_owned(), arguments);
        } else if let Event::LocalRan { step, took, .. } = &record.event {
            self.did(request, (before(took), at), "local".to_owned(), json!({ "step": step }));
        } else if let Event::Answered { .. } | Event::Failed { .. } = &record.event {
            let theirs = |(of, _): &(RequestId, StageId), _: &mut Time| *of == request;
            let open: Vec<_> = self.rounds.extract_if(.., theirs).collect();
            for ((_, stage), began) in open {
                self.did(request, (began, at), self.header.stage(stage).to_owned(), json!({}));
            }
            let accepted = self.flights.remove(&request).unwrap_or(at);
            self.did(request, (accepted, at), format!("#{}", request.0), json!({}));
        }
    }

    fn did(
        &mut self,
        request: RequestId,
        (began, end): (Time, Time),
        name: String,
        arguments: Value,
    ) {
        self.slices.push(Slice { request, began, end, name, arguments });
    }

    /// Draws what the supervisor did, each on the first track where it lies in another slice of its
    /// request or beside all: the format knows no others. Gives the number of tracks.
    fn lay_out(&mut self) -> usize {
        let mut slices = std::mem::take(&mut self.slices);
        slices.sort_by_key(|slice| (slice.began, Reverse(slice.end)));
        // The slices around the place each track has come to, the innermost last.
        let mut lanes: Vec<Vec<(RequestId, Time)>> = Vec::new();
        // What takes no time has no slice.
        slices.retain(|slice| slice.end > slice.began);
        for Slice { request, began, end, name, arguments } in slices {
            lanes.iter_mut().for_each(|around| around.retain(|(_, until)| *until > began));
            let fits = |around: &Vec<(RequestId, Time)>| {
                around.last().is_none_or(|(of, until)| *of == request && *until >= end)
            };
            let lane = lanes.iter().position(fits).unwrap_or(lanes.len());
            lanes.resize_with(lanes.len().max(lane + 1), Vec::new);
            lanes[lane].push((request, end));
            self.slice(lane, name, (began, end), arguments);
        }
        lanes.len()
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

    fn name_tracks(&mut self, lanes: usize) {
        let lanes = (0..lanes).map(|lane| match lane {
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
