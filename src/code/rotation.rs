//! The rotation code of Ramamoorthy and Tang (*Numerically stable coded matrix computations via
//! circulant and rotation matrix embeddings*, arXiv 1910.06515), for products with one factor coded.
//!
//! A polynomial code at the complex roots of unity is as well conditioned as a Fourier matrix, but
//! complex. A complex number is a real rotation and scaling of the plane, so each source is cut in
//! two cells, and where the polynomial code multiplies by `ω^{ij}` this one turns the pair of cells
//! by the angle `2π ij/q`. The worst condition number is about O(n^{n−k+5.5}).

use std::f64::consts::TAU;

use super::{Encoder, Mixture};

/// (n, k), not systematic: cells `Σ_j R(2π/q)^{ij} (X_j0, X_j1)ᵀ`, with q the least odd number from n up.
#[derive(Debug)]
pub struct Rotation {
    pub(super) encoder: Encoder,
}

impl Rotation {
    pub fn new(n: usize, k: usize) -> Self {
        let order = n | 1;
        let share = |share: usize| -> Vec<Mixture> {
            let turned = |source: usize| {
                let angle = TAU * (share * source % order) as f64 / order as f64;
                (2 * source, angle.cos(), angle.sin())
            };
            let first = (0..k).map(turned).flat_map(|(at, cos, sin)| [(at, cos), (at + 1, -sin)]);
            let second = (0..k).map(turned).flat_map(|(at, cos, sin)| [(at, sin), (at + 1, cos)]);
            vec![first.collect(), second.collect()]
        };
        Self { encoder: Encoder::of_cells(k, 2, (0..n).map(share).collect()) }
    }
}
