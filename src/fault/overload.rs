//! Overload: another tenant's jobs stand in the queue before each of ours.

use std::fmt;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::{Cost, Misfortune, Read};
use crate::maths::delay::Refusal;
use crate::units::Span;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overload {
    /// The share of its time that the device gives to the other tenant.
    pub load: f64,
    /// How long each of the tenant's jobs takes.
    pub each: Span,
}

impl Misfortune for Overload {
    fn load(&mut self, _: Read<'_>) -> Result<(), Refusal> {
        if (0.0..1.0).contains(&self.load) {
            return Ok(());
        }
        let message = format!("a load of {} leaves no time or less than none", self.load);
        Err(Refusal::new(message, "give a share from 0 to less than 1"))
    }

    /// The number of jobs ahead is geometric, as in a queue at that load.
    fn job(&self, rng: &mut ChaCha8Rng, cost: &mut Cost) {
        let mut ahead = 0;
        while rng.random_bool(self.load) && ahead < MOST_AHEAD {
            ahead += 1;
        }
        cost.extra += self.each * f64::from(ahead);
    }
}

/// At a load of 0.99 one queue in 20 000 would be longer.
const MOST_AHEAD: u32 = 1000;

impl fmt::Display for Overload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Overload({:.0} %, {} each)", 100.0 * self.load, self.each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maths::chance::{Purpose, Seed};

    #[test]
    fn jobs_wait_as_in_a_queue_at_that_load() {
        let overload = Overload { load: 0.75, each: Span::from_millis(10.0) };
        let wait = |i| {
            let mut cost = Cost::PLAIN;
            overload.job(&mut Seed(1).stream(Purpose::Fault, &[i]), &mut cost);
            cost.extra.as_millis()
        };
        let mean = (0..20_000).map(wait).sum::<f64>() / 20_000.0;
        assert!((mean - 30.0).abs() < 1.0, "ρ / (1 − ρ) jobs of 10 ms, seen {mean} ms");
    }
}
