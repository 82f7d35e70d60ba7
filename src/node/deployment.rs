//! Which device holds which shares, encoded once and shared by every run of a plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::plan::{Plan, Share};
use crate::units::{DeviceId, StageId};

/// The shares of every device.
#[derive(Debug)]
pub struct Deployment {
    shares: BTreeMap<DeviceId, BTreeMap<(StageId, usize), Arc<Share>>>,
}

impl Deployment {
    /// Encodes every stage. A share with several holders is encoded once.
    pub fn new(plan: &Plan) -> Self {
        let mut shares: BTreeMap<DeviceId, BTreeMap<_, _>> = BTreeMap::new();
        for (id, stage) in plan.stages.iter().enumerate() {
            for (share, holders) in stage.holders.iter().enumerate() {
                let encoded = Arc::new(stage.encode(share));
                for holder in holders {
                    let held = shares.entry(*holder).or_default();
                    held.insert((StageId(id), share), encoded.clone());
                }
            }
        }
        Self { shares }
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
