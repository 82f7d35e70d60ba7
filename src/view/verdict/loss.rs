//! Expectations about lost requests.

use super::super::worth;
use super::evidence::Life;
use super::{Finding, Scene};
use crate::event::Worth;
use crate::units::{RequestId, Time};

pub(super) fn none(scene: &Scene<'_>) -> (String, Finding) {
    let (answered, accepted) = counts(scene);
    let seen = format!("{answered} of {accepted} answered{}", inexact(scene));
    let finding = match first_failure(scene, |_| true) {
        Some((place, since)) => Finding::broken(seen, place, since),
        None => unless_empty(accepted, seen, scene),
    };
    ("no request lost".to_owned(), finding)
}

pub(super) fn answered(least: f64, scene: &Scene<'_>) -> (String, Finding) {
    let (answered, accepted) = counts(scene);
    let share = answered as f64 / accepted.max(1) as f64;
    let seen = format!("{} % ({answered} of {accepted}){}", percent(share), inexact(scene));
    let finding = match first_failure(scene, |_| true) {
        Some((place, since)) if share < least => Finding::broken(seen, place, since),
        _ => unless_empty(accepted, seen, scene),
    };
    (format!("at least {} % answered", percent(least)), finding)
}

pub(super) fn fails_with(words: &str, scene: &Scene<'_>) -> (String, Finding) {
    let failures = scene.lives().filter_map(|(_, life)| life.failure());
    let failed = failures.clone().count();
    let told = failures.filter(|(_, reason)| reason.contains(words)).count();
    let seen = format!("{failed} failed, {told} of them so");
    let finding = match first_failure(scene, |reason| !reason.contains(words)) {
        Some((place, since)) => Finding::broken(seen, place, since),
        None if failed == 0 => Finding::broken(seen, "every request", scene.start()),
        None => Finding::holds(seen),
    };
    (format!("some requests fail, each with \"{words}\""), finding)
}

/// A part of a run in which nothing was asked shows nothing.
fn unless_empty(accepted: usize, seen: String, scene: &Scene<'_>) -> Finding {
    if accepted > 0 {
        return Finding::holds(seen);
    }
    Finding::broken(seen, "no request was accepted", scene.start())
}

/// As few digits as tell the share, but never fewer than one.
pub(super) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if (percent * 10.0).fract().abs() < 1e-9 {
        format!("{percent:.1}")
    } else {
        format!("{percent:.2}")
    }
}

/// How many of the answers are not exact, in words.
fn inexact(scene: &Scene<'_>) -> String {
    let count = |worth| scene.lives().filter(|(_, life)| life.worth == worth).count();
    worth::of_answers(count(Worth::Approximate), count(Worth::Estimate))
}

fn counts(scene: &Scene<'_>) -> (usize, usize) {
    let lives = || scene.lives();
    (lives().filter(|(_, life)| life.latency().is_some()).count(), lives().count())
}

/// Where and when the first request failed for a reason of that kind.
fn first_failure(scene: &Scene<'_>, kind: impl Fn(&str) -> bool) -> Option<(String, Time)> {
    let failed = scene.lives().filter_map(|(request, life)| {
        let (at, reason) = life.failure()?;
        kind(reason).then_some((at, request, life))
    });
    let (at, request, life) = failed.min_by_key(|(at, request, _)| (*at, *request))?;
    Some((failure(scene, request, life), at))
}

/// `request #3 in fc1: stage fc1 is unrecoverable …`.
fn failure(scene: &Scene<'_>, request: RequestId, life: &Life) -> String {
    let stage = life.round.map_or(String::new(), |(s, _)| format!(" in {}", scene.run.stage(s)));
    let reason = life.failure().map_or("", |(_, reason)| reason);
    format!("first request #{}{stage} ({reason})", request.0)
}
