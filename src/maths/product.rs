//! The one matrix product.

use super::crew::Asked;
use super::lines::product_of_lines;
use super::skinny::skinny;

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
    wanted: Asked<'_>,
) -> Option<()> {
    assert_eq!(a.len(), rows * depth, "a is (rows, depth)");
    assert_eq!(b.len(), depth * columns, "b is (depth, columns)");
    assert_eq!(c.len(), rows * columns, "c is (rows, columns)");
    if depth == 0 || c.is_empty() {
        c.fill(0.0);
        return Some(());
    }
    if columns <= FEW {
        return skinny(a, b, c, columns, wanted);
    }
    let starts: Vec<usize> = (0..depth).map(|row| row * columns).collect();
    product_of_lines(a, b, &starts, c, [rows, columns], wanted)
}

/// Up to so many columns each weight is used so seldom that reading them is all the time there is, and is
/// done in another order.
pub const FEW: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maths::numbers;
    use proptest::prelude::*;

    /// What each sum should be, and the sum of its terms' magnitudes.
    fn by_definition(
        a: &[f32],
        b: &[f32],
        rows: usize,
        depth: usize,
        columns: usize,
    ) -> Vec<(f64, f64)> {
        let at = |i: usize, j: usize| {
            let term = |d| f64::from(a[i * depth + d]) * f64::from(b[d * columns + j]);
            ((0..depth).map(term).sum(), (0..depth).map(|d| term(d).abs()).sum())
        };
        (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))).map(|(i, j)| at(i, j)).collect()
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
            for (got, (want, size)) in whole.iter().zip(by_definition(&a, &b, rows, depth, columns)) {
                prop_assert!((f64::from(*got) - want).abs() <= 1e-5 * size, "{got} against {want}");
            }
            let split = split.min(rows);
            let mut part = vec![f32::NAN; split * columns];
            product(&a[..split * depth], &b, &mut part, split, depth, columns);
            prop_assert_eq!(&part[..], &whole[..split * columns], "some rows, the same bits");
        }
    }
}
