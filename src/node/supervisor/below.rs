//! Below the threshold: what becomes of a round that has been tried often enough, and has too few replies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Supervisor;
use crate::code::{Arrived, Code, Decoder};
use crate::node::{Effects, RoundId};
use crate::plan::{Below, Plan, Stage};
use crate::units::{DeviceId, Time};

impl Supervisor {
    /// Fails the requests of a round, and says why.
    pub(super) fn give_up(&mut self, now: Time, id: RoundId, out: &mut Effects) {
        let plan = self.plan.clone();
        let Some(round) = self.round(id) else { return };
        let arrived = round.arrived();
        let awaited = round.awaited();
        let attempts = round.attempt + 1;
        let stage = &plan.stages[id.stage.0];
        let reason = match self.decoders[id.stage.0].decoder(&arrived) {
            Ok(decoder) => ill_founded(stage, decoder.condition, attempts),
            Err(_) => unrecoverable(&plan, stage, &arrived, &awaited, attempts),
        };
        self.fail_round(now, id, &reason, out);
    }

    /// How to guess from too few replies, if the policy would rather have that than nothing. What
    /// contradicts itself is not guessed from, nor what would amplify rounding.
    pub(super) fn best_guess(&mut self, id: RoundId) -> Option<Arc<Decoder>> {
        let round = self.round(id)?;
        let (arrived, doubted, own) = (round.arrived(), round.doubted, round.estimator.clone());
        let stage = &self.plan.stages[id.stage.0];
        let may = stage.below == Below::Estimate && !doubted;
        let too_few = self.decoders[id.stage.0].decoder(&arrived).is_err();
        if !may || !too_few {
            return None;
        }
        let guess = match own {
            Some(own) => own.estimate(&arrived),
            None => self.plan.stages[id.stage.0].code.estimate(&arrived),
        };
        guess.map(Arc::new)
    }
}

/// `stage fc1 is unrecoverable: 3 of 4 needed shares after 2 tries; nothing from pi-3 (share 2), …`.
fn unrecoverable(
    plan: &Plan,
    stage: &Stage,
    arrived: &Arrived,
    awaited: &[(usize, DeviceId)],
    tries: u32,
) -> String {
    let silent: BTreeSet<(usize, DeviceId)> = awaited.iter().copied().collect();
    let mut hands: BTreeMap<DeviceId, usize> = BTreeMap::new();
    silent.iter().for_each(|(_, device)| *hands.entry(*device).or_default() += 1);
    let name = |device: &DeviceId| plan.devices[device.0].name.as_str();
    let silent: Vec<String> = match stage.code.hand() {
        1 => silent.iter().map(|(s, device)| format!("{} (share {s})", name(device))).collect(),
        _ => hands.iter().map(|(device, n)| format!("{} ({n} shares)", name(device))).collect(),
    };
    format!(
        "stage {} is unrecoverable: {} of {} needed shares after {tries} tries; nothing from {}",
        stage.name,
        arrived.len(),
        stage.needed(),
        silent.join(", "),
    )
}

/// There were shares enough, but nothing that could be relied on.
fn ill_founded(stage: &Stage, condition: f64, tries: u32) -> String {
    let name = &stage.name;
    format!(
        "stage {name} is unrecoverable: after {tries} tries its shares contradict each other and \
         which are wrong cannot be said, or would amplify rounding {condition:.0} times"
    )
}
