//! What is sent to whoever computes, and what was made of it there: where several shares are computed
//! in one process, as in real time on one machine, patches are gathered once for all of them.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use smallvec::SmallVec;

use super::linear::LinearOp;
use super::tiling::Tiling;
use crate::maths::Tensor;
use crate::maths::crew::{Asked, Once};
use crate::maths::lines::product_of_lines;
use crate::maths::room::{Lined, give_back, give_back_tensor, with_room};

/// The inputs of a stage, or of one share of it, for one request after the other. Cloning copies a pointer.
#[derive(Clone, Debug)]
pub struct Inputs(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    tensors: Vec<Tensor>,
    requests: usize,
    /// As many for each request as there are ways to lay its inputs out.
    laid: SmallVec<[Laid; 1]>,
}

/// One of them as it is laid out for the layers that take it alike.
#[derive(Debug, Default)]
struct Laid {
    lowered: Once<Lowered>,
    /// For tiles.
    tiled: Once<Lined>,
}

/// What a layer is applied to.
#[derive(Clone, Copy, Debug)]
pub struct Input<'i> {
    pub(super) tensor: &'i Tensor,
    laid: &'i Laid,
}

impl From<Vec<Tensor>> for Inputs {
    /// Of one request, for one layer or for a segment.
    fn from(tensors: Vec<Tensor>) -> Self {
        Self::laid_out(vec![tensors], 1)
    }
}

/// Whoever comes to its end last gives its buffers back.
impl Drop for Shared {
    fn drop(&mut self) {
        for Laid { lowered, .. } in &mut self.laid {
            let lowered = lowered.take().and_then(|lowered| lowered.laid);
            lowered.into_iter().for_each(give_back);
        }
        self.tensors.drain(..).for_each(give_back_tensor);
    }
}

impl Deref for Inputs {
    type Target = [Tensor];

    fn deref(&self) -> &[Tensor] {
        &self.0.tensors
    }
}

impl Inputs {
    /// Of each of some requests as many, for layers that lay them out in so many ways.
    pub fn laid_out(requests: Vec<Vec<Tensor>>, ways: usize) -> Self {
        let laid = (0..ways * requests.len()).map(|_| Laid::default()).collect();
        let (count, tensors) = (requests.len(), requests.into_iter().flatten().collect());
        Self(Arc::new(Shared { tensors, requests: count, laid }))
    }

    /// How many requests they are for.
    pub fn requests(&self) -> usize {
        self.0.requests
    }

    /// Those of one of the requests.
    pub fn of(&self, request: usize) -> &[Tensor] {
        let each = self.0.tensors.len() / self.0.requests.max(1);
        &self.0.tensors[request * each..][..each]
    }

    /// One input of a request, laid out in one of the ways; `None` if there is no such input.
    ///
    /// # Panics
    /// If there are not so many requests or ways.
    pub fn laid(&self, request: usize, input: usize, way: usize) -> Option<Input<'_>> {
        let ways = self.0.laid.len() / self.0.requests.max(1);
        let laid = &self.0.laid[request * ways + way];
        Some(Input { tensor: self.of(request).get(input)?, laid })
    }
}

impl<'i> Input<'i> {
    pub(super) fn lowered(self, op: &LinearOp) -> &'i Lowered {
        self.laid.lowered.get_or_make(|| Lowered::new(op, self.tensor))
    }

    pub(super) fn tiled(self, tiling: &Tiling) -> &'i [f32] {
        self.laid.tiled.get_or_make(|| tiling.lay_out(self.tensor))
    }
}

/// A lowered activation: a buffer of which every row that weights are multiplied with is a line.
#[derive(Debug)]
pub(super) struct Lowered {
    /// None if it is the input itself.
    laid: Option<Vec<f32>>,
    /// Where the rows of a matrix begin; none where lines are shifts, which begin where those say.
    rows: Vec<usize>,
}

impl Lowered {
    fn new(op: &LinearOp, input: &Tensor) -> Self {
        if let Some(shifts) = op.shifts() {
            let is_plain = shifts.is_plain() && input.is_standard_layout();
            return Self { laid: (!is_plain).then(|| shifts.lay_out(input)), rows: Vec::new() };
        }
        let laid = match op.lower(input) {
            Cow::Borrowed(_) => None,
            Cow::Owned(laid) => Some(laid),
        };
        Self { laid, rows: (0..op.depth).map(|row| row * op.columns).collect() }
    }

    /// One group's weights, (rows, depth), times its part, into (rows, columns), while it is `wanted`.
    pub(super) fn multiply(
        &self,
        op: &LinearOp,
        group: usize,
        weights: &[f32],
        input: &Tensor,
        out: &mut [f32],
        wanted: Asked<'_>,
    ) -> Option<()> {
        let laid = match &self.laid {
            Some(laid) => laid,
            None => input.as_slice().expect("it lies as it should"),
        };
        let rows = weights.len() / op.depth.max(1);
        let Some(shifts) = op.shifts() else {
            let laid = &laid[group * op.depth * op.columns..];
            return product_of_lines(weights, laid, &self.rows, out, [rows, op.columns], wanted);
        };
        let (laid, starts) = (&laid[group * shifts.group()..], shifts.starts());
        let (images, shape) = (shifts.images(), [rows, shifts.columns()]);
        if images == 1 && shifts.columns() == op.columns {
            return product_of_lines(weights, laid, starts, out, shape, wanted);
        }
        let columns = op.columns / images;
        with_room(rows * shifts.columns(), |lines| {
            for image in 0..images {
                let laid = &laid[image * op.groups * shifts.group()..];
                product_of_lines(weights, laid, starts, lines, shape, wanted)?;
                let results = lines.chunks_exact(shifts.columns());
                let to = out.chunks_exact_mut(columns).skip(image).step_by(images);
                to.zip(results).for_each(|(to, lines)| shifts.cut_out(lines, to));
            }
            Some(())
        })
    }
}
