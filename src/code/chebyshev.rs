//! The polynomial code of Fahim and Cadambe (*Numerically stable polynomially coded computing*, arXiv
//! 1903.08326): Chebyshev polynomials in place of powers, at the Chebyshev points in place of 1…n.
//!
//! The condition number of any k rows is polynomial in n for fixed n − k: O(n^{2(n−k)}).

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use super::Encoder;
use crate::maths::matrix::Matrix;

/// (n, k), not systematic: `X_0/√2 + Σ_{j≥1} T_j(x_i) X_j` with `x_i = cos(π(2i + 1)/2n)`.
#[derive(Debug)]
pub struct Chebyshev {
    pub(super) encoder: Encoder,
}

impl Chebyshev {
    pub fn new(n: usize, k: usize) -> Self {
        // T_j(cos θ) = cos jθ; T_0/√2 makes the columns orthogonal and of one length.
        let entry = |share: usize, source: usize| match source {
            0 => FRAC_1_SQRT_2,
            _ => (source as f64 * PI * (2 * share + 1) as f64 / (2 * n) as f64).cos(),
        };
        Self { encoder: Encoder::of_matrix(&Matrix::from_fn(n, k, entry)) }
    }
}
