//! Duplicate: a message arrives twice, the second time a little later, as after a retransmission.

use std::fmt;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::{Fate, Misfortune, Read, Way, always, probability};
use crate::maths::delay::Refusal;
use crate::units::Span;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duplicate {
    #[serde(default = "always")]
    pub probability: f64,
    /// The most that the copy comes later.
    #[serde(default = "a_little")]
    pub within: Span,
}

/// A retransmission on a wireless link.
fn a_little() -> Span {
    Span::from_millis(2.0)
}

impl Misfortune for Duplicate {
    fn load(&mut self, _: Read<'_>) -> Result<(), Refusal> {
        probability(self.probability)
    }

    fn message(&self, _: Way, rng: &mut ChaCha8Rng, fate: &mut Fate) {
        if rng.random_bool(self.probability) {
            fate.copies.push(Span(rng.random_range(0..=self.within.0)));
        }
    }
}

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Duplicate({} within {})", self.probability, self.within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maths::chance::{Purpose, Seed};

    #[test]
    fn a_copy_follows_within_its_time() {
        let twice = Duplicate { probability: 1.0, within: Span(50) };
        let mut fate = Fate::default();
        twice.message(Way::FromDevice, &mut Seed(3).stream(Purpose::Fault, &[]), &mut fate);
        assert!(fate.copies.len() == 1 && fate.copies[0] <= Span(50) && !fate.lost);
    }
}
