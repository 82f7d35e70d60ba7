//! The weather: the sum of the faults in force now. The only place where misfortune lives.

use std::collections::BTreeMap;

use rand::RngExt;

use crate::maths::chance::{Purpose, Seed};
use crate::plan::FaultKind;
use crate::units::{DeviceId, FaultId, Span};

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass { extra: Span },
    Lost(FaultId),
}

#[derive(Debug)]
pub(super) struct Weather {
    seed: Seed,
    /// The faults in force on each device.
    active: BTreeMap<(DeviceId, FaultId), FaultKind>,
}

impl Weather {
    pub(super) fn new(seed: Seed) -> Self {
        Self { seed, active: BTreeMap::new() }
    }

    pub(super) fn begin(&mut self, device: DeviceId, fault: FaultId, kind: FaultKind) {
        self.active.insert((device, fault), kind);
    }

    /// The kind of the fault that ended, if it was in force.
    pub(super) fn end(&mut self, device: DeviceId, fault: FaultId) -> Option<FaultKind> {
        self.active.remove(&(device, fault))
    }

    /// Whether some fault keeps the device down.
    pub(super) fn holds_down(&self, device: DeviceId) -> bool {
        self.over(device).any(|(_, kind)| *kind == FaultKind::Crash)
    }

    /// What becomes of a message to or from a device; `identity` tells it from all others.
    pub(super) fn message(&self, device: DeviceId, identity: &[u64]) -> Verdict {
        let mut extra = Span::ZERO;
        for (fault, kind) in self.over(device) {
            let ids = [&[fault.0 as u64, device.0 as u64], identity].concat();
            let mut rng = self.seed.stream(Purpose::Fault, &ids);
            match kind {
                FaultKind::Delay(delay) => extra += delay.draw(&mut rng),
                FaultKind::Drop { probability } if rng.random_bool(*probability) => {
                    return Verdict::Lost(fault);
                }
                FaultKind::Drop { .. }
                | FaultKind::Slow { .. }
                | FaultKind::Crash
                | FaultKind::Restart => {}
            }
        }
        Verdict::Pass { extra }
    }

    /// By how much a job on the device is stretched.
    pub(super) fn slowdown(&self, device: DeviceId) -> f64 {
        let factors = self.over(device).map(|(_, kind)| match kind {
            FaultKind::Slow { by } => *by,
            FaultKind::Crash
            | FaultKind::Restart
            | FaultKind::Delay(_)
            | FaultKind::Drop { .. } => 1.0,
        });
        factors.product()
    }

    fn over(&self, device: DeviceId) -> impl Iterator<Item = (FaultId, &FaultKind)> {
        let all = (device, FaultId(0))..=(device, FaultId(usize::MAX));
        self.active.range(all).map(|((_, fault), kind)| (*fault, kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maths::chance::Delay;

    const PI: DeviceId = DeviceId(3);

    #[test]
    fn faults_add_up_and_end_one_by_one() {
        let mut weather = Weather::new(Seed(1));
        weather.begin(PI, FaultId(0), FaultKind::Slow { by: 2.0 });
        weather.begin(PI, FaultId(1), FaultKind::Slow { by: 3.0 });
        let lag = FaultKind::Delay(Delay::Constant(Span(5)));
        weather.begin(PI, FaultId(2), lag.clone());
        weather.begin(PI, FaultId(3), lag);
        assert_eq!(weather.slowdown(PI), 6.0);
        assert_eq!(weather.message(PI, &[1]), Verdict::Pass { extra: Span(10) });
        assert_eq!(weather.end(PI, FaultId(0)), Some(FaultKind::Slow { by: 2.0 }));
        assert_eq!(weather.slowdown(PI), 3.0);
        assert_eq!(weather.slowdown(DeviceId(0)), 1.0, "others have fair weather");
    }

    #[test]
    fn a_lossy_link_loses_its_share_and_the_same_messages_every_time() {
        let mut weather = Weather::new(Seed(1));
        weather.begin(PI, FaultId(0), FaultKind::Drop { probability: 0.3 });
        let lost = |id| weather.message(PI, &[id]) == Verdict::Lost(FaultId(0));
        let first: Vec<bool> = (0..10_000).map(lost).collect();
        let share = first.iter().filter(|lost| **lost).count() as f64 / 1e4;
        assert!((share - 0.3).abs() < 0.02, "{share}");
        assert_eq!(first, (0..10_000).map(lost).collect::<Vec<_>>());
    }
}
