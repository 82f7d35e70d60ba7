//! A convolution of 3 × 3 kernels with fewer multiplications: Winograd's F(2×2, 3×3) and F(4×4, 3×3) (Lavin and
//! Gray, *Fast algorithms for convolutional neural networks*, CVPR 2016, section 4).
//!
//! Two by two output positions look at a tile of four by four inputs d. With a kernel g they are
//! `Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A`: 16 multiplications, where the definition has 36. Four by four look at six by
//! six, and need 36 for 144. The products of all channels, rows and tiles at one place are a matrix product;
//! what is done before and after those is sums of a few multiples each.
//!
//! Places of a tile are counted down its columns.

mod form;
mod give;
mod see;
mod tiles;

use std::array::from_fn;
use std::marker::PhantomData;

use form::{Form, Four, Two};
use give::{Give, sums};
use pulp::Arch;
use see::See;
pub use tiles::{Size, Tiles};

use super::crew::{Asked, by_rows, side_by_side};
use super::lines::product_of_lines;
use super::room::{Lined, with_line};

/// `G g Gᵀ` of each kernel: (rows · channels, 3, 3) becomes (places, rows · channels).
///
/// # Panics
/// If there is not as much room as that takes.
pub fn transform(kernels: &[f32], size: Size, to: &mut [f32]) {
    assert_eq!(to.len(), size.places() * (kernels.len() / 9), "(places, rows · channels)");
    match size {
        Size::Two => stretch::<Two, 4, 2>(kernels, to),
        Size::Four => stretch::<Four, 6, 4>(kernels, to),
    }
}

fn stretch<F: Form<PLACES, OUTPUTS>, const PLACES: usize, const OUTPUTS: usize>(
    kernels: &[f32],
    to: &mut [f32],
) {
    let count = kernels.len() / 9;
    for (at, g) in kernels.chunks_exact(9).enumerate() {
        let g = |i: usize, j: usize| f64::from(g[3 * i + j]);
        let down: [_; 3] = from_fn(|j| F::stretched(from_fn(|i| g(i, j))));
        for i in 0..PLACES {
            for (j, u) in F::stretched(down.map(|column| column[i])).into_iter().enumerate() {
                to[(PLACES * j + i) * count + at] = u as f32;
            }
        }
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
        let mut seen = Lined::new(band.seen(channels));
        let x = &x[first * tiles.line..];
        see(channels, &band, &mut seen, |channel, look| look(&x[channel * tiles.map..]));
        let lines = Lines { first: tiles.size.outputs() * first, all: size[0], width: size[1] };
        put(kernels, &seen, channels, &band, out, lines, wanted)
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

/// `Bᵀ d B` of all tiles: (places, channels, columns). `show` lets each channel's map be looked at.
///
/// # Panics
/// If `seen` has another length, or a map does not reach to its last tile.
pub fn see(
    channels: usize,
    tiles: &Tiles,
    seen: &mut [f32],
    show: impl Fn(usize, &mut dyn FnMut(&[f32])) + Sync,
) {
    match tiles.size {
        Size::Two => see_in::<Two, 4, 2>(channels, tiles, seen, show),
        Size::Four => see_in::<Four, 6, 4>(channels, tiles, seen, show),
    }
}

fn see_in<F: Form<PLACES, OUTPUTS>, const PLACES: usize, const OUTPUTS: usize>(
    channels: usize,
    tiles: &Tiles,
    seen: &mut [f32],
    show: impl Fn(usize, &mut dyn FnMut(&[f32])) + Sync,
) {
    let (place, columns) = (tiles.place(channels), tiles.columns());
    assert_eq!(seen.len(), PLACES * PLACES * place, "(places, channels, columns)");
    let (used, reach) = (channels * columns, tiles.reach());
    let places = seen.chunks_exact_mut(place).map(|place| &mut place[..used]).collect();
    let done = side_by_side(places, columns, SUMS.div_ceil(tiles.seen(1)), |first, seen| {
        for channel in 0..seen[0].len() / columns {
            show(first + channel, &mut |map| {
                assert!(reach <= map.len(), "a map reaches to its last tile");
                let (first, form) = (channel * columns, PhantomData::<F>);
                let see = See::<F, PLACES, OUTPUTS> { map, tiles, first, seen, form };
                Arch::new().dispatch(see);
            });
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
    let places = tiles.size.places();
    let rows = kernels.len() / (places * channels);
    assert_eq!(out.len(), rows * all * width, "out is (rows, height, width)");
    let columns = tiles.columns();
    let mut products = Lined::new(places * rows * columns);
    let starts: Vec<usize> = (0..channels).map(|channel| channel * columns).collect();
    by_rows(&mut products, rows * columns, 1, |place, products| {
        let (w, x) = (rows * channels, tiles.place(channels));
        let kernels = kernels[place * w..].chunks_exact(w);
        let places = kernels.zip(seen[place * x..].chunks_exact(x));
        let mut places = places.zip(products.chunks_exact_mut(rows * columns));
        places.try_for_each(|((kernels, seen), products)| {
            product_of_lines(kernels, seen, &starts, products, [rows, columns], wanted)
        })
    })?;
    let least = SUMS.div_ceil(places * columns);
    by_rows(out, all * width, least, |row, out| {
        let lines = first..all.min(first + tiles.size.outputs() * tiles.count[0]);
        for (out, row) in out.chunks_exact_mut(all * width).zip(row..) {
            let out = &mut out[lines.start * width..lines.end * width];
            let products = &products[row * columns..];
            match tiles.size {
                Size::Two => give::<Two, 4, 2>(products, rows, tiles, out, width),
                Size::Four => give::<Four, 6, 4>(products, rows, tiles, out, width),
            }
        }
        Some(())
    })
}

/// Puts the products of one row, of so many, in their places.
fn give<F: Form<PLACES, OUTPUTS>, const PLACES: usize, const OUTPUTS: usize>(
    products: &[f32],
    rows: usize,
    tiles: &Tiles,
    out: &mut [f32],
    width: usize,
) {
    let columns = tiles.columns();
    with_line(sums(PLACES, OUTPUTS) * columns, |sums| {
        let (next, form) = (rows * columns, PhantomData::<F>);
        let give =
            Give::<F, PLACES, OUTPUTS> { products, next, columns, tiles, out, width, sums, form };
        Arch::new().dispatch(give);
    });
}

/// So many sums are worth another thread's while.
const SUMS: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maths::numbers;
    use proptest::prelude::*;

    /// Maps of so many lines and places, each dealt out by stride.
    fn dealt(x: &[f32], [lines, places]: [usize; 2], size: Size) -> (Vec<f32>, Tiles) {
        let stride = size.outputs();
        let count = [lines, places].map(|size| (size - 2).div_ceil(stride));
        let [down, across] = count.map(|count| count + 1);
        let part = down * across;
        let map = stride * stride * part;
        let mut laid = vec![0.0; x.len() / (lines * places) * map];
        let place = |i: usize, j: usize| {
            (i % stride * stride + j % stride) * part + i / stride * across + j / stride
        };
        for (from, laid) in x.chunks(lines * places).zip(laid.chunks_mut(map)) {
            for (at, x) in from.iter().enumerate() {
                laid[place(at / places, at % places)] = *x;
            }
        }
        let starts = (0..size.places()).map(|at| place(at % size.side(), at / size.side()));
        (laid, Tiles { size, starts: starts.collect(), map, count, line: across })
    }

    fn transformed(kernels: &[f32], size: Size) -> Vec<f32> {
        let mut to = vec![f32::NAN; size.places() * kernels.len() / 9];
        transform(kernels, size, &mut to);
        to
    }

    /// The convolution of maps of (channels, height + 2, width + 2).
    fn convolved(
        kernels: &[f32],
        x: &[f32],
        channels: usize,
        maps: [usize; 2],
        size: Size,
    ) -> Vec<f32> {
        let rows = kernels.len() / channels / 9;
        let (laid, tiles) = dealt(x, maps.map(|size| size + 2), size);
        let mut out = vec![f32::NAN; rows * maps[0] * maps[1]];
        let kernels = transformed(kernels, size);
        convolve(&kernels, &laid, channels, &tiles, &mut out, maps, &|| true).expect("wanted");
        out
    }

    #[test]
    fn what_is_not_wanted_is_not_computed() {
        let (laid, tiles) = dealt(&numbers(16, 1), [4, 4], Size::Two);
        let kernels = transformed(&numbers(9, 2), Size::Two);
        let mut out = [0.0; 4];
        assert_eq!(convolve(&kernels, &laid, 1, &tiles, &mut out, [2, 2], &|| false), None);
        assert_eq!(out, [0.0; 4]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_is_the_convolution_and_rows_are_independent_bit_for_bit(
            rows in 1usize..20, channels in 1usize..40, height in 1usize..30, width in 1usize..30,
            some in 1usize..20, size in prop_oneof![Just(Size::Two), Just(Size::Four)],
        ) {
            let (w, map) = (numbers(rows * channels * 9, 1), (height + 2) * (width + 2));
            let x = numbers(channels * map, 2);
            let out = convolved(&w, &x, channels, [height, width], size);
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
            let of_some = &w[(rows - some) * channels * 9..];
            let of_some = convolved(of_some, &x, channels, [height, width], size);
            prop_assert_eq!(&of_some[..], &out[(rows - some) * height * width..]);
        }
    }
}
