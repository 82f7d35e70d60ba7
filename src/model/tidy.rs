//! tract's tidying of a graph, but for two things it does there: one that costs rounds, and one that
//! is wrong.

use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cnn::Conv;
use tract_onnx::tract_core::ops::math::{Div, Sub, add, div, neg};
use tract_onnx::tract_hir::internal::*;

/// A tidy graph, topologically ordered.
pub(super) fn tidy(mut graph: TypedModel) -> TractResult<TypedModel> {
    turn_round(&mut graph)?;
    keep_pointwise(&mut graph);
    let mut graph = graph.into_decluttered()?;
    release_pointwise(&mut graph);
    graph.compact()?;
    Ok(graph)
}

/// Writes `a − y` as `a + (−y)`, and `a / y` as `−(a / (−y))`, where a is one number, or one a channel: the
/// same bits. tract takes such a difference or quotient into a convolution before it, and what stands between
/// them too, but with the convolution's sign, and upside down, if it is the second operand.
fn turn_round(graph: &mut TypedModel) -> TractResult<()> {
    for id in graph.eval_order()? {
        let node = graph.node(id);
        let Some(TypedBinOp(binary, _)) = node.op_as::<TypedBinOp>() else { continue };
        if !(binary.is::<Sub>() || binary.is::<Div>()) || !is_narrow(graph, node.inputs[0])? {
            continue;
        }
        let mut patch = TypedModelPatch::default();
        let [a, y] = *patch.taps(graph, &node.inputs)? else { continue };
        let minus = patch.wire_node(format!("{}.minus", node.name), neg(), &[y])?[0];
        let turned = if binary.is::<Sub>() {
            patch.wire_node(&node.name, add(), &[a, minus])?[0]
        } else {
            let quotient =
                patch.wire_node(format!("{}.quotient", node.name), div(), &[a, minus])?;
            patch.wire_node(&node.name, neg(), &quotient)?[0]
        };
        patch.shunt_outside(graph, id.into(), turned)?;
        patch.obliterate(id)?;
        patch.apply(graph)?;
    }
    Ok(())
}

/// Whether a value extends along one axis at most.
fn is_narrow(graph: &TypedModel, outlet: OutletId) -> TractResult<bool> {
    let shape = &graph.outlet_fact(outlet)?.shape;
    Ok(shape.iter().filter(|size| !size.is_one()).count() <= 1)
}

/// A convolution of one position. tract would make a matrix product of it, and cut a product behind a
/// concatenation into one for each part: four rounds and three additions where an Inception network
/// has one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pointwise(Conv);

fn keep_pointwise(graph: &mut TypedModel) {
    for node in &mut graph.nodes {
        let is_pointwise = |conv: &&Conv| {
            conv.q_params.is_none() && conv.pool_spec.kernel_shape.iter().all(|size| *size == 1)
        };
        if let Some(conv) = node.op_as::<Conv>().filter(is_pointwise).cloned() {
            node.op = Box::new(Pointwise(conv));
        }
    }
}

fn release_pointwise(graph: &mut TypedModel) {
    for node in &mut graph.nodes {
        if let Some(Pointwise(conv)) = node.op_as::<Pointwise>().cloned() {
            node.op = Box::new(conv);
        }
    }
}

impl Op for Pointwise {
    fn name(&self) -> StaticName {
        "Pointwise".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Pointwise {
    op_out_of_plan!();

    fn eval(&self, context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        self.0.eval(context, inputs)
    }
}

impl TypedOp for Pointwise {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        self.0.output_facts(inputs)
    }
}
