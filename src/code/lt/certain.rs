//! What loss of devices a drawn code is certain to bear: shown, never assumed.
//!
//! Whether the blocks of some devices tell all row blocks is a question of rank, and blocks of more
//! devices tell no less. So not every set of survivors must be looked at: if devices stand in groups, and
//! the blocks of any g − s of g groups suffice, any s devices may be lost, for they are of at most s
//! groups. With as many groups as devices that is looking at every set, with fewer it is stricter than
//! need be, and there are few enough to look at all.

use super::Lt;
use crate::code::survey::{ALL_UP_TO, all, choices, hands};
use crate::code::{Arrived, Code, Encoder};

/// Whether any so many devices may be missing, as far as can be shown within reason.
pub(super) fn bears_the_loss_of(code: &Lt, lost: usize) -> bool {
    let n = code.holders();
    let words = code.sources().div_ceil(BITS);
    let most = (MOST_WORK / (words * code.sources() * code.shares())).clamp(1, ALL_UP_TO);
    let groups = (lost + 1..=n).rev().find(|groups| choices(*groups, lost) <= most);
    let Some(groups) = groups else { return false };
    let group = |at: usize| at * n / groups..(at + 1) * n / groups;
    let determines = |kept: &Arrived| {
        let holders: Arrived = kept.iter().flat_map(|at| group(*at)).collect();
        let shares = hands(&holders, code.hand());
        is_of_full_rank(code.encoder(), &shares) || code.solve(&shares).is_ok()
    };
    all(groups, groups - lost).iter().all(determines)
}

/// Words of bits that are gone through for one loss: a few of them for a few draws, and a topology should be
/// read within a second.
const MOST_WORK: usize = 1 << 25;
const BITS: usize = u64::BITS as usize;

/// Whether the blocks tell all sources, looked at modulo 2, where eliminating is cheap. Blocks are sums with
/// signs: a determinant that is odd is not zero. Of those that do, some do not modulo 2.
fn is_of_full_rank(encoder: &Encoder, shares: &Arrived) -> bool {
    let sources = encoder.sources();
    let of = |share: &usize| {
        let mut row = vec![0_u64; sources.div_ceil(BITS)];
        for (at, c) in &encoder.share(*share)[0] {
            debug_assert!(c.abs() == 1.0, "a sum with signs");
            row[at / BITS] ^= 1 << (at % BITS);
        }
        row
    };
    let mut rows: Vec<Vec<u64>> = shares.iter().map(of).collect();
    (0..sources).all(|column| {
        let (word, bit) = (column / BITS, 1 << (column % BITS));
        let Some(at) = rows.iter().position(|row| row[word] & bit != 0) else { return false };
        let pivot = rows.swap_remove(at);
        for row in rows.iter_mut().filter(|row| row[word] & bit != 0) {
            row[word..].iter_mut().zip(&pivot[word..]).for_each(|(x, p)| *x ^= p);
        }
        true
    })
}

/// How many independent things these shares say of the unknown sources.
pub(super) fn rank(encoder: &Encoder, shares: &[usize], unknown: &[usize]) -> usize {
    let of = |share: &usize| {
        let mut row = vec![0.0; unknown.len()];
        for (at, c) in &encoder.share(*share)[0] {
            unknown.binary_search(at).into_iter().for_each(|column| row[column] = *c);
        }
        row
    };
    let mut rows: Vec<Vec<f64>> = shares.iter().map(of).collect();
    let mut rank = 0;
    for column in 0..unknown.len() {
        let size = |row: &usize| rows[*row][column].abs();
        let largest = (0..rows.len()).max_by(|a, b| size(a).total_cmp(&size(b)));
        let Some(at) = largest.filter(|at| size(at) > super::NEGLIGIBLE) else { continue };
        let pivot = rows.swap_remove(at);
        rank += 1;
        for row in rows.iter_mut().filter(|row| row[column] != 0.0) {
            let factor = row[column] / pivot[column];
            row[column..].iter_mut().zip(&pivot[column..]).for_each(|(x, p)| *x -= factor * p);
        }
    }
    rank
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Form;

    #[test]
    fn what_is_promised_is_kept_by_every_set_of_survivors() {
        for (n, k, blocks, form) in [
            (6, 3, 8, Form::Mixed),
            (8, 5, 16, Form::Systematic),
            (12, 6, 12, Form::Mixed),
            (16, 8, 16, Form::Systematic),
        ] {
            let code = Lt::new(n, k, blocks, form);
            assert!(code.tolerates() > 0, "{} promises something", code.name());
            for kept in all(n, n - code.tolerates()) {
                let told = code.solve(&hands(&kept, blocks)).is_ok();
                assert!(told, "{} cannot do with {kept:?}", code.name());
            }
        }
    }

    #[test]
    fn large_codes_promise_something_too() {
        for form in [Form::Mixed, Form::Systematic] {
            let code = Lt::new(32, 16, 16, form);
            assert!(code.tolerates() >= 3, "{} promises {}", code.name(), code.tolerates());
        }
    }
}
