//! The search for good ways through a model: times of layers add up, so the best few ways to each layer
//! lead to the best few to the next.

use std::collections::BTreeSet;
use std::ops::Range;

use super::draws::DRAWS;
use super::offer::Offer;
use crate::plan::Part;
use crate::units::{Bytes, DeviceId};
use crate::view::advice::Measured;

/// What is wished to be small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    Mean,
    P99,
}

impl Aim {
    /// Of what was measured, in milliseconds; infinite if a request was lost.
    pub(super) fn of(self, measured: &Measured) -> f64 {
        match self {
            _ if measured.answered < 1.0 => f64::INFINITY,
            Self::Mean => measured.mean_ms,
            Self::P99 => measured.p99_ms,
        }
    }
}

/// Offers, one after the other, for all layers.
pub(super) type Path = Vec<usize>;

pub(super) struct Search<'o> {
    pub(super) offers: &'o [Offer],
    pub(super) layers: usize,
    /// What comes after the last layer.
    pub(super) tail_ms: f64,
    pub(super) aim: Aim,
    /// Of each device.
    pub(super) memory: Vec<Bytes>,
}

/// So many ways to each layer are kept.
const KEPT: usize = 8;
/// How much of its devices' computing counts as time: what is still computed for a request that is answered
/// keeps the next one waiting, which times in an idle fleet do not show.
const BURDENS: [f64; 3] = [0.0, 0.1, 0.5];
/// What memory costs, in requests' time for all of a device's: dearer until something fits.
const MEMORY_PRICES: [f64; 5] = [0.0, 0.1, 1.0, 10.0, 1000.0];
/// The normal distribution's.
const P99_DEVIATIONS: f64 = 2.33;

impl Search<'_> {
    /// The most promising ways through all layers by offers that are allowed, the best first.
    pub(super) fn promising(&self, allowed: &dyn Fn(&Offer) -> bool) -> Vec<Path> {
        let found = MEMORY_PRICES.iter().map(|price| self.sorted(self.found(allowed, *price)));
        found.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
    }

    /// The best by several measures, where filling a device's memory costs as much as so many requests.
    fn found(&self, allowed: &dyn Fn(&Offer) -> bool, price: f64) -> BTreeSet<Path> {
        let all = 0..self.layers;
        let fastest = self.best(&all, allowed, &|offer| offer.mean);
        let Some(fastest) = fastest.first() else { return BTreeSet::new() };
        let price = price * fastest.iter().map(|at| self.offers[*at].mean).sum::<f64>();
        // The slope of mean + 2.33 · sd at the fastest one's variance.
        let variance: f64 = fastest.iter().map(|at| self.offers[*at].variance).sum();
        let slope = P99_DEVIATIONS / (2.0 * variance.sqrt().max(f64::MIN_POSITIVE));
        let slopes: &[f64] = if self.aim == Aim::P99 { &[0.0, slope] } else { &[0.0] };
        let mut found = BTreeSet::new();
        for (burden, slope) in BURDENS.iter().flat_map(|b| slopes.iter().map(move |s| (b, s))) {
            found.extend(self.best(&all, allowed, &|offer| {
                let memory = if price > 0.0 { price * self.crowding(offer) } else { 0.0 };
                offer.mean + slope * offer.variance + burden * offer.load + memory
            }));
        }
        found
    }

    /// The largest part of a device's memory that an offer takes.
    fn crowding(&self, offer: &Offer) -> f64 {
        let part = |(device, bytes): &(DeviceId, Bytes)| {
            bytes.0 as f64 / self.memory[device.0].0.max(1) as f64
        };
        offer.held.iter().map(part).fold(0.0, f64::max)
    }

    /// Whether every device has memory for what it would hold.
    fn fits(&self, path: &Path) -> bool {
        let mut left = self.memory.clone();
        let mut held = path.iter().flat_map(|at| &self.offers[*at].held);
        held.all(|(device, bytes)| {
            let left = &mut left[device.0].0;
            left.checked_sub(bytes.0).map(|less| *left = less).is_some()
        })
    }

    /// Ways that differ from this one in one offer, or have one for two or two for one.
    pub(super) fn neighbours(&self, path: &Path, allowed: &dyn Fn(&Offer) -> bool) -> Vec<Path> {
        let mut found = BTreeSet::new();
        for from in 0..path.len() {
            for to in from + 1..=path.len().min(from + 2) {
                let range =
                    self.offers[path[from]].layers.start..self.offers[path[to - 1]].layers.end;
                for between in self.best(&range, allowed, &|offer| offer.mean) {
                    found.insert([&path[..from], &between, &path[to..]].concat());
                }
            }
        }
        found.remove(path);
        self.sorted(found)
    }

    fn sorted(&self, found: BTreeSet<Path>) -> Vec<Path> {
        let mut found: Vec<(f64, Path)> = found
            .into_iter()
            .filter(|path| self.fits(path))
            .map(|path| (self.estimate(&path), path))
            .collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.into_iter().map(|(_, path)| path).collect()
    }

    /// The best few ways through a range of layers, by a score that adds up.
    fn best(
        &self,
        range: &Range<usize>,
        allowed: &dyn Fn(&Offer) -> bool,
        score: &dyn Fn(&Offer) -> f64,
    ) -> Vec<Path> {
        let mut ways: Vec<Vec<(f64, Path)>> = vec![Vec::new(); range.len() + 1];
        ways[0].push((0.0, Path::new()));
        for here in range.clone() {
            let behind = std::mem::take(&mut ways[here - range.start]);
            let begin = |(_, offer): &(usize, &Offer)| {
                offer.layers.start == here && offer.layers.end <= range.end && allowed(offer)
            };
            for (at, offer) in self.offers.iter().enumerate().filter(begin) {
                let ahead = &mut ways[offer.layers.end - range.start];
                let score = score(offer);
                ahead.extend(
                    behind
                        .iter()
                        .map(|(so_far, path)| (so_far + score, [&path[..], &[at]].concat())),
                );
                ahead.sort_by(|a, b| a.0.total_cmp(&b.0));
                ahead.truncate(KEPT);
            }
        }
        ways.pop().unwrap_or_default().into_iter().map(|(_, path)| path).collect()
    }

    /// What is aimed at, in milliseconds, in an idle fleet.
    pub(super) fn estimate(&self, path: &Path) -> f64 {
        let time = |draw: usize| {
            self.tail_ms + path.iter().map(|at| self.offers[*at].times[draw]).sum::<f64>()
        };
        let mut times: Vec<f64> = (0..DRAWS).map(time).collect();
        match self.aim {
            Aim::Mean => times.iter().sum::<f64>() / times.len() as f64,
            Aim::P99 => {
                times.sort_by(f64::total_cmp);
                times[(0.99 * times.len() as f64) as usize]
            }
        }
    }

    pub(super) fn parts(&self, path: &Path) -> Vec<Part> {
        path.iter().map(|at| self.offers[*at].part.clone()).collect()
    }
}
