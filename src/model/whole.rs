//! The whole model in one piece: the truth that answers are measured against, by tract's kernels alone.
//!
//! A large model is run node by node, and large matrix products some rows at a time: what tract makes of
//! weights to multiply faster is twice as large as they are, and some of them at a time are enough.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_core::ops::source::TypedSource;
use tract_onnx::tract_hir::internal::*;

use super::guard::guarded;
use super::segment::{self, Segment};
use super::{Network, Unusable};
use crate::maths;
use crate::units::Bytes;

/// The whole model.
#[derive(Debug)]
pub struct Whole {
    segment: Segment,
    /// Of a large model: who has it runs.
    turn: Mutex<()>,
}

impl Network {
    /// The model in one piece.
    ///
    /// # Errors
    /// If it cannot be ordered.
    pub fn whole(&self) -> Result<Whole, Unusable> {
        let nodes: Vec<usize> = self
            .graph
            .eval_order()
            .map_err(|error| Unusable::because("the graph cannot be ordered", &error))?;
        let (inputs, outputs) = (&self.graph.inputs, &self.graph.outputs);
        let segment = Segment::extract(&self.graph, &self.name, &nodes, inputs, outputs)?;
        Ok(Whole { segment, turn: Mutex::default() })
    }
}

impl Whole {
    /// The outputs for these inputs.
    ///
    /// # Errors
    /// If tract fails on them.
    pub fn run(&self, inputs: &[maths::Tensor]) -> Result<Vec<maths::Tensor>, Unusable> {
        let outputs = self.run_each(&[inputs])?;
        Ok(outputs.into_iter().next().expect("as many as inputs"))
    }

    /// So many cases are best run together.
    pub fn together(&self) -> usize {
        if self.is_large() { TOGETHER } else { 1 }
    }

    /// The outputs for the inputs of each case.
    ///
    /// # Errors
    /// If tract fails on them.
    pub fn run_each(
        &self,
        cases: &[&[maths::Tensor]],
    ) -> Result<Vec<Vec<maths::Tensor>>, Unusable> {
        if !self.is_large() {
            return cases.iter().map(|inputs| self.segment.run(inputs)).collect();
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let name = &self.segment.name;
        guarded(|| node_by_node(self.segment.graph(), cases))
            .map_err(|said| Unusable(format!("\"{name}\" failed: {said}")))?
            .map_err(|error| Unusable::because(&format!("\"{name}\" failed"), &error))
    }

    fn is_large(&self) -> bool {
        self.segment.weight_bytes > LARGE
    }
}

/// Of one case, those that are still needed.
type Values = BTreeMap<OutletId, TValue>;

fn node_by_node(
    graph: &TypedModel,
    cases: &[&[maths::Tensor]],
) -> TractResult<Vec<Vec<maths::Tensor>>> {
    let order = graph.eval_order()?;
    let last_read = last_read(graph, &order);
    let given = |inputs: &&[maths::Tensor]| -> TractResult<Values> {
        ensure!(inputs.len() == graph.inputs.len(), "it has {} inputs", graph.inputs.len());
        let values = inputs.iter().map(segment::value);
        graph.inputs.iter().zip(values).map(|(outlet, value)| Ok((*outlet, value?))).collect()
    };
    let mut values: Vec<_> = cases.iter().map(given).collect::<TractResult<_>>()?;
    for (at, node) in order.iter().map(|id| graph.node(*id)).enumerate() {
        let is_known = node.outputs.iter().all(|output| output.fact.konst.is_some());
        if is_known || node.op_is::<TypedSource>() {
            continue;
        }
        run(graph, node, &mut values)?;
        for values in &mut values {
            values.retain(|outlet, _| last_read.get(outlet).is_some_and(|last| *last > at));
        }
    }
    let output = |values: &Values, outlet: &OutletId| {
        let value = match &graph.outlet_fact(*outlet)?.konst {
            Some(constant) => constant.clone().into_tvalue(),
            None => values[outlet].clone(),
        };
        segment::numbers(value)
    };
    let outputs = |values| graph.outputs.iter().map(|outlet| output(&values, outlet)).collect();
    values.into_iter().map(outputs).collect()
}

/// After which place in the order nobody needs a value.
fn last_read(graph: &TypedModel, order: &[usize]) -> BTreeMap<OutletId, usize> {
    let read = order.iter().map(|id| &graph.node(*id).inputs).enumerate();
    let read = read.flat_map(|(at, inputs)| inputs.iter().map(move |outlet| (*outlet, at)));
    read.chain(graph.outputs.iter().map(|outlet| (*outlet, usize::MAX))).collect()
}

/// Adds what a node gives to the values of all cases.
fn run(graph: &TypedModel, node: &TypedNode, values: &mut [Values]) -> TractResult<()> {
    let Some(rows) = Rows::of(graph, node) else {
        let (runnable, reads) = alone(graph, node, None)?;
        for values in values {
            let given = reads.iter().map(|outlet| values[outlet].clone()).collect();
            let results = runnable.run(given)?.into_iter().enumerate();
            values.extend(results.map(|(slot, result)| (OutletId::new(node.id, slot), result)));
        }
        return Ok(());
    };
    let mut parts = vec![Vec::new(); values.len()];
    for start in (0..rows.count).step_by(rows.at_once) {
        let end = rows.count.min(start + rows.at_once);
        let some = rows.weights.slice(rows.axis, start, end)?.into_arc_tensor();
        let (runnable, reads) = alone(graph, node, Some((rows.slot, some)))?;
        for (values, parts) in values.iter().zip(&mut parts) {
            let given = reads.iter().map(|outlet| values[outlet].clone()).collect();
            parts.extend(runnable.run(given)?.into_iter().map(TValue::into_tensor));
        }
    }
    for (values, parts) in values.iter_mut().zip(parts) {
        let result = Tensor::stack_tensors(rows.in_output, &parts)?;
        values.insert(OutletId::new(node.id, 0), result.into_tvalue());
    }
    Ok(())
}

/// The rows of a large matrix product's weights, each of which gives a part of the output of its own.
struct Rows {
    /// Which operand the weights are.
    slot: usize,
    weights: Arc<Tensor>,
    /// Their axis in the weights, and in the output.
    axis: usize,
    in_output: usize,
    count: usize,
    at_once: usize,
}

impl Rows {
    fn of(graph: &TypedModel, node: &TypedNode) -> Option<Self> {
        let product = node.op_as::<EinSum>().filter(|product| product.q_params.is_none())?;
        let constant = |slot: usize| graph.outlet_fact(node.inputs[slot]).ok()?.konst.clone();
        let constants = (0..node.inputs.len()).filter_map(|slot| Some((slot, constant(slot)?)));
        let [(slot, weights)] = <[_; 1]>::try_from(constants.collect::<Vec<_>>()).ok()?;
        let mut axes = product.axes.iter_all_axes().filter_map(|axis| {
            let others = (0..node.inputs.len()).filter(|other| *other != slot);
            let is_row = others.into_iter().all(|other| axis.inputs[other].is_empty());
            match (&axis.inputs[slot][..], &axis.outputs[0][..]) {
                ([in_weights], [in_output]) if is_row => Some((*in_weights, *in_output)),
                _ => None,
            }
        });
        let (axis, in_output) = axes.find(|(axis, _)| weights.shape()[*axis] > 1)?;
        let (count, size) = (weights.shape()[axis], weights.len() * size_of::<f32>());
        let at_once = (AT_ONCE / (size / count).max(1)).max(1);
        (size > AT_ONCE).then_some(Self { slot, weights, axis, in_output, count, at_once })
    }
}

/// A node by itself, maybe with another constant in one place, and the values it reads.
fn alone(
    graph: &TypedModel,
    node: &TypedNode,
    instead: Option<(usize, Arc<Tensor>)>,
) -> TractResult<(Arc<TypedRunnableModel>, Vec<OutletId>)> {
    let mut part = TypedModel { symbols: graph.symbols.clone(), ..TypedModel::default() };
    let (mut taps, mut reads): (TVec<OutletId>, _) = (tvec!(), Vec::new());
    for (slot, outlet) in node.inputs.iter().enumerate() {
        let fact = graph.outlet_fact(*outlet)?;
        let name = format!("in.{slot}");
        let other = instead.as_ref().filter(|(place, _)| *place == slot).map(|(_, other)| other);
        taps.push(match other.or(fact.konst.as_ref()) {
            Some(constant) => part.add_const(name, constant.clone())?,
            None => {
                reads.push(*outlet);
                part.add_source(name, fact.datum_type.fact(fact.shape.clone()))?
            }
        });
    }
    let outputs = part.wire_node("node", node.op.clone(), &taps)?;
    part.select_output_outlets(&outputs)?;
    Ok((part.into_optimized()?.into_runnable()?, reads))
}

/// Weights together; a tenth of a small board's memory.
const LARGE: Bytes = Bytes(100_000_000);

/// Bytes of a product's weights.
const AT_ONCE: usize = 1 << 22;

/// Cases for which a node's weights are packed once. Their values are held at the same time.
const TOGETHER: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maths::chance::Seed;
    use crate::model::synthetic::Architecture;

    #[test]
    fn node_by_node_gives_what_the_model_gives_in_one_piece() {
        let network = Architecture::AlexNet.network(Seed(1)).expect("a model");
        let whole = network.whole().expect("runs");
        let cases = [1, 2].map(|salt| {
            let number = |at: usize| ((at * salt * 31) % 17) as f32 / 8.0 - 1.0;
            let shape = &network.inputs[0];
            let numbers = (0..shape.iter().product()).map(number).collect();
            [maths::Tensor::from_shape_vec(&shape[..], numbers).expect("its shape")]
        });
        let cases = [&cases[0][..], &cases[1][..]];
        let pieces = node_by_node(whole.segment.graph(), &cases).expect("runs");
        for (inputs, pieces) in cases.iter().zip(pieces) {
            let whole = whole.segment.run(inputs).expect("runs");
            for (y, want) in pieces.iter().flatten().zip(whole.iter().flatten()) {
                assert!((y - want).abs() <= 1e-5 * want.abs().max(1.0), "{y} against {want}");
            }
            assert_eq!(pieces.len(), whole.len());
        }
        assert!(node_by_node(whole.segment.graph(), &[&[]]).is_err(), "an input is missing");
    }
}
