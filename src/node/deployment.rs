//! Which device holds which shares, encoded once and shared by every run of a plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::round::Tasks;
use super::verify::{Check, Witnesses};
use crate::maths::chance::Seed;
use crate::plan::{Plan, Share, Stage, Verify};
use crate::units::{DeviceId, StageId};

/// The shares of every device.
#[derive(Debug)]
pub struct Deployment {
    shares: BTreeMap<DeviceId, BTreeMap<(StageId, usize), Arc<Share>>>,
    /// Of the stages whose results are held against them.
    witnesses: BTreeMap<StageId, Arc<Witnesses>>,
}

/// What the shares cost; those that are alike are one.
fn outlines(stage: &Stage) -> Vec<Arc<Share>> {
    let mut outlines: Vec<Arc<Share>> = Vec::new();
    for share in 0..stage.code.shares() {
        let outline = stage.outline(share);
        let last = outlines.last().filter(|last| last.costs_what(&outline));
        outlines.push(last.cloned().unwrap_or_else(|| Arc::new(outline)));
    }
    outlines
}

impl Deployment {
    /// Encodes every stage, unless nothing is computed, and draws the witnesses of its shares from
    /// the seed. A share with several holders is encoded once.
    pub fn new(plan: &Plan, seed: Seed) -> Self {
        let mut shares: BTreeMap<DeviceId, BTreeMap<_, _>> = BTreeMap::new();
        let mut witnesses = BTreeMap::new();
        for (id, stage) in plan.stages.iter().enumerate() {
            let id = StageId(id);
            let encoded: Vec<Arc<Share>> = match plan.computes() {
                true => {
                    (0..stage.code.shares()).map(|share| Arc::new(stage.encode(share))).collect()
                }
                false => outlines(stage),
            };
            for (share, holders) in stage.holders.iter().enumerate() {
                for holder in holders {
                    let held = shares.entry(*holder).or_default();
                    held.insert((id, share), encoded[share].clone());
                }
            }
            if stage.verify == Verify::Always
                && let Some(of) = Witnesses::new(seed, id, stage, &encoded)
            {
                witnesses.insert(id, Arc::new(of));
            }
        }
        Self { shares, witnesses }
    }

    /// All that any device holds; what several hold more than once.
    pub fn shares(&self) -> impl Iterator<Item = &Share> {
        self.shares.values().flat_map(BTreeMap::values).map(Arc::as_ref)
    }

    /// How to check a stage's results on what was sent.
    pub(super) fn check(&self, id: StageId, stage: &Stage, tasks: &Tasks) -> Check {
        match self.witnesses.get(&id) {
            Some(of) => Check::Witnesses { of: of.clone(), tasks: tasks.clone() },
            _ if stage.verify == Verify::Surplus => Check::Surplus { code: stage.code.clone() },
            _ => Check::Numbers,
        }
    }

    /// What a device holds, by stage and share.
    pub fn held_by(&self, device: DeviceId) -> BTreeMap<(StageId, usize), Arc<Share>> {
        self.shares.get(&device).cloned().unwrap_or_default()
    }

    pub(super) fn of(&self, device: DeviceId) -> Vec<(StageId, usize, Arc<Share>)> {
        let held = self.held_by(device).into_iter();
        held.map(|((stage, share), encoded)| (stage, share, encoded)).collect()
    }
}
