//! Copies: what everybody does today, and what every code must beat at equal budget.

use super::{Arrived, Code, Decoder, Encoder, NotYet, solve};

/// (n, k): share i is a copy of source `i mod k`. With n = r·k every source has r copies; a budget
/// of n that k does not divide copies the first sources once more.
#[derive(Debug)]
pub struct Replication {
    encoder: Encoder,
}

impl Replication {
    /// # Panics
    /// If n < k: some source would have no copy at all.
    pub fn new(n: usize, k: usize) -> Self {
        assert!(n >= k, "every source needs a copy");
        Self { encoder: Encoder::of_copies(k, (0..n).map(|share| share % k)) }
    }
}

impl Code for Replication {
    fn name(&self) -> String {
        format!("Replication({}, {})", self.shares(), self.sources())
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The source with the fewest copies may lose all but one.
    fn tolerates(&self) -> usize {
        self.shares() / self.sources() - 1
    }

    fn plain(&self, share: usize) -> Option<usize> {
        Some(share % self.sources())
    }

    fn is_news(&self, share: usize, in_hand: &dyn Fn(usize) -> bool) -> bool {
        let k = self.sources();
        !(share % k..self.shares()).step_by(k).any(|copy| copy != share && in_hand(copy))
    }

    fn decoder(&self, arrived: &Arrived) -> Result<Decoder, NotYet> {
        solve(self, arrived)
    }
}
