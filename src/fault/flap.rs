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
        let turn = self.down.min(self.up);
        if turn < Span(1000) {
            let message = format!("a turn of {turn} is too short");
            return Err(Refusal::new(message, "give both down and up at least 1us"));
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
