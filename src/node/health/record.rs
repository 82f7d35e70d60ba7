//! What is remembered of each device.

use smallvec::SmallVec;

use super::pace::Running;
use crate::event::Standing;
use crate::node::Ticket;
use crate::units::{RequestId, Span, Time};

/// What is looked at with every reply; a fleet of thousands is larger than caches, and this is two lines of
/// them, which are sent for.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Record {
    pub(super) standing: Standing,
    /// It said goodbye.
    pub(super) away: bool,
    /// It lied, and was not trusted again since.
    pub(super) lied: bool,
    /// Replies in a row on probation.
    pub(super) good: u32,
    /// Logarithm of its reply times in units of what is typical for the stage.
    pub(super) log_ratio: Running,
    /// When it last let hear of itself.
    pub(super) heard: Time,
    /// What it was asked for and has said nothing about, in order: a few at most, and mostly one or two.
    pub(super) open: SmallVec<[Open; 2]>,
}

/// What reply times are compared within: rounds of one stage, and for as many requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::node) struct Pace(pub(super) u32);

/// Something a device was asked for, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) request: RequestId,
    pub(super) pace: Pace,
    pub(super) share: u32,
    pub(super) asked: Time,
}

/// A request, a stage and a share.
pub(super) type What = (RequestId, u32, u32);

pub(super) fn what(Ticket { round, share, .. }: Ticket) -> What {
    (round.request, round.stage.0 as u32, share as u32)
}

impl Record {
    /// Good replies in a row that end probation.
    pub(super) fn needs(&self) -> u32 {
        if self.lied { GOOD_OF_A_LIAR } else { GOOD_IN_A_ROW }
    }
}

/// When a device's exile ends, and how long the next will be.
#[derive(Clone, Debug)]
pub(super) struct Exile {
    pub(super) until: Time,
    pub(super) next: Span,
}

/// Good replies in a row that end probation; a liar must show more.
const GOOD_IN_A_ROW: u32 = 3;
const GOOD_OF_A_LIAR: u32 = 12;
