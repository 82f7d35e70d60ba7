//! Flap: the device is down and up again, by turns, each time with empty memory.

use std::fmt;

use serde::Deserialize;

use super::{Grip, Misfortune, Read};
use crate::maths::delay::Refusal;
use crate::units::Span;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flap {
    /// How long it is down, and then how long it is up.
    pub down: Span,
    pub up: Span,
}

impl Misfortune for Flap {
    fn load(&mut self, _: Read<'_>) -> Result<(), Refusal> {
        if self.down == Span::ZERO || self.up == Span::ZERO {
            return Err(Refusal::new("a turn of no length", "give both down and up a length"));
        }
        Ok(())
    }

    fn grip(&self) -> Grip {
        Grip::Flapping { down: self.down, up: self.up }
    }
}

impl fmt::Display for Flap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flap({} down, {} up)", self.down, self.up)
    }
}
