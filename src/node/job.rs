//! Work that takes time, as plain data: charged for in virtual time, run on a pool in real time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::batch;
use super::{Decode, Results, RoundId, Ticket};
use crate::code::{Code, Decoder, Estimator};
use crate::event::Proof;
use crate::maths::Tensor;
use crate::maths::room::give_back_tensor;
use crate::model::Segment;
use crate::model::lowered::Inputs;
use crate::plan::{Batch, CodedLayer, Mixed, Share};
use crate::units::{Bytes, Flops, RequestId};

#[derive(Clone, Debug)]
pub enum Job {
    /// The supervisor mixes strips of a stage's input, before it asks for anything.
    Encode { round: RoundId, layer: Arc<CodedLayer>, input: Tensor },
    /// A device computes its share.
    Share { ticket: Ticket, share: Arc<Share>, inputs: Inputs, wanted: Wanted },
    /// The supervisor rebuilds the outputs of a round's layers from the results in hand.
    Decode { round: RoundId, decode: Box<Decode> },
    /// The supervisor mixes the inputs of a batch.
    Mix { round: RoundId, batch: Batch, code: Arc<Estimator>, inputs: Vec<Vec<Tensor>> },
    /// The supervisor reads the outputs of a batch off the curve through the results in hand.
    ReadOff {
        round: RoundId,
        code: Arc<Estimator>,
        decoder: Arc<Decoder>,
        results: Results,
        /// Of each request, as in [`Mixed`].
        places: Vec<usize>,
        /// How many numbers a result has.
        result_len: usize,
        /// How many lies are looked for: fewer, where some were found already.
        lies_left: usize,
    },
    /// The supervisor runs a local segment.
    Local { request: RequestId, step: usize, segment: Arc<Segment>, inputs: Vec<Tensor> },
}

/// Whether a result is still wanted. In real time a job stops soon after it is not; in virtual time
/// it ends when it would have ended, as on boards whose operators cannot be interrupted.
#[derive(Clone, Debug)]
pub struct Wanted(Arc<AtomicBool>);

impl Default for Wanted {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Wanted {
    pub fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The same for another job: this one is over.
    pub(super) fn anew(&mut self) -> Self {
        match Arc::get_mut(&mut self.0) {
            Some(wanted) => *wanted.get_mut() = true,
            None => *self = Self::default(),
        }
        self.clone()
    }

    pub(super) fn no_more(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// What a job gives; an `Err` says what broke.
#[derive(Debug)]
pub enum Output {
    /// What the holder of each share is to be sent.
    Encoded {
        round: RoundId,
        tasks: Result<Vec<Tensor>, String>,
    },
    Share {
        ticket: Ticket,
        result: Result<Arc<Vec<Tensor>>, String>,
    },
    /// The outputs of each request.
    Decoded {
        round: RoundId,
        outcome: Result<Vec<Vec<Tensor>>, Undecoded>,
    },
    Mixed {
        round: RoundId,
        mixed: Result<Mixed, String>,
    },
    /// The outputs of each request of a batch.
    HasReadOff {
        round: RoundId,
        outcome: Result<Vec<Vec<Tensor>>, Undecoded>,
    },
    Local {
        request: RequestId,
        step: usize,
        outputs: Result<Vec<Tensor>, String>,
    },
}

/// Why a round that had shares enough gave nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Undecoded {
    /// These shares are wrong.
    Lies(Vec<(usize, Proof)>),
    /// Some are wrong, and which cannot be said.
    Doubtful,
    /// The job itself broke.
    Broken(String),
}

impl Job {
    pub fn work(&self) -> Flops {
        match self {
            Self::Encode { layer, .. } => layer.input_encode_work(),
            Self::Share { share, inputs, .. } => Flops(share.work().0 * inputs.requests() as u64),
            Self::Decode { decode, .. } => decode.work(),
            Self::Mix { batch, code, inputs, .. } => batch::mix_work(batch, code, inputs),
            Self::ReadOff { code, decoder, results, lies_left, .. } => {
                batch::read_off_work(code, *lies_left, decoder, results)
            }
            Self::Local { segment, .. } => segment.work,
        }
    }

    /// The memory it must read and write.
    pub fn traffic(&self) -> Bytes {
        match self {
            Self::Encode { layer, .. } => layer.input_encode_traffic(),
            Self::Share { share, inputs, .. } => {
                // Weights are read once for all requests.
                let read: usize = inputs.iter().map(|x| 4 * x.len()).sum();
                let results = share.result_bytes().0 * inputs.requests() as u64;
                share.weight_bytes() + Bytes(results + read as u64)
            }
            Self::Decode { decode, .. } => decode.traffic(),
            Self::Mix { code, inputs, .. } => {
                let input: usize = inputs.first().into_iter().flatten().map(Tensor::len).sum();
                let shares = code.shares();
                Bytes((4 * input * (inputs.len() + shares)) as u64)
            }
            Self::ReadOff { decoder, result_len, .. } => {
                Bytes((4 * result_len * (decoder.terms() + decoder.recipes.len())) as u64)
            }
            Self::Local { segment, .. } => segment.weight_bytes + segment.result_bytes,
        }
    }

    /// Numbers that tell this job from every other of the same node.
    pub fn identity(&self) -> [u64; 5] {
        match self {
            Self::Share { ticket, .. } => {
                let [request, stage, share, attempt] = ticket.identity();
                [1, request, stage, share, attempt]
            }
            Self::Decode { round, .. } | Self::ReadOff { round, .. } => {
                [2, round.request.0 as u64, round.stage.0 as u64, 0, 0]
            }
            Self::Local { request, step, .. } => [3, request.0 as u64, *step as u64, 0, 0],
            Self::Encode { round, .. } => [4, round.request.0 as u64, round.stage.0 as u64, 0, 0],
            Self::Mix { round, .. } => [5, round.request.0 as u64, round.stage.0 as u64, 0, 0],
        }
    }

    /// The request it is for, and numbers that tell what it does: the same for every request. None if
    /// it is for several.
    pub fn of_request(&self) -> Option<(u64, [u64; 3])> {
        let is_for_several = match self {
            Self::Share { inputs, .. } => inputs.requests() > 1,
            Self::Decode { decode, .. } => decode.addends.len() > 1,
            Self::Encode { .. } | Self::Local { .. } => false,
            Self::Mix { .. } | Self::ReadOff { .. } => true,
        };
        if is_for_several {
            return None;
        }
        let of = |round: &RoundId, kind| (round.request.0 as u64, [kind, round.stage.0 as u64, 0]);
        match self {
            Self::Share { ticket, .. } => {
                let [request, stage, share, _] = ticket.identity();
                Some((request, [1, stage, share]))
            }
            Self::Decode { round, .. } => Some(of(round, 2)),
            Self::Local { request, step, .. } => Some((request.0 as u64, [3, *step as u64, 0])),
            Self::Encode { round, .. } => Some(of(round, 4)),
            Self::Mix { .. } | Self::ReadOff { .. } => None,
        }
    }

    /// What it gives, if that is known to be these tensors.
    pub fn that_gave(self, tensors: Vec<Tensor>) -> Output {
        match self {
            Self::Encode { round, .. } => Output::Encoded { round, tasks: Ok(tensors) },
            Self::Share { ticket, .. } => Output::Share { ticket, result: Ok(Arc::new(tensors)) },
            Self::Decode { round, .. } => Output::Decoded { round, outcome: Ok(vec![tensors]) },
            Self::Local { request, step, .. } => {
                Output::Local { request, step, outputs: Ok(tensors) }
            }
            Self::Mix { .. } | Self::ReadOff { .. } => self.run(),
        }
    }

    /// What a job gives that panics.
    pub fn broken(&self) -> Output {
        let why = || "the job panicked".to_owned();
        match self {
            Self::Encode { round, .. } => Output::Encoded { round: *round, tasks: Err(why()) },
            Self::Share { ticket, .. } => Output::Share { ticket: *ticket, result: Err(why()) },
            Self::Decode { round, .. } => {
                Output::Decoded { round: *round, outcome: Err(Undecoded::Broken(why())) }
            }
            Self::Mix { round, .. } => Output::Mixed { round: *round, mixed: Err(why()) },
            Self::ReadOff { round, .. } => {
                Output::HasReadOff { round: *round, outcome: Err(Undecoded::Broken(why())) }
            }
            Self::Local { request, step, .. } => {
                Output::Local { request: *request, step: *step, outputs: Err(why()) }
            }
        }
    }

    pub fn run(self) -> Output {
        match self {
            Self::Encode { round, layer, input } => {
                Output::Encoded { round, tasks: Ok(layer.encode_input(&input)) }
            }
            Self::Share { ticket, share, inputs, wanted } => {
                let result = share.run_while(&inputs, &|| wanted.is_so()).map(Arc::new);
                Output::Share { ticket, result }
            }
            Self::Decode { round, decode } => Output::Decoded { round, outcome: decode.run() },
            Self::Mix { round, batch, code, inputs } => {
                Output::Mixed { round, mixed: batch.mix(&code, &inputs) }
            }
            Self::ReadOff { round, code, decoder, results, places, result_len, lies_left } => {
                let sizes = (result_len, lies_left);
                let outcome = batch::read_off(&code, &decoder, &results, &places, sizes);
                Output::HasReadOff { round, outcome }
            }
            Self::Local { request, step, segment, inputs } => {
                let outputs = segment.run(&inputs).map_err(|error| error.to_string());
                inputs.into_iter().for_each(give_back_tensor);
                Output::Local { request, step, outputs }
            }
        }
    }
}

impl Output {
    /// What was computed, if the job went well.
    pub fn tensors(&self) -> Option<Vec<Tensor>> {
        match self {
            Self::Encoded { tasks, .. } => tasks.as_ref().ok().cloned(),
            Self::Share { result, .. } => result.as_ref().ok().map(|result| result.to_vec()),
            Self::Decoded { outcome, .. } => outcome.as_ref().ok().map(|outputs| outputs.concat()),
            Self::Local { outputs, .. } => outputs.as_ref().ok().cloned(),
            Self::Mixed { .. } | Self::HasReadOff { .. } => None,
        }
    }
}
