//! Products with few columns, as of dense layers: reading the weights is nearly all the time there is.
//!
//! Several rows are read at once, for memory gives more to several streams than to one, and each
//! number read is used for several columns while it is in a register. A few rows go together through
//! a block of the depth, which of the columns stays in the first cache meanwhile.

use std::array::from_fn;
use std::ops::Range;

use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};

use super::crew::{Asked, by_rows};
use super::fetch::fetch;

/// Row-major `c = a · b` for few columns, while it is `wanted`: that is asked about every tenth of a
/// millisecond. None if it was not any more.
///
/// A row of `c` depends on its row of `a` and on `b` alone, bit for bit.
pub(super) fn skinny(
    a: &[f32],
    b: &[f32],
    c: &mut [f32],
    columns: usize,
    wanted: Asked<'_>,
) -> Option<()> {
    let depth = b.len() / columns;
    let least = PART.div_ceil(depth).max(FEW_ROWS * columns);
    by_rows(c, columns, least, |row, c| {
        let a = &a[row * depth..][..c.len() / columns * depth];
        Arch::new().dispatch(Skinny { a, b, c, columns, wanted })
    })
}

struct Skinny<'x> {
    a: &'x [f32],
    b: &'x [f32],
    c: &'x mut [f32],
    columns: usize,
    wanted: Asked<'x>,
}

impl WithSimd for Skinny<'_> {
    type Output = Option<()>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Option<()> {
        let Self { a, b, c, columns, wanted } = self;
        let depth = b.len() / columns;
        let b = in_tiles(simd, b, columns);
        let mut sums = vec![simd.splat_f32s(0.0); ROWS * columns];
        let mut work = AT_ONCE;
        for (a, c) in a.chunks(ROWS * depth).zip(c.chunks_mut(ROWS * columns)) {
            if work >= AT_ONCE {
                wanted().then_some(work = 0)?;
            }
            sums.fill(simd.splat_f32s(0.0));
            for start in (0..depth).step_by(DEEP) {
                let len = DEEP.min(depth - start);
                let part = Part { a: &a[start..], b: &b, depth, start, len, columns };
                part.add(simd, &mut sums[..c.len()]);
            }
            for (c, sum) in c.iter_mut().zip(&sums) {
                *c = simd.reduce_sum_f32s(*sum);
            }
            work += a.len();
        }
        Some(())
    }
}

/// `b` for one tile of columns after the other: in the order it is read in, for in its own columns too
/// much would fall into the same places of the cache. Registers at the end of the depth are filled with
/// zeros.
#[inline(always)]
fn in_tiles<S: Simd>(simd: S, b: &[f32], columns: usize) -> Vec<S::f32s> {
    let mut tiled = Vec::with_capacity(columns * (b.len() / columns).div_ceil(S::F32_LANES));
    for tile in tiles::<S>(columns) {
        for b in b.chunks(S::F32_LANES * columns) {
            for column in tile.clone() {
                let mut numbers = [0.0; LANES_MOST];
                for (number, line) in numbers.iter_mut().zip(b.chunks(columns)) {
                    *number = line[column];
                }
                tiled.push(simd.partial_load_f32s(&numbers[..S::F32_LANES]));
            }
        }
    }
    tiled
}

/// The columns of each tile, dealt out evenly.
fn tiles<S: Simd>(columns: usize) -> impl Iterator<Item = Range<usize>> {
    let most = if S::F32_LANES == LANES_MOST { 8 } else { 4 };
    let tiles = columns.div_ceil(most);
    (0..tiles).map(move |tile| tile * columns / tiles..(tile + 1) * columns / tiles)
}

/// Some of what some rows sum over; `a` begins there.
struct Part<'x, F> {
    a: &'x [f32],
    b: &'x [F],
    depth: usize,
    start: usize,
    len: usize,
    columns: usize,
}

impl<F: Copy> Part<'_, F> {
    /// Adds it to the sums, of which an element of `c` has a register.
    #[inline(always)]
    fn add<S: Simd<f32s = F>>(&self, simd: S, sums: &mut [F]) {
        let rows = sums.len() / self.columns;
        for row in (0..rows).step_by(3) {
            for tile in tiles::<S>(self.columns) {
                let sums = &mut sums[row * self.columns + tile.start..];
                match tile.len() {
                    8 => self.rows::<S, 8>(simd, sums, row..rows, tile.start),
                    7 => self.rows::<S, 7>(simd, sums, row..rows, tile.start),
                    6 => self.rows::<S, 6>(simd, sums, row..rows, tile.start),
                    5 => self.rows::<S, 5>(simd, sums, row..rows, tile.start),
                    4 => self.rows::<S, 4>(simd, sums, row..rows, tile.start),
                    3 => self.rows::<S, 3>(simd, sums, row..rows, tile.start),
                    2 => self.rows::<S, 2>(simd, sums, row..rows, tile.start),
                    _ => self.rows::<S, 1>(simd, sums, row..rows, tile.start),
                }
            }
        }
    }

    #[inline(always)]
    fn rows<S: Simd<f32s = F>, const COLUMNS: usize>(
        &self,
        simd: S,
        sums: &mut [F],
        rows: Range<usize>,
        column: usize,
    ) {
        let Self { depth, start, len, columns, .. } = *self;
        let a = &self.a[rows.start * depth..];
        let (lines, _) = self.b[column * depth.div_ceil(S::F32_LANES)..].as_chunks::<COLUMNS>();
        let lines = &lines[start / S::F32_LANES..][..len.div_ceil(S::F32_LANES)];
        match rows.len() {
            1 => Tile::<S, 1, COLUMNS> { simd, a, lines, depth, len, columns, sums }.apart(),
            2 => Tile::<S, 2, COLUMNS> { simd, a, lines, depth, len, columns, sums }.apart(),
            _ => Tile::<S, 3, COLUMNS> { simd, a, lines, depth, len, columns, sums }.apart(),
        }
    }
}

/// So many rows and columns at a time. Sixteen registers hold the sums of 3 × 4, the three rows and a
/// column; where registers are longest there are twice as many, for 3 × 8.
struct Tile<'x, S: Simd, const ROWS: usize, const COLUMNS: usize> {
    simd: S,
    a: &'x [f32],
    lines: &'x [[S::f32s; COLUMNS]],
    depth: usize,
    len: usize,
    columns: usize,
    sums: &'x mut [S::f32s],
}

impl<S: Simd, const ROWS: usize, const COLUMNS: usize> Tile<'_, S, ROWS, COLUMNS> {
    /// A function of its own: among others its loop would not get all the registers.
    #[inline(never)]
    fn apart(self) {
        self.simd.vectorize(self);
    }
}

impl<S: Simd, const ROWS: usize, const COLUMNS: usize> NullaryFnOnce
    for Tile<'_, S, ROWS, COLUMNS>
{
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, a, lines, depth, len, columns, sums: all } = self;
        let rows: [&[f32]; ROWS] = from_fn(|row| &a[row * depth..][..len]);
        let ends = rows.map(S::as_simd_f32s);
        let (whole, last) = lines.split_at(len / S::F32_LANES);
        let heads: [&[S::f32s]; ROWS] = from_fn(|at| &ends[at].0[..whole.len()]);
        let mut sums = [[simd.splat_f32s(0.0); COLUMNS]; ROWS];
        for (row, sums) in sums.iter_mut().enumerate() {
            sums.copy_from_slice(&all[row * columns..][..COLUMNS]);
        }
        for (at, line) in whole.iter().enumerate() {
            for row in rows {
                fetch(row, at * S::F32_LANES + DEEP);
            }
            let x: [S::f32s; ROWS] = from_fn(|row| heads[row][at]);
            for (column, y) in line.iter().enumerate() {
                for (sums, x) in sums.iter_mut().zip(x) {
                    sums[column] = simd.mul_add_f32s(x, *y, sums[column]);
                }
            }
        }
        if let [line] = last {
            for (sums, (_, x)) in sums.iter_mut().zip(ends) {
                let x = simd.partial_load_f32s(x);
                for (sum, y) in sums.iter_mut().zip(line) {
                    *sum = simd.mul_add_f32s(x, *y, *sum);
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            all[row * columns..][..COLUMNS].copy_from_slice(sums);
        }
    }
}

/// Rows that go together.
const ROWS: usize = 12;

/// No registers are longer.
const LANES_MOST: usize = 16;

/// So much of eight columns is half the first cache; a multiple of all registers' lengths.
const DEEP: usize = 512;

/// Numbers read in a tenth of a millisecond.
const AT_ONCE: usize = 1 << 18;

/// So many weights are worth another thread's while, if `b`, which each part lays out anew, is not laid out
/// for too few rows.
const PART: usize = 1 << 20;
const FEW_ROWS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maths::crew::among_idle;
    use crate::maths::numbers;
    use proptest::prelude::*;

    fn product(a: &[f32], b: &[f32], rows: usize, columns: usize) -> Vec<f32> {
        let mut c = vec![f32::NAN; rows * columns];
        skinny(a, b, &mut c, columns, &|| true).expect("it was wanted");
        c
    }

    #[test]
    fn what_is_not_wanted_is_not_computed() {
        let mut c = [0.0; 2];
        assert_eq!(skinny(&[1.0; 6], &[1.0; 3], &mut c, 1, &|| false), None);
        assert_eq!(c, [0.0; 2]);
    }

    #[test]
    fn parts_that_others_take_change_no_bit() {
        for (rows, depth, columns) in [(200, 20_000, 1), (141, 33_003, 1), (300, 9_001, 2)] {
            let (a, b) = (numbers(rows * depth, 1), numbers(depth * columns, 2));
            let alone = product(&a, &b, rows, columns);
            assert_eq!(among_idle(|| product(&a, &b, rows, columns)), alone);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn the_product_is_the_definition_and_rows_are_independent_bit_for_bit(
            rows in 1usize..40, depth in prop_oneof![1usize..80, 500usize..1100],
            columns in 1usize..18, split in 0usize..40,
        ) {
            let (a, b) = (numbers(rows * depth, 1), numbers(depth * columns, 2));
            let whole = product(&a, &b, rows, columns);
            let mut narrow = vec![f32::NAN; rows * columns];
            let all = Skinny { a: &a, b: &b, c: &mut narrow, columns, wanted: &|| true };
            pulp::Scalar::new().vectorize(all).expect("it was wanted");
            for (i, (wide, narrow)) in whole.iter().zip(narrow).enumerate() {
                let (row, column) = (&a[i / columns * depth..][..depth], i % columns);
                let lines = b.chunks(columns);
                let terms = || row.iter().zip(lines.clone()).map(|(a, b)| f64::from(*a) * f64::from(b[column]));
                let (want, size): (f64, f64) = (terms().sum(), terms().map(f64::abs).sum());
                for got in [*wide, narrow] {
                    prop_assert!((f64::from(got) - want).abs() <= 1e-5 * size, "{got} against {want}");
                }
            }
            let split = split.min(rows);
            let part = product(&a[split * depth..], &b, rows - split, columns);
            prop_assert_eq!(&part[..], &whole[split * columns..], "some rows, the same bits");
        }
    }
}
