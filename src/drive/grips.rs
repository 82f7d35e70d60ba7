//! How faults take hold of a device itself, and let it go: it goes down, comes back, or stands still.

use super::coming::Pace;
use super::run::Run;
use crate::event::Event;
use crate::fault::Grip;
use crate::node::{Input, Message, NodeId, Order};
use crate::units::{DeviceId, Time};

impl<P: Pace> Run<'_, P> {
    pub(super) fn change_weather(&mut self, now: Time, order: Order) {
        let Order { fault, device, begins } = order;
        let Some((kind, grip)) = begins else {
            let Some(grip) = self.weather.end(device, fault) else { return };
            self.note(now, Event::FaultEnded { fault, device });
            return self.let_go(now, device, grip);
        };
        let what = kind.to_string();
        self.note(now, Event::FaultBegan { fault, device, what });
        if grip != Grip::Restart {
            self.weather.begin(device, fault, kind, grip);
        }
        match grip {
            Grip::Weather | Grip::Frozen | Grip::Flapping { .. } => {}
            Grip::Down => self.kill(now, device, "crash"),
            Grip::Restart => {
                self.kill(now, device, "restart");
                self.revive(device);
            }
            Grip::Away => {
                let (from, message) = (NodeId::Chaos, Message::Leave);
                self.steps.push_back((NodeId::Device(device), Input::Mail { from, message }));
            }
        }
    }

    /// A fault has let go of a device, unless another still has such a hold of it.
    fn let_go(&mut self, now: Time, device: DeviceId, grip: Grip) {
        if self.weather.holds(device, grip) {
            return;
        }
        match grip {
            Grip::Weather | Grip::Restart | Grip::Flapping { .. } => {}
            Grip::Down => self.revive(device),
            Grip::Away => {
                self.kill(now, device, "it left");
                self.revive(device);
            }
            Grip::Frozen => {
                for what in self.frozen.remove(&device).unwrap_or_default() {
                    self.push(now, what);
                }
            }
        }
    }

    /// Drops the host of a device that is up.
    pub(super) fn kill(&mut self, now: Time, device: DeviceId, why: &str) {
        if self.hosts.is_up(device) {
            self.hosts.kill(device);
            self.pace.went_down(now, device);
            self.note(now, Event::Died { device, why: why.to_owned() });
        }
    }

    fn revive(&mut self, device: DeviceId) {
        if !self.weather.holds(device, Grip::Down) && self.hosts.revive(device) {
            self.steps.push_back((NodeId::Device(device), Input::Start));
        }
    }
}
