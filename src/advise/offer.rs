//! An offer: one way to run a layer, or a run of layers, and how long it takes in an idle fleet.

use std::ops::Range;

use crate::plan::{CodeFile, Part, Way};
use crate::units::{Bytes, DeviceId};

/// What an offer is, as people compare them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Local,
    Whole,
    /// Shares that are copies of a piece, or of all of it.
    Copies,
    Coded,
    /// Split without redundancy.
    Plain,
}

impl Kind {
    pub(super) fn of(way: &Way) -> Self {
        match way {
            Way::Local => Self::Local,
            Way::Whole { .. } => Self::Whole,
            Way::Coded { code: CodeFile::Uncoded { .. }, .. } => Self::Plain,
            Way::Coded { code: CodeFile::Replication { .. }, .. } => Self::Copies,
            Way::Coded { .. } => Self::Coded,
        }
    }
}

/// One way to run the layers from one to another, in the fleet's counting.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) layers: Range<usize>,
    pub(super) kind: Kind,
    pub(super) part: Part,
    /// In milliseconds, one a draw: with what the supervisor does before it.
    pub(super) times: Vec<f64>,
    pub(super) mean: f64,
    pub(super) variance: f64,
    /// How long its devices compute, all together, in milliseconds.
    pub(super) load: f64,
    /// The weights each of its devices holds.
    pub(super) held: Vec<(DeviceId, Bytes)>,
}

/// What may be offered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// How many shares, whichever they are, any stage must be able to lose.
    pub(super) tolerate: usize,
    /// Only so many of the best devices are used.
    pub(super) devices: usize,
    /// Whether the supervisor may compute layers.
    pub(super) local: bool,
}
