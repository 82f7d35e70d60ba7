//! What is done to products of tiles: sums, each put in its place of the output.

use std::array::from_fn;
use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

use super::Tiles;
use super::form::Form;

/// `Aᵀ m A`: what the tiles give at each of their output positions, put in its places.
pub(super) struct Give<'x, F, const PLACES: usize, const OUTPUTS: usize> {
    /// (PLACES · PLACES, columns), from one place to the next one so far.
    pub(super) products: &'x [f32],
    pub(super) next: usize,
    pub(super) columns: usize,
    pub(super) tiles: &'x Tiles,
    /// The lines of a map that they give.
    pub(super) out: &'x mut [f32],
    pub(super) width: usize,
    /// Room for [`sums`] of as many columns.
    pub(super) sums: &'x mut [f32],
    pub(super) form: PhantomData<F>,
}

/// How many numbers a tile needs room for meanwhile.
pub(super) const fn sums(places: usize, outputs: usize) -> usize {
    (places + outputs) * outputs
}

impl<F: Form<PLACES, OUTPUTS>, const PLACES: usize, const OUTPUTS: usize> WithSimd
    for Give<'_, F, PLACES, OUTPUTS>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { products, next, columns, tiles, out, width, sums, .. } = self;
        let (across, down) = sums.split_at_mut(PLACES * OUTPUTS * columns);
        for (row, to) in across.chunks_exact_mut(OUTPUTS * columns).enumerate() {
            let line = |at: usize| &products[(at * PLACES + row) * next..][..columns];
            along::<S, F, PLACES, OUTPUTS>(simd, from_fn(line), to);
        }
        for (place, to) in down.chunks_exact_mut(OUTPUTS * columns).take(OUTPUTS).enumerate() {
            let line = |row: usize| &across[(row * OUTPUTS + place) * columns..][..columns];
            along::<S, F, PLACES, OUTPUTS>(simd, from_fn(line), to);
        }
        weave::<F, PLACES, OUTPUTS>(down, columns, tiles, out, width);
    }
}

/// (PLACES, columns) to (OUTPUTS, columns), which are whole registers.
#[inline(always)]
fn along<S: Simd, F: Form<PLACES, OUTPUTS>, const PLACES: usize, const OUTPUTS: usize>(
    simd: S,
    from: [&[f32]; PLACES],
    to: &mut [f32],
) {
    let registers = from[0].len() / S::F32_LANES;
    let from = from.map(|line| &S::as_simd_f32s(line).0[..registers]);
    let mut to = to.chunks_exact_mut(registers * S::F32_LANES);
    let to: [&mut [S::f32s]; OUTPUTS] =
        from_fn(|_| &mut S::as_mut_simd_f32s(to.next().expect("a line each")).0[..registers]);
    for at in 0..registers {
        let given = F::given(simd, from_fn(|place| from[place][at]));
        for place in 0..OUTPUTS {
            to[place][at] = given[place];
        }
    }
}

/// Puts what tiles gave, of (place, line, column), in its places: lines of a map, of which the last ones, and
/// the last places in each, may not be wanted.
#[inline(always)]
fn weave<F: Form<PLACES, OUTPUTS>, const PLACES: usize, const OUTPUTS: usize>(
    given: &[f32],
    columns: usize,
    tiles: &Tiles,
    out: &mut [f32],
    width: usize,
) {
    for (line, to) in out.chunks_exact_mut(width).enumerate() {
        let from: [&[f32]; OUTPUTS] = from_fn(|place| {
            let from = &given[(place * OUTPUTS + line % OUTPUTS) * columns..];
            &from[line / OUTPUTS * tiles.line..][..tiles.count[1]]
        });
        let (whole, rest) = to.as_chunks_mut::<OUTPUTS>();
        F::weave(from, whole);
        let last = whole.len();
        rest.iter_mut().zip(from).for_each(|(to, from)| *to = from[last]);
    }
}
