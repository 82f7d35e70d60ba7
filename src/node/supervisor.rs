//! The supervisor: runs each request through the plan's steps, a round for every stage.
//!
//! It scatters a stage's input to the holders of its shares, gathers replies, and decodes as soon as
//! those in hand suffice. At the deadline it asks the holders of what is missing again, and when
//! its retries are spent it says which shares never came. It never answers from too few.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::deployment::Deployment;
use super::round::Round;
use super::{Effects, Input, Job, Message, Node, NodeId, Output, RoundId, Ticket, Timer};
use crate::code::DecoderCache;
use crate::event::Event;
use crate::maths::Tensor;
use crate::plan::{Plan, Stage, StageWork, StepWork, Wait};
use crate::units::{DeviceId, RequestId, Span, Time};

#[derive(Debug)]
pub struct Supervisor {
    plan: Arc<Plan>,
    deployment: Arc<Deployment>,
    /// One a stage.
    decoders: Vec<DecoderCache>,
    /// The requests in flight.
    requests: BTreeMap<RequestId, Progress>,
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
}

impl Supervisor {
    pub fn new(plan: Arc<Plan>, deployment: Arc<Deployment>) -> Self {
        let decoders = plan.stages.iter().map(|s| DecoderCache::new(s.code.clone())).collect();
        Self { plan, deployment, decoders, requests: BTreeMap::new() }
    }

    fn accept(&mut self, now: Time, request: RequestId, inputs: Vec<Tensor>, out: &mut Effects) {
        out.note(Event::Accepted { request });
        let values = inputs.into_iter().enumerate().collect();
        self.requests.insert(request, Progress { accepted: now, step: 0, values, round: None });
        self.take_step(now, request, out);
    }

    /// Begins the step a request is at, or ends the request if there is none left.
    fn take_step(&mut self, now: Time, request: RequestId, out: &mut Effects) {
        let plan = self.plan.clone();
        let Some(progress) = self.requests.get_mut(&request) else { return };
        let Some(step) = plan.steps.get(progress.step) else {
            let values = &progress.values;
            let outputs = plan.outputs.iter().map(|wire| values[wire].clone()).collect();
            out.note(Event::Answered { request, latency: now - progress.accepted });
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
            StepWork::Stage(stage) => {
                let id = RoundId { request, stage: *stage };
                let round = Round::new(id, now, &plan.stages[stage.0], inputs);
                let asked = round.asked().collect();
                progress.round = Some(round);
                self.scatter(now, request, asked, out);
            }
        }
    }

    /// Asks devices for shares of the request's round, and sets its deadline.
    fn scatter(
        &mut self,
        now: Time,
        request: RequestId,
        asked: Vec<(usize, DeviceId)>,
        out: &mut Effects,
    ) {
        let Some(round) = self.requests.get(&request).and_then(|p| p.round.as_ref()) else {
            return;
        };
        let (id, attempt) = (round.id, round.attempt);
        for (share, device) in &asked {
            let ticket = Ticket { round: id, share: *share, attempt };
            out.send(NodeId::Device(*device), Message::Task(ticket, round.inputs.clone()));
        }
        out.note(Event::Scattered { request, stage: id.stage, attempt, asked });
        let deadline = now + self.plan.stages[id.stage.0].deadline;
        out.wake(deadline, Timer::Deadline { round: id, attempt });
    }

    fn gather(
        &mut self,
        now: Time,
        device: DeviceId,
        ticket: Ticket,
        result: Result<Vec<Tensor>, String>,
        out: &mut Effects,
    ) {
        let Ticket { round: RoundId { request, stage }, share, .. } = ticket;
        let late = Event::Late { request, stage, share, device };
        let Some(round) = self.open_round(ticket.round) else {
            return out.note(late);
        };
        let after = now - round.began;
        let result = match result {
            Ok(result) => result,
            Err(why) => return out.note(Event::Refused { request, stage, share, device, why }),
        };
        if !round.arrive(share, result) {
            return out.note(late);
        }
        let all_here = round.missing().is_empty();
        out.note(Event::Arrived { request, stage, share, device, after });
        if all_here || self.plan.policy.wait == Wait::KthReply {
            self.decode_if_enough(now, ticket.round, out);
        }
    }

    /// The round with that id, if it is the one its request is in.
    fn open_round(&mut self, id: RoundId) -> Option<&mut Round> {
        let round = self.requests.get_mut(&id.request)?.round.as_mut()?;
        (round.id == id).then_some(round)
    }

    /// Begins to decode if the shares in hand suffice; says whether they do.
    fn decode_if_enough(&mut self, now: Time, id: RoundId, out: &mut Effects) -> bool {
        let plan = self.plan.clone();
        let stage = &plan.stages[id.stage.0];
        let Some(round) = self.requests.get_mut(&id.request).and_then(|p| p.round.as_mut()) else {
            return false;
        };
        let arrived = round.arrived();
        let Ok(decoder) = self.decoders[id.stage.0].decoder(&arrived) else { return false };
        if decoder.condition > plan.policy.worst_condition {
            return false;
        }
        let RoundId { request, stage: stage_id } = id;
        let after = now - round.began;
        for share in round.missing() {
            let device = round.asked().nth(share).expect("every share was asked of a device").1;
            out.send(NodeId::Device(device), Message::Cancel(id));
        }
        let arrived = arrived.into_iter().collect();
        out.note(Event::Enough { request, stage: stage_id, arrived, after });
        let results = round.decide(decoder.clone());
        match &stage.work {
            StageWork::Layer(layer) => {
                let results = results.into_iter().filter_map(|(share, result)| {
                    result.into_iter().next().map(|result| (share, result))
                });
                let (layer, results) = (layer.clone(), results.collect());
                out.work(Job::Decode { round: id, layer, decoder, results });
            }
            StageWork::Function(_) => {
                let outputs = results.into_values().next().expect("one copy is enough");
                self.finish_round(now, id, outputs, Span::ZERO, out);
            }
        }
        true
    }

    fn finish_round(
        &mut self,
        now: Time,
        id: RoundId,
        outputs: Vec<Tensor>,
        took: Span,
        out: &mut Effects,
    ) {
        let Some(decoder) = self.open_round(id).and_then(|round| round.decoder.clone()) else {
            return;
        };
        let RoundId { request, stage } = id;
        out.note(Event::Decoded {
            request,
            stage,
            used: decoder.used().into_iter().collect(),
            rebuilt: decoder.rebuilt().collect(),
            condition: decoder.condition,
            took,
        });
        self.finish_step(now, request, outputs, out);
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

    /// A deadline passed: decode what suffices, ask again, or give the request up.
    fn give_up_waiting(&mut self, now: Time, id: RoundId, attempt: u32, out: &mut Effects) {
        let plan = self.plan.clone();
        let stage = &plan.stages[id.stage.0];
        let Some(round) = self.open_round(id) else { return };
        if round.decoder.is_some() || round.attempt != attempt {
            return;
        }
        let RoundId { request, stage: stage_id } = id;
        let missing = round.missing();
        out.note(Event::DeadlinePassed { request, stage: stage_id, attempt, missing });
        if self.decode_if_enough(now, id, out) {
            return;
        }
        let Some(round) = self.open_round(id) else { return };
        if round.attempt < plan.policy.retries {
            let asked = round.ask_again(stage);
            self.scatter(now, request, asked, out);
        } else {
            let reason = unrecoverable(&plan, stage, round);
            for (_, device) in round.asked() {
                out.send(NodeId::Device(device), Message::Cancel(id));
            }
            self.fail(now, request, reason, out);
        }
    }

    fn fail(&mut self, now: Time, request: RequestId, reason: String, out: &mut Effects) {
        let Some(progress) = self.requests.remove(&request) else { return };
        let latency = now - progress.accepted;
        out.note(Event::Failed { request, reason: reason.clone(), latency });
        out.send(NodeId::Client, Message::Answer(request, Err(reason)));
    }
}

/// `stage fc1 is unrecoverable: 3 of 4 shares after 2 tries; nothing from pi-3 (share 2), …`.
fn unrecoverable(plan: &Plan, stage: &Stage, round: &Round) -> String {
    let missing = round.missing();
    let silent: Vec<String> = round
        .asked()
        .filter(|(share, _)| missing.contains(share))
        .map(|(share, device)| format!("{} (share {share})", plan.devices[device.0].name))
        .collect();
    format!(
        "stage {} is unrecoverable: {} of {} needed shares after {} tries; nothing from {}",
        stage.name,
        round.arrived().len(),
        stage.code.sources(),
        round.attempt + 1,
        silent.join(", "),
    )
}

impl Node for Supervisor {
    fn handle(&mut self, now: Time, input: Input, out: &mut Effects) {
        match input {
            Input::Mail { from, message } => match (from, message) {
                (_, Message::Request(request, inputs)) => self.accept(now, request, inputs, out),
                (NodeId::Device(device), Message::Reply(ticket, result)) => {
                    self.gather(now, device, ticket, result, out);
                }
                (NodeId::Device(device), Message::Hello) => {
                    let shares = self.deployment.of(device);
                    out.send(NodeId::Device(device), Message::Deploy(shares));
                }
                _ => {}
            },
            Input::Wake(Timer::Deadline { round, attempt }) => {
                self.give_up_waiting(now, round, attempt, out);
            }
            Input::Done { output: Output::Decoded { round, output }, took } => match output {
                Ok(output) => self.finish_round(now, round, vec![output], took, out),
                Err(reason) => self.fail(now, round.request, reason, out),
            },
            Input::Done { output: Output::Local { request, step, outputs }, took } => {
                out.note(Event::LocalRan { request, step, took });
                match outputs {
                    Ok(outputs) => self.finish_step(now, request, outputs, out),
                    Err(reason) => self.fail(now, request, reason, out),
                }
            }
            Input::Start | Input::Wake(_) | Input::Done { .. } | Input::Saw(_) => {}
        }
    }
}
