//! LeTCC, learning-theoretic coded computing: Moradi, Tahmasebi and Maddah-Ali (arXiv 2406.00300).
//!
//! Both curves are cubic smoothing splines ([`crate::maths::spline`]). Squared error O(S³ N⁻³) for N
//! devices of which S are silent, with λ_dec = 0; smoothing pays where results are noisy, or where
//! the function bends faster than the devices can follow.
//!
//! λ_dec can be given, or chosen anew from the results of each batch ([`Smoothing`]). λ_enc cannot be
//! chosen so: what foretells inputs from each other best is a blur, and the paper's error grows with how
//! far the curve passes by the inputs (its L_enc). It is a number here; who has sample inputs and the
//! function can try several (`plan`).

use super::Arrived;
use super::curve::{Curve, Placement, devices, inputs};
use crate::maths::matrix::Matrix;
use crate::maths::spline::{CrossValidation, smoother};
use crate::units::Flops;

/// n devices for k inputs, smoothed by λ_enc before and λ_dec after.
#[derive(Debug)]
pub struct Spline {
    encoder: Matrix,
    inputs: Vec<f64>,
    devices: Vec<f64>,
    smoothing: Smoothing,
}

/// How much a curve is smoothed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Smoothing {
    /// λ; 0 interpolates.
    Given(f64),
    /// The λ of a grid by which each result is best foretold from the others, batch by batch.
    CrossValidated,
}

impl From<f64> for Smoothing {
    fn from(lambda: f64) -> Self {
        Self::Given(lambda)
    }
}

impl Spline {
    /// The λ that are tried where one is to be chosen. LeTCC's errors change by 3 % for a factor of ten
    /// (§6 of the paper): a decade is fine enough. Beyond the last the curve is a line.
    pub const GRID: [f64; 12] =
        [0.0, 1e-12, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0];

    /// # Panics
    /// If n < k and the devices are to stand at the inputs.
    pub fn new(
        n: usize,
        k: usize,
        placement: Placement,
        before: f64,
        after: impl Into<Smoothing>,
    ) -> Self {
        let (inputs, devices) = (inputs(k), devices(n, k, placement));
        let encoder = smoother(&inputs, &devices, before);
        Self { encoder, inputs, devices, smoothing: after.into() }
    }

    /// The λ_dec of [`Self::GRID`] by which each of these results is best foretold from the others: 0 if
    /// there are too few to tell.
    ///
    /// # Panics
    /// If there are blocks of different lengths.
    pub fn cross_validated(&self, arrived: &Arrived, results: &[&[f32]]) -> f64 {
        match arrived.len() {
            0..3 => 0.0,
            _ => CrossValidation::new(&self.nodes(arrived), results).best(&Self::GRID),
        }
    }

    /// The points of these devices.
    fn nodes(&self, arrived: &Arrived) -> Vec<f64> {
        arrived.iter().map(|share| self.devices[*share]).collect()
    }

    /// What is taken for λ_dec as long as no results are seen.
    fn nominal(&self) -> f64 {
        match self.smoothing {
            Smoothing::Given(lambda) => lambda,
            Smoothing::CrossValidated => 0.0,
        }
    }
}

impl Curve for Spline {
    fn name(&self) -> String {
        let (n, k) = (self.devices.len(), self.inputs.len());
        match self.smoothing {
            Smoothing::Given(0.0) => format!("Spline({n}, {k})"),
            Smoothing::Given(after) => format!("Spline({n}, {k}, {after:.0e})"),
            Smoothing::CrossValidated => format!("Spline({n}, {k}, λ chosen)"),
        }
    }

    fn encoder(&self) -> &Matrix {
        &self.encoder
    }

    fn decoder(&self, arrived: &Arrived) -> Matrix {
        smoother(&self.nodes(arrived), &self.inputs, self.nominal())
    }

    fn foretell(&self, arrived: &Arrived, device: usize) -> Vec<f64> {
        let point = [self.devices[device]];
        smoother(&self.nodes(arrived), &point, self.nominal()).row(0).collect()
    }

    fn looks_at_results(&self) -> bool {
        self.smoothing == Smoothing::CrossValidated
    }

    fn decoder_for(&self, arrived: &Arrived, results: &[&[f32]]) -> Matrix {
        match self.smoothing {
            Smoothing::Given(_) => self.decoder(arrived),
            Smoothing::CrossValidated => {
                let lambda = self.cross_validated(arrived, results);
                smoother(&self.nodes(arrived), &self.inputs, lambda)
            }
        }
    }

    fn looking_work(&self, results: usize, len: usize) -> Flops {
        match self.smoothing {
            Smoothing::Given(_) => Flops(0),
            Smoothing::CrossValidated => {
                Flops(CrossValidation::work(results, len, Self::GRID.len()))
            }
        }
    }
}
