//! A device: holds shares, does one job at a time, in the order asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::{Effects, Input, Job, Message, Node, NodeId, Output, RoundId, Ticket};
use crate::event::Event;
use crate::maths::Tensor;
use crate::plan::Share;
use crate::units::{Bytes, DeviceId, StageId, Time};

#[derive(Debug)]
pub struct Device {
    id: DeviceId,
    shares: BTreeMap<(StageId, usize), Arc<Share>>,
    waiting: VecDeque<(Ticket, Vec<Tensor>)>,
    /// The job in hand, and whether its result is still wanted.
    busy: Option<(Ticket, bool)>,
    /// Whether it must ask for its shares: it came back from the dead.
    empty: bool,
    /// Whether it takes no more tasks.
    leaving: bool,
}

impl Device {
    /// A device that holds its shares already, as after deployment.
    pub fn deployed(id: DeviceId, shares: BTreeMap<(StageId, usize), Arc<Share>>) -> Self {
        Self { id, shares, waiting: VecDeque::new(), busy: None, empty: false, leaving: false }
    }

    /// A device that just came up and holds nothing.
    pub fn empty(id: DeviceId) -> Self {
        Self { empty: true, ..Self::deployed(id, BTreeMap::new()) }
    }

    fn take_next(&mut self, out: &mut Effects) {
        while self.busy.is_none() {
            let Some((ticket, inputs)) = self.waiting.pop_front() else { return };
            let Ticket { round, share, .. } = ticket;
            match self.shares.get(&(round.stage, share)) {
                Some(held) => {
                    self.busy = Some((ticket, true));
                    let RoundId { request, stage } = round;
                    out.note(Event::Started { request, stage, share, device: self.id });
                    out.work(Job::Share { ticket, share: held.clone(), inputs });
                }
                None => {
                    let why = "it does not hold that share".to_owned();
                    out.send(NodeId::Supervisor, Message::Reply(ticket, Err(why)));
                }
            }
        }
    }

    /// Whether it is at that task already: it was asked for again, and one answer is enough.
    fn has(&self, ticket: Ticket) -> bool {
        let same = |other: &Ticket| (other.round, other.share) == (ticket.round, ticket.share);
        let busy = self.busy.as_ref().is_some_and(|(busy, wanted)| *wanted && same(busy));
        busy || self.waiting.iter().any(|(waiting, _)| same(waiting))
    }

    /// Calls a round's tasks off, and says so: silence would look like death.
    fn forget(&mut self, round: RoundId, out: &mut Effects) {
        for (ticket, _) in self.waiting.iter().filter(|(ticket, _)| ticket.round == round) {
            out.send(NodeId::Supervisor, Message::Skipped(*ticket));
        }
        self.waiting.retain(|(ticket, _)| ticket.round != round);
        if let Some((busy, wanted)) = &mut self.busy {
            *wanted &= busy.round != round;
        }
    }

    fn hold(&mut self, shares: Vec<(StageId, usize, Arc<Share>)>, out: &mut Effects) {
        let size = shares.iter().fold(Bytes(0), |sum, (_, _, share)| sum + share.weight_bytes());
        out.note(Event::Deployed { device: self.id, shares: shares.len(), size });
        self.shares.extend(shares.into_iter().map(|(stage, share, held)| ((stage, share), held)));
    }
}

impl Node for Device {
    fn handle(&mut self, _now: Time, input: Input, out: &mut Effects) {
        match input {
            Input::Start if self.empty => out.send(NodeId::Supervisor, Message::Hello),
            Input::Mail { message: Message::Task(ticket, _), .. } if self.leaving => {
                let why = "it is leaving the fleet".to_owned();
                out.send(NodeId::Supervisor, Message::Reply(ticket, Err(why)));
            }
            Input::Mail { message: Message::Leave, .. } => {
                self.leaving = true;
                out.send(NodeId::Supervisor, Message::Goodbye);
            }
            Input::Mail { message: Message::Task(ticket, inputs), .. } => {
                if !self.has(ticket) {
                    self.waiting.push_back((ticket, inputs));
                }
            }
            Input::Mail { message: Message::Cancel(round), .. } => self.forget(round, out),
            Input::Mail { message: Message::Deploy(shares), .. } => self.hold(shares, out),
            Input::Done { output: Output::Share { ticket, result }, .. } => {
                let wanted = self.busy.take().is_some_and(|(_, wanted)| wanted);
                let word =
                    if wanted { Message::Reply(ticket, result) } else { Message::Skipped(ticket) };
                out.send(NodeId::Supervisor, word);
            }
            Input::Start
            | Input::Mail { .. }
            | Input::Wake(_)
            | Input::Done { .. }
            | Input::Saw(_)
            | Input::Planned(_)
            | Input::CalledOff { .. } => {}
        }
        self.take_next(out);
    }
}
