//! Batches: stages that code the inputs of several requests at once, whatever function they run.

use std::sync::Arc;

use serde::Deserialize;

use super::codes::CodeFile;
use super::topology::{BatchFile, OrderFile};
use crate::code::{Berrut, Code, Curve, Estimator, Order, Placement, Spline};
use crate::units::{Flops, Span};

/// How a stage's requests are gathered and coded.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The stage's code: its sources are the inputs of k requests.
    pub estimator: Arc<Estimator>,
    /// How long the first request waits for the others.
    pub within: Span,
    pub order: Order,
}

impl Batch {
    /// The work of ordering and mixing so many inputs of so many numbers each.
    pub fn mix_work(&self, inputs: usize, len: usize) -> Flops {
        let encoder = self.estimator.encoder();
        let mixed = (0..encoder.shares()).filter(|share| encoder.plain(*share).is_none());
        let terms: usize = mixed.map(|share| encoder.share(share)[0].len()).sum();
        // A distance is a difference, a square and a sum an element.
        let ordering = if self.order == Order::Given { 0 } else { 3 * inputs * inputs };
        Flops(((2 * terms + ordering) * len) as u64)
    }

    /// `None` if the code is not over inputs.
    pub(super) fn of(code: CodeFile, file: BatchFile) -> Option<Self> {
        let estimator = Arc::new(estimator(code)?);
        let order = match file.order {
            OrderFile::Given => Order::Given,
            OrderFile::NearestNeighbour => Order::NearestNeighbour,
        };
        Some(Self { estimator, within: file.within, order })
    }
}

/// Where on the curve devices stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename = "Placement")]
pub enum PlacementFile {
    /// One at each input, whose result then needs no estimate.
    #[default]
    AtInputs,
    /// As published: none.
    Spread,
}

/// A matrix is worked out anew for each set of replies.
pub(super) const MOST_DEVICES: usize = 256;

impl CodeFile {
    /// Whether it codes the inputs of a batch, and not weights.
    pub fn is_for_batches(self) -> bool {
        matches!(self, Self::Berrut { .. } | Self::Spline { .. })
    }
}

fn estimator(file: CodeFile) -> Option<Estimator> {
    file.code().ok()?;
    if let CodeFile::Berrut { n, k, silent, lies, devices } = file {
        return Some(berrut((n, k), silent, lies, devices));
    }
    let CodeFile::Spline { n, k, silent, lies, devices, before, after } = file else { return None };
    Some(spline((n, k), silent, lies, devices, [before, after]))
}

pub(super) fn berrut(
    size: (usize, usize),
    silent: Option<usize>,
    lies: usize,
    devices: PlacementFile,
) -> Estimator {
    let (n, k) = size;
    on(Box::new(Berrut::new(n, k, placement(devices))), size, silent, lies)
}

pub(super) fn spline(
    size: (usize, usize),
    silent: Option<usize>,
    lies: usize,
    devices: PlacementFile,
    [before, after]: [f64; 2],
) -> Estimator {
    let (n, k) = size;
    on(Box::new(Spline::new(n, k, placement(devices), before, after)), size, silent, lies)
}

fn on(
    curve: Box<dyn Curve>,
    size: (usize, usize),
    silent: Option<usize>,
    lies: usize,
) -> Estimator {
    Estimator::new(curve, not_waited_for(size, silent, lies), lies)
}

fn not_waited_for((n, k): (usize, usize), silent: Option<usize>, lies: usize) -> usize {
    silent.unwrap_or(n.saturating_sub(k.saturating_add(lies)))
}

/// Whether replies are left when all that may be missing are; three must be, to say that a fourth lies.
pub(super) fn leaves_enough(n: usize, k: usize, silent: Option<usize>, lies: usize) -> bool {
    let missing = not_waited_for((n, k), silent, lies).saturating_add(lies);
    missing < n && (lies == 0 || n - missing >= 3)
}

pub(super) fn smooths(before: f64, after: f64) -> bool {
    [before, after].iter().all(|smoothing| smoothing.is_finite() && *smoothing >= 0.0)
}

fn placement(file: PlacementFile) -> Placement {
    match file {
        PlacementFile::AtInputs => Placement::AtInputs,
        PlacementFile::Spread => Placement::Spread,
    }
}
