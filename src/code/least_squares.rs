//! What can be said of the sources when too few shares came to know them: the least that explains those
//! that did.
//!
//! Among all sources that give the arrived results, the one of the smallest norm, `Gᵀ (G Gᵀ)⁻¹ y`. A source
//! that no arrived share knows of comes out as zero, which is how an uncoded layer loses data (Hadidi
//! et al., EDGE 2023, Fig. 2); one that only mixtures know of gets its part of them.

use super::{Arrived, Code, Decoder, Piece, Place, Recipe};
use crate::maths::matrix::Matrix;

/// How the results of these shares mix to the estimate; `None` if there are none.
///
/// A source that came plainly is taken as it is.
pub(super) fn least_squares<C>(code: &C, arrived: &Arrived) -> Option<Decoder>
where
    C: Code + ?Sized,
{
    let encoder = code.encoder();
    let shares: Vec<usize> = arrived.iter().copied().collect();
    let places: Vec<Place> = shares
        .iter()
        .flat_map(|share| {
            (0..encoder.share(*share).len()).map(|cell| Place { share: *share, cell })
        })
        .collect();
    let first = *places.first()?;
    let rows = encoder.dense(&shares);
    let weights = pseudo_inverse(&rows)?;
    let plain = |source: usize| shares.iter().copied().find(|s| code.plain(*s) == Some(source));
    let recipe = |at: usize| {
        let (source, cell) = (at / encoder.cells(), at % encoder.cells());
        if let Some(share) = plain(source) {
            return Recipe::Take(Place { share, cell });
        }
        let terms = places.iter().zip(weights.row(at)).filter(|(_, w)| w.abs() > NEGLIGIBLE);
        let terms: Vec<_> = terms.map(|(place, w)| (Piece::Result(*place), w)).collect();
        // Nothing is known of it: as long as any other, and zero.
        let nothing = || vec![(Piece::Result(first), 0.0)];
        Recipe::Mix(if terms.is_empty() { nothing() } else { terms })
    };
    let cells = code.sources() * encoder.cells();
    Some(Decoder::direct(encoder.cells(), (0..cells).map(recipe).collect(), 1.0))
}

/// (columns, rows): `Gᵀ (G Gᵀ + ε)⁻¹`. Rows that say the same twice, as copies do, make `G Gᵀ` singular;
/// the ε, in units of its size, lets them speak with one voice.
fn pseudo_inverse(rows: &Matrix) -> Option<Matrix> {
    let (m, n) = (rows.rows(), rows.columns());
    let inner = |i: usize, j: usize| rows.row(i).zip(rows.row(j)).map(|(a, b)| a * b).sum::<f64>();
    let size = (0..m).map(|i| inner(i, i)).fold(0.0, f64::max);
    let gram = Matrix::from_fn(m, m, |i, j| inner(i, j) + if i == j { RIDGE * size } else { 0.0 });
    let transposed = Matrix::from_fn(n, m, |i, j| rows.at(j, i));
    Some(transposed.times(&gram.inverse()?))
}

const RIDGE: f64 = 1e-10;

/// Weights below this are rounding of zero.
const NEGLIGIBLE: f64 = 1e-7;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{Mds, Polar, Replication, Uncoded};

    fn estimate(code: &dyn Code, arrived: &[usize], sources: &[f32]) -> Vec<f32> {
        let arrived: Arrived = arrived.iter().copied().collect();
        let results: Vec<Vec<f32>> = (0..code.shares())
            .map(|share| {
                let mixture = &code.encoder().share(share)[0];
                vec![mixture.iter().map(|(at, c)| *c as f32 * sources[*at]).sum()]
            })
            .collect();
        let decoder = least_squares(code, &arrived).expect("some came");
        decoder.decode(|place| &results[place.share]).iter().map(|block| block[0]).collect()
    }

    #[test]
    fn a_source_that_no_share_knows_of_is_zero_and_those_that_came_are_as_they_came() {
        let sources = [1.0, 2.0, 3.0];
        assert_eq!(estimate(&Uncoded::new(3), &[0, 2], &sources), [1.0, 0.0, 3.0]);
        assert_eq!(estimate(&Replication::new(6, 3), &[0, 3, 2], &sources), [1.0, 0.0, 3.0]);
    }

    #[test]
    fn the_estimate_explains_what_came() {
        for code in [&Mds::new(6, 4) as &dyn Code, &Polar::new(8, 5)] {
            let sources = [1.0, -2.0, 3.0, 0.5, 2.0];
            let arrived = [1, code.shares() - 1];
            let estimated = estimate(code, &arrived, &sources[..code.sources()]);
            for share in arrived {
                let mixture = &code.encoder().share(share)[0];
                let of = |x: &[f32]| mixture.iter().map(|(s, c)| *c as f32 * x[*s]).sum::<f32>();
                assert!((of(&estimated) - of(&sources)).abs() < 1e-4, "{} {share}", code.name());
            }
        }
    }

    #[test]
    fn of_nothing_nothing_is_estimated() {
        assert!(least_squares(&Mds::new(6, 4), &Arrived::new()).is_none());
    }
}
