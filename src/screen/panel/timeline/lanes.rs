//! The lanes: records folded into bars of what devices were at.

#![expect(clippy::wildcard_enum_match_arm, reason = "a fold looks at what it folds")]

use std::collections::BTreeMap;

use crate::event::{Event, Record};
use crate::units::{DeviceId, RequestId, StageId, Time};
use crate::view::board::Board;

/// What a device was at, the gravest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Asked,
    CalledOff,
    /// Whatever it is asked for meanwhile.
    Down,
    Late,
    Computing,
    Arrived,
    Lost,
    Wrong,
}

impl What {
    pub(super) const ALL: [Self; 8] = [
        Self::Asked,
        Self::Computing,
        Self::Arrived,
        Self::Late,
        Self::CalledOff,
        Self::Lost,
        Self::Wrong,
        Self::Down,
    ];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Asked => "asked",
            Self::CalledOff => "called off",
            Self::Late => "late",
            Self::Computing => "computing",
            Self::Arrived => "arrived",
            Self::Lost => "lost",
            Self::Wrong => "wrong",
        }
    }
}

/// From when to when a device was at something.
pub(super) struct Bar {
    pub(super) device: DeviceId,
    pub(super) from: Time,
    pub(super) to: Time,
    pub(super) what: What,
    task: Option<Task>,
}

/// Where a request or, with a stage, a round began.
pub(super) struct Border {
    pub(super) at: Time,
    pub(super) request: RequestId,
    pub(super) stage: Option<StageId>,
}

/// Something that befell a device.
pub(super) struct Mark<'r> {
    pub(super) device: DeviceId,
    pub(super) at: Time,
    pub(super) event: &'r Event,
}

/// A share asked for.
type Task = (RequestId, StageId, usize);

pub(super) struct Lanes<'r> {
    pub(super) bars: Vec<Bar>,
    pub(super) borders: Vec<Border>,
    pub(super) marks: Vec<Mark<'r>>,
    hands: Vec<Hand>,
    /// Before it nothing is known.
    from: Time,
}

/// What a device has to do.
#[derive(Clone, Default)]
struct Hand {
    asked: BTreeMap<Task, Time>,
    working: Option<(Task, Time)>,
    /// Computed, from when to when; the reply is on its way.
    sent: BTreeMap<Task, (Time, Time)>,
    down: Option<Time>,
}

impl<'r> Lanes<'r> {
    /// From the records of the window, oldest first, and the board at their end.
    pub(super) fn fold(board: &Board, records: &[&'r Record], from: Time) -> Self {
        let hands = vec![Hand::default(); board.devices.len()];
        let (bars, borders, marks) = (Vec::new(), Vec::new(), Vec::new());
        let mut lanes = Self { bars, borders, marks, hands, from };
        lanes.find_the_dead(board, records);
        for record in records {
            lanes.take(record.at, &record.event);
        }
        lanes.end(board);
        lanes
    }

    /// Who was down when the window begins: whoever comes back without having died in it.
    fn find_the_dead(&mut self, board: &Board, records: &[&Record]) {
        let mut told = vec![false; board.devices.len()];
        for record in records {
            let back = matches!(record.event, Event::Deployed { .. });
            if !back && !matches!(record.event, Event::Died { .. }) {
                continue;
            }
            for DeviceId(device) in record.event.devices() {
                if back && !told[device] {
                    self.hands[device].down = Some(self.from);
                }
                told[device] = true;
            }
        }
        for (device, told) in told.into_iter().enumerate() {
            if !told && !board.devices[device].up {
                self.hands[device].down = Some(self.from);
            }
        }
    }

    fn take(&mut self, at: Time, event: &'r Event) {
        match event {
            Event::Accepted { request } => {
                self.borders.push(Border { at, request: *request, stage: None });
            }
            Event::Scattered { request, stage, attempt, asked } => {
                if *attempt == 0 {
                    self.borders.push(Border { at, request: *request, stage: Some(*stage) });
                }
                for (share, device) in asked {
                    self.hands[device.0].asked.insert((*request, *stage, *share), at);
                }
            }
            Event::Started { request, stage, share, device } => {
                self.start(at, *device, (*request, *stage, *share));
            }
            Event::Arrived { request, stage, share, device, .. } => {
                self.finish(at, *device, (*request, *stage, *share), What::Arrived);
            }
            Event::Late { request, stage, share, device } => {
                self.finish(at, *device, (*request, *stage, *share), What::Late);
            }
            Event::Skipped { request, stage, share, device } => {
                self.finish(at, *device, (*request, *stage, *share), What::CalledOff);
            }
            Event::Refused { request, stage, share, device, .. } => {
                self.finish(at, *device, (*request, *stage, *share), What::Lost);
            }
            Event::Caught { request, stage, share, device, .. } => {
                self.expose(at, *device, (*request, *stage, *share));
            }
            Event::Lost { device, what, request: Some(request), .. } => {
                self.lose(at, *device, what, *request);
            }
            Event::Decoded { request, stage, .. } => self.decide(at, *request, *stage),
            _ => self.befall(at, event),
        }
    }

    /// What befalls devices, whatever they are at.
    fn befall(&mut self, at: Time, event: &'r Event) {
        let Some(&device) = event.devices().first() else { return };
        match event {
            Event::Died { .. } => self.die(at, device),
            Event::Deployed { .. } => {
                if let Some(since) = self.hands[device.0].down.take() {
                    self.bar(device, since, at, What::Down, None);
                }
            }
            Event::FaultBegan { .. } | Event::FaultEnded { .. } => {}
            _ => return,
        }
        self.marks.push(Mark { device, at, event });
    }

    fn bar(&mut self, device: DeviceId, from: Time, to: Time, what: What, task: Option<Task>) {
        self.bars.push(Bar { device, from, to, what, task });
    }

    fn start(&mut self, at: Time, device: DeviceId, task: Task) {
        let hand = &mut self.hands[device.0];
        // A device does one job at a time: the one before is computed, and on its way.
        if let Some((before, since)) = hand.working.replace((task, at)) {
            hand.sent.insert(before, (since, at));
        }
        if let Some(asked) = hand.asked.remove(&task) {
            self.bar(device, asked, at, What::Asked, None);
        }
    }

    fn finish(&mut self, at: Time, device: DeviceId, task: Task, what: What) {
        let hand = &mut self.hands[device.0];
        let working = hand.working.take_if(|(of, _)| *of == task).map(|(_, since)| (since, at));
        let asked = hand.asked.remove(&task).map(|since| (since, at));
        let (from, to) = match working.or(hand.sent.remove(&task)).or(asked) {
            Some(known) => known,
            // Decided without it, and its bar is drawn.
            None if what == What::CalledOff => return,
            None => (self.from, at),
        };
        self.bar(device, from, to, what, Some(task));
    }

    /// A share that came was wrong.
    fn expose(&mut self, at: Time, device: DeviceId, task: Task) {
        let mut bars = self.bars.iter_mut().rev();
        match bars.find(|bar| bar.device == device && bar.task == Some(task)) {
            Some(bar) => bar.what = What::Wrong,
            None => self.finish(at, device, task, What::Wrong),
        }
    }

    /// A message is lost: of which share is not said, so it may be any of the request's.
    fn lose(&mut self, at: Time, device: DeviceId, what: &str, request: RequestId) {
        let hand = &self.hands[device.0];
        let lost: Vec<Task> = match what {
            "task" => hand.asked.keys().copied().collect(),
            "reply" => {
                let working = hand.working.iter().map(|(task, _)| *task);
                hand.sent.keys().copied().chain(working).collect()
            }
            _ => return,
        };
        if let Some(task) = lost.into_iter().find(|(of, ..)| *of == request) {
            self.finish(at, device, task, What::Lost);
        }
    }

    /// A round is decided: what nobody has begun is called off.
    fn decide(&mut self, at: Time, request: RequestId, stage: StageId) {
        for (device, hand) in self.hands.iter_mut().enumerate() {
            let of_it = |task: &Task| (task.0, task.1) == (request, stage);
            for (task, since) in hand.asked.extract_if(.., |task, _| of_it(task)) {
                let (device, task) = (DeviceId(device), Some(task));
                self.bars.push(Bar { device, from: since, to: at, what: What::CalledOff, task });
            }
        }
    }

    fn die(&mut self, at: Time, device: DeviceId) {
        let hand = std::mem::take(&mut self.hands[device.0]);
        let working = hand.working.map(|(task, since)| (task, (since, at)));
        let asked = hand.asked.into_iter().map(|(task, since)| (task, (since, at)));
        for (task, (from, to)) in hand.sent.into_iter().chain(working).chain(asked) {
            self.bar(device, from, to, What::Lost, Some(task));
        }
        self.hands[device.0].down = Some(hand.down.unwrap_or(at));
    }

    /// What goes on at the end of the window.
    fn end(&mut self, board: &Board) {
        for (device, hand) in std::mem::take(&mut self.hands).into_iter().enumerate() {
            let in_hand = board.devices[device].in_hand.map(|job| job.since);
            let working = hand.working.map(|(_, since)| since).or(in_hand);
            let asked = hand.asked.into_values().map(|since| (since, board.now, What::Asked));
            let sent = hand.sent.into_values().map(|(from, to)| (from, to, What::Computing));
            let working = working.map(|since| (since, board.now, What::Computing));
            let down = hand.down.map(|since| (since, board.now, What::Down));
            for (from, to, what) in asked.chain(sent).chain(working).chain(down) {
                self.bar(DeviceId(device), from, to, what, None);
            }
        }
    }
}
