//! No redundancy: share i is source i, and all are needed. The baseline.

use super::{Arrived, Code, Decoder, Encoder, NotYet, solve};

/// (k, k).
#[derive(Debug)]
pub struct Uncoded {
    encoder: Encoder,
}

impl Uncoded {
    pub fn new(k: usize) -> Self {
        Self { encoder: Encoder::of_copies(k, 0..k) }
    }
}

impl Code for Uncoded {
    fn name(&self) -> String {
        format!("Uncoded({})", self.sources())
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    fn tolerates(&self) -> usize {
        0
    }

    fn decoder(&self, arrived: &Arrived) -> Result<Decoder, NotYet> {
        solve(self, arrived)
    }
}
