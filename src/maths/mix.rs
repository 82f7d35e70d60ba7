//! Mixing blocks with coefficients: all that encoding and decoding do to data.

use super::project::{add_scaled, widely};
use super::room::empty;

/// `Σ coefficient · block`, element by element, summed in `f64` and rounded once.
///
/// # Panics
/// If the blocks differ in length, or there is none.
pub fn mix(terms: &[(f64, &[f32])]) -> Vec<f32> {
    let len = terms.first().expect("a mixture has at least one block").1.len();
    assert!(terms.iter().all(|(_, block)| block.len() == len), "blocks of one layer are equal");
    let mut mixed = empty(len);
    widely(|| {
        let mut sums = [0.0f64; CHUNK];
        for start in (0..len).step_by(CHUNK) {
            let sums = &mut sums[..CHUNK.min(len - start)];
            sums.fill(0.0);
            let part = start..start + sums.len();
            let mut rest = terms.chunks_exact(4);
            for four in &mut rest {
                let coefficients = [four[0].0, four[1].0, four[2].0, four[3].0];
                let blocks = [four[0].1, four[1].1, four[2].1, four[3].1];
                add_four(sums, coefficients, blocks.map(|block| &block[part.clone()]));
            }
            for (coefficient, block) in rest.remainder() {
                add_scaled(sums, *coefficient, &block[part.clone()]);
            }
            mixed.extend(sums.iter().map(|sum| *sum as f32));
        }
    });
    mixed
}

/// Like [`add_scaled`] four times, bit for bit, with the sums read and written once.
#[inline(always)]
fn add_four(sums: &mut [f64], [a, b, c, d]: [f64; 4], [w, x, y, z]: [&[f32]; 4]) {
    let blocks = w.iter().zip(x).zip(y.iter().zip(z));
    for (sum, ((w, x), (y, z))) in sums.iter_mut().zip(blocks) {
        *sum = *sum + a * f64::from(*w) + b * f64::from(*x) + c * f64::from(*y) + d * f64::from(*z);
    }
}

/// Elements summed at a time: the sums stay in the first-level cache.
const CHUNK: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_at_a_time_give_the_bits_of_one_at_a_time() {
        let block = |salt: usize| -> Vec<f32> {
            (0..CHUNK + 5).map(|i| ((i * 31 + salt * 17) % 101) as f32 / 7.0 - 6.0).collect()
        };
        let blocks: Vec<Vec<f32>> = (0..11).map(block).collect();
        for count in 1..=11 {
            let terms: Vec<(f64, &[f32])> =
                (0..count).map(|at| (0.1 + at as f64, &blocks[at][..])).collect();
            let one_by_one = |i: usize| {
                let add = |sum: f64, (c, block): &(f64, &[f32])| sum + c * f64::from(block[i]);
                terms.iter().fold(0.0, add) as f32
            };
            assert!(mix(&terms).iter().enumerate().all(|(i, m)| *m == one_by_one(i)), "{count}");
        }
    }

    #[test]
    fn a_mixture_is_the_weighted_sum_across_chunk_boundaries() {
        let a: Vec<f32> = (0..CHUNK * 2 + 3).map(|i| i as f32).collect();
        let b: Vec<f32> = a.iter().map(|x| 1.0 - x).collect();
        let mixed = mix(&[(2.0, &a), (3.0, &b)]);
        assert!(mixed.iter().zip(&a).all(|(m, x)| *m == 3.0 - x));
    }
}
