//! The supervisor: runs each request through the plan's steps, a round for every stage.
//!
//! It scatters a stage's input to the holders of its shares, gathers replies, and decodes as soon as
//! those in hand suffice ([`rounds`], [`decoding`]); devices may come and go meanwhile ([`members`]). It never
//! answers from too few, nor from what it found wrong.

mod batches;
mod below;
mod decoding;
mod failing;
mod lies;
mod margins;
mod members;
mod patience;
mod progress;
mod rounds;
mod stations;

use std::collections::BTreeMap;
use std::sync::Arc;

use batches::{Gathered, Waiting};
use margins::Margins;
use members::Life;
use progress::{Progress, Readers};
use stations::Stations;

use super::deployment::Deployment;
use super::health::Health;
use super::round::{Round, Tasks};
use super::{Effects, Input, Job, Message, Node, NodeId, Output, RoundId, Ticket, Timer};
use crate::code::DecoderCache;
use crate::event::Event;
use crate::maths::Tensor;
use crate::plan::{Plan, StageWork, StepWork};
use crate::units::{DeviceId, RequestId, Span, StageId, Time};

#[derive(Debug)]
pub struct Supervisor {
    plan: Arc<Plan>,
    deployment: Arc<Deployment>,
    /// One a stage.
    decoders: Vec<DecoderCache>,
    health: Health,
    margins: Margins,
    /// The life each device is in.
    lives: Vec<Life>,
    /// The requests in flight.
    requests: BTreeMap<RequestId, Progress>,
    /// Theirs.
    rounds: BTreeMap<RoundId, Round>,
    readers: Readers,
    /// The step of each stage.
    steps: Vec<usize>,
    /// The next batch of each stage that gathers.
    waiting: BTreeMap<StageId, Waiting>,
    /// The batches whose inputs are being mixed.
    mixing: BTreeMap<RoundId, Gathered>,
    /// Who waits to share a round.
    stations: Stations,
}

impl Supervisor {
    pub fn new(plan: Arc<Plan>, deployment: Arc<Deployment>) -> Self {
        let decoders = plan.stages.iter().map(|s| DecoderCache::new(s.code.clone())).collect();
        let deadlines: Vec<Span> = plan.stages.iter().map(|stage| stage.deadline).collect();
        let health =
            Health::new(plan.policy.health, plan.devices.len(), &deadlines, plan.most_requests());
        let margins = Margins::new(&plan);
        let (requests, rounds, waiting, mixing) = Default::default();
        let stations = Stations::default();
        let readers = Readers::of(&plan);
        let stages = plan.steps.iter().enumerate();
        let steps = stages.filter(|(_, step)| matches!(step.work, StepWork::Stage(_)));
        let steps = steps.map(|(at, _)| at).collect();
        let lives = vec![Life::default(); plan.devices.len()];
        Self {
            plan,
            deployment,
            decoders,
            health,
            margins,
            lives,
            requests,
            rounds,
            readers,
            steps,
            waiting,
            mixing,
            stations,
        }
    }

    /// Has the memory bring what is known of a device.
    pub fn will_hear_of(&self, device: DeviceId) {
        self.health.fetch(device);
    }

    fn accept(&mut self, now: Time, request: RequestId, inputs: Vec<Tensor>, out: &mut Effects) {
        out.note(Event::Accepted { request });
        let progress = Progress::new(now, &self.plan, &self.readers, inputs);
        self.requests.insert(request, progress);
        self.go_on(now, request, out);
    }

    /// Begins all steps of a request that can begin, or ends it if all have ended.
    fn go_on(&mut self, now: Time, request: RequestId, out: &mut Effects) {
        let plan = self.plan.clone();
        while let Some(progress) = self.requests.get_mut(&request) {
            let Some((step, inputs)) = progress.begin_one(&plan) else { break };
            self.begin_step(now, request, step, inputs, out);
        }
        let Some(progress) = self.requests.get_mut(&request) else { return };
        if let Some(outputs) = progress.answer(&plan) {
            let (latency, worth) = (now - progress.accepted, progress.worth);
            self.requests.remove(&request);
            out.note(Event::Answered { request, latency, worth });
            out.send(NodeId::Client, Message::Answer(request, Ok(outputs)));
        }
    }

    fn begin_step(
        &mut self,
        now: Time,
        request: RequestId,
        step: usize,
        mut inputs: Vec<Tensor>,
        out: &mut Effects,
    ) {
        let plan = self.plan.clone();
        let stage = match &plan.steps[step].work {
            StepWork::Local(segment) => {
                return out.work(Job::Local { request, step, segment: segment.clone(), inputs });
            }
            StepWork::Stage(stage) => *stage,
        };
        if plan.stages[stage.0].batch.is_some() {
            return self.join(now, request, stage, inputs, out);
        }
        let round = RoundId { request, stage };
        match &plan.stages[stage.0].work {
            StageWork::Function(_) => {
                let round = Round::new(round, now, Tasks::Alike(inputs.into()), &plan);
                self.begin_round(now, round, out);
            }
            StageWork::Layers(layers) => {
                let Some(progress) = self.requests.get_mut(&request) else { return };
                let addends = inputs.split_off(layers.inputs());
                if !addends.is_empty() {
                    progress.addends.insert(stage, addends);
                }
                if let Some(layer) = layers.in_strips() {
                    let [input] = inputs.try_into().expect("a layer is applied to one value");
                    return out.work(Job::Encode { round, layer: layer.clone(), input });
                }
                self.come(now, stage, request, inputs, out);
            }
        }
    }

    fn begin_round(&mut self, now: Time, round: Round, out: &mut Effects) {
        let id = round.id;
        if round.requests.iter().any(|request| self.requests.contains_key(request)) {
            self.rounds.insert(id, round);
            self.scatter(now, id, out);
        }
    }

    /// Keeps a step's outputs and goes on.
    fn finish_step(
        &mut self,
        now: Time,
        request: RequestId,
        step: usize,
        outputs: Vec<Tensor>,
        out: &mut Effects,
    ) {
        let Some(progress) = self.requests.get_mut(&request) else { return };
        progress.end(&self.plan, &self.readers, step, outputs);
        self.go_on(now, request, out);
    }

    fn round(&mut self, id: RoundId) -> Option<&mut Round> {
        self.rounds.get_mut(&id)
    }

    /// Says what changed in the standing of devices, and what that leaves.
    fn note_judgements(&mut self, judgements: Vec<Event>, out: &mut Effects) {
        if !judgements.is_empty() {
            judgements.into_iter().for_each(|event| out.note(event));
            self.note_margins(out);
        }
    }

    fn mail(&mut self, now: Time, from: NodeId, message: Message, out: &mut Effects) {
        match (from, message) {
            (_, Message::Request(request, inputs)) => self.accept(now, request, inputs, out),
            (NodeId::Device(device), Message::Reply(ticket, result)) => {
                self.gather(now, device, ticket, result, out);
            }
            (NodeId::Device(device), Message::Skipped(tickets)) => {
                for ticket in tickets {
                    self.hear(now, device, ticket, false, out);
                    let Ticket { round: RoundId { request, stage }, share, .. } = ticket;
                    out.note(Event::Skipped { request, stage, share, device });
                }
            }
            (NodeId::Device(device), Message::Hello { life, .. }) => {
                self.welcome(now, device, life, out);
            }
            (NodeId::Device(device), Message::Ready { life, .. }) => {
                self.is_ready(now, device, life, out);
            }
            (NodeId::Device(device), Message::Goodbye { life }) => {
                self.take_leave(device, life, out);
            }
            _ => {}
        }
    }
}

impl Node for Supervisor {
    fn handle(&mut self, now: Time, input: Input, out: &mut Effects) {
        match input {
            Input::Start => self.note_all_margins(out),
            Input::Mail { from, message } => self.mail(now, from, message, out),
            Input::Wake(Timer::Deadline { round, attempt }) => {
                self.pass_deadline(now, round, attempt, out);
            }
            Input::Wake(Timer::Hedge(round)) => self.hedge(now, round, out),
            Input::Wake(Timer::Station { stage, number }) => {
                self.leave_station(now, stage, number, out);
            }
            Input::Wake(Timer::Batch { stage, number }) => {
                self.stop_gathering(now, stage, number, out);
            }
            Input::Done { output: Output::Decoded { round, outcome }, took } => match outcome {
                Ok(outputs) => self.finish_round(now, round, outputs, took, out),
                Err(undecoded) => self.reopen(now, round, undecoded, out),
            },
            Input::Done { output: Output::Encoded { round, tasks }, took } => {
                let RoundId { request, stage } = round;
                out.note(Event::Encoded { request, stage, took });
                match tasks {
                    Ok(tasks) => {
                        let tasks = tasks.into_iter().map(|task| vec![task].into()).collect();
                        let round = Round::new(round, now, Tasks::Own(tasks), &self.plan);
                        self.begin_round(now, round, out);
                    }
                    Err(reason) => self.fail(now, request, reason, out),
                }
            }
            Input::Done { output: Output::HasReadOff { round, outcome }, took } => match outcome {
                Ok(outputs) => self.finish_round(now, round, outputs, took, out),
                Err(undecoded) => self.reopen(now, round, undecoded, out),
            },
            Input::Done { output: Output::Mixed { round, mixed }, took } => {
                self.scatter_batch(now, round, mixed, took, out);
            }
            Input::Done { output: Output::Local { request, step, outputs }, took } => {
                out.note(Event::LocalRan { request, step, took });
                match outputs {
                    Ok(outputs) => self.finish_step(now, request, step, outputs, out),
                    Err(reason) => self.fail(now, request, reason, out),
                }
            }
            Input::Wake(_)
            | Input::Done { .. }
            | Input::Saw(_)
            | Input::Planned(_)
            | Input::CalledOff { .. } => {}
        }
    }
}
