//! All chance of a run, from one seed.
//!
//! A draw is not the next number of a shared stream but a function of what it is for: (seed, purpose,
//! ids). Taking one draw away moves no other, so a run with faults and its twin without them
//! share every delay the faults did not touch: the difference between them is the faults' alone.

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Exp, LogNormal, Normal, Pareto};

use crate::units::Span;

/// The seed of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

/// What a draw is for. The numbers are part of the determinism promise: append, never renumber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Arrivals = 1,
    Inputs = 2,
    Latency = 3,
    Compute = 4,
    Fault = 5,
    Weights = 6,
}

impl Seed {
    /// The stream for one purpose and the ids that tell this draw from every other.
    pub fn stream(self, purpose: Purpose, ids: &[u64]) -> ChaCha8Rng {
        let start = split_mix(self.0 ^ split_mix(purpose as u64));
        ChaCha8Rng::seed_from_u64(ids.iter().fold(start, |state, id| split_mix(state ^ id)))
    }
}

/// SplitMix64's output function (Steele, Lea, Flood 2014): a bijection that spreads nearby inputs.
fn split_mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// How long something takes, when that is not certain. Draws are never negative.
#[derive(Clone, Debug, PartialEq)]
pub enum Delay {
    Constant(Span),
    Uniform {
        low: Span,
        high: Span,
    },
    Normal {
        mean: Span,
        sd: Span,
    },
    /// `median · exp(sigma · N(0, 1))`.
    LogNormal {
        median: Span,
        sigma: f64,
    },
    Exponential {
        mean: Span,
    },
    /// At least `scale`, with tail exponent `shape`.
    Pareto {
        scale: Span,
        shape: f64,
    },
    /// As measured, less what was measured along with it.
    Empirical {
        histogram: Arc<Histogram>,
        less: Span,
    },
}

impl Delay {
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> Span {
        const CHECKED: &str = "the parameters were checked when the file was read";
        match self {
            Self::Constant(span) => *span,
            Self::Uniform { low, high } => Span(rng.random_range(low.0..=high.0)),
            Self::Normal { mean, sd } => {
                let normal = Normal::new(mean.as_secs(), sd.as_secs()).expect(CHECKED);
                Span::from_secs(normal.sample(rng))
            }
            Self::LogNormal { median, sigma } => {
                *median * LogNormal::new(0.0, *sigma).expect(CHECKED).sample(rng)
            }
            Self::Exponential { mean } => *mean * Exp::new(1.0).expect(CHECKED).sample(rng),
            Self::Pareto { scale, shape } => {
                *scale * Pareto::new(1.0, *shape).expect(CHECKED).sample(rng)
            }
            Self::Empirical { histogram, less } => {
                Span(histogram.draw(rng).0.saturating_sub(less.0))
            }
        }
    }

    /// The smallest possible draw: what a deadline must at least leave room for.
    pub fn least(&self) -> Span {
        match self {
            Self::Constant(span) => *span,
            Self::Uniform { low, .. } => *low,
            Self::Pareto { scale, .. } => *scale,
            Self::Normal { .. } | Self::LogNormal { .. } | Self::Exponential { .. } => Span::ZERO,
            Self::Empirical { histogram, less } => {
                let least = histogram.bins.first().map_or(0, |bin| bin.low.0);
                Span(least.saturating_sub(less.0))
            }
        }
    }
}

/// A measured distribution: bins with a weight each, uniform inside a bin.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    bins: Vec<Bin>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Bin {
    low: Span,
    high: Span,
    /// The probability of this bin and all before it.
    cumulated: f64,
}

impl Histogram {
    /// From rows (low ms, high ms, density per ms); bins without weight or below zero are dropped.
    /// `None` if no weight is left.
    pub fn from_densities(rows: &[(f64, f64, f64)]) -> Option<Self> {
        let rows = rows.iter().filter(|(low, high, density)| {
            *low >= 0.0 && high > low && *density > 0.0 && high.is_finite() && density.is_finite()
        });
        let total: f64 = rows.clone().map(|(low, high, density)| (high - low) * density).sum();
        let mut cumulated = 0.0;
        let bins: Vec<Bin> = rows
            .map(|(low, high, density)| {
                cumulated += (high - low) * density / total;
                Bin { low: Span::from_millis(*low), high: Span::from_millis(*high), cumulated }
            })
            .collect();
        (!bins.is_empty()).then_some(Self { bins })
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> Span {
        let at: f64 = rng.random();
        let place = self.bins.partition_point(|bin| bin.cumulated <= at).min(self.bins.len() - 1);
        let bin = self.bins[place];
        Span(rng.random_range(bin.low.0..bin.high.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(delay: &Delay) -> f64 {
        let draws = 20_000u64;
        let draw = |i| delay.draw(&mut Seed(7).stream(Purpose::Latency, &[i])).as_millis();
        (0..draws).map(draw).sum::<f64>() / draws as f64
    }

    #[test]
    fn delays_have_the_mean_they_say() {
        let ms = Span::from_millis;
        let cases = [
            (Delay::Constant(ms(3.0)), 3.0),
            (Delay::Uniform { low: ms(1.0), high: ms(5.0) }, 3.0),
            (Delay::Normal { mean: ms(30.0), sd: ms(3.0) }, 30.0),
            (Delay::LogNormal { median: ms(10.0), sigma: 0.5 }, 10.0 * (0.125f64).exp()),
            (Delay::Exponential { mean: ms(4.0) }, 4.0),
            (Delay::Pareto { scale: ms(2.0), shape: 4.0 }, 2.0 * 4.0 / 3.0),
        ];
        for (delay, want) in cases {
            let got = mean(&delay);
            assert!((got / want - 1.0).abs() < 0.03, "{delay:?}: {got} ms, expected {want} ms");
        }
    }

    #[test]
    fn a_histogram_is_drawn_in_proportion_to_its_densities() {
        let rows = [(-5.0, 0.0, 1.0), (0.0, 10.0, 0.03), (10.0, 20.0, 0.0), (20.0, 30.0, 0.01)];
        let histogram = Arc::new(Histogram::from_densities(&rows).expect("weight"));
        let delay = Delay::Empirical { histogram: histogram.clone(), less: Span::ZERO };
        assert!((mean(&delay) - (0.75 * 5.0 + 0.25 * 25.0)).abs() < 0.2);
        let shifted = Delay::Empirical { histogram, less: Span::from_millis(10.0) };
        assert!((mean(&shifted) - 0.25 * 15.0).abs() < 0.2, "draws below it are zero");
        assert_eq!(Histogram::from_densities(&[(0.0, 1.0, 0.0)]), None, "nothing to draw from");
    }

    #[test]
    fn a_draw_depends_on_its_ids_and_on_nothing_else() {
        let draw = |ids: &[u64]| Seed(1).stream(Purpose::Fault, ids).random::<u64>();
        assert_eq!(draw(&[1, 2]), draw(&[1, 2]));
        assert_ne!(draw(&[1, 2]), draw(&[2, 1]));
        assert_ne!(draw(&[1]), Seed(2).stream(Purpose::Fault, &[1]).random::<u64>());
    }
}
