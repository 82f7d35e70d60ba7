//! Corrupt: the device answers in time, and wrongly. The value faults of distributed systems
//! (Byzantine, but not scheming): no transport checksum sees them.

use std::fmt;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::Deserialize;

use super::{Misfortune, Past, Read, ResultOf, always, probability};
use crate::maths::Tensor;
use crate::maths::delay::Refusal;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corrupt {
    pub how: How,
    /// How often a result is spoiled.
    #[serde(default = "always")]
    pub probability: f64,
}

/// How a result is spoiled.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub enum How {
    /// One bit of one number is flipped; any of the 32.
    BitFlip,
    /// All numbers are multiplied.
    Scale(f64),
    /// Gaussian noise is added, with so many times the root mean square of the result.
    Noise(f64),
    /// One number is none.
    Nan,
    /// The result is that of an earlier request.
    Stale,
    /// The result is that of another share of the stage.
    Swap,
}

impl Misfortune for Corrupt {
    fn load(&mut self, _: Read<'_>) -> Result<(), Refusal> {
        match self.how {
            How::Scale(by) if !by.is_finite() => {
                Err(Refusal::new(format!("{by} is no factor"), "give a finite number"))
            }
            How::Noise(sd) if !(sd.is_finite() && sd >= 0.0) => {
                Err(Refusal::new(format!("{sd} is no deviation"), "give a number from 0 up"))
            }
            How::BitFlip | How::Scale(_) | How::Noise(_) | How::Nan | How::Stale | How::Swap => {
                probability(self.probability)
            }
        }
    }

    fn needs_the_past(&self) -> bool {
        matches!(self.how, How::Stale | How::Swap)
    }

    fn result(&self, past: &Past, of: ResultOf, rng: &mut ChaCha8Rng, result: &mut Vec<Tensor>) {
        if !rng.random_bool(self.probability) {
            return;
        }
        match self.how {
            How::BitFlip => spoil_one(rng, result, |rng, x| {
                f32::from_bits(x.to_bits() ^ 1 << rng.random_range(0..32u32))
            }),
            How::Nan => spoil_one(rng, result, |_, _| f32::NAN),
            How::Scale(by) => {
                result.iter_mut().for_each(|tensor| tensor.mapv_inplace(|x| x * by as f32));
            }
            How::Noise(sd) => result.iter_mut().for_each(|tensor| add_noise(rng, tensor, sd)),
            How::Stale => replace(result, past.last(of)),
            How::Swap => replace(result, past.other(of)),
        }
    }
}

fn spoil_one(
    rng: &mut ChaCha8Rng,
    result: &mut [Tensor],
    spoil: impl Fn(&mut ChaCha8Rng, f32) -> f32,
) {
    let len = result.iter().map(Tensor::len).sum::<usize>();
    if len == 0 {
        return;
    }
    let at = rng.random_range(0..len);
    let element = result.iter_mut().flatten().nth(at).expect("within its length");
    *element = spoil(rng, *element);
}

fn add_noise(rng: &mut ChaCha8Rng, tensor: &mut Tensor, sd: f64) {
    let squares: f64 = tensor.iter().map(|x| f64::from(*x).powi(2)).sum();
    let scale = sd * (squares / tensor.len().max(1) as f64).sqrt();
    tensor.mapv_inplace(|x| {
        let noise: f64 = StandardNormal.sample(rng);
        x + (scale * noise) as f32
    });
}

/// Only a result of the same shapes is plausible.
fn replace(result: &mut Vec<Tensor>, by: Option<&Vec<Tensor>>) {
    let shapes = |tensors: &[Tensor]| -> Vec<Vec<usize>> {
        tensors.iter().map(|tensor| tensor.shape().to_vec()).collect()
    };
    if let Some(by) = by.filter(|by| shapes(by) == shapes(result)) {
        result.clone_from(by);
    }
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Corrupt({:?})", self.how)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maths::chance::{Purpose, Seed};
    use crate::units::StageId;
    use ndarray::IxDyn;

    const HERE: ResultOf = ResultOf { stage: StageId(1), share: 2 };

    fn numbers(of: &[f32]) -> Vec<Tensor> {
        vec![Tensor::from_shape_vec(IxDyn(&[of.len()]), of.to_vec()).expect("its own length")]
    }

    fn spoiled(how: How, past: &Past) -> Vec<f32> {
        let mut result = numbers(&[1.0, 2.0, 3.0, 4.0]);
        let corrupt = Corrupt { how, probability: 1.0 };
        corrupt.result(past, HERE, &mut Seed(5).stream(Purpose::Fault, &[]), &mut result);
        result[0].iter().copied().collect()
    }

    #[test]
    fn each_way_to_lie_does_what_it_says() {
        let mut past = Past::default();
        past.record(HERE, numbers(&[9.0; 4]));
        past.record(ResultOf { share: 3, ..HERE }, numbers(&[7.0; 4]));
        assert_eq!(spoiled(How::Scale(2.0), &past), [2.0, 4.0, 6.0, 8.0]);
        assert_eq!(spoiled(How::Stale, &past), [9.0; 4]);
        assert_eq!(spoiled(How::Swap, &past), [7.0; 4]);
        assert_eq!(spoiled(How::Nan, &past).iter().filter(|x| x.is_nan()).count(), 1);
        let plain = [1.0f32, 2.0, 3.0, 4.0];
        let flipped = spoiled(How::BitFlip, &past);
        let bits =
            plain.iter().zip(&flipped).map(|(a, b)| (a.to_bits() ^ b.to_bits()).count_ones());
        assert_eq!(bits.sum::<u32>(), 1, "one bit of one number");
        assert_ne!(spoiled(How::Noise(0.1), &past), plain);
    }

    #[test]
    fn only_who_repeats_old_results_needs_them_kept() {
        let needs = |how| Corrupt { how, probability: 1.0 }.needs_the_past();
        assert!(needs(How::Stale) && needs(How::Swap));
        assert!(!needs(How::BitFlip) && !needs(How::Scale(2.0)));
    }

    #[test]
    fn without_a_past_there_is_nothing_stale_to_send() {
        assert_eq!(spoiled(How::Stale, &Past::default()), [1.0, 2.0, 3.0, 4.0]);
    }
}
