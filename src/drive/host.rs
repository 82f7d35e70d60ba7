//! The one actor: hosts any node, and returns a step's effects to the driver that sent it.

use actix::{Actor, Context, Handler, Message, MessageResult, Recipient};

use crate::node::{Chaos, Client, Device, Effects, Input, Node, NodeId, Supervisor};
use crate::units::{DeviceId, Time};

/// An actor around a node.
#[derive(Debug)]
pub struct Host<N>(N);

pub type SupervisorActor = Host<Supervisor>;
pub type DeviceActor = Host<Device>;
pub(super) type ChaosActor = Host<Chaos>;
pub(super) type ClientActor = Host<Client>;

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

/// The addresses of all hosts. A crash drops a device's host and its memory; a restart starts a new
/// one with the next incarnation number, so that what was meant for the old one is not delivered.
#[derive(Debug)]
pub(super) struct Hosts {
    client: Recipient<Step>,
    supervisor: Recipient<Step>,
    chaos: Recipient<Step>,
    devices: Vec<DeviceHost>,
}

#[derive(Debug)]
struct DeviceHost {
    /// `None` while the device is down.
    address: Option<Recipient<Step>>,
    incarnation: u32,
}

impl Hosts {
    /// Starts every node; must be called inside an actix system.
    pub(super) fn start(
        client: Client,
        supervisor: Supervisor,
        chaos: Chaos,
        devices: Vec<Device>,
    ) -> Self {
        let start = |device| DeviceHost {
            address: Some(DeviceActor::new(device).start().recipient()),
            incarnation: 0,
        };
        Self {
            client: ClientActor::new(client).start().recipient(),
            supervisor: SupervisorActor::new(supervisor).start().recipient(),
            chaos: ChaosActor::new(chaos).start().recipient(),
            devices: devices.into_iter().map(start).collect(),
        }
    }

    /// A node's address, if it is up.
    pub(super) fn address(&self, node: NodeId) -> Option<Recipient<Step>> {
        match node {
            NodeId::Client => Some(self.client.clone()),
            NodeId::Supervisor => Some(self.supervisor.clone()),
            NodeId::Chaos => Some(self.chaos.clone()),
            NodeId::Device(device) => self.devices[device.0].address.clone(),
        }
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
        host.address = None;
        host.incarnation += 1;
    }

    /// Starts a device that holds nothing; says whether it was down.
    pub(super) fn revive(&mut self, device: DeviceId) -> bool {
        let host = &mut self.devices[device.0];
        if host.address.is_some() {
            return false;
        }
        let device = Device::empty(device, host.incarnation);
        host.address = Some(DeviceActor::new(device).start().recipient());
        true
    }
}
