//! A curve as a code: what the rest of the program needs to run a batch on it.
//!
//! The sources are the k inputs of a batch, a share is what one device is sent, and "decoding" is reading
//! the curve through the results off at the inputs. **What comes of it is an estimate**, which
//! [`Code::fidelity`] says: of the laws of codes only that of who may be missing holds.

use super::curve::Curve;
use super::{Arrived, Code, Decoder, Encoder, Fidelity, NotYet, Piece, Place, Recipe};
use crate::maths::matrix::Matrix;

/// n devices for k inputs, with so many results to be enough.
#[derive(Debug)]
pub struct Estimator {
    curve: Box<dyn Curve>,
    encoder: Encoder,
    silent: usize,
    lies: usize,
}

impl Estimator {
    /// Not waiting for `silent` of the devices; of those that reply, up to `lies` may be left out because
    /// the others contradict them.
    ///
    /// # Panics
    /// Unless some result is left.
    pub fn new(curve: Box<dyn Curve>, silent: usize, lies: usize) -> Self {
        let rows = curve.encoder();
        assert!(silent + lies < rows.rows(), "some device must reply");
        // Where a device stands at an input, all other weights are rounding of zero.
        let snapped = |row, column| {
            let weight = rows.at(row, column);
            if (weight - weight.round()).abs() < ROUNDING { weight.round() } else { weight }
        };
        let encoder = Encoder::of_matrix(&Matrix::from_fn(rows.rows(), rows.columns(), snapped));
        Self { curve, encoder, silent, lies }
    }

    /// How many lies are looked for in a round.
    pub fn lies(&self) -> usize {
        self.lies
    }

    /// How many results are waited for as long as they may come: lies show only if there are more than
    /// are needed.
    pub fn awaited(&self) -> usize {
        self.shares() - self.silent
    }

    pub(super) fn curve(&self) -> &dyn Curve {
        self.curve.as_ref()
    }

    /// Reads the curve through these results off at the inputs.
    fn read_off(&self, arrived: &Arrived) -> Decoder {
        let weights = self.curve.decoder(arrived);
        let recipe = |row: usize| {
            let terms = arrived.iter().copied().zip(weights.row(row));
            let place = |share| Place { share, cell: 0 };
            let terms: Vec<(usize, f64)> = terms.filter(|(_, w)| w.abs() > ROUNDING).collect();
            match terms[..] {
                [(share, weight)] if (weight - 1.0).abs() < ROUNDING => Recipe::Take(place(share)),
                _ => {
                    let piece = |(share, w): &(usize, f64)| (Piece::Result(place(*share)), *w);
                    Recipe::Mix(terms.iter().map(piece).collect())
                }
            }
        };
        Decoder::direct(1, (0..weights.rows()).map(recipe).collect(), 1.0)
    }
}

/// Weights closer to a whole number than this are that number.
const ROUNDING: f64 = 1e-9;

impl Code for Estimator {
    fn name(&self) -> String {
        self.curve.name()
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    fn tolerates(&self) -> usize {
        self.silent + self.lies
    }

    fn fidelity(&self) -> Fidelity {
        Fidelity::Approximate
    }

    fn decoder(&self, arrived: &Arrived) -> Result<Decoder, NotYet> {
        let needed = self.shares() - self.tolerates();
        match needed.saturating_sub(arrived.len()) {
            0 => Ok(self.read_off(arrived)),
            missing => Err(NotYet { missing }),
        }
    }

    fn estimate(&self, arrived: &Arrived) -> Option<Decoder> {
        (!arrived.is_empty()).then(|| self.read_off(arrived))
    }
}
