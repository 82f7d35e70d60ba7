//! The carrying out of what a step asks for.

use super::Run;
use crate::drive::coming::{Coming, Finished, Pace};
use crate::fault::{Cost, Fate, Way};
use crate::node::{Effect, Message, NodeId};
use crate::units::Time;

impl<P: Pace> Run<'_, P> {
    /// Carries out one effect; what must be stepped at this very moment is added to the steps.
    pub(super) fn carry_out(&mut self, now: Time, node: NodeId, effect: Effect) {
        match effect {
            Effect::Send { to, message } => self.send(now, node, to, message),
            Effect::Wake { at, timer } => {
                let life = self.life(node);
                self.push(at, Coming::Wake { life, timer });
            }
            Effect::Work(job) => {
                let cost = match node {
                    NodeId::Device(device) => self.weather.job(device, &job.identity()),
                    NodeId::Client | NodeId::Supervisor | NodeId::Chaos => Cost::PLAIN,
                };
                let life = self.life(node);
                if let Some(Finished { at, output, took }) = self.pace.begin(now, life, job, cost) {
                    self.push(at, Coming::Done { life, output, took });
                }
            }
            Effect::Weather(order) => self.change_weather(now, *order),
            Effect::Note(event) => self.note(now, event),
        }
    }

    fn send(&mut self, now: Time, from: NodeId, to: NodeId, message: Message) {
        let (device, way) = match (from, to) {
            (_, NodeId::Device(device)) => (device, Way::ToDevice),
            (NodeId::Device(device), _) => (device, Way::FromDevice),
            // Client and supervisor are one process.
            _ => {
                let to = self.life(to);
                return self.push(now, Coming::Mail { from, to, message });
            }
        };
        let to = self.life(to);
        let [a, b, c, d, e] = message.identity();
        let identity = [way as u64, a, b, c, d, e];
        let Fate { lost, extra, copies } = self.weather.message(device, way, &identity);
        if lost {
            return self.note_lost(now, device, &message, "a fault lost it".to_owned());
        }
        let arrives = self.pace.arrival(now, (device, way), message.size(), &identity) + extra;
        for later in copies {
            let message = message.clone();
            self.push(arrives + later, Coming::Mail { from, to, message });
        }
        self.push(arrives, Coming::Mail { from, to, message });
    }
}
