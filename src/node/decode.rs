//! The supervisor's decoding of a round, as a job: it is the largest, and rare where devices are many.

use std::sync::Arc;

use super::job::Undecoded;
use super::{Check, Results};
use crate::code::Decoder;
use crate::maths::Tensor;
use crate::maths::room::give_back_tensor;
use crate::plan::Layers;
use crate::units::{Bytes, Flops};

/// The outputs of a round's layers are rebuilt from the results in hand, if these are what they should be.
#[derive(Clone, Debug)]
pub struct Decode {
    pub layers: Layers,
    pub decoder: Arc<Decoder>,
    pub results: Results,
    pub check: Check,
    /// What is added to the outputs of each request that the round is for; nothing is decoded for those
    /// that have ended.
    pub addends: Vec<Option<Vec<Tensor>>>,
}

impl Decode {
    pub(super) fn work(&self) -> Flops {
        let Self { layers, decoder, results, check, addends } = self;
        let mixing = Flops((2 * decoder.terms() * layers.cell_len()) as u64);
        let one = mixing + layers.finish_work() + check.work(layers, results.shares());
        Flops(one.0 * addends.len() as u64)
    }

    pub(super) fn traffic(&self) -> Bytes {
        let Self { layers, decoder, addends, .. } = self;
        // Mixing reads each term; assembling reads and writes every source once.
        let blocks = decoder.terms() + 2 * decoder.recipes.len();
        let added: usize = addends.iter().flatten().flatten().map(Tensor::len).sum();
        Bytes((4 * (addends.len() * blocks * layers.cell_len() + added)) as u64)
    }

    /// The outputs of each request.
    ///
    /// # Errors
    /// If results are found wrong.
    pub(super) fn run(self) -> Result<Vec<Vec<Tensor>>, Undecoded> {
        let Self { layers, decoder, results, check, addends } = self;
        // Bias and the outputs' layouts come after decoding: recovery is on pre-activations.
        let checked = check.layers(&layers, addends.len(), &results);
        let decode = |(request, addends): (usize, &Option<Vec<Tensor>>)| match addends {
            Some(addends) => layers.decode(&decoder, results.iter(), request, addends),
            None => Vec::new(),
        };
        let outcome = checked.map(|()| addends.iter().enumerate().map(decode).collect());
        addends.into_iter().flatten().flatten().for_each(give_back_tensor);
        outcome
    }
}
