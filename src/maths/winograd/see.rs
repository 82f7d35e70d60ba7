//! What is done to the inputs of tiles before they are multiplied with.

use pulp::{Simd, WithSimd};

use super::Tiles;

/// `Bᵀ d B` of the tiles in so many columns, for the places in one column of theirs:
/// (4, channels, columns).
pub(super) struct See<'x> {
    pub(super) x: &'x [f32],
    pub(super) channels: usize,
    pub(super) tiles: &'x Tiles,
    /// Of a tile.
    pub(super) column: usize,
    pub(super) seen: &'x mut [f32],
}

impl WithSimd for See<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, channels, tiles, column, seen } = self;
        let columns = tiles.columns();
        // What is seen across a tile is a sum or a difference of two of its columns.
        let [plus, other] = [[0, 2], [1, 2], [2, 1], [1, 3]][column];
        for channel in 0..channels {
            let line = |at: usize| &x[channel * tiles.map + tiles.starts[at]..][..columns];
            let rows = [0, 1, 2, 3].map(|i| [line(4 * plus + i), line(4 * other + i)]);
            let to = [0, 1, 2, 3].map(|i| (i * channels + channel) * columns);
            let to = seen.get_disjoint_mut(to.map(|at| at..at + columns));
            let to = to.expect("they lie apart");
            match column {
                1 => across(simd, rows, |x, y| simd.add_f32s(x, y), to),
                _ => across(simd, rows, |x, y| simd.sub_f32s(x, y), to),
            }
        }
    }
}

#[inline(always)]
fn across<S: Simd>(
    simd: S,
    rows: [[&[f32]; 2]; 4],
    both: impl Fn(S::f32s, S::f32s) -> S::f32s,
    to: [&mut [f32]; 4],
) {
    let [p, q, r, s] = to;
    let (p, p_end) = S::as_mut_simd_f32s(p);
    let (q, q_end) = S::as_mut_simd_f32s(q);
    let (r, r_end) = S::as_mut_simd_f32s(r);
    let (s, s_end) = S::as_mut_simd_f32s(s);
    let lines =
        rows.map(|[x, y]| [&S::as_simd_f32s(x).0[..p.len()], &S::as_simd_f32s(y).0[..p.len()]]);
    let [a, b, c, d] = lines;
    for (at, (((p, q), r), s)) in p.iter_mut().zip(q).zip(r).zip(s).enumerate() {
        let (w, x) = (both(a[0][at], a[1][at]), both(b[0][at], b[1][at]));
        let (y, z) = (both(c[0][at], c[1][at]), both(d[0][at], d[1][at]));
        *p = simd.sub_f32s(w, y);
        *q = simd.add_f32s(x, y);
        *r = simd.sub_f32s(y, x);
        *s = simd.sub_f32s(x, z);
    }
    if !p_end.is_empty() {
        let ends = rows.map(|[x, y]| [S::as_simd_f32s(x).1, S::as_simd_f32s(y).1]);
        let end = |i: usize| {
            let [x, y]: [&[f32]; 2] = ends[i];
            both(simd.partial_load_f32s(x), simd.partial_load_f32s(y))
        };
        let (w, x, y, z) = (end(0), end(1), end(2), end(3));
        simd.partial_store_f32s(p_end, simd.sub_f32s(w, y));
        simd.partial_store_f32s(q_end, simd.add_f32s(x, y));
        simd.partial_store_f32s(r_end, simd.sub_f32s(y, x));
        simd.partial_store_f32s(s_end, simd.sub_f32s(x, z));
    }
}
