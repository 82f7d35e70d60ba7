//! One running of a stage for one request, or for a batch of them: who was asked, what came.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::RoundId;
use crate::code::{Arrived, Decoder};
use crate::event::Worth;
use crate::maths::Tensor;
use crate::model::lowered::Inputs;
use crate::units::{DeviceId, RequestId, Time};

/// What the holders of a round's shares are sent.
#[derive(Clone, Debug)]
pub enum Tasks {
    /// The stage's inputs, to all of them.
    Alike(Inputs),
    /// To each its own: shares of the input.
    Own(Vec<Inputs>),
}

impl Tasks {
    /// What the holder of a share is sent.
    pub fn of(&self, share: usize) -> &Inputs {
        match self {
            Self::Alike(inputs) => inputs,
            Self::Own(inputs) => &inputs[share],
        }
    }
}

#[derive(Debug)]
pub(super) struct Round {
    pub(super) id: RoundId,
    pub(super) began: Time,
    /// How often shares were asked for again.
    pub(super) attempt: u32,
    /// When the last of the policy's tries so far is over.
    pub(super) until: Time,
    /// The requests it is for: more than one in a batch.
    pub(super) requests: Vec<RequestId>,
    /// Where on the curve of a batch each of them stands.
    pub(super) places: Vec<Vec<usize>>,
    /// Kept for asking again.
    pub(super) tasks: Tasks,
    /// What its result is worth.
    pub(super) worth: Worth,
    /// Set once the shares in hand suffice: the round is decided.
    pub(super) decoder: Option<Arc<Decoder>>,
    /// Whether replies contradicted each other, and it could not be said which were wrong.
    pub(super) doubted: bool,
    /// Whether spare holders were asked before the deadline.
    pub(super) hedged: bool,
    /// The devices asked for each share, the last one last.
    asked: Vec<Vec<DeviceId>>,
    pub(super) results: BTreeMap<usize, Vec<Tensor>>,
}

impl Round {
    pub(super) fn new(id: RoundId, now: Time, shares: usize, tasks: Tasks) -> Self {
        Self {
            id,
            began: now,
            attempt: 0,
            until: now,
            tasks,
            requests: vec![id.request],
            places: Vec::new(),
            worth: Worth::Exact,
            decoder: None,
            doubted: false,
            hedged: false,
            asked: vec![Vec::new(); shares],
            results: BTreeMap::new(),
        }
    }

    pub(super) fn ask(&mut self, share: usize, device: DeviceId) {
        self.asked[share].push(device);
    }

    /// Whom each share was asked of, last one last.
    pub(super) fn asked(&self, share: usize) -> &[DeviceId] {
        &self.asked[share]
    }

    /// Everybody who was asked for a share that has not come.
    pub(super) fn awaited(&self) -> Vec<(usize, DeviceId)> {
        let missing = self.missing().into_iter();
        missing.flat_map(|share| self.asked[share].iter().map(move |d| (share, *d))).collect()
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

    /// Whether somebody was asked for the share and it has not come.
    pub(super) fn is_awaited(&self, share: usize) -> bool {
        !self.asked[share].is_empty() && !self.results.contains_key(&share)
    }
}
