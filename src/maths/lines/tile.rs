//! A tile of the product, six rows by two registers, summed in registers: twelve sums are what two units of
//! four cycles need, and with the line and one number of `a` they fit into sixteen registers. Where there are
//! thirty-two, eight rows: with twelve, where they begin would not fit into the registers for such.

use std::array::from_fn;

use pulp::{NullaryFnOnce, Simd};

use super::part::Part;
use crate::maths::fetch::fetch;
use crate::maths::registers::{from, load, store};
use crate::maths::room::CACHE_LINE;

/// If it is FRESH, the panel is yet to be filled with the lines.
pub(super) struct Tile<'x, 'c, S: Simd, const ROWS: usize, const WIDE: usize, const FRESH: bool> {
    pub(super) simd: S,
    pub(super) part: Part<'x>,
    pub(super) c: &'x mut [&'c mut [f32]],
    pub(super) panel: &'x mut [[S::f32s; WIDE]],
}

impl<S: Simd, const ROWS: usize, const WIDE: usize, const FRESH: bool>
    Tile<'_, '_, S, ROWS, WIDE, FRESH>
{
    /// A function of its own: among others its loop would not get all the registers.
    #[inline(never)]
    pub(super) fn apart(self) {
        self.simd.vectorize(self);
    }
}

impl<S: Simd, const ROWS: usize, const WIDE: usize, const FRESH: bool> NullaryFnOnce
    for Tile<'_, '_, S, ROWS, WIDE, FRESH>
{
    type Output = ();

    #[expect(
        clippy::manual_memcpy,
        clippy::needless_range_loop,
        reason = "what is referred to, or moved as an array, is kept in memory and not in registers"
    )]
    #[inline(always)]
    fn call(self) {
        let Self { simd, part, c, panel } = self;
        let Part { a, x, starts, depth, column, width, is_first } = part;
        let a: [&[f32]; ROWS] = from_fn(|row| &a[row * depth..][..panel.len()]);
        let is_whole = width == WIDE * S::F32_LANES;
        let mut sums = match (is_first, is_whole) {
            (true, _) => [[simd.splat_f32s(0.0); WIDE]; ROWS],
            (false, true) => from_fn(|row| {
                let (c, _) = S::as_simd_f32s(&c[row][column..][..WIDE * S::F32_LANES]);
                from_fn(|at| c[at])
            }),
            (false, false) => from_fn(|row| {
                let c = &c[row][column..][..width];
                from_fn(|at| load(simd, from(c, at * S::F32_LANES)))
            }),
        };
        if FRESH {
            for ((d, to), start) in panel.iter_mut().enumerate().zip(starts) {
                let (line, _) = S::as_simd_f32s(&x[*start..][..WIDE * S::F32_LANES]);
                let line: [S::f32s; WIDE] = from_fn(|at| line[at]);
                *to = line;
                // Lines are too short for the memory to guess what the next tile will read.
                for ahead in (0..WIDE * S::F32_LANES).step_by(CACHE_LINE) {
                    fetch(x, start + WIDE * S::F32_LANES + ahead + CACHE_LINE - 1);
                }
                add_products(simd, &mut sums, a, d, line);
            }
        } else {
            for (d, line) in panel.iter().enumerate() {
                add_products(simd, &mut sums, a, d, *line);
            }
        }
        for row in 0..ROWS {
            let c = &mut c[row][column..][..width];
            if is_whole {
                let (c, _) = S::as_mut_simd_f32s(c);
                for at in 0..WIDE {
                    c[at] = sums[row][at];
                }
            } else {
                for at in 0..WIDE {
                    let from = width.min(at * S::F32_LANES);
                    store(simd, &mut c[from..], sums[row][at]);
                }
            }
        }
    }
}

#[inline(always)]
fn add_products<S: Simd, const ROWS: usize, const WIDE: usize>(
    simd: S,
    sums: &mut [[S::f32s; WIDE]; ROWS],
    a: [&[f32]; ROWS],
    d: usize,
    line: [S::f32s; WIDE],
) {
    for (sums, row) in sums.iter_mut().zip(a) {
        let a = simd.splat_f32s(row[d]);
        for (sum, x) in sums.iter_mut().zip(line) {
            *sum = simd.mul_add_f32s(a, x, *sum);
        }
    }
}
