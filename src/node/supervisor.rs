//! The supervisor: runs each request through the plan's steps, a round for every stage.
//!
//! It scatters a stage's input to the holders of its shares, gathers replies, and decodes as soon as
//! those in hand suffice ([`rounds`]); devices may come and go meanwhile ([`members`]). It never answers from too few, nor from what it found wrong.

mod batches;
mod below;
mod lies;
mod margins;
mod members;
mod rounds;

use std::collections::BTreeMap;
use std::sync::Arc;

use batches::{Gathered, Waiting};
use margins::Margins;
use members::Life;

use super::deployment::Deployment;
use super::health::Health;
use super::round::{Round, Tasks};
use super::{Effects, Input, Job, Message, Node, NodeId, Output, RoundId, Ticket, Timer};
use crate::code::DecoderCache;
use crate::event::{Event, Worth};
use crate::maths::Tensor;
use crate::plan::{Plan, StageWork, StepWork};
use crate::units::{RequestId, Span, StageId, Time};

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
    /// The next batch of each stage that gathers.
    waiting: BTreeMap<StageId, Waiting>,
    /// The batches whose inputs are being mixed.
    mixing: BTreeMap<RoundId, Gathered>,
}

/// How far a request has come.
#[derive(Debug)]
struct Progress {
    accepted: Time,
    /// The step it is at.
    step: usize,
    /// The values that later steps need, by wire.
    values: BTreeMap<usize, Tensor>,
    round: Option<Round>,
    /// What its answer will be worth, as far as it is.
    worth: Worth,
}

impl Supervisor {
    pub fn new(plan: Arc<Plan>, deployment: Arc<Deployment>) -> Self {
        let decoders = plan.stages.iter().map(|s| DecoderCache::new(s.code.clone())).collect();
        let deadlines: Vec<Span> = plan.stages.iter().map(|stage| stage.deadline).collect();
        let health = Health::new(plan.policy.health, plan.devices.len(), &deadlines);
        let margins = Margins::new(&plan);
        let (requests, waiting, mixing) = Default::default();
        let lives = vec![Life::default(); plan.devices.len()];
        Self { plan, deployment, decoders, health, margins, lives, requests, waiting, mixing }
    }

    fn accept(&mut self, now: Time, request: RequestId, inputs: Vec<Tensor>, out: &mut Effects) {
        out.note(Event::Accepted { request });
        let values = inputs.into_iter().enumerate().collect();
        let worth = Worth::Exact;
        let progress = Progress { accepted: now, step: 0, values, round: None, worth };
        self.requests.insert(request, progress);
        self.take_step(now, request, out);
    }

    /// Begins the step a request is at, or ends the request if there is none left.
    fn take_step(&mut self, now: Time, request: RequestId, out: &mut Effects) {
        let plan = self.plan.clone();
        let Some(progress) = self.requests.get_mut(&request) else { return };
        let Some(step) = plan.steps.get(progress.step) else {
            let values = &progress.values;
            let outputs = plan.outputs.iter().map(|wire| values[wire].clone()).collect();
            let (latency, worth) = (now - progress.accepted, progress.worth);
            out.note(Event::Answered { request, latency, worth });
            out.send(NodeId::Client, Message::Answer(request, Ok(outputs)));
            self.requests.remove(&request);
            return;
        };
        let inputs: Vec<Tensor> =
            step.inputs.iter().map(|wire| progress.values[wire].clone()).collect();
        match &step.work {
            StepWork::Local(segment) => {
                let (step, segment) = (progress.step, segment.clone());
                out.work(Job::Local { request, step, segment, inputs });
            }
            StepWork::Stage(stage) if plan.stages[stage.0].batch.is_some() => {
                self.join(now, request, *stage, inputs, out);
            }
            StepWork::Stage(stage) => {
                let round = RoundId { request, stage: *stage };
                match &plan.stages[stage.0].work {
                    StageWork::Layer(layer) if layer.strips().is_some() => {
                        let [input] = inputs.try_into().expect("a linear layer has one input");
                        out.work(Job::Encode { round, layer: layer.clone(), input });
                    }
                    StageWork::Layer(_) | StageWork::Function(_) => {
                        self.begin_round(now, round, Tasks::Alike(inputs.into()), out);
                    }
                }
            }
        }
    }

    fn begin_round(&mut self, now: Time, id: RoundId, tasks: Tasks, out: &mut Effects) {
        let shares = self.plan.stages[id.stage.0].code.shares();
        let Some(progress) = self.requests.get_mut(&id.request) else { return };
        progress.round = Some(Round::new(id, now, shares, tasks));
        self.scatter(now, id, out);
    }

    /// Keeps a step's outputs and goes on to the next.
    fn finish_step(
        &mut self,
        now: Time,
        request: RequestId,
        outputs: Vec<Tensor>,
        out: &mut Effects,
    ) {
        let Some(progress) = self.requests.get_mut(&request) else { return };
        progress.round = None;
        let wires = &self.plan.steps[progress.step].outputs;
        progress.values.extend(wires.iter().copied().zip(outputs));
        progress.step += 1;
        self.take_step(now, request, out);
    }

    fn fail(&mut self, now: Time, request: RequestId, reason: String, out: &mut Effects) {
        let Some(progress) = self.requests.remove(&request) else { return };
        let latency = now - progress.accepted;
        out.note(Event::Failed { request, reason: reason.clone(), latency });
        out.send(NodeId::Client, Message::Answer(request, Err(reason)));
    }

    /// A round ended badly for every request that it was for.
    fn fail_round(&mut self, now: Time, id: RoundId, reason: &str, out: &mut Effects) {
        let Some(round) = self.round(id) else { return };
        for request in std::mem::take(&mut round.requests) {
            self.fail(now, request, reason.to_owned(), out);
        }
    }

    /// The round with that id, if it is the one its request is in.
    fn round(&mut self, id: RoundId) -> Option<&mut Round> {
        round_of(&mut self.requests, id)
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
            (NodeId::Device(device), Message::Goodbye { life }) => {
                self.take_leave(device, life, out);
            }
            _ => {}
        }
    }
}

/// The round with that id, if it is the one its request is in.
fn round_of(requests: &mut BTreeMap<RequestId, Progress>, id: RoundId) -> Option<&mut Round> {
    let round = requests.get_mut(&id.request)?.round.as_mut()?;
    (round.id == id).then_some(round)
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
            Input::Wake(Timer::Batch { stage, number }) => {
                self.stop_gathering(now, stage, number, out);
            }
            Input::Done { output: Output::Decoded { round, outcome }, took } => match outcome {
                Ok(output) => self.finish_round(now, round, vec![vec![*output]], took, out),
                Err(undecoded) => self.reopen(now, round, undecoded, out),
            },
            Input::Done { output: Output::Encoded { round, tasks }, took } => {
                let RoundId { request, stage } = round;
                out.note(Event::Encoded { request, stage, took });
                match tasks {
                    Ok(tasks) => {
                        let tasks = tasks.into_iter().map(|task| vec![task].into()).collect();
                        self.begin_round(now, round, Tasks::Own(tasks), out);
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
                    Ok(outputs) => self.finish_step(now, request, outputs, out),
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
