//! What things cost in virtual time: the honest world of the topology, without misfortune.

use std::ops::Index;

use rand_distr::{Distribution, LogNormal};

use crate::fault::{Cost, Way};
use crate::maths::chance::{Purpose, Seed};
use crate::maths::delay::Delay;
use crate::node::Job;
use crate::plan::{Device, Machine, Plan};
use crate::units::{Bandwidth, Bytes, DeviceId, Span, Time};

/// What each device of a fleet is like: of thousands most are alike, and what is kept once stays in the caches.
#[derive(Debug)]
pub(super) struct Kinds<T> {
    kinds: Vec<T>,
    of: Vec<u32>,
}

impl<T: PartialEq> FromIterator<T> for Kinds<T> {
    /// Those that are alike and follow each other are one.
    fn from_iter<I: IntoIterator<Item = T>>(devices: I) -> Self {
        let (mut kinds, mut of) = (Vec::new(), Vec::new());
        for device in devices {
            if kinds.last() != Some(&device) {
                kinds.push(device);
            }
            of.push(kinds.len() as u32 - 1);
        }
        Self { kinds, of }
    }
}

impl<T> Index<DeviceId> for Kinds<T> {
    type Output = T;

    fn index(&self, DeviceId(device): DeviceId) -> &T {
        &self.kinds[self.of[device] as usize]
    }
}

/// The links of the fleet: one a device, each way a pipe that carries one message at a time.
#[derive(Debug)]
pub(super) struct Links {
    seed: Seed,
    links: Kinds<Link>,
    /// When each device's pipe is free, by [`Way`].
    free: [Vec<Time>; 2],
}

#[derive(Debug, PartialEq)]
struct Link {
    bandwidth: Bandwidth,
    /// By [`Way`].
    latency: [Delay; 2],
}

impl Links {
    pub(super) fn new(seed: Seed, plan: &Plan) -> Self {
        let link = |device: &Device| {
            let latency = [device.latency.clone(), device.reply_latency.clone()];
            Link { bandwidth: device.bandwidth, latency }
        };
        let free = || vec![Time::ZERO; plan.devices.len()];
        Self { seed, links: plan.devices.iter().map(link).collect(), free: [free(), free()] }
    }

    /// Drops what is in a device's pipes.
    pub(super) fn clear(&mut self, now: Time, device: DeviceId) {
        for free in &mut self.free {
            free[device.0] = free[device.0].min(now);
        }
    }

    /// When a message sent now arrives: after those before it, its own transfer, and a latency.
    pub(super) fn carry(
        &mut self,
        now: Time,
        (device, way): (DeviceId, Way),
        size: Bytes,
        identity: &[u64; 6],
    ) -> Time {
        let Link { bandwidth, latency } = &self.links[device];
        let free = &mut self.free[way as usize][device.0];
        *free = (*free).max(now) + bandwidth.time_for(size);
        let latency = &latency[way as usize];
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
