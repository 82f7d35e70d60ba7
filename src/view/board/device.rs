//! A device on the board: what it does, what is thought of it, and what is the matter with it.

#![expect(clippy::wildcard_enum_match_arm, reason = "a fold looks at what it folds")]

use std::collections::{BTreeSet, VecDeque};

use super::Task;
use crate::event::{Event, Record, Standing};
use crate::units::{FaultId, RequestId, Span, StageId, Time};

/// What is known of a device.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceBoard {
    pub up: bool,
    /// What the supervisor thinks of it.
    pub standing: Standing,
    pub in_hand: Option<InHand>,
    /// Tasks it was asked for and has not begun.
    pub queue: BTreeSet<Task>,
    /// Its last reply times, newest last.
    pub replies: VecDeque<Span>,
    /// How many shares it holds.
    pub holds: usize,
    /// How many it should hold.
    pub of: usize,
    /// The last fault that struck it, and when.
    pub last_fault: Option<(Time, String)>,
    /// The last time it was caught with a wrong share.
    pub caught: Option<Time>,
    /// Faults in force on it.
    faults: Vec<(FaultId, String)>,
    pub tasks: usize,
    pub arrived: usize,
    pub late: usize,
    pub lost: usize,
}

/// The job a device works at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InHand {
    pub request: RequestId,
    pub stage: StageId,
    pub share: usize,
    pub since: Time,
}

/// How a device is, in a word: the worst thing that is true of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Face {
    Healthy,
    Probation,
    Slow,
    Suspect,
    Excluded,
    /// A fault makes it answer wrongly.
    Lying,
    Frozen,
    Dead,
}

impl Face {
    pub const ALL: [Self; 8] = [
        Self::Healthy,
        Self::Probation,
        Self::Slow,
        Self::Suspect,
        Self::Excluded,
        Self::Lying,
        Self::Frozen,
        Self::Dead,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Probation => "probation",
            Self::Slow => "slow",
            Self::Suspect => "suspect",
            Self::Excluded => "excluded",
            Self::Lying => "lying",
            Self::Frozen => "frozen",
            Self::Dead => "dead",
        }
    }
}

/// How many reply times are kept.
const REPLIES: usize = 40;

impl DeviceBoard {
    pub(super) fn new(holds: usize) -> Self {
        Self {
            up: true,
            standing: Standing::Healthy,
            in_hand: None,
            queue: BTreeSet::new(),
            replies: VecDeque::new(),
            holds,
            of: holds,
            last_fault: None,
            caught: None,
            faults: Vec::new(),
            tasks: 0,
            arrived: 0,
            late: 0,
            lost: 0,
        }
    }

    /// How it is: the truth where a fault tells it, else what the supervisor thinks.
    pub fn face(&self) -> Face {
        if !self.up {
            return Face::Dead;
        }
        if self.suffers("Freeze") {
            return Face::Frozen;
        }
        if self.suffers("Corrupt") {
            return Face::Lying;
        }
        match self.standing {
            Standing::Excluded => Face::Excluded,
            Standing::Suspect => Face::Suspect,
            Standing::Slow => Face::Slow,
            Standing::Probation => Face::Probation,
            Standing::Healthy => Face::Healthy,
        }
    }

    /// The faults in force on it, oldest first.
    pub fn faults(&self) -> impl Iterator<Item = &str> {
        self.faults.iter().map(|(_, what)| what.as_str())
    }

    fn suffers(&self, kind: &str) -> bool {
        self.faults().any(|what| what.split('(').next() == Some(kind))
    }

    pub(super) fn asked(&mut self, request: RequestId, stage: StageId, share: usize) {
        self.tasks += 1;
        self.queue.insert((request, stage, share));
    }

    /// A decided round's tasks are called off.
    pub(super) fn forget_queued(&mut self, request: RequestId, stage: StageId) {
        self.queue.retain(|(of, at, _)| (*of, *at) != (request, stage));
    }

    /// Takes in a record that is about this device.
    pub(super) fn take(&mut self, Record { at, event }: &Record) {
        match event {
            Event::Started { request, stage, share, .. } => {
                self.queue.remove(&(*request, *stage, *share));
                let (request, stage, share) = (*request, *stage, *share);
                self.in_hand = Some(InHand { request, stage, share, since: *at });
            }
            Event::Arrived { request, stage, share, after, .. } => {
                self.arrived += 1;
                self.replies.push_back(*after);
                if self.replies.len() > REPLIES {
                    self.replies.pop_front();
                }
                self.done(*request, *stage, *share);
            }
            Event::Late { request, stage, share, .. } => {
                self.late += 1;
                self.done(*request, *stage, *share);
            }
            Event::Skipped { request, stage, share, .. }
            | Event::Refused { request, stage, share, .. } => self.done(*request, *stage, *share),
            Event::Lost { what: "task" | "reply", .. } => self.lost += 1,
            Event::Died { .. } => {
                self.up = false;
                self.holds = 0;
                self.in_hand = None;
                self.queue.clear();
            }
            Event::Deployed { shares, .. } => {
                self.up = true;
                self.holds = *shares;
            }
            Event::Judgement { to, .. } => self.standing = *to,
            Event::Caught { .. } => self.caught = Some(*at),
            Event::FaultBegan { fault, what, .. } => {
                self.last_fault = Some((*at, what.clone()));
                if what != "Restart" {
                    self.faults.retain(|(other, _)| other != fault);
                    self.faults.push((*fault, what.clone()));
                }
            }
            Event::FaultEnded { fault, .. } => self.faults.retain(|(other, _)| other != fault),
            _ => {}
        }
    }

    fn done(&mut self, request: RequestId, stage: StageId, share: usize) {
        self.queue.remove(&(request, stage, share));
        let it = |job: &InHand| (job.request, job.stage, job.share) == (request, stage, share);
        if self.in_hand.as_ref().is_some_and(it) {
            self.in_hand = None;
        }
    }
}
