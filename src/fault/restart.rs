//! Restart: the device goes down and comes back at once, with empty memory; its shares are deployed
//! to it again.

use super::{Grip, Misfortune};

#[derive(Debug)]
pub(super) struct Restart;

impl Misfortune for Restart {
    fn grip(&self) -> Grip {
        Grip::Restart
    }
}
