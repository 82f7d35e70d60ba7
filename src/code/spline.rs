//! LeTCC, learning-theoretic coded computing: Moradi, Tahmasebi and Maddah-Ali (arXiv 2406.00300).
//!
//! Both curves are cubic smoothing splines ([`crate::maths::spline`]). Squared error O(S³ N⁻³) for N
//! devices of which S are silent, with λ_dec = 0; smoothing pays where results are noisy, or where
//! the function bends faster than the devices can follow.

use super::Arrived;
use super::curve::{Curve, Placement, devices, inputs};
use crate::maths::matrix::Matrix;
use crate::maths::spline::{leave_one_out, smoother};

/// n devices for k inputs, smoothed by λ_enc before and λ_dec after.
#[derive(Debug)]
pub struct Spline {
    encoder: Matrix,
    inputs: Vec<f64>,
    devices: Vec<f64>,
    smoothing: f64,
}

impl Spline {
    /// # Panics
    /// If n < k and the devices are to stand at the inputs.
    pub fn new(n: usize, k: usize, placement: Placement, before: f64, after: f64) -> Self {
        let (inputs, devices) = (inputs(k), devices(n, k, placement));
        Self { encoder: smoother(&inputs, &devices, before), inputs, devices, smoothing: after }
    }

    /// The λ_dec of a grid by which each of these results is best foretold from the others.
    ///
    /// # Panics
    /// If there are fewer than three results, or blocks of different lengths.
    pub fn cross_validated(&self, arrived: &Arrived, results: &[&[f32]]) -> f64 {
        let nodes: Vec<f64> = arrived.iter().map(|share| self.devices[*share]).collect();
        let error = |lambda: &f64| leave_one_out(&nodes, results, *lambda);
        let by_error = GRID.iter().min_by(|a, b| error(a).total_cmp(&error(b)));
        *by_error.expect("a grid of some")
    }
}

/// LeTCC's errors change by 3 % for a factor of ten (§6 of the paper): a decade is fine enough.
const GRID: [f64; 9] = [1e-12, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2];

impl Curve for Spline {
    fn name(&self) -> String {
        let (n, k, after) = (self.devices.len(), self.inputs.len(), self.smoothing);
        if after == 0.0 {
            format!("Spline({n}, {k})")
        } else {
            format!("Spline({n}, {k}, {after:.0e})")
        }
    }

    fn encoder(&self) -> &Matrix {
        &self.encoder
    }

    fn decoder(&self, arrived: &Arrived) -> Matrix {
        let nodes: Vec<f64> = arrived.iter().map(|share| self.devices[*share]).collect();
        smoother(&nodes, &self.inputs, self.smoothing)
    }

    fn foretell(&self, arrived: &Arrived, device: usize) -> Vec<f64> {
        let nodes: Vec<f64> = arrived.iter().map(|share| self.devices[*share]).collect();
        smoother(&nodes, &[self.devices[device]], self.smoothing).row(0).collect()
    }
}
