//! The thinking: plain structs that take an input and say what should be done.
//!
//! ```text
//!             Start · Mail · Wake · Done · Saw
//!                          │
//!                          ▼
//!   now ────────►  Node::handle  ────────►  Send · Wake · Work · Weather · Note
//! ```
//!
//! Deciding is apart from doing: nothing here reads a clock, draws entropy, waits, or knows actors and
//! sockets. `handle` cannot fail; what goes wrong is an event. Anything that takes time is a
//! [`Job`], plain data that the driver charges for in virtual time and runs in real time.

mod batch;
mod chaos;
mod client;
mod decode;
mod deployment;
mod device;
mod health;
mod job;
mod outline;
mod results;
mod round;
mod supervisor;
mod verify;

pub use chaos::{Chaos, Order};
pub use client::{Case, Client, Schedule};
pub use decode::Decode;
pub use deployment::Deployment;
pub use device::Device;
pub use job::{Job, Output, Undecoded, Wanted};
pub use outline::Blanks;
pub use results::Results;
pub use round::Tasks;
pub use supervisor::Supervisor;
pub use verify::{Check, Witnesses};

use std::sync::Arc;

use crate::event::Event;
use crate::maths::Tensor;
use crate::model::lowered::Inputs;
use crate::plan::{Fault, Share};
use crate::units::{Bytes, DeviceId, FaultId, RequestId, Span, StageId, Time};

/// Who a message is from or for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeId {
    /// Sends requests and judges answers.
    Client,
    Supervisor,
    Chaos,
    Device(DeviceId),
}

pub trait Node {
    /// Takes in one thing that happened and adds what should be done about it to `out`.
    fn handle(&mut self, now: Time, input: Input, out: &mut Effects);
}

/// What can happen to a node.
#[derive(Debug)]
pub enum Input {
    Start,
    Mail {
        from: NodeId,
        message: Message,
    },
    Wake(Timer),
    /// A job is finished; `took` is what it cost.
    Done {
        output: Output,
        took: Span,
    },
    /// Something was noted. Only chaos is shown events: its triggers may wait for them.
    Saw(Event),
    /// To chaos: another fault, planned while the run goes on.
    Planned(Box<Fault>),
    /// To chaos: a fault strikes no more from this moment on.
    CalledOff {
        fault: FaultId,
        from: Time,
    },
}

/// What a node wants done.
#[derive(Debug)]
pub enum Effect {
    Send { to: NodeId, message: Message },
    Wake { at: Time, timer: Timer },
    Work(Job),
    Weather(Box<Order>),
    Note(Event),
}

/// The effects of a step, in order.
#[derive(Debug, Default)]
pub struct Effects(pub Vec<Effect>);

impl Effects {
    fn send(&mut self, to: NodeId, message: Message) {
        self.0.push(Effect::Send { to, message });
    }

    fn wake(&mut self, at: Time, timer: Timer) {
        self.0.push(Effect::Wake { at, timer });
    }

    fn work(&mut self, job: Job) {
        self.0.push(Effect::Work(job));
    }

    fn note(&mut self, event: Event) {
        self.0.push(Effect::Note(event));
    }
}

/// Timers are outlived, not cancelled: each names what it is about, and is ignored if that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    Deadline {
        round: RoundId,
        attempt: u32,
    },
    Hedge(RoundId),
    /// The first of the requests that wait to share a round has waited long enough.
    Station {
        stage: StageId,
        number: u32,
    },
    /// The requests of a batch have waited for others long enough.
    Batch {
        stage: StageId,
        number: u32,
    },
    Arrival(RequestId),
    /// Nobody has answered a device that came up: it says hello for the so manyth time again.
    Hello {
        again: u32,
    },
    FaultBegins(FaultId),
    FaultEnds {
        fault: FaultId,
        strike: u32,
    },
    /// A flapping device goes down, or comes up.
    FaultTurns {
        fault: FaultId,
        strike: u32,
        down: bool,
    },
}

/// One running of a stage for one request, or for several of which it is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoundId {
    pub request: RequestId,
    pub stage: StageId,
}

/// One asking for one share of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    pub round: RoundId,
    pub share: usize,
    pub attempt: u32,
    /// How often devices that came back were asked in this round before: words that are said again are others.
    pub again: u32,
}

impl Ticket {
    /// Numbers that tell it from every other.
    pub fn identity(&self) -> [u64; 4] {
        let Self { round, share, attempt, again } = self;
        let asking = u64::from(*again) << 32 | u64::from(*attempt);
        [round.request.0 as u64, round.stage.0 as u64, *share as u64, asking]
    }
}

#[derive(Clone, Debug)]
pub enum Message {
    /// Client to supervisor.
    Request(RequestId, Vec<Tensor>),
    /// Supervisor to client: how the request ended.
    Answer(RequestId, Result<Vec<Tensor>, String>),
    /// Supervisor to device: compute your share on this input.
    Task(Ticket, Inputs),
    /// Supervisor to device: compute these shares of a hand on this input, one after the other.
    Hand(Vec<Ticket>, Inputs),
    /// Device to supervisor: the share's result, or why there is none.
    Reply(Ticket, Result<Arc<Vec<Tensor>>, String>),
    /// Supervisor to device: the round is decided; forget its tasks.
    Cancel(RoundId),
    /// Device to supervisor: I forgot those tasks of a round, as I was told.
    Skipped(Vec<Ticket>),
    /// Device to supervisor: in this life I hold nothing yet; said again until shares come.
    Hello { life: u32, again: u32 },
    /// To a device: leave the fleet in good order.
    Leave,
    /// Device to supervisor: I am leaving; ask me for nothing more in this life.
    Goodbye { life: u32 },
    /// Supervisor to device: hold these, which you are sent for the so manyth time again.
    Deploy { again: u32, shares: Vec<(StageId, usize, Arc<Share>)> },
    /// Device to supervisor: in this life I hold my shares, which you sent me for the so manyth time again.
    Ready { life: u32, again: u32 },
}

impl Message {
    /// What travels: the numbers and a small header.
    pub fn size(&self) -> Bytes {
        let numbers = |tensors: &[Tensor]| tensors.iter().map(|x| 4 * x.len() as u64).sum();
        let body: u64 = match self {
            Self::Request(_, x) | Self::Answer(_, Ok(x)) => numbers(x),
            Self::Reply(_, Ok(x)) => numbers(x),
            Self::Task(_, x) => numbers(x),
            Self::Hand(tickets, x) => numbers(x) + NAME * tickets.len().saturating_sub(1) as u64,
            Self::Skipped(tickets) => NAME * tickets.len().saturating_sub(1) as u64,
            Self::Deploy { shares, .. } => {
                Share::bytes_held(shares.iter().map(|(_, _, share)| share.as_ref())).0
            }
            Self::Answer(_, Err(_))
            | Self::Reply(_, Err(_))
            | Self::Cancel(_)
            | Self::Hello { .. }
            | Self::Leave
            | Self::Goodbye { .. }
            | Self::Ready { .. } => 0,
        };
        Bytes(HEADER + body)
    }

    /// What it is, in a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Request(..) => "request",
            Self::Answer(..) => "answer",
            Self::Task(..) | Self::Hand(..) => "task",
            Self::Reply(..) => "reply",
            Self::Cancel(_) => "cancel",
            Self::Skipped(_) => "skip",
            Self::Hello { .. } => "hello",
            Self::Leave => "leave",
            Self::Goodbye { .. } => "goodbye",
            Self::Deploy { .. } => "deployment",
            Self::Ready { .. } => "ready",
        }
    }

    /// The request it is about.
    pub fn request(&self) -> Option<RequestId> {
        match self {
            Self::Request(request, _) | Self::Answer(request, _) => Some(*request),
            Self::Task(ticket, _) | Self::Reply(ticket, _) => Some(ticket.round.request),
            Self::Hand(tickets, _) | Self::Skipped(tickets) => {
                tickets.first().map(|ticket| ticket.round.request)
            }
            Self::Cancel(round) => Some(round.request),
            Self::Hello { .. }
            | Self::Deploy { .. }
            | Self::Leave
            | Self::Goodbye { .. }
            | Self::Ready { .. } => None,
        }
    }

    /// Numbers that tell this message from every other between the same two nodes, so that chance
    /// strikes it alike in every run with the same seed.
    pub fn identity(&self) -> [u64; 5] {
        let ticket = |kind, ticket: &Ticket| {
            let [request, stage, share, attempt] = ticket.identity();
            [kind, request, stage, share, attempt]
        };
        // No two messages of a kind are about the same first share of an attempt.
        let first = |kind, tickets: &[Ticket]| {
            tickets.first().map_or([kind, 0, 0, 0, 0], |first| ticket(kind, first))
        };
        match self {
            Self::Request(request, _) => [1, request.0 as u64, 0, 0, 0],
            Self::Answer(request, _) => [2, request.0 as u64, 0, 0, 0],
            Self::Task(t, _) => ticket(3, t),
            Self::Reply(t, _) => ticket(4, t),
            Self::Cancel(round) => [5, round.request.0 as u64, round.stage.0 as u64, 0, 0],
            Self::Hello { life, again } => [6, u64::from(*life), u64::from(*again), 0, 0],
            Self::Deploy { again, shares } => [7, shares.len() as u64, u64::from(*again), 0, 0],
            Self::Leave => [8, 0, 0, 0, 0],
            Self::Goodbye { life } => [9, u64::from(*life), 0, 0, 0],
            Self::Skipped(tickets) => first(10, tickets),
            Self::Hand(tickets, _) => first(11, tickets),
            Self::Ready { life, again } => [12, u64::from(*life), u64::from(*again), 0, 0],
        }
    }
}

/// Ids, lengths and checksums around a message's numbers.
const HEADER: u64 = 64;
/// The name of one more share of the same round.
const NAME: u64 = 4;
