//! The one matrix product, single-threaded: devices are the parallelism.

use gemm::Parallelism;

use super::skinny::skinny;

/// Row-major `c = a · b`, with `a` of shape (rows, depth), `b` (depth, columns), `c` (rows, columns).
///
/// A row of `c` depends on its row of `a` and on `b` alone, bit for bit: computing some rows gives
/// the same bits as those rows of the whole product. Systematic shares rest on this.
///
/// # Panics
/// If a slice does not have the length its shape says.
pub fn product(a: &[f32], b: &[f32], c: &mut [f32], rows: usize, depth: usize, columns: usize) {
    assert_eq!(a.len(), rows * depth, "a is (rows, depth)");
    assert_eq!(b.len(), depth * columns, "b is (depth, columns)");
    assert_eq!(c.len(), rows * columns, "c is (rows, columns)");
    if depth == 0 {
        return c.fill(0.0);
    }
    if columns <= FEW {
        return match columns {
            1 => skinny(a, b, c, depth, columns),
            _ => skinny(a, &by_columns(b, columns), c, depth, columns),
        };
    }
    if c.is_empty() {
        return;
    }
    let (depth_stride, column_stride) = (depth as isize, columns as isize);
    #[expect(unsafe_code, reason = "gemm takes raw pointers; the lengths were asserted above")]
    // SAFETY: the three slices have exactly the extents described by the dimensions and the
    // row-major strides, and `c` is borrowed mutably, so it overlaps neither `a` nor `b`.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            depth,
            c.as_mut_ptr(),
            1,
            column_stride,
            false,
            a.as_ptr(),
            1,
            depth_stride,
            b.as_ptr(),
            1,
            column_stride,
            0.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Up to so many columns our own loops are faster: `gemm` copies both factors into an order it likes
/// better, which does not pay if each is used but a few times. For one column it would besides choose
/// its order of summation by the number of rows.
const FEW: usize = 16;

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
            rows in 1usize..40, depth in 0usize..80, columns in 1usize..40, split in 0usize..40,
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
