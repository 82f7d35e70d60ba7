//! Chaos: waits for each fault's trigger and orders the weather to change.

use super::{Effect, Effects, Input, Node, Timer};
use crate::event::Event;
use crate::plan::{Fault, FaultKind, Phase, Trigger};
use crate::units::{DeviceId, FaultId, Time};

/// What the weather is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    pub fault: FaultId,
    pub device: DeviceId,
    /// The misfortune that begins; `None` ends it.
    pub begins: Option<FaultKind>,
}

#[derive(Debug)]
pub struct Chaos {
    faults: Vec<Fault>,
    /// The faults that have not struck.
    pending: Vec<bool>,
}

impl Chaos {
    pub fn new(faults: Vec<Fault>) -> Self {
        let pending = vec![true; faults.len()];
        Self { faults, pending }
    }

    fn strike(&mut self, now: Time, id: FaultId, out: &mut Effects) {
        let fault = &self.faults[id.0];
        if !std::mem::take(&mut self.pending[id.0]) {
            return;
        }
        for device in &fault.who {
            let begins = Some(fault.what.clone());
            out.0.push(Effect::Weather(Order { fault: id, device: *device, begins }));
        }
        if let Some(lasts) = fault.lasts {
            out.wake(now + lasts, Timer::FaultEnds(id));
        }
    }

    fn end(&self, id: FaultId, out: &mut Effects) {
        for device in &self.faults[id.0].who {
            out.0.push(Effect::Weather(Order { fault: id, device: *device, begins: None }));
        }
    }
}

/// Whether a trigger waits for what was seen.
fn fires(trigger: &Trigger, seen: &Event) -> bool {
    let Trigger::AtStage { request, stage, phase } = trigger else { return false };
    let about = match (phase, seen) {
        (Phase::Scattered, Event::Scattered { request, stage, attempt: 0, .. })
        | (Phase::FirstReply, Event::Arrived { request, stage, .. })
        | (Phase::Decoding, Event::Enough { request, stage, .. }) => (request, stage),
        _ => return false,
    };
    about == (request, stage)
}

impl Node for Chaos {
    fn handle(&mut self, now: Time, input: Input, out: &mut Effects) {
        match input {
            Input::Start => {
                for (id, fault) in self.faults.iter().enumerate() {
                    if let Trigger::At(at) = fault.trigger {
                        out.wake(at, Timer::FaultBegins(FaultId(id)));
                    }
                }
            }
            Input::Wake(Timer::FaultBegins(fault)) => self.strike(now, fault, out),
            Input::Wake(Timer::FaultEnds(fault)) => self.end(fault, out),
            Input::Saw(event) => {
                let struck = (0..self.faults.len())
                    .filter(|id| self.pending[*id] && fires(&self.faults[*id].trigger, &event));
                for id in struck.collect::<Vec<_>>() {
                    self.strike(now, FaultId(id), out);
                }
            }
            Input::Mail { .. } | Input::Wake(_) | Input::Done { .. } => {}
        }
    }
}
