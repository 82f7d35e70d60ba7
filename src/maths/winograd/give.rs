//! What is done to products of tiles: sums, each put in its place of the output.

use super::{PLACES, Tiles};
use crate::maths::project::Wide;

/// `Aᵀ m A`: what the tiles give at each of their four output positions, put in its places.
pub(super) struct Give<'x> {
    pub(super) products: [&'x [f32]; PLACES],
    pub(super) sums: &'x mut [f32],
    pub(super) tiles: &'x Tiles,
    pub(super) out: &'x mut [f32],
    pub(super) width: usize,
}

impl Wide for Give<'_> {
    #[inline(always)]
    fn run(self) {
        let columns = self.products[0].len();
        gather(self.products, self.sums);
        weave(self.sums, columns, self.tiles, self.out, self.width);
    }
}

#[inline(always)]
fn gather(m: [&[f32]; PLACES], sums: &mut [f32]) {
    let columns = m[0].len();
    let (top, bottom) = sums[..4 * columns].split_at_mut(2 * columns);
    let ((a, b), (c, d)) = (top.split_at_mut(columns), bottom.split_at_mut(columns));
    for at in 0..columns {
        let row = |i: usize| {
            let [p, q, r, s] = [m[i][at], m[4 + i][at], m[8 + i][at], m[12 + i][at]];
            [p + q + r, q - r - s]
        };
        let [w, x, y, z] = [row(0), row(1), row(2), row(3)];
        a[at] = w[0] + x[0] + y[0];
        b[at] = w[1] + x[1] + y[1];
        c[at] = x[0] - y[0] - z[0];
        d[at] = x[1] - y[1] - z[1];
    }
}

/// Puts what tiles gave in its places: lines of a map, of which the last, and the last place in each, may
/// not be wanted.
#[inline(always)]
fn weave(sums: &[f32], columns: usize, tiles: &Tiles, out: &mut [f32], width: usize) {
    for (line, to) in out.chunks_exact_mut(width).enumerate() {
        let from = &sums[line % 2 * 2 * columns + line / 2 * tiles.line..];
        let (left, right) = (&from[..tiles.count[1]], &from[columns..][..tiles.count[1]]);
        let (pairs, rest) = to.as_chunks_mut::<2>();
        for ((to, left), right) in pairs.iter_mut().zip(left).zip(right) {
            *to = [*left, *right];
        }
        if let ([to], Some(last)) = (rest, left.last()) {
            *to = *last;
        }
    }
}
