//! Mixing blocks with coefficients: all that encoding and decoding do to data.

/// `Σ coefficient · block`, element by element, summed in `f64` and rounded once.
///
/// # Panics
/// If the blocks differ in length, or there is none.
pub fn mix(terms: &[(f64, &[f32])]) -> Vec<f32> {
    let len = terms.first().expect("a mixture has at least one block").1.len();
    assert!(terms.iter().all(|(_, block)| block.len() == len), "blocks of one layer are equal");
    let mut mixed = Vec::with_capacity(len);
    let mut sums = [0.0f64; CHUNK];
    for start in (0..len).step_by(CHUNK) {
        let sums = &mut sums[..CHUNK.min(len - start)];
        sums.fill(0.0);
        for (coefficient, block) in terms {
            for (sum, x) in sums.iter_mut().zip(&block[start..]) {
                *sum += coefficient * f64::from(*x);
            }
        }
        mixed.extend(sums.iter().map(|sum| *sum as f32));
    }
    mixed
}

/// Elements summed at a time: the sums stay in the first-level cache.
const CHUNK: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mixture_is_the_weighted_sum_across_chunk_boundaries() {
        let a: Vec<f32> = (0..CHUNK * 2 + 3).map(|i| i as f32).collect();
        let b: Vec<f32> = a.iter().map(|x| 1.0 - x).collect();
        let mixed = mix(&[(2.0, &a), (3.0, &b)]);
        assert!(mixed.iter().zip(&a).all(|(m, x)| *m == 3.0 - x));
    }
}
