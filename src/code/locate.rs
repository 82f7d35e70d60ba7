//! Finds wrong shares by the surplus: what more than k results have to say about each other.
//!
//! The rows `h` of the left null space of the arrived shares' encoder are parity checks: `Σ h_j y_j`
//! is zero for results of one input, up to rounding. A set of liars explains the results if the
//! checks that remain without it hold. With s checks, any e ≤ s/2 liars of a maximum-distance-separable
//! code leave one explanation of that size; a set is accused only if it is the only one.
//!
//! Every element of every block is checked. The search looks at the few elements that broke
//! a check, and what it finds must explain the rest.

use std::collections::{BTreeMap, BTreeSet};

use super::Code;
use crate::maths::matrix::Matrix;
use crate::maths::project::{add_scaled, finite, widely};

/// What the results in hand say about each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audit {
    /// Nothing contradicts. Without surplus nothing could.
    Consistent,
    /// These are wrong, and the others agree.
    Wrong(BTreeSet<usize>),
    /// Some are wrong, and it cannot be said which.
    Doubtful,
}

/// Sets of liars that are tried before a round is called doubtful: those of one or two among 32
/// are 528, of four among 20 are 6 195. Each costs about a microsecond.
pub const MOST_CANDIDATES: usize = 10_000;

/// Judges the results of shares, all of one length.
///
/// `rounding` is how far an element of a clean result may be off, relative to the largest of its
/// block. Blocks that are not finite are wrong whatever the others say.
///
/// # Panics
/// If the code has more than one cell a source: its shares need not be of one length.
pub fn audit(code: &dyn Code, results: &BTreeMap<usize, &[f32]>, rounding: f64) -> Audit {
    assert_eq!(code.encoder().cells(), 1, "shares of one cell");
    let broken: BTreeSet<usize> =
        results.iter().filter(|(_, block)| !finite(block)).map(|(share, _)| *share).collect();
    let sound = results.iter().filter(|(share, _)| !broken.contains(share));
    let hand = Hand::new(code, sound.map(|(share, block)| (*share, *block)), rounding);
    match hand.audit() {
        Audit::Consistent if broken.is_empty() => Audit::Consistent,
        Audit::Consistent => Audit::Wrong(broken),
        Audit::Wrong(liars) => Audit::Wrong(&liars | &broken),
        Audit::Doubtful => Audit::Doubtful,
    }
}

/// The results in hand. Below, shares are named by their place in it.
struct Hand<'b> {
    shares: Vec<usize>,
    blocks: Vec<&'b [f32]>,
    /// How far an element of each block may be off.
    noise: Vec<f64>,
    /// (checks, shares), with orthonormal rows.
    parity: Matrix,
}

/// The parity checks that remain without some shares.
struct Checks {
    /// Those shares have coefficients of zero.
    rows: Vec<Vec<f64>>,
    /// The square of what rounding explains.
    allowed: f64,
}

impl<'b> Hand<'b> {
    fn new(
        code: &dyn Code,
        results: impl Iterator<Item = (usize, &'b [f32])>,
        rounding: f64,
    ) -> Self {
        let (shares, blocks): (Vec<usize>, Vec<&[f32]>) = results.unzip();
        let largest = |block: &&[f32]| block.iter().fold(0.0f32, |a, y| a.max(y.abs()));
        let noise = blocks.iter().map(|block| rounding * f64::from(largest(block))).collect();
        let parity = code.encoder().dense(&shares).left_null_space();
        Self { shares, blocks, noise, parity }
    }

    fn audit(&self) -> Audit {
        let surplus = self.parity.rows();
        if surplus == 0 {
            return Audit::Consistent;
        }
        let Some(broken) = self.broken(&self.without(&[])) else { return Audit::Consistent };
        // Elements that some candidate failed at; most candidates fail at the first.
        let mut tried = vec![broken];
        let mut budget = MOST_CANDIDATES;
        for count in 1..=surplus / 2 {
            let mut found: Option<Vec<usize>> = None;
            let mut candidate: Vec<usize> = (0..count).collect();
            loop {
                if budget == 0 {
                    return Audit::Doubtful;
                }
                budget -= 1;
                if self.explains(&candidate, &mut tried)
                    && found.replace(candidate.clone()).is_some()
                {
                    return Audit::Doubtful;
                }
                if !next_set(&mut candidate, self.shares.len()) {
                    break;
                }
            }
            if let Some(liars) = found {
                return Audit::Wrong(liars.iter().map(|at| self.shares[*at]).collect());
            }
        }
        Audit::Doubtful
    }

    /// Whether the others agree without these; an element at which they do not is noted in `tried`.
    fn explains(&self, liars: &[usize], tried: &mut Vec<usize>) -> bool {
        let checks = self.without(liars);
        if tried.iter().any(|at| self.square(&checks, *at) > checks.allowed) {
            return false;
        }
        let broken = self.broken(&checks);
        tried.extend(broken);
        broken.is_none()
    }

    /// The checks orthogonal to those of `liars`. A clean share's noise enters each independently.
    fn without(&self, liars: &[usize]) -> Checks {
        let (checks, shares) = (self.parity.rows(), self.shares.len());
        let column = |at: usize| (0..checks).map(|row| self.parity.at(row, at)).collect();
        let mut columns: Vec<Vec<f64>> = (0..shares).map(column).collect();
        for liar in liars {
            let away = columns[*liar].clone();
            let square: f64 = away.iter().map(|x| x * x).sum();
            if square > NEGLIGIBLE * NEGLIGIBLE {
                columns.iter_mut().for_each(|column| remove(column, &away, square));
            }
            columns[*liar].fill(0.0);
        }
        let squares = columns.iter().map(|column| column.iter().map(|x| x * x).sum::<f64>());
        let allowed = squares.zip(&self.noise).map(|(square, noise)| square * noise * noise).sum();
        let entry = |x: f64| if x.abs() > NEGLIGIBLE { x } else { 0.0 };
        let row = |row: usize| columns.iter().map(|column| entry(column[row])).collect();
        Checks { rows: (0..checks).map(row).collect(), allowed }
    }

    /// `Σ (Σ h_j y_j)²` over the checks, at one element.
    fn square(&self, checks: &Checks, at: usize) -> f64 {
        let check = |row: &Vec<f64>| {
            let terms = row.iter().zip(&self.blocks);
            terms.map(|(h, block)| h * f64::from(block[at])).sum::<f64>().powi(2)
        };
        checks.rows.iter().map(check).sum()
    }

    /// The element at which the checks are off most, if at any they are off by more than rounding.
    fn broken(&self, checks: &Checks) -> Option<usize> {
        let len = self.blocks.first().map_or(0, |block| block.len());
        let mut squares = vec![0.0; len];
        widely(|| {
            let mut sums = vec![0.0; len];
            for row in &checks.rows {
                sums.fill(0.0);
                for (h, block) in row.iter().zip(&self.blocks) {
                    add_scaled(&mut sums, *h, block);
                }
                squares.iter_mut().zip(&sums).for_each(|(square, sum)| *square += sum * sum);
            }
        });
        let worst = (0..len).max_by(|a, b| squares[*a].total_cmp(&squares[*b]))?;
        (squares[worst] > checks.allowed).then_some(worst)
    }
}

/// Coefficients below this are rounding of the parity matrix: a share that no check sees must not be
/// seen because its lie is enormous.
const NEGLIGIBLE: f64 = 1e-12;

/// Makes `column` orthogonal to `away`.
fn remove(column: &mut [f64], away: &[f64], square: f64) {
    let along = column.iter().zip(away).map(|(a, b)| a * b).sum::<f64>() / square;
    column.iter_mut().zip(away).for_each(|(x, a)| *x -= along * a);
}

/// The next set of as many places among `len`, in lexicographic order; false after the last.
pub(super) fn next_set(set: &mut [usize], len: usize) -> bool {
    let count = set.len();
    let Some(at) = (0..count).rev().find(|at| set[*at] < len - count + at) else { return false };
    let start = set[at] + 1;
    set[at..].iter_mut().enumerate().for_each(|(more, place)| *place = start + more);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_enumerated_in_order_each_once() {
        let mut set = vec![0, 1];
        let mut seen = vec![set.clone()];
        while next_set(&mut set, 4) {
            seen.push(set.clone());
        }
        assert_eq!(seen, [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]);
    }
}
