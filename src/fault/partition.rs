//! Partition: the device and the supervisor cannot reach each other, or only one of them the other.

use std::fmt;

use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::{Fate, Misfortune, Way};

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// The way that is cut; both if nothing is said.
    #[serde(default)]
    pub way: Option<Way>,
}

impl Misfortune for Partition {
    fn message(&self, way: Way, _: &mut ChaCha8Rng, fate: &mut Fate) {
        fate.lost |= self.way.is_none_or(|cut| cut == way);
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.way {
            None => f.write_str("Partition"),
            Some(Way::ToDevice) => f.write_str("Partition(to the device)"),
            Some(Way::FromDevice) => f.write_str("Partition(from the device)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maths::chance::{Purpose, Seed};

    #[test]
    fn a_one_way_partition_lets_the_other_way_through() {
        let lost = |cut: Option<Way>, way: Way| {
            let mut fate = Fate::default();
            let mut rng = Seed(1).stream(Purpose::Fault, &[]);
            Partition { way: cut }.message(way, &mut rng, &mut fate);
            fate.lost
        };
        assert!(lost(None, Way::ToDevice) && lost(None, Way::FromDevice));
        assert!(lost(Some(Way::FromDevice), Way::FromDevice));
        assert!(!lost(Some(Way::FromDevice), Way::ToDevice));
    }
}
