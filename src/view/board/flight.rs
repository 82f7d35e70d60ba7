//! A request on the board: its rounds as a grid of stages × shares.

#![expect(clippy::wildcard_enum_match_arm, reason = "a fold looks at what it folds")]

use super::super::trace::Header;
use crate::event::{Event, Record, Worth};
use crate::units::{DeviceId, RequestId, Span, StageId, Time};

/// A request, from its acceptance on.
#[derive(Clone, Debug, PartialEq)]
pub struct Flight {
    pub request: RequestId,
    pub accepted: Time,
    /// One entry a stage, once its round began.
    pub rounds: Vec<Option<RoundBoard>>,
    /// The stage whose round began last.
    pub stage: Option<StageId>,
    /// The first request of the batch that it is in, under whose name its round is told.
    pub with: Option<RequestId>,
    /// The stage at which its batch did not fill: a smaller code, whose sources are not those of the shares.
    small_at: Option<StageId>,
    pub end: Option<End>,
    pub judged: Option<Judged>,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    Answered { latency: Span, worth: Worth },
    Failed { latency: Span, reason: String },
}

/// An answer beside the whole model's.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    pub error: f64,
    pub top1: usize,
    pub top1_of_whole: usize,
    pub label: Option<usize>,
    /// Classes and their probabilities, best first.
    pub best: Vec<(usize, f32)>,
}

/// A round: its shares, and how it was decided.
#[derive(Clone, Debug, PartialEq)]
pub struct RoundBoard {
    pub began: Time,
    /// How often shares were asked for again.
    pub attempt: u32,
    /// One a share.
    pub cells: Vec<Cell>,
    pub enough: Option<Enough>,
    pub decoded: Option<Decoded>,
    /// How often its deadline passed.
    pub deadlines: u32,
    /// Whether some share is known to be wrong, but not which.
    pub doubted: bool,
}

/// Why a round stopped waiting.
#[derive(Clone, Debug, PartialEq)]
pub struct Enough {
    pub after: Span,
    pub arrived: usize,
    /// Who is not waited for, and when each was expected.
    pub without: Vec<(DeviceId, Option<Span>)>,
}

/// What decoding came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    pub took: Span,
    pub condition: f64,
    pub used: Vec<usize>,
    pub rebuilt: Vec<usize>,
    pub worth: Worth,
}

/// A share in a round.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cell {
    pub state: CellState,
    /// Who was asked for it last.
    pub device: Option<DeviceId>,
    /// How long after the round began its result came.
    pub after: Option<Span>,
    /// Whether the source it is a copy of was computed from other shares.
    pub rebuilt: bool,
}

/// What became of a share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum CellState {
    /// Nobody was asked for it.
    #[default]
    Idle,
    Asked,
    Computing,
    Arrived,
    /// The answer was decoded from it.
    Used,
    /// It came when the round was decided.
    Late,
    /// Called off when the round was decided.
    CalledOff,
    Refused,
    /// It died with its device, or on its link.
    Lost,
    /// It was found out to be wrong.
    Wrong,
}

impl CellState {
    pub const ALL: [Self; 10] = [
        Self::Idle,
        Self::Asked,
        Self::Computing,
        Self::Arrived,
        Self::Used,
        Self::Late,
        Self::CalledOff,
        Self::Refused,
        Self::Lost,
        Self::Wrong,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Asked => "asked",
            Self::Computing => "computing",
            Self::Arrived => "arrived",
            Self::Used => "used",
            Self::Late => "late",
            Self::CalledOff => "called off",
            Self::Refused => "refused",
            Self::Lost => "lost",
            Self::Wrong => "wrong",
        }
    }

    fn is_awaited(self) -> bool {
        matches!(self, Self::Asked | Self::Computing)
    }
}

impl Flight {
    pub(super) fn new(request: RequestId, accepted: Time, stages: usize) -> Self {
        let rounds = vec![None; stages];
        let (stage, with, small_at, end, judged) = Default::default();
        Self { request, accepted, rounds, stage, with, small_at, end, judged }
    }

    /// Whether nothing more is to come of it: it failed, or its answer was judged.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.end, Some(End::Failed { .. })) || self.judged.is_some()
    }

    /// The round that began last.
    pub fn round(&self) -> Option<(StageId, &RoundBoard)> {
        let stage = self.stage?;
        Some((stage, self.rounds[stage.0].as_ref()?))
    }

    /// Takes in a record that is about this request.
    pub(super) fn take(&mut self, header: &Header, Record { at, event }: &Record) {
        match event {
            Event::Scattered { stage, attempt, asked, .. } => {
                (self.stage, self.with) = (Some(*stage), None);
                let shares = header.stages[stage.0].shares.len();
                let round =
                    self.rounds[stage.0].get_or_insert_with(|| RoundBoard::new(*at, shares));
                round.attempt = *attempt;
                for (share, device) in asked {
                    round.ask(*share, *device);
                }
            }
            Event::Answered { latency, worth, .. } => {
                self.end = Some(End::Answered { latency: *latency, worth: *worth });
            }
            Event::Failed { reason, latency, .. } => {
                self.end = Some(End::Failed { latency: *latency, reason: reason.clone() });
            }
            Event::Judged { error, top1, top1_of_whole, label, best, .. } => {
                self.judged = Some(Judged {
                    error: *error,
                    top1: *top1,
                    top1_of_whole: *top1_of_whole,
                    label: *label,
                    best: best.clone(),
                });
            }
            Event::Lost { device, what: "task" | "reply", .. } => self.lose(*device),
            Event::Gathered { stage, requests, took: Some(_), .. } => {
                let plain = header.stages[stage.0].shares.iter().filter_map(|share| share.plain);
                let is_small = plain.max().is_some_and(|last| requests.len() <= last);
                self.small_at = is_small.then_some(*stage);
            }
            Event::Gathered { .. } => {}
            event => {
                let round = event.stage().and_then(|stage| self.rounds[stage.0].as_mut());
                if let (Some(stage), Some(round)) = (event.stage(), round) {
                    round.take(&header.stages[stage.0].shares, event);
                    if self.small_at == Some(stage) {
                        round.cells.iter_mut().for_each(|cell| cell.rebuilt = false);
                    }
                }
            }
        }
    }

    /// What a device was asked for is lost.
    pub(super) fn lose(&mut self, device: DeviceId) {
        let cells = self.rounds.iter_mut().flatten().flat_map(|round| &mut round.cells);
        for cell in cells.filter(|cell| cell.device == Some(device) && cell.state.is_awaited()) {
            cell.state = CellState::Lost;
        }
    }
}

impl RoundBoard {
    fn new(began: Time, shares: usize) -> Self {
        Self {
            began,
            attempt: 0,
            cells: vec![Cell::default(); shares],
            enough: None,
            decoded: None,
            deadlines: 0,
            doubted: false,
        }
    }

    /// The shares that came in time.
    pub fn arrived(&self) -> usize {
        let here = |cell: &&Cell| matches!(cell.state, CellState::Arrived | CellState::Used);
        self.cells.iter().filter(here).count()
    }

    fn ask(&mut self, share: usize, device: DeviceId) {
        let cell = &mut self.cells[share];
        if !matches!(cell.state, CellState::Arrived | CellState::Used) {
            *cell = Cell { state: CellState::Asked, device: Some(device), ..*cell };
        }
    }

    /// Takes in a record of this round; `shares` are the stage's.
    fn take(&mut self, shares: &[super::super::trace::ShareHeader], event: &Event) {
        match event {
            Event::Started { share, .. } => self.set(*share, CellState::Computing),
            Event::Arrived { share, after, .. } => {
                self.set(*share, CellState::Arrived);
                self.cells[*share].after = Some(*after);
            }
            Event::Late { share, .. } => self.set(*share, CellState::Late),
            Event::Skipped { share, .. } => self.set(*share, CellState::CalledOff),
            Event::Refused { share, .. } => self.set(*share, CellState::Refused),
            Event::Caught { share, .. } => self.cells[*share].state = CellState::Wrong,
            Event::Doubted { .. } => self.doubted = true,
            Event::DeadlinePassed { .. } => self.deadlines += 1,
            Event::Enough { arrived, after, without, .. } => {
                let without = without.iter().map(|(who, at)| (*who, at.map(Span))).collect();
                self.enough = Some(Enough { after: *after, arrived: arrived.len(), without });
            }
            Event::Decoded { used, rebuilt, condition, took, worth, .. } => {
                used.iter().for_each(|share| self.cells[*share].state = CellState::Used);
                for (cell, share) in self.cells.iter_mut().zip(shares) {
                    let source = share.plain.filter(|source| rebuilt.contains(source));
                    let in_hand = cell.state == CellState::Used || *worth == Worth::Estimate;
                    cell.rebuilt = source.is_some() && !in_hand;
                }
                self.decoded = Some(Decoded {
                    took: *took,
                    condition: *condition,
                    used: used.clone(),
                    rebuilt: rebuilt.clone(),
                    worth: *worth,
                });
            }
            _ => {}
        }
    }

    /// A share that was used or caught stays so.
    fn set(&mut self, share: usize, state: CellState) {
        let cell = &mut self.cells[share];
        if !matches!(cell.state, CellState::Used | CellState::Wrong) {
            cell.state = state;
        }
    }
}
