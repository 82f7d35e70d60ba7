//! Which convolutions are computed in tiles, by Winograd's algorithm, and how their input is laid out.

use super::linear::Patches;
use super::lowered::Input;
use super::shifts::Shifts;
use crate::maths::Tensor;
use crate::maths::crew::Asked;
use crate::maths::room::{Lined, buffer, give_back, with_room};
use crate::maths::winograd::{self, Size, Tiles};

/// A convolution of 3 × 3 kernels at every place of its map. A tile is what a kernel of its size looks at, with
/// as many places from one to the next as it gives outputs.
#[derive(Clone, Debug)]
pub(super) struct Tiling {
    shifts: Shifts,
    tiles: Tiles,
    groups: usize,
    /// Of a group.
    channels: usize,
    images: usize,
    output: [usize; 2],
}

impl Tiling {
    /// For groups of so many channels; `None` where it would not pay.
    pub(super) fn of(patches: &Patches, channels: usize) -> Option<Self> {
        let Patches { kernel, stride, dilation, output, .. } = patches;
        let is_dense = (stride, dilation) == (&[1; 3], &[1; 3]) && output[0] == 1;
        if *kernel != [1, 3, 3] || !is_dense || channels < LEAST_CHANNELS {
            return None;
        }
        let (shifts, tiles) = [Size::Two, Size::Four]
            .into_iter()
            .filter_map(|size| tiles(patches, size))
            .min_by_key(|(_, tiles)| tiles.cost())?;
        let (groups, images) = (patches.channels / channels, patches.batch);
        Some(Self { shifts, tiles, groups, channels, images, output: [output[1], output[2]] })
    }

    /// The form of kernels it multiplies with.
    pub(super) fn size(&self) -> Size {
        self.tiles.size
    }

    /// What shares are computed of: the input, laid out for tiles, or what is seen of it in each group of
    /// each image.
    pub(super) fn lay_out(&self, input: &Tensor) -> Lined {
        if !self.are_few() {
            return Lined::from(self.shifts.lay_out(input));
        }
        let plain = input.as_standard_layout();
        let x = plain.as_slice().expect("standard layout");
        let (map, laid) = (self.shifts.input_map(), self.tiles.map);
        assert_eq!(x.len(), self.groups * self.images * self.channels * map, "the layer's input");
        let mut seen = Lined::new(self.groups * self.images * self.group_len());
        let groups = x.chunks_exact(self.channels * map);
        for (x, seen) in groups.zip(seen.chunks_exact_mut(self.group_len())) {
            // A map is laid out and seen while it is in the first cache.
            winograd::see(self.channels, &self.tiles, seen, |channel, look| {
                with_room(laid, |room| {
                    self.shifts.lay_map(&x[channel * map..][..map], room);
                    look(room);
                });
            });
        }
        seen
    }

    fn are_few(&self) -> bool {
        self.tiles.are_few(self.channels)
    }

    /// From what is laid out of a group to the next one.
    fn group_len(&self) -> usize {
        match self.are_few() {
            true => self.tiles.seen(self.channels),
            false => self.channels * self.tiles.map,
        }
    }

    /// (groups, rows, images, height, width), while it is `wanted`; `None` if it was not any more.
    pub(super) fn convolve(
        &self,
        kernels: &[f32],
        input: Input<'_>,
        wanted: Asked<'_>,
    ) -> Option<Vec<f32>> {
        let laid = wanted().then(|| input.tiled(self))?;
        let depth = self.size().places() * self.channels;
        let rows = kernels.len() / (self.groups * depth);
        let map: usize = self.output.iter().product();
        let mut out = buffer(self.groups * rows * self.images * map);
        let kernels = kernels.chunks_exact(rows * depth);
        let parts = kernels.zip(out.chunks_exact_mut(rows * self.images * map)).enumerate();
        for (group, (kernels, out)) in parts {
            let convolve = |image: usize, out: &mut [f32]| {
                let x = &laid[(image * self.groups + group) * self.group_len()..];
                let convolve = match self.are_few() {
                    true => winograd::convolve_seen,
                    false => winograd::convolve,
                };
                convolve(kernels, x, self.channels, &self.tiles, out, self.output, wanted)
            };
            if self.images == 1 {
                convolve(0, out)?;
                continue;
            }
            let mut maps = buffer(rows * map);
            for image in 0..self.images {
                convolve(image, &mut maps)?;
                let to = out.chunks_exact_mut(map).skip(image).step_by(self.images);
                to.zip(maps.chunks_exact(map)).for_each(|(to, map)| to.copy_from_slice(map));
            }
            give_back(maps);
        }
        Some(out)
    }
}

/// Tiles of such a size; `None` if there are too few, or too much would be dropped.
fn tiles(patches: &Patches, size: Size) -> Option<(Shifts, Tiles)> {
    let (side, stride) = (size.side(), size.outputs());
    let count = [1, 2].map(|axis| patches.output[axis].div_ceil(stride));
    let [down, across] = count;
    let of_tiles = Patches {
        kernel: [1, side, side],
        stride: [1, stride, stride],
        output: [1, down, across],
        ..patches.clone()
    };
    let shifts = Shifts::of(&of_tiles, 1).filter(|_| down * across >= LEAST_TILES)?;
    let row_by_row = |at: usize| shifts.starts()[at % side * side + at / side];
    let starts = (0..size.places()).map(row_by_row).collect();
    let tiles = Tiles { size, starts, map: shifts.map(), count, line: shifts.line() };
    Some((shifts, tiles))
}

/// With fewer, sums before and after the products cost what those save.
const LEAST_CHANNELS: usize = 32;
pub(super) const LEAST_ROWS: usize = 8;

/// With fewer, reading the kernels takes longer than multiplying with them, and there are 16 / 9 of them, or 4
/// times as many.
const LEAST_TILES: usize = 32;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ndarray::{Dimension, IxDyn};
    use proptest::prelude::*;

    use super::*;
    use crate::maths::chance::Seed;
    use crate::maths::crew::among_idle;
    use crate::maths::numbers;
    use crate::maths::product::product;
    use crate::model::Weights;
    use crate::model::linear::{Finish, LinearOp, Lowering, Raising};
    use crate::model::lowered::Inputs;
    use crate::model::probe::Probe;
    use crate::model::witness::Witness;

    /// So many images of maps of so many lines and places, with so many channels in each group.
    fn conv(
        images: usize,
        groups: usize,
        channels: usize,
        rows: usize,
        [h, w]: [usize; 2],
    ) -> LinearOp {
        let patches = Patches {
            batch: images,
            channels: groups * channels,
            input: [1, h, w],
            kernel: [1, 3, 3],
            stride: [1; 3],
            dilation: [1; 3],
            pad: [0, 1, 1],
            output: [1, h, w],
        };
        let dims = vec![groups, rows, images * h * w];
        LinearOp {
            input: vec![images, groups * channels, h, w],
            groups,
            rows,
            depth: 9 * channels,
            columns: images * h * w,
            lowering: Lowering::patches(patches, groups),
            raising: Raising { axes: vec![0, 1, 2], shape: dims.clone(), dims },
        }
    }

    fn weights(op: &LinearOp, size: f32) -> Weights {
        let number = |i: usize| size * ((i * 31 + 7) % 101) as f32 - 50.0 * size;
        (0..op.groups * op.rows * op.depth).map(number).collect::<Vec<_>>().into()
    }

    /// The layer as a product with gathered patches.
    fn by_patches(op: &LinearOp, weights: &[f32], x: &Tensor) -> Vec<f32> {
        let patches = op.lower(x);
        let mut out = vec![f32::NAN; op.groups * op.rows * op.columns];
        let parts = weights.chunks(op.rows * op.depth).zip(patches.chunks(op.depth * op.columns));
        for ((weights, patches), out) in parts.zip(out.chunks_mut(op.rows * op.columns)) {
            product(weights, patches, out, op.rows, op.depth, op.columns);
        }
        out
    }

    #[test]
    fn a_sum_of_places_that_overflows_is_not_taken_for_an_answer() {
        let op = conv(1, 1, 32, 8, [12, 12]);
        let x = Tensor::from_elem(IxDyn(&op.input), 2e38);
        let weights = weights(&op, 1e-8);
        assert!(op.tiling(op.rows).is_some());
        assert_eq!(op.apply(&weights, &x), by_patches(&op, &weights, &x));
    }

    #[test]
    fn weights_next_to_nothing_are_multiplied_as_they_are() {
        let op = conv(1, 1, 32, 8, [12, 12]);
        let x = Tensor::from_elem(IxDyn(&op.input), 1.0);
        let weights = weights(&op, 1e-40);
        assert_eq!(op.apply(&weights, &x), by_patches(&op, &weights, &x));
    }

    #[test]
    fn how_to_lay_out_is_found_once_for_all_shares() {
        let op = conv(1, 1, 32, 8, [12, 12]);
        let [of_some, of_more] = [8, 16].map(|rows| op.tiling(rows).expect("it pays"));
        assert!(std::ptr::eq(of_some, of_more) && op.tiling(LEAST_ROWS - 1).is_none());
    }

    #[test]
    fn parts_that_others_take_change_no_bit() {
        for (images, groups, size) in [(1, 1, [56, 57]), (2, 2, [30, 31]), (1, 1, [150, 150])] {
            let op = conv(images, groups, 32, 24, size);
            let (w, x) = (weights(&op, 0.01), numbers(op.input.iter().product(), 3));
            let x = Tensor::from_shape_vec(IxDyn(&op.input), x).expect("the layer's input");
            let finish = Finish { rectify: true, ..Finish::default() };
            let output = || {
                let result = op.apply(&w, &x);
                (op.assemble(&[&result], op.rows, &finish, None), result)
            };
            assert_eq!(among_idle(output), output());
        }
    }

    #[test]
    fn nobody_is_accused_where_much_of_a_map_is_zero() {
        let op = Arc::new(conv(1, 1, 32, 8, [28, 28]));
        let tiling = op.tiling(8).expect("it pays");
        assert_eq!(tiling.size(), Size::Four);
        let weights = weights(&op, 0.01);
        let probe = Arc::new(Probe::new(op.clone(), 8, Seed(1), &[]));
        let witness = Witness::new(probe, &weights);
        for first in 0..28 {
            for lines in [0..first, first..28, first..first + 1] {
                let number = |at: &[usize]| (at[1] * 31 + at[2] * 7 + at[3]) % 97;
                let x = Tensor::from_shape_fn(IxDyn(&op.input), |at| {
                    if lines.contains(&at[2]) { number(at.slice()) as f32 / 50.0 } else { 0.0 }
                });
                let off = witness.off_by(&witness.sketch(&x), &op.apply(&weights, &x));
                let off = off.expect("numbers");
                assert!(off < 0.6, "lines {lines:?}: off by {off} of what is allowed");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn tiles_give_what_patches_give_within_what_a_check_allows(
            images in 1usize..3, groups in 1usize..3, channels in 32usize..50, rows in 8usize..12,
            size in prop_oneof![[11usize..20, 11usize..20], [21usize..40, 21usize..40]],
            background in 0usize..100,
        ) {
            let op = conv(images, groups, channels, rows, size);
            let x = Tensor::from_shape_fn(IxDyn(&op.input), |at| {
                // An even background, as images have, and something on it.
                let at = at.slice().iter().fold(7, |sum, i| sum * 31 + i);
                if at % 100 < background { 0.7 } else { (at % 97) as f32 / 50.0 - 1.0 }
            });
            let weights = weights(&op, 0.01);
            let tiling = op.tiling(rows).expect("it pays");
            let kernels = weights.transformed(groups, tiling.size()).expect("they are large enough");
            let inputs = Inputs::from(vec![x.clone()]);
            let input = inputs.laid(0, 0, 0).expect("there is one");
            let out = tiling.convolve(kernels, input, &|| true).expect("wanted");
            prop_assert_eq!(&out, &op.apply(&weights, &x));
            for (y, want) in out.iter().zip(by_patches(&op, &weights, &x)) {
                prop_assert!((y - want).abs() <= 1e-6 * (channels * 9) as f32, "{y} against {want}");
            }
            let probe = Arc::new(Probe::new(Arc::new(op), rows, Seed(1), &[]));
            let witness = Witness::new(probe, &weights);
            let off = witness.off_by(&witness.sketch(&x), &out).expect("numbers");
            prop_assert!(off < 0.6, "off by {off} of what is allowed");
        }
    }
}
