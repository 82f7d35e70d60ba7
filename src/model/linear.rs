//! A linear layer as one product: lower the activation to a matrix, multiply, raise the result.
//!
//! Convolutions of any stride, padding, dilation and grouping, and matrix products after any
//! permutation, become `(groups, rows, depth) × (groups, depth, columns)`. Rows are what is coded: a
//! share is the same operator with coded rows.

use std::borrow::Cow;

use super::Weights;
use super::layout::Layout;
use super::lowered::{Input, Inputs};
pub use super::output::{Finish, Raising};
pub use super::patches::Patches;
use super::shifts::Shifts;
use super::tiling::{LEAST_ROWS, Tiling};
use crate::maths::Tensor;
use crate::maths::crew::Asked;
use crate::maths::product::{FEW, product_while};
use crate::maths::project::finite;
use crate::maths::room::{buffer, empty, give_back};
use crate::units::{Bytes, Flops};

/// The operator without its weights: how an activation becomes columns, and results an output.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearOp {
    /// The shape of the activation.
    pub input: Vec<usize>,
    pub groups: usize,
    /// Output rows of each group.
    pub rows: usize,
    /// Inputs that each output sums over.
    pub depth: usize,
    pub columns: usize,
    pub lowering: Lowering,
    pub raising: Raising,
}

/// How an activation becomes a row-major (groups, depth, columns) matrix.
#[derive(Clone, Debug, PartialEq)]
pub enum Lowering {
    /// Its axes are permuted.
    Permute { axes: Vec<usize> },
    /// Its patches are gathered (im2col).
    Patches(Layout),
}

impl Lowering {
    /// A convolution's, of so many groups of channels.
    pub fn patches(patches: Patches, groups: usize) -> Self {
        Self::Patches(Layout::new(patches, groups))
    }
}

impl LinearOp {
    /// The work of so many rows in each group.
    pub fn work(&self, rows: usize) -> Flops {
        Flops(2 * (self.groups * rows * self.depth * self.columns) as u64)
    }

    /// The size of the weights of so many rows in each group.
    pub fn weight_bytes(&self, rows: usize) -> Bytes {
        Bytes(4 * (self.groups * rows * self.depth) as u64)
    }

    /// The size of the result of so many rows in each group.
    pub fn result_bytes(&self, rows: usize) -> Bytes {
        Bytes(4 * (self.groups * rows * self.columns) as u64)
    }

    /// The size of the layer's input.
    pub fn input_bytes(&self) -> Bytes {
        Bytes(4 * self.input.iter().product::<usize>() as u64)
    }

    /// Pre-activations without bias: (groups, rows, columns) row-major, for weights of
    /// (groups, rows, depth) where `rows` may be those of a share.
    ///
    /// # Panics
    /// If `weights` is not a whole number of rows, or `input` is not the layer's input.
    pub fn apply(&self, weights: &Weights, input: &Tensor) -> Vec<f32> {
        let inputs = Inputs::from(vec![input.clone()]);
        let input = inputs.laid(0, 0, 0).expect("there is one");
        self.apply_while(weights, input, &|| true).expect("it was wanted all the time")
    }

    /// Like [`Self::apply`], while it is `wanted`; None if it was not any more.
    ///
    /// # Panics
    /// Like [`Self::apply`].
    pub fn apply_while(
        &self,
        weights: &Weights,
        input: Input<'_>,
        wanted: Asked<'_>,
    ) -> Option<Vec<f32>> {
        let rows = weights.len() / (self.groups * self.depth).max(1);
        if let Some(tiling) = self.tiling(rows)
            && let Some(kernels) = weights.transformed(self.groups, tiling.size())
        {
            let out = tiling.convolve(kernels, input, wanted)?;
            // Sums of places may overflow where products with their weights do not.
            if finite(&out) {
                return Some(out);
            }
            give_back(out);
        }
        let shape = [rows, self.depth, self.columns];
        let mut out = buffer(self.groups * rows * self.columns);
        if self.columns > FEW && !out.is_empty() && self.depth > 0 {
            let lowered = wanted().then(|| input.lowered(self))?;
            let parts = weights.chunks(rows * self.depth).zip(out.chunks_mut(rows * self.columns));
            for (group, (weights, out)) in parts.enumerate() {
                lowered.multiply(self, group, weights, input.tensor, out, wanted)?;
            }
            return Some(out);
        }
        let lowered = wanted().then(|| self.lower(input.tensor))?;
        for group in 0..self.groups {
            let part =
                |slice: &[f32], size: usize| group * size..(group * size + size).min(slice.len());
            let (w, x) = (rows * self.depth, self.depth * self.columns);
            let y = rows * self.columns;
            product_while(
                &weights[part(weights, w)],
                &lowered[part(&lowered, x)],
                &mut out[group * y..(group + 1) * y],
                shape,
                wanted,
            )?;
        }
        Some(out)
    }

    /// Like [`Self::apply_while`], for several inputs: where columns are few, reading the weights is all the
    /// time there is, and they are read once for all.
    ///
    /// # Panics
    /// Like [`Self::apply`].
    pub fn apply_to_all(
        &self,
        weights: &Weights,
        inputs: &[Input<'_>],
        wanted: Asked<'_>,
    ) -> Option<Vec<Vec<f32>>> {
        let columns = self.columns * inputs.len();
        if inputs.len() < 2 || self.groups != 1 || columns > FEW || columns == 0 {
            return inputs.iter().map(|input| self.apply_while(weights, *input, wanted)).collect();
        }
        let lowered: Vec<Cow<'_, [f32]>> =
            inputs.iter().map(|input| self.lower(input.tensor)).collect();
        let mut side_by_side = empty(self.depth * columns);
        for row in 0..self.depth {
            for x in &lowered {
                side_by_side.extend_from_slice(&x[row * self.columns..][..self.columns]);
            }
        }
        let rows = weights.len() / self.depth.max(1);
        let mut out = buffer(rows * columns);
        let shape = [rows, self.depth, columns];
        product_while(weights, &side_by_side, &mut out, shape, wanted)?;
        give_back(side_by_side);
        let of_input = |at: usize| {
            let mut own = empty(rows * self.columns);
            let parts = out.chunks_exact(columns).map(|row| &row[at * self.columns..]);
            parts.for_each(|part| own.extend_from_slice(&part[..self.columns]));
            own
        };
        let results = (0..inputs.len()).map(of_input).collect();
        give_back(out);
        Some(results)
    }

    /// Has ready what [`Self::apply`] needs beside an input, with these weights.
    pub fn prepare(&self, weights: &Weights) {
        let rows = weights.len() / (self.groups * self.depth).max(1);
        let is_tiled = self
            .tiling(rows)
            .is_some_and(|tiling| weights.transformed(self.groups, tiling.size()).is_some());
        if !is_tiled && self.columns > FEW {
            self.shifts();
        }
    }

    /// How its input is laid out as lines; `None` if it is a matrix's, or patches are better gathered.
    pub(super) fn shifts(&self) -> Option<&Shifts> {
        match &self.lowering {
            Lowering::Patches(layout) => layout.shifts(),
            Lowering::Permute { .. } => None,
        }
    }

    /// How shares of so many rows in each group compute in tiles; `None` where that would not pay.
    pub(super) fn tiling(&self, rows: usize) -> Option<&Tiling> {
        match &self.lowering {
            Lowering::Patches(layout) if rows >= LEAST_ROWS => layout.tiling(),
            Lowering::Patches(_) | Lowering::Permute { .. } => None,
        }
    }

    pub(super) fn lower<'x>(&self, input: &'x Tensor) -> Cow<'x, [f32]> {
        match &self.lowering {
            Lowering::Permute { axes } => match input.as_slice() {
                // Moving an axis of length 1 moves nothing.
                Some(plain) if axes.iter().filter(|at| self.input[**at] != 1).is_sorted() => {
                    Cow::Borrowed(plain)
                }
                _ => Cow::Owned(input.view().permuted_axes(&axes[..]).iter().copied().collect()),
            },
            Lowering::Patches(patches) => Cow::Owned(patches.gather(input, 0..patches.channels)),
        }
    }
}
