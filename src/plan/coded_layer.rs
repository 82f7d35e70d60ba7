//! A linear layer that a code splits: how large its shares are, and what they cost.

use std::sync::Arc;

use super::split::Split;
use crate::code::Code;
use crate::model::Layer;
use crate::model::linear::LinearOp;
use crate::model::strips::Strips;
use crate::units::{Bytes, Flops};

/// A linear layer whose rows are split over k sources: output rows of each group, or rows of a
/// convolution's map, as its [`Split`] says.
///
/// Source j is rows `j·q .. (j+1)·q`, with `q = ⌈rows / k⌉` rounded up to a whole number of cells;
/// rows past the last are zero.
#[derive(Debug)]
pub struct CodedLayer {
    pub(super) layer: Layer,
    pub(super) code: Arc<dyn Code>,
    pub(super) split: Split,
}

impl CodedLayer {
    /// A layer whose weights are coded.
    pub fn new(layer: Layer, code: Arc<dyn Code>) -> Self {
        Self { layer, code, split: Split::Output }
    }

    pub fn code(&self) -> &Arc<dyn Code> {
        &self.code
    }

    pub fn layer(&self) -> &Layer {
        &self.layer
    }

    pub fn op(&self) -> &LinearOp {
        &self.layer.op
    }

    /// The rows that are split.
    pub fn rows_in_all(&self) -> usize {
        match &self.split {
            Split::Output => self.layer.op.rows,
            Split::Spatial(_) => Strips::positions(self.op()).expect("a convolution has a map"),
        }
    }

    /// q.
    pub fn rows_per_source(&self) -> usize {
        self.rows_per_cell() * self.code.encoder().cells()
    }

    pub(super) fn rows_per_cell(&self) -> usize {
        self.rows_in_all().div_ceil(self.code.sources()).div_ceil(self.code.encoder().cells())
    }

    /// The rows of a share: q, or more if the code lets them stick out.
    pub fn rows_of(&self, share: usize) -> usize {
        self.rows_per_cell() * self.code.encoder().share(share).len()
    }

    /// What the holder of a share does with its weights and what it is sent.
    pub fn share_op(&self, share: usize) -> Arc<LinearOp> {
        match &self.split {
            Split::Output => self.layer.op.clone(),
            Split::Spatial(strips) => Arc::new(strips.op(self.code.encoder().share(share).len())),
        }
    }

    /// The rows of weights, in each group, that the holder of a share must hold.
    pub fn rows_held(&self, share: usize) -> usize {
        match &self.split {
            Split::Output => self.rows_of(share),
            Split::Spatial(_) => self.layer.op.rows,
        }
    }

    /// The work of a share.
    pub fn share_work(&self, share: usize) -> Flops {
        self.share_op(share).work(self.rows_held(share))
    }

    /// The size of the weights that the holder of a share must hold.
    pub fn share_bytes(&self, share: usize) -> Bytes {
        self.layer.op.weight_bytes(self.rows_held(share))
    }

    /// The size of what the holder of a share is sent; of an input for a whole hand, with its first share.
    pub fn task_bytes(&self, share: usize) -> Bytes {
        match &self.split {
            Split::Output if !share.is_multiple_of(self.code.hand()) => Bytes(0),
            Split::Output | Split::Spatial(_) => self.share_op(share).input_bytes(),
        }
    }

    /// The size of a share's result.
    pub fn reply_bytes(&self, share: usize) -> Bytes {
        Bytes(4 * self.result_len(share) as u64)
    }

    /// The number of elements of a share's result.
    pub fn result_len(&self, share: usize) -> usize {
        let op = self.share_op(share);
        op.groups * self.rows_held(share) * op.columns
    }

    /// The number of elements of one cell's result.
    pub fn cell_len(&self) -> usize {
        let (op, q) = (&self.layer.op, self.rows_per_cell());
        match &self.split {
            Split::Output => op.groups * q * op.columns,
            Split::Spatial(strips) => op.groups * op.rows * strips.op(1).columns,
        }
    }

    /// The work of encoding its shares, once, at deployment.
    pub fn encode_work(&self) -> Flops {
        if self.strips().is_some() {
            return Flops(0);
        }
        let coded = (0..self.code.shares()).filter(|share| self.code.plain(*share).is_none());
        let terms = coded.flat_map(|share| self.code.encoder().share(share)).map(Vec::len);
        let cell = self.op().weight_bytes(self.rows_per_source()).0 / 4;
        Flops(2 * terms.sum::<usize>() as u64 * cell / self.code.encoder().cells() as u64)
    }

    /// The work of a residual connection and a ReLU, as the output is put together.
    pub fn finish_work(&self) -> Flops {
        let outputs = self.op().groups * self.op().rows * self.op().columns;
        let finish = &self.layer.finish;
        Flops((outputs * (usize::from(finish.adds) + usize::from(finish.rectify))) as u64)
    }

    /// The work of holding the results of these shares against their witnesses: a sketch of the input and its
    /// norms, one for all or one a strip, and for each result its own projection and that of its weights.
    pub fn witness_work(&self, results: impl Iterator<Item = usize>) -> Flops {
        let op = self.op();
        let sketch = |op: &LinearOp| 4 * op.groups * op.depth * op.columns;
        let once = if self.strips().is_none() { sketch(op) } else { 0 };
        let each = |share| {
            let own = if self.strips().is_some() { sketch(&self.share_op(share)) } else { 0 };
            own + 2 * (self.result_len(share) + op.groups * op.depth)
        };
        Flops((once + results.map(each).sum::<usize>()) as u64)
    }
}
