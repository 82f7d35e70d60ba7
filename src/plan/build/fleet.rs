//! The supervisor and the devices of a topology, and whom names and tags stand for.

use std::collections::BTreeSet;

use crate::maths::delay::{Delay, WrittenDelay};
use crate::plan::source::{Problem, Source, To};
use crate::plan::topology::{DeviceFile, MachineFile};
use crate::plan::{Device, Machine};
use crate::units::{DeviceId, Span};

pub(super) fn machine(source: &Source, file: &MachineFile, problems: &mut Vec<Problem>) -> Machine {
    let MachineFile { speed, memory_bandwidth, jitter } = file.clone();
    let machine = Machine { speed, memory_bandwidth, jitter };
    check_machine(source, &[To::Field("supervisor")], &machine, problems);
    machine
}

fn check_machine(source: &Source, at: &[To<'_>], machine: &Machine, problems: &mut Vec<Problem>) {
    let mut positive = |field, value: f64, least: f64| {
        if !(value.is_finite() && value >= least) {
            let path = [at, &[To::Field(field)]].concat();
            let message = format!("{field} is {value}, which no machine has");
            problems.push(source.problem(
                &path,
                message,
                "give a positive number, or 0 for no jitter",
            ));
        }
    };
    positive("speed", machine.speed.0, f64::MIN_POSITIVE);
    positive("memory_bandwidth", machine.memory_bandwidth.0, f64::MIN_POSITIVE);
    positive("jitter", machine.jitter, 0.0);
}

pub(super) fn devices(
    source: &Source,
    files: &[DeviceFile],
    problems: &mut Vec<Problem>,
) -> Vec<Device> {
    let mut devices: Vec<Device> = Vec::new();
    let mut taken = BTreeSet::new();
    for (at, file) in files.iter().enumerate() {
        let path = [To::Field("devices"), To::Item(at)];
        let DeviceFile { speed, memory_bandwidth, jitter, memory, bandwidth, .. } = file.clone();
        let machine = Machine { speed, memory_bandwidth, jitter };
        check_machine(source, &path, &machine, problems);
        let field = |name| [path[0], path[1], To::Field(name)];
        if !(bandwidth.0.is_finite() && bandwidth.0 > 0.0) {
            let message = "a link without bandwidth carries nothing".to_owned();
            problems.push(source.problem(&field("bandwidth"), message, "give a positive rate"));
        }
        let latency = delay(source, &field("latency"), &file.latency, problems);
        let latency = latency.unwrap_or(Delay::Constant(Span::ZERO));
        let reply_latency = file.reply_latency.as_ref();
        let reply_latency =
            reply_latency.and_then(|file| delay(source, &field("reply_latency"), file, problems));
        let reply_latency = reply_latency.unwrap_or_else(|| latency.clone());
        let (names, mut tags) = match file.count {
            None => (vec![file.name.clone()], Vec::new()),
            Some(count) if (1..=MOST_DEVICES).contains(&count) => {
                let names = (1..=count).map(|i| format!("{}-{i}", file.name));
                (names.collect(), vec![file.name.clone()])
            }
            Some(count) => {
                let message = format!("a count of {count} devices");
                let fix = format!("give a count from 1 to {MOST_DEVICES}");
                problems.push(source.problem(&field("count"), message, fix));
                continue;
            }
        };
        tags.extend(file.tags.iter().cloned());
        for name in names {
            if !taken.insert(name.clone()) {
                let message = format!("there are two devices called \"{name}\"");
                problems.push(source.problem(&field("name"), message, "rename one"));
            }
            let (machine, tags) = (machine.clone(), tags.clone());
            let (latency, reply_latency) = (latency.clone(), reply_latency.clone());
            devices.push(Device { name, tags, machine, memory, latency, reply_latency, bandwidth });
        }
    }
    if devices.is_empty() {
        let message = "there are no devices".to_owned();
        problems.push(source.problem(&[To::Field("devices")], message, "list at least one"));
    }
    devices
}

/// A typing error should not fill the memory.
const MOST_DEVICES: usize = 100_000;

/// Gives a distribution its meaning, or reports why it has none.
fn delay(
    source: &Source,
    path: &[To<'_>],
    written: &WrittenDelay,
    problems: &mut Vec<Problem>,
) -> Option<Delay> {
    let loaded = written.load(&|named| source.text_of(named));
    loaded.map_err(|refusal| problems.push(source.refusal(path, refusal))).ok()
}

/// The devices that names and tags stand for, in their order, each once.
pub(in crate::plan) fn called(
    source: &Source,
    path: &[To<'_>],
    names: &[String],
    devices: &[Device],
    problems: &mut Vec<Problem>,
) -> Vec<DeviceId> {
    let (mut found, mut is_found) = (Vec::new(), vec![false; devices.len()]);
    for (at, name) in names.iter().enumerate() {
        let before = found.len();
        let is_called = |device: &Device| device.name == *name || device.tags.contains(name);
        for (id, _) in devices.iter().enumerate().filter(|(_, device)| is_called(device)) {
            if !std::mem::replace(&mut is_found[id], true) {
                found.push(DeviceId(id));
            }
        }
        if found.len() == before {
            let message = if devices.iter().any(is_called) {
                format!("all devices called \"{name}\" are named already")
            } else {
                format!("no device is called or tagged \"{name}\"")
            };
            let path = [path, &[To::Item(at)]].concat();
            problems.push(source.problem(&path, message, "name a device, or a tag of some"));
        }
    }
    found
}
