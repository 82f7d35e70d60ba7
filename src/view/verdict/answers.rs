//! Expectations about what is in the answers.

use super::evidence::Judged;
use super::loss::percent;
use super::{Finding, Scene};
use crate::units::{RequestId, Time};

pub(super) fn max_abs_error(most: f64, scene: &Scene<'_>) -> (String, Finding) {
    let expect = format!("error at most {most:.1e}");
    if !scene.run.plan.computes() {
        return (expect, not_computed());
    }
    let largest = scene.judged().map(|(_, judged)| judged.error).reduce(f64::max);
    let seen = largest.map_or("no answer".to_owned(), |error| format!("{error:.1e}"));
    let finding = match first(scene, |judged| judged.error > most) {
        Some((place, since)) => Finding::broken(seen, place, since),
        None => Finding::holds(seen),
    };
    (expect, finding)
}

pub(super) fn top1_equal(scene: &Scene<'_>) -> (String, Finding) {
    let expect = "every answer names the whole model's class".to_owned();
    if !scene.run.plan.computes() {
        return (expect, not_computed());
    }
    let same = |judged: &Judged| judged.top1 == judged.top1_of_whole;
    let seen = share(scene.judged().map(|(_, judged)| same(&judged)), "no answer");
    let finding = match first(scene, |judged| !same(judged)) {
        Some((place, since)) => Finding::broken(seen, place, since),
        None => Finding::holds(seen),
    };
    (expect, finding)
}

pub(super) fn accuracy(least: f64, scene: &Scene<'_>) -> (String, Finding) {
    let expect = format!("at least {} % right", percent(least));
    if !scene.run.plan.computes() {
        return (expect, not_computed());
    }
    let right = |judged: &Judged| judged.label.map(|label| label == judged.top1);
    let labelled: Vec<bool> = scene.judged().filter_map(|(_, judged)| right(&judged)).collect();
    let seen = share(labelled.iter().copied(), "no labelled answer");
    let count = labelled.iter().filter(|right| **right).count();
    let finding = if labelled.is_empty() {
        Finding::broken(seen, "every request", scene.start())
    } else if (count as f64) < least * labelled.len() as f64 {
        let wrong = first(scene, |judged| right(judged) == Some(false));
        let (place, since) = wrong.expect("not all are right");
        Finding::broken(seen, place, since)
    } else {
        Finding::holds(seen)
    };
    (expect, finding)
}

/// What is found of answers that are blank.
fn not_computed() -> Finding {
    Finding::unknown("answers were not computed (numerics: Skip)")
}

fn share(each: impl Iterator<Item = bool> + Clone, none: &str) -> String {
    let all = each.clone().count();
    if all == 0 {
        return none.to_owned();
    }
    format!("{:.2} %", 100.0 * each.filter(|holds| *holds).count() as f64 / all as f64)
}

/// Where and when the first such answer was given.
fn first(scene: &Scene<'_>, such: impl Fn(&Judged) -> bool) -> Option<(String, Time)> {
    let found = scene.judged().filter(|(_, judged)| such(judged));
    let (request, judged) = found.min_by_key(|(request, judged)| (judged.at, *request))?;
    Some((place(request, &judged), judged.at))
}

fn place(request: RequestId, judged: &Judged) -> String {
    let Judged { error, top1, top1_of_whole, label, .. } = judged;
    let label = label.map_or(String::new(), |label| format!(", label {label}"));
    let class = format!("class {top1}, the whole model's {top1_of_whole}{label}");
    format!("first request #{} (off by {error:.1e}; {class})", request.0)
}
