//! Freeze: the device stands still, and when it thaws it goes on as if nothing had been. What was sent to
//! it waits. To everybody else it looks dead.

use super::{Grip, Misfortune};

#[derive(Debug)]
pub(super) struct Freeze;

impl Misfortune for Freeze {
    fn grip(&self) -> Grip {
        Grip::Frozen
    }
}
