//! Slow: the device's jobs take longer; it does not know.

use std::fmt;

use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::{Cost, Misfortune, Read};
use crate::maths::delay::Refusal;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slow {
    /// So many times as long.
    pub by: f64,
}

impl Misfortune for Slow {
    fn load(&mut self, _: Read<'_>) -> Result<(), Refusal> {
        if self.by.is_finite() && self.by >= 1.0 {
            return Ok(());
        }
        let message = format!("slow by {} is not slow", self.by);
        Err(Refusal::new(message, "give a factor of at least 1"))
    }

    fn job(&self, _: &mut ChaCha8Rng, cost: &mut Cost) {
        cost.factor *= self.by;
    }
}

impl fmt::Display for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slow({} ×)", self.by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maths::chance::{Purpose, Seed};

    #[test]
    fn two_slowdowns_multiply() {
        let mut cost = Cost::PLAIN;
        let mut rng = Seed(1).stream(Purpose::Fault, &[]);
        Slow { by: 2.0 }.job(&mut rng, &mut cost);
        Slow { by: 3.0 }.job(&mut rng, &mut cost);
        assert_eq!(cost.factor, 6.0);
    }

    #[test]
    fn speeding_up_is_no_fault() {
        for by in [0.5, f64::NAN, f64::INFINITY] {
            assert!(Slow { by }.load(&|_| Err(String::new())).is_err(), "{by}");
        }
    }
}
