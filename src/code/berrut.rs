//! Berrut approximated coded computing: Jahani-Nezhad and Maddah-Ali (arXiv 2009.08327).
//!
//! The curve is Berrut's rational interpolant, `Σ_j w_j(z) X_j` with `w_j ∝ (−1)^j / (z − α_j)`: no
//! poles, no system to solve. Squared error O(S⁴ N⁻²) for N devices of which S are silent.

use super::Arrived;
use super::curve::{Curve, Placement, devices, inputs};
use crate::maths::matrix::Matrix;

/// n devices for k inputs.
#[derive(Debug)]
pub struct Berrut {
    encoder: Matrix,
    inputs: Vec<f64>,
    devices: Vec<f64>,
}

impl Berrut {
    /// # Panics
    /// If n < k and the devices are to stand at the inputs.
    pub fn new(n: usize, k: usize, placement: Placement) -> Self {
        let (inputs, devices) = (inputs(k), devices(n, k, placement));
        Self { encoder: weights(&inputs, &devices), inputs, devices }
    }
}

/// (points, nodes): the weights of the values at the nodes, ascending, in the interpolant at the points.
///
/// Signs alternate over the nodes that are there, not over all that might have been: with the sign
/// of a missing node skipped there would be poles between its neighbours.
fn weights(nodes: &[f64], points: &[f64]) -> Matrix {
    let raw = |row: usize, column: usize| {
        let away = points[row] - nodes[column];
        let sign = if column.is_multiple_of(2) { 1.0 } else { -1.0 };
        match nodes.iter().any(|node| is_same(points[row], *node)) {
            // At a node the value is that node's alone.
            true => f64::from(u8::from(is_same(away, 0.0))),
            false => sign / away,
        }
    };
    let raw = Matrix::from_fn(points.len(), nodes.len(), raw);
    let sums: Vec<f64> = (0..points.len()).map(|row| raw.row(row).sum()).collect();
    Matrix::from_fn(points.len(), nodes.len(), |row, column| raw.at(row, column) / sums[row])
}

/// Points of the two kinds can coincide, and their cosines then differ by rounding.
fn is_same(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-14
}

impl Curve for Berrut {
    fn name(&self) -> String {
        format!("Berrut({}, {})", self.devices.len(), self.inputs.len())
    }

    fn encoder(&self) -> &Matrix {
        &self.encoder
    }

    fn decoder(&self, arrived: &Arrived) -> Matrix {
        let nodes: Vec<f64> = arrived.iter().map(|share| self.devices[*share]).collect();
        weights(&nodes, &self.inputs)
    }

    fn foretell(&self, arrived: &Arrived, device: usize) -> Vec<f64> {
        let nodes: Vec<f64> = arrived.iter().map(|share| self.devices[*share]).collect();
        weights(&nodes, &[self.devices[device]]).row(0).collect()
    }

    /// Between its nodes the interpolant sways.
    fn kink(&self) -> f64 {
        0.3
    }
}
