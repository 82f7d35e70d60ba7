//! All chance of a run, from one seed.
//!
//! A draw is not the next number of a shared stream but a function of what it is for: (seed, purpose,
//! ids). Taking one draw away moves no other, so a run with faults and its twin without them
//! share every delay the faults did not touch: the difference between them is the faults' alone.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The seed of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

/// What a draw is for. The numbers are part of the determinism promise: append, never renumber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Arrivals = 1,
    Inputs = 2,
    Latency = 3,
    Compute = 4,
    Fault = 5,
    Weights = 6,
    Victims = 7,
    Swarm = 8,
    Probe = 9,
    Code = 10,
    Monkey = 11,
    Rehearsal = 12,
}

impl Seed {
    /// The stream for one purpose and the ids that tell this draw from every other.
    pub fn stream(self, purpose: Purpose, ids: &[u64]) -> ChaCha8Rng {
        let start = split_mix(self.0 ^ split_mix(purpose as u64));
        ChaCha8Rng::seed_from_u64(ids.iter().fold(start, |state, id| split_mix(state ^ id)))
    }
}

/// SplitMix64's output function (Steele, Lea, Flood 2014): a bijection that spreads nearby inputs.
fn split_mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    #[test]
    fn a_draw_depends_on_its_ids_and_on_nothing_else() {
        let draw = |ids: &[u64]| Seed(1).stream(Purpose::Fault, ids).random::<u64>();
        assert_eq!(draw(&[1, 2]), draw(&[1, 2]));
        assert_ne!(draw(&[1, 2]), draw(&[2, 1]));
        assert_ne!(draw(&[1]), Seed(2).stream(Purpose::Fault, &[1]).random::<u64>());
    }
}
