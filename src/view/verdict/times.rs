//! Expectations about how long things take.

use super::evidence::{Evidence, Life};
use super::{Finding, Scene};
use crate::plan::{Bound, Percentile};
use crate::units::{DeviceId, RequestId, Span, Time};
use crate::view::report::Latency;

pub(super) fn latency(which: Percentile, bound: Bound, scene: &Scene<'_>) -> (String, Finding) {
    let (expect, most) = match bound {
        Bound::AtMost(span) => (format!("{} at most {span}", which.name()), span.as_millis()),
        Bound::AtMostTimesTwin(factor) => {
            let twin = scene.lives().filter_map(|(request, _)| scene.twin.lives.get(&request));
            let twin = Latency::of(twin.filter_map(Life::latency)).at(which);
            (format!("{} at most {factor} × the twin's {twin:.2} ms", which.name()), factor * twin)
        }
    };
    let seen = Latency::of(scene.lives().filter_map(|(_, life)| life.latency())).at(which);
    let Some((slowest, since)) = slowest(scene, most) else {
        return (expect, Finding::broken("no answer", "every request", scene.start()));
    };
    let shown = format!("{seen:.2} ms");
    let finding =
        if seen <= most { Finding::holds(shown) } else { Finding::broken(shown, slowest, since) };
    (expect, finding)
}

/// The slowest answer and where its time went, and when the first slower than `most` was given.
fn slowest(scene: &Scene<'_>, most: f64) -> Option<(String, Time)> {
    let answered = scene.lives().filter_map(|(request, life)| {
        let latency = life.latency()?;
        Some((request, life, latency, life.accepted + latency))
    });
    let all: Vec<_> = answered.collect();
    let (request, life, latency, _) = all.iter().max_by_key(|(_, _, latency, _)| *latency)?;
    let slow = all.iter().filter(|(_, _, latency, _)| latency.as_millis() > most);
    let since = slow.map(|(.., end)| *end).min().unwrap_or(scene.start());
    let stage = life.longest.map_or(String::new(), |(stage, took)| {
        format!(", {:.2} of them in {}", took.as_millis(), scene.run.stage(stage))
    });
    let latency = latency.as_millis();
    Some((format!("slowest request #{} ({latency:.2} ms{stage})", request.0), since))
}

/// A request that was in flight when a fault struck.
struct Hit {
    request: RequestId,
    struck: Time,
    what: String,
    /// Its latency less that in the twin; none if it was not answered.
    extra_ms: Option<f64>,
}

pub(super) fn recovery(most: Span, scene: &Scene<'_>) -> (String, Finding) {
    let expect = format!("hit requests take at most {most} longer than in the twin");
    if scene.faults().next().is_none() {
        return (expect, scene.no_fault("no fault struck".to_owned()));
    }
    let hits = hits(scene);
    let lost = hits.iter().find(|hit| hit.extra_ms.is_none());
    let worst = hits.iter().filter_map(|hit| Some((hit, hit.extra_ms?)));
    let worst = worst.max_by(|(_, a), (_, b)| a.total_cmp(b));
    let place = |hit: &Hit| format!("request #{}, hit by {}", hit.request.0, hit.what);
    let finding = match (lost, worst) {
        (Some(lost), _) => Finding::broken("not answered", place(lost), lost.struck),
        (None, Some((hit, extra))) => {
            let seen = format!("{extra:+.2} ms for request #{}", hit.request.0);
            if extra > most.as_millis() {
                Finding::broken(seen, place(hit), hit.struck)
            } else {
                Finding::holds(seen)
            }
        }
        (None, None) => Finding::holds("no request was in flight"),
    };
    (expect, finding)
}

/// What each fault hit, of what the twin answered.
fn hits(scene: &Scene<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (struck, device, what) in scene.faults() {
        for (request, life) in &scene.run.lives {
            let there = scene.twin.lives.get(request).and_then(Life::latency);
            let (true, Some(there)) = (life.in_flight_at(struck), there) else { continue };
            let extra_ms = life.latency().map(|here| here.as_millis() - there.as_millis());
            let what = named(scene.run, device, what);
            hits.push(Hit { request: *request, struck, what, extra_ms });
        }
    }
    hits
}

/// `Crash on pi-3`.
fn named(run: &Evidence<'_>, device: DeviceId, what: &str) -> String {
    format!("{what} on {}", run.device(device))
}

pub(super) fn answers_again(most: Span, scene: &Scene<'_>) -> (String, Finding) {
    let expect = format!("answers again at most {most} after each fault");
    let lives = scene.run.lives.values();
    let answered = lives.filter(|life| life.latency().is_some());
    let mut ends: Vec<Time> = answered.filter_map(|life| Some(life.end.as_ref()?.0)).collect();
    ends.sort();
    let mut longest: Option<(Span, Time, String)> = None;
    for (struck, device, what) in scene.faults() {
        let what = named(scene.run, device, what);
        let Some(next) = ends.get(ends.partition_point(|end| *end <= struck)) else {
            return (expect, Finding::broken("never", format!("no answer after {what}"), struck));
        };
        if longest.as_ref().is_none_or(|(longest, ..)| *next - struck > *longest) {
            longest = Some((*next - struck, struck, what));
        }
    }
    let finding = match longest {
        None => scene.no_fault("no fault struck".to_owned()),
        Some((gap, struck, what)) if gap > most => {
            Finding::broken(format!("after {gap}"), format!("silence after {what}"), struck)
        }
        Some((gap, ..)) => Finding::holds(format!("after {gap}")),
    };
    (expect, finding)
}
