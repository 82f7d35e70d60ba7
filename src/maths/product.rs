//! The one matrix product, single-threaded: devices are the parallelism.

use std::borrow::Cow;
use std::ops::Range;

use gemm::Parallelism;

use super::skinny::{ROWS, skinny};

/// Row-major `c = a · b`, with `a` of shape (rows, depth), `b` (depth, columns), `c` (rows, columns).
///
/// A row of `c` depends on its row of `a` and on `b` alone, bit for bit: computing some rows gives
/// the same bits as those rows of the whole product. Systematic shares rest on this.
///
/// # Panics
/// If a slice does not have the length its shape says.
pub fn product(a: &[f32], b: &[f32], c: &mut [f32], rows: usize, depth: usize, columns: usize) {
    product_while(a, b, c, [rows, depth, columns], &|| true).expect("it was wanted all the time");
}

/// Like [`product`], of shape (rows, depth, columns), while it is `wanted`: that is asked about every
/// tenth of a millisecond. None if it was not any more; `c` then means nothing.
///
/// # Panics
/// Like [`product`].
pub fn product_while(
    a: &[f32],
    b: &[f32],
    c: &mut [f32],
    [rows, depth, columns]: [usize; 3],
    wanted: &dyn Fn() -> bool,
) -> Option<()> {
    assert_eq!(a.len(), rows * depth, "a is (rows, depth)");
    assert_eq!(b.len(), depth * columns, "b is (depth, columns)");
    assert_eq!(c.len(), rows * columns, "c is (rows, columns)");
    if depth == 0 || c.is_empty() {
        c.fill(0.0);
        return Some(());
    }
    if columns <= FEW {
        let b = if columns == 1 { Cow::Borrowed(b) } else { Cow::Owned(by_columns(b, columns)) };
        let rows = (AT_ONCE / depth).max(1).next_multiple_of(ROWS);
        for (a, c) in a.chunks(rows * depth).zip(c.chunks_mut(rows * columns)) {
            wanted().then(|| skinny(a, &b, c, depth, columns))?;
        }
        return Some(());
    }
    let slabs: Vec<&[f32]> = b.chunks(DEEP * columns).collect();
    product_of_slabs(a, &slabs, c, [rows, depth, columns], wanted)
}

/// Like [`product_while`], of more than [`FEW`] columns, with `b` in slabs of shape (some depth, columns).
///
/// # Panics
/// Like [`product`].
pub fn product_of_slabs(
    a: &[f32],
    slabs: &[&[f32]],
    c: &mut [f32],
    [rows, depth, columns]: [usize; 3],
    wanted: &dyn Fn() -> bool,
) -> Option<()> {
    if rows == 1 {
        // `gemm` would sum a single row in another order than rows among others.
        let (a, mut two) = ([a, &vec![0.0; depth]].concat(), vec![0.0; 2 * columns]);
        product_of_slabs(&a, slabs, &mut two, [2, depth, columns], wanted)?;
        c.copy_from_slice(&two[..columns]);
        return Some(());
    }
    assert_eq!(a.len(), rows * depth, "a is (rows, depth)");
    assert_eq!(slabs.iter().map(|slab| slab.len()).sum::<usize>(), depth * columns, "b is whole");
    assert_eq!(c.len(), rows * columns, "c is (rows, columns)");
    for column in (0..columns).step_by(WIDE) {
        let mut start = 0;
        for slab in slabs {
            let end = start + slab.len() / columns;
            let block = Block { columns: column..(column + WIDE).min(columns), depth: start..end };
            wanted().then(|| block.add(a, slab, c, [rows, depth, columns]))?;
            start = end;
        }
    }
    Some(())
}

/// A part of a product: some columns, and some of what they sum over.
struct Block {
    columns: Range<usize>,
    depth: Range<usize>,
}

impl Block {
    /// Adds it to `c`, or puts it there if it is the first; `b` is its slab.
    fn add(self, a: &[f32], b: &[f32], c: &mut [f32], [rows, depth, columns]: [usize; 3]) {
        let is_first = self.depth.start == 0;
        let (depth_stride, column_stride) = (depth as isize, columns as isize);
        let a = &a[self.depth.start..];
        let b = &b[self.columns.start..];
        let c = &mut c[self.columns.start..];
        #[expect(unsafe_code, reason = "gemm takes raw pointers; the lengths are asserted above")]
        // SAFETY: `a` is (rows, depth), the slab (this depth, columns) and `c` (rows, columns), row-major,
        // and the ranges are within depth and columns. So from these starts, with the whole matrices'
        // strides, the part's last element is in each slice. `c` is borrowed mutably, so it overlaps
        // neither `a` nor `b`.
        unsafe {
            gemm::gemm(
                rows,
                self.columns.len(),
                self.depth.len(),
                c.as_mut_ptr(),
                1,
                column_stride,
                !is_first,
                a.as_ptr(),
                1,
                depth_stride,
                b.as_ptr(),
                1,
                column_stride,
                1.0,
                1.0,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    }
}

/// `gemm` does so many columns, and so much of the sum, at a time. It cuts both up further itself, so
/// that this costs nothing; more would leave too long without asking whether it is wanted.
const WIDE: usize = 512;
const DEEP: usize = 512;

/// Our own loops read so many numbers at a time, which is as long.
const AT_ONCE: usize = 1 << 18;

/// Up to so many columns our own loops are faster: `gemm` copies both factors into an order it likes
/// better, which does not pay if each is used but a few times. For one column it would besides choose
/// its order of summation by the number of rows.
pub const FEW: usize = 16;

fn by_columns(b: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| b[column..].iter().step_by(columns)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn by_definition(a: &[f32], b: &[f32], rows: usize, depth: usize, columns: usize) -> Vec<f64> {
        let at = |i: usize, j: usize| {
            (0..depth).map(|d| f64::from(a[i * depth + d]) * f64::from(b[d * columns + j])).sum()
        };
        (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))).map(|(i, j)| at(i, j)).collect()
    }

    fn numbers(len: usize, salt: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7919 + salt * 104_729) % 2003) as f32 / 1001.5 - 1.0).collect()
    }

    #[test]
    fn a_sum_of_nothing_is_zero() {
        for columns in [1, 2] {
            let mut c = vec![f32::NAN; 3 * columns];
            product(&[], &[], &mut c, 3, 0, columns);
            assert_eq!(c, vec![0.0; 3 * columns]);
        }
    }

    proptest! {
        #[test]
        fn the_product_is_the_definition_and_rows_are_independent_bit_for_bit(
            rows in 1usize..40, depth in prop_oneof![0usize..80, 500usize..1100],
            columns in prop_oneof![1usize..40, 500usize..530], split in 0usize..40,
        ) {
            let (a, b) = (numbers(rows * depth, 1), numbers(depth * columns, 2));
            let mut whole = vec![f32::NAN; rows * columns];
            product(&a, &b, &mut whole, rows, depth, columns);
            for (got, want) in whole.iter().zip(by_definition(&a, &b, rows, depth, columns)) {
                prop_assert!((f64::from(*got) - want).abs() <= 1e-4, "{got} against {want}");
            }
            let split = split.min(rows);
            let mut part = vec![f32::NAN; split * columns];
            product(&a[..split * depth], &b, &mut part, split, depth, columns);
            prop_assert_eq!(&part[..], &whole[..split * columns], "some rows, the same bits");
        }
    }
}
