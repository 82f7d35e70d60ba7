//! What several figures need: fleets and their runs, statistics of latencies, seeded draws.

use std::ops::ControlFlow;
use std::sync::Arc;

use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use super::Scope;
use crate::code::Arrived;
use crate::drive::{Clock, Setup};
use crate::event::{Event, Record};
use crate::fault::{FaultKind, Slow};
use crate::maths::chance::{Purpose, Seed};
use crate::plan::{Fault, Plan};
use crate::units::DeviceId;

/// The requests of a run that were answered, and how many were not.
pub(super) struct Ran {
    /// In milliseconds, ascending.
    pub(super) latencies: Vec<f64>,
    /// The largest difference to the whole model, in units of its largest output.
    pub(super) error: f64,
    /// Labelled answers that were right.
    pub(super) accuracy: f64,
    pub(super) failed: usize,
}

impl Scope {
    /// A shipped topology, its text changed by `edit`.
    pub(super) fn plan(
        &self,
        name: &str,
        edit: impl Fn(String) -> String,
    ) -> anyhow::Result<Arc<Plan>> {
        let path = self.topologies.join(format!("{name}.ron"));
        let text = std::fs::read_to_string(&path)
            .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
        Ok(Arc::new(Plan::parse(&path, edit(text))?))
    }

    /// So many, or fewer if it must be quick.
    pub(super) fn trials(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }
}

/// The device of that name is gone from the start.
pub(super) fn dead(plan: &Plan, name: &str) -> anyhow::Result<Fault> {
    let device = plan.device(name).ok_or_else(|| anyhow::anyhow!("no device {name}"))?;
    Ok(Fault::from_the_start(vec![device], FaultKind::Crash))
}

/// Every device, from the start: this.
pub(super) fn everywhere(plan: &Plan, what: FaultKind) -> Fault {
    Fault::from_the_start((0..plan.devices.len()).map(DeviceId).collect(), what)
}

/// A device takes so many times as long for everything.
pub(super) fn slow(device: usize, by: f64) -> Fault {
    Fault::from_the_start(vec![DeviceId(device)], FaultKind::Slow(Slow { by }))
}

pub(super) fn simulate(setup: &Setup) -> anyhow::Result<Ran> {
    let trace = setup.run(Clock::Virtual, &mut |_| ControlFlow::Continue(()))?;
    Ok(ran(setup, &trace))
}

/// The same latencies sooner, for a run in which nobody lies; errors are those of the first requests.
pub(super) fn rehearse(setup: &Setup) -> anyhow::Result<Ran> {
    Ok(ran(setup, &setup.rehearse()?))
}

fn ran(setup: &Setup, trace: &[Record]) -> Ran {
    let outputs = setup.cases.iter().flat_map(|case| case.truth.iter().flatten());
    let largest = outputs.fold(f32::MIN_POSITIVE, |a, y| a.max(y.abs()));
    let mut ran = Ran { latencies: Vec::new(), error: 0.0, accuracy: 0.0, failed: 0 };
    let (mut right, mut labelled) = (0, 0);
    for record in trace {
        if let Event::Answered { latency, .. } = &record.event {
            ran.latencies.push(latency.as_millis());
        } else if let Event::Failed { .. } = &record.event {
            ran.failed += 1;
        } else if let Event::Judged { error, top1, label, .. } = &record.event {
            ran.error = ran.error.max(error / f64::from(largest));
            labelled += usize::from(label.is_some());
            right += usize::from(*label == Some(*top1));
        }
    }
    ran.accuracy = right as f64 / labelled.max(1) as f64;
    ran.latencies.sort_by(f64::total_cmp);
    ran
}

impl Ran {
    pub(super) fn mean(&self) -> f64 {
        self.latencies.iter().sum::<f64>() / self.latencies.len().max(1) as f64
    }

    /// The standard deviation of the latencies, in milliseconds.
    pub(super) fn deviation(&self) -> f64 {
        let mean = self.mean();
        let squares = self.latencies.iter().map(|latency| (latency - mean).powi(2));
        (squares.sum::<f64>() / self.latencies.len().max(1) as f64).sqrt()
    }

    /// The latency that so many of the answered requests did not exceed, in milliseconds.
    pub(super) fn quantile(&self, quantile: f64) -> f64 {
        let at = (quantile * self.latencies.len() as f64).ceil() as usize;
        self.latencies.get(at.max(1) - 1).copied().unwrap_or(f64::NAN)
    }
}

/// The draws of one trial of a figure.
pub(super) fn chance(ids: &[u64]) -> ChaCha8Rng {
    Seed(1).stream(Purpose::Inputs, ids)
}

/// n devices of which all but so many reply.
pub(super) fn survivors(n: usize, silent: usize, rng: &mut ChaCha8Rng) -> Arrived {
    sample(rng, n, n - silent).into_iter().collect()
}

/// A slope in a double-logarithmic plot, by least squares.
pub(super) fn slope(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / logs.len() as f64;
    let (mx, my) = (mean(|p| p.0), mean(|p| p.1));
    let both: f64 = logs.iter().map(|(x, y)| (x - mx) * (y - my)).sum();
    both / logs.iter().map(|(x, _)| (x - mx).powi(2)).sum::<f64>()
}

/// Three digits.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        a if (1e-2..1e4).contains(&a) => format!("{value:.3}"),
        _ => format!("{value:.1e}"),
    }
}
