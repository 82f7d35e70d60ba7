//! A convolution cut across its map: strips of output positions, and the part of the input that each
//! looks at, with its halo.
//!
//! A strip is the same convolution with a smaller map and its padding along the cut already in its
//! input, so all strips are one operator. It is linear in that input. What strips are cut for is
//! not known here.

use std::sync::Arc;

use super::linear::{LinearOp, Lowering, Patches, Raising};
use crate::maths::Tensor;

/// A convolution cut in strips of `height` output positions along the longest axis of its map: there a
/// halo is shortest. The last strips reach beyond the map if it does not divide.
#[derive(Clone, Debug)]
pub struct Strips {
    op: Arc<LinearOp>,
    axis: usize,
    height: usize,
}

impl Strips {
    /// In strips of so many output positions; `None` if the operator is no convolution.
    ///
    /// # Panics
    /// If they are of none.
    pub fn new(op: Arc<LinearOp>, height: usize) -> Option<Self> {
        assert!(height > 0, "a strip of nothing");
        let axis = longest(patches(&op)?);
        Some(Self { op, axis, height })
    }

    /// The output positions along the axis that is cut; `None` if the operator is no convolution.
    pub fn positions(op: &LinearOp) -> Option<usize> {
        patches(op).map(|patches| patches.output[longest(patches)])
    }

    /// What is done to so many strips at once, stacked like images of a batch: their input is
    /// (strips · batch, channels, input positions), their result (groups, rows, strips · batch, output
    /// positions).
    pub fn op(&self, stacked: usize) -> LinearOp {
        let whole = self.patches();
        let mut patches = Patches::clone(whole);
        patches.batch = stacked * whole.batch;
        patches.input[self.axis] = self.reach();
        patches.pad[self.axis] = 0;
        patches.output[self.axis] = self.height;
        let mut input = vec![patches.batch, patches.channels];
        input.extend(patches.input);
        let columns = patches.batch * patches.output.iter().product::<usize>();
        let dims = vec![self.op.groups, self.op.rows, columns];
        let raising = Raising { axes: vec![0, 1, 2], shape: dims.clone(), dims };
        let lowering = Lowering::patches(patches, self.op.groups);
        LinearOp { input, columns, lowering, raising, ..(*self.op).clone() }
    }

    /// The input of one strip: (batch, channels, input positions), zeros where it reaches beyond the map.
    ///
    /// # Panics
    /// If `input` is not the layer's input.
    pub fn cut(&self, input: &Tensor, strip: usize) -> Vec<f32> {
        assert_eq!(input.shape(), self.op.input, "the layer's own input");
        let patches = self.patches();
        let plain = input.as_standard_layout();
        let x = plain.as_slice().expect("standard layout");
        let lines = patches.input[self.axis];
        let width: usize = patches.input[self.axis + 1..].iter().product();
        let first = strip * self.height * patches.stride[self.axis];
        let mut cut = Vec::with_capacity(x.len() / lines.max(1) * self.reach());
        for map in x.chunks_exact((lines * width).max(1)) {
            for line in first..first + self.reach() {
                match line.checked_sub(patches.pad[self.axis]).filter(|line| *line < lines) {
                    Some(line) => cut.extend_from_slice(&map[line * width..][..width]),
                    None => cut.extend(std::iter::repeat_n(0.0, width)),
                }
            }
        }
        cut
    }

    /// The layer's result from those of strips 0, 1 …, each (groups, rows, batch, output positions); what lies
    /// beyond the map is dropped.
    ///
    /// # Panics
    /// If there are fewer strips than the map has, or one has another length.
    pub fn whole(&self, strips: &[&[f32]]) -> Vec<f32> {
        let patches = self.patches();
        let lines = patches.output[self.axis];
        let width: usize = patches.output[self.axis + 1..].iter().product();
        let outer = self.op.groups * self.op.rows * self.op.columns / (lines * width).max(1);
        let mut whole = Vec::with_capacity(outer * lines * width);
        for map in 0..outer {
            for (at, strip) in strips.iter().enumerate() {
                let left = lines.saturating_sub(at * self.height).min(self.height);
                whole.extend_from_slice(&strip[map * self.height * width..][..left * width]);
            }
        }
        whole
    }

    /// Input positions of a strip.
    fn reach(&self) -> usize {
        let Patches { kernel, stride, dilation, .. } = self.patches();
        let axis = self.axis;
        (self.height - 1) * stride[axis] + (kernel[axis] - 1) * dilation[axis] + 1
    }

    fn patches(&self) -> &Patches {
        patches(&self.op).expect("only convolutions are cut")
    }
}

fn patches(op: &LinearOp) -> Option<&Patches> {
    match &op.lowering {
        Lowering::Patches(layout) => Some(layout),
        Lowering::Permute { .. } => None,
    }
}

/// The first of the longest axes.
fn longest(patches: &Patches) -> usize {
    let longest = patches.output.iter().max();
    patches.output.iter().position(|length| Some(length) == longest).unwrap_or(0)
}
