//! Maxima over windows, line by line: tract visits each window by itself, and networks with many pools
//! spend more time in them than in their convolutions.

use tract_onnx::tract_core::ops::cnn::MaxPool;
use tract_onnx::tract_core::ops::nn::DataFormat;
use tract_onnx::tract_hir::internal::*;

use crate::maths;
use crate::maths::crew::{PART, by_rows};
use crate::maths::maxima::{Maxima, Window};
use crate::maths::room::buffer;

/// Puts ours in place of tract's, where it is a plain one: `f32`, channels first, over two axes, without
/// dilation, and no window in padding alone.
pub(super) fn replace(graph: &mut TypedModel) -> TractResult<()> {
    for node in 0..graph.nodes.len() {
        let Some(pool) = graph.node(node).op_as::<MaxPool>() else { continue };
        let fact = graph.outlet_fact(graph.node(node).inputs[0])?;
        if let Some(pool) = Pool::of(pool, fact) {
            graph.nodes[node].op = Box::new(pool);
        }
    }
    Ok(())
}

/// The larger of all that a window sees: ONNX's `MaxPool`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pool {
    /// Of the output.
    shape: TVec<usize>,
    lines: Window,
    places: Window,
}

impl Pool {
    fn of(pool: &MaxPool, fact: &TypedFact) -> Option<Self> {
        let spec = &pool.pool_spec;
        let is_plain = pool.with_index_outputs.is_none()
            && fact.datum_type == f32::datum_type()
            && spec.data_format == DataFormat::NCHW
            && spec.rank() == 2
            && spec.dilations().iter().all(|dilation| *dilation == 1);
        let input = fact.shape.as_concrete().filter(|_| is_plain)?;
        let padded = spec.computed_padding(&input[2..]);
        let [lines, places] = [0, 1].map(|axis| Window {
            input: input[2 + axis],
            output: padded[axis].convoluted,
            kernel: spec.kernel_shape[axis],
            stride: spec.stride(axis),
            pad: padded[axis].pad_before,
        });
        let shape = spec.output_shape(input).ok()?.shape;
        (lines.sees_something() && places.sees_something()).then_some(Self { shape, lines, places })
    }

    /// Of all maps of `x`.
    pub(super) fn over(&self, x: &maths::Tensor) -> maths::Tensor {
        let x = x.as_standard_layout();
        let y = self.run(x.as_slice().expect("standard layout"));
        maths::Tensor::from_shape_vec(&self.shape[..], y).expect("the pool's own shape")
    }

    pub(super) fn run(&self, x: &[f32]) -> Vec<f32> {
        let mut y = buffer(self.shape.iter().product());
        let [map, len] =
            [self.lines.input * self.places.input, self.lines.output * self.places.output];
        assert_eq!(x.len() * len, y.len() * map, "all maps are there");
        let done = by_rows(&mut y, len, PART.div_ceil(map), |first, y| {
            let mut maxima = self.maxima();
            let maps = x[first * map..].chunks_exact(map).zip(y.chunks_exact_mut(len.max(1)));
            maps.for_each(|(x, y)| maxima.put(x, y));
            Some(())
        });
        done.expect("nobody calls it off");
        y
    }

    pub(super) fn maxima(&self) -> Maxima {
        Maxima::new(self.lines, self.places)
    }
}

impl Op for Pool {
    fn name(&self) -> StaticName {
        "Pool".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Pool {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let x = input.to_plain_array_view::<f32>()?;
        let x = x.as_standard_layout();
        let x = x.as_slice().context("standard layout")?;
        Ok(tvec!(Tensor::from_shape(&self.shape, &self.run(x))?.into_tvalue()))
    }
}

impl TypedOp for Pool {
    as_op!();

    fn output_facts(&self, _inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact(&self.shape)))
    }
}
