//! A run of nodes executed whole by tract: what lies between coded layers, and function stages.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use tract_onnx::tract_core::ops::cast::cast;
use tract_onnx::tract_core::ops::konst::Const;
use tract_onnx::tract_core::ops::source::TypedSource;
use tract_onnx::tract_hir::internal::*;

use super::direct::Direct;
use super::guard::guarded;
use super::pool::Pool;
use super::{Unusable, pool};
use crate::maths;
use crate::units::{Bytes, Flops};

/// A runnable part of a model.
///
/// Values enter and leave as `f32`: integers and booleans at the edges are cast, which is exact
/// up to 2^24.
#[derive(Clone, Debug)]
pub struct Segment {
    pub name: String,
    pub work: Flops,
    /// The size of its constants: what a device must hold to run it.
    pub weight_bytes: Bytes,
    pub result_bytes: Bytes,
    pub result_shapes: Vec<Vec<usize>>,
    /// As it was cut out, until it is run.
    graph: Arc<TypedModel>,
    /// If it needs no tract.
    direct: Option<Arc<Direct>>,
    ready: Arc<OnceLock<Ready>>,
}

/// What runs, or why nothing does.
type Ready = Result<Arc<TypedRunnableModel>, Unusable>;

impl Segment {
    /// Cuts `nodes` (topologically ordered) out of the graph; constants come along.
    pub(super) fn extract(
        graph: &TypedModel,
        name: &str,
        nodes: &[usize],
        inputs: &[OutletId],
        outputs: &[OutletId],
    ) -> Result<Self, Unusable> {
        let context = || format!("\"{name}\" cannot be run by itself");
        guarded(|| Self::try_extract(graph, name, nodes, inputs, outputs))
            .map_err(|said| Unusable(format!("{}: {said}", context())))?
            .map_err(|error| Unusable::because(&context(), &error))
    }

    fn try_extract(
        graph: &TypedModel,
        name: &str,
        nodes: &[usize],
        inputs: &[OutletId],
        outputs: &[OutletId],
    ) -> TractResult<Self> {
        let mut part = TypedModel { symbols: graph.symbols.clone(), ..TypedModel::default() };
        let mut wires = BTreeMap::new();
        for outlet in inputs {
            wires.insert(*outlet, source(graph, &mut part, *outlet)?);
        }
        let (mut work, mut weight_bytes) = (0, 0);
        for node in nodes.iter().map(|node| graph.node(*node)) {
            if node.op_is::<Const>() || node.op_is::<TypedSource>() {
                continue;
            }
            let mut taps: TVec<OutletId> = tvec!();
            for outlet in &node.inputs {
                if !wires.contains_key(outlet) {
                    weight_bytes += konst_bytes(graph, *outlet)?;
                    wires.insert(*outlet, konst(graph, &mut part, *outlet)?);
                }
                taps.push(wires[outlet]);
            }
            work += node_work(graph, node)?;
            let name = part.unique_name(node.name.clone()).into_owned();
            for (slot, wire) in part.wire_node(name, node.op.clone(), &taps)?.iter().enumerate() {
                wires.insert(OutletId::new(node.id, slot), *wire);
            }
        }
        let (mut result_bytes, mut result_shapes) = (0, Vec::new());
        let mut ends: TVec<OutletId> = tvec!();
        for outlet in outputs {
            let wire = match wires.get(outlet) {
                Some(wire) => *wire,
                None => konst(graph, &mut part, *outlet)?,
            };
            let name = part.unique_name(format!("{name}.out")).into_owned();
            ends.push(part.wire_node(name, cast(f32::datum_type()), &[wire])?[0]);
            let shape = &graph.outlet_fact(*outlet)?.shape;
            result_bytes += 4 * shape.volume().to_usize()? as u64;
            let dims: Result<Vec<usize>, _> = shape.iter().map(|dim| dim.to_usize()).collect();
            result_shapes.push(dims?);
        }
        part.select_output_outlets(&ends)?;
        pool::replace(&mut part)?;
        Ok(Self {
            name: name.to_owned(),
            work: Flops(work),
            weight_bytes: Bytes(weight_bytes),
            result_bytes: Bytes(result_bytes),
            result_shapes,
            direct: Direct::of(&part).map(Arc::new),
            graph: Arc::new(part),
            ready: Arc::default(),
        })
    }

    /// Makes it ready to run, once; that packs its weights, so who looks at costs alone goes without.
    ///
    /// # Errors
    /// If it cannot be run.
    pub fn prepare(&self) -> Result<(), Unusable> {
        self.ready().map(|_| ())
    }

    fn ready(&self) -> Ready {
        let make = || {
            let context = || format!("\"{}\" cannot be run by itself", self.name);
            let graph = self.graph.as_ref().clone();
            guarded(|| graph.into_optimized()?.into_runnable())
                .map_err(|said| Unusable(format!("{}: {said}", context())))?
                .map_err(|error| Unusable::because(&context(), &error))
        };
        self.ready.get_or_init(make).clone()
    }

    /// The outputs for these inputs, in the order they were cut.
    pub fn run(&self, inputs: &[maths::Tensor]) -> Result<Vec<maths::Tensor>, Unusable> {
        if let Some(direct) = &self.direct {
            let failed = |why| Unusable(format!("\"{}\" failed: {why}", self.name));
            return guarded(|| direct.run(inputs)).and_then(|results| results).map_err(failed);
        }
        let ready = self.ready()?;
        let results = guarded(|| ready.run(inputs.iter().map(value).collect::<TractResult<_>>()?))
            .map_err(|said| Unusable(format!("\"{}\" failed: {said}", self.name)))?
            .map_err(|error| Unusable::because(&format!("\"{}\" failed", self.name), &error))?;
        results.into_iter().map(numbers).collect::<TractResult<_>>().map_err(|error| {
            Unusable::because(&format!("\"{}\" gave no numbers", self.name), &error)
        })
    }

    /// The inputs whose maps follow each other in its only output, each once, and the pool over them, if it
    /// does nothing else.
    pub(super) fn maps(&self) -> Option<(Vec<usize>, Option<Pool>)> {
        self.direct.as_ref().and_then(|direct| direct.maps())
    }

    pub(super) fn graph(&self) -> &TypedModel {
        &self.graph
    }
}

/// A tensor as tract has it.
pub(super) fn value(x: &maths::Tensor) -> TractResult<TValue> {
    let plain = x.as_standard_layout();
    let numbers = plain.as_slice().context("standard layout")?;
    Ok(Tensor::from_shape(x.shape(), numbers)?.into())
}

/// And back.
pub(super) fn numbers(value: TValue) -> TractResult<maths::Tensor> {
    Ok(value.into_tensor().into_plain_array::<f32>()?.into())
}

/// A value that enters as `f32` and is cast to what the graph expects.
fn source(graph: &TypedModel, part: &mut TypedModel, outlet: OutletId) -> TractResult<OutletId> {
    let fact = graph.outlet_fact(outlet)?;
    let name = part.unique_name(format!("in.{}", graph.node(outlet.node).name)).into_owned();
    let wire = part.add_source(name.clone(), f32::datum_type().fact(fact.shape.clone()))?;
    if fact.datum_type == f32::datum_type() {
        return Ok(wire);
    }
    Ok(part.wire_node(format!("{name}.cast"), cast(fact.datum_type), &[wire])?[0])
}

fn konst(graph: &TypedModel, part: &mut TypedModel, outlet: OutletId) -> TractResult<OutletId> {
    let node = graph.node(outlet.node);
    let tensor = graph.outlet_fact(outlet)?.konst.clone();
    let tensor =
        tensor.with_context(|| format!("\"{}\" is used before it is computed", node.name))?;
    part.add_const(node.name.clone(), tensor)
}

fn konst_bytes(graph: &TypedModel, outlet: OutletId) -> TractResult<u64> {
    let konst = graph.outlet_fact(outlet)?.konst.as_ref();
    Ok(konst.map_or(0, |tensor| 4 * tensor.len() as u64))
}

/// Two per multiply-add as tract counts them; for all other operators one per element written.
fn node_work(graph: &TypedModel, node: &TypedNode) -> TractResult<u64> {
    let costs = node.op.cost(&graph.node_input_facts(node.id)?)?;
    let mut work = 0;
    for (cost, count) in costs {
        if matches!(cost, Cost::FMA(_)) {
            work += 2 * count.to_usize()? as u64;
        }
    }
    if work > 0 {
        return Ok(work);
    }
    let facts = graph.node_output_facts(node.id)?;
    facts.iter().map(|fact| Ok(fact.shape.volume().to_usize()? as u64)).sum()
}
