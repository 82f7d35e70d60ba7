//! A fleet without a clock: kofn's nodes, between which messages arrive at once and in order.
//!
//! The drivers of a run keep an answer's numbers to themselves; here they are what is asked for.
//! One device is dead from the start, and so is everything sent to it.

use std::collections::VecDeque;
use std::sync::Arc;

use kofn::event::Event;
use kofn::maths::Tensor;
use kofn::node::{Deployment, Device, Effect, Effects, Input, Message, Node, NodeId, Supervisor};
use kofn::plan::Plan;
use kofn::units::{DeviceId, RequestId, Span, Time};

pub(crate) struct Fleet<'p> {
    plan: &'p Plan,
    supervisor: Supervisor,
    devices: Vec<Device>,
    lost: DeviceId,
    events: Vec<Event>,
}

impl<'p> Fleet<'p> {
    pub(crate) fn without(lost: DeviceId, plan: &'p Arc<Plan>) -> Self {
        let deployment = Arc::new(Deployment::new(plan, kofn::maths::chance::Seed(1)));
        let device = |id| Device::deployed(id, deployment.held_by(id));
        let devices = (0..plan.devices.len()).map(|id| device(DeviceId(id))).collect();
        let supervisor = Supervisor::new(plan.clone(), deployment.clone());
        Self { plan, supervisor, devices, lost, events: Vec::new() }
    }

    /// The answer to a request.
    ///
    /// # Errors
    /// If it ends without one: why.
    pub(crate) fn answer(&mut self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, String> {
        let message = Message::Request(RequestId(0), inputs);
        let request = Input::Mail { from: NodeId::Client, message };
        let mut coming = VecDeque::from([(NodeId::Supervisor, request)]);
        while let Some((node, input)) = coming.pop_front() {
            if let (NodeId::Client, Input::Mail { message: Message::Answer(_, answer), .. }) =
                (node, &input)
            {
                return answer.clone();
            }
            for effect in self.step(node, input).0 {
                match effect {
                    Effect::Send { to, message } => {
                        coming.push_back((to, Input::Mail { from: node, message }));
                    }
                    Effect::Work(job) => {
                        let done = Input::Done { output: job.run(), took: Span::ZERO };
                        coming.push_back((node, done));
                    }
                    Effect::Note(event) => self.events.push(event),
                    // Where no time passes no deadline does, and nobody orders weather.
                    Effect::Wake { .. } | Effect::Weather(_) => {}
                }
            }
        }
        Err("the supervisor waits for ever".to_owned())
    }

    fn step(&mut self, node: NodeId, input: Input) -> Effects {
        let mut out = Effects::default();
        match node {
            NodeId::Supervisor => self.supervisor.handle(Time::ZERO, input, &mut out),
            NodeId::Device(device) if device != self.lost => {
                self.devices[device.0].handle(Time::ZERO, input, &mut out);
            }
            NodeId::Device(_) | NodeId::Client | NodeId::Chaos => {}
        }
        out
    }

    /// Holds a pass to its word: each stage that the lost device held a share of was decoded without
    /// that share, and if the share was a plain source, that source was computed from the others.
    pub(crate) fn decoded_around_the_loss(&self) -> Result<(), String> {
        for (id, stage) in self.plan.stages.iter().enumerate() {
            let lost = stage.holders.iter().position(|holders| holders.contains(&self.lost));
            let Some(lost) = lost else { continue };
            let erased: Vec<usize> = stage.code.plain(lost).into_iter().collect();
            let around = |event: &Event| {
                matches!(event, Event::Decoded { stage, used, rebuilt, .. }
                    if stage.0 == id && !used.contains(&lost) && *rebuilt == erased)
            };
            if !self.events.iter().any(around) {
                return Err(format!("{} was not decoded without share {lost}", stage.name));
            }
        }
        Ok(())
    }
}
