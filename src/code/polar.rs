//! Polar codes over the reals, as in Bartan and Pilanci, *Randomized polar codes for anytime
//! distributed machine learning* (arXiv 2309.00682): additions only, and a decoder of O(n log n).
//!
//! The butterfly `(a, b) → (a + b, b)` over log₂ n stages makes some positions sure to be recovered
//! and others unlikely; the k sources stand at the sure ones, zeros at the rest. **Not any k of n**:
//! a set is decodable if the sequential decoder gets through. Only [`Code::tolerates`] is promised.
//!
//! The paper's *anytime* estimate, from a set that is not decodable, is not built: the minimum-norm
//! estimate of [`Code::estimate`] cannot be bettered by it. What the arrived shares determine of the
//! sources it gives exactly, as does any decoder that stops half way; and of sources of which nothing else is
//! known than that all directions are alike, it is the linear estimate with the least error. How
//! large that is: `kofn reproduce polar`.

use super::amplify::condition;
use super::{Arrived, Code, Decoder, Encoder, NotYet, Piece, Place, Recipe};
use crate::maths::matrix::Matrix;

/// (n, k), n a power of two.
#[derive(Debug)]
pub struct Polar {
    encoder: Encoder,
    /// The source that stands at each of the n positions.
    sources: Vec<Option<usize>>,
    tolerates: usize,
}

impl Polar {
    /// The recipes of a set are worked out over all shares.
    pub const MOST_SHARES: usize = 256;

    /// # Panics
    /// Unless n is a power of two up to [`Self::MOST_SHARES`], and 1 ≤ k ≤ n.
    pub fn new(n: usize, k: usize) -> Self {
        assert!(n.is_power_of_two() && (k..=Self::MOST_SHARES).contains(&n) && k >= 1, "2^m ≥ k");
        let lost = (n - k) as f64 / (2 * n) as f64;
        let mut positions: Vec<usize> = (0..n).collect();
        positions
            .sort_by(|a, b| erasure(n, *a, lost).total_cmp(&erasure(n, *b, lost)).then(b.cmp(a)));
        let mut chosen = positions[..k].to_vec();
        chosen.sort_unstable();
        let mut sources = vec![None; n];
        chosen.iter().enumerate().for_each(|(source, at)| sources[*at] = Some(source));
        // Position j reaches share i through every butterfly: wherever i is below, so must j be.
        let reaches =
            |share: usize, source: usize| f64::from(u8::from(share & !chosen[source] == 0));
        let encoder = Encoder::of_matrix(&Matrix::from_fn(n, k, reaches));
        // To erase a position, both inputs of each "+" must be erased, and one of each "−".
        let shares_of = |at: &usize| 1 << at.count_ones();
        let tolerates = chosen.iter().map(shares_of).min().unwrap_or(1) - 1;
        Self { encoder, sources, tolerates }
    }
}

/// The probability that a position cannot be recovered, if shares are lost with probability `lost` and
/// all earlier positions are known: `2e − e²` at the upper branch of a butterfly, `e²` at the lower
/// (Arıkan 2009, §I for the erasure channel).
fn erasure(n: usize, position: usize, lost: f64) -> f64 {
    let stages = (0..n.trailing_zeros()).rev();
    stages.fold(lost, |e, bit| if position >> bit & 1 == 1 { e * e } else { 2.0 * e - e * e })
}

/// A value as a sum over the shares, if it is known.
type Known = Option<Vec<f64>>;

/// The values at the positions, from what is known of the shares' values; `None` once a source is not
/// to be had. The zeros at the other positions are always known.
fn follow(values: &[Known], sources: &[Option<usize>]) -> Option<Vec<Vec<f64>>> {
    let ([value], [source]) = (values, sources) else {
        let (upper, lower) = values.split_at(values.len() / 2);
        let (first, second) = sources.split_at(sources.len() / 2);
        let differences: Vec<Known> = upper.iter().zip(lower).map(|(a, b)| less(a, b)).collect();
        let mut positions = follow(&differences, first)?;
        let sums = butterfly(positions.clone());
        let either =
            |((a, b), sum): ((&Known, &Known), Vec<f64>)| b.clone().or_else(|| less(a, &Some(sum)));
        let rest: Vec<Known> = upper.iter().zip(lower).zip(sums).map(either).collect();
        positions.extend(follow(&rest, second)?);
        return Some(positions);
    };
    match (source, value) {
        (None, _) => Some(vec![Vec::new()]),
        (Some(_), value) => Some(vec![value.clone()?]),
    }
}

/// The shares' values from those at the positions.
fn butterfly(positions: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    if positions.len() == 1 {
        return positions;
    }
    let mut upper = positions;
    let lower = butterfly(upper.split_off(upper.len() / 2));
    let mut shares: Vec<Vec<f64>> =
        butterfly(upper).iter().zip(&lower).map(|(a, b)| sum(a, b, 1.0)).collect();
    shares.extend(lower);
    shares
}

fn less(a: &Known, b: &Known) -> Known {
    Some(sum(a.as_ref()?, b.as_ref()?, -1.0))
}

/// `a + factor · b`; an empty sum is zero.
fn sum(a: &[f64], b: &[f64], factor: f64) -> Vec<f64> {
    let at = |terms: &[f64], i: usize| terms.get(i).copied().unwrap_or(0.0);
    (0..a.len().max(b.len())).map(|i| at(a, i) + factor * at(b, i)).collect()
}

impl Code for Polar {
    fn name(&self) -> String {
        format!("Polar({}, {})", self.shares(), self.sources())
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    fn tolerates(&self) -> usize {
        self.tolerates
    }

    fn decoder(&self, arrived: &Arrived) -> Result<Decoder, NotYet> {
        let n = self.shares();
        let unit = |share: usize| (0..n).map(|at| f64::from(u8::from(at == share))).collect();
        let values: Vec<Known> =
            (0..n).map(|share| arrived.contains(&share).then(|| unit(share))).collect();
        let missing = self.sources().saturating_sub(arrived.len()).max(1);
        let positions = follow(&values, &self.sources).ok_or(NotYet { missing })?;
        let recipe = |(sums, _): (Vec<f64>, usize)| {
            let place = |share| Place { share, cell: 0 };
            let terms = sums.into_iter().enumerate().filter(|(_, c)| *c != 0.0);
            let terms: Vec<(usize, f64)> = terms.collect();
            match terms[..] {
                [(share, 1.0)] => Recipe::Take(place(share)),
                _ => {
                    Recipe::Mix(terms.iter().map(|(s, c)| (Piece::Result(place(*s)), *c)).collect())
                }
            }
        };
        let sources = positions.into_iter().zip(&self.sources);
        let recipes = sources.filter_map(|(sums, source)| Some((sums, (*source)?))).map(recipe);
        let mut decoder = Decoder::direct(1, recipes.collect(), 1.0);
        decoder.condition = condition(&decoder, &self.encoder);
        Ok(decoder)
    }
}
