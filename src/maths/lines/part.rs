//! Some columns of a product, and some of what they sum over: a panel of lines that stays in the first cache,
//! and tiles below each other that read it.

use std::ops::Range;

use pulp::Simd;

use super::MOST;
use super::tile::Tile;
use crate::maths::fetch::fetch;
use crate::maths::registers::{from, load};
use crate::maths::room::CACHE_LINE;

/// So many columns of a product from one on, and some of what they sum over. `a` and `x` begin there.
#[derive(Clone, Copy)]
pub(super) struct Part<'x> {
    pub(super) a: &'x [f32],
    pub(super) x: &'x [f32],
    pub(super) starts: &'x [usize],
    pub(super) depth: usize,
    pub(super) column: usize,
    pub(super) width: usize,
    pub(super) is_first: bool,
}

impl Part<'_> {
    /// Adds it to `c`, or puts it there if it is the first, in tiles of so many registers a row.
    #[inline(always)]
    pub(super) fn add<S: Simd, const WIDE: usize>(
        self,
        simd: S,
        c: &mut [&mut [f32]],
        room: &mut [S::f32s],
    ) {
        let (panel, _) = room.as_chunks_mut::<WIDE>();
        let panel = &mut panel[..self.starts.len()];
        // Past its own columns a tile may read others, but not past the end.
        let mut is_fresh = self.starts.iter().all(|at| at + WIDE * S::F32_LANES <= self.x.len());
        if !is_fresh {
            for (start, to) in self.starts.iter().zip(&mut *panel) {
                let line = &self.x[*start..][..self.width];
                for (at, to) in to.iter_mut().enumerate() {
                    *to = load(simd, from(line, at * S::F32_LANES));
                }
            }
        }
        // Rows are dealt out evenly: a tile of one row would wait for its sums.
        let rows = c.len();
        let tiles = rows.div_ceil(match WIDE {
            MOST => 3,
            _ if Self::has_many::<S>() => 8,
            _ => 6,
        });
        for tile in 0..tiles {
            let (row, end) = (tile * rows / tiles, (tile + 1) * rows / tiles);
            let part = Self { a: &self.a[row * self.depth..], ..self };
            let c = &mut c[row..end];
            // Nobody has read this part of `a` yet.
            if self.column == 0 {
                self.fetch_rows(end..2 * end - row);
            }
            match end - row {
                8 if Self::has_many::<S>() => part.rows::<S, 8, WIDE>(simd, c, panel, is_fresh),
                7 if Self::has_many::<S>() => part.rows::<S, 7, WIDE>(simd, c, panel, is_fresh),
                6 if WIDE < MOST => part.rows::<S, 6, WIDE>(simd, c, panel, is_fresh),
                5 if WIDE < MOST => part.rows::<S, 5, WIDE>(simd, c, panel, is_fresh),
                4 if WIDE < MOST => part.rows::<S, 4, WIDE>(simd, c, panel, is_fresh),
                3 => part.rows::<S, 3, WIDE>(simd, c, panel, is_fresh),
                2 => part.rows::<S, 2, WIDE>(simd, c, panel, is_fresh),
                _ => part.rows::<S, 1, WIDE>(simd, c, panel, is_fresh),
            }
            is_fresh = false;
        }
    }

    /// Where registers are longest there are twice as many, and room for more sums.
    fn has_many<S: Simd>() -> bool {
        S::F32_LANES == CACHE_LINE
    }

    /// Has the memory begin to bring rows of `a`, if there are so many.
    #[inline(always)]
    fn fetch_rows(self, rows: Range<usize>) {
        for row in rows {
            for at in (0..self.starts.len()).step_by(CACHE_LINE) {
                fetch(self.a, row * self.depth + at);
            }
        }
    }

    #[inline(always)]
    fn rows<S: Simd, const ROWS: usize, const WIDE: usize>(
        self,
        simd: S,
        c: &mut [&mut [f32]],
        panel: &mut [[S::f32s; WIDE]],
        is_fresh: bool,
    ) {
        if is_fresh {
            Tile::<S, ROWS, WIDE, true> { simd, part: self, c, panel }.apart();
        } else {
            Tile::<S, ROWS, WIDE, false> { simd, part: self, c, panel }.apart();
        }
    }
}
