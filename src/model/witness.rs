//! Freivalds' check of one share's result, with a tolerance that follows from how sums are rounded.
//!
//! What a clean result may be off by, in a part with rows w, columns x and coefficients r, s:
//! each element sums `depth` products, and by Higham and Mary (*A new approach to probabilistic
//! rounding error analysis*, SISC 2019, theorem 3.1) its rounding errors behave as independent
//! ones: they add up to `√depth · u · ‖w_i‖ ‖x_j‖`, not to `depth` times that. The directions are
//! independent of the errors, so whatever errors of different elements have to do with each other,
//! the mean square of their projection is `Σ r_i² s_j² δ_ij²`: together at most about
//! `λ √depth · u · (Σ r_i² ‖w_i‖²)^½ (Σ s_j² ‖x_j‖²)^½`.
//!
//! A lie below that passes: small flips of a mantissa, or of an element near zero.

use std::sync::Arc;

use super::probe::{Part, Probe};
use super::sketch::Sketch;
use crate::maths::Tensor;
use crate::maths::project::{add_scaled, inner, project, project_squares, widely};

/// `rᵀ W` of one share, made when it is deployed, from the weights its device holds.
#[derive(Debug)]
pub struct Witness {
    probe: Arc<Probe>,
    /// One a part.
    seen: Vec<Projected>,
}

#[derive(Debug)]
struct Projected {
    /// rᵀ W: (groups, depth).
    weights: Vec<f64>,
    /// `Σ_i r_i² ‖w_i‖²` of each group.
    squares: Vec<f64>,
}

/// Why a result is not what its share gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lie {
    /// It has not as many elements as the share's result.
    Length { got: usize, expected: usize },
    /// Some element is infinite or not a number.
    NotFinite,
    /// Its projection is off by more than rounding explains.
    Off {
        /// In multiples of what rounding explains.
        times: f64,
    },
}

/// λ. A rounding is off by 0.43 u in the root mean square (uniform within half a unit in the last
/// place, mantissas spread logarithmically), and sums that grow steadily to the full `‖w‖ ‖x‖`
/// have a third of the squares of sums that are full at once. So if every row were parallel to
/// every column, 1 would be `√3 / 0.43` = 4 standard deviations. Rows of trained layers are far from
/// that, which leaves room for tails that are longer than a normal distribution's: pixels of an even
/// background have equal errors. Over a million clean shares of the shipped models
/// (`tests/liars.rs`) the worst was at 0.51 of the tolerance, and most layers' worst at 0.3.
pub const LAMBDA: f64 = 1.0;

/// Short sums have not enough roundings to average over; they are granted these at full size.
const LEAST_ROUNDINGS: usize = 8;

/// The unit roundoff of `f32`.
const UNIT: f64 = f32::EPSILON as f64 / 2.0;

/// What a product of `f32`s may lose below the smallest normal number.
const UNDERFLOW: f64 = 1.5e-45;

/// How far a clean result's elements are off, relative to the norms of their row and column.
pub fn rounding(depth: usize) -> f64 {
    LAMBDA * UNIT * ((depth + LEAST_ROUNDINGS) as f64).sqrt()
}

impl Witness {
    /// # Panics
    /// If the weights are not the probe's number of rows.
    pub fn new(probe: Arc<Probe>, weights: &[f32]) -> Self {
        let op = &probe.op;
        assert_eq!(weights.len(), op.groups * probe.rows * op.depth, "(groups, rows, depth)");
        let seen = probe.parts.iter().map(|part| Projected::new(&probe, part, weights)).collect();
        Self { probe, seen }
    }

    /// What its holder was sent, as its probe sees it.
    ///
    /// # Panics
    /// If `input` is not the operator's.
    pub fn sketch(&self, input: &Tensor) -> Sketch {
        Sketch::of(&self.probe, input)
    }

    /// Whether this is the share's result on the input of the sketch, up to rounding.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, sketch: &Sketch, result: &[f32]) -> Result<(), Lie> {
        let times = self.off_by(sketch, result)?;
        if times <= 1.0 { Ok(()) } else { Err(Lie::Off { times }) }
    }

    /// How many times its tolerance the worst part of a result is off.
    ///
    /// # Errors
    /// If the result is no finite block of the right length.
    pub fn off_by(&self, sketch: &Sketch, result: &[f32]) -> Result<f64, Lie> {
        let Probe { op, rows, parts, .. } = &*self.probe;
        let expected = op.groups * rows * op.columns;
        if result.len() != expected {
            return Err(Lie::Length { got: result.len(), expected });
        }
        let mut worst = 0.0f64;
        for (part, of_weights) in parts.iter().zip(&self.seen) {
            for group in 0..op.groups {
                let (off, tolerance) = self.compare(part, of_weights, group, sketch, result);
                if !off.is_finite() {
                    return Err(Lie::NotFinite);
                }
                if off > 0.0 {
                    worst = worst.max(off / tolerance);
                }
            }
        }
        Ok(worst)
    }

    /// `|rᵀ Y s − (rᵀ W)(X s)|` of one group of a part, and its tolerance.
    fn compare(
        &self,
        part: &Part,
        of_weights: &Projected,
        group: usize,
        sketch: &Sketch,
        result: &[f32],
    ) -> (f64, f64) {
        let Probe { op, rows, views, columns, .. } = &*self.probe;
        let seen = &sketch.seen[part.view];
        let depth = group * op.depth..(group + 1) * op.depth;
        let range = views[part.view].columns.clone();
        let s = &columns[range.clone()];
        let first = group * rows + part.rows.start;
        let coefficients = &part.coefficients[group * part.rows.len()..][..part.rows.len()];
        let off = widely(|| {
            let row = |(row, r): (usize, &f64)| {
                r * project(s, &result[(first + row) * op.columns..][range.clone()])
            };
            let got: f64 = if op.columns == 1 {
                // A column of its own: s is 1, and the rows lie side by side.
                project(coefficients, &result[first..first + coefficients.len()])
            } else {
                coefficients.iter().enumerate().map(row).sum()
            };
            got - inner(&of_weights.weights[depth.clone()], &seen.projected[depth])
        });
        let norms = (of_weights.squares[group] * seen.squares[group]).sqrt();
        let underflow = UNDERFLOW * (op.depth * s.len() * coefficients.len()) as f64;
        (off.abs(), rounding(op.depth) * norms + underflow)
    }
}

impl Projected {
    fn new(probe: &Probe, part: &Part, weights: &[f32]) -> Self {
        let (groups, depth) = (probe.op.groups, probe.op.depth);
        let mut projected = Self { weights: vec![0.0; groups * depth], squares: vec![0.0; groups] };
        let ones = vec![1.0; depth];
        let mut coefficients = part.coefficients.iter();
        for group in 0..groups {
            let sums = &mut projected.weights[group * depth..][..depth];
            for (row, r) in part.rows.clone().zip(&mut coefficients) {
                let row = &weights[(group * probe.rows + row) * depth..][..depth];
                add_scaled(sums, *r, row);
                projected.squares[group] += r * r * project_squares(&ones, row);
            }
        }
        projected
    }
}
