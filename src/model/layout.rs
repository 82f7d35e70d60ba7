//! How a convolution lays its input out: found out once for all requests.

use std::ops::Deref;
use std::sync::OnceLock;

use super::patches::Patches;
use super::shifts::Shifts;
use super::tiling::Tiling;

/// What a convolution looks at, and how that is best laid out.
#[derive(Clone, Debug)]
pub struct Layout {
    patches: Patches,
    /// Channels of a group.
    channels: usize,
    shifts: OnceLock<Option<Box<Shifts>>>,
    tiling: OnceLock<Option<Box<Tiling>>>,
}

impl Layout {
    /// For so many groups of channels.
    pub fn new(patches: Patches, groups: usize) -> Self {
        let channels = patches.channels / groups.max(1);
        Self { patches, channels, shifts: OnceLock::new(), tiling: OnceLock::new() }
    }

    /// As lines; `None` where patches are better gathered.
    pub(super) fn shifts(&self) -> Option<&Shifts> {
        let shifts = || Shifts::of(&self.patches, self.channels).map(Box::new);
        self.shifts.get_or_init(shifts).as_deref()
    }

    /// For tiles; `None` where they would not pay.
    pub(super) fn tiling(&self) -> Option<&Tiling> {
        let tiling = || Tiling::of(&self.patches, self.channels).map(Box::new);
        self.tiling.get_or_init(tiling).as_deref()
    }
}

impl Deref for Layout {
    type Target = Patches;

    fn deref(&self) -> &Patches {
        &self.patches
    }
}

/// All else follows from these.
impl PartialEq for Layout {
    fn eq(&self, other: &Self) -> bool {
        (&self.patches, self.channels) == (&other.patches, other.channels)
    }
}
