//! How much decoding amplifies what is wrong with the results: 2-norms of sparse maps that are only
//! known as recipes, by power iteration.

use std::collections::BTreeMap;

use super::{Decoder, Encoder, Piece, Place, Recipe};

/// The 2-norm condition number of decoding: the norm of the decoder as a map from results to sources,
/// times that of the encoder's rows it reads.
///
/// Both norms are approached from below, to about a percent.
pub(super) fn condition(decoder: &Decoder, encoder: &Encoder) -> f64 {
    let used: Vec<usize> = decoder.used().into_iter().collect();
    let places = used.iter().flat_map(|share| {
        (0..encoder.share(*share).len()).map(|cell| Place { share: *share, cell })
    });
    let places: BTreeMap<Place, usize> =
        places.enumerate().map(|(at, place)| (place, at)).collect();
    let cells = encoder.sources() * encoder.cells();
    let decoding = norm(
        places.len(),
        |results| forward(decoder, &places, results),
        |sources| backward(decoder, &places, sources),
    );
    let rows: Vec<&[(usize, f64)]> =
        used.iter().flat_map(|share| encoder.share(*share)).map(|mixture| &mixture[..]).collect();
    let encoding = norm(
        cells,
        |sources| rows.iter().map(|row| row.iter().map(|(at, c)| c * sources[*at]).sum()).collect(),
        |results| {
            let mut sources = vec![0.0; cells];
            for (row, y) in rows.iter().zip(results) {
                row.iter().for_each(|(at, c)| sources[*at] += c * y);
            }
            sources
        },
    );
    (decoding * encoding).max(1.0)
}

/// The sources for results of one number a cell.
fn forward(decoder: &Decoder, places: &BTreeMap<Place, usize>, results: &[f64]) -> Vec<f64> {
    let mut sources = vec![0.0; decoder.recipes.len()];
    for at in &decoder.order {
        let read = |piece: &Piece| match piece {
            Piece::Result(place) => results[places[place]],
            Piece::Decoded(cell) => sources[*cell],
        };
        sources[*at] = match &decoder.recipes[*at] {
            Recipe::Take(place) => results[places[place]],
            Recipe::Mix(terms) => terms.iter().map(|(piece, c)| c * read(piece)).sum(),
        };
    }
    sources
}

/// The transpose of [`forward`]: the recipes followed backwards.
fn backward(decoder: &Decoder, places: &BTreeMap<Place, usize>, sources: &[f64]) -> Vec<f64> {
    let mut sources = sources.to_vec();
    let mut results = vec![0.0; places.len()];
    for at in decoder.order.iter().rev() {
        let weight = sources[*at];
        match &decoder.recipes[*at] {
            Recipe::Take(place) => results[places[place]] += weight,
            Recipe::Mix(terms) => {
                for (piece, c) in terms {
                    match piece {
                        Piece::Result(place) => results[places[place]] += c * weight,
                        Piece::Decoded(cell) => sources[*cell] += c * weight,
                    }
                }
            }
        }
    }
    results
}

/// The largest singular value of a map of `len` numbers, by power iteration on `AᵀA`.
fn norm(
    len: usize,
    map: impl Fn(&[f64]) -> Vec<f64>,
    transpose: impl Fn(&[f64]) -> Vec<f64>,
) -> f64 {
    // Any direction that is not orthogonal to the one sought, and no pattern of a code is like this.
    let mut x: Vec<f64> = (0..len).map(|at| 1.0 + ((at * 7919 + 13) % 101) as f64 / 50.0).collect();
    let mut last = 0.0;
    for _ in 0..MOST_STEPS {
        let length = x.iter().map(|x| x * x).sum::<f64>().sqrt();
        if length == 0.0 || !length.is_finite() {
            return if length == 0.0 { 0.0 } else { f64::INFINITY };
        }
        x.iter_mut().for_each(|x| *x /= length);
        let y = map(&x);
        let norm = y.iter().map(|y| y * y).sum::<f64>().sqrt();
        if (norm - last).abs() <= PRECISION * norm {
            return norm;
        }
        last = norm;
        x = transpose(&y);
    }
    last
}

const MOST_STEPS: usize = 100;

/// Steps that change the norm by less end the iteration.
const PRECISION: f64 = 1e-4;
