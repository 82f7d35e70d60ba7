//! Batches: stages that code the inputs of several requests at once, whatever function they run.

mod mixing;
mod rehearsal;
mod words;

use std::sync::Arc;

use super::codes::CodeFile;
use super::topology::{BatchFile, OrderFile};
use crate::code::{Code, Estimator, Order};
use crate::units::{Flops, Span};

pub use mixing::Mixed;
pub use rehearsal::{Rehearsal, Unrehearsed};
pub(super) use words::{Curves, PlacementFile, SmoothingFile};

/// How a stage's requests are gathered and coded.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The stage's code: its sources are the inputs of k requests.
    pub estimator: Arc<Estimator>,
    /// How long the first request waits for the others.
    pub within: Span,
    pub order: Order,
    curves: Curves,
}

impl Batch {
    /// The code for so many requests: the stage's own, or a smaller one on the same devices, which waits
    /// for as many results and looks for as many lies.
    pub fn estimator_for(&self, requests: usize) -> Arc<Estimator> {
        if requests == self.estimator.sources() {
            return self.estimator.clone();
        }
        Arc::new(self.curves.estimator(requests))
    }

    /// The work of ordering and mixing so many inputs of so many numbers each.
    pub fn mix_work(&self, code: &Estimator, len: usize) -> Flops {
        let (encoder, inputs) = (code.encoder(), code.sources());
        let mixed = (0..encoder.shares()).filter(|share| encoder.plain(*share).is_none());
        let terms: usize = mixed.map(|share| encoder.share(share)[0].len()).sum();
        // A distance is a difference, a square and a sum an element.
        let ordering = if self.order == Order::Given { 0 } else { 3 * inputs * inputs };
        Flops(((2 * terms + ordering) * len) as u64)
    }

    /// How many results that may well come are not waited for, because the topology says nothing of
    /// `silent`; and of how many.
    pub fn left_out(&self) -> Option<(usize, usize)> {
        let Curves { n, silent, silent_by_default, .. } = self.curves;
        silent_by_default.then_some((silent, n))
    }

    /// What λ_enc and λ_dec are, for people; nothing if the curve has none, or both are 0.
    pub fn smoothing(&self) -> Option<String> {
        self.curves.smoothing()
    }

    /// `None` if the code is not over inputs.
    pub(super) fn of(code: CodeFile, file: BatchFile) -> Option<Self> {
        let curves = code.curves().filter(|_| code.code().is_ok())?;
        let order = match file.order {
            OrderFile::Given => Order::Given,
            OrderFile::NearestNeighbour => Order::NearestNeighbour,
        };
        Some(Self { estimator: Arc::new(curves.full()), within: file.within, order, curves })
    }
}

/// A matrix is worked out anew for each set of replies.
pub(super) const MOST_DEVICES: usize = 256;
