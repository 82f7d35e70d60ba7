//! Margins: how many more devices of good standing each stage can lose.
//!
//! Counted up and down as devices gain and lose standing, for in a fleet of thousands one always does.

use std::collections::BTreeSet;

use super::Supervisor;
use crate::event::Event;
use crate::node::Effects;
use crate::plan::Plan;
use crate::units::{DeviceId, StageId};

#[derive(Debug)]
pub(super) struct Margins {
    /// Where each device is a holder, by stage and share.
    held: Vec<Vec<(usize, usize)>>,
    /// Whether each device was of good standing when it was last looked at.
    good: Vec<bool>,
    /// How many good holders each share of each stage has.
    holders: Vec<Vec<usize>>,
    /// How many shares of each stage have none.
    gone: Vec<usize>,
    /// What was last said of each stage.
    said: Vec<Option<i64>>,
}

impl Margins {
    /// Before anything is known to the disadvantage of any device.
    pub(super) fn new(plan: &Plan) -> Self {
        let mut held = vec![Vec::new(); plan.devices.len()];
        let mut holders = Vec::new();
        for (stage, of) in plan.stages.iter().enumerate() {
            for (share, devices) in of.holders.iter().enumerate() {
                devices.iter().for_each(|device| held[device.0].push((stage, share)));
            }
            holders.push(of.holders.iter().map(Vec::len).collect());
        }
        let (good, stages) = (vec![true; plan.devices.len()], plan.stages.len());
        Self { held, good, holders, gone: vec![0; stages], said: vec![None; stages] }
    }

    /// Takes in that a device is good, or is not; adds the stages that this touches.
    fn see(&mut self, device: DeviceId, good: bool, touched: &mut BTreeSet<usize>) {
        if std::mem::replace(&mut self.good[device.0], good) == good {
            return;
        }
        for (stage, share) in &self.held[device.0] {
            let holders = &mut self.holders[*stage][*share];
            if good {
                self.gone[*stage] -= usize::from(*holders == 0);
                *holders += 1;
            } else {
                *holders -= 1;
                self.gone[*stage] += usize::from(*holders == 0);
            }
            touched.insert(*stage);
        }
    }
}

impl Supervisor {
    /// How many more devices of good standing each stage can lose.
    pub(super) fn note_all_margins(&mut self, out: &mut Effects) {
        (0..self.plan.stages.len()).for_each(|stage| self.note_margin(stage, out));
    }

    /// The same, where that changed.
    pub(super) fn note_margins(&mut self, out: &mut Effects) {
        let mut touched = BTreeSet::new();
        for device in self.health.changed() {
            self.margins.see(device, self.health.is_good(device), &mut touched);
        }
        touched.into_iter().for_each(|stage| self.note_margin(stage, out));
    }

    fn note_margin(&mut self, stage: usize, out: &mut Effects) {
        let of = &self.plan.stages[stage];
        // Of a hand all shares are gone, or none.
        let gone = self.margins.gone[stage] / of.code.hand();
        let left = of.tolerates as i64 - gone as i64;
        if self.margins.said[stage].replace(left) != Some(left) {
            out.note(Event::MarginChanged { stage: StageId(stage), left });
        }
    }
}
