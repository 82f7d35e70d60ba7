//! Copies: what everybody does today, and what every code must beat at equal budget.

use super::{Arrived, Code, Decoder, Encoder, NotYet, solve};
use crate::maths::matrix::Matrix;

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
        let entry = |share: usize, source: usize| if share % k == source { 1.0 } else { 0.0 };
        Self { encoder: Encoder::of_matrix(&Matrix::from_fn(n, k, entry)) }
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

    fn decoder(&self, arrived: &Arrived) -> Result<Decoder, NotYet> {
        solve(self, arrived)
    }
}
