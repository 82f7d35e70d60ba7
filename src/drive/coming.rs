//! What is to come, to whom, and what decides when.

use crate::fault::{Cost, Way};
use crate::node::{Job, Message, NodeId, Output, Timer};
use crate::units::{Bytes, DeviceId, Span, Time};

/// What differs between virtual and real time.
pub(super) trait Pace {
    /// When a message sent now over a device's link arrives.
    fn arrival(
        &mut self,
        now: Time,
        link: (DeviceId, Way),
        size: Bytes,
        identity: &[u64; 6],
    ) -> Time;

    /// A device went down: nothing is in its pipes any more.
    fn went_down(&mut self, now: Time, device: DeviceId);

    /// Begins a job. Its end, if that is known already; else it comes by other means.
    fn begin(&mut self, now: Time, life: Life, job: Job, cost: Cost) -> Option<Finished>;
}

/// A node in one of its incarnations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) node: NodeId,
    pub(super) incarnation: u32,
}

/// A job's end.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) at: Time,
    pub(super) output: Output,
    pub(super) took: Span,
}

/// Something that will happen.
#[derive(Debug)]
pub(super) enum Coming {
    Start(NodeId),
    /// Meant for a node in its life `to`: what is in the pipe of a device that goes down goes with it.
    Mail {
        from: NodeId,
        to: Life,
        message: Message,
    },
    Wake {
        life: Life,
        timer: Timer,
    },
    Done {
        life: Life,
        output: Output,
        took: Span,
    },
}

/// The nodes' starts come first, then faults, and then all else in the order of its causes.
pub(super) const AFTER_FAULTS: u64 = 1 << 32;

impl Coming {
    /// At any one moment faults come before all else, in their plan's order. So it does not matter
    /// whether they were planned before the run or while it went on.
    pub(super) fn rank(&self) -> Option<u64> {
        let Self::Wake { timer, .. } = self else { return None };
        match timer {
            Timer::FaultBegins(fault) => Some(4 + 2 * fault.0 as u64),
            Timer::FaultEnds { fault, .. } => Some(5 + 2 * fault.0 as u64),
            Timer::FaultTurns { .. }
            | Timer::Deadline { .. }
            | Timer::Hedge(_)
            | Timer::Station { .. }
            | Timer::Batch { .. }
            | Timer::Arrival(_)
            | Timer::Hello { .. } => None,
        }
    }
}
