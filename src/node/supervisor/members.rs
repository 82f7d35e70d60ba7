//! Who comes and goes: devices that come up empty are given their shares, those that left are let be.

use std::cmp::Ordering;

use super::Supervisor;
use crate::node::{Effects, Message, NodeId, RoundId};
use crate::units::{DeviceId, Time};

/// A device's life, as far as it is known here.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Life {
    /// How often the device came up anew. Words from an earlier life were overtaken on their way.
    number: u32,
    /// When it was last sent its shares, and how often.
    deployed: Option<Time>,
    deployments: u32,
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

    /// A device says that it holds its shares again. What it was asked for in between it cannot have done: it
    /// is asked anew where the others will not do.
    pub(super) fn ask_back(&mut self, now: Time, device: DeviceId, life: u32, out: &mut Effects) {
        if life != self.lives[device.0].number || self.health.is_away(device) {
            return;
        }
        let undecided = self.rounds.values().filter(|round| round.decoder.is_none());
        let rounds: Vec<RoundId> = undecided.map(|round| round.id).collect();
        for id in rounds {
            let asked = self.only_of(device, id);
            if !asked.is_empty() {
                self.ask(now, id, asked, out);
            }
        }
    }

    /// The shares of a round that this device holds, if it cannot be decoded from those that have come, and
    /// those that others are still asked for who are here.
    fn only_of(&mut self, device: DeviceId, id: RoundId) -> Vec<(usize, DeviceId)> {
        let round = &self.rounds[&id];
        let is_awaited = |share: &usize| {
            let other = round.asked_last(*share).filter(|other| *other != device);
            other.is_some_and(|other| self.health.is_good(other))
        };
        let (others, own): (Vec<usize>, Vec<usize>) = round.results.missing().partition(is_awaited);
        let coming = round.results.shares().chain(others).collect();
        if self.decoders[id.stage.0].decoder(&coming).is_ok() {
            return Vec::new();
        }
        let holders = &self.plan.stages[id.stage.0].holders;
        let held = own.into_iter().filter(|share| holders[*share].contains(&device));
        held.map(|share| (share, device)).collect()
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
