//! How long something takes, when that is not certain: the distributions, as drawn and as written.

use std::fmt;
use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Exp, LogNormal, Normal, Pareto};
use serde::Deserialize;

use crate::units::Span;

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

    /// The median.
    pub fn middle(&self) -> Span {
        match self {
            Self::Constant(span) => *span,
            Self::Uniform { low, high } => Span(low.0 / 2 + high.0 / 2),
            Self::Normal { mean, .. } => *mean,
            Self::LogNormal { median, .. } => *median,
            Self::Exponential { mean } => *mean * std::f64::consts::LN_2,
            Self::Pareto { scale, shape } => *scale * 2f64.powf(1.0 / shape),
            Self::Empirical { histogram, less } => {
                let bin = histogram.bins.iter().find(|bin| bin.cumulated >= 0.5);
                Span(bin.map_or(0, |bin| bin.low.0).saturating_sub(less.0))
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

/// A delay as a file says it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename = "Delay", deny_unknown_fields)]
pub enum WrittenDelay {
    Constant(Span),
    Uniform {
        low: Span,
        high: Span,
    },
    Normal {
        mean: Span,
        sd: Span,
    },
    LogNormal {
        median: Span,
        sigma: f64,
    },
    Exponential {
        mean: Span,
    },
    Pareto {
        scale: Span,
        shape: f64,
    },
    /// A CSV of low ms, high ms, density per ms, with a header line.
    Empirical {
        csv: String,
        /// Taken off every draw: what was measured along with the delay.
        #[serde(default)]
        less: Span,
    },
}

/// Why a written parameter has no meaning, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub message: String,
    pub fix: String,
}

impl Refusal {
    pub fn new(message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { message: message.into(), fix: fix.into() }
    }
}

impl WrittenDelay {
    /// Gives it its meaning; `read` gives the text of a file that it names.
    ///
    /// # Errors
    /// If a parameter has none, or the file is no histogram.
    pub fn load(&self, read: &dyn Fn(&str) -> Result<String, String>) -> Result<Delay, Refusal> {
        match self {
            Self::Constant(span) => Ok(Delay::Constant(*span)),
            Self::Uniform { low, high } if low > high => {
                Err(Refusal::new(format!("low {low} is above high {high}"), "swap them"))
            }
            Self::Uniform { low, high } => Ok(Delay::Uniform { low: *low, high: *high }),
            Self::Normal { mean, sd } => Ok(Delay::Normal { mean: *mean, sd: *sd }),
            Self::LogNormal { median, sigma } if sigma.is_finite() && *sigma >= 0.0 => {
                Ok(Delay::LogNormal { median: *median, sigma: *sigma })
            }
            Self::LogNormal { sigma, .. } => Err(Refusal::new(
                format!("sigma {sigma} is no deviation"),
                "give a number from 0 up",
            )),
            Self::Exponential { mean } => Ok(Delay::Exponential { mean: *mean }),
            Self::Pareto { scale, shape } if shape.is_finite() && *shape > 0.0 => {
                Ok(Delay::Pareto { scale: *scale, shape: *shape })
            }
            Self::Pareto { shape, .. } => Err(Refusal::new(
                format!("shape {shape} is no tail exponent"),
                "give a positive number",
            )),
            Self::Empirical { csv, less } => {
                let histogram = read(csv).and_then(|text| Histogram::parse(&text));
                let histogram = Arc::new(histogram.map_err(|why| {
                    Refusal::new(
                        format!("\"{csv}\" cannot be used: {why}"),
                        "name a CSV of low ms, high ms, density per ms, with a header line",
                    )
                })?);
                Ok(Delay::Empirical { histogram, less: *less })
            }
        }
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(span) => write!(f, "{span}"),
            Self::Uniform { low, high } => write!(f, "{low} to {high}"),
            Self::Normal { mean, sd } => write!(f, "normal, mean {mean}, sd {sd}"),
            Self::LogNormal { median, sigma } => write!(f, "lognormal, median {median}, σ {sigma}"),
            Self::Exponential { mean } => write!(f, "exponential, mean {mean}"),
            Self::Pareto { scale, shape } => write!(f, "Pareto, scale {scale}, shape {shape}"),
            Self::Empirical { .. } => f.write_str("as measured"),
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
    /// From rows (low ms, high ms, density per ms); bins without weight, below zero or narrower than
    /// a nanosecond are dropped. `None` if no weight is left.
    pub fn from_densities(rows: &[(f64, f64, f64)]) -> Option<Self> {
        let rows = rows.iter().filter(|(low, high, density)| {
            let wide = Span::from_millis(*low) < Span::from_millis(*high);
            *low >= 0.0 && wide && *density > 0.0 && high.is_finite() && density.is_finite()
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

    /// From a CSV of low ms, high ms, density per ms, with a header line.
    ///
    /// # Errors
    /// If a line is not three numbers, or no bin has any weight.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut rows = Vec::new();
        let lines = text.lines().enumerate().skip(1);
        for (at, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            let numbers: Vec<f64> = line.split(',').filter_map(|n| n.trim().parse().ok()).collect();
            let [low, high, density] = numbers[..] else {
                return Err(format!("line {} is not three numbers", at + 1));
            };
            rows.push((low, high, density));
        }
        Self::from_densities(&rows).ok_or_else(|| "no bin has any weight".to_owned())
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
    use crate::maths::chance::{Purpose, Seed};

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
}
