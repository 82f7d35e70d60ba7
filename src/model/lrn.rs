//! Local response normalisation, for tract's parser: plane by plane, so that it is as fast as memory.
//!
//! tract's own gathers each element's window anew and takes a power of it; in AlexNet that takes longer
//! than all convolutions together.

use tract_onnx::model::ParsingContext;
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_hir::internal::*;
use tract_onnx::tract_hir::ops::expandable::inference_wrap;

use crate::maths;
use crate::maths::crew::{PART, by_rows};
use crate::maths::project::{Wide, run_widely};
use crate::maths::room::buffer;

/// What the parser makes of a node.
pub(super) fn lrn(
    _context: &ParsingContext<'_>,
    node: &NodeProto,
) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let lrn = Lrn {
        alpha: node.get_attr_opt("alpha")?.unwrap_or(0.0001),
        beta: node.get_attr_opt("beta")?.unwrap_or(0.75),
        bias: node.get_attr_opt("bias")?.unwrap_or(1.0),
        size: node.get_attr("size")?,
    };
    Ok((inference_wrap(lrn, 1, same), vec![]))
}

/// The output is like the input.
fn same<'p>(
    _op: &dyn Op,
    solver: &mut Solver<'_>,
    inputs: &'p [TensorProxy],
    outputs: &'p [TensorProxy],
) -> InferenceResult {
    check_input_arity(inputs, 1)?;
    check_output_arity(outputs, 1)?;
    solver.equals(&inputs[0].datum_type, &outputs[0].datum_type)?;
    solver.equals(&inputs[0].shape, &outputs[0].shape)
}

/// `y[c] = x[c] / (bias + alpha / size · Σ x[near]²) ^ beta`, with `near` a window of `size` channels around
/// c, cut off at the first and the last (ONNX's `LRN`; Krizhevsky et al. 2012, §3.3). A `size` of 0 is
/// refused before tract parses it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lrn {
    alpha: f32,
    beta: f32,
    bias: f32,
    size: usize,
}

impl Eq for Lrn {}

impl Lrn {
    /// For images, (images, channels, places …).
    pub(super) fn over(&self, x: &maths::Tensor) -> maths::Tensor {
        let x = x.as_standard_layout();
        let y = self.run(x.as_slice().expect("standard layout"), x.shape());
        maths::Tensor::from_shape_vec(x.raw_dim(), y).expect("as many as before")
    }

    fn run(&self, x: &[f32], shape: &[usize]) -> Vec<f32> {
        let plane: usize = shape[2..].iter().product();
        let image = (shape[1] * plane).max(1);
        let mut y = buffer(x.len());
        for (x, y) in x.chunks_exact(image).zip(y.chunks_exact_mut(image)) {
            let done = by_rows(y, plane, PART.div_ceil(plane.max(1)), |first, y| {
                run_widely(Image { lrn: self, x, first, y, plane });
                Some(())
            });
            done.expect("nobody calls it off");
        }
        y
    }

    /// Some channels of one image, from one on, in planes of so many elements.
    #[inline(always)]
    fn normalise(&self, x: &[f32], channel: usize, y: &mut [f32], plane: usize) {
        let channels = x.len() / plane;
        let mut sums = vec![0.0f32; plane];
        for (y, channel) in y.chunks_exact_mut(plane).zip(channel..) {
            let first = channel.saturating_sub((self.size - 1) / 2);
            let last = (channel + self.size / 2).min(channels - 1);
            sums.fill(0.0);
            for near in x[first * plane..(last + 1) * plane].chunks_exact(plane) {
                sums.iter_mut().zip(near).for_each(|(sum, x)| *sum += x * x);
            }
            self.divide(&x[channel * plane..][..plane], &sums, y);
        }
    }

    #[inline(always)]
    fn divide(&self, x: &[f32], sums: &[f32], y: &mut [f32]) {
        let scale = self.alpha / self.size as f32;
        let all = y.iter_mut().zip(x.iter().zip(sums));
        if self.beta == 0.75 {
            // What nearly everybody writes, and roots are quicker than powers.
            all.for_each(|(y, (x, sum))| {
                let root = (self.bias + scale * sum).sqrt();
                *y = x / (root * root.sqrt());
            });
        } else {
            all.for_each(|(y, (x, sum))| *y = x / (self.bias + scale * sum).powf(self.beta));
        }
    }
}

/// Some channels of one image, for the wide registers of this machine.
struct Image<'x> {
    lrn: &'x Lrn,
    x: &'x [f32],
    first: usize,
    y: &'x mut [f32],
    plane: usize,
}

impl Wide for Image<'_> {
    #[inline(always)]
    fn run(self) {
        self.lrn.normalise(self.x, self.first, self.y, self.plane);
    }
}

impl Op for Lrn {
    fn name(&self) -> StaticName {
        "Lrn".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Lrn {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let numbers = input.cast_to::<f32>()?.into_owned().into_plain_array::<f32>()?;
        let x = numbers.as_standard_layout();
        let y = self.run(x.as_slice().context("standard layout")?, x.shape());
        let y = Tensor::from_shape(x.shape(), &y)?;
        Ok(tvec!(y.cast_to_dt(input.datum_type())?.into_owned().into_tvalue()))
    }
}

impl TypedOp for Lrn {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(inputs[0].clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maths::crew::among_idle;
    use crate::maths::numbers;
    use proptest::prelude::*;

    #[test]
    fn parts_that_others_take_change_no_bit() {
        let lrn = Lrn { alpha: 0.1, beta: 0.75, bias: 1.0, size: 5 };
        let x = numbers(2 * 24 * 5000, 3);
        let run = || lrn.run(&x, &[2, 24, 50, 100]);
        assert_eq!(among_idle(run), run());
    }

    proptest! {
        #[test]
        fn it_is_its_definition(
            channels in 1usize..9, plane in 1usize..20, size in 1usize..8,
            beta in prop_oneof![Just(0.75f32), 0.1f32..2.0], alpha in 1e-4f32..1.0, bias in 0.5f32..2.0,
        ) {
            let x: Vec<f32> = (0..channels * plane).map(|i| (i as f32 * 0.7).sin() * 3.0).collect();
            let mut y = vec![f32::NAN; x.len()];
            Lrn { alpha, beta, bias, size }.normalise(&x, 0, &mut y, plane);
            for channel in 0..channels {
                let near = channel.saturating_sub((size - 1) / 2)..=(channel + size / 2).min(channels - 1);
                for at in 0..plane {
                    let sum: f64 = near.clone().map(|c| f64::from(x[c * plane + at]).powi(2)).sum();
                    let power = (f64::from(bias) + f64::from(alpha) / size as f64 * sum).powf(beta.into());
                    let want = f64::from(x[channel * plane + at]) / power;
                    let got = f64::from(y[channel * plane + at]);
                    prop_assert!((got - want).abs() <= 1e-6 * want.abs().max(1e-3), "{got} and {want}");
                }
            }
        }
    }
}
