//! One running of a stage for one request: who was asked, what came.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::RoundId;
use crate::code::{Arrived, Decoder};
use crate::maths::Tensor;
use crate::plan::Stage;
use crate::units::{DeviceId, Time};

#[derive(Debug)]
pub(super) struct Round {
    pub(super) id: RoundId,
    pub(super) began: Time,
    /// How often shares were asked for again.
    pub(super) attempt: u32,
    /// The round's input, kept for asking again.
    pub(super) inputs: Vec<Tensor>,
    /// Set once the shares in hand suffice: the round is decided.
    pub(super) decoder: Option<Arc<Decoder>>,
    /// The device last asked for each share.
    asked: Vec<DeviceId>,
    results: BTreeMap<usize, Vec<Tensor>>,
}

impl Round {
    pub(super) fn new(id: RoundId, now: Time, stage: &Stage, inputs: Vec<Tensor>) -> Self {
        let asked = stage.holders.iter().map(|holders| holders[0]).collect();
        let results = BTreeMap::new();
        Self { id, began: now, attempt: 0, inputs, decoder: None, asked, results }
    }

    /// Whom each share was last asked of, in the order of shares.
    pub(super) fn asked(&self) -> impl Iterator<Item = (usize, DeviceId)> + '_ {
        self.asked.iter().copied().enumerate()
    }

    /// Takes a result in; `false` if the share is here already or the round is decided.
    pub(super) fn arrive(&mut self, share: usize, result: Vec<Tensor>) -> bool {
        if self.decoder.is_some() || self.results.contains_key(&share) {
            return false;
        }
        self.results.insert(share, result);
        true
    }

    pub(super) fn arrived(&self) -> Arrived {
        self.results.keys().copied().collect()
    }

    pub(super) fn missing(&self) -> Vec<usize> {
        (0..self.asked.len()).filter(|share| !self.results.contains_key(share)).collect()
    }

    /// Turns to the next holder of every missing share; the same device if it is the only one, for
    /// it may be the message that was lost.
    pub(super) fn ask_again(&mut self, stage: &Stage) -> Vec<(usize, DeviceId)> {
        self.attempt += 1;
        for share in self.missing() {
            let holders = &stage.holders[share];
            self.asked[share] = holders[self.attempt as usize % holders.len()];
        }
        self.missing().into_iter().map(|share| (share, self.asked[share])).collect()
    }

    /// Decides the round: whatever comes from now on is late.
    pub(super) fn decide(&mut self, decoder: Arc<Decoder>) -> BTreeMap<usize, Vec<Tensor>> {
        self.decoder = Some(decoder);
        std::mem::take(&mut self.results)
    }
}
