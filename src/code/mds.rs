//! A systematic, well-conditioned maximum-distance-separable code over the reals: any k of n.
//!
//! The generator is the real form of a discrete Fourier frame: share i evaluates the k lowest
//! harmonics at angle 2πi/n. For odd k these are 1, cos θ, sin θ, …; for even k the half-integer
//! harmonics cos θ/2, sin θ/2, cos 3θ/2, …. Both are Chebyshev systems on the circle, so any k rows
//! are independent: the rotation codes of Ramamoorthy and Tang (arXiv 1910.06515) rest on the same
//! fact. k nodes spread evenly are chosen as the plain shares and the generator is divided by
//! their rows, which makes it systematic. Parity rows are scaled to length 1.
//!
//! Worst condition number over all arrival sets, as good as the best published or better:
//! (6, 4) 7.6, (10, 8) 18, (20, 17) 260 (`tests/laws.rs` holds these).
//! Conditioning falls off with n − k, as for every real code: (16, 8) 1.1e3, (32, 24) 1e5.

use std::f64::consts::TAU;

use super::Encoder;
use crate::maths::matrix::Matrix;

/// (n, k), systematic: shares 0..k are the sources, the rest are parities.
#[derive(Debug)]
pub struct Mds {
    pub(super) encoder: Encoder,
}

impl Mds {
    /// The largest n for which the code was examined.
    pub const MOST_SHARES: usize = 32;

    /// # Panics
    /// Unless 1 ≤ k ≤ n ≤ [`Self::MOST_SHARES`].
    pub fn new(n: usize, k: usize) -> Self {
        assert!(1 <= k && k <= n && n <= Self::MOST_SHARES, "1 ≤ k ≤ n ≤ 32");
        let harmonics =
            Matrix::from_fn(n, k, |node, column| harmonic(k, column, TAU * node as f64 / n as f64));
        let plain: Vec<usize> = (0..k).map(|source| source * n / k).collect();
        let parity: Vec<usize> = (0..n).filter(|node| !plain.contains(node)).collect();
        let inverse = harmonics
            .select_rows(&plain)
            .inverse()
            .expect("distinct nodes of a Chebyshev system are independent");
        let parities = harmonics.select_rows(&parity).times(&inverse);
        let length = |row: usize| parities.row(row).map(|x| x * x).sum::<f64>().sqrt();
        let encoder = Matrix::from_fn(n, k, |share, source| match share.checked_sub(k) {
            None => f64::from(u8::from(share == source)),
            Some(row) => parities.at(row, source) / length(row),
        });
        Self { encoder: Encoder::of_matrix(&encoder) }
    }
}

/// The `column`-th of the k lowest harmonics at `angle`.
fn harmonic(k: usize, column: usize, angle: f64) -> f64 {
    if k % 2 == 1 && column == 0 {
        return std::f64::consts::FRAC_1_SQRT_2;
    }
    let place = column - k % 2;
    let frequency = (place / 2) as f64 + if k % 2 == 1 { 1.0 } else { 0.5 };
    if place.is_multiple_of(2) { (frequency * angle).cos() } else { (frequency * angle).sin() }
}
