//! The jobs that wait for a thread, and which of them comes first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::node::{Job, RoundId};
use crate::plan::{Plan, Verify, Wait};
use crate::units::{Bytes, Flops};

/// The jobs that wait for a thread.
#[derive(Default)]
pub(super) struct Line {
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// How many of them are heavy, …
    heavy: usize,
    /// … and how many spare.
    spare: usize,
    came: u64,
}

struct Waiting {
    urgency: Urgency,
    /// Among equals the first comes first.
    number: u64,
    weight: Weight,
    work: Work,
}

pub(super) type Work = Box<dyn FnOnce() + Send>;

/// What the supervisor does holds up everybody; then come older requests, and of one request first the
/// shares with low numbers, which in systematic codes are the plain ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Urgency {
    Supervisor,
    Share { request: usize, share: usize },
}

/// Whether the driver may do a job: else it would be away from its events for too long, or do what its next
/// event may show not to be needed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Weight {
    Light,
    Heavy,
    Spare,
}

impl Urgency {
    pub(in super::super) fn of(job: &Job) -> Self {
        match job {
            Job::Share { ticket, .. } => {
                Self::Share { request: ticket.round.request.0, share: ticket.share }
            }
            Job::Encode { .. }
            | Job::Decode { .. }
            | Job::Mix { .. }
            | Job::ReadOff { .. }
            | Job::Local { .. } => Self::Supervisor,
        }
    }
}

impl Weight {
    pub(in super::super) fn of(job: &Job, begun: &mut Begun, plan: &Plan) -> Self {
        match job {
            Job::Share { ticket, .. } if begun.suffice(ticket.round, plan) => Self::Spare,
            job if job.work() < LIGHT_WORK && job.traffic() < LIGHT_TRAFFIC => Self::Light,
            Job::Encode { .. }
            | Job::Share { .. }
            | Job::Decode { .. }
            | Job::Mix { .. }
            | Job::ReadOff { .. }
            | Job::Local { .. } => Self::Heavy,
        }
    }
}

/// How many shares of each of the last rounds have been begun.
#[derive(Default)]
pub(in super::super) struct Begun(BTreeMap<RoundId, usize>);

impl Begun {
    /// Counts one more; whether those before it may do.
    fn suffice(&mut self, round: RoundId, plan: &Plan) -> bool {
        let stage = &plan.stages[round.stage.0];
        let waits = plan.policy.wait == Wait::Everyone || stage.verify == Verify::Surplus;
        let enough = if waits { stage.code.shares() } else { stage.code.sources() };
        let begun = self.0.entry(round).or_default();
        *begun += 1;
        let suffice = *begun > enough;
        if self.0.len() > ROUNDS {
            self.0.pop_first();
        }
        suffice
    }
}

/// More than are ever on their way at once, nearly.
const ROUNDS: usize = 256;

/// Twenty milliseconds or so, on a core of our days. To wake another thread may take four.
const LIGHT_WORK: Flops = Flops(2_500_000_000);
const LIGHT_TRAFFIC: Bytes = Bytes(300_000_000);

impl Line {
    pub(super) fn put(&mut self, urgency: Urgency, weight: Weight, work: Work) {
        let number = self.came;
        self.came += 1;
        self.heavy += usize::from(weight == Weight::Heavy);
        self.spare += usize::from(weight == Weight::Spare);
        self.waiting.push(Reverse(Waiting { urgency, number, weight, work }));
    }

    /// Takes the first out.
    pub(super) fn next(&mut self) -> Option<(Weight, Work)> {
        let Reverse(Waiting { weight, work, .. }) = self.waiting.pop()?;
        self.heavy -= usize::from(weight == Weight::Heavy);
        self.spare -= usize::from(weight == Weight::Spare);
        Some((weight, work))
    }

    /// The weight of the first.
    pub(super) fn first(&self) -> Option<Weight> {
        self.waiting.peek().map(|Reverse(first)| first.weight)
    }

    /// Whether all of them may not be needed, or there are none.
    pub(super) fn is_spare(&self) -> bool {
        self.spare == self.len()
    }

    pub(super) fn has_heavy(&self) -> bool {
        self.heavy > 0
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.urgency, self.number).cmp(&(other.urgency, other.number))
    }
}
