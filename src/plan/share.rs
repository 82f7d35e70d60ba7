//! What devices hold: a block of coded rows of each layer of a stage, or a run of layers.

use std::sync::Arc;

use ndarray::IxDyn;
use smallvec::SmallVec;

use crate::maths::Tensor;
use crate::maths::crew::Asked;
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
    /// Those of layers that go out together.
    Several(Vec<Part>),
    /// So many rows of each group, of which only the cost is known.
    Outline {
        op: Arc<LinearOp>,
        rows: usize,
        /// The weights it would rest on together with others: the layer's own, where its input is coded.
        common: Option<Weights>,
    },
}

/// A share of one of several layers.
#[derive(Debug)]
pub struct Part {
    pub share: Share,
    /// Which of the stage's inputs its layer is applied to, …
    pub input: usize,
    /// … and how that is laid out: layers with the same number lay it out alike.
    pub laid: usize,
}

impl Share {
    /// The share's result for each request, one after the other: for coded rows one tensor of
    /// pre-activations without bias, of each layer.
    ///
    /// # Errors
    /// If an operator of a segment fails on this input.
    pub fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
        self.run_while(&Inputs::from(inputs.to_vec()), &|| true)
    }

    /// Like [`Self::run`], while it is `wanted`.
    ///
    /// # Errors
    /// If it is not any more, or an operator of a segment fails on this input.
    pub fn run_while(&self, inputs: &Inputs, wanted: Asked<'_>) -> Result<Vec<Tensor>, String> {
        match self {
            Self::Segment(segment) => {
                let run = |request| segment.run(inputs.of(request));
                let results: Result<Vec<_>, _> = (0..inputs.requests()).map(run).collect();
                results.map(|results| results.concat()).map_err(|error| error.to_string())
            }
            Self::Several(parts) => {
                let result =
                    |part: &Part| part.share.multiply(inputs, part.input, part.laid, wanted);
                let by_part: Vec<Vec<Tensor>> =
                    parts.iter().map(result).collect::<Result<_, _>>()?;
                let of =
                    |request: usize| by_part.iter().map(move |results| results[request].clone());
                Ok((0..inputs.requests()).flat_map(of).collect())
            }
            Self::Rows { .. } | Self::Outline { .. } => self.multiply(inputs, 0, 0, wanted),
        }
    }

    /// Has ready what it needs beside inputs.
    pub fn prepare(&self) {
        match self {
            Self::Rows { op, weights } => op.prepare(weights),
            Self::Several(parts) => parts.iter().for_each(|part| part.share.prepare()),
            Self::Segment(_) | Self::Outline { .. } => {}
        }
    }

    /// Coded rows times one of the inputs of each request, laid out so.
    fn multiply(
        &self,
        inputs: &Inputs,
        input: usize,
        laid: usize,
        wanted: Asked<'_>,
    ) -> Result<Vec<Tensor>, String> {
        let Self::Rows { op, weights } = self else {
            return Err("its weights were never encoded".to_owned());
        };
        let of = |request| inputs.laid(request, input, laid);
        let taken: Option<SmallVec<[_; 1]>> = (0..inputs.requests()).map(of).collect();
        let taken = taken.ok_or("it was not sent what its layer is applied to")?;
        let results = op.apply_to_all(weights, &taken, wanted).ok_or("it was called off")?;
        let tensor = |result: Vec<f32>| Tensor::from_shape_vec(IxDyn(&[result.len()]), result);
        results.into_iter().map(tensor).collect::<Result<_, _>>().map_err(|error| error.to_string())
    }

    pub fn work(&self) -> Flops {
        match self {
            Self::Rows { op, .. } | Self::Outline { op, .. } => op.work(self.rows()),
            Self::Segment(segment) => segment.work,
            Self::Several(parts) => {
                parts.iter().fold(Flops(0), |sum, part| sum + part.share.work())
            }
        }
    }

    pub fn weight_bytes(&self) -> Bytes {
        match self {
            Self::Rows { op, .. } | Self::Outline { op, .. } => op.weight_bytes(self.rows()),
            Self::Segment(segment) => segment.weight_bytes,
            Self::Several(parts) => {
                parts.iter().fold(Bytes(0), |sum, part| sum + part.share.weight_bytes())
            }
        }
    }

    pub fn result_bytes(&self) -> Bytes {
        match self {
            Self::Rows { op, .. } | Self::Outline { op, .. } => op.result_bytes(self.rows()),
            Self::Segment(segment) => segment.result_bytes,
            Self::Several(parts) => {
                parts.iter().fold(Bytes(0), |sum, part| sum + part.share.result_bytes())
            }
        }
    }

    /// What is held of one of the stage's layers; of the only one, if there are not several.
    pub fn of_layer(&self, at: usize) -> &Self {
        match self {
            Self::Several(parts) => &parts[at].share,
            Self::Rows { .. } | Self::Segment(_) | Self::Outline { .. } => self,
        }
    }

    /// Whether both rest on the very same weights, so that who holds one holds the other's.
    fn is_of_the_weights_of(&self, other: &Self) -> bool {
        let weights = |share: &'_ Self| match share {
            Self::Rows { weights, .. } => weights.block(),
            Self::Outline { common, .. } => common.as_ref().and_then(Weights::block),
            Self::Segment(_) | Self::Several(_) => None,
        };
        weights(self).is_some() && weights(self) == weights(other)
    }

    /// Whether both are the same: what one gives the other would.
    pub fn does_the_work_of(&self, other: &Self) -> bool {
        let columns = |share: &Self| match share {
            Self::Rows { op, .. } | Self::Outline { op, .. } => op.columns,
            Self::Segment(_) | Self::Several(_) => 0,
        };
        self.is_of_the_weights_of(other) && columns(self) == columns(other)
    }

    /// Whether both are outlines of shares that cost the same, and rest on the same weights or each on its
    /// own.
    pub fn costs_what(&self, other: &Self) -> bool {
        let weights = |common: &Option<Weights>| common.as_ref().and_then(Weights::block);
        match (self, other) {
            (
                Self::Outline { op, rows, common },
                Self::Outline { op: others, rows: other_rows, common: other_common },
            ) => op == others && rows == other_rows && weights(common) == weights(other_common),
            (Self::Several(parts), Self::Several(others)) => {
                parts.iter().zip(others).all(|(part, other)| part.share.costs_what(&other.share))
            }
            _ => false,
        }
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
            Self::Segment(_) | Self::Several(_) => 0,
        }
    }
}
