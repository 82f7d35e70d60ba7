//! From results to a layer's output: bias, residual connection and ReLU, and every number in its place.

use std::sync::Arc;

use ndarray::{ArcArray, ArrayViewD, IxDyn};

use super::linear::LinearOp;
use super::onward::Room;
use crate::maths::Tensor;
use crate::maths::room::buffer;

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
