//! A linear layer as one product: lower the activation to a matrix, multiply, raise the result.
//!
//! Convolutions of any stride, padding, dilation and grouping, and matrix products after any
//! permutation, become `(groups, rows, depth) × (groups, depth, columns)`. Rows are what is coded: a
//! share is the same operator with coded rows.

use std::borrow::Cow;
use std::sync::Arc;

use ndarray::{ArcArray, ArrayViewD, IxDyn};

use super::Weights;
use super::lowered::{Input, Inputs};
use super::onward::Room;
pub use super::patches::Patches;
use super::tiling::Tiling;
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
    Patches(Patches),
}

/// How (groups, rows, columns) becomes the output tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Raising {
    /// The dimensions behind groups, rows and columns, in that order.
    pub dims: Vec<usize>,
    /// The order of those dimensions in the output.
    pub axes: Vec<usize>,
    /// The shape of the output; unit dimensions may come and go.
    pub shape: Vec<usize>,
}

/// What becomes of a decoded result on its way into the output.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Finish {
    /// (groups · rows), added to each row.
    pub bias: Option<Arc<Vec<f32>>>,
    /// Whether a second input of the layer's, shaped as its output, is added then: a residual connection.
    pub adds: bool,
    /// Whether what is then below zero becomes zero: a ReLU.
    pub rectify: bool,
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
        if let Some(tiling) = Tiling::of(self, rows)
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
                lowered.multiply(group, weights, input.tensor, out, wanted)?;
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

    /// Puts results in their places, one block of rows after the other, and finishes them.
    ///
    /// # Panics
    /// As [`Self::put_rows`].
    pub fn assemble(
        &self,
        blocks: &[&[f32]],
        q: usize,
        finish: &Finish,
        addend: Option<&Tensor>,
    ) -> Tensor {
        self.filled(|room| self.put_rows(blocks, q, finish, addend, room))
    }

    /// The output whose rows are filled in.
    pub fn filled(&self, fill: impl FnOnce(Room<'_>)) -> Tensor {
        let mut rows = buffer(self.output_rows() * self.columns);
        fill(Room::new(&mut rows, self.columns));
        self.raising.raise(rows)
    }

    /// Rows of all groups together.
    pub fn output_rows(&self) -> usize {
        self.groups * self.rows
    }

    /// Finishes rows and puts them one after the other.
    ///
    /// `blocks[b]` is (groups, q, columns) for rows `b·q .. (b+1)·q` of each group; rows past the
    /// layer's last are the padding of the last blocks and are dropped.
    ///
    /// # Panics
    /// If there are too few rows, or no `addend` where one is added.
    pub fn put_rows(
        &self,
        blocks: &[&[f32]],
        q: usize,
        finish: &Finish,
        addend: Option<&Tensor>,
        to: Room<'_>,
    ) {
        let addend = addend.filter(|_| finish.adds).map(|addend| addend.as_standard_layout());
        let addend = addend.as_ref().and_then(|addend| addend.as_slice());
        let added = addend.map_or(0, <[f32]>::len);
        let to_add = if finish.adds { self.output_rows() * self.columns } else { 0 };
        assert_eq!(added, to_add, "what is added is there");
        to.fill(self.columns, |at, to| {
            let (group, row) = (at / self.rows, at % self.rows);
            let start = (group * q + row % q) * self.columns;
            let result = &blocks[row / q][start..start + self.columns];
            let bias = finish.bias.as_ref().map_or(0.0, |bias| bias[at]);
            let biased = result.iter().map(|y| y + bias);
            match addend.map(|addend| &addend[at * self.columns..]) {
                None if finish.rectify => to.put_finished(result, |y| rectified(y + bias)),
                None => to.put_finished(result, |y| y + bias),
                Some(x) if finish.rectify => {
                    to.put(biased.zip(x).map(|(y, x)| rectified(y + x)));
                }
                Some(x) => to.put(biased.zip(x).map(|(y, x)| y + x)),
            }
        });
    }
}

/// Zero in place of what is below; NaN stays NaN.
fn rectified(y: f32) -> f32 {
    if y < 0.0 { 0.0 } else { y }
}

impl Raising {
    /// Whether (groups, rows, columns) lie in the output as they are.
    pub(super) fn is_plain(&self) -> bool {
        self.axes.is_sorted()
    }

    /// What belongs to each element of (groups, rows, columns), as it lies in the output.
    pub(super) fn raise<T: Clone>(&self, flat: Vec<T>) -> ArcArray<T, IxDyn> {
        let shape = IxDyn(&self.shape);
        if self.is_plain() {
            return ArcArray::from_shape_vec(shape, flat).expect("the layer's own shape");
        }
        let view = ArrayViewD::from_shape(IxDyn(&self.dims), &flat).expect("the layer's own dims");
        let permuted: Vec<T> = view.permuted_axes(&self.axes[..]).iter().cloned().collect();
        ArcArray::from_shape_vec(shape, permuted).expect("the layer's own shape")
    }
}
