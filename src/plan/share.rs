//! What devices hold: a block of coded rows of one layer, or a run of layers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::IxDyn;

use crate::code::{Code, Decoder, Place, Recipe};
use crate::maths::Tensor;
use crate::maths::mix::mix;
use crate::model::linear::LinearOp;
use crate::model::{Layer, Segment};
use crate::units::{Bytes, Flops};

/// A linear layer whose output rows are split over k sources.
///
/// Source j holds rows `j·q .. (j+1)·q` of each group, with `q = ⌈rows / k⌉` rounded up to a whole
/// number of cells; rows past the last are zero (Hadidi et al. §IV: output splitting of dense layers,
/// channel splitting of convolutions).
#[derive(Debug)]
pub struct CodedLayer {
    layer: Layer,
    code: Arc<dyn Code>,
}

/// What a device holds for one stage.
#[derive(Debug)]
pub enum Share {
    /// (groups, rows, depth) coded rows.
    Rows {
        op: Arc<LinearOp>,
        weights: Vec<f32>,
    },
    Segment(Segment),
}

impl CodedLayer {
    pub fn new(layer: Layer, code: Arc<dyn Code>) -> Self {
        Self { layer, code }
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

    /// q.
    pub fn rows_per_source(&self) -> usize {
        self.rows_per_cell() * self.code.encoder().cells()
    }

    fn rows_per_cell(&self) -> usize {
        self.layer.op.rows.div_ceil(self.code.sources()).div_ceil(self.code.encoder().cells())
    }

    /// The rows of a share in each group: q, or more if the code lets them stick out.
    pub fn rows_of(&self, share: usize) -> usize {
        self.rows_per_cell() * self.code.encoder().share(share).len()
    }

    /// The number of elements of a share's result.
    pub fn result_len(&self, share: usize) -> usize {
        self.layer.op.groups * self.rows_of(share) * self.layer.op.columns
    }

    /// The number of elements of one cell's result.
    pub fn cell_len(&self) -> usize {
        self.layer.op.groups * self.rows_per_cell() * self.layer.op.columns
    }

    /// The work of holding the results of these shares against their witnesses: a sketch of the input and its
    /// norms, and for each result its own projection and that of its weights.
    pub fn witness_work(&self, results: impl Iterator<Item = usize>) -> Flops {
        let op = self.op();
        let sketch = 4 * op.groups * op.depth * op.columns;
        let each = |share| 2 * (self.result_len(share) + op.groups * op.depth);
        Flops((sketch + results.map(each).sum::<usize>()) as u64)
    }

    /// The weights of a share: each cell the mixture of cells of sources that the code says.
    pub fn encode(&self, share: usize) -> Share {
        let weights = match self.code.plain(share) {
            Some(source) => self.rows(source * self.rows_per_source(), self.rows_per_source()),
            None => self.mixed(share),
        };
        Share::Rows { op: self.layer.op.clone(), weights }
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
        let len = self.rows_per_cell() * self.layer.op.columns;
        let part = |group: usize| &result[(group * cells + place.cell) * len..][..len];
        match self.layer.op.groups {
            1 => Cow::Borrowed(part(0)),
            groups => Cow::Owned((0..groups).flat_map(part).copied().collect()),
        }
    }

    /// The layer's output from the results of the cells of its k sources, with bias.
    fn assemble(&self, cells: &[&[f32]]) -> Tensor {
        let bias = self.layer.bias.as_ref().map(|bias| &bias[..]);
        self.layer.op.assemble(cells, self.rows_per_cell(), bias)
    }
}

impl Share {
    /// The share's result: for coded rows one tensor of pre-activations without bias.
    ///
    /// # Errors
    /// If an operator of a segment fails on this input.
    pub fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
        match self {
            Self::Rows { op, weights } => {
                let input = inputs.first().ok_or("a linear layer has one input")?;
                let result = op.apply(weights, input);
                let shape = IxDyn(&[result.len()]);
                Tensor::from_shape_vec(shape, result)
                    .map(|result| vec![result])
                    .map_err(|error| error.to_string())
            }
            Self::Segment(segment) => segment.run(inputs).map_err(|error| error.to_string()),
        }
    }

    pub fn work(&self) -> Flops {
        match self {
            Self::Rows { op, .. } => op.work(self.rows()),
            Self::Segment(segment) => segment.work,
        }
    }

    pub fn weight_bytes(&self) -> Bytes {
        match self {
            Self::Rows { op, .. } => op.weight_bytes(self.rows()),
            Self::Segment(segment) => segment.weight_bytes,
        }
    }

    pub fn result_bytes(&self) -> Bytes {
        match self {
            Self::Rows { op, .. } => op.result_bytes(self.rows()),
            Self::Segment(segment) => segment.result_bytes,
        }
    }

    fn rows(&self) -> usize {
        match self {
            Self::Rows { op, weights } => weights.len() / (op.groups * op.depth).max(1),
            Self::Segment(_) => 0,
        }
    }
}
