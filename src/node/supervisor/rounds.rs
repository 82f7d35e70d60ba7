//! Rounds: whom to ask, and what to make of a reply.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Supervisor;
use super::decoding::Patience;
use crate::code::Arrived;
use crate::event::Event;
use crate::maths::Tensor;
use crate::node::{Effects, Message, NodeId, RoundId, Tasks, Ticket, Timer};
use crate::plan::{Verify, Wait};
use crate::units::{DeviceId, StageId, Time};

impl Supervisor {
    /// Asks for every share of a round that has not come, and sets a deadline.
    pub(super) fn scatter(&mut self, now: Time, id: RoundId, out: &mut Effects) {
        self.review(now, out);
        let Some(round) = self.round(id) else { return };
        let (missing, have, attempt) = (round.missing(), round.arrived(), round.attempt);
        let asked = self.choose(now, id.stage, &missing, &have, attempt, out);
        self.ask(now, id, asked, 0, out);
        let Some(size) = self.round(id).map(|round| round.size()) else { return };
        let pace = self.health.pace(id.stage, size);
        let deadline = now + self.deadline(id.stage, pace, attempt);
        out.wake(deadline, Timer::Deadline { round: id, attempt });
        let retries = self.plan.policy.retries;
        if let Some(round) = self.round(id).filter(|_| attempt <= retries) {
            round.until = deadline;
        }
        if let (0, Some(factor)) = (attempt, self.plan.policy.hedge)
            && let Some(patience) = self.health.learned(pace, 0.5, factor)
        {
            out.wake(now + patience, Timer::Hedge(id));
        }
    }

    pub(super) fn ask(
        &mut self,
        now: Time,
        id: RoundId,
        asked: Vec<(usize, DeviceId)>,
        again: u32,
        out: &mut Effects,
    ) {
        let RoundId { request, stage } = id;
        let Some(round) = self.round(id) else { return };
        let (attempt, tasks, size) = (round.attempt, round.tasks.clone(), round.size());
        asked.iter().for_each(|(share, device)| round.ask(*share, *device));
        let ticket = |share| Ticket { round: id, share, attempt, again };
        let pace = self.health.pace(stage, size);
        for (share, device) in &asked {
            self.health.asked(now, *device, ticket(*share), pace);
        }
        match &tasks {
            // The shares of a hand are of one input: it is sent once.
            Tasks::Alike(inputs) if self.plan.stages[stage.0].code.hand() > 1 => {
                let mut hands: BTreeMap<DeviceId, Vec<Ticket>> = BTreeMap::new();
                for (share, device) in &asked {
                    hands.entry(*device).or_default().push(ticket(*share));
                }
                for (device, tickets) in hands {
                    out.send(NodeId::Device(device), Message::Hand(tickets, inputs.clone()));
                }
            }
            Tasks::Alike(_) | Tasks::Own(_) => {
                for (share, device) in &asked {
                    let inputs = tasks.of(*share).clone();
                    out.send(NodeId::Device(*device), Message::Task(ticket(*share), inputs));
                }
            }
        }
        out.note(Event::Scattered { request, stage, attempt, asked });
    }

    /// A holder for each share: the next one in turn that may be asked. Those that should not be
    /// are asked all the same if without them there would be too few, and on the last of the policy's
    /// tries: where every result is checked, that costs nothing but their time. When a round is asked for
    /// again, who is suspect is not counted on: then those are asked too who are only silent, not liars.
    fn choose(
        &mut self,
        now: Time,
        stage: StageId,
        shares: &[usize],
        have: &Arrived,
        attempt: u32,
        out: &mut Effects,
    ) -> Vec<(usize, DeviceId)> {
        let plan = self.plan.clone();
        let (mut chosen, mut reserve, mut judgements) = (Vec::new(), Vec::new(), Vec::new());
        for share in shares {
            let holders = &plan.stages[stage.0].holders[*share];
            let turn = attempt as usize % holders.len();
            let in_turn = || holders[turn..].iter().chain(&holders[..turn]).copied();
            match in_turn().find(|device| self.health.may_ask(now, *device, &mut judgements)) {
                Some(device) => chosen.push((*share, device)),
                None => {
                    let here = || in_turn().filter(|device| !self.health.is_away(*device));
                    let honest = here().find(|device| !self.health.has_lied(*device));
                    reserve.extend(honest.or(here().next()).map(|device| (*share, device)));
                }
            }
        }
        self.note_judgements(judgements, out);
        if reserve.is_empty() {
            return chosen;
        }
        let mut would_do = |asked: &[(usize, DeviceId)]| {
            let would: Arrived =
                have.iter().copied().chain(asked.iter().map(|(s, _)| *s)).collect();
            self.decoders[stage.0].decoder(&would).is_ok()
        };
        let is_last = attempt > 0 && attempt == plan.policy.retries;
        let is_checked = plan.stages[stage.0].verify == Verify::Always;
        if would_do(&chosen) && !(is_last && is_checked) {
            let is_good = |(_, device): &(usize, DeviceId)| self.health.is_good(*device);
            let good: Vec<_> = chosen.iter().copied().filter(is_good).collect();
            match attempt == 0 || would_do(&good) {
                true => reserve.clear(),
                false => reserve.retain(|(_, device)| !self.health.has_lied(*device)),
            }
        }
        chosen.append(&mut reserve);
        chosen.sort();
        chosen
    }

    /// Takes a reply in.
    pub(super) fn gather(
        &mut self,
        now: Time,
        device: DeviceId,
        ticket: Ticket,
        result: Result<Arc<Vec<Tensor>>, String>,
        out: &mut Effects,
    ) {
        let Ticket { round: RoundId { request, stage }, share, .. } = ticket;
        self.hear(now, device, ticket, result.is_ok(), out);
        let late = Event::Late { request, stage, share, device };
        let code = &self.plan.stages[stage.0].code;
        let Some(round) = self.rounds.get_mut(&ticket.round) else {
            return out.note(late);
        };
        let after = now - round.began;
        let result = match result {
            Ok(result) => result,
            Err(why) => {
                out.note(Event::Refused { request, stage, share, device, why });
                return self.refused(now, device, ticket, out);
            }
        };
        if !round.arrive(code.as_ref(), share, device, result) {
            return out.note(late);
        }
        let may_be_enough = self.plan.policy.wait == Wait::KthReply
            || !round.results.missing().any(|share| round.is_awaited(share));
        out.note(Event::Arrived { request, stage, share, device, after });
        if may_be_enough {
            self.decode_if_enough(now, ticket.round, Patience::Left, out);
        }
    }

    pub(super) fn hear(
        &mut self,
        now: Time,
        device: DeviceId,
        ticket: Ticket,
        has_result: bool,
        out: &mut Effects,
    ) {
        let mut judgements = Vec::new();
        self.health.heard(now, device, ticket, has_result, &mut judgements);
        self.note_judgements(judgements, out);
    }

    /// Looks at the silence of everybody who owes a reply.
    pub(super) fn review(&mut self, now: Time, out: &mut Effects) {
        let mut judgements = Vec::new();
        for device in self.health.awaited() {
            self.health.review(now, device, &mut judgements);
        }
        self.note_judgements(judgements, out);
    }
}
