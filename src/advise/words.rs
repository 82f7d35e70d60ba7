//! Classes of choices and what they are called, and what is said of the one that is proposed.

use super::Aim;
use super::choose::Way;
use super::offer::{Kind, Offer};
use crate::plan::topology::SplitFile;
use crate::plan::{Draft, Part, Way as Run};
use crate::units::DeviceId;
use crate::view::advice::StageAdvice;

/// Choices of one kind, of which the best is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Each layer as it is best.
    Free,
    Local,
    Whole,
    Copies,
    Coded,
    Plain,
}

impl Class {
    /// Those that may lose devices; the first finds the best of all.
    pub(super) const REDUNDANT: [Self; 5] =
        [Self::Free, Self::Coded, Self::Copies, Self::Whole, Self::Local];

    /// Whether an offer is of the class: a layer that cannot be run so is left to the supervisor.
    pub(super) fn allows(self, offer: &Offer, all: &[Offer], layers: usize) -> bool {
        let cannot = |kind| !all.iter().any(|o| o.kind == kind && o.layers == offer.layers);
        let either = |kind| offer.kind == kind || (offer.kind == Kind::Local && cannot(kind));
        match self {
            Self::Free => true,
            Self::Local => offer.kind == Kind::Local,
            Self::Whole => offer.kind == Kind::Whole && offer.layers.len() == layers,
            Self::Copies => either(Kind::Copies),
            Self::Coded => either(Kind::Coded),
            Self::Plain => either(Kind::Plain),
        }
    }

    pub(super) fn title(self, parts: &[Part]) -> String {
        match self {
            Self::Free => summary(parts),
            Self::Local => "all with the supervisor".to_owned(),
            Self::Whole => "run whole, copies of it".to_owned(),
            Self::Copies => "copies of every layer".to_owned(),
            Self::Coded => "every layer coded".to_owned(),
            Self::Plain => "split without a code".to_owned(),
        }
    }
}

/// What kinds of parts there are, and how many layers of each: `2 coded, 1 local`.
pub(super) fn summary(parts: &[Part]) -> String {
    let count = |kind| {
        let of_kind = parts.iter().filter(|part| Kind::of(&part.way) == kind);
        of_kind.map(|part| part.layers.len()).sum::<usize>()
    };
    let kinds = [
        (Kind::Coded, "coded"),
        (Kind::Plain, "split"),
        (Kind::Copies, "copied"),
        (Kind::Whole, "run whole"),
        (Kind::Local, "local"),
    ];
    let counted = kinds.map(|(kind, word)| (count(kind), word));
    let told = counted.iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = told.map(|(count, word)| format!("{count} {word}")).collect();
    format!("layers: {}", told.join(", "))
}

/// What is proposed, layer by layer, with what was expected of each.
pub(super) fn stages(draft: &Draft, parts: &[Part], offers: &[Offer]) -> Vec<StageAdvice> {
    let names = |devices: &[DeviceId]| -> Vec<String> {
        devices.iter().map(|device| draft.devices()[device.0].name.clone()).collect()
    };
    let stage = |part: &Part| {
        let (how, devices) = match &part.way {
            Run::Local => ("with the supervisor".to_owned(), Vec::new()),
            Run::Whole { on } if on.len() == 1 => ("whole".to_owned(), names(on)),
            Run::Whole { on } => (format!("whole, {} copies", on.len()), names(on)),
            Run::Coded { code, split, on } => {
                let name = code.code().map_or_else(|_| code.to_string(), |code| code.name());
                match split {
                    SplitFile::Output => (name, names(on)),
                    SplitFile::Spatial => (format!("{name} in strips"), names(on)),
                }
            }
        };
        let expected_ms =
            offers.iter().find(|offer| offer.part == *part).map_or(0.0, |offer| offer.mean);
        StageAdvice { layers: part.layers.clone(), how, devices, expected_ms }
    };
    let mut stages: Vec<StageAdvice> = Vec::new();
    for part in parts {
        let next = stage(part);
        match stages.last_mut() {
            // The supervisor does what follows each other in one go.
            Some(last) if last.devices.is_empty() && next.devices.is_empty() => {
                last.layers.extend(next.layers);
                last.expected_ms += next.expected_ms;
            }
            _ => stages.push(next),
        }
    }
    stages
}

/// Whether a code pays, against the best that has none.
pub(super) fn verdict(ways: &[Way], proposed: usize, aim: Aim) -> String {
    let is_coded = |way: &Way| way.parts.iter().any(|part| Kind::of(&part.way) == Kind::Coded);
    let rivals = ways.iter().filter(|way| way.class != Class::Plain);
    let best = |coded: bool| {
        let of_sort = rivals.clone().filter(|way| is_coded(way) == coded);
        of_sort.min_by(|a, b| score(a, aim).total_cmp(&score(b, aim)))
    };
    let what = match aim {
        Aim::Mean => "on average",
        Aim::P99 => "at p99",
    };
    match (best(true), best(false)) {
        (Some(coded), Some(plain)) => {
            let (with, without) = (score(coded, aim), score(plain, aim));
            let name = without_code(plain);
            let gain = 100.0 * (1.0 - with.min(without) / with.max(without));
            match is_coded(&ways[proposed]) {
                true => format!(
                    "A code pays: {with:.2} ms {what} against {without:.2} for {name}, {gain:.0} % less."
                ),
                false => format!(
                    "No code pays here: {name} takes {without:.2} ms {what}, {gain:.0} % less than the \
                     best with a code."
                ),
            }
        }
        (Some(_), None) => "Only with a code can this fleet carry it.".to_owned(),
        (None, _) => {
            "No layer can be coded on this fleet: copies are all there is that is exact. Where \
             approximate answers will do, Berrut or Spline code the inputs of a batch of requests."
                .to_owned()
        }
    }
}

fn score(way: &Way, aim: Aim) -> f64 {
    aim.of(&way.told.measured)
}

/// What a choice without a code does, in words that go into a sentence.
fn without_code(way: &Way) -> &'static str {
    let has = |kind| way.parts.iter().any(|part| Kind::of(&part.way) == kind);
    match (has(Kind::Copies), has(Kind::Whole)) {
        (false, false) => "the supervisor alone",
        (true, false) => "copying layers",
        (false, true) => "running layers whole on several devices",
        (true, true) => "copying layers and running some whole",
    }
}

/// Whether a target is met, and by how many devices.
pub(super) fn target(best: &Way, target: f64, met: bool) -> String {
    let measured = &best.told.measured;
    let p99 = measured.p99_ms;
    let devices = match measured.devices {
        0 => "no device at all".to_owned(),
        1 => "1 device".to_owned(),
        n => format!("{n} devices"),
    };
    match met {
        true => format!(
            "A p99 of {target} ms is met with {devices}: {p99:.2} ms. With fewer none was found that does."
        ),
        false => {
            format!(
                "A p99 of {target} ms is not met; the best found, on {devices}, is {p99:.2} ms."
            )
        }
    }
}
