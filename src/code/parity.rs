//! The sum parity of Hadidi et al., *Robust DNNs with CDC for IoT* (EDGE 2023, §IV): one more share,
//! the sum of all sources, repairs any one loss by subtraction.

use super::{Arrived, Code, Decoder, Encoder, NotYet, solve};
use crate::maths::matrix::Matrix;

/// (k + 1, k): `W_cdc = W_1 + … + W_k`, and `a_j = a_cdc − Σ_{i ≠ j} a_i`.
#[derive(Debug)]
pub struct Parity {
    encoder: Encoder,
}

impl Parity {
    pub fn new(k: usize) -> Self {
        let entry = |share: usize, source: usize| {
            if share == k || share == source { 1.0 } else { 0.0 }
        };
        Self { encoder: Encoder::of_matrix(&Matrix::from_fn(k + 1, k, entry)) }
    }
}

impl Code for Parity {
    fn name(&self) -> String {
        format!("Parity({}, {})", self.shares(), self.sources())
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    fn tolerates(&self) -> usize {
        1
    }

    fn decoder(&self, arrived: &Arrived) -> Result<Decoder, NotYet> {
        solve(self, arrived)
    }
}
