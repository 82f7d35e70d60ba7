//! Finds lies among the results of a batch, where nothing is exact: those without which the others agree
//! much better.
//!
//! Each result is foretold from the others, off by what a curve through them cannot follow: honest
//! results bend too. A set of liars is accused if without it the others foretell each other many
//! times better than with it, and no other set of that size does nearly as well. So small lies pass.
//! (ApproxIFER, Soleymani et al., AAAI 2022, finds them as roots of a rational function's denominator,
//! which needs 2k + 2e − 1 results; this needs few more than the batch, and one curve for all.)

use std::collections::{BTreeMap, BTreeSet};

use super::locate::{MOST_CANDIDATES, next_set};
use super::{Arrived, Code, Estimator};
use crate::maths::project::inner;

/// The shares that are accused: at most so many, and none if nobody stands out.
///
/// # Panics
/// If the blocks differ in length.
pub fn outliers(
    code: &Estimator,
    results: &BTreeMap<usize, &[f32]>,
    most: usize,
) -> BTreeSet<usize> {
    // Whoever is left out must not be needed.
    let spare = results.len().saturating_sub(code.shares() - code.tolerates());
    let most = most.min(spare);
    if most == 0 {
        return BTreeSet::new();
    }
    let hand = Hand::new(code, results);
    let (all, shares) = (hand.distrust(&[]), hand.shares.len());
    let alike = if code.sources() == 1 { ROUNDING } else { code.curve().kink() };
    if all <= alike * alike * hand.mean_square() {
        return BTreeSet::new();
    }
    let mut budget = MOST_CANDIDATES;
    for count in 1..=most {
        let (mut best, mut second) = ((f64::INFINITY, Vec::new()), f64::INFINITY);
        let mut candidate: Vec<usize> = (0..count).collect();
        while budget > 0 {
            budget -= 1;
            let distrust = hand.distrust(&candidate);
            if distrust < best.0 {
                second = best.0;
                best = (distrust, candidate.clone());
            } else {
                second = second.min(distrust);
            }
            if !next_set(&mut candidate, shares) {
                break;
            }
        }
        if budget > 0 && best.0 * STANDS_OUT.powi(count as i32) < all && best.0 * NO_OTHER < second
        {
            return best.1.iter().map(|at| hand.shares[*at]).collect();
        }
    }
    BTreeSet::new()
}

/// For each liar, so many times better must the others agree without it, in squares.
const STANDS_OUT: f64 = 10.0;

/// So many times better than without any other set of as many.
const NO_OTHER: f64 = 2.5;

/// The results of a batch of one request are copies, and differ by rounding alone.
const ROUNDING: f64 = 1e-4;

/// The results in hand, by their inner products alone: what is foretold, and how far off it is, are sums.
struct Hand<'c> {
    code: &'c Estimator,
    shares: Vec<usize>,
    products: Vec<Vec<f64>>,
}

impl<'c> Hand<'c> {
    fn new(code: &'c Estimator, results: &BTreeMap<usize, &[f32]>) -> Self {
        let wide = |block: &&[f32]| block.iter().map(|y| f64::from(*y)).collect::<Vec<f64>>();
        let blocks: Vec<Vec<f64>> = results.values().map(wide).collect();
        let row = |a: &Vec<f64>| blocks.iter().map(|b| inner(a, b)).collect();
        let products = blocks.iter().map(row).collect();
        Self { code, shares: results.keys().copied().collect(), products }
    }

    /// The mean square error of foretelling each result from the others, all without these. Where many
    /// weigh much, as beyond the ends of the curve, an error counts for less.
    fn distrust(&self, without: &[usize]) -> f64 {
        let kept: Vec<usize> = (0..self.shares.len()).filter(|at| !without.contains(at)).collect();
        let error = |at: &usize| {
            let others: Vec<usize> = kept.iter().copied().filter(|other| other != at).collect();
            let arrived: Arrived = others.iter().map(|other| self.shares[*other]).collect();
            let mut weights = self.code.curve().foretell(&arrived, self.shares[*at]);
            let spread = 1.0 + inner(&weights, &weights);
            weights.iter_mut().for_each(|weight| *weight = -*weight);
            let terms: Vec<(usize, f64)> =
                others.into_iter().zip(weights).chain([(*at, 1.0)]).collect();
            self.square(&terms) / spread
        };
        kept.iter().map(error).sum::<f64>() / kept.len() as f64
    }

    fn mean_square(&self) -> f64 {
        let squares = (0..self.shares.len()).map(|at| self.products[at][at]);
        squares.sum::<f64>() / self.shares.len().max(1) as f64
    }

    /// The squared norm of a sum of results.
    fn square(&self, terms: &[(usize, f64)]) -> f64 {
        let row = |(a, c): &(usize, f64)| {
            terms.iter().map(|(b, d)| c * d * self.products[*a][*b]).sum::<f64>()
        };
        terms.iter().map(row).sum::<f64>().max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{Berrut, Curve, Placement, Spline};

    fn curves(n: usize, k: usize) -> [Box<dyn Curve>; 2] {
        [
            Box::new(Berrut::new(n, k, Placement::AtInputs)),
            Box::new(Spline::new(n, k, Placement::AtInputs, 0.0, 0.0)),
        ]
    }

    /// sin and cos of what each device is sent, of inputs in order.
    fn results(code: &Estimator) -> Vec<Vec<f32>> {
        let inputs: Vec<f64> = (0..code.sources()).map(|at| 0.4 * at as f64).collect();
        let sent = |share: usize| -> f64 {
            code.encoder().share(share)[0].iter().map(|(at, c)| c * inputs[*at]).sum()
        };
        (0..code.shares()).map(|s| vec![sent(s).sin() as f32, sent(s).cos() as f32]).collect()
    }

    #[test]
    fn nobody_is_accused_where_nobody_lied_and_a_gross_liar_is_wherever_it_stands() {
        for curve in curves(12, 5) {
            let code = Estimator::new(curve, 0, 1);
            let honest = results(&code);
            let seen = |blocks: &[Vec<f32>]| {
                let blocks = blocks.iter().enumerate().map(|(share, y)| (share, &y[..]));
                outliers(&code, &blocks.collect(), code.lies())
            };
            assert_eq!(seen(&honest), BTreeSet::new(), "{}", code.name());
            for liar in 0..code.shares() {
                let mut told = honest.clone();
                told[liar] = told[liar].iter().map(|y| 3.0 - 9.0 * y).collect();
                assert_eq!(seen(&told), BTreeSet::from([liar]), "{} {liar}", code.name());
            }
        }
    }
}
