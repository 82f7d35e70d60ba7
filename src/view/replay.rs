//! A trace as text: one line an event, in columns, so that a device is known by where its sign
//! stands.

use super::trace::Header;
use super::worth::how;
use crate::event::{Event, Proof, Record, Standing, Worth};
use crate::units::{DeviceId, RequestId, Span, StageId, Time};

/// Which events to show.
#[derive(Clone, Copy, Debug)]
pub struct Filter {
    pub from: Time,
    pub to: Time,
    /// Only this request, and what happened to devices in its lifetime.
    pub request: Option<RequestId>,
}

/// The events as lines, headed by what the trace is of and what the signs mean.
pub fn replay(header: &Header, trace: &[Record], filter: &Filter) -> String {
    let mut lines = vec![header.headline(), SIGNS.to_owned()];
    let names: Vec<String> = header.devices.iter().map(|name| format!("| {name}")).collect();
    for (at, name) in names.iter().enumerate() {
        lines.push(format!("{:15}{}{name}", "", "|".repeat(at)));
    }
    let lifetime = filter.request.map(|request| lifetime(trace, request));
    let batches = filter.request.map_or_else(Vec::new, |request| batches(trace, request));
    let shown = trace.iter().filter(|record| {
        let inside = (filter.from..=filter.to).contains(&record.at);
        let shared = batches.iter().any(|batch| is_of(&record.event, *batch));
        inside && (shared || lifetime.is_none_or(|life| concerns(record, filter.request, life)))
    });
    lines.extend(shown.map(|record| line(header, record)));
    lines.join("\n")
}

const SIGNS: &str = "\
o asked   > started   + arrived   - late   ! refused   x message lost   X died
F fault   f its end   D deployed  J judged   C caught";

/// From a request's acceptance to its end.
fn lifetime(trace: &[Record], request: RequestId) -> (Time, Time) {
    let of_it = |record: &&Record| record.event.request() == Some(request);
    let first = trace.iter().find(of_it).map_or(Time(u64::MAX), |record| record.at);
    let ends = |event: &Event| matches!(event, Event::Answered { .. } | Event::Failed { .. });
    let end = trace.iter().filter(of_it).find(|record| ends(&record.event));
    (first, end.map_or(Time(u64::MAX), |record| record.at))
}

/// The batches that a request is in, each a stage's round under the name of its first request.
fn batches(trace: &[Record], of: RequestId) -> Vec<(RequestId, StageId)> {
    let batch = |record: &Record| {
        let Event::Gathered { request, stage, requests, .. } = &record.event else { return None };
        requests.contains(&of).then_some((*request, *stage))
    };
    trace.iter().filter_map(batch).collect()
}

fn is_of(event: &Event, (request, stage): (RequestId, StageId)) -> bool {
    event.request() == Some(request) && event.stage() == Some(stage)
}

fn concerns(record: &Record, request: Option<RequestId>, (first, last): (Time, Time)) -> bool {
    match record.event.request() {
        None => (first..=last).contains(&record.at),
        about => about == request,
    }
}

fn line(header: &Header, record: &Record) -> String {
    let mut columns = vec!['.'; header.devices.len()];
    for device in record.event.devices() {
        columns[device.0] = sign(&record.event);
    }
    let columns: String = columns.into_iter().collect();
    let request = record.event.request().map_or(String::new(), |request| format!("#{}", request.0));
    let at = record.at.as_millis();
    let said = words(header, &record.event);
    format!("{at:>10.3} ms  {columns}  {request:<6}{said}")
}

/// What stands in the column of each device an event is about.
fn sign(event: &Event) -> char {
    match event {
        Event::Scattered { .. } => 'o',
        Event::Started { .. } => '>',
        Event::Arrived { .. } => '+',
        Event::Late { .. } => '-',
        Event::Refused { .. } => '!',
        Event::Skipped { .. } => '=',
        Event::Lost { .. } => 'x',
        Event::Died { .. } => 'X',
        Event::FaultBegan { .. } => 'F',
        Event::FaultEnded { .. } => 'f',
        Event::Deployed { .. } => 'D',
        Event::Judgement { .. } => 'J',
        Event::Caught { .. } => 'C',
        Event::Accepted { .. }
        | Event::Gathered { .. }
        | Event::Enough { .. }
        | Event::Decoded { .. }
        | Event::DeadlinePassed { .. }
        | Event::LocalRan { .. }
        | Event::Encoded { .. }
        | Event::Answered { .. }
        | Event::Failed { .. }
        | Event::Judged { .. }
        | Event::NotComputed { .. }
        | Event::Doubted { .. }
        | Event::MarginChanged { .. } => '.',
    }
}

/// An event in words.
pub fn words(header: &Header, event: &Event) -> String {
    let name = |device: &DeviceId| header.device(*device);
    let of = |stage: &StageId| header.stage(*stage);
    match event {
        Event::Accepted { .. } => "accepted".to_owned(),
        Event::Encoded { stage, took, .. } => {
            format!("{}: its input is coded in {took}", of(stage))
        }
        Event::Gathered { stage, requests, waited, took, .. } => {
            let others: Vec<String> =
                requests.iter().skip(1).map(|request| format!("#{}", request.0)).collect();
            let others = match others.len() {
                0 => "no other".to_owned(),
                _ => others.join(" "),
            };
            match *took {
                None => format!("{}: one round with {others}, after {waited}", of(stage)),
                Some(took) => {
                    format!("{}: a batch with {others} after {waited}, mixed in {took}", of(stage))
                }
            }
        }
        Event::Scattered { stage, attempt, asked, .. } => {
            let again = if *attempt > 0 { format!(", try {}", attempt + 1) } else { String::new() };
            format!("{}: {} shares asked for{again}", of(stage), asked.len())
        }
        Event::Started { stage, share, device, .. } => {
            format!("{}: {} starts share {share}", of(stage), name(device))
        }
        Event::Arrived { stage, share, device, after, .. } => {
            format!("{}: share {share} from {} after {after}", of(stage), name(device))
        }
        Event::Late { stage, share, device, .. } => {
            format!("{}: share {share} from {} is late", of(stage), name(device))
        }
        Event::Refused { stage, share, device, why, .. } => {
            format!("{}: {} refuses share {share}: {why}", of(stage), name(device))
        }
        Event::Skipped { stage, share, device, .. } => {
            format!("{}: {} skips share {share}", of(stage), name(device))
        }
        Event::Enough { stage, arrived, after, without, .. } => {
            let expected = |after: &Option<u64>| match after {
                Some(after) => format!(" expected at {}", Span(*after)),
                None => String::new(),
            };
            let without =
                without.iter().map(|(who, after)| name(who).to_owned() + &expected(after));
            let without: Vec<String> = without.collect();
            let shares = list(arrived);
            match &without[..] {
                [] => format!("{}: shares {shares} are enough after {after}", of(stage)),
                some => format!(
                    "{}: shares {shares} are enough after {after}; {}: decoded without",
                    of(stage),
                    some.join(", ")
                ),
            }
        }
        Event::Decoded { stage, used, worth: Worth::Approximate, took, .. } => {
            format!("{}: read off approximately from {} in {took}", of(stage), list(used))
        }
        Event::Decoded { stage, used, worth: Worth::Estimate, took, .. } => {
            format!("{}: only estimated, from {} in {took}", of(stage), list(used))
        }
        Event::Decoded { stage, used, rebuilt, took, .. } => {
            let rebuilt = match rebuilt.as_slice() {
                [] => String::new(),
                some => format!(", sources {} rebuilt", list(some)),
            };
            format!("{}: decoded from {} in {took}{rebuilt}", of(stage), list(used))
        }
        Event::DeadlinePassed { stage, missing, .. } => {
            format!("{}: the deadline passed without shares {}", of(stage), list(missing))
        }
        Event::LocalRan { step, took, .. } => {
            format!("step {step} ran on the supervisor in {took}")
        }
        Event::Answered { latency, worth, .. } => {
            format!("answered{} after {latency}", how(*worth))
        }
        Event::Failed { reason, latency, .. } => format!("failed after {latency}: {reason}"),
        Event::Judged { error, top1, top1_of_whole, label, .. } => {
            let label = label.map_or(String::new(), |label| format!(", label {label}"));
            format!("class {top1}, whole model {top1_of_whole}{label}; off by {error:.1e}")
        }
        Event::NotComputed { .. } => "not computed: nothing is known of the answer".to_owned(),
        Event::Deployed { device, shares, size } => {
            format!("{} is given its {shares} shares, {size}", name(device))
        }
        Event::FaultBegan { device, what, .. } => format!("{what} strikes {}", name(device)),
        Event::FaultEnded { device, fault } => {
            format!("fault {} on {} ends", fault.0, name(device))
        }
        Event::Lost { device, what, why, .. } => {
            format!("{what} lost between supervisor and {}: {why}", name(device))
        }
        Event::Died { device, why } => format!("{} died: {why}", name(device)),
        Event::Judgement { device, from, to, why } => {
            format!("{} was {}, is {}: {why}", name(device), standing(*from), standing(*to))
        }
        Event::Caught { device, stage, share, how, .. } => {
            format!("{}: {} sent a wrong share {share}: {}", of(stage), name(device), proof(*how))
        }
        Event::Doubted { stage, arrived, .. } => {
            format!("{}: some share of {} is wrong, but not which", of(stage), list(arrived))
        }
        Event::MarginChanged { stage, left } => format!("{} can lose {left} more", of(stage)),
    }
}

fn list(shares: &[usize]) -> String {
    shares.iter().map(usize::to_string).collect::<Vec<_>>().join(" ")
}

/// What the supervisor thinks, in a word.
pub fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Healthy => "healthy",
        Standing::Slow => "slow",
        Standing::Suspect => "suspect",
        Standing::Excluded => "excluded",
        Standing::Probation => "on probation",
    }
}

fn proof(proof: Proof) -> &'static str {
    match proof {
        Proof::NotANumber => "it holds numbers that are none",
        Proof::Projection => "its projection does not fit",
        Proof::Surplus => "the other shares contradict it",
    }
}
