//! A trace as JSON lines: a first line that says what it is of, then one event a line.

use std::io::{self, BufRead, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::event::Record;
use crate::plan::{Plan, Stage};
use crate::units::{DeviceId, StageId};

/// The first line of a trace: enough to read it without the files it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of kofn that wrote it.
    pub kofn: String,
    pub topology: String,
    pub model: String,
    pub fault_plan: Option<String>,
    pub seed: u64,
    pub requests: usize,
    pub devices: Vec<String>,
    pub stages: Vec<StageHeader>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageHeader {
    pub name: String,
    pub code: String,
    /// How many shares suffice, if they are the right ones: k.
    pub needed: usize,
    /// One entry a share.
    pub shares: Vec<ShareHeader>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareHeader {
    /// The source it is a plain copy of.
    pub plain: Option<usize>,
    /// Who holds it, in the order in which they are asked.
    pub holders: Vec<DeviceId>,
}

/// What is wrong with a trace, and on which line of it.
#[derive(Debug, thiserror::Error)]
#[error("{line}: {reason}")]
pub struct Unreadable {
    pub line: usize,
    pub reason: String,
}

impl Header {
    pub fn of(plan: &Plan, fault_plan: Option<&str>, seed: u64, requests: usize) -> Self {
        let stages = plan.stages.iter();
        Self {
            kofn: env!("CARGO_PKG_VERSION").to_owned(),
            topology: plan.name.clone(),
            model: plan.network.name.clone(),
            fault_plan: fault_plan.map(str::to_owned),
            seed,
            requests,
            devices: plan.devices.iter().map(|device| device.name.clone()).collect(),
            stages: stages.map(StageHeader::of).collect(),
        }
    }

    /// How many shares of all stages a device holds when all is well.
    pub fn holds(&self, device: DeviceId) -> usize {
        let shares = self.stages.iter().flat_map(|stage| &stage.shares);
        shares.filter(|share| share.holders.contains(&device)).count()
    }

    /// Topology, model, fault plan and seed in one line.
    pub fn headline(&self) -> String {
        let faults = self.fault_plan.as_deref().unwrap_or("no faults");
        format!("{} · {} · {faults} · seed {}", self.topology, self.model, self.seed)
    }

    pub fn device(&self, device: DeviceId) -> &str {
        &self.devices[device.0]
    }

    pub fn stage(&self, stage: StageId) -> &str {
        &self.stages[stage.0].name
    }
}

impl StageHeader {
    /// How many devices there are beyond the fewest that can suffice. Shares of one hand follow each other.
    pub fn spares(&self) -> usize {
        let first = self.shares.first().map(|share| &share.holders);
        let hand = self.shares.iter().take_while(|share| Some(&share.holders) == first).count();
        self.shares.len().saturating_sub(self.needed) / hand.max(1)
    }

    fn of(stage: &Stage) -> Self {
        let share = |(share, holders): (usize, &Vec<DeviceId>)| ShareHeader {
            plain: stage.code.plain(share),
            holders: holders.clone(),
        };
        Self {
            name: stage.name.clone(),
            code: stage.code.name(),
            needed: stage.needed(),
            shares: stage.holders.iter().enumerate().map(share).collect(),
        }
    }
}

/// Writes a trace.
///
/// # Errors
/// If writing fails.
pub fn write(to: &mut dyn Write, header: &Header, trace: &[Record]) -> io::Result<()> {
    serde_json::to_writer(&mut *to, header)?;
    for record in trace {
        to.write_all(b"\n")?;
        serde_json::to_writer(&mut *to, record)?;
    }
    to.write_all(b"\n")
}

/// Reads a trace back; what it says of devices and stages is checked against its first line.
///
/// # Errors
/// At the first line that is no part of a trace.
pub fn read(from: &mut dyn BufRead) -> Result<(Header, Vec<Record>), Unreadable> {
    let mut lines = from.lines().enumerate().map(|(at, text)| {
        let line = at + 1;
        let text = text.map_err(|error| Unreadable { line, reason: error.to_string() })?;
        Ok((line, text))
    });
    let empty = || Unreadable { line: 1, reason: "a trace begins with a header".to_owned() };
    let (line, text) = lines.next().ok_or_else(empty)??;
    let header: Header = parse(line, &text)?;
    let mut trace = Vec::new();
    for next in lines {
        let (line, text) = next?;
        let record: Record = parse(line, &text)?;
        check(&header, &record).map_err(|reason| Unreadable { line, reason })?;
        trace.push(record);
    }
    Ok((header, trace))
}

fn parse<T: DeserializeOwned>(line: usize, text: &str) -> Result<T, Unreadable> {
    serde_json::from_str(text).map_err(|error| {
        // Each line is a text of its own, so serde counts lines from there.
        let reason = error.to_string().replace(" at line 1 column ", ", column ");
        Unreadable { line, reason }
    })
}

fn check(header: &Header, record: &Record) -> Result<(), String> {
    let stranger = |device: &DeviceId| device.0 >= header.devices.len();
    if let Some(device) = record.event.devices().into_iter().find(stranger) {
        return Err(format!("the header names {} devices, not {}", header.devices.len(), device.0));
    }
    let Some(stage) = record.event.stage() else { return Ok(()) };
    let Some(named) = header.stages.get(stage.0) else {
        return Err(format!("the header names {} stages, not {}", header.stages.len(), stage.0));
    };
    match record.event.shares().into_iter().find(|share| *share >= named.shares.len()) {
        None => Ok(()),
        Some(share) => {
            Err(format!("{} has {} shares, not {share}", named.name, named.shares.len()))
        }
    }
}
