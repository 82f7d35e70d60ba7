//! What jobs give where nothing is computed: tensors of the right shapes, and nothing in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::IxDyn;
use smallvec::{SmallVec, smallvec};

use super::{Job, Output};
use crate::code::Code;
use crate::maths::Tensor;
use crate::plan::{Mixed, Share};

/// One blank tensor of each shape, shared by all that have it. Nobody ever reads it, nor does it take
/// memory where zeros are given out unwritten.
#[derive(Debug, Default)]
pub struct Blanks {
    tensors: BTreeMap<Vec<usize>, Tensor>,
    /// Results of rows, by how many numbers they are of each layer.
    rows: BTreeMap<SmallVec<[usize; 1]>, Arc<Vec<Tensor>>>,
}

impl Blanks {
    fn of(&mut self, shape: &[usize]) -> Tensor {
        if let Some(known) = self.tensors.get(shape) {
            return known.clone();
        }
        let blank = Tensor::zeros(IxDyn(shape));
        self.tensors.insert(shape.to_vec(), blank.clone());
        blank
    }

    fn rows(&mut self, lens: SmallVec<[usize; 1]>) -> Arc<Vec<Tensor>> {
        if let Some(known) = self.rows.get(&lens) {
            return known.clone();
        }
        let blank = Arc::new(lens.iter().map(|len| self.of(&[*len])).collect::<Vec<_>>());
        self.rows.insert(lens, blank.clone());
        blank
    }

    fn result(&mut self, share: &Share, requests: usize) -> Arc<Vec<Tensor>> {
        let len = |share: &Share| share.result_bytes().0 as usize / size_of::<f32>();
        let of_one: SmallVec<[usize; 1]> = match share {
            Share::Segment(segment) => return Arc::new(self.all(&segment.result_shapes)),
            Share::Several(parts) => parts.iter().map(|part| len(&part.share)).collect(),
            Share::Rows { .. } | Share::Outline { .. } => smallvec![len(share)],
        };
        self.rows((0..requests).flat_map(|_| of_one.iter().copied()).collect())
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
            Job::Share { ticket, share, inputs, .. } => {
                Output::Share { ticket, result: Ok(self.result(&share, inputs.requests())) }
            }
            Job::Decode { round, decode } => {
                let outputs: Vec<Tensor> =
                    decode.layers.output_shapes().map(|shape| self.of(shape)).collect();
                Output::Decoded { round, outcome: Ok(vec![outputs; decode.addends.len()]) }
            }
            Job::Mix { round, code, inputs, .. } => {
                let tasks = inputs.first().map(|input| vec![input.clone(); code.shares()]);
                let (tasks, places) = (tasks.unwrap_or_default(), (0..inputs.len()).collect());
                Output::Mixed { round, mixed: Ok(Mixed { tasks, places }) }
            }
            Job::ReadOff { round, results, places, .. } => {
                let one = results.iter().next().map_or_else(Vec::new, |(_, one)| one.to_vec());
                Output::HasReadOff { round, outcome: Ok(vec![one; places.len()]) }
            }
            Job::Local { request, step, segment, .. } => {
                Output::Local { request, step, outputs: Ok(self.all(&segment.result_shapes)) }
            }
        }
    }
}
