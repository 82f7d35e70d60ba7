//! Crash: the device is gone, with its memory. A crash that ends is a restart after a while.

use super::{Grip, Misfortune};

#[derive(Debug)]
pub(super) struct Crash;

impl Misfortune for Crash {
    fn grip(&self) -> Grip {
        Grip::Down
    }
}
