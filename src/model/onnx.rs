//! The door for ONNX: a file becomes a typed graph with concrete shapes, or one clear message.

use std::path::Path;

use tract_onnx::pb::ModelProto;
use tract_onnx::tract_hir::internal::*;

use super::{Unusable, guard};

/// Reads and types the model in a file.
pub(super) fn open(path: &Path) -> Result<TypedModel, Unusable> {
    let shown = path.display();
    guarded(&format!("{shown} is not a model kofn can run"), || {
        let model = tract_onnx::onnx().model_for_path(path)?;
        typed(model)
    })
}

/// Types a model that was made in memory.
pub(super) fn from_proto(proto: &ModelProto) -> Result<TypedModel, Unusable> {
    guarded("the synthetic model does not type", || {
        typed(tract_onnx::onnx().parse(proto, None)?.model)
    })
}

/// Runs tract on input nobody has checked: its errors, and its panics, become one message.
fn guarded(
    context: &str,
    work: impl FnOnce() -> TractResult<TypedModel>,
) -> Result<TypedModel, Unusable> {
    match guard::guarded(work) {
        Ok(Ok(model)) => Ok(model),
        Ok(Err(error)) => Err(Unusable::because(context, &error)),
        Err(said) => Err(Unusable(format!("{context}: the parser gave up: {said}"))),
    }
}

/// Fixes every input's shape (an unnamed or symbolic first axis is a batch of one), then types.
fn typed(mut model: InferenceModel) -> TractResult<TypedModel> {
    for input in 0..model.inputs.len() {
        let outlet = model.inputs[input];
        let name = model.node(outlet.node).name.clone();
        let fact = model.input_fact(input)?.clone();
        let Some(dt) = fact.datum_type.concretize() else {
            bail!("input \"{name}\" has no element type");
        };
        let Some(rank) = fact.shape.rank().concretize() else {
            bail!("input \"{name}\" has no shape; export the model with one");
        };
        let dims = fact.shape.dims().enumerate().map(|(axis, dim)| {
            let size = dim.concretize().and_then(|dim| dim.to_usize().ok());
            match size {
                Some(0) => bail!("axis {axis} of input \"{name}\" is empty"),
                Some(size) => Ok(size),
                None if axis == 0 => Ok(1),
                None => bail!(
                    "axis {axis} of input \"{name}\" has no size; only the first may be open \
                     (the batch, which kofn runs one at a time): export the model with fixed axes"
                ),
            }
        });
        let dims: Vec<usize> = dims.collect::<TractResult<_>>()?;
        debug_assert_eq!(dims.len(), rank as usize);
        model.set_input_fact(input, InferenceFact::dt_shape(dt, dims))?;
    }
    for output in model.outputs.clone() {
        // An exporter's output shape may still carry the symbolic batch.
        model.set_outlet_fact(output, InferenceFact::default())?;
    }
    let mut graph = model.into_typed()?.into_decluttered()?;
    graph.compact()?;
    Ok(graph)
}

/// The shape of a value in the graph.
pub(super) fn concrete_shape(graph: &TypedModel, outlet: OutletId) -> Result<Vec<usize>, Unusable> {
    let fact = graph
        .outlet_fact(outlet)
        .map_err(|error| Unusable::because("the graph has a dangling edge", &error))?;
    fact.shape.as_concrete().map(<[usize]>::to_vec).ok_or_else(|| {
        Unusable(format!(
            "node \"{}\" gives {:?}: its shape depends on the data, which kofn cannot plan for",
            graph.node(outlet.node).name,
            fact.shape
        ))
    })
}
