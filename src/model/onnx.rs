//! The door for ONNX: a file becomes a typed graph with concrete shapes, or one clear message.

use std::path::Path;

use tract_onnx::Onnx;
use tract_onnx::pb::ModelProto;
use tract_onnx::tract_hir::internal::*;

use super::file::{self, Taken};
use super::{Unusable, guard, lrn, prelu, sound, tidy};

/// Reads and types the model in a file.
pub(super) fn open(path: &Path) -> Result<TypedModel, Unusable> {
    let shown = path.display();
    guarded(&format!("{shown} is not a model kofn can run"), || {
        let mut proto = file::read(path)?;
        let taken = Taken::out_of(&mut proto, path);
        let parser = Onnx { provider: Arc::new(taken), ..parser() };
        typed(&proto, path.parent().and_then(Path::to_str), &parser)
    })
}

/// Types a model that was made in memory.
pub(super) fn from_proto(proto: &ModelProto) -> Result<TypedModel, Unusable> {
    guarded("the synthetic model does not type", || typed(proto, None, &parser()))
}

/// tract's, but for operators that it reads as another version of ONNX has them, or takes its time for.
fn parser() -> Onnx {
    let mut parser = tract_onnx::onnx();
    parser.op_register.insert("PRelu", prelu::prelu);
    parser.op_register.insert("LRN", lrn::lrn);
    parser
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

/// Types a sound model; weights in files of their own are looked for in the folder.
fn typed(proto: &ModelProto, folder: Option<&str>, parser: &Onnx) -> TractResult<TypedModel> {
    proto.graph.as_ref().map_or(Ok(()), sound::sound).map_err(TractError::msg)?;
    let parsed = parser.parse(proto, folder)?;
    ensure!(parsed.unresolved_inputs.is_empty(), "nothing gives {:?}", parsed.unresolved_inputs);
    let mut model = parsed.model;
    for input in 0..model.inputs.len() {
        let fact = concrete_input(&model, input)?;
        model.set_input_fact(input, fact)?;
    }
    for output in model.outputs.clone() {
        // An exporter's output shape may still carry the symbolic batch.
        model.set_outlet_fact(output, InferenceFact::default())?;
    }
    tidy::tidy(model.into_typed()?)
}

/// An input with its shape fixed: an unnamed or symbolic first axis is a batch of one.
fn concrete_input(model: &InferenceModel, input: usize) -> TractResult<InferenceFact> {
    let name = &model.node(model.inputs[input].node).name;
    let fact = model.input_fact(input)?;
    let Some(dt) = fact.datum_type.concretize() else {
        bail!("input \"{name}\" has no element type");
    };
    if fact.shape.rank().concretize().is_none() {
        bail!("input \"{name}\" has no shape; export the model with one");
    }
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
    ensure!(!is_vast(&dims), "input \"{name}\" of shape {dims:?} is {VAST}");
    Ok(InferenceFact::dt_shape(dt, dims))
}

fn is_vast(dims: &[usize]) -> bool {
    let elements = dims.iter().try_fold(1usize, |product, dim| product.checked_mul(*dim));
    elements.is_none_or(|elements| elements > ELEMENTS_MAX)
}

/// 1 GiB of `f32`: more than any model's input, and it still fits in memory.
const ELEMENTS_MAX: usize = 1 << 28;
const VAST: &str = "too large: kofn takes values of 2^28 numbers at most";

/// The shape of a value in the graph, which is neither empty nor vast.
pub(super) fn concrete_shape(graph: &TypedModel, outlet: OutletId) -> Result<Vec<usize>, Unusable> {
    let fact = graph
        .outlet_fact(outlet)
        .map_err(|error| Unusable::because("the graph has a dangling edge", &error))?;
    let refused = |why: &str| {
        let name = &graph.node(outlet.node).name;
        Err(Unusable(format!("node \"{name}\" gives {:?}: {why}", fact.shape)))
    };
    match fact.shape.as_concrete() {
        Some(dims) if dims.contains(&0) => refused("there is nothing in it"),
        Some(dims) if is_vast(dims) => refused(&format!("it is {VAST}")),
        Some(dims) => Ok(dims.to_vec()),
        // What is neither a number nor depends on one is an axis broadcast to two sizes.
        None if fact.shape.iter().all(|dim| dim.symbols().is_empty()) => {
            refused("its operands do not fit")
        }
        None => refused("its shape depends on the data, which kofn cannot plan for"),
    }
}
