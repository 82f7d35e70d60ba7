//! What jobs give where nothing is computed: tensors of the right shapes, and nothing in them.

use std::collections::BTreeMap;

use ndarray::IxDyn;

use super::{Job, Output};
use crate::code::Code;
use crate::maths::Tensor;
use crate::plan::{Mixed, Share};

/// One blank tensor of each shape, shared by all that have it. Nobody ever reads it, nor does it take
/// memory where zeros are given out unwritten.
#[derive(Debug, Default)]
pub struct Blanks(BTreeMap<Vec<usize>, Tensor>);

impl Blanks {
    fn of(&mut self, shape: &[usize]) -> Tensor {
        if let Some(known) = self.0.get(shape) {
            return known.clone();
        }
        let blank = Tensor::zeros(IxDyn(shape));
        self.0.insert(shape.to_vec(), blank.clone());
        blank
    }

    fn all(&mut self, shapes: &[Vec<usize>]) -> Vec<Tensor> {
        shapes.iter().map(|shape| self.of(shape)).collect()
    }

    /// What a job gives, as far as that is known without running it.
    pub fn output(&mut self, job: Job) -> Output {
        match job {
            Job::Encode { round, layer, .. } => {
                let shares = 0..layer.code().shares();
                let tasks = shares.map(|share| self.of(&layer.share_op(share).input)).collect();
                Output::Encoded { round, tasks: Ok(tasks) }
            }
            Job::Share { ticket, share, .. } => {
                let result = match share.as_ref() {
                    Share::Segment(segment) => self.all(&segment.result_shapes),
                    Share::Rows { .. } | Share::Outline { .. } => {
                        vec![self.of(&[share.result_len()])]
                    }
                };
                Output::Share { ticket, result: Ok(result) }
            }
            Job::Decode { round, layer, .. } => {
                Output::Decoded { round, outcome: Ok(self.of(&layer.op().raising.shape)) }
            }
            Job::Mix { round, code, inputs, .. } => {
                let tasks = inputs.first().map(|input| vec![input.clone(); code.shares()]);
                let (tasks, places) = (tasks.unwrap_or_default(), (0..inputs.len()).collect());
                Output::Mixed { round, mixed: Ok(Mixed { tasks, places }) }
            }
            Job::ReadOff { round, results, places, .. } => {
                let one = results.into_values().next().unwrap_or_default();
                Output::HasReadOff { round, outcome: Ok(vec![one; places.len()]) }
            }
            Job::Local { request, step, segment, .. } => {
                Output::Local { request, step, outputs: Ok(self.all(&segment.result_shapes)) }
            }
        }
    }
}
