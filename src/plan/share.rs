//! What devices hold: a block of coded rows of one layer, or a run of layers.

use std::sync::Arc;

use ndarray::IxDyn;

use crate::maths::Tensor;
use crate::model::linear::LinearOp;
use crate::model::lowered::Inputs;
use crate::model::{Segment, Weights};
use crate::units::{Bytes, Flops};

/// What a device holds for one stage.
#[derive(Debug)]
pub enum Share {
    /// (groups, rows, depth) coded rows; all of the layer's, as they are, where its input is coded.
    Rows {
        op: Arc<LinearOp>,
        weights: Weights,
    },
    Segment(Segment),
    /// So many rows of each group, of which only the cost is known.
    Outline {
        op: Arc<LinearOp>,
        rows: usize,
        /// The weights it would rest on together with others: the layer's own, where its input is coded.
        common: Option<Weights>,
    },
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
            Self::Rows { weights, .. } => weights.block(),
            Self::Outline { common, .. } => common.as_ref().and_then(Weights::block),
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
        let weights = |common: &Option<Weights>| common.as_ref().and_then(Weights::block);
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
