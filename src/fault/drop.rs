//! Drop: each of the device's messages, both ways, is lost with a probability.

use std::fmt;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::{Fate, Misfortune, Read, Way, probability};
use crate::maths::delay::Refusal;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drop {
    pub probability: f64,
}

impl Misfortune for Drop {
    fn load(&mut self, _: Read<'_>) -> Result<(), Refusal> {
        probability(self.probability)
    }

    fn message(&self, _: Way, rng: &mut ChaCha8Rng, fate: &mut Fate) {
        fate.lost |= rng.random_bool(self.probability);
    }
}

impl fmt::Display for Drop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Drop({})", self.probability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maths::chance::{Purpose, Seed};

    #[test]
    fn a_lossy_link_loses_its_share() {
        let lossy = Drop { probability: 0.3 };
        let lost = |i: &u64| {
            let mut fate = Fate::default();
            lossy.message(Way::ToDevice, &mut Seed(1).stream(Purpose::Fault, &[*i]), &mut fate);
            fate.lost
        };
        let share = (0..10_000u64).filter(lost).count() as f64 / 1e4;
        assert!((share - 0.3).abs() < 0.02, "{share}");
    }
}
