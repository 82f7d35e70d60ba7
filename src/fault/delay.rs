//! Delay: the device's messages, both ways, take longer.

use std::fmt;

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Deserializer};

use super::{Fate, Misfortune, Read, Way};
use crate::maths::delay::{self, Refusal, WrittenDelay};
use crate::units::Span;

#[derive(Clone, Debug, PartialEq)]
pub struct Delay {
    written: WrittenDelay,
    drawn: delay::Delay,
}

impl Delay {
    /// A delay that needs no file.
    pub fn of(drawn: delay::Delay) -> Self {
        Self { written: WrittenDelay::Constant(Span::ZERO), drawn }
    }
}

impl<'de> Deserialize<'de> for Delay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = WrittenDelay::deserialize(deserializer)?;
        Ok(Self { written, drawn: delay::Delay::Constant(Span::ZERO) })
    }
}

impl Misfortune for Delay {
    fn load(&mut self, read: Read<'_>) -> Result<(), Refusal> {
        self.drawn = self.written.load(read)?;
        Ok(())
    }

    fn message(&self, _: Way, rng: &mut ChaCha8Rng, fate: &mut Fate) {
        fate.extra += self.drawn.draw(rng);
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Delay({})", self.drawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maths::chance::{Purpose, Seed};

    #[test]
    fn two_delays_add() {
        let mut fate = Fate::default();
        let mut rng = Seed(1).stream(Purpose::Fault, &[]);
        for ms in [2.0, 3.0] {
            let constant = delay::Delay::Constant(Span::from_millis(ms));
            Delay::of(constant).message(Way::ToDevice, &mut rng, &mut fate);
        }
        assert_eq!(fate.extra, Span::from_millis(5.0));
    }
}
