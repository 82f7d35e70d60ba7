//! Sets of devices.

use crate::units::DeviceId;

/// A set of devices that is looked through often, and changed at every message.
#[derive(Debug, Default)]
pub(super) struct Flags(Vec<u64>);

impl Flags {
    pub(super) fn set(&mut self, DeviceId(device): DeviceId, to: bool) {
        if self.0.len() <= device / 64 {
            self.0.resize(device / 64 + 1, 0);
        }
        let bit = 1 << (device % 64);
        if to { self.0[device / 64] |= bit } else { self.0[device / 64] &= !bit }
    }

    /// Those that are set, in order.
    pub(super) fn all(&self) -> Vec<DeviceId> {
        let words = self.0.iter().enumerate().filter(|(_, word)| **word != 0);
        let bits = |(at, word): (usize, &u64)| {
            let (word, first) = (*word, 64 * at);
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| DeviceId(first + bit))
        };
        words.flat_map(bits).collect()
    }
}
