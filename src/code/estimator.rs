//! A curve as a code: what the rest of the program needs to run a batch on it.
//!
//! The sources are the k inputs of a batch, a share is what one device is sent, and "decoding" is reading
//! the curve through the results off at the inputs. **What comes of it is an estimate**, which
//! [`Code::fidelity`] says: of the laws of codes only that of who may be missing holds.

use std::collections::BTreeMap;

use super::curve::Curve;
use super::{Arrived, Code, Decoder, Encoder, Fidelity, NotYet, Piece, Place, Recipe};
use crate::maths::matrix::Matrix;
use crate::units::Flops;

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

    /// The decoder for these results, if it hangs on what they are: for the same inputs as that of
    /// [`Code::decoder`], and from the same results, with other weights.
    ///
    /// # Panics
    /// If nothing has arrived, or blocks of different lengths.
    pub fn decoder_for(&self, results: &BTreeMap<usize, &[f32]>) -> Option<Decoder> {
        let arrived: Arrived = results.keys().copied().collect();
        let is_in_hand = |source| self.own(&arrived, source).is_some();
        if !self.curve.looks_at_results() || (0..self.sources()).all(is_in_hand) {
            return None;
        }
        let blocks: Vec<&[f32]> = results.values().copied().collect();
        Some(self.read_off(&arrived, &self.curve.decoder_for(&arrived, &blocks)))
    }

    /// The work of [`Self::decoder_for`], from so many results of so many elements.
    pub fn looking_work(&self, results: usize, len: usize) -> Flops {
        self.curve.looking_work(results, len)
    }

    /// The share in hand that is an input as it is.
    fn own(&self, arrived: &Arrived, source: usize) -> Option<usize> {
        arrived.iter().copied().find(|share| self.plain(*share) == Some(source))
    }

    /// Reads the curve through these results off at the inputs. An input whose own device replied needs
    /// no estimate, however much the curve is smoothed.
    fn read_off(&self, arrived: &Arrived, weights: &Matrix) -> Decoder {
        let place = |share| Place { share, cell: 0 };
        // All results have had their say where the weights hang on them.
        let counts = |w: f64| self.curve.looks_at_results() || w.abs() > ROUNDING;
        let recipe = |row: usize| {
            if let Some(share) = self.own(arrived, row) {
                return Recipe::Take(place(share));
            }
            let terms = arrived.iter().copied().zip(weights.row(row));
            let terms = terms.filter(|(_, w)| counts(*w));
            Recipe::Mix(terms.map(|(share, w)| (Piece::Result(place(share)), w)).collect())
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
            0 => Ok(self.read_off(arrived, &self.curve.decoder(arrived))),
            missing => Err(NotYet { missing }),
        }
    }

    fn estimate(&self, arrived: &Arrived) -> Option<Decoder> {
        (!arrived.is_empty()).then(|| self.read_off(arrived, &self.curve.decoder(arrived)))
    }
}
