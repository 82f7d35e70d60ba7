//! Everything that can be seen to happen: the only way out of a run.
//!
//! No tensors in here: ids, counts, moments, norms. Nothing here knows who emits or reads an event.

mod about;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::units::{Bytes, DeviceId, FaultId, RequestId, Span, StageId, Time};

/// An event and when it happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    #[serde(rename = "at_ns", deserialize_with = "Time::counted")]
    pub at: Time,
    #[serde(flatten)]
    pub event: Event,
}

/// What the supervisor thinks of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// It holds numbers that are none.
    NotANumber,
    /// It fails its random projection.
    Projection,
    /// It contradicts the other shares.
    Surplus,
}

/// What a result is worth; of several the last of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Worth {
    /// That of the undivided model, to rounding.
    #[default]
    Exact,
    /// Read off a curve through the results of a batch.
    Approximate,
    /// Guessed from fewer shares than are needed.
    Estimate,
}

impl Worth {
    pub fn is_exact(&self) -> bool {
        *self == Self::Exact
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum Event {
    /// A request was taken on; from here on it ends exactly once.
    Accepted { request: RequestId },
    /// The supervisor coded a stage's input; its round begins.
    Encoded {
        request: RequestId,
        stage: StageId,
        #[serde(deserialize_with = "Span::counted")]
        took: Span,
    },
    /// Requests at the same stage share a round: because they came to it while another was under way, or
    /// as a batch whose inputs were mixed. It is told under the name of the first of them.
    Gathered {
        request: RequestId,
        stage: StageId,
        requests: Vec<RequestId>,
        /// How long the first waited for the others.
        #[serde(deserialize_with = "Span::counted")]
        waited: Span,
        /// How long mixing took, if they are a batch.
        #[serde(deserialize_with = "Span::counted_if_any")]
        took: Option<Span>,
    },
    /// A round began, or was tried again: shares were asked of devices.
    Scattered { request: RequestId, stage: StageId, attempt: u32, asked: Vec<(usize, DeviceId)> },
    /// A device began to compute a share.
    Started { request: RequestId, stage: StageId, share: usize, device: DeviceId },
    /// A share's result came in time.
    Arrived {
        request: RequestId,
        stage: StageId,
        share: usize,
        device: DeviceId,
        #[serde(deserialize_with = "Span::counted")]
        after: Span,
    },
    /// A share's result came after its round was decided, or a second time.
    Late { request: RequestId, stage: StageId, share: usize, device: DeviceId },
    /// A device called off a share's task, as it was told.
    Skipped { request: RequestId, stage: StageId, share: usize, device: DeviceId },
    /// A device does not hold the share it was asked for, or could not compute it.
    Refused { request: RequestId, stage: StageId, share: usize, device: DeviceId, why: String },
    /// The shares in hand suffice, or must: decoding begins.
    Enough {
        request: RequestId,
        stage: StageId,
        arrived: Vec<usize>,
        #[serde(deserialize_with = "Span::counted")]
        after: Span,
        /// Who is not waited for, and when each was expected to reply: nanoseconds after asking.
        without: Vec<(DeviceId, Option<u64>)>,
    },
    /// A round ended well.
    Decoded {
        request: RequestId,
        stage: StageId,
        /// The shares whose results were used.
        used: Vec<usize>,
        /// The sources that were computed from others; empty for a full systematic set.
        rebuilt: Vec<usize>,
        #[serde(deserialize_with = "number")]
        condition: f64,
        #[serde(deserialize_with = "Span::counted")]
        took: Span,
        #[serde(default, skip_serializing_if = "Worth::is_exact")]
        worth: Worth,
    },
    /// A round's deadline passed with too few shares.
    DeadlinePassed { request: RequestId, stage: StageId, attempt: u32, missing: Vec<usize> },
    /// The supervisor ran a local segment.
    LocalRan {
        request: RequestId,
        step: usize,
        #[serde(deserialize_with = "Span::counted")]
        took: Span,
    },
    /// A request ended well.
    Answered {
        request: RequestId,
        #[serde(deserialize_with = "Span::counted")]
        latency: Span,
        #[serde(default, skip_serializing_if = "Worth::is_exact")]
        worth: Worth,
    },
    /// A request ended without an answer, and says why.
    Failed {
        request: RequestId,
        reason: String,
        #[serde(deserialize_with = "Span::counted")]
        latency: Span,
    },
    /// An answer was compared with the whole model's.
    Judged {
        request: RequestId,
        /// Largest absolute difference over all outputs.
        #[serde(deserialize_with = "number")]
        error: f64,
        top1: usize,
        top1_of_whole: usize,
        label: Option<usize>,
        /// The best classes of the answer and how probable it holds each, best first.
        #[serde(default)]
        best: Vec<(usize, f32)>,
    },
    /// An answer came where nothing is computed (`numerics: Skip`): it says when, and nothing else.
    NotComputed { request: RequestId },
    /// A device came back empty and was given its shares again.
    Deployed {
        device: DeviceId,
        shares: usize,
        #[serde(deserialize_with = "Bytes::counted")]
        size: Bytes,
    },
    /// A fault took hold.
    FaultBegan { fault: FaultId, device: DeviceId, what: String },
    /// A fault ended.
    FaultEnded { fault: FaultId, device: DeviceId },
    /// A message was lost: its receiver was dead, or a fault dropped it.
    Lost {
        device: DeviceId,
        #[serde(deserialize_with = "kind")]
        what: Kind,
        request: Option<RequestId>,
        why: String,
    },
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

/// What a message is, in a word.
pub type Kind = &'static str;

const KINDS: [Kind; 10] = [
    "request",
    "answer",
    "task",
    "reply",
    "cancel",
    "skip",
    "hello",
    "deployment",
    "leave",
    "goodbye",
];

fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
    let word = String::deserialize(deserializer)?;
    let known = KINDS.into_iter().find(|kind| *kind == word);
    known.ok_or_else(|| D::Error::custom(format!("no message is called \"{word}\"")))
}

/// JSON has no word for an infinite number; it is written as nothing.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Option::<f64>::deserialize(deserializer).map(|number| number.unwrap_or(f64::INFINITY))
}
