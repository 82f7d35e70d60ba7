//! What things cost in virtual time: the honest world of the topology, without misfortune.

use rand_distr::{Distribution, LogNormal};

use crate::fault::{Cost, Way};
use crate::maths::chance::{Purpose, Seed};
use crate::maths::delay::Delay;
use crate::node::Job;
use crate::plan::{Device, Machine, Plan};
use crate::units::{Bandwidth, Bytes, DeviceId, Span, Time};

/// The links of the fleet: one a device, each way a pipe that carries one message at a time.
#[derive(Debug)]
pub(super) struct Links {
    seed: Seed,
    pipes: Vec<[Pipe; 2]>,
}

/// All that a message needs to know of its way, side by side: a fleet of thousands is larger than caches.
#[derive(Debug)]
struct Pipe {
    free: Time,
    bandwidth: Bandwidth,
    latency: Delay,
}

impl Links {
    pub(super) fn new(seed: Seed, plan: &Plan) -> Self {
        let pipes = |device: &Device| {
            let pipe = |latency: &Delay| {
                let (bandwidth, latency) = (device.bandwidth, latency.clone());
                Pipe { free: Time::ZERO, bandwidth, latency }
            };
            // In the order of `Way`.
            [pipe(&device.latency), pipe(&device.reply_latency)]
        };
        Self { seed, pipes: plan.devices.iter().map(pipes).collect() }
    }

    /// When a message sent now arrives: after those before it, its own transfer, and a latency.
    pub(super) fn carry(
        &mut self,
        now: Time,
        (device, way): (DeviceId, Way),
        size: Bytes,
        identity: &[u64; 6],
    ) -> Time {
        let Pipe { free, bandwidth, latency } = &mut self.pipes[device.0][way as usize];
        *free = (*free).max(now) + bandwidth.time_for(size);
        if let Delay::Constant(span) = latency {
            return *free + *span;
        }
        let [a, b, c, d, e, f] = *identity;
        let ids = [device.0 as u64, way as u64, a, b, c, d, e, f];
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
