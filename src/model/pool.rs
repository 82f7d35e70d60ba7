//! Maxima over windows, line by line: tract visits each window by itself, and networks with many pools
//! spend more time in them than in their convolutions.

use tract_onnx::tract_core::ops::cnn::MaxPool;
use tract_onnx::tract_core::ops::nn::DataFormat;
use tract_onnx::tract_hir::internal::*;

use crate::maths;
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

/// Windows along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    input: usize,
    output: usize,
    kernel: usize,
    stride: usize,
    pad: usize,
}

impl Window {
    /// What the window of an output position sees.
    fn range(&self, output: usize) -> std::ops::Range<usize> {
        let start = output * self.stride;
        start.saturating_sub(self.pad)
            ..(start + self.kernel).saturating_sub(self.pad).min(self.input)
    }

    fn sees_something(&self) -> bool {
        (0..self.output).all(|output| !self.range(output).is_empty())
    }
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

    fn run(&self, x: &[f32]) -> Vec<f32> {
        let mut y = buffer(self.shape.iter().product());
        let Self { lines, places, .. } = self;
        let maps = x.chunks_exact(lines.input * places.input);
        assert_eq!(maps.len() * lines.output * places.output, y.len(), "all maps are there");
        let outputs = y.chunks_exact_mut(lines.output * places.output);
        maps.zip(outputs).for_each(|(x, y)| self.run_map(x, y));
        y
    }

    fn run_map(&self, x: &[f32], y: &mut [f32]) {
        let Self { lines, places, .. } = *self;
        let reach = (places.output - 1) * places.stride + places.kernel;
        // A line with its padding, below every number.
        let mut tallest = vec![f32::NEG_INFINITY; reach.max(places.pad + places.input)];
        let mut widest = tallest.clone();
        for (output, y) in y.chunks_exact_mut(places.output).enumerate() {
            let inside = &mut tallest[places.pad..][..places.input];
            inside.fill(f32::NEG_INFINITY);
            for line in lines.range(output) {
                raise(inside, &x[line * places.input..]);
            }
            widest.copy_from_slice(&tallest);
            for offset in 1..places.kernel {
                raise(&mut widest, &tallest[offset..]);
            }
            y.iter_mut().zip(widest.iter().step_by(places.stride)).for_each(|(y, x)| *y = *x);
        }
    }
}

/// Each becomes the larger of itself and the other.
fn raise(most: &mut [f32], others: &[f32]) {
    most.iter_mut().zip(others).for_each(|(most, x)| *most = if *x > *most { *x } else { *most });
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window() -> impl Strategy<Value = Window> {
        (1usize..5, 1usize..4, 0usize..4, 1usize..30).prop_flat_map(
            |(kernel, stride, pad, input)| {
                let most = (input + 2 * pad).saturating_sub(kernel) / stride + 1;
                (1..=most).prop_map(move |output| Window { input, output, kernel, stride, pad })
            },
        )
    }

    proptest! {
        #[test]
        fn each_output_is_the_largest_that_its_window_sees(
            lines in window(), places in window(),
            numbers in proptest::collection::vec(-9.0f32..9.0, 900),
        ) {
            prop_assume!(lines.sees_something() && places.sees_something());
            let shape = tvec![1, 1, lines.output, places.output];
            let x = &numbers[..lines.input * places.input];
            let y = Pool { shape, lines, places }.run(x);
            for (at, y) in y.iter().enumerate() {
                let (line, place) = (at / places.output, at % places.output);
                let seen = lines.range(line).flat_map(|line| {
                    places.range(place).map(move |place| x[line * places.input + place])
                });
                prop_assert_eq!(Some(*y), seen.max_by(f32::total_cmp));
            }
        }
    }
}
