//! Everything that can be seen to happen: the only way out of a run.
//!
//! No tensors in here: ids, counts, moments, norms. Nothing here knows who emits or reads an event.

use serde::Serialize;

use crate::units::{Bytes, DeviceId, FaultId, RequestId, Span, StageId, Time};

/// An event and when it happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    #[serde(rename = "at_ns")]
    pub at: Time,
    #[serde(flatten)]
    pub event: Event,
}

/// What the supervisor thinks of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    Healthy,
    /// It answers, but later than the others.
    Slow,
    /// It has not answered for longer than it ever took.
    Suspect,
    /// It is not asked any more.
    Excluded,
    /// It is asked again, but not relied on.
    Probation,
}

/// How a wrong share was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// It holds numbers that are none.
    NotANumber,
    /// It fails its random projection.
    Projection,
    /// It contradicts the other shares.
    Surplus,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event")]
pub enum Event {
    /// A request was taken on; from here on it ends exactly once.
    Accepted { request: RequestId },
    /// A round began, or was tried again: shares were asked of devices.
    Scattered { request: RequestId, stage: StageId, attempt: u32, asked: Vec<(usize, DeviceId)> },
    /// A device began to compute a share.
    Started { request: RequestId, stage: StageId, share: usize, device: DeviceId },
    /// A share's result came in time.
    Arrived { request: RequestId, stage: StageId, share: usize, device: DeviceId, after: Span },
    /// A share's result came after its round was decided, or a second time.
    Late { request: RequestId, stage: StageId, share: usize, device: DeviceId },
    /// A device called off a share's task, as it was told.
    Skipped { request: RequestId, stage: StageId, share: usize, device: DeviceId },
    /// A device does not hold the share it was asked for, or could not compute it.
    Refused { request: RequestId, stage: StageId, share: usize, device: DeviceId, why: String },
    /// The shares in hand suffice; decoding begins.
    Enough {
        request: RequestId,
        stage: StageId,
        arrived: Vec<usize>,
        after: Span,
        /// Who is not waited for, and when each was expected to reply, after asking.
        without: Vec<(DeviceId, Option<Span>)>,
    },
    /// A round ended well.
    Decoded {
        request: RequestId,
        stage: StageId,
        /// The shares whose results were used.
        used: Vec<usize>,
        /// The sources that were computed from others; empty for a full systematic set.
        rebuilt: Vec<usize>,
        condition: f64,
        took: Span,
    },
    /// A round's deadline passed with too few shares.
    DeadlinePassed { request: RequestId, stage: StageId, attempt: u32, missing: Vec<usize> },
    /// The supervisor ran a local segment.
    LocalRan { request: RequestId, step: usize, took: Span },
    /// A request ended well.
    Answered { request: RequestId, latency: Span },
    /// A request ended without an answer, and says why.
    Failed { request: RequestId, reason: String, latency: Span },
    /// An answer was compared with the whole model's.
    Judged {
        request: RequestId,
        /// Largest absolute difference over all outputs.
        error: f64,
        top1: usize,
        top1_of_whole: usize,
        label: Option<usize>,
    },
    /// A device came back empty and was given its shares again.
    Deployed { device: DeviceId, shares: usize, size: Bytes },
    /// A fault took hold.
    FaultBegan { fault: FaultId, device: DeviceId, what: String },
    /// A fault ended.
    FaultEnded { fault: FaultId, device: DeviceId },
    /// A message was lost: its receiver was dead, or a fault dropped it.
    Lost { device: DeviceId, what: &'static str, request: Option<RequestId>, why: String },
    /// A device went down, with everything it held.
    Died { device: DeviceId, why: String },
    /// The supervisor thinks otherwise of a device than before, and why.
    Judgement { device: DeviceId, from: Standing, to: Standing, why: String },
    /// A wrong share was found out, and whose it is.
    Caught { device: DeviceId, request: RequestId, stage: StageId, share: usize, how: Proof },
    /// Some share of a round is wrong, but which one cannot be said.
    Doubted { request: RequestId, stage: StageId, arrived: Vec<usize> },
    /// A stage can now lose so many more devices of good standing and still answer; negative if
    /// it cannot answer without those of bad standing.
    MarginChanged { stage: StageId, left: i64 },
}
