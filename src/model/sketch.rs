//! A round's input seen in a probe's directions, once for all shares: `X s` and the norms that say
//! how far a clean result may be off.

use std::ops::Range;

use super::linear::{Lowering, Patches};
use super::probe::{Glance, Probe};
use crate::maths::Tensor;
use crate::maths::project::{add_scaled, inner, project, project_squares, widely};

/// A round's input as a [`Probe`] sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sketch {
    /// One a view.
    pub(super) seen: Vec<Seen>,
}

/// The input in one view.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    /// X s: (groups, depth).
    pub(super) projected: Vec<f64>,
    /// `Σ_j s_j² ‖x_j‖²` of each group.
    pub(super) squares: Vec<f64>,
}

impl Sketch {
    /// # Panics
    /// If `input` is not the layer's input.
    pub fn of(probe: &Probe, input: &Tensor) -> Self {
        assert_eq!(input.shape(), probe.op.input, "the layer's own input");
        let (groups, depth) = (probe.op.groups, probe.op.depth);
        let nothing = Seen { projected: vec![0.0; groups * depth], squares: vec![0.0; groups] };
        let mut seen = vec![nothing; probe.views.len()];
        widely(|| match &probe.op.lowering {
            Lowering::Permute { .. } => see_matrix(probe, &probe.op.lower(input), &mut seen),
            Lowering::Patches(patches) => {
                let plain = input.as_standard_layout();
                let x = plain.as_slice().expect("standard layout");
                see_patches(probe, patches, x, &mut seen);
            }
        });
        Self { seen }
    }
}

/// A permutation is no larger than the input, so here the lowered matrix itself is looked at.
#[inline(always)]
fn see_matrix(probe: &Probe, x: &[f32], seen: &mut [Seen]) {
    let depth = probe.op.depth;
    if probe.op.columns == 1 {
        // A column of its own: s is 1.
        for (seen, x) in seen[0].projected.iter_mut().zip(x) {
            *seen = f64::from(*x);
        }
        for (square, x) in seen[0].squares.iter_mut().zip(seen[0].projected.chunks(depth.max(1))) {
            *square = inner(x, x);
        }
        return;
    }
    let squared: Vec<f64> = probe.columns.iter().map(|s| s * s).collect();
    for (row, x) in x.chunks_exact(probe.op.columns.max(1)).enumerate() {
        for (view, seen) in probe.views.iter().zip(&mut *seen) {
            let x = &x[view.columns.clone()];
            seen.projected[row] = project(&probe.columns[view.columns.clone()], x);
            seen.squares[row / depth] += project_squares(&squared[view.columns.clone()], x);
        }
    }
}

/// Patches overlap, so they are not gathered. As s is a product over lines and places, lines are
/// added up first, once for each offset of the kernel across them, and then places.
#[inline(always)]
fn see_patches(probe: &Probe, patches: &Patches, x: &[f32], seen: &mut [Seen]) {
    let kernel: usize = patches.kernel.iter().product();
    let width = patches.input[2];
    let reaches: Vec<Reach> = (0..patches.kernel[2]).map(|k2| Reach::of(patches, k2)).collect();
    let mut sums = vec![0.0; kernel / patches.kernel[2] * width];
    for channel in 0..patches.channels {
        let group = channel * probe.op.groups / patches.channels;
        for (view, seen) in probe.views.iter().zip(&mut *seen) {
            sums.fill(0.0);
            for (image, look) in view.looks.iter().enumerate() {
                let map = patches.map(x, image, channel);
                for Glance { coefficient, offset, at } in &look.glances {
                    let sums = &mut sums[offset * width..][..width];
                    add_scaled(sums, *coefficient, &map[*at..at + width]);
                }
                let used = &map[look.first..][..look.usage.len()];
                seen.squares[group] += project_squares(&look.usage, used);
            }
            let out = seen.projected[channel * kernel..][..kernel].chunks_exact_mut(reaches.len());
            for (sums, out) in sums.chunks_exact(width).zip(out) {
                for (reach, out) in reaches.iter().zip(out) {
                    *out = reach.add_places(&probe.places, sums, patches.stride[2]);
                }
            }
        }
    }
}

/// Where one offset of the kernel along a line falls inside the line.
struct Reach {
    outputs: Range<usize>,
    /// What it sees at the first of those.
    start: usize,
}

impl Reach {
    fn of(patches: &Patches, k2: usize) -> Self {
        let inside = |o2: &usize| patches.source(2, *o2, k2).is_some();
        let first = (0..patches.output[2]).find(inside).unwrap_or(0);
        let count = (first..patches.output[2]).take_while(inside).count();
        let start = patches.source(2, first, k2).unwrap_or(0);
        Self { outputs: first..first + count, start }
    }

    #[inline(always)]
    fn add_places(&self, places: &[f64], sums: &[f64], stride: usize) -> f64 {
        let places = &places[self.outputs.clone()];
        if stride == 1 {
            return inner(places, &sums[self.start..][..places.len()]);
        }
        let seen = sums[self.start..].iter().step_by(stride);
        places.iter().zip(seen).map(|(place, sum)| place * sum).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ndarray::{Dimension, IxDyn};
    use proptest::prelude::*;

    use super::*;
    use crate::maths::chance::Seed;
    use crate::model::linear::{LinearOp, Raising};

    fn convolution(patches: Patches, groups: usize) -> LinearOp {
        let columns = patches.batch * patches.output.iter().product::<usize>();
        let kernel: usize = patches.kernel.iter().product();
        let mut input = vec![patches.batch, patches.channels];
        input.extend(patches.input);
        LinearOp {
            input,
            groups,
            rows: 2,
            depth: patches.channels / groups * kernel,
            columns,
            lowering: Lowering::patches(patches, groups),
            raising: Raising { dims: vec![], axes: vec![], shape: vec![] },
        }
    }

    proptest! {
        #[test]
        fn a_sketch_is_the_lowered_input_times_the_columns_directions(
            batch in 1usize..4, groups in 1usize..3, input in [1usize..3, 4usize..7, 4usize..7],
            kernel in [1usize..2, 1usize..4, 1usize..4], stride in [1usize..3, 1usize..3, 1usize..3],
            dilation in 1usize..3, pad in 0usize..3,
        ) {
            let (dilation, pad) = ([1, dilation, dilation], [0, pad, pad]);
            // A kernel that hangs over the end sees padding there.
            let output = [0, 1, 2].map(|axis| (input[axis] + pad[axis]).div_ceil(stride[axis]));
            let channels = 2 * groups;
            let patches =
                Patches { batch, channels, input, kernel, stride, dilation, pad, output };
            let op = Arc::new(convolution(patches, groups));
            let x = Tensor::from_shape_fn(IxDyn(&op.input), |at| {
                (at.slice().iter().fold(7, |sum, i| sum * 31 + i) % 101) as f32 / 50.0 - 1.0
            });
            let probe = Probe::new(op.clone(), 2, Seed(1), &[]);
            let (lowered, sketch) = (op.lower(&x), Sketch::of(&probe, &x));
            for (view, seen) in probe.views.iter().zip(&sketch.seen) {
                let s = &probe.columns[view.columns.clone()];
                let squared: Vec<f64> = s.iter().map(|s| s * s).collect();
                let rows = lowered.chunks_exact(op.columns).map(|x| &x[view.columns.clone()]);
                let mut squares = vec![0.0; groups];
                for (row, x) in rows.enumerate() {
                    prop_assert!((project(s, x) - seen.projected[row]).abs() < 1e-10);
                    squares[row / op.depth] += project_squares(&squared, x);
                }
                for (want, got) in squares.iter().zip(&seen.squares) {
                    prop_assert!((want - got).abs() < 1e-9);
                }
            }
        }
    }
}
