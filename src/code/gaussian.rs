//! Random parities: the sources, and n − k sums of them with normal coefficients. Any k shares
//! suffice with probability 1, and well conditioned on average; nothing bounds the worst set.

use rand_distr::{Distribution, StandardNormal};

use super::Encoder;
use crate::maths::chance::{Purpose, Seed};
use crate::maths::matrix::Matrix;

/// (n, k), systematic. The draw depends on n and k alone, so that a topology means one code.
#[derive(Debug)]
pub struct Gaussian {
    pub(super) encoder: Encoder,
}

impl Gaussian {
    pub fn new(n: usize, k: usize) -> Self {
        let mut rng = Seed(0).stream(Purpose::Code, &[n as u64, k as u64]);
        let entry = |share: usize, source: usize| match share.checked_sub(k) {
            None => f64::from(u8::from(share == source)),
            Some(_) => StandardNormal.sample(&mut rng),
        };
        Self { encoder: Encoder::of_matrix(&Matrix::from_fn(n, k, entry)) }
    }
}
