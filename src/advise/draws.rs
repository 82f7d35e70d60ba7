//! Chance for the estimates: drawn once, and the same for every offer, so that they differ by what they
//! are and not by luck.

use rand_distr::{Distribution, LogNormal};

use crate::maths::chance::{Purpose, Seed};
use crate::plan::Draft;
use crate::units::DeviceId;

/// How many requests are imagined: enough to put offers in an order, whose first are then run.
pub(super) const DRAWS: usize = 256;

/// What befalls each device at each layer in each imagined request.
pub(super) struct Draws {
    /// By layer, device and draw.
    devices: Vec<Vec<Vec<Drawn>>>,
    /// By layer and draw.
    supervisor: Vec<Vec<f64>>,
}

#[derive(Clone, Copy)]
pub(super) struct Drawn {
    /// A factor of the time it computes.
    pub(super) jitter: f64,
    /// There and back.
    pub(super) latencies_ms: f64,
}

impl Draws {
    pub(super) fn new(draft: &Draft, layers: usize, seed: Seed) -> Self {
        let jitter = |sigma: f64, ids: &[u64]| match sigma {
            0.0 => 1.0,
            sigma => LogNormal::new(0.0, sigma)
                .expect("jitter was checked to be finite")
                .sample(&mut seed.stream(Purpose::Compute, ids)),
        };
        let device = |layer: usize, (at, device): (usize, &crate::plan::Device)| {
            let draw = |draw: usize| {
                let ids = [layer as u64, 1 + at as u64, draw as u64];
                let rng = &mut seed.stream(Purpose::Latency, &ids);
                let latencies = device.latency.draw(rng) + device.reply_latency.draw(rng);
                let latencies_ms = latencies.as_millis();
                Drawn { jitter: jitter(device.machine.jitter, &ids), latencies_ms }
            };
            (0..DRAWS).map(draw).collect()
        };
        let devices =
            |layer| draft.devices().iter().enumerate().map(|of| device(layer, of)).collect();
        let sigma = draft.supervisor().jitter;
        let supervisor =
            |layer| (0..DRAWS).map(|draw| jitter(sigma, &[layer as u64, 0, draw as u64])).collect();
        Self {
            devices: (0..layers).map(devices).collect(),
            supervisor: (0..layers).map(supervisor).collect(),
        }
    }

    pub(super) fn device(&self, layer: usize, device: DeviceId, draw: usize) -> Drawn {
        self.devices[layer][device.0][draw]
    }

    /// A factor of the time the supervisor computes.
    pub(super) fn supervisor(&self, layer: usize, draw: usize) -> f64 {
        self.supervisor[layer][draw]
    }
}
