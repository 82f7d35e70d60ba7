//! What things cost in virtual time: the honest world of the topology, without misfortune.

use rand_distr::{Distribution, LogNormal};

use crate::fault::{Cost, Way};
use crate::maths::chance::{Purpose, Seed};
use crate::node::Job;
use crate::plan::{Machine, Plan};
use crate::units::{Bytes, DeviceId, Span, Time};

/// The links of the fleet: one a device, each way a pipe that carries one message at a time.
#[derive(Debug)]
pub(super) struct Links {
    seed: Seed,
    free: Vec<[Time; 2]>,
}

impl Links {
    pub(super) fn new(seed: Seed, devices: usize) -> Self {
        Self { seed, free: vec![[Time::ZERO; 2]; devices] }
    }

    /// When a message sent now arrives: after those before it, its own transfer, and a latency.
    pub(super) fn carry(
        &mut self,
        now: Time,
        plan: &Plan,
        (device, way): (DeviceId, Way),
        size: Bytes,
        identity: &[u64],
    ) -> Time {
        let spec = &plan.devices[device.0];
        let free = &mut self.free[device.0][way as usize];
        *free = (*free).max(now) + spec.bandwidth.time_for(size);
        let ids = [&[device.0 as u64, way as u64], identity].concat();
        let latency = match way {
            Way::ToDevice => &spec.latency,
            Way::FromDevice => &spec.reply_latency,
        };
        *free + latency.draw(&mut self.seed.stream(Purpose::Latency, &ids))
    }
}

/// How long a job takes on a machine at that cost; at least a nanosecond.
pub(super) fn duration(seed: Seed, machine: &Machine, job: &Job, ids: &[u64], cost: Cost) -> Span {
    let plain = machine.time_for(job.work(), job.traffic());
    let jitter = match machine.jitter {
        0.0 => 1.0,
        sigma => LogNormal::new(0.0, sigma)
            .expect("jitter was checked to be finite")
            .sample(&mut seed.stream(Purpose::Compute, ids)),
    };
    (plain * (jitter * cost.factor) + cost.extra).max(Span(1))
}
