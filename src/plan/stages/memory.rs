//! Whether devices can hold what they are given.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::Assigner;
use crate::plan::source::To;
use crate::plan::{Stage, StageWork};
use crate::units::{Bytes, DeviceId};

impl Assigner<'_> {
    /// One problem for each entry of `devices`, however many devices it stands for.
    pub(super) fn check_memory(&mut self, stages: &[Stage]) {
        let held = held_by_each(stages, self.devices.len());
        let mut id = 0;
        for (at, entry) in self.file.devices.iter().enumerate() {
            let count = entry.count.unwrap_or(1).min(self.devices.len());
            let all = (id..id + count).map(|id| (held[id], DeviceId(id)));
            let most = all.max_by_key(|(held, device)| (*held, Reverse(*device)));
            id += count;
            if let Some((held, DeviceId(id))) = most
                && held > entry.memory
                && let Some(device) = self.devices.get(id)
            {
                let (name, memory) = (&device.name, entry.memory);
                let message =
                    format!("{name} has {memory} of memory and would hold {held} of weights");
                let path = [To::Field("devices"), To::Item(at), To::Field("memory")];
                self.problem(&path, message, "spread the stages over more devices");
            }
        }
    }
}

/// The weights that each of so many devices holds: what [`Stage::held_bytes`] says of one.
fn held_by_each(stages: &[Stage], devices: usize) -> Vec<Bytes> {
    let mut held = vec![Bytes(0); devices];
    for stage in stages {
        let mut own = vec![Bytes(0); devices];
        let rest_on_the_same =
            matches!(&stage.work, StageWork::Layer(layer) if layer.strips().is_some());
        for (share, with) in stage.holders.iter().enumerate() {
            let size = stage.share_bytes(share);
            for DeviceId(device) in with.iter().copied().collect::<BTreeSet<_>>() {
                let one = own[device];
                own[device] = if rest_on_the_same { one.max(size) } else { one + size };
            }
        }
        held.iter_mut().zip(own).for_each(|(held, own)| *held = *held + own);
    }
    held
}
