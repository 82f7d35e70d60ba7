//! The naive polynomial code ("Poly"): share i is the polynomial with the sources as coefficients,
//! evaluated at i + 1. The baseline of the literature on coded training, and a warning.
//!
//! The nodes are 1, 2, … n, so the worst condition number grows exponentially with n: 2e4 for (6, 4),
//! 7e10 for (10, 8), beyond `f64` for (20, 17). Sets beyond the policy's `worst_condition` are not
//! decoded from, and [`tolerance`](super::tolerance) says how little that leaves.

use super::Encoder;
use crate::maths::matrix::Matrix;

/// (n, k), not systematic: `Σ_j (i + 1)^j X_j`.
#[derive(Debug)]
pub struct Vandermonde {
    pub(super) encoder: Encoder,
}

impl Vandermonde {
    /// Beyond this n, powers exceed what `f32` can hold.
    pub const MOST_SHARES: usize = 24;

    /// # Panics
    /// If n is more than [`Self::MOST_SHARES`].
    pub fn new(n: usize, k: usize) -> Self {
        assert!(n <= Self::MOST_SHARES, "n ≤ 24");
        let power = |share: usize, source: usize| (share as f64 + 1.0).powi(source as i32);
        Self { encoder: Encoder::of_matrix(&Matrix::from_fn(n, k, power)) }
    }
}
