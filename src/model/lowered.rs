//! What is sent to whoever computes, and what was made of it there: where several shares are computed
//! in one process, as in real time on one machine, patches are gathered once for all of them.

use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::linear::Patches;
use crate::maths::Tensor;

/// The inputs of a stage, or of one share of it. Cloning copies a pointer.
#[derive(Clone, Debug)]
pub struct Inputs(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    tensors: Vec<Tensor>,
    lowered: OnceLock<Lowered>,
}

impl From<Vec<Tensor>> for Inputs {
    fn from(tensors: Vec<Tensor>) -> Self {
        Self(Arc::new(Shared { tensors, lowered: OnceLock::new() }))
    }
}

impl Deref for Inputs {
    type Target = [Tensor];

    fn deref(&self) -> &[Tensor] {
        &self.0.tensors
    }
}

impl Inputs {
    /// The patches of the first of them, for the one convolution they are for.
    pub(super) fn lowered(&self, patches: &Patches, groups: usize) -> &Lowered {
        self.0.lowered.get_or_init(|| Lowered::new(patches, groups))
    }
}

/// A lowered activation, (groups, depth, columns), in slabs of a few channels, which whoever needs them
/// first gathers. Which slabs there are depends on the layer alone, and so do the bits of all sums.
#[derive(Debug)]
pub(super) struct Lowered {
    groups: Vec<Vec<Slab>>,
}

#[derive(Debug)]
struct Slab {
    channels: Range<usize>,
    /// Whether somebody is at it: then others do better to gather another.
    begun: AtomicBool,
    rows: OnceLock<Vec<f32>>,
}

/// A slab has so many rows if its channels have fewer: what fits in a processor's own cache, with as
/// many columns as one product takes at a time.
const ROWS: usize = 256;

impl Lowered {
    fn new(patches: &Patches, groups: usize) -> Self {
        let a_group = patches.channels / groups.max(1);
        let a_slab = (ROWS / patches.kernel.iter().product::<usize>().max(1)).max(1);
        let slab =
            |channels| Slab { channels, begun: AtomicBool::new(false), rows: OnceLock::new() };
        let slabs = |group: usize| {
            let (first, end) = (group * a_group, (group + 1) * a_group);
            let starts = (first..end).step_by(a_slab);
            starts.map(|start| slab(start..(start + a_slab).min(end))).collect()
        };
        Self { groups: (0..groups).map(slabs).collect() }
    }

    /// Gathers every slab that nobody has begun, while it is `wanted`.
    pub(super) fn gather(
        &self,
        patches: &Patches,
        input: &Tensor,
        wanted: &dyn Fn() -> bool,
    ) -> Option<()> {
        for slab in self.groups.iter().flatten() {
            if !slab.begun.swap(true, Ordering::Relaxed) {
                wanted().then(|| slab.rows(patches, input))?;
            }
        }
        Some(())
    }

    /// A group's slabs, each (some depth, columns): waits for those that others are at.
    pub(super) fn slabs<'x>(
        &'x self,
        group: usize,
        patches: &Patches,
        input: &'x Tensor,
    ) -> Vec<&'x [f32]> {
        self.groups[group].iter().map(|slab| slab.rows(patches, input)).collect()
    }
}

impl Slab {
    fn rows<'x>(&'x self, patches: &Patches, input: &'x Tensor) -> &'x [f32] {
        match input.as_slice().filter(|_| patches.is_plain()) {
            Some(plain) => {
                let map: usize = patches.input.iter().product();
                &plain[self.channels.start * map..self.channels.end * map]
            }
            None => self.rows.get_or_init(|| patches.gather(input, self.channels.clone())),
        }
    }
}
