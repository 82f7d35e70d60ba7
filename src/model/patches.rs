//! What a convolution looks at: for every output position a patch of its input.

use std::ops::Range;

use crate::maths::Tensor;

/// The patches a convolution looks at. Convolutions in one or two dimensions have leading ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Patches {
    pub batch: usize,
    pub channels: usize,
    pub input: [usize; 3],
    pub kernel: [usize; 3],
    pub stride: [usize; 3],
    pub dilation: [usize; 3],
    /// Zeros before the input on each axis; those after it follow from `output`.
    pub pad: [usize; 3],
    pub output: [usize; 3],
}

impl Patches {
    /// im2col of some channels: row (channel, kernel offset), column (image, output position); zeros
    /// outside.
    pub(super) fn gather(&self, input: &Tensor, channels: Range<usize>) -> Vec<f32> {
        let plain = input.as_standard_layout();
        let x = plain.as_slice().expect("standard layout");
        let positions: usize = self.output.iter().product();
        let rows = channels.len() * self.kernel.iter().product::<usize>() * self.batch;
        let mut columns = vec![0.0; rows * positions];
        let mut parts = columns.chunks_exact_mut(positions.max(1));
        for channel in channels {
            for k0 in 0..self.kernel[0] {
                for k1 in 0..self.kernel[1] {
                    for k2 in 0..self.kernel[2] {
                        for (image, part) in (0..self.batch).zip(&mut parts) {
                            self.gather_offset(self.map(x, image, channel), [k0, k1, k2], part);
                        }
                    }
                }
            }
        }
        columns
    }

    /// One channel of one image.
    pub(super) fn map<'x>(&self, x: &'x [f32], image: usize, channel: usize) -> &'x [f32] {
        let size: usize = self.input.iter().product();
        let start = (image * self.channels + channel) * size;
        &x[start..start + size]
    }

    /// What one kernel offset sees at every output position; what is padding is left as it is.
    fn gather_offset(&self, map: &[f32], offset: [usize; 3], part: &mut [f32]) {
        let [_, height, width] = self.input;
        let inside = self.inside(2, offset[2]);
        if inside.is_empty() {
            return;
        }
        let (stride, shift) = (self.stride[2], offset[2] * self.dilation[2]);
        let start = inside.start * stride + shift - self.pad[2];
        let mut lines = part.chunks_exact_mut(self.output[2]);
        for o0 in 0..self.output[0] {
            for (o1, to) in (0..self.output[1]).zip(&mut lines) {
                let place = self.source(0, o0, offset[0]).zip(self.source(1, o1, offset[1]));
                let Some((i0, i1)) = place else { continue };
                let (to, from) = (&mut to[inside.clone()], &map[(i0 * height + i1) * width..]);
                let from = &from[start..width];
                match stride {
                    1 => to.copy_from_slice(&from[..to.len()]),
                    _ => to.iter_mut().zip(from.iter().step_by(stride)).for_each(|(y, x)| *y = *x),
                }
            }
        }
    }

    /// The output positions on an axis for which a kernel offset looks into the input and not into
    /// the padding.
    fn inside(&self, axis: usize, offset: usize) -> Range<usize> {
        let (shift, pad) = (offset * self.dilation[axis], self.pad[axis]);
        let from = |least: usize| least.saturating_sub(shift).div_ceil(self.stride[axis]);
        let end = from(pad + self.input[axis]).min(self.output[axis]);
        from(pad).min(end)..end
    }

    /// Where on an axis a kernel offset looks for an output position; `None` in the padding.
    pub(super) fn source(&self, axis: usize, output: usize, offset: usize) -> Option<usize> {
        (output * self.stride[axis] + offset * self.dilation[axis])
            .checked_sub(self.pad[axis])
            .filter(|at| *at < self.input[axis])
    }
}
