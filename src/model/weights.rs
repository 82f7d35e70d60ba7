//! Rows of a layer's weights: where they lie, and what is made of them to multiply faster.

use std::ops::{Deref, Range};
use std::sync::{Arc, OnceLock};

use tract_onnx::tract_hir::internal::Tensor;

use crate::maths::winograd::{self, Size};

/// Rows of weights: a block of them, or a part of a block, which is not copied. Cloning copies pointers.
#[derive(Clone, Debug)]
pub struct Weights {
    block: Arc<Block>,
    /// All of it, if none.
    part: Option<Range<usize>>,
    /// For tiles of each size; none inside if digits would be lost.
    transformed: Arc<[OnceLock<Option<Vec<f32>>>; 2]>,
}

#[derive(Debug)]
enum Block {
    Made(Vec<f32>),
    /// A constant of the model's graph, where it lies.
    Constant(Arc<Tensor>),
}

impl Deref for Block {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Self::Made(weights) => weights,
            Self::Constant(tensor) => numbers(tensor).expect("looked at when it was taken"),
        }
    }
}

fn numbers(tensor: &Tensor) -> Option<&[f32]> {
    tensor.try_as_plain_ram().ok()?.as_slice().ok()
}

impl From<Vec<f32>> for Weights {
    fn from(block: Vec<f32>) -> Self {
        Self::whole(Block::Made(block))
    }
}

impl Deref for Weights {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.part {
            Some(part) => &self.block[part.clone()],
            None => &self.block,
        }
    }
}

impl PartialEq for Weights {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

impl Weights {
    fn whole(block: Block) -> Self {
        Self { block: Arc::new(block), part: None, transformed: Arc::default() }
    }

    /// A constant's numbers with its axes in another order. They are copied only if they lie otherwise.
    ///
    /// `None` if they are no `f32`.
    pub(super) fn of_constant(constant: &Arc<Tensor>, axes: &[usize]) -> Option<Self> {
        let view = constant.to_plain_array_view::<f32>().ok()?.permuted_axes(axes);
        let block = match view.is_standard_layout() {
            true => numbers(constant).map(|_| Block::Constant(constant.clone()))?,
            false => Block::Made(view.iter().copied().collect()),
        };
        Some(Self::whole(block))
    }

    /// A part of a block, given as all of it.
    ///
    /// # Panics
    /// If the part is not within the block.
    pub fn part(&self, part: Range<usize>) -> Self {
        assert!(self.part.is_none(), "a block is given");
        assert!(part.start <= part.end && part.end <= self.block.len(), "a part of the block");
        Self { block: self.block.clone(), part: Some(part), transformed: Arc::default() }
    }

    /// Tells the block from others, if this is all of it and nobody's part.
    pub fn block(&self) -> Option<*const ()> {
        self.part.is_none().then_some(Arc::as_ptr(&self.block).cast())
    }

    /// Kernels of (groups, rows · channels, 3, 3) as [`winograd::convolve`] multiplies with them, one group
    /// after the other: made when they are first asked for.
    pub(super) fn transformed(&self, groups: usize, size: Size) -> Option<&[f32]> {
        let transformed = self.transformed[size as usize].get_or_init(|| {
            // Parts of what is next to nothing are not what they should be.
            let is_fit = self.iter().all(|w| *w == 0.0 || w.abs() > LEAST);
            is_fit.then(|| {
                let count = self.len() / 9 / groups;
                let mut to = vec![0.0; groups * count * size.places()];
                let parts = self.chunks(9 * count).zip(to.chunks_mut(count * size.places()));
                parts.for_each(|(kernels, to)| winograd::transform(kernels, size, to));
                to
            })
        });
        transformed.as_deref()
    }
}

/// Far above the smallest normal number.
const LEAST: f32 = 1e-30;
