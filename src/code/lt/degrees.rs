//! How many row blocks a coded block is the sum of, and which.

use rand::RngExt;
use rand::seq::index::sample;

use crate::code::Mixture;
use crate::maths::chance::{Purpose, Seed};

/// The robust soliton distribution over degrees 1 … K (Luby 2002, Definition 11), as cumulated
/// probabilities, and a factor that its draws are multiplied by.
#[derive(Clone, Debug)]
pub struct Degrees {
    cumulated: Vec<f64>,
    stretch: f64,
}

/// With c = 0.03 and δ = 0.5, as is usual: `R = c ln(K/δ) √K`, `ρ(1) = 1/K`, `ρ(d) = 1/d(d−1)`,
/// `τ(d) = R/dK` below K/R, `τ(K/R) = R ln(R/δ)/K`; degrees are drawn from ρ + τ, normed.
pub fn stretched_soliton(sources: usize, stretch: f64) -> Degrees {
    let (c, delta, k) = (0.03, 0.5, sources as f64);
    let r = c * (k / delta).ln() * k.sqrt();
    let spike = (k / r).round().clamp(1.0, k) as usize;
    let weight = |degree: usize| {
        let d = degree as f64;
        let rho = if degree == 1 { 1.0 / k } else { 1.0 / (d * (d - 1.0)) };
        let tau = match degree.cmp(&spike) {
            std::cmp::Ordering::Less => r / (d * k),
            std::cmp::Ordering::Equal => r * (r / delta).ln().max(0.0) / k,
            std::cmp::Ordering::Greater => 0.0,
        };
        rho + tau
    };
    let total: f64 = (1..=sources).map(weight).sum();
    let cumulated = (1..=sources).scan(0.0, |sum, degree| {
        *sum += weight(degree) / total;
        Some(*sum)
    });
    Degrees { cumulated: cumulated.collect(), stretch }
}

impl Degrees {
    /// The degree that a number in [0, 1) draws.
    pub fn draw(&self, chance: f64) -> usize {
        let sources = self.cumulated.len();
        let degree = self.cumulated.partition_point(|sum| *sum <= chance).min(sources - 1) + 1;
        ((degree as f64 * self.stretch).round() as usize).clamp(1, sources)
    }

    /// A sum of sources drawn at random, each with a random sign: sums of one sign are alike, which
    /// amplifies rounding where they are told from each other.
    pub(super) fn sum(&self, seed: u64, what: [usize; 4]) -> Mixture {
        let mut rng = Seed(seed).stream(Purpose::Code, &what.map(|id| id as u64));
        let degree = self.draw(rng.random_range(0.0..1.0));
        let mut sources = sample(&mut rng, self.cumulated.len(), degree).into_vec();
        sources.sort_unstable();
        sources.into_iter().map(|at| (at, if rng.random_bool(0.5) { 1.0 } else { -1.0 })).collect()
    }
}
