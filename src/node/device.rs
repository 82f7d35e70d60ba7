//! A device: holds shares, does one job at a time, in the order asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use smallvec::SmallVec;

use super::job::Wanted;
use super::{Effects, Input, Job, Message, Node, NodeId, Output, RoundId, Ticket, Timer};
use crate::event::Event;
use crate::model::lowered::Inputs;
use crate::plan::Share;
use crate::units::{DeviceId, Span, StageId, Time};

#[derive(Debug)]
pub struct Device {
    id: DeviceId,
    /// How often it came up anew: tells what it says in this life from what is still on its way.
    life: u32,
    /// By stage and share; as many as most devices hold lie where the device lies.
    shares: SmallVec<[Held; 8]>,
    waiting: VecDeque<(Ticket, Inputs)>,
    /// The job in hand.
    busy: Option<Ticket>,
    wish: Wish,
    /// Whether it must ask for its shares: it came back from the dead, and none have come.
    empty: bool,
    /// Whether it takes no more tasks.
    leaving: bool,
}

/// Small, for a fleet of thousands is larger than caches.
#[derive(Debug)]
struct Held {
    stage: u32,
    share: u32,
    what: Arc<Share>,
}

impl Held {
    fn at(&self) -> (u32, u32) {
        (self.stage, self.share)
    }
}

/// That the job in hand be done. Nobody wants the result of who is gone.
#[derive(Debug, Default)]
struct Wish(Wanted);

impl Drop for Wish {
    fn drop(&mut self) {
        self.0.no_more();
    }
}

impl Device {
    /// A device that holds its shares already, as after deployment.
    pub fn deployed(id: DeviceId, shares: BTreeMap<(StageId, usize), Arc<Share>>) -> Self {
        let held = |((stage, share), what): ((StageId, usize), Arc<Share>)| {
            let (stage, share) = place(stage, share);
            Held { stage, share, what }
        };
        let shares = shares.into_iter().map(held).collect();
        let (waiting, busy, wish) = (VecDeque::new(), None, Wish::default());
        Self { id, life: 0, shares, waiting, busy, wish, empty: false, leaving: false }
    }

    /// A device that just came up and holds nothing.
    pub fn empty(id: DeviceId, life: u32) -> Self {
        Self { life, empty: true, ..Self::deployed(id, BTreeMap::new()) }
    }

    /// Says hello until shares come. The word may be lost on its way, and who is thought to be away is
    /// asked for nothing: it would never be heard of again.
    fn greet(&self, now: Time, again: u32, out: &mut Effects) {
        if self.empty && !self.leaving {
            out.send(NodeId::Supervisor, Message::Hello { life: self.life, again });
            let patience = (GREETS_AGAIN * f64::from(1u32 << again.min(16))).min(GREETS_AT_LEAST);
            out.wake(now + patience, Timer::Hello { again: again + 1 });
        }
    }

    fn take_next(&mut self, out: &mut Effects) {
        while self.busy.is_none() {
            let Some((ticket, inputs)) = self.waiting.pop_front() else { return };
            self.begin(ticket, inputs, out);
        }
    }

    fn begin(&mut self, ticket: Ticket, inputs: Inputs, out: &mut Effects) {
        let Ticket { round, share, .. } = ticket;
        match self.shares.binary_search_by_key(&place(round.stage, share), Held::at) {
            Ok(at) => {
                self.busy = Some(ticket);
                let wanted = self.wish.0.anew();
                let RoundId { request, stage } = round;
                out.note(Event::Started { request, stage, share, device: self.id });
                out.work(Job::Share {
                    ticket,
                    share: self.shares[at].what.clone(),
                    inputs,
                    wanted,
                });
            }
            Err(_) => {
                let why = "it does not hold that share".to_owned();
                out.send(NodeId::Supervisor, Message::Reply(ticket, Err(why)));
            }
        }
    }

    /// Whether it is at that task already: it was asked for again, and one answer is enough.
    fn has(&self, ticket: Ticket) -> bool {
        let same = |other: &Ticket| (other.round, other.share) == (ticket.round, ticket.share);
        let busy = self.busy.as_ref().is_some_and(same) && self.wish.0.is_so();
        busy || self.waiting.iter().any(|(waiting, _)| same(waiting))
    }

    /// Calls a round's tasks off, and says so: silence would look like death.
    fn forget(&mut self, round: RoundId, out: &mut Effects) {
        let waiting = self.waiting.iter().map(|(ticket, _)| *ticket);
        let skipped: Vec<Ticket> = waiting.filter(|ticket| ticket.round == round).collect();
        if !skipped.is_empty() {
            out.send(NodeId::Supervisor, Message::Skipped(skipped));
        }
        self.waiting.retain(|(ticket, _)| ticket.round != round);
        if self.busy.is_some_and(|busy| busy.round == round) {
            self.wish.0.no_more();
        }
    }

    /// Takes a task on, unless it is at it already or leaves.
    fn take_on(&mut self, ticket: Ticket, inputs: Inputs, out: &mut Effects) {
        if self.leaving {
            let why = "it is leaving the fleet".to_owned();
            out.send(NodeId::Supervisor, Message::Reply(ticket, Err(why)));
        } else if self.busy.is_none() && self.waiting.is_empty() {
            self.begin(ticket, inputs, out);
        } else if !self.has(ticket) {
            self.waiting.push_back((ticket, inputs));
        }
    }

    /// Takes its shares, sent for the so manyth time again, and says so: somebody may wait for one.
    fn hold(&mut self, shares: Vec<(StageId, usize, Arc<Share>)>, again: u32, out: &mut Effects) {
        let size = Share::bytes_held(shares.iter().map(|(_, _, share)| share.as_ref()));
        out.note(Event::Deployed { device: self.id, shares: shares.len(), size });
        self.empty = false;
        for (stage, share, what) in shares {
            let (stage, share) = place(stage, share);
            let held = Held { stage, share, what };
            match self.shares.binary_search_by_key(&(stage, share), Held::at) {
                Ok(at) => self.shares[at] = held,
                Err(at) => self.shares.insert(at, held),
            }
        }
        if !self.leaving {
            out.send(NodeId::Supervisor, Message::Ready { life: self.life, again });
        }
    }
}

impl Node for Device {
    fn handle(&mut self, now: Time, input: Input, out: &mut Effects) {
        match input {
            Input::Start => self.greet(now, 0, out),
            Input::Wake(Timer::Hello { again }) => self.greet(now, again, out),
            Input::Mail { message: Message::Leave, .. } => {
                self.leaving = true;
                out.send(NodeId::Supervisor, Message::Goodbye { life: self.life });
            }
            Input::Mail { message: Message::Task(ticket, inputs), .. } => {
                self.take_on(ticket, inputs, out);
            }
            Input::Mail { message: Message::Hand(tickets, inputs), .. } => {
                tickets.into_iter().for_each(|one| self.take_on(one, inputs.clone(), out));
            }
            Input::Mail { message: Message::Cancel(round), .. } => self.forget(round, out),
            Input::Mail { message: Message::Deploy { shares, again }, .. } => {
                self.hold(shares, again, out);
            }
            Input::Done { output: Output::Share { ticket, result }, .. } => {
                let wanted = self.busy.take().is_some() && self.wish.0.is_so();
                let word = match wanted {
                    true => Message::Reply(ticket, result),
                    false => Message::Skipped(vec![ticket]),
                };
                out.send(NodeId::Supervisor, word);
            }
            Input::Mail { .. }
            | Input::Wake(_)
            | Input::Done { .. }
            | Input::Saw(_)
            | Input::Planned(_)
            | Input::CalledOff { .. } => {}
        }
        self.take_next(out);
    }
}

/// Neither stages nor shares are counted in thousands of millions.
fn place(StageId(stage): StageId, share: usize) -> (u32, u32) {
    (stage as u32, share as u32)
}

/// After its first hello; the pause doubles, for shares may be long on their way …
const GREETS_AGAIN: Span = Span(10_000_000);
/// … up to this: a word this short burdens no link.
const GREETS_AT_LEAST: Span = Span(160_000_000);
