//! What devices hold: a block of coded rows of one layer, or a run of layers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::IxDyn;

use super::split::Split;
use crate::code::{Code, Decoder, Place, Recipe};
use crate::maths::Tensor;
use crate::maths::mix::mix;
use crate::model::linear::LinearOp;
use crate::model::lowered::Inputs;
use crate::model::strips::Strips;
use crate::model::{Layer, Segment};
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

/// What a device holds for one stage.
#[derive(Debug)]
pub enum Share {
    /// (groups, rows, depth) coded rows; all of the layer's, as they are, where its input is coded.
    Rows {
        op: Arc<LinearOp>,
        weights: Arc<Vec<f32>>,
    },
    Segment(Segment),
    /// So many rows of each group, of which only the cost is known.
    Outline {
        op: Arc<LinearOp>,
        rows: usize,
        /// The weights it would rest on together with others: the layer's own, where its input is coded.
        common: Option<Arc<Vec<f32>>>,
    },
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

    fn rows_per_cell(&self) -> usize {
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

    /// What the holder of a share must hold. Where weights are coded, each cell is the mixture of cells of
    /// sources that the code says.
    pub fn encode(&self, share: usize) -> Share {
        let weights = match (&self.split, self.code.plain(share)) {
            (Split::Spatial(_), _) => self.layer.weights.clone(),
            (Split::Output, Some(source)) => {
                Arc::new(self.rows(source * self.rows_per_source(), self.rows_per_source()))
            }
            (Split::Output, None) => Arc::new(self.mixed(share)),
        };
        Share::Rows { op: self.share_op(share), weights }
    }

    /// What a share costs, without its weights.
    pub fn outline(&self, share: usize) -> Share {
        let common = self.strips().map(|_| self.layer.weights.clone());
        Share::Outline { op: self.share_op(share), rows: self.rows_held(share), common }
    }

    fn mixed(&self, share: usize) -> Vec<f32> {
        let (op, height) = (&self.layer.op, self.rows_per_cell());
        let mixtures = self.code.encoder().share(share);
        let cell_len = height * op.depth;
        let mut weights = vec![0.0; op.groups * mixtures.len() * cell_len];
        for (at, mixture) in mixtures.iter().enumerate().filter(|(_, mixture)| !mixture.is_empty())
        {
            let blocks: Vec<(f64, Vec<f32>)> =
                mixture.iter().map(|(cell, c)| (*c, self.rows(cell * height, height))).collect();
            let terms: Vec<_> = blocks.iter().map(|(c, block)| (*c, &block[..])).collect();
            for (group, rows) in mix(&terms).chunks(cell_len.max(1)).enumerate() {
                let to = (group * mixtures.len() + at) * cell_len;
                weights[to..to + cell_len].copy_from_slice(rows);
            }
        }
        weights
    }

    /// So many rows of each group, padded with zeros past the last: (groups, count, depth).
    fn rows(&self, start: usize, count: usize) -> Vec<f32> {
        let op = &self.layer.op;
        let mut block = vec![0.0; op.groups * count * op.depth];
        let rows = start.min(op.rows)..(start + count).min(op.rows);
        for group in 0..op.groups {
            let from = (group * op.rows + rows.start) * op.depth;
            let len = rows.len() * op.depth;
            let to = group * count * op.depth;
            block[to..to + len].copy_from_slice(&self.layer.weights[from..from + len]);
        }
        block
    }

    /// The layer's output, computed in one piece.
    pub fn undivided(&self, input: &Tensor) -> Tensor {
        let Layer { op, weights, bias, .. } = &self.layer;
        let bias = bias.as_ref().map(|bias| &bias[..]);
        op.assemble(&[&op.apply(weights, input)], op.rows, bias)
    }

    /// The layer's output, decoded from results of shares, with bias.
    ///
    /// # Panics
    /// If a result that the decoder reads is not there, or not of its length.
    pub fn decode(&self, decoder: &Decoder, results: &BTreeMap<usize, &[f32]>) -> Tensor {
        let needed = decoder.recipes.iter().flat_map(Recipe::reads);
        let cells: BTreeMap<Place, Cow<'_, [f32]>> =
            needed.map(|place| (place, self.cell(place, results[&place.share]))).collect();
        let decoded = decoder.decode(|place| &cells[&place]);
        let blocks: Vec<&[f32]> = decoded.iter().map(|cell| &cell[..]).collect();
        self.assemble(&blocks)
    }

    /// A cell of a share's result: (groups, rows, columns).
    fn cell<'r>(&self, place: Place, result: &'r [f32]) -> Cow<'r, [f32]> {
        let cells = self.code.encoder().share(place.share).len();
        if cells == 1 {
            return Cow::Borrowed(result);
        }
        // Cells follow each other in every group, or, as strips are stacked, in every row of weights.
        let outer = match &self.split {
            Split::Output => self.layer.op.groups,
            Split::Spatial(_) => self.layer.op.groups * self.layer.op.rows,
        };
        let len = self.cell_len() / outer.max(1);
        let part = |at: usize| &result[(at * cells + place.cell) * len..][..len];
        match outer {
            1 => Cow::Borrowed(part(0)),
            outer => Cow::Owned((0..outer).flat_map(part).copied().collect()),
        }
    }

    /// The layer's output from the results of the cells of its k sources, with bias.
    fn assemble(&self, cells: &[&[f32]]) -> Tensor {
        let bias = self.layer.bias.as_ref().map(|bias| &bias[..]);
        match &self.split {
            Split::Output => self.layer.op.assemble(cells, self.rows_per_cell(), bias),
            Split::Spatial(strips) => strips.assemble(cells, bias),
        }
    }
}

impl Share {
    /// The share's result: for coded rows one tensor of pre-activations without bias.
    ///
    /// # Errors
    /// If an operator of a segment fails on this input.
    pub fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
        self.run_while(&inputs.to_vec().into(), &|| true)
    }

    /// Like [`Self::run`], while it is `wanted`.
    ///
    /// # Errors
    /// If it is not any more, or an operator of a segment fails on this input.
    pub fn run_while(
        &self,
        inputs: &Inputs,
        wanted: &dyn Fn() -> bool,
    ) -> Result<Vec<Tensor>, String> {
        match self {
            Self::Rows { op, weights } => {
                if inputs.is_empty() {
                    return Err("a linear layer has one input".to_owned());
                }
                let result = op.apply_while(weights, inputs, wanted).ok_or("it was called off")?;
                let shape = IxDyn(&[result.len()]);
                Tensor::from_shape_vec(shape, result)
                    .map(|result| vec![result])
                    .map_err(|error| error.to_string())
            }
            Self::Segment(segment) => segment.run(inputs).map_err(|error| error.to_string()),
            Self::Outline { .. } => Err("its weights were never encoded".to_owned()),
        }
    }

    /// How many numbers it gives.
    pub fn result_len(&self) -> usize {
        self.result_bytes().0 as usize / size_of::<f32>()
    }

    pub fn work(&self) -> Flops {
        match self {
            Self::Rows { op, .. } | Self::Outline { op, .. } => op.work(self.rows()),
            Self::Segment(segment) => segment.work,
        }
    }

    pub fn weight_bytes(&self) -> Bytes {
        match self {
            Self::Rows { op, .. } | Self::Outline { op, .. } => op.weight_bytes(self.rows()),
            Self::Segment(segment) => segment.weight_bytes,
        }
    }

    pub fn result_bytes(&self) -> Bytes {
        match self {
            Self::Rows { op, .. } | Self::Outline { op, .. } => op.result_bytes(self.rows()),
            Self::Segment(segment) => segment.result_bytes,
        }
    }

    /// Whether both rest on the very same weights, so that who holds one holds the other's.
    fn is_of_the_weights_of(&self, other: &Self) -> bool {
        let weights = |share: &'_ Self| match share {
            Self::Rows { weights, .. } => Some(Arc::as_ptr(weights)),
            Self::Outline { common, .. } => common.as_ref().map(Arc::as_ptr),
            Self::Segment(_) => None,
        };
        weights(self).is_some() && weights(self) == weights(other)
    }

    /// Whether both are the same: what one gives the other would.
    pub fn does_the_work_of(&self, other: &Self) -> bool {
        let columns = |share: &Self| match share {
            Self::Rows { op, .. } | Self::Outline { op, .. } => op.columns,
            Self::Segment(_) => 0,
        };
        self.is_of_the_weights_of(other) && columns(self) == columns(other)
    }

    /// Whether both are outlines of shares that cost the same, and rest on the same weights or each on its
    /// own.
    pub fn costs_what(&self, other: &Self) -> bool {
        let Self::Outline { op, rows, common } = self else { return false };
        let Self::Outline { op: others, rows: other_rows, common: other_common } = other else {
            return false;
        };
        let weights = |common: &Option<Arc<Vec<f32>>>| common.as_ref().map(Arc::as_ptr);
        op == others && rows == other_rows && weights(common) == weights(other_common)
    }

    /// What it takes to hold these shares, in the order of their stages: weights that several rest on
    /// are held once.
    pub fn bytes_held<'s>(shares: impl IntoIterator<Item = &'s Self>) -> Bytes {
        let mut last: Option<&Self> = None;
        shares.into_iter().fold(Bytes(0), |sum, share| {
            let before = last.replace(share);
            let is_here = before.is_some_and(|before| share.is_of_the_weights_of(before));
            if is_here { sum } else { sum + share.weight_bytes() }
        })
    }

    fn rows(&self) -> usize {
        match self {
            Self::Rows { op, weights } => weights.len() / (op.groups * op.depth).max(1),
            Self::Outline { rows, .. } => *rows,
            Self::Segment(_) => 0,
        }
    }
}
