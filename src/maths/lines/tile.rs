//! A tile of the product, six rows by two registers, summed in registers: twelve sums are what two units of
//! four cycles need, and with the line and one number of `a` they fit into sixteen registers. Where there are
//! thirty-two, eight rows: with twelve, where they begin would not fit into the registers for such.

use std::array::from_fn;

use pulp::{NullaryFnOnce, Simd};

use super::CACHE_LINE;
use super::part::Part;
use crate::maths::fetch::fetch;
use crate::maths::registers::{from, load, store};

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

    #[inline(always)]
    fn call(self) {
        let Self { simd, part, c, panel } = self;
        let Part { a, x, starts, depth, column, width, is_first } = part;
        let a: [&[f32]; ROWS] = from_fn(|row| &a[row * depth..][..panel.len()]);
        let mut sums = [[simd.splat_f32s(0.0); WIDE]; ROWS];
        if !is_first {
            for (c, sums) in c.iter().zip(&mut sums) {
                let c = &c[column..][..width];
                for (at, sum) in sums.iter_mut().enumerate() {
                    *sum = load(simd, from(c, at * S::F32_LANES));
                }
            }
        }
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
        for (c, sums) in c.iter_mut().zip(sums) {
            let c = &mut c[column..][..width];
            for (at, sum) in sums.into_iter().enumerate() {
                let at = width.min(at * S::F32_LANES);
                store(simd, &mut c[at..], sum);
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
