//! What is done to the inputs of tiles before they are multiplied with.

use std::array::from_fn;
use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

use super::Tiles;
use super::form::Form;
use crate::maths::registers::{from, load};

/// `Bᵀ d B` of all tiles of one channel: at each place, so many columns.
pub(super) struct See<'x, 's, F, const PLACES: usize, const OUTPUTS: usize> {
    pub(super) map: &'x [f32],
    pub(super) tiles: &'x Tiles,
    /// In each place's numbers, where this channel's begin.
    pub(super) first: usize,
    pub(super) seen: &'x mut [&'s mut [f32]],
    pub(super) form: PhantomData<F>,
}

impl<F: Form<PLACES, OUTPUTS>, const PLACES: usize, const OUTPUTS: usize> WithSimd
    for See<'_, '_, F, PLACES, OUTPUTS>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { map, tiles, first, seen, .. } = self;
        let columns = tiles.columns();
        let lines: [[&[f32]; PLACES]; PLACES] =
            from_fn(|row| from_fn(|at| from(map, tiles.starts[at * PLACES + row])));
        let mut to = seen.iter_mut().map(|to| &mut to[first..][..columns]);
        let to: [[&mut [S::f32s]; PLACES]; PLACES] =
            from_fn(|_| from_fn(|_| S::as_mut_simd_f32s(to.next().expect("a place each")).0));
        see::<S, F, PLACES, OUTPUTS>(simd, lines, to);
    }
}

/// What is seen of one channel: from lines in rows to places in columns.
#[inline(always)]
fn see<S: Simd, F: Form<PLACES, OUTPUTS>, const PLACES: usize, const OUTPUTS: usize>(
    simd: S,
    lines: [[&[f32]; PLACES]; PLACES],
    mut to: [[&mut [S::f32s]; PLACES]; PLACES],
) {
    // Behind the last line of all there may be less than there is room for.
    let shortest = lines.iter().flatten().map(|line| line.len()).min().unwrap_or(0);
    let (registers, whole) = (to[0][0].len(), (shortest / S::F32_LANES).min(to[0][0].len()));
    let inside = lines.map(|row| row.map(|line| &S::as_simd_f32s(line).0[..whole]));
    // One for all columns: to copy such an array takes longer than to fill it.
    let mut across = [[simd.splat_f32s(0.0); PLACES]; PLACES];
    for at in 0..whole {
        for (across, lines) in across.iter_mut().zip(&inside) {
            *across = F::seen(simd, from_fn(|place| lines[place][at]));
        }
        down::<S, F, PLACES, OUTPUTS>(simd, &across, &mut to, at);
    }
    for at in whole..registers {
        for (across, lines) in across.iter_mut().zip(&lines) {
            let end = |place: usize| load(simd, from(lines[place], at * S::F32_LANES));
            *across = F::seen(simd, from_fn(end));
        }
        down::<S, F, PLACES, OUTPUTS>(simd, &across, &mut to, at);
    }
}

#[inline(always)]
fn down<S: Simd, F: Form<PLACES, OUTPUTS>, const PLACES: usize, const OUTPUTS: usize>(
    simd: S,
    across: &[[S::f32s; PLACES]; PLACES],
    to: &mut [[&mut [S::f32s]; PLACES]; PLACES],
    at: usize,
) {
    for (column, to) in to.iter_mut().enumerate() {
        let seen = F::seen(simd, from_fn(|row| across[row][column]));
        for (to, seen) in to.iter_mut().zip(seen) {
            to[at] = seen;
        }
    }
}
