//! What devices hold: a block of coded rows of one layer, or a run of layers.

use std::sync::Arc;

use ndarray::IxDyn;

use crate::code::Code;
use crate::maths::Tensor;
use crate::maths::mix::mix;
use crate::model::linear::LinearOp;
use crate::model::{Layer, Segment};
use crate::units::{Bytes, Flops};

/// A linear layer whose output rows are split over k sources.
///
/// Source j holds rows `j·q .. (j+1)·q` of each group, with `q = ⌈rows / k⌉`; rows past the last are
/// zero (Hadidi et al. §IV: output splitting of dense layers, channel splitting of convolutions).
#[derive(Debug)]
pub struct CodedLayer {
    layer: Layer,
    sources: usize,
}

/// What a device holds for one stage.
#[derive(Debug)]
pub enum Share {
    /// (groups, q, depth) coded rows.
    Rows {
        op: Arc<LinearOp>,
        weights: Vec<f32>,
    },
    Segment(Segment),
}

impl CodedLayer {
    pub fn new(layer: Layer, sources: usize) -> Self {
        Self { layer, sources }
    }

    pub fn layer(&self) -> &Layer {
        &self.layer
    }

    pub fn op(&self) -> &LinearOp {
        &self.layer.op
    }

    /// q.
    pub fn rows_per_source(&self) -> usize {
        self.layer.op.rows.div_ceil(self.sources)
    }

    /// The number of elements of one share's result.
    pub fn result_len(&self) -> usize {
        self.layer.op.groups * self.rows_per_source() * self.layer.op.columns
    }

    /// The work of holding so many results against their witnesses: a sketch of the input and its
    /// norms, and for each result its own projection and that of its weights.
    pub fn witness_work(&self, results: usize) -> Flops {
        let op = self.op();
        let sketch = 4 * op.groups * op.depth * op.columns;
        let each = 2 * (self.result_len() + op.groups * op.depth);
        Flops((sketch + results * each) as u64)
    }

    /// `Σ_j E_ij W_j`, the weights of share i.
    pub fn encode(&self, code: &dyn Code, share: usize) -> Share {
        let sources: Vec<(f64, Vec<f32>)> = code
            .encoder()
            .row(share)
            .enumerate()
            .filter(|(_, coefficient)| *coefficient != 0.0)
            .map(|(source, coefficient)| (coefficient, self.source(source)))
            .collect();
        let weights = match code.plain(share) {
            Some(source) => self.source(source),
            None => {
                let terms: Vec<_> = sources.iter().map(|(c, block)| (*c, &block[..])).collect();
                mix(&terms)
            }
        };
        Share::Rows { op: self.layer.op.clone(), weights }
    }

    /// The rows of one source, padded with zeros: (groups, q, depth).
    fn source(&self, source: usize) -> Vec<f32> {
        let (op, q) = (&self.layer.op, self.rows_per_source());
        let mut block = vec![0.0; op.groups * q * op.depth];
        let rows = (source * q).min(op.rows)..((source + 1) * q).min(op.rows);
        for group in 0..op.groups {
            let from = (group * op.rows + rows.start) * op.depth;
            let len = rows.len() * op.depth;
            let to = group * q * op.depth;
            block[to..to + len].copy_from_slice(&self.layer.weights[from..from + len]);
        }
        block
    }

    /// The layer's output from the results of its k sources, with bias.
    pub fn assemble(&self, sources: &[&[f32]]) -> Tensor {
        let bias = self.layer.bias.as_ref().map(|bias| &bias[..]);
        self.layer.op.assemble(sources, self.rows_per_source(), bias)
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
