//! The weather: the sum of the faults in force now. The only place where misfortune lives.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::fault::{Cost, Fate, FaultKind, Grip, Misfortune, Past, ResultOf, Way};
use crate::maths::Tensor;
use crate::maths::chance::{Purpose, Seed};
use crate::units::{DeviceId, FaultId};

#[derive(Debug)]
pub(super) struct Weather {
    seed: Seed,
    /// The faults in force on each device.
    active: BTreeMap<(DeviceId, FaultId), (FaultKind, Grip)>,
    past: Past,
    /// Whether some fault answers with results of the past.
    remembers: bool,
}

impl Weather {
    pub(super) fn new(seed: Seed, remembers: bool) -> Self {
        Self { seed, active: BTreeMap::new(), past: Past::default(), remembers }
    }

    pub(super) fn begin(&mut self, device: DeviceId, fault: FaultId, kind: FaultKind, grip: Grip) {
        self.active.insert((device, fault), (kind, grip));
    }

    /// How the fault that ended had taken hold, if it was in force.
    pub(super) fn end(&mut self, device: DeviceId, fault: FaultId) -> Option<Grip> {
        self.active.remove(&(device, fault)).map(|(_, grip)| grip)
    }

    /// Whether some fault has such a hold of the device.
    pub(super) fn holds(&self, device: DeviceId, grip: Grip) -> bool {
        !self.active.is_empty() && self.over(device).any(|(_, (_, other))| *other == grip)
    }

    /// What becomes of a message; `identity` tells it from all others.
    pub(super) fn message(&self, device: DeviceId, way: Way, identity: &[u64]) -> Fate {
        let mut fate = Fate::default();
        self.ask(device, identity, |misfortune, rng| misfortune.message(way, rng, &mut fate));
        fate
    }

    /// What a job on the device costs.
    pub(super) fn job(&self, device: DeviceId, identity: &[u64]) -> Cost {
        let mut cost = Cost::PLAIN;
        self.ask(device, identity, |misfortune, rng| misfortune.job(rng, &mut cost));
        cost
    }

    /// Spoils a device's result.
    pub(super) fn result(
        &mut self,
        device: DeviceId,
        of: ResultOf,
        identity: &[u64],
        result: &mut Arc<Vec<Tensor>>,
    ) {
        let honest = self.remembers.then(|| result.to_vec());
        if self.active.is_empty() && honest.is_none() {
            return;
        }
        let result = Arc::make_mut(result);
        self.ask(device, identity, |misfortune, rng| {
            misfortune.result(&self.past, of, rng, result);
        });
        if let Some(honest) = honest {
            self.past.record(of, honest);
        }
    }

    /// Asks each fault over a device, with a stream of chance that is its alone.
    fn ask(
        &self,
        device: DeviceId,
        identity: &[u64],
        mut ask: impl FnMut(&dyn Misfortune, &mut rand_chacha::ChaCha8Rng),
    ) {
        if self.active.is_empty() {
            return;
        }
        for (fault, (kind, _)) in self.over(device) {
            let ids = [&[fault.0 as u64, device.0 as u64], identity].concat();
            ask(kind.misfortune(), &mut self.seed.stream(Purpose::Fault, &ids));
        }
    }

    fn over(&self, device: DeviceId) -> impl Iterator<Item = (FaultId, &(FaultKind, Grip))> {
        let all = (device, FaultId(0))..=(device, FaultId(usize::MAX));
        self.active.range(all).map(|((_, fault), active)| (*fault, active))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Grip::{Down, Frozen};

    const PI: DeviceId = DeviceId(3);

    #[test]
    fn faults_end_one_by_one_and_others_have_fair_weather() {
        let mut weather = Weather::new(Seed(1), false);
        weather.begin(PI, FaultId(0), FaultKind::Crash, Down);
        weather.begin(PI, FaultId(1), FaultKind::Crash, Down);
        assert_eq!(weather.end(PI, FaultId(0)), Some(Down));
        assert!(weather.holds(PI, Down), "the other crash still holds it down");
        assert_eq!(weather.end(PI, FaultId(1)), Some(Down));
        assert!(!weather.holds(PI, Down));
        assert_eq!(weather.end(PI, FaultId(1)), None, "it ends once");
        weather.begin(PI, FaultId(2), FaultKind::Freeze, Frozen);
        assert!(!weather.holds(DeviceId(0), Frozen));
        assert_eq!(weather.message(DeviceId(0), Way::ToDevice, &[1]), Fate::default());
    }
}
