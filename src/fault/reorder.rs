//! Reorder: a message is held back, so that later ones overtake it.

use std::fmt;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::{Fate, Misfortune, Read, Way, always, probability};
use crate::maths::delay::Refusal;
use crate::units::Span;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reorder {
    #[serde(default = "always")]
    pub probability: f64,
    /// The most that a message is held back.
    pub within: Span,
}

impl Misfortune for Reorder {
    fn load(&mut self, _: Read<'_>) -> Result<(), Refusal> {
        probability(self.probability)
    }

    fn message(&self, _: Way, rng: &mut ChaCha8Rng, fate: &mut Fate) {
        if rng.random_bool(self.probability) {
            fate.extra += Span(rng.random_range(0..=self.within.0));
        }
    }
}

impl fmt::Display for Reorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reorder({} within {})", self.probability, self.within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maths::chance::{Purpose, Seed};

    #[test]
    fn some_messages_are_overtaken_by_those_after_them() {
        let reorder = Reorder { probability: 0.5, within: Span(100) };
        let extra = |i| {
            let mut fate = Fate::default();
            reorder.message(Way::ToDevice, &mut Seed(1).stream(Purpose::Fault, &[i]), &mut fate);
            fate.extra.0
        };
        // Sent a nanosecond apart.
        let arrivals: Vec<u64> = (0..100).map(|i| i + extra(i)).collect();
        assert!(!arrivals.is_sorted());
    }
}
