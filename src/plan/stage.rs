//! A stage: which part of the model it is, how it is coded, who holds its shares, and what it costs.

use std::sync::Arc;

use super::{Batch, Layers, Share, Verify};
use crate::code::Code;
use crate::model::Segment;
use crate::units::{Bytes, DeviceId, Flops, Span};

/// A part of the model that runs as one coded round.
#[derive(Debug)]
pub struct Stage {
    pub name: String,
    pub work: StageWork,
    pub code: Arc<dyn Code>,
    /// How many holders may be lost, whichever they are: what the code tolerates, as far as the policy's
    /// worst condition number allows.
    pub tolerates: usize,
    /// The worst condition number with as many shares lost as the code tolerates.
    pub worst_condition: f64,
    /// Who holds each share; the first is asked first, the others when it does not answer.
    pub holders: Vec<Vec<DeviceId>>,
    pub deadline: Span,
    /// How its results are checked; not `Auto` any more.
    pub verify: Verify,
    /// What becomes of its rounds with too few replies.
    pub below: Below,
    pub input_bytes: Bytes,
    /// How many requests a round of its layers may be for.
    pub most_requests: usize,
    /// How requests are gathered, if the code is over their inputs.
    pub batch: Option<Batch>,
    /// The rows of its map, if strips of it are asked for and these are too few: it is split by output.
    pub too_low: Option<usize>,
}

/// What becomes of a round with too few replies at its last deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Below {
    Fail,
    /// It is answered with the best guess, unless nothing came or what came contradicts itself.
    Estimate,
}

#[derive(Debug)]
pub enum StageWork {
    /// Linear layers that are ready together, their weights coded; or one whose input is.
    Layers(Layers),
    /// A run of layers that one device executes whole.
    Function(Segment),
}

impl Stage {
    /// What the holders of a share must hold.
    pub fn encode(&self, share: usize) -> Share {
        match &self.work {
            StageWork::Layers(layers) => layers.encode(share),
            StageWork::Function(segment) => Share::Segment(segment.clone()),
        }
    }

    /// The same for a run that computes nothing: what it costs, without its numbers.
    pub fn outline(&self, share: usize) -> Share {
        match &self.work {
            StageWork::Layers(layers) => layers.outline(share),
            StageWork::Function(segment) => Share::Segment(segment.clone()),
        }
    }

    /// What kind of work it is, as people say it.
    pub fn kind(&self) -> String {
        match &self.work {
            StageWork::Layers(layers) => layers.kind(),
            StageWork::Function(_) if self.batch.is_some() => "run on batches".to_owned(),
            StageWork::Function(_) => "run whole".to_owned(),
        }
    }

    /// How many shares suffice, if they are the right ones.
    pub fn needed(&self) -> usize {
        match &self.batch {
            Some(_) => self.code.shares() - self.code.tolerates(),
            None => self.code.sources(),
        }
    }

    /// How many replies are waited for as long as they may come: more than are needed, where lies show
    /// only so.
    pub fn awaited(&self) -> usize {
        match &self.batch {
            Some(batch) => batch.estimator.awaited(),
            None => self.code.sources() + usize::from(self.verify == Verify::Surplus),
        }
    }

    /// The work of mixing the inputs of a full batch, for one of its requests.
    pub fn mix_work(&self) -> Flops {
        let Some(batch) = &self.batch else { return Flops(0) };
        let (k, len) = (self.code.sources(), self.input_bytes.0 as usize / size_of::<f32>());
        Flops(batch.mix_work(&batch.estimator, len).0 / k as u64)
    }

    /// What the supervisor does for one request besides decoding: inputs are mixed, or outputs become what
    /// they are read as.
    pub fn local_work(&self) -> Flops {
        match &self.work {
            StageWork::Layers(layers) => layers.onward_work(),
            StageWork::Function(_) => self.mix_work(),
        }
    }

    /// How many requests one round is for, when all is well.
    pub fn requests_a_round(&self) -> usize {
        if self.batch.is_some() { self.code.sources() } else { 1 }
    }

    /// The work of a share.
    pub fn share_work(&self, share: usize) -> Flops {
        match &self.work {
            StageWork::Layers(layers) => layers.share_work(share),
            StageWork::Function(segment) => segment.work,
        }
    }

    /// The work of the layer, or the run of layers, in one piece.
    pub fn undivided_work(&self) -> Flops {
        match &self.work {
            StageWork::Layers(layers) => layers.undivided_work(),
            StageWork::Function(segment) => segment.work,
        }
    }

    /// The work of encoding its shares, once, at deployment.
    pub fn encode_work(&self) -> Flops {
        match &self.work {
            StageWork::Layers(layers) => layers.encode_work(),
            StageWork::Function(_) => Flops(0),
        }
    }

    /// The work of encoding its input, for each request.
    pub fn input_encode_work(&self) -> Flops {
        match &self.work {
            StageWork::Layers(layers) => layers.input_encode_work(),
            StageWork::Function(_) => Flops(0),
        }
    }

    /// The size of a share's weights.
    pub fn share_bytes(&self, share: usize) -> Bytes {
        match &self.work {
            StageWork::Layers(layers) => layers.share_bytes(share),
            StageWork::Function(segment) => segment.weight_bytes,
        }
    }

    /// The size of the weights of all shares that each of so many devices holds: where the input is coded,
    /// all shares of a device rest on the same.
    pub fn held_bytes(&self, devices: usize) -> Vec<Bytes> {
        let mut held = vec![Bytes(0); devices];
        let rest_on_the_same =
            matches!(&self.work, StageWork::Layers(layers) if layers.in_strips().is_some());
        for (share, holders) in self.holders.iter().enumerate() {
            let size = self.share_bytes(share);
            for DeviceId(device) in holders {
                let sum = held[*device] + size;
                held[*device] = if rest_on_the_same { held[*device].max(size) } else { sum };
            }
        }
        held
    }

    /// The size of what the holder of a share is sent for a request.
    pub fn task_bytes(&self, share: usize) -> Bytes {
        match &self.work {
            StageWork::Layers(layers) => layers.task_bytes(share),
            StageWork::Function(_) => self.input_bytes,
        }
    }

    /// The size of a share's result.
    pub fn reply_bytes(&self, share: usize) -> Bytes {
        match &self.work {
            StageWork::Layers(layers) => layers.reply_bytes(share),
            StageWork::Function(segment) => segment.result_bytes,
        }
    }
}
