//! A trace as JSON lines: a first line that says what it is of, then one event a line.

use std::io::{self, Write};

use serde::Serialize;

use crate::event::Record;
use crate::plan::Plan;

/// The first line of a trace.
#[derive(Debug, Serialize)]
struct Header<'h> {
    kofn: &'static str,
    topology: &'h str,
    model: &'h str,
    fault_plan: Option<&'h str>,
    seed: u64,
    requests: usize,
    devices: Vec<&'h str>,
    stages: Vec<StageHeader<'h>>,
}

#[derive(Debug, Serialize)]
struct StageHeader<'h> {
    name: &'h str,
    code: String,
}

/// Writes a trace so that it can be read without the files it came from.
///
/// # Errors
/// If writing fails.
pub fn write(
    to: &mut dyn Write,
    plan: &Plan,
    fault_plan: Option<&str>,
    seed: u64,
    requests: usize,
    trace: &[Record],
) -> io::Result<()> {
    let stages = plan.stages.iter().map(|s| StageHeader { name: &s.name, code: s.code.name() });
    let header = Header {
        kofn: env!("CARGO_PKG_VERSION"),
        topology: &plan.name,
        model: &plan.network.name,
        fault_plan,
        seed,
        requests,
        devices: plan.devices.iter().map(|device| device.name.as_str()).collect(),
        stages: stages.collect(),
    };
    serde_json::to_writer(&mut *to, &header)?;
    for record in trace {
        to.write_all(b"\n")?;
        serde_json::to_writer(&mut *to, record)?;
    }
    to.write_all(b"\n")
}
