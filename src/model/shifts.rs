//! A convolution's input laid out so that each entry of its kernel is a shift: what the entry sees at all
//! output positions is one line of the layout.
//!
//! The map is padded, and dealt out by stride: places that one output position after the other looks at
//! lie side by side. A line runs over the ends of the map's own lines; what it sees there is no output
//! position and is dropped from the results.

use std::ops::Range;

use super::linear::Patches;
use crate::maths::Tensor;
use crate::maths::crew::{PART, by_rows};
use crate::maths::room::{CACHE_LINE, buffer};

/// Where everything lies. Of one image there are so many maps, one a channel, and in each as many parts as
/// there are places in a stride.
#[derive(Clone, Debug)]
pub(super) struct Shifts {
    patches: Patches,
    /// The size of a part: lines, and places in a line.
    part: [usize; 2],
    /// Whether some entry of the kernel looks at a part: one by one steps over most of them.
    used: Vec<bool>,
    /// One for each place across a stride.
    stretches: Vec<Stretch>,
    /// Where the lines of a group begin, in the order of its depth, counted from the group's first map.
    starts: Vec<usize>,
    /// From one group's first map to the next one's.
    group: usize,
}

impl Shifts {
    /// For groups of so many channels; `None` where patches are better gathered: over three axes, or where too
    /// much would be dropped.
    pub(super) fn of(patches: &Patches, channels: usize) -> Option<Self> {
        let Patches { kernel, stride, dilation, output, .. } = patches;
        if [patches.input[0], kernel[0], output[0], stride[0]] != [1; 4] || patches.pad[0] > 0 {
            return None;
        }
        let reach = |axis: usize| (kernel[axis] - 1) * dilation[axis] / stride[axis];
        let part = [1, 2].map(|axis| output[axis] + reach(axis));
        let shifts = Self::with_parts(patches, channels, part);
        let [columns, wanted] = [shifts.columns(), output[1] * output[2]];
        // A product takes as long for some columns as for whole registers of them; each image is one.
        let is_one = patches.batch == 1;
        let fill_as_much = is_one && columns <= wanted.next_multiple_of(CACHE_LINE);
        (fill_as_much || columns * 100 <= wanted * MOST_PERCENT).then_some(shifts)
    }

    fn with_parts(patches: &Patches, channels: usize, part: [usize; 2]) -> Self {
        let Patches { input, kernel, stride, dilation, pad, .. } = patches;
        let of = |across| Stretch::of(input[2], stride[2], across, pad[2], part[1]);
        let is_seen = |axis: usize, at: usize| {
            (0..kernel[axis]).any(|k| k * dilation[axis] % stride[axis] == at)
        };
        let used = (0..stride[1] * stride[2])
            .map(|at| is_seen(1, at / stride[2]) && is_seen(2, at % stride[2]));
        let (used, stretches) = (used.collect(), (0..stride[2]).map(of).collect());
        let (starts, group) = (starts(patches, channels, part), channels * map(patches, part));
        Self { patches: patches.clone(), part, used, stretches, starts, group }
    }

    /// How long a line is.
    pub(super) fn columns(&self) -> usize {
        let [_, lines, places] = self.patches.output;
        (lines - 1) * self.part[1] + places
    }

    /// Where the lines of a group begin, in the order of its depth, counted from the group's first map.
    pub(super) fn starts(&self) -> &[usize] {
        &self.starts
    }

    /// From one group's first map to the next one's.
    pub(super) fn group(&self) -> usize {
        self.group
    }

    /// How many there are, one after the other.
    pub(super) fn images(&self) -> usize {
        self.patches.batch
    }

    /// From a place to the one below it.
    pub(super) fn line(&self) -> usize {
        self.part[1]
    }

    fn part_len(&self) -> usize {
        self.part[0] * self.part[1]
    }

    /// The size of one map.
    pub(super) fn map(&self) -> usize {
        map(&self.patches, self.part)
    }

    /// Whether the input lies like this as it is.
    pub(super) fn is_plain(&self) -> bool {
        let Patches { stride, pad, input, .. } = &self.patches;
        stride[1..] == [1, 1] && pad[1..] == [0, 0] && input[1..] == self.part
    }

    /// Lays out a (batch, channels, input positions) input; zeros where it is padded,
    /// and whatever was there where nothing looks.
    pub(super) fn lay_out(&self, input: &Tensor) -> Vec<f32> {
        let Patches { stride, batch, channels, .. } = &self.patches;
        let plain = input.as_standard_layout();
        let x = plain.as_slice().expect("standard layout");
        assert_eq!(x.len(), batch * channels * self.input_map(), "the layer's own input");
        let mut laid = buffer(batch * channels * self.map());
        let (parts, least) = (stride[1] * stride[2], PART.div_ceil(self.part_len()));
        let done = by_rows(&mut laid, self.part_len(), least, |first, laid| {
            let numbered = laid.chunks_exact_mut(self.part_len()).zip(first..);
            for (to, at) in numbered.filter(|(_, at)| self.used[at % parts]) {
                let map = &x[at / parts * self.input_map()..][..self.input_map()];
                self.lay_part(map, at % parts, to);
            }
            Some(())
        });
        done.expect("nobody calls it off");
        laid
    }

    /// Lays out one map.
    pub(super) fn lay_map(&self, map: &[f32], to: &mut [f32]) {
        let parts = to.chunks_exact_mut(self.part_len()).enumerate();
        parts.filter(|(at, _)| self.used[*at]).for_each(|(at, to)| self.lay_part(map, at, to));
    }

    /// How many numbers a map of the input has.
    pub(super) fn input_map(&self) -> usize {
        self.patches.input[1] * self.patches.input[2]
    }

    fn lay_part(&self, map: &[f32], at: usize, to: &mut [f32]) {
        let Patches { stride, pad, .. } = &self.patches;
        let [_, height, width] = self.patches.input;
        let (down, stretch) = (at / stride[2], &self.stretches[at % stride[2]]);
        for (line, to) in to.chunks_exact_mut(self.part[1]).enumerate() {
            let source = (line * stride[1] + down).checked_sub(pad[1]);
            match source.filter(|source| *source < height) {
                Some(source) => stretch.deal(&map[source * width..][..width], to),
                None => to.fill(0.0),
            }
        }
    }

    /// Takes the output positions out of lines of results.
    pub(super) fn cut_out(&self, lines: &[f32], to: &mut [f32]) {
        let places = self.patches.output[2];
        let from = lines.chunks(self.part[1]);
        to.chunks_exact_mut(places)
            .zip(from)
            .for_each(|(to, from)| to.copy_from_slice(&from[..places]));
    }
}

fn map(Patches { stride, .. }: &Patches, part: [usize; 2]) -> usize {
    stride[1] * stride[2] * part[0] * part[1]
}

/// Where the lines of so many channels begin.
fn starts(patches: &Patches, channels: usize, part: [usize; 2]) -> Vec<usize> {
    let Patches { kernel, stride, dilation, .. } = patches;
    let at = |axis: usize, k: usize| k * dilation[axis] % stride[axis];
    let shift = |axis: usize, k: usize| k * dilation[axis] / stride[axis];
    let mut starts = Vec::with_capacity(channels * kernel[1] * kernel[2]);
    for channel in 0..channels {
        for k1 in 0..kernel[1] {
            for k2 in 0..kernel[2] {
                let first = (at(1, k1) * stride[2] + at(2, k2)) * part[0] * part[1];
                let inside = shift(1, k1) * part[1] + shift(2, k2);
                starts.push(channel * map(patches, part) + first + inside);
            }
        }
    }
    starts
}

/// Every `stride`th place of a line that is padded in front.
#[derive(Clone, Debug)]
struct Stretch {
    stride: usize,
    /// In what is dealt, the first that is none of the padding, and the first that is again.
    inside: Range<usize>,
    /// Where the first is in the line.
    from: usize,
}

impl Stretch {
    /// Of a line of so many places, from the one `across` on; so many are dealt.
    fn of(width: usize, stride: usize, across: usize, pad: usize, dealt: usize) -> Self {
        let first = pad.saturating_sub(across).div_ceil(stride).min(dealt);
        let from = (first * stride + across).saturating_sub(pad).min(width);
        let end = dealt.min(first + (width - from).div_ceil(stride));
        Self { stride, inside: first..end, from }
    }

    fn deal(&self, line: &[f32], to: &mut [f32]) {
        let (inside, behind) = to.split_at_mut(self.inside.end);
        let (before, inside) = inside.split_at_mut(self.inside.start);
        before.fill(0.0);
        behind.fill(0.0);
        let from = &line[self.from..];
        match self.stride {
            1 => inside.copy_from_slice(&from[..inside.len()]),
            2 => every::<2>(from, inside),
            4 => every::<4>(from, inside),
            stride => inside.iter_mut().zip(from.iter().step_by(stride)).for_each(|(y, x)| *y = *x),
        }
    }
}

/// The first of so many, as the machine does it many at a time.
fn every<const STRIDE: usize>(from: &[f32], to: &mut [f32]) {
    let (whole, last) = from.as_chunks::<STRIDE>();
    to.iter_mut().zip(whole).for_each(|(y, x)| *y = x[0]);
    if let ([x, ..], Some(y)) = (last, to.get_mut(whole.len())) {
        *y = *x;
    }
}

/// Lines may be so long, in parts of what is wanted of them: gathering patches costs about the rest.
const MOST_PERCENT: usize = 118;

#[cfg(test)]
mod tests {
    use ndarray::{Dimension, IxDyn};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn at_every_output_position_lines_show_what_patches_show(
            batch in 1usize..3, channels in 1usize..3, input in [1usize..9, 1usize..9],
            kernel in [1usize..4, 1usize..4], stride in [1usize..6, 1usize..6],
            dilation in [1usize..3, 1usize..3], pad in [0usize..5, 0usize..5], cut in 0usize..3,
        ) {
            let output = [0, 1].map(|axis| {
                let reach = (kernel[axis] - 1) * dilation[axis] + 1;
                // What is padded behind follows from the output.
                ((input[axis] + 2 * pad[axis]).saturating_sub(reach) / stride[axis] + 1)
                    .saturating_sub(cut).max(1)
            });
            let with_one = |[a, b]: [usize; 2]| [1, a, b];
            let patches = Patches {
                batch, channels, input: with_one(input), kernel: with_one(kernel),
                stride: with_one(stride), dilation: with_one(dilation), pad: [0, pad[0], pad[1]],
                output: with_one(output),
            };
            let shape = [batch, channels, input[0], input[1]];
            let x = Tensor::from_shape_fn(IxDyn(&shape), |at| {
                at.slice().iter().fold(1, |sum, i| sum * 11 + i) as f32
            });
            let reach = |axis: usize| (kernel[axis] - 1) * dilation[axis] / stride[axis];
            let part = [0, 1].map(|axis| output[axis] + reach(axis));
            let shifts = Shifts::with_parts(&patches, channels, part);
            let (laid, starts) = (shifts.lay_out(&x), shifts.starts());
            let gathered = patches.gather(&x, 0..channels);
            let positions = output[0] * output[1];
            let mut rows = gathered.chunks_exact(positions);
            for start in starts {
                for image in 0..batch {
                    let line = &laid[image * channels * shifts.map() + start..][..shifts.columns()];
                    let mut seen = vec![f32::NAN; positions];
                    shifts.cut_out(line, &mut seen);
                    prop_assert_eq!(&seen[..], rows.next().expect("as many"));
                }
            }
            prop_assert!(!shifts.is_plain() || laid == x.iter().copied().collect::<Vec<_>>());
        }
    }
}
