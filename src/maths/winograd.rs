//! A convolution of 3 × 3 kernels with fewer multiplications: Winograd's F(2×2, 3×3) (Lavin and Gray, *Fast
//! algorithms for convolutional neural networks*, CVPR 2016, section 4.1).
//!
//! Two by two output positions look at a tile of four by four inputs d. With a kernel g they are
//! `Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A`: 16 multiplications, where the definition has 36. The 16 products of all
//! channels, rows and tiles are 16 matrix products; what is done before and after them is sums alone.
//!
//! Places of a tile are counted down its columns.

mod give;
mod see;

use std::array::from_fn;

use give::Give;
use pulp::Arch;
use see::See;

use super::crew::{Asked, by_rows};
use super::lines::product_of_lines;
use super::project::run_widely;
use super::room::{buffer, give_back, with_room};

/// Places in a tile.
pub const PLACES: usize = 16;

/// Where the tiles of a map lie: what all of them have at one place is a line, as in
/// [`product_of_lines`].
#[derive(Clone, Debug)]
pub struct Tiles {
    /// Where the line of each place begins in its channel's map.
    pub starts: [usize; PLACES],
    /// From one channel's map to the next one's.
    pub map: usize,
    /// Tiles below each other, and beside each other.
    pub count: [usize; 2],
    /// From one tile to the one below it: what a line shows beyond `count` is no tile.
    pub line: usize,
}

/// `G g Gᵀ` of each kernel: (rows · channels, 3, 3) becomes (16, rows · channels).
pub fn transformed(kernels: &[f32]) -> Vec<f32> {
    let count = kernels.len() / 9;
    let mut to = vec![0.0; PLACES * count];
    for (at, g) in kernels.chunks_exact(9).enumerate() {
        let down: [[f32; 4]; 3] = from_fn(|j| stretched([g[j], g[3 + j], g[6 + j]]));
        for i in 0..4 {
            for (j, u) in stretched([down[0][i], down[1][i], down[2][i]]).into_iter().enumerate() {
                to[(4 * j + i) * count + at] = u;
            }
        }
    }
    to
}

/// G.
fn stretched([a, b, c]: [f32; 3]) -> [f32; 4] {
    let (ends, middle) = ((a + c) * 0.5, b * 0.5);
    [a, ends + middle, ends - middle, c]
}

impl Tiles {
    /// How many columns their lines have, all of them together.
    pub fn columns(&self) -> usize {
        (self.count[0] - 1) * self.line + self.count[1]
    }

    /// Whether all of so many channels are better seen at a time, and once for all who compute.
    pub fn are_few(&self, channels: usize) -> bool {
        PLACES * channels * self.columns() <= FEW
    }

    /// In how many parts, one below the other, they are seen.
    fn bands(&self, channels: usize) -> usize {
        let most = (AT_ONCE / (PLACES * channels * self.line)).clamp(1, self.count[0]);
        self.count[0].div_ceil(most)
    }
}

/// The convolution of so many channels of `x`, which lie as `tiles` says, with `transformed` kernels of
/// (rows, channels), into the maps `out` of (rows, height, width), while it is `wanted`; `None` if it was
/// not any more.
///
/// The bits of a row are those of its kernels and `x` alone.
///
/// # Panics
/// If a slice does not have the length its shape says, or there is nothing to compute.
pub fn convolve(
    kernels: &[f32],
    x: &[f32],
    channels: usize,
    tiles: &Tiles,
    out: &mut [f32],
    size: [usize; 2],
    wanted: Asked<'_>,
) -> Option<()> {
    // Bands are dealt out evenly: a narrow one would cost as much time as a wide one.
    let bands = tiles.bands(channels);
    (0..bands).try_for_each(|band| {
        let [first, end] = [band, band + 1].map(|band| band * tiles.count[0] / bands);
        let band = Tiles { count: [end - first, tiles.count[1]], ..tiles.clone() };
        wanted().then_some(())?;
        let mut seen = buffer(PLACES * channels * band.columns());
        see(&x[first * tiles.line..], channels, &band, &mut seen);
        let lines = Lines { first: 2 * first, all: size[0], width: size[1] };
        let done = put(kernels, &seen, channels, &band, out, lines, wanted);
        give_back(seen);
        done
    })
}

/// Like [`convolve`], of what [`see`] gave.
///
/// # Panics
/// Like [`convolve`].
pub fn convolve_seen(
    kernels: &[f32],
    seen: &[f32],
    channels: usize,
    tiles: &Tiles,
    out: &mut [f32],
    [height, width]: [usize; 2],
    wanted: Asked<'_>,
) -> Option<()> {
    put(kernels, seen, channels, tiles, out, Lines { first: 0, all: height, width }, wanted)
}

/// `Bᵀ d B` of all tiles: (16, channels, columns).
///
/// # Panics
/// If a slice has another length, or `x` is too short.
pub fn see(x: &[f32], channels: usize, tiles: &Tiles, seen: &mut [f32]) {
    let column = 4 * channels * tiles.columns();
    assert_eq!(seen.len(), 4 * column, "(16, channels, columns)");
    let done = by_rows(seen, column, 1, |first, seen| {
        for (seen, column) in seen.chunks_exact_mut(column).zip(first..) {
            Arch::new().dispatch(See { x, channels, tiles, column, seen });
        }
        Some(())
    });
    done.expect("nobody calls it off");
}

/// Which lines of all of a map's tiles give.
#[derive(Clone, Copy)]
struct Lines {
    first: usize,
    all: usize,
    width: usize,
}

/// Convolves what is seen of tiles, and puts what that gives in its lines.
fn put(
    kernels: &[f32],
    seen: &[f32],
    channels: usize,
    tiles: &Tiles,
    out: &mut [f32],
    Lines { first, all, width }: Lines,
    wanted: Asked<'_>,
) -> Option<()> {
    let rows = kernels.len() / (PLACES * channels);
    assert_eq!(out.len(), rows * all * width, "out is (rows, height, width)");
    let columns = tiles.columns();
    let mut products = buffer(PLACES * rows * columns);
    let starts: Vec<usize> = (0..channels).map(|channel| channel * columns).collect();
    let done = by_rows(&mut products, rows * columns, 1, |place, products| {
        let (w, x) = (rows * channels, channels * columns);
        let kernels = kernels[place * w..].chunks_exact(w);
        let places = kernels.zip(seen[place * x..].chunks_exact(x));
        let mut places = places.zip(products.chunks_exact_mut(rows * columns));
        places.try_for_each(|((kernels, seen), products)| {
            product_of_lines(kernels, seen, &starts, products, [rows, columns], wanted)
        })
    });
    let least = SUMS.div_ceil(PLACES * columns);
    let done = done.and_then(|()| {
        by_rows(out, all * width, least, |row, out| {
            with_room(4 * columns, |sums| {
                for (out, row) in out.chunks_exact_mut(all * width).zip(row..) {
                    let products =
                        from_fn(|at| &products[(at * rows + row) * columns..][..columns]);
                    let out = &mut out[first * width..all.min(first + 2 * tiles.count[0]) * width];
                    run_widely(Give { products, sums, tiles, out, width });
                }
            });
            Some(())
        })
    });
    give_back(products);
    done
}

/// So many numbers are seen at a time: they stay in the caches while they are multiplied.
const AT_ONCE: usize = 1 << 18;

/// So many are seen once for all: of more, reading what was seen takes as long as to see it anew.
const FEW: usize = 1 << 20;

/// So many sums are worth another thread's while.
const SUMS: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maths::numbers;
    use proptest::prelude::*;

    /// Maps of so many lines and places, each dealt out to four parts: even and odd lines, even and odd
    /// places.
    fn dealt(x: &[f32], [lines, places]: [usize; 2]) -> (Vec<f32>, Tiles) {
        let [down, across] = [lines, places].map(|size| size.div_ceil(2));
        let part = down * across;
        let mut laid = vec![0.0; x.len() / (lines * places) * 4 * part];
        let place = |i: usize, j: usize| (i % 2 * 2 + j % 2) * part + i / 2 * across + j / 2;
        for (map, laid) in x.chunks(lines * places).zip(laid.chunks_mut(4 * part)) {
            for (at, x) in map.iter().enumerate() {
                laid[place(at / places, at % places)] = *x;
            }
        }
        let starts = from_fn(|at| place(at % 4, at / 4));
        let count = [down - 1, across - 1];
        (laid, Tiles { starts, map: 4 * part, count, line: across })
    }

    /// The convolution of maps of (channels, height + 2, width + 2).
    fn convolved(kernels: &[f32], x: &[f32], channels: usize, size: [usize; 2]) -> Vec<f32> {
        let rows = kernels.len() / channels / 9;
        let (laid, tiles) = dealt(x, size.map(|size| size + 2));
        let mut out = vec![f32::NAN; rows * size[0] * size[1]];
        let kernels = transformed(kernels);
        convolve(&kernels, &laid, channels, &tiles, &mut out, size, &|| true).expect("wanted");
        out
    }

    #[test]
    fn what_is_not_wanted_is_not_computed() {
        let (laid, tiles) = dealt(&numbers(16, 1), [4, 4]);
        let kernels = transformed(&numbers(9, 2));
        let mut out = [0.0; 4];
        assert_eq!(convolve(&kernels, &laid, 1, &tiles, &mut out, [2, 2], &|| false), None);
        assert_eq!(out, [0.0; 4]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_is_the_convolution_and_rows_are_independent_bit_for_bit(
            rows in 1usize..20, channels in 1usize..40, height in 1usize..30, width in 1usize..30,
            some in 1usize..20,
        ) {
            let (w, map) = (numbers(rows * channels * 9, 1), (height + 2) * (width + 2));
            let x = numbers(channels * map, 2);
            let out = convolved(&w, &x, channels, [height, width]);
            for (at, y) in out.iter().enumerate() {
                let (row, i, j) = (at / width / height, at / width % height, at % width);
                let terms = |term: &dyn Fn(f64) -> f64| -> f64 {
                    (0..channels * 9).map(|d| {
                        let (channel, k1, k2) = (d / 9, d % 9 / 3, d % 3);
                        let x = x[channel * map + (i + k1) * (width + 2) + j + k2];
                        term(f64::from(w[row * channels * 9 + d]) * f64::from(x))
                    }).sum()
                };
                let (want, size) = (terms(&|term| term), channels as f64 * 9.0);
                prop_assert!((f64::from(*y) - want).abs() <= 1e-6 * size, "{y} against {want}");
            }
            let some = some.min(rows);
            let of_some = convolved(&w[(rows - some) * channels * 9..], &x, channels, [height, width]);
            prop_assert_eq!(&of_some[..], &out[(rows - some) * height * width..]);
        }
    }
}
