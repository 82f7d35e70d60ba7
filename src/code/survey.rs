//! How well a code is conditioned over the sets of shares that may arrive, and what that leaves of
//! its tolerance where ill-conditioned sets are not decoded from.

use rand::seq::index::sample;

use super::{Arrived, Code};
use crate::maths::chance::{Purpose, Seed};

/// The worst condition number over sets with the shares of so many holders lost: over all of them if there are not too
/// many, else over those with neighbouring shares lost or kept, and a sample of the others.
///
/// Infinite if some set cannot be decoded from at all.
pub fn worst_condition(code: &dyn Code, lost: usize) -> f64 {
    let n = code.holders();
    // Copies amplify nothing.
    if lost <= code.tolerates() && (0..code.shares()).all(|share| code.plain(share).is_some()) {
        return 1.0;
    }
    let condition = |holders: &Arrived| {
        code.decoder(&hands(holders, code.hand())).map_or(f64::INFINITY, |d| d.condition)
    };
    sets(n, n - lost.min(n), part_of_sets(code)).iter().map(condition).fold(1.0, f64::max)
}

/// What part of as many sets as usual is looked at: what peeling leaves of hands of blocks is eliminated, which takes the
/// square of their number and more.
fn part_of_sets(code: &dyn Code) -> f64 {
    if code.hand() == 1 { 1.0 } else { (FEW_SOURCES / code.sources() as f64).powi(2).min(1.0) }
}

const FEW_SOURCES: f64 = 64.0;

/// All shares of these holders.
pub(super) fn hands(holders: &Arrived, hand: usize) -> Arrived {
    holders.iter().flat_map(|holder| holder * hand..(holder + 1) * hand).collect()
}

/// How many holders may be lost, whichever they are, with a condition number of at most `worst`; `None` if nothing is
/// decoded even with every share in hand.
pub fn tolerance(code: &dyn Code, worst: f64) -> Option<usize> {
    let is_kept = |lost: &usize| worst_condition(code, *lost) <= worst;
    is_kept(&0).then(|| (1..=code.tolerates()).rev().find(is_kept).unwrap_or(0))
}

/// More sets than this are sampled.
pub(super) const ALL_UP_TO: usize = 1000;

const SAMPLES: usize = 300;

fn sets(n: usize, size: usize, part: f64) -> Vec<Arrived> {
    let of = |count: usize| (count as f64 * part).ceil() as usize;
    if choices(n, size) <= of(ALL_UP_TO) {
        return all(n, size);
    }
    let window = |start: usize| (0..size).map(|at| (start + at) % n).collect();
    let mut sets: Vec<Arrived> = (0..n).map(window).collect();
    let mut rng = Seed(1).stream(Purpose::Code, &[n as u64, size as u64]);
    sets.extend(
        (0..of(SAMPLES)).map(|_| sample(&mut rng, n, size).into_iter().collect::<Arrived>()),
    );
    sets
}

/// n over size, or anything larger than [`ALL_UP_TO`].
pub(super) fn choices(n: usize, size: usize) -> usize {
    let factor = |choices: usize, at: usize| choices.saturating_mul(n - at) / (at + 1);
    (0..size.min(n - size)).fold(1, factor)
}

pub(super) fn all(n: usize, size: usize) -> Vec<Arrived> {
    if size == 0 {
        return vec![Arrived::new()];
    }
    let with_last = |last: usize| {
        all(last, size - 1).into_iter().map(move |mut set| {
            set.insert(last);
            set
        })
    };
    (size - 1..n).flat_map(with_last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{Mds, Vandermonde};

    #[test]
    fn all_sets_are_all_and_of_the_size_asked_for() {
        for (n, size, count) in [(5, 0, 1), (5, 2, 10), (5, 5, 1), (10, 4, 210)] {
            let sets: std::collections::BTreeSet<Arrived> = all(n, size).into_iter().collect();
            assert_eq!((sets.len(), choices(n, size)), (count, count));
            assert!(sets.iter().all(|set| set.len() == size));
        }
    }

    #[test]
    fn a_code_tolerates_less_where_its_sets_amplify_too_much() {
        assert_eq!(tolerance(&Mds::new(10, 8), 1e5), Some(2));
        assert_eq!(tolerance(&Vandermonde::new(6, 4), 1e5), Some(2));
        assert_eq!(tolerance(&Vandermonde::new(10, 8), 1e5), None, "7e10 is beyond the policy");
        assert_eq!(tolerance(&Vandermonde::new(8, 8), 1e5), None, "so are all eight");
    }
}
