//! What is varied of a drawn fleet: strips, rateless layers, batches, estimates; and whether requests share
//! rounds.
//!
//! Drawn from streams of their own, and often nothing: whatever else a seed means it means with and without.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::draw::Base;
use crate::code::tolerance;
use crate::maths::chance::{Purpose, Seed};
use crate::plan::{CodeFile, FormFile};

pub(super) struct Varied {
    rng: ChaCha8Rng,
    /// Whether convolutions are split in strips.
    strips: bool,
    /// Whether rounds with too few replies are answered with a guess.
    estimates: bool,
    way: Way,
    /// How many requests go together at most, and how many milliseconds one waits for others.
    gather: Option<(usize, u64)>,
}

#[derive(Clone, Copy)]
enum Way {
    AsDrawn,
    /// One layer is rateless.
    Rateless,
    /// The inputs of batches are coded.
    Batches,
}

/// An entry of `stages`.
pub(super) struct Own {
    pub(super) entry: String,
    pub(super) tolerates: usize,
    /// What the only stage there is then is called, if it is for all layers.
    pub(super) only: Option<String>,
}

impl Varied {
    pub(super) fn draw(seed: u64) -> Self {
        let mut rng = Seed(seed).stream(Purpose::Swarm, &[VARIED]);
        let varies = rng.random_bool(0.5);
        let strips = varies && rng.random_bool(0.5);
        let estimates = varies && rng.random_bool(0.5);
        let way = match rng.random_range(0..3) {
            1 if varies => Way::Rateless,
            2 if varies => Way::Batches,
            _ => Way::AsDrawn,
        };
        let mut gathers = Seed(seed).stream(Purpose::Swarm, &[GATHERED]);
        let gather = gathers.random_bool(0.3);
        let gather = gather.then(|| (gathers.random_range(2..=6), gathers.random_range(0..=40)));
        Self { rng, strips, estimates, way, gather }
    }

    /// By how much more often requests come, and how many more: where they are to share rounds they must meet.
    pub(super) fn crowd(&self) -> usize {
        if self.gather.is_some() { 4 } else { 1 }
    }

    /// What is added to `coding`.
    pub(super) fn split(&self) -> &'static str {
        if self.strips { ", split: Spatial" } else { "" }
    }

    /// What is added to `policy`. Of a rateless layer it limits how far rounding may be amplified: as far as
    /// policies allow if they do not say, rounding could not be told from a wrong answer.
    pub(super) fn policy(&self) -> String {
        let mut said = if self.estimates { ", below: Estimate" } else { "" }.to_owned();
        if let Some((most, within)) = self.gather {
            said += &format!(", gather: (most: {most}, within: \"{within}ms\")");
        }
        match self.way {
            Way::Rateless => format!(", worst_condition: {WORST_CONDITION:e}{said}"),
            Way::AsDrawn | Way::Batches => said,
        }
    }

    /// An entry for n devices.
    pub(super) fn stages(&self, base: &Base, n: usize) -> Option<Own> {
        let rng = &mut self.rng.clone();
        match self.way {
            Way::AsDrawn => None,
            Way::Rateless => rateless(rng, base, n),
            Way::Batches => Some(batches(rng, base, n)),
        }
    }
}

/// Not to be drawn for anything else of the swarm.
const VARIED: u64 = 1;
const GATHERED: u64 = 2;

/// None if what is drawn amplifies too much even with every block in hand, which a plan refuses.
fn rateless(rng: &mut ChaCha8Rng, base: &Base, n: usize) -> Option<Own> {
    let k = rng.random_range(n.div_ceil(2)..=n);
    let blocks = rng.random_range(2..=16);
    let is_mixed = k < n && rng.random_bool(0.5);
    let form = if is_mixed { FormFile::Mixed } else { FormFile::Systematic };
    let code = CodeFile::Lt { n, k, blocks, form };
    let layer = &base.layer;
    let entry = format!("(layers: [{layer:?}], code: {code})");
    let drawn = code.code().expect("k ≤ n ≤ 8, and at most 128 blocks");
    let fitted = drawn.fitted(base.rows, WORST_CONDITION).unwrap_or(drawn);
    let tolerates = tolerance(fitted.as_ref(), WORST_CONDITION)?;
    Some(Own { entry, tolerates, only: None })
}

/// Of fleets with a rateless layer; as in `topologies/lenet5-rateless.ron`.
const WORST_CONDITION: f64 = 2e3;

fn batches(rng: &mut ChaCha8Rng, base: &Base, n: usize) -> Own {
    let k = rng.random_range(n.div_ceil(2)..=n);
    let curve = if rng.random_bool(0.5) { "Berrut" } else { "Spline" };
    let within = rng.random_range(1..=40);
    let layers = &base.layers;
    let entry = format!(
        "(layers: {layers:?}, run: Whole, code: {curve}(n: {n}, k: {k}), batch: (within: \"{within}ms\"))"
    );
    let name = |layer: Option<&String>| layer.cloned().unwrap_or_default();
    let only = format!("{}..{}", name(layers.first()), name(layers.last()));
    Own { entry, tolerates: n - k, only: Some(only) }
}
