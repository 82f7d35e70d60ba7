//! What both drivers share: the hosts, the queue of things to come, and the carrying out of effects.

mod effects;

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;

use super::Setup;
use super::coming::{AFTER_FAULTS, Coming, Life, Pace};
use super::helm::Progress;
use super::host::{Hosts, Panicked, Stepped};
use super::queue::Queue;
use super::weather::Weather;
use crate::event::{Event, Record};
use crate::fault::{Grip, ResultOf};
use crate::node::{Chaos, Device, Effects, Input, Message, NodeId, Output, Supervisor};
use crate::units::{DeviceId, Time};

pub(super) struct Run<'w, P> {
    pub(super) pace: P,
    pub(super) hosts: Hosts,
    pub(super) weather: Weather,
    /// What waits for each frozen device.
    pub(super) frozen: BTreeMap<DeviceId, Vec<Coming>>,
    queue: Queue<Coming>,
    causes: u64,
    /// How many records there are.
    noted: u64,
    /// Requests that have neither been judged nor failed.
    open: usize,
    /// Whether some fault waits for an event.
    chaos_watches: bool,
    /// What was noted and not yet shown to chaos.
    unseen: Vec<Event>,
    /// Room for a step's effects.
    effects: Effects,
    /// What is still to be stepped at this very moment.
    pub(super) steps: VecDeque<(NodeId, Input)>,
    watch: Watch<'w>,
    /// Whether the watcher has seen enough.
    stopped: bool,
}

/// Is told how the run goes on, and may stop it with that.
pub(super) type Watch<'w> = &'w mut (dyn FnMut(Progress) -> ControlFlow<()> + Send);

impl<'w, P: Pace> Run<'w, P> {
    /// Starts all nodes, as actors or not. Actors need an actix system. If the run is steered, any fault may
    /// still be planned.
    pub(super) fn start(
        setup: &Setup,
        pace: P,
        actors: bool,
        steered: bool,
        watch: Watch<'w>,
    ) -> Self {
        let Setup { plan, deployment, faults, requests, seed, .. } = setup;
        let device = |id| Device::deployed(DeviceId(id), deployment.held_by(DeviceId(id)));
        let devices: Vec<Device> = (0..plan.devices.len()).map(device).collect();
        let supervisor = Supervisor::new(plan.clone(), deployment.clone());
        let chaos = Chaos::new(faults.clone(), *seed);
        let hosts = Hosts::start(setup.client(), supervisor, chaos, devices, actors);
        let remembers = faults.iter().any(|fault| fault.what.misfortune().needs_the_past());
        let mut run = Self {
            pace,
            hosts,
            weather: Weather::new(*seed, steered || remembers),
            frozen: BTreeMap::new(),
            queue: Queue::new(),
            causes: AFTER_FAULTS,
            noted: 0,
            open: *requests,
            chaos_watches: steered || faults.iter().any(|fault| fault.trigger.watches()),
            unseen: Vec::new(),
            effects: Effects::default(),
            steps: VecDeque::new(),
            watch,
            stopped: false,
        };
        for (order, node) in [NodeId::Chaos, NodeId::Supervisor, NodeId::Client].iter().enumerate()
        {
            run.queue.push(Time::ZERO, order as u64, Coming::Start(*node));
        }
        run
    }

    /// Whether every request has ended, or the watcher has stopped the run.
    pub(super) fn is_over(&self) -> bool {
        self.open == 0 || self.stopped
    }

    /// When the next thing is due.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.queue.next_due()
    }

    /// How many records there are so far.
    pub(super) fn noted(&self) -> u64 {
        self.noted
    }

    /// Says that it waits to be told more.
    pub(super) fn rest(&mut self, obeyed: u64, at: Time) {
        self.stopped |= (self.watch)(Progress::Resting { obeyed, at }).is_break();
    }

    pub(super) fn push(&mut self, at: Time, what: Coming) {
        self.causes += 1;
        let cause = what.rank().unwrap_or(self.causes);
        self.queue.push(at, cause, what);
    }

    pub(super) fn pop(&mut self) -> Option<(Time, Coming)> {
        // Fleets of thousands are larger than caches.
        match self.queue.soon() {
            Some(Coming::Mail { from: NodeId::Device(device), .. }) => {
                self.hosts.will_hear_of(*device);
            }
            Some(
                Coming::Mail { to: Life { node, .. }, .. }
                | Coming::Wake { life: Life { node, .. }, .. }
                | Coming::Done { life: Life { node, .. }, .. },
            ) => {
                self.hosts.will_step(*node);
            }
            Some(Coming::Start(_)) | None => {}
        }
        self.queue.pop()
    }

    /// Tells chaos something that is not due but said.
    pub(super) async fn tell_chaos(&mut self, now: Time, input: Input) {
        self.follow(now, NodeId::Chaos, input).await;
    }

    /// Lets one thing happen, and carries out all that follows from it at once.
    pub(super) async fn happen(&mut self, now: Time, what: Coming) {
        if let Some((node, input)) = self.input(now, what) {
            self.follow(now, node, input).await;
        }
    }

    /// Whom it happens to, unless nobody is there any more, or it must wait.
    fn input(&mut self, now: Time, what: Coming) -> Option<(NodeId, Input)> {
        if let Some(device) = self.frozen_one(&what) {
            self.frozen.entry(device).or_default().push(what);
            return None;
        }
        match what {
            Coming::Start(node) => Some((node, Input::Start)),
            Coming::Mail { from, to, message } => {
                if let NodeId::Device(device) = to.node {
                    let why = match self.hosts.is_up(device) {
                        false => Some("it is down"),
                        true => (!self.lives(to)).then_some("it went down meanwhile"),
                    };
                    if let Some(why) = why {
                        self.note_lost(now, device, &message, why.to_owned());
                        return None;
                    }
                }
                Some((to.node, Input::Mail { from, message }))
            }
            Coming::Wake { life, timer } => {
                self.lives(life).then_some((life.node, Input::Wake(timer)))
            }
            Coming::Done { life, mut output, took } => {
                if !self.lives(life) {
                    return None;
                }
                self.spoil(life.node, &mut output);
                Some((life.node, Input::Done { output, took }))
            }
        }
    }

    /// Lets a node take a step, and others those that follow at this very moment.
    async fn follow(&mut self, now: Time, node: NodeId, input: Input) {
        let mut next = Some((node, input));
        let mut effects = std::mem::take(&mut self.effects);
        while let Some((node, input)) = next {
            let taken = match self.hosts.step(now, node, input, &mut effects) {
                None => Ok(()),
                Some(Stepped::Here(taken)) => taken,
                Some(Stepped::Sent(answer)) => {
                    answer.await.map(|of_step| effects = of_step).map_err(|_| Panicked)
                }
            };
            if taken.is_err() {
                effects.0.clear();
                self.broke_down(now, node);
            }
            for effect in effects.0.drain(..) {
                self.carry_out(now, node, effect);
            }
            // Most things are over with one step.
            if !self.unseen.is_empty() {
                let seen = self.unseen.drain(..);
                self.steps.extend(seen.map(|event| (NodeId::Chaos, Input::Saw(event))));
            }
            next = self.steps.pop_front();
        }
        self.effects = effects;
    }

    /// A device whose host panicked is down; any other node must not.
    fn broke_down(&mut self, now: Time, node: NodeId) {
        let NodeId::Device(device) = node else {
            panic!("{node:?} broke down, which is our own bug")
        };
        self.kill(now, device, "its host panicked");
    }

    /// The device it would happen to, if that is frozen: then it is kept for when it thaws.
    fn frozen_one(&self, what: &Coming) -> Option<DeviceId> {
        let node = match what {
            Coming::Start(node) => *node,
            Coming::Mail { to: life, .. }
            | Coming::Wake { life, .. }
            | Coming::Done { life, .. } => life.node,
        };
        match node {
            NodeId::Device(device) if self.weather.holds(device, Grip::Frozen) => Some(device),
            NodeId::Device(_) | NodeId::Client | NodeId::Supervisor | NodeId::Chaos => None,
        }
    }

    fn spoil(&mut self, node: NodeId, output: &mut Output) {
        if let NodeId::Device(device) = node
            && let Output::Share { ticket, result: Ok(result) } = output
        {
            let of = ResultOf { stage: ticket.round.stage, share: ticket.share };
            self.weather.result(device, of, &ticket.identity(), result);
        }
    }

    fn life(&self, node: NodeId) -> Life {
        Life { node, incarnation: self.hosts.incarnation(node) }
    }

    fn lives(&self, life: Life) -> bool {
        self.hosts.incarnation(life.node) == life.incarnation
    }

    pub(super) fn note(&mut self, at: Time, event: Event) {
        // What else follows from the same step is carried out, but a stopped trace ends with what
        // stopped it.
        if self.stopped {
            return;
        }
        if matches!(event, Event::Judged { .. } | Event::NotComputed { .. } | Event::Failed { .. })
        {
            self.open -= 1;
        }
        if self.chaos_watches {
            self.unseen.push(event.clone());
        }
        self.noted += 1;
        self.stopped = (self.watch)(Progress::Happened(Record { at, event })).is_break();
    }

    fn note_lost(&mut self, now: Time, device: DeviceId, message: &Message, why: String) {
        let (what, request) = (message.kind(), message.request());
        self.note(now, Event::Lost { device, what, request, why });
    }
}
