//! Who comes and goes: devices that come up empty are given their shares, those that left are let be.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Supervisor;
use crate::code::{Arrived, Decoder};
use crate::node::{Effects, Message, NodeId, RoundId, Ticket};
use crate::plan::Wait;
use crate::units::{DeviceId, Time};

/// A device's life, as far as it is known here.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Life {
    /// How often the device came up anew. Words from an earlier life were overtaken on their way.
    number: u32,
    /// When it was last sent its shares, and how often.
    deployed: Option<Time>,
    deployments: u32,
    /// Whether it said that it holds them.
    ready: bool,
}

impl Supervisor {
    /// A device says that it is up and holds nothing.
    pub(super) fn welcome(&mut self, now: Time, device: DeviceId, life: u32, out: &mut Effects) {
        match life.cmp(&self.lives[device.0].number) {
            Ordering::Less => {}
            Ordering::Equal => self.deploy_again(now, device, out),
            Ordering::Greater => {
                self.lives[device.0] = Life { number: life, ..Life::default() };
                let mut judgements = Vec::new();
                self.health.joined(device, &mut judgements);
                self.note_judgements(judgements, out);
                self.deploy(now, device, out);
            }
        }
    }

    /// A device says that it holds its shares again.
    pub(super) fn is_ready(&mut self, now: Time, device: DeviceId, life: u32, out: &mut Effects) {
        let known = &mut self.lives[device.0];
        let mut judgements = Vec::new();
        match life.cmp(&known.number) {
            Ordering::Less => return,
            Ordering::Equal => {}
            // It was given its shares because it refused a task: the word that it came up was lost.
            Ordering::Greater => {
                known.number = life;
                self.health.joined(device, &mut judgements);
            }
        }
        known.ready = true;
        if !self.health.is_away(device) {
            self.health.spoke(now, device, &mut judgements);
        }
        self.note_judgements(judgements, out);
        self.ask_back(now, device, out);
    }

    /// Asks a device that came back for what rounds cannot do without, and it does not owe already.
    fn ask_back(&mut self, now: Time, device: DeviceId, out: &mut Effects) {
        if self.health.is_away(device) || self.health.has_lied(device) {
            return;
        }
        let undecided = self.rounds.values().filter(|round| round.decoder.is_none());
        let rounds: Vec<RoundId> = undecided.map(|round| round.id).collect();
        for id in rounds {
            let asked = self.only_of(device, id);
            if let Some(round) = self.round(id).filter(|_| !asked.is_empty()) {
                round.again += 1;
                let again = round.again;
                self.ask(now, id, asked, again, out);
            }
        }
    }

    /// A device refused a task. If that and the word that it holds its shares met on their way, it is asked
    /// again, once.
    pub(super) fn refused(
        &mut self,
        now: Time,
        device: DeviceId,
        ticket: Ticket,
        out: &mut Effects,
    ) {
        match self.lives[device.0].ready && ticket.again == 0 {
            true => self.ask_back(now, device, out),
            false => self.deploy_again(now, device, out),
        }
    }

    /// The shares of a round that this device holds and does not owe, if those that have come, and those that
    /// good devices owe, are not all that is waited for.
    fn only_of(&mut self, device: DeviceId, id: RoundId) -> Vec<(usize, DeviceId)> {
        let plan = self.plan.clone();
        let stage = &plan.stages[id.stage.0];
        let Some(round) = self.rounds.get(&id) else { return Vec::new() };
        let owes = |share, device| {
            let ticket = Ticket { round: id, share, attempt: round.attempt, again: round.again };
            self.health.owes(device, ticket)
        };
        let is_its = |share: &usize| stage.holders[*share].contains(&device);
        let held = round.results.missing().filter(|share| is_its(share) && !owes(*share, device));
        let held: Vec<_> = held.map(|share| (share, device)).collect();
        if held.is_empty() {
            return held;
        }
        let owed = round.awaited().into_iter();
        let comes = |(share, other): &(usize, DeviceId)| {
            owes(*share, *other) && self.health.is_good(*other)
        };
        let owed = owed.filter(comes).map(|(share, _)| share);
        let coming: Arrived = round.results.shares().chain(owed).collect();
        let is_enough = plan.policy.wait == Wait::KthReply && coming.len() >= stage.awaited();
        let suffices = |decoder: Arc<Decoder>| decoder.condition <= plan.policy.worst_condition;
        match is_enough && self.decoder(id, &coming).is_ok_and(suffices) {
            true => Vec::new(),
            false => held,
        }
    }

    /// A device says that it leaves. If it came up again since, that is long over.
    pub(super) fn take_leave(&mut self, device: DeviceId, life: u32, out: &mut Effects) {
        if life >= self.lives[device.0].number {
            self.lives[device.0].number = life;
            let mut judgements = Vec::new();
            self.health.left(device, &mut judgements);
            self.note_judgements(judgements, out);
        }
    }

    fn deploy(&mut self, now: Time, device: DeviceId, out: &mut Effects) {
        let life = &mut self.lives[device.0];
        let again = life.deployments;
        life.deployments += 1;
        life.deployed = Some(now);
        let shares = self.deployment.of(device);
        out.send(NodeId::Device(device), Message::Deploy { again, shares });
    }

    /// A device says that it does not hold what it should: its shares are still on their way, or they,
    /// or its word that it came up, were lost.
    pub(super) fn deploy_again(&mut self, now: Time, device: DeviceId, out: &mut Effects) {
        let size = Message::Deploy { again: 0, shares: self.deployment.of(device) }.size();
        let way = self.plan.devices[device.0].bandwidth.time_for(size) * 2.0;
        let patience = self.plan.stages.iter().map(|stage| stage.deadline).max();
        let patience = way + patience.unwrap_or_default();
        let is_due = self.lives[device.0].deployed.is_none_or(|at| now - at > patience);
        if is_due && !self.health.is_away(device) {
            self.deploy(now, device, out);
        }
    }
}
