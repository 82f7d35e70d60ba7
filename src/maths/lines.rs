//! The product with a matrix whose rows are lines of one long buffer: a convolution reads its map
//! where it lies, for an entry of its kernel is a shift, and nothing is gathered beforehand.
//!
//! A tile of `c` stays in registers while it is summed. The part of the lines a tile needs is copied by the
//! first tile that reads it, between its sums, so that it lies close together in the first cache for the
//! tiles below.

mod part;
mod tile;

use std::cell::Cell;

use part::Part;
use pulp::{Arch, Simd, WithSimd};

use super::crew::{Asked, both, is_wanted};
use super::room::{CACHE_LINE, lead};

/// Row-major `c = a · b`, of so many rows and columns, while it is `wanted`: that is asked about every
/// tenth of a millisecond. None if it was not any more; `c` then means nothing. Row d of `b` is the
/// line of `x` that begins at `starts[d]`; lines may overlap.
///
/// An element is summed in the order of `starts`, fused, from zero. So it depends on its row of `a`
/// and its column of `b` alone, bit for bit: not on what is computed beside it, nor on the machine.
///
/// # Panics
/// If a slice does not have the length its shape says, or a line is not within `x`.
pub fn product_of_lines(
    a: &[f32],
    x: &[f32],
    starts: &[usize],
    c: &mut [f32],
    [rows, columns]: [usize; 2],
    wanted: Asked<'_>,
) -> Option<()> {
    assert_eq!(a.len(), rows * starts.len(), "a is (rows, depth)");
    assert_eq!(c.len(), rows * columns, "c is (rows, columns)");
    let last = starts.iter().max().copied().unwrap_or(0);
    assert!(starts.is_empty() || last + columns <= x.len(), "every line is within x");
    if starts.is_empty() || c.is_empty() {
        c.fill(0.0);
        return Some(());
    }
    let mut c: Vec<&mut [f32]> = c.chunks_exact_mut(columns).collect();
    Lines { a, x, starts, wanted }.product(&mut c)
}

/// Rows, and lines that are columns.
#[derive(Clone, Copy)]
struct Lines<'x> {
    a: &'x [f32],
    x: &'x [f32],
    starts: &'x [usize],
    wanted: Asked<'x>,
}

impl Lines<'_> {
    /// Part after part, and if other threads want some, in halves.
    fn product(self, c: &mut [&mut [f32]]) -> Option<()> {
        let (rows, depth, columns) = (c.len(), self.starts.len(), c[0].len());
        let parts = (rows * depth * columns / PART).min(PARTS);
        if parts < 2 {
            return self.at_once(c);
        }
        // Where `a` is long each thread reads as little of it as it can; else it is the lines that are.
        match rows * depth > LONG {
            true => self.by_rows(c, rows.div_ceil(parts).max(FEW_ROWS)),
            false => self.by_columns(c, columns.div_ceil(parts).next_multiple_of(NARROW)),
        }
    }

    /// In parts of so many rows, or twice as many.
    fn by_rows(mut self, mut c: &mut [&mut [f32]], part: usize) -> Option<()> {
        while c.len() >= 2 * part {
            let is_wanted = is_wanted();
            let rows = if is_wanted { c.len() / 2 } else { part };
            let (upper, lower) = c.split_at_mut(rows);
            let (a, rest) = self.a.split_at(rows * self.starts.len());
            let (above, below) = (Self { a, ..self }, Self { a: rest, ..self });
            if is_wanted {
                return both(|| above.by_rows(upper, part), || below.by_rows(lower, part));
            }
            above.at_once(upper)?;
            (self, c) = (below, lower);
        }
        self.at_once(c)
    }

    /// In parts of so many columns, or twice as many.
    fn by_columns(mut self, c: &mut [&mut [f32]], part: usize) -> Option<()> {
        while c[0].len() >= 2 * part {
            let is_wanted = is_wanted();
            let columns = if is_wanted { c[0].len() / 2 / NARROW * NARROW } else { part };
            let columns = columns + lead_of(self.x, self.starts, c[0].len());
            let left = c.iter_mut().map(|row| row.split_off_mut(..columns).expect("so many"));
            let mut left: Vec<&mut [f32]> = left.collect();
            let right = Self { x: &self.x[columns..], ..self };
            if is_wanted {
                return both(|| self.by_columns(&mut left, part), || right.by_columns(c, part));
            }
            self.at_once(&mut left)?;
            self = right;
        }
        self.at_once(c)
    }

    fn at_once(self, c: &mut [&mut [f32]]) -> Option<()> {
        let mut kept = PANEL.take();
        // Room for one that begins on a cache line, of the widest registers there are.
        kept.resize(MOST * DEEP * CACHE_LINE + CACHE_LINE, 0.0);
        let from = lead(&kept);
        let panel = &mut kept[from..];
        let done = Arch::new().dispatch(AtOnce { lines: self, c, panel });
        PANEL.set(kept);
        done
    }
}

thread_local! {
    /// What a thread used for its last product: to make room anew would fill it with zeros.
    static PANEL: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

struct AtOnce<'x, 'c> {
    lines: Lines<'x>,
    c: &'x mut [&'c mut [f32]],
    panel: &'x mut [f32],
}

impl WithSimd for AtOnce<'_, '_> {
    type Output = Option<()>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Option<()> {
        let Self { lines: Lines { a, x, starts, wanted }, c, panel } = self;
        let (depth, columns) = (starts.len(), c[0].len());
        let (room, _) = S::as_mut_simd_f32s(panel);
        let lead = lead_of(x, starts, columns).min(2 * S::F32_LANES);
        let mut work = AT_ONCE;
        for (a, c) in a.chunks(TALL * depth).zip(c.chunks_mut(TALL)) {
            let rows = c.len();
            for (at, starts) in starts.chunks(DEEP).enumerate() {
                let (a, is_first) = (&a[at * DEEP..], at == 0);
                let mut column = 0;
                while column < columns {
                    if work >= AT_ONCE {
                        wanted().then_some(work = 0)?;
                    }
                    let rest = columns - column;
                    let registers = match rest.div_ceil(S::F32_LANES) {
                        few @ (1 | 3) => few,
                        _ => 2,
                    };
                    let cut = column == 0 && lead > 0;
                    let width = if cut { lead } else { rest.min(registers * S::F32_LANES) };
                    let x = &x[column..];
                    let part = Part { a, x, starts, depth, column, width, is_first };
                    match registers {
                        1 => part.add::<S, 1>(simd, c, room),
                        2 => part.add::<S, 2>(simd, c, room),
                        _ => part.add::<S, MOST>(simd, c, room),
                    }
                    work += rows * width * starts.len();
                    column += width;
                }
            }
        }
        Some(())
    }
}

/// So many columns to do first, lest every register of the rest straddles two cache lines: possible if
/// all lines stand alike, as those of a matrix do.
fn lead_of(x: &[f32], starts: &[usize], columns: usize) -> usize {
    let alike = starts.iter().all(|start| start % CACHE_LINE == starts[0] % CACHE_LINE);
    // It costs a tile that is not full.
    if alike && columns > 16 * CACHE_LINE { lead(&x[starts[0]..]) } else { 0 }
}

/// Registers of a row. Three only end an odd number of them: one alone would have too few sums.
const MOST: usize = 3;

/// So much is summed at a time, which keeps a panel in the first cache, and for so many rows, which
/// keeps their part of `a` in the second.
const DEEP: usize = 256;
const TALL: usize = 512;

/// So many multiplications are worth another thread's while, ten microseconds or so; but what begins anew
/// waits for its first lines, so there are only so many parts.
const PART: usize = 1 << 19;
const PARTS: usize = 4;

/// In fewer rows too much time goes into panels; so many columns are whole tiles.
const FEW_ROWS: usize = 24;
const NARROW: usize = 32;

/// More of `a` would not stay in the second cache, beside all else.
const LONG: usize = 1 << 16;

/// Multiplications in a twentieth of a millisecond; one more part may take as long.
const AT_ONCE: usize = 500_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maths::crew::among_idle;
    use crate::maths::numbers;
    use proptest::prelude::*;

    fn product(a: &[f32], x: &[f32], starts: &[usize], shape: [usize; 2]) -> Vec<f32> {
        let mut c = vec![f32::NAN; shape[0] * shape[1]];
        product_of_lines(a, x, starts, &mut c, shape, &|| true).expect("it was wanted");
        c
    }

    /// Lines that overlap, the last of them up to the end of `x`.
    fn lines(depth: usize, columns: usize, salt: usize) -> (Vec<f32>, Vec<usize>) {
        let starts: Vec<usize> = (0..depth).map(|d| (d * 37 + salt * d * d) % 501).collect();
        (numbers(starts.iter().max().unwrap_or(&0) + columns, 2), starts)
    }

    #[test]
    fn what_is_not_wanted_is_not_computed() {
        let (a, x) = (numbers(6, 1), numbers(9, 2));
        let mut c = [0.0; 6];
        assert_eq!(product_of_lines(&a, &x, &[0, 5, 6], &mut c, [2, 3], &|| false), None);
        assert_eq!(c, [0.0; 6]);
    }

    #[test]
    #[should_panic(expected = "every line is within x")]
    fn a_line_past_the_end_is_refused() {
        product(&[1.0, 1.0], &[0.0; 8], &[0, 6], [1, 3]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_product_is_the_definition(
            rows in 1usize..40, depth in prop_oneof![0usize..80, 200usize..1100],
            columns in prop_oneof![1usize..60, 250usize..530], salt in 0usize..9,
        ) {
            let (a, (x, starts)) = (numbers(rows * depth, 1), lines(depth, columns, salt));
            let c = product(&a, &x, &starts, [rows, columns]);
            for (i, c) in c.iter().enumerate() {
                let (row, column) = (&a[i / columns * depth..][..depth], i % columns);
                let terms = || row.iter().zip(&starts).map(|(a, s)| f64::from(*a) * f64::from(x[s + column]));
                let (want, size): (f64, f64) = (terms().sum(), terms().map(f64::abs).sum());
                prop_assert!((f64::from(*c) - want).abs() <= 1e-5 * size, "{c} against {want}");
                // And this is the order it is summed in.
                let in_order = |sum, (a, s): (&f32, &usize)| a.mul_add(x[s + column], sum);
                prop_assert_eq!(*c, row.iter().zip(&starts).fold(0.0, in_order));
            }
        }

        #[test]
        fn some_rows_and_columns_are_those_of_the_whole_bit_for_bit(
            rows in 1usize..40, depth in prop_oneof![1usize..80, 200usize..1100],
            columns in prop_oneof![1usize..60, 250usize..530], salt in 0usize..9,
            some_rows in 0usize..40, some_columns in 0usize..530, left in 0usize..530,
        ) {
            let (a, (x, starts)) = (numbers(rows * depth, 1), lines(depth, columns, salt));
            let whole = product(&a, &x, &starts, [rows, columns]);
            let (some_rows, left) = (some_rows.min(rows), left.min(columns));
            let some_columns = some_columns.min(columns - left);
            let a = &a[(rows - some_rows) * depth..];
            let some = product(a, &x[left..], &starts, [some_rows, some_columns]);
            let rows = whole.chunks(columns).skip(rows - some_rows);
            let want: Vec<f32> = rows.flat_map(|row| &row[left..][..some_columns]).copied().collect();
            prop_assert_eq!(some, want);
        }

        #[test]
        fn parts_that_others_take_change_no_bit(
            rows in 20usize..120, depth in 150usize..700, columns in 60usize..530,
            salt in 0usize..9,
        ) {
            let (a, (x, starts)) = (numbers(rows * depth, 1), lines(depth, columns, salt));
            let alone = product(&a, &x, &starts, [rows, columns]);
            prop_assert_eq!(among_idle(|| product(&a, &x, &starts, [rows, columns])), alone);
        }

        #[test]
        fn a_machine_of_narrow_registers_gets_the_same_bits(
            rows in 1usize..14, depth in 1usize..300, columns in 1usize..300,
        ) {
            let (a, (x, starts)) = (numbers(rows * depth, 1), lines(depth, columns, 3));
            let mut c = vec![f32::NAN; rows * columns];
            let panel = &mut vec![f32::NAN; MOST * DEEP * CACHE_LINE];
            let lines = Lines { a: &a, x: &x, starts: &starts, wanted: &|| true };
            let mut in_rows: Vec<&mut [f32]> = c.chunks_exact_mut(columns).collect();
            let all = AtOnce { lines, c: &mut in_rows, panel };
            pulp::Scalar::new().vectorize(all).expect("it was wanted");
            prop_assert_eq!(c, product(&a, &x, &starts, [rows, columns]));
        }
    }
}
