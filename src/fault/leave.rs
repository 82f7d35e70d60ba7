//! Leave: the device says goodbye, finishes what it has in hand and takes no more tasks. When the
//! fault ends it joins the fleet anew, with empty memory.

use super::{Grip, Misfortune};

#[derive(Debug)]
pub(super) struct Leave;

impl Misfortune for Leave {
    fn grip(&self) -> Grip {
        Grip::Away
    }
}
