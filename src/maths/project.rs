//! Projections: `f32` blocks against `f64` directions, summed in `f64` so that what they add to the
//! rounding of the blocks themselves is nothing.
//!
//! Sums run over a fixed number of lanes, so the bits do not depend on how wide the machine is.

use pulp::{Arch, NullaryFnOnce};

/// `Σ direction · block`.
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub fn project(direction: &[f64], block: &[f32]) -> f64 {
    lanes(direction, block, |d, x| d * f64::from(x))
}

/// `Σ weight · block²`.
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub fn project_squares(weights: &[f64], block: &[f32]) -> f64 {
    lanes(weights, block, |w, x| w * (f64::from(x) * f64::from(x)))
}

/// The inner product.
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub fn inner(a: &[f64], b: &[f64]) -> f64 {
    lanes(a, b, |a, b| a * b)
}

/// `sums += factor · block`.
///
/// # Panics
/// If the lengths differ.
#[inline(always)]
pub fn add_scaled(sums: &mut [f64], factor: f64, block: &[f32]) {
    assert_eq!(sums.len(), block.len(), "one sum an element");
    for (sum, x) in sums.iter_mut().zip(block) {
        *sum += factor * f64::from(*x);
    }
}

/// Whether a block is numbers, without an infinity or NaN among them.
pub fn finite(block: &[f32]) -> bool {
    const MAGNITUDE: u32 = 0x7fff_ffff;
    // All of them are looked at, side by side: that is quicker than to stop at the first.
    let largest = || block.iter().fold(0, |most, x| (x.to_bits() & MAGNITUDE).max(most));
    widely(largest) < f32::INFINITY.to_bits()
}

#[inline(always)]
fn lanes<X: Copy>(a: &[f64], b: &[X], term: impl Fn(f64, X) -> f64) -> f64 {
    const LANES: usize = 8;
    assert_eq!(a.len(), b.len(), "a direction is as long as its block");
    let mut sums = [0.0f64; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
    let rest: f64 = rest.map(|(a, b)| term(*a, *b)).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            sums[lane] += term(a[lane], b[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// Runs `work` compiled for the wide registers of this machine, if it has them.
///
/// Worth its call for loops over whole blocks of the functions above, which are inlined into it.
#[inline(always)]
pub fn widely<R>(work: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(work)
}

/// Work too long to be inlined as a closure is: its `run` must say `#[inline(always)]`.
pub trait Wide {
    fn run(self);
}

/// Like [`widely`].
pub fn run_widely(work: impl Wide) {
    struct Inlined<W>(W);

    impl<W: Wide> NullaryFnOnce for Inlined<W> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            self.0.run();
        }
    }

    Arch::new().dispatch(Inlined(work));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_block_is_finite_if_all_its_numbers_are(
            mut block in proptest::collection::vec(proptest::num::f32::NORMAL, 1..100), at in 0usize..100,
            bad in prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY), Just(-f32::NAN)],
        ) {
            prop_assert!(finite(&block));
            let at = at % block.len();
            block[at] = bad;
            prop_assert!(!finite(&block));
        }

        #[test]
        fn projections_are_their_definitions_and_the_same_bits_however_wide(
            block in proptest::collection::vec(-1.0f32..1.0, 0..100), factor in -2.0f64..2.0,
        ) {
            let direction: Vec<f64> = (0..block.len()).map(|i| (i as f64).cos()).collect();
            let by_definition: f64 =
                direction.iter().zip(&block).map(|(d, x)| d * f64::from(*x)).sum();
            let got = project(&direction, &block);
            prop_assert!((got - by_definition).abs() < 1e-12);
            prop_assert_eq!(got, widely(|| project(&direction, &block)));
            let squares: Vec<f64> = block.iter().map(|x| f64::from(*x).powi(2)).collect();
            let weighed = project_squares(&direction, &block);
            prop_assert!((weighed - inner(&direction, &squares)).abs() < 1e-12);
            let mut sums = direction.clone();
            add_scaled(&mut sums, factor, &block);
            let want = inner(&direction, &direction) + factor * got;
            prop_assert!((inner(&direction, &sums) - want).abs() < 1e-11);
        }
    }
}
