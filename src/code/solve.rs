//! Decoding by elimination, for every code whose shares are as long as a source.

use super::{Arrived, Code, Decoder, NotYet, Piece, Place, Recipe};
use crate::maths::matrix::Matrix;

/// Plain shares are taken, and the erased sources are solved for from as many coded shares.
///
/// With E the erased sources, A those that came plainly and P the chosen shares,
/// `x_E = (G_PE)⁻¹ (y_P − G_PA x_A)`; substituting gives one row of coefficients over the arrived
/// results for each erased cell.
///
/// # Errors
/// If fewer coded shares came than sources are missing, or none of them can be solved for.
///
/// # Panics
/// If a share has more cells than a source.
pub fn solve(code: &dyn Code, arrived: &Arrived) -> Result<Decoder, NotYet> {
    let cells = code.encoder().cells();
    let mut plain = vec![None; code.sources()];
    let mut coded = Vec::new();
    for share in arrived.iter().copied() {
        match code.plain(share) {
            Some(source) => plain[source] = plain[source].or(Some(share)),
            None => coded.push(share),
        }
    }
    let erased: Vec<usize> = (0..code.sources()).filter(|s| plain[*s].is_none()).collect();
    if coded.len() < erased.len() {
        return Err(NotYet { missing: erased.len() - coded.len() });
    }
    if erased.is_empty() {
        return Ok(Decoder::plain(cells, plain.into_iter().flatten()));
    }
    let known: Vec<(usize, usize)> =
        plain.iter().enumerate().filter_map(|(source, share)| Some((source, (*share)?))).collect();
    let first = Elimination::new(code, &known, &erased, coded[..erased.len()].to_vec());
    let best = match first {
        Some(first) if first.condition <= GOOD || coded.len() == erased.len() => Some(first),
        // More came than are needed: others may make a better system.
        first => {
            let spread = spread(&coded, erased.len());
            let second = Elimination::new(code, &known, &erased, spread);
            let both = [first, second].into_iter().flatten();
            both.min_by(|a, b| a.condition.total_cmp(&b.condition))
        }
    };
    let Some(best) = best else { return Err(NotYet { missing: 1 }) };
    Ok(best.decoder(&plain, &erased, cells))
}

/// A system with a condition number up to this is not worth a search for another.
const GOOD: f64 = 1e3;

/// So many of them, as far apart as can be: neighbouring shares are the most alike.
fn spread(shares: &[usize], count: usize) -> Vec<usize> {
    let last = (count - 1).max(1);
    (0..count).map(|at| shares[at * (shares.len() - 1) / last]).collect()
}

struct Elimination {
    chosen: Vec<usize>,
    condition: f64,
    /// (G_PE)⁻¹: a row a cell of the erased sources, a column a cell of the chosen shares.
    inverse: Matrix,
    /// −(G_PE)⁻¹ G_PA over all cells of sources.
    others: Matrix,
}

impl Elimination {
    fn new(
        code: &dyn Code,
        known: &[(usize, usize)],
        erased: &[usize],
        chosen: Vec<usize>,
    ) -> Option<Self> {
        let encoder = code.encoder();
        let cells = encoder.cells();
        let rows = encoder.dense(&chosen);
        let system = Matrix::from_fn(erased.len() * cells, erased.len() * cells, |i, j| {
            rows.at(i, erased[j / cells] * cells + j % cells)
        });
        let inverse = system.inverse()?;
        let survivors: Vec<usize> =
            known.iter().map(|(_, share)| *share).chain(chosen.iter().copied()).collect();
        let condition = encoder.dense(&survivors).condition();
        let others = inverse.times(&rows);
        Some(Self { chosen, condition, inverse, others })
    }

    fn decoder(&self, plain: &[Option<usize>], erased: &[usize], cells: usize) -> Decoder {
        let recipe =
            |(source, cell): (usize, usize)| match (plain[source], erased.binary_search(&source)) {
                (Some(share), _) => Recipe::Take(Place { share, cell }),
                (None, Ok(at)) => Recipe::Mix(self.terms(at * cells + cell, plain, cells)),
                (None, Err(_)) => unreachable!("a source is plain or erased"),
            };
        let all = (0..plain.len()).flat_map(|source| (0..cells).map(move |cell| (source, cell)));
        Decoder::direct(cells, all.map(recipe).collect(), self.condition)
    }

    /// What one erased cell is made of.
    fn terms(&self, row: usize, plain: &[Option<usize>], cells: usize) -> Vec<(Piece, f64)> {
        let places =
            |share: usize| (0..cells).map(move |cell| Piece::Result(Place { share, cell }));
        let chosen = self.chosen.iter().flat_map(|share| places(*share)).enumerate();
        let mut terms: Vec<(Piece, f64)> =
            chosen.map(|(column, piece)| (piece, self.inverse.at(row, column))).collect();
        for (source, share) in plain.iter().enumerate() {
            let Some(share) = share else { continue };
            let known = places(*share).enumerate();
            let terms_of = known.map(|(cell, p)| (p, -self.others.at(row, source * cells + cell)));
            terms.extend(terms_of.filter(|(_, coefficient)| *coefficient != 0.0));
        }
        terms
    }
}
