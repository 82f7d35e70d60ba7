//! Segments of nothing but pools, response normalisations and concatenations, computed where the numbers
//! lie: to bring them into tract and out again takes about as long.

use ndarray::ArrayViewD;
use tract_onnx::tract_core::ops::array::TypedConcat;
use tract_onnx::tract_core::ops::cast::Cast;
use tract_onnx::tract_core::ops::source::TypedSource;
use tract_onnx::tract_hir::internal::*;

use super::lrn::Lrn;
use super::pool::Pool;
use crate::maths;
use crate::maths::room::empty;

/// The steps of such a segment, in order. A value is told by its number: first come the inputs, then what
/// each step gives.
#[derive(Debug)]
pub(super) struct Direct {
    steps: Vec<(Step, Vec<usize>)>,
    inputs: Vec<Vec<usize>>,
    outputs: Vec<usize>,
}

#[derive(Debug)]
enum Step {
    Pool(Pool),
    Lrn(Lrn),
    /// Along an axis.
    Concat(usize),
}

impl Direct {
    /// `None` if something else is to be done as well.
    pub(super) fn of(graph: &TypedModel) -> Option<Self> {
        let shapes = graph.inputs.iter().map(|input| {
            let fact = graph
                .outlet_fact(*input)
                .ok()
                .filter(|fact| fact.datum_type == f32::datum_type())?;
            fact.shape.as_concrete().map(<[usize]>::to_vec)
        });
        let inputs: Vec<Vec<usize>> = shapes.collect::<Option<_>>()?;
        let mut values: Vec<(OutletId, usize)> = graph.inputs.iter().copied().zip(0..).collect();
        let number = |outlet: &OutletId, values: &[(OutletId, usize)]| {
            values.iter().find(|(value, _)| value == outlet).map(|(_, number)| *number)
        };
        let mut steps = Vec::new();
        for node in graph.eval_order().ok()? {
            let node = graph.node(node);
            let from: Vec<usize> =
                node.inputs.iter().map(|input| number(input, &values)).collect::<Option<_>>()?;
            let outlet = OutletId::new(node.id, 0);
            if node.op_is::<TypedSource>() {
                continue;
            }
            if node.op_as::<Cast>().is_some_and(|cast| cast.to == f32::datum_type()) {
                values.push((outlet, *from.first()?));
                continue;
            }
            let step = if let Some(pool) = node.op_as::<Pool>() {
                Step::Pool(pool.clone())
            } else if let Some(lrn) = node.op_as::<Lrn>() {
                Step::Lrn(lrn.clone())
            } else {
                Step::Concat(node.op_as::<TypedConcat>()?.axis)
            };
            values.push((outlet, inputs.len() + steps.len()));
            steps.push((step, from));
        }
        let outputs = graph.outputs.iter().map(|output| number(output, &values));
        let outputs = outputs.collect::<Option<_>>()?;
        Some(Self { steps, inputs, outputs })
    }

    /// As [`Segment::maps`](super::Segment::maps).
    pub(super) fn maps(&self) -> Option<(Vec<usize>, Option<Pool>)> {
        let (order, pool) = match &self.steps[..] {
            [(Step::Pool(pool), from)] => (from, Some(pool)),
            [(Step::Concat(1), from)] => (from, None),
            [(Step::Concat(1), from), (Step::Pool(pool), of)] if *of == [self.inputs.len()] => {
                (from, Some(pool))
            }
            _ => return None,
        };
        let mut each_once = order.clone();
        each_once.sort_unstable();
        let last = self.inputs.len() + self.steps.len() - 1;
        (each_once.into_iter().eq(0..self.inputs.len()) && self.outputs == [last])
            .then(|| (order.clone(), pool.cloned()))
    }

    /// # Errors
    /// If the inputs are not of the segment's shapes.
    pub(super) fn run(&self, inputs: &[maths::Tensor]) -> Result<Vec<maths::Tensor>, String> {
        if !inputs.iter().map(|input| input.shape()).eq(self.inputs.iter().map(|shape| &shape[..]))
        {
            return Err("its inputs have other shapes".to_owned());
        }
        let mut values = inputs.to_vec();
        for (step, from) in &self.steps {
            let value = match step {
                Step::Pool(pool) => pool.over(&values[from[0]]),
                Step::Lrn(lrn) => lrn.over(&values[from[0]]),
                Step::Concat(axis) => {
                    let parts: Vec<_> =
                        from.iter().map(|at| values[*at].as_standard_layout()).collect();
                    let parts: Vec<_> = parts.iter().map(|part| part.view()).collect();
                    side_by_side(&parts, *axis).ok_or("its parts do not fit")?
                }
            };
            values.push(value);
        }
        Ok(self.outputs.iter().map(|at| values[*at].clone()).collect())
    }
}

/// Tensors in standard layout, one behind the other along an axis; `None` if one has not that axis.
fn side_by_side(parts: &[ArrayViewD<'_, f32>], axis: usize) -> Option<maths::Tensor> {
    let mut shape = parts.first()?.shape().to_vec();
    *shape.get_mut(axis)? = parts.iter().map(|part| part.shape()[axis]).sum();
    let mut flat = empty(shape.iter().product());
    let outer: usize = shape[..axis].iter().product();
    let numbers: Option<Vec<&[f32]>> = parts.iter().map(|part| part.to_slice()).collect();
    let numbers = numbers?;
    for at in 0..outer {
        for part in &numbers {
            let inner = part.len() / outer;
            flat.extend_from_slice(&part[at * inner..][..inner]);
        }
    }
    maths::Tensor::from_shape_vec(&shape[..], flat).ok()
}

#[cfg(test)]
mod tests {
    use ndarray::IxDyn;
    use tract_onnx::tract_core::ops::cast::cast;
    use tract_onnx::tract_core::ops::cnn::{MaxPool, PaddingSpec, PoolSpec};
    use tract_onnx::tract_core::ops::math::add;
    use tract_onnx::tract_core::ops::nn::DataFormat;

    use super::*;
    use crate::model::pool;

    /// Two maps, side by side, and the larger of all that windows see in them.
    fn graph(also: Option<Box<dyn TypedOp>>) -> TractResult<TypedModel> {
        let mut graph = TypedModel::default();
        let mut source =
            |name: &str, channels: usize| graph.add_source(name, f32::fact([1, channels, 7, 6]));
        let inputs = [source("a", 2)?, source("b", 3)?];
        let side = graph.wire_node("side", TypedConcat { axis: 1 }, &inputs)?[0];
        let padding = PaddingSpec::ExplicitOnnxPool(tvec![1, 0], tvec![1, 1], false);
        let (window, strides) = (tvec![3, 2], Some(tvec![2, 1]));
        let spec = PoolSpec::new(DataFormat::NCHW, window, padding, None, strides, 5, 5);
        let pool = MaxPool { pool_spec: spec, with_index_outputs: None };
        let mut last = graph.wire_node("pool", pool, &[side])?[0];
        if let Some(also) = also {
            last = graph.wire_node("also", also, &[last, last])?[0];
        }
        let end = graph.wire_node("end", cast(f32::datum_type()), &[last])?[0];
        graph.select_output_outlets(&[end, side])?;
        pool::replace(&mut graph)?;
        Ok(graph)
    }

    #[test]
    fn pools_and_concatenations_give_what_tract_gives() -> TractResult<()> {
        let graph = graph(None)?;
        let direct = Direct::of(&graph).expect("nothing else is done");
        let input = |channels: usize| {
            maths::Tensor::from_shape_fn(IxDyn(&[1, channels, 7, 6]), |at| {
                ((at[1] * 31 + at[2] * 17 + at[3] * 5) % 23) as f32 - 11.0
            })
        };
        let inputs = [input(2), input(3)];
        let values = inputs.iter().map(|x| Tensor::from(x.to_owned()).into_tvalue());
        let want = graph.into_optimized()?.into_runnable()?.run(values.collect())?;
        let got = direct.run(&inputs).expect("it runs");
        for (got, want) in got.iter().zip(&want) {
            assert_eq!(got.view(), want.to_plain_array_view::<f32>()?);
        }
        assert_eq!(got.len(), want.len());
        assert!(direct.run(&inputs[..1]).is_err(), "an input is missing");
        Ok(())
    }

    #[test]
    fn what_does_something_else_as_well_is_left_to_tract() -> TractResult<()> {
        assert!(Direct::of(&graph(Some(Box::new(add())))?).is_none());
        Ok(())
    }
}
