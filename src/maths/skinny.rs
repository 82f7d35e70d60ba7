//! Products with few columns, as of dense layers: reading the weights is all the time there is.
//!
//! Several rows are read at once, for memory gives more to several streams than to one, and each
//! number read is used for several columns while it is in a register.

use std::array::from_fn;

use pulp::{Arch, Simd, WithSimd};

/// Row-major `c = a · b` for few columns; `b` is given by columns: (columns, depth).
///
/// A row of `c` depends on its row of `a` and on `b` alone, bit for bit.
pub(super) fn skinny(a: &[f32], b: &[f32], c: &mut [f32], depth: usize, columns: usize) {
    Arch::new().dispatch(Skinny { a, b, c, depth, columns });
}

struct Skinny<'x> {
    a: &'x [f32],
    b: &'x [f32],
    c: &'x mut [f32],
    depth: usize,
    columns: usize,
}

impl WithSimd for Skinny<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if self.columns == 1 { self.run::<S, 4, 1>(simd) } else { self.run::<S, 3, 4>(simd) }
    }
}

impl Skinny<'_> {
    /// So many rows and columns at a time. Sixteen registers hold the sums of 3 × 4, the three rows
    /// and a column.
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize, const COLUMNS: usize>(self, simd: S) {
        let Self { a, b, c, depth, columns } = self;
        let mut a = a.chunks_exact(ROWS * depth);
        let mut c = c.chunks_exact_mut(ROWS * columns);
        for (a, c) in (&mut a).zip(&mut c) {
            let rows: [&[f32]; ROWS] = from_fn(|row| &a[row * depth..][..depth]);
            some_rows::<S, ROWS, COLUMNS>(simd, rows, b, c);
        }
        let rest = a.remainder().chunks_exact(depth);
        for (a, c) in rest.zip(c.into_remainder().chunks_exact_mut(columns)) {
            some_rows::<S, 1, COLUMNS>(simd, [a], b, c);
        }
    }
}

/// Some rows of `c`.
#[inline(always)]
fn some_rows<S: Simd, const ROWS: usize, const COLUMNS: usize>(
    simd: S,
    rows: [&[f32]; ROWS],
    b: &[f32],
    c: &mut [f32],
) {
    let (depth, columns) = (rows[0].len(), c.len() / ROWS);
    let mut put = |column: usize, sums: [f32; ROWS]| {
        sums.iter().enumerate().for_each(|(row, sum)| c[row * columns + column] = *sum);
    };
    let column = |at: usize| &b[at * depth..][..depth];
    let whole = columns - columns % COLUMNS;
    for start in (0..whole).step_by(COLUMNS) {
        let sums = tile::<S, ROWS, COLUMNS>(simd, rows, from_fn(|at| column(start + at)));
        sums.into_iter().enumerate().for_each(|(at, sums)| put(start + at, sums));
    }
    for at in whole..columns {
        let [sums] = tile::<S, ROWS, 1>(simd, rows, [column(at)]);
        put(at, sums);
    }
}

/// The inner products of rows and columns of one length, by columns. The order of a sum does not
/// depend on what else is summed beside it.
#[inline(always)]
fn tile<S: Simd, const ROWS: usize, const COLUMNS: usize>(
    simd: S,
    rows: [&[f32]; ROWS],
    columns: [&[f32]; COLUMNS],
) -> [[f32; ROWS]; COLUMNS] {
    let (rows, columns) = (rows.map(S::as_simd_f32s), columns.map(S::as_simd_f32s));
    let len = rows[0].0.len();
    let row_heads: [&[S::f32s]; ROWS] = from_fn(|at| &rows[at].0[..len]);
    let column_heads: [&[S::f32s]; COLUMNS] = from_fn(|at| &columns[at].0[..len]);
    let mut sums = [[simd.splat_f32s(0.0); ROWS]; COLUMNS];
    for at in 0..len {
        let x: [S::f32s; ROWS] = from_fn(|row| row_heads[row][at]);
        for (sums, column) in sums.iter_mut().zip(column_heads) {
            let y = column[at];
            for (sum, x) in sums.iter_mut().zip(x) {
                *sum = simd.mul_add_f32s(x, y, *sum);
            }
        }
    }
    from_fn(|column| {
        let y = simd.partial_load_f32s(columns[column].1);
        from_fn(|row| {
            let x = simd.partial_load_f32s(rows[row].1);
            simd.reduce_sum_f32s(simd.mul_add_f32s(x, y, sums[column][row]))
        })
    })
}
