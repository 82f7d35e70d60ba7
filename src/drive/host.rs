//! Where nodes live. In real time that is the one actor, which hosts any node and returns a step's effects
//! to the driver that sent it. In virtual time, where nobody else could send it anything, a node is called
//! where it lies: nothing else differs, and it is what a fleet of thousands needs.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;

use actix::dev::RecipientRequest;
use actix::{Actor, Context, Handler, Message, MessageResult, Recipient};

use crate::maths::fetch::fetch;
use crate::node::{Chaos, Client, Device, Effects, Input, Node, NodeId, Supervisor};
use crate::units::{DeviceId, Time};

/// An actor around a node.
#[derive(Debug)]
pub struct Host<N>(N);

pub type SupervisorActor = Host<Supervisor>;
pub type DeviceActor = Host<Device>;

/// One thing that happened to a node, and when.
#[derive(Debug)]
pub struct Step {
    pub now: Time,
    pub input: Input,
}

impl Message for Step {
    type Result = Effects;
}

impl<N> Host<N> {
    pub fn new(node: N) -> Self {
        Self(node)
    }
}

impl<N: Node + Unpin + 'static> Actor for Host<N> {
    type Context = Context<Self>;
}

impl<N: Node + Unpin + 'static> Handler<Step> for Host<N> {
    type Result = MessageResult<Step>;

    fn handle(&mut self, Step { now, input }: Step, _: &mut Context<Self>) -> Self::Result {
        let mut out = Effects::default();
        self.0.handle(now, input, &mut out);
        MessageResult(out)
    }
}

/// Where a node lives.
enum Home<N> {
    Actor(Recipient<Step>),
    Here(N),
}

/// The node panicked: it is not to be spoken to again.
#[derive(Debug)]
pub(super) struct Panicked;

/// A step of a node: taken at once, or sent to its actor, which answers with its effects.
pub(super) enum Stepped {
    Here(Result<(), Panicked>),
    Sent(Pin<Box<RecipientRequest<Step>>>),
}

impl<N: Node + Unpin + 'static> Home<N> {
    fn of(node: N, actors: bool) -> Self {
        if actors { Self::Actor(Host(node).start().recipient()) } else { Self::Here(node) }
    }

    fn step(&mut self, now: Time, input: Input, out: &mut Effects) -> Stepped {
        match self {
            Self::Actor(address) => Stepped::Sent(Box::pin(address.send(Step { now, input }))),
            Self::Here(node) => {
                let handle = AssertUnwindSafe(|| node.handle(now, input, out));
                Stepped::Here(catch_unwind(handle).map_err(|_| Panicked))
            }
        }
    }
}

impl<N> fmt::Debug for Home<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Actor(_) => "Actor",
            Self::Here(_) => "Here",
        })
    }
}

/// The homes of all nodes. A crash drops a device's host and its memory; a restart starts a new
/// one with the next incarnation number, so that what was meant for the old one is not delivered.
#[derive(Debug)]
pub(super) struct Hosts {
    client: Home<Client>,
    supervisor: Home<Supervisor>,
    chaos: Home<Chaos>,
    devices: Vec<DeviceHost>,
    /// Whether each is an actor.
    actors: bool,
}

#[derive(Debug)]
struct DeviceHost {
    /// `None` while the device is down.
    home: Option<Home<Device>>,
    incarnation: u32,
}

impl Hosts {
    /// Starts every node; must be called inside an actix system if they are to be actors.
    pub(super) fn start(
        client: Client,
        supervisor: Supervisor,
        chaos: Chaos,
        devices: Vec<Device>,
        actors: bool,
    ) -> Self {
        let start = |device| DeviceHost { home: Some(Home::of(device, actors)), incarnation: 0 };
        Self {
            client: Home::of(client, actors),
            supervisor: Home::of(supervisor, actors),
            chaos: Home::of(chaos, actors),
            devices: devices.into_iter().map(start).collect(),
            actors,
        }
    }

    /// Has the memory bring what a node's step will look at.
    pub(super) fn will_step(&self, node: NodeId) {
        if let NodeId::Device(device) = node {
            fetch(&self.devices, device.0);
        }
    }

    /// Has it bring what the supervisor will look at when it hears of a device.
    pub(super) fn will_hear_of(&self, device: DeviceId) {
        if let Home::Here(supervisor) = &self.supervisor {
            supervisor.will_hear_of(device);
        }
    }

    /// Lets a node take a step, and adds its effects to `out`; `None` if it is down.
    pub(super) fn step(
        &mut self,
        now: Time,
        node: NodeId,
        input: Input,
        out: &mut Effects,
    ) -> Option<Stepped> {
        Some(match node {
            NodeId::Client => self.client.step(now, input, out),
            NodeId::Supervisor => self.supervisor.step(now, input, out),
            NodeId::Chaos => self.chaos.step(now, input, out),
            NodeId::Device(device) => self.devices[device.0].home.as_mut()?.step(now, input, out),
        })
    }

    pub(super) fn is_up(&self, device: DeviceId) -> bool {
        self.devices[device.0].home.is_some()
    }

    /// Which life of a node this is.
    pub(super) fn incarnation(&self, node: NodeId) -> u32 {
        match node {
            NodeId::Client | NodeId::Supervisor | NodeId::Chaos => 0,
            NodeId::Device(device) => self.devices[device.0].incarnation,
        }
    }

    pub(super) fn kill(&mut self, device: DeviceId) {
        let host = &mut self.devices[device.0];
        host.home = None;
        host.incarnation += 1;
    }

    /// Starts a device that holds nothing; says whether it was down.
    pub(super) fn revive(&mut self, device: DeviceId) -> bool {
        let host = &mut self.devices[device.0];
        if host.home.is_some() {
            return false;
        }
        let device = Device::empty(device, host.incarnation);
        host.home = Some(Home::of(device, self.actors));
        true
    }
}
