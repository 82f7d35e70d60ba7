//! One running of a stage for one request, or for a batch of them: who was asked, what came.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Results, RoundId};
use crate::code::{Arrived, Code, Decoder, Estimator};
use crate::event::Worth;
use crate::maths::Tensor;
use crate::model::lowered::Inputs;
use crate::plan::Plan;
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
    /// The requests it is for: more than one in a batch, or if they share it.
    pub(super) requests: Vec<RequestId>,
    /// Where on the curve of a batch each of them stands.
    pub(super) places: Vec<usize>,
    /// The code of a batch.
    pub(super) estimator: Option<Arc<Estimator>>,
    /// Kept for asking again.
    pub(super) tasks: Tasks,
    /// What its result is worth.
    pub(super) worth: Worth,
    /// Set once the shares in hand suffice: the round is decided.
    pub(super) decoder: Option<Arc<Decoder>>,
    /// How many shares were found wrong.
    pub(super) lies: usize,
    /// Whether replies contradicted each other, and it could not be said which were wrong.
    pub(super) doubted: bool,
    /// Whether spare holders were asked before the deadline.
    pub(super) hedged: bool,
    /// The device first asked for each share.
    asked: Vec<Option<DeviceId>>,
    /// Those asked after it, which hardly ever happens; the last one last.
    asked_then: BTreeMap<usize, Vec<DeviceId>>,
    /// How often devices that came back were asked.
    pub(super) again: u32,
    pub(super) results: Results,
    /// Who sent those that did not come from whom they were first asked of.
    senders: BTreeMap<usize, DeviceId>,
    /// How many of them are no mere copies of others.
    pub(super) news: usize,
    /// With less news than this nothing can be decoded, as the last try showed.
    pub(super) decodes_from: usize,
}

impl Round {
    pub(super) fn new(id: RoundId, now: Time, tasks: Tasks, plan: &Plan) -> Self {
        let shares = plan.stages[id.stage.0].code.shares();
        Self {
            id,
            began: now,
            attempt: 0,
            until: now,
            tasks,
            requests: vec![id.request],
            places: Vec::new(),
            estimator: None,
            worth: Worth::Exact,
            decoder: None,
            lies: 0,
            doubted: false,
            hedged: false,
            asked: vec![None; shares],
            asked_then: BTreeMap::new(),
            again: 0,
            senders: BTreeMap::new(),
            results: Results::of(shares),
            news: 0,
            decodes_from: 0,
        }
    }

    /// How many requests the holders of shares compute for: one mixture of those of a batch.
    pub(super) fn size(&self) -> usize {
        if self.estimator.is_some() { 1 } else { self.requests.len() }
    }

    pub(super) fn ask(&mut self, share: usize, device: DeviceId) {
        if self.asked[share].is_none() {
            self.asked[share] = Some(device);
        } else {
            self.asked_then.entry(share).or_default().push(device);
        }
    }

    /// Who sent a share that has come.
    pub(super) fn sender(&self, share: usize) -> Option<DeviceId> {
        self.senders.get(&share).copied().or(self.asked[share])
    }

    /// Everybody who was asked for a share that has not come.
    pub(super) fn awaited(&self) -> Vec<(usize, DeviceId)> {
        let asked = |share: usize| {
            let then = self.asked_then.get(&share).into_iter().flatten();
            self.asked[share].iter().chain(then).map(move |device| (share, *device))
        };
        self.results.missing().flat_map(asked).collect()
    }

    /// Takes a result in; `false` if the share is here already or the round is decided.
    pub(super) fn arrive(
        &mut self,
        code: &dyn Code,
        share: usize,
        device: DeviceId,
        result: Arc<Vec<Tensor>>,
    ) -> bool {
        if self.decoder.is_some() || self.results.has(share) {
            return false;
        }
        if self.asked[share] == Some(device) {
            self.senders.remove(&share);
        } else {
            self.senders.insert(share, device);
        }
        self.news += usize::from(code.is_news(share, &|other| self.results.has(other)));
        self.results.put(share, result);
        true
    }

    /// A result counts as one that never came.
    pub(super) fn drop_result(&mut self, share: usize) {
        self.results.remove(share);
        self.count_anew();
    }

    /// No result counts any more.
    pub(super) fn drop_all_results(&mut self) {
        self.results.clear();
        self.count_anew();
    }

    /// Nothing is known any more of what suffices: fewer than this are news, or as many.
    fn count_anew(&mut self) {
        (self.news, self.decodes_from) = (self.results.len(), 0);
    }

    pub(super) fn arrived(&self) -> Arrived {
        self.results.shares().collect()
    }

    pub(super) fn missing(&self) -> Vec<usize> {
        self.results.missing().collect()
    }

    /// Whether somebody was asked for the share and it has not come.
    pub(super) fn is_awaited(&self, share: usize) -> bool {
        self.asked[share].is_some() && !self.results.has(share)
    }
}
