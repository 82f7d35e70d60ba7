//! Expectations about what the supervisor thinks of devices, and about the devices themselves.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Scene};
use crate::event::{Event, Standing};
use crate::units::{DeviceId, Span, StageId, Time};

pub(super) fn detected(
    devices: &BTreeSet<DeviceId>,
    within: Span,
    scene: &Scene<'_>,
) -> (String, Finding) {
    let expect = format!("{} found out within {within}", names(devices, scene));
    let mut slowest = Span::ZERO;
    for device in devices {
        let name = scene.run.device(*device);
        let Some((struck, _, what)) = scene.faults().find(|(_, hit, _)| hit == device) else {
            return (expect, scene.no_fault(format!("no fault struck {name}")));
        };
        let place = || format!("{what} on {name}");
        let Some(found) = found_out(*device, struck, scene) else {
            return (expect, Finding::broken("never", place(), struck));
        };
        if found - struck > within {
            let seen = format!("after {}", found - struck);
            return (expect, Finding::broken(seen, place(), struck));
        }
        slowest = slowest.max(found - struck);
    }
    (expect, Finding::holds(format!("after {slowest}")))
}

/// When a device was first distrusted, not before a moment; that moment if it was already.
fn found_out(device: DeviceId, moment: Time, scene: &Scene<'_>) -> Option<Time> {
    let mut already = false;
    for record in scene.run.trace {
        let Some((_, distrusted)) = opinion(&record.event).filter(|(whose, _)| *whose == device)
        else {
            continue;
        };
        if record.at >= moment && (distrusted || already) {
            return Some(if already { moment } else { record.at });
        }
        already = distrusted;
    }
    already.then_some(moment)
}

/// Whom an event says something about, and whether that is distrust.
fn opinion(event: &Event) -> Option<(DeviceId, bool)> {
    if let Event::Judgement { device, to, .. } = event {
        Some((*device, is_distrust(*to)))
    } else if let Event::Caught { device, .. } = event {
        Some((*device, true))
    } else {
        None
    }
}

fn is_distrust(standing: Standing) -> bool {
    match standing {
        Standing::Suspect | Standing::Excluded => true,
        Standing::Healthy | Standing::Slow | Standing::Probation => false,
    }
}

pub(super) fn suspects(who: &BTreeSet<DeviceId>, scene: &Scene<'_>) -> (String, Finding) {
    let expect = format!("suspects exactly {}", names(who, scene));
    let seen = suspected(scene);
    let missing = who.iter().find(|device| !seen.contains_key(device));
    let finding = among(who, &seen, scene);
    let (None, Some(device)) = (&finding.broken, missing) else { return (expect, finding) };
    let struck = scene.faults().find(|(_, hit, _)| hit == device);
    let since = struck.map_or(scene.start(), |(struck, ..)| struck);
    let place = format!("{} was never suspected", scene.run.device(*device));
    (expect, Finding::broken(finding.seen, place, since))
}

pub(super) fn suspects_among(who: &BTreeSet<DeviceId>, scene: &Scene<'_>) -> (String, Finding) {
    let expect = format!("suspects none but {}", names(who, scene));
    (expect, among(who, &suspected(scene), scene))
}

type Suspected = BTreeMap<DeviceId, (Time, String)>;

/// The devices that were distrusted: since when, and why.
fn suspected(scene: &Scene<'_>) -> Suspected {
    let mut seen = Suspected::new();
    for record in scene.run.trace.iter().filter(|record| scene.contains(record.at)) {
        let Some((device, true)) = opinion(&record.event) else { continue };
        let why = if let Event::Judgement { why, .. } = &record.event {
            why.clone()
        } else {
            let stage = record.event.stage().map_or("", |stage| scene.run.stage(stage));
            format!("caught lying in {stage}")
        };
        seen.entry(device).or_insert((record.at, why));
    }
    seen
}

fn among(who: &BTreeSet<DeviceId>, seen: &Suspected, scene: &Scene<'_>) -> Finding {
    let shown = names(&seen.keys().copied().collect(), scene);
    let others = seen.iter().filter(|(device, _)| !who.contains(device));
    match others.min_by_key(|(device, (at, _))| (*at, **device)) {
        Some((device, (at, why))) => {
            let place = format!("{} was suspected ({why})", scene.run.device(*device));
            Finding::broken(shown, place, *at)
        }
        None => Finding::holds(shown),
    }
}

fn names(devices: &BTreeSet<DeviceId>, scene: &Scene<'_>) -> String {
    let names: Vec<&str> = devices.iter().map(|device| scene.run.device(*device)).collect();
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

pub(super) fn margin(least: i64, scene: &Scene<'_>) -> (String, Finding) {
    let margins = margins(scene);
    let (since, stage, lowest) = margins
        .iter()
        .min_by_key(|(at, _, left)| (*left, *at))
        .copied()
        .expect("a plan has a stage");
    let finding = if lowest < least {
        // It is broken since the first time it was too low, not since it was lowest.
        let first = margins.iter().filter(|(_, _, left)| *left < least).min();
        let since = first.map_or(since, |(at, ..)| *at);
        Finding::broken(lowest.to_string(), format!("stage {}", scene.run.stage(stage)), since)
    } else {
        Finding::holds(lowest.to_string())
    };
    (format!("every stage can lose at least {least} more"), finding)
}

/// Each stage's margin when the part that counts begins, which is at first what its code tolerates,
/// and each change.
fn margins(scene: &Scene<'_>) -> Vec<(Time, StageId, i64)> {
    let stages = scene.run.plan.stages.iter();
    let mut first: Vec<i64> = stages.map(|stage| stage.tolerates as i64).collect();
    let mut changes = Vec::new();
    for record in scene.run.trace {
        let Event::MarginChanged { stage, left } = &record.event else { continue };
        if scene.contains(record.at) {
            changes.push((record.at, *stage, *left));
        } else if record.at < scene.start() {
            first[stage.0] = *left;
        }
    }
    let start = scene.start();
    let first = first.into_iter().enumerate().map(|(stage, left)| (start, StageId(stage), left));
    first.chain(changes).collect()
}

pub(super) fn healed(within: Span, scene: &Scene<'_>) -> (String, Finding) {
    let expect = format!("all devices whole within {within} of the last fault");
    let counts = |at: Time| scene.during.is_none_or(|window| at < window.to);
    let records = || scene.run.trace.iter().filter(|record| counts(record.at));
    let faults = records().filter(|record| {
        matches!(record.event, Event::FaultBegan { .. } | Event::FaultEnded { .. })
    });
    let Some(over) = faults.map(|record| record.at).max() else {
        return (expect, scene.no_fault("no fault struck".to_owned()));
    };
    let mut ailing: BTreeMap<DeviceId, BTreeMap<Ailment, (Time, String)>> = BTreeMap::new();
    let mut whole = over;
    for record in records() {
        let Some((device, ailment, state)) = change(&record.event) else { continue };
        let ailments = ailing.entry(device).or_default();
        match state {
            Some(why) => {
                ailments.entry(ailment).or_insert((record.at, String::new())).1 = why;
            }
            None if ailments.remove(&ailment).is_some() => whole = whole.max(record.at),
            None => {}
        }
    }
    let left =
        ailing.iter().find_map(|(device, ailments)| Some((device, ailments.values().next()?)));
    let finding = match left {
        Some((device, (since, why))) => {
            let place = format!("{} is {why}", scene.run.device(*device));
            Finding::broken("not at the end", place, *since)
        }
        None if whole - over > within => {
            Finding::broken(format!("after {}", whole - over), "last fault", over)
        }
        None => Finding::holds(format!("after {}", whole - over)),
    };
    (expect, finding)
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ailment {
    /// It is down, or up without its shares.
    Empty,
    Distrusted,
}

/// Whose ailment an event begins, and why, or ends.
fn change(event: &Event) -> Option<(DeviceId, Ailment, Option<String>)> {
    if let Event::Died { device, .. } = event {
        Some((*device, Ailment::Empty, Some("down".to_owned())))
    } else if let Event::Deployed { device, .. } = event {
        Some((*device, Ailment::Empty, None))
    } else if let Event::Judgement { device, to, why, .. } = event {
        let sick = *to != Standing::Healthy;
        let state = sick.then(|| format!("{} ({why})", format!("{to:?}").to_lowercase()));
        Some((*device, Ailment::Distrusted, state))
    } else {
        None
    }
}
