//! Which nodes are linear in a constant weight, and how each becomes one product.

use tract_onnx::tract_core::axes::Axis;
use tract_onnx::tract_core::ops::cnn::{Conv, Deconv, KernelFormat, MaxPool, PaddingSpec, SumPool};
use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_core::ops::nn::DataFormat;
use tract_onnx::tract_hir::internal::*;

use super::Weights;
use super::linear::{LinearOp, Lowering, Patches, Raising};

/// What a node turned out to be.
pub(super) enum Lowered {
    NotLinear,
    /// Linear, but not in a form that can be coded; the reason.
    Local(String),
    /// ONNX defines no output for it, which tract does not notice; the reason.
    Impossible(String),
    Layer {
        kind: String,
        op: Box<LinearOp>,
        weights: Weights,
        bias: Option<Vec<f32>>,
    },
}

/// Looks at one node of a decluttered graph.
pub(super) fn lower(graph: &TypedModel, node: usize) -> Lowered {
    let node = graph.node(node);
    let attempt = if let Some(conv) = node.op_as::<Conv>() {
        convolution(graph, node, conv)
    } else if let Some(einsum) = node.op_as::<EinSum>() {
        match constant_operand(graph, node) {
            Some(weights) => matrix_product(graph, node, einsum, weights),
            None => return Lowered::NotLinear,
        }
    } else if node.op_is::<Deconv>() {
        Err("a transposed convolution is not a product of coded rows with patches".to_owned())
    } else {
        return pool(graph, node);
    };
    attempt.unwrap_or_else(Lowered::Local)
}

/// A pool is not linear. tract lets one look beyond its padded input, where ONNX has no output.
fn pool(graph: &TypedModel, node: &TypedNode) -> Lowered {
    let max = node.op_as::<MaxPool>().map(|pool| &pool.pool_spec);
    let Some(spec) = max.or_else(|| node.op_as::<SumPool>().map(|pool| &pool.pool_spec)) else {
        return Lowered::NotLinear;
    };
    let PaddingSpec::ExplicitOnnxPool(before, after, is_ceil) = &spec.padding else {
        return Lowered::NotLinear;
    };
    let Ok(shape) = shape(graph, node.inputs[0]) else { return Lowered::NotLinear };
    let Ok(shape) = spec.data_format.shape(&shape) else { return Lowered::NotLinear };
    let space = shape.hw_dims();
    let beyond = |axis: usize| {
        let reach = (spec.kernel_shape[axis] - 1) * spec.dilation(axis) + 1;
        let slack = if *is_ceil { spec.stride(axis) - 1 } else { 0 };
        reach > before[axis] + space[axis] + after[axis] + slack
    };
    match (0..spec.rank()).find(|axis| beyond(*axis)) {
        Some(axis) => {
            Lowered::Impossible(format!("its kernel is larger than its input along axis {axis}"))
        }
        None => Lowered::NotLinear,
    }
}

/// Which of the two operands of a product is the constant one.
fn constant_operand(graph: &TypedModel, node: &TypedNode) -> Option<usize> {
    let constant = |slot: usize| graph.outlet_fact(node.inputs[slot]).ok()?.konst.clone();
    match (node.inputs.len(), constant(0), constant(1)) {
        (2, None, Some(_)) => Some(1),
        (2, Some(_), None) => Some(0),
        _ => None,
    }
}

fn shape(graph: &TypedModel, outlet: OutletId) -> Result<Vec<usize>, String> {
    let fact = graph.outlet_fact(outlet).map_err(|error| error.to_string())?;
    if fact.datum_type != f32::datum_type() {
        return Err(format!("it computes in {:?}, and shares are f32", fact.datum_type));
    }
    let shape = fact.shape.as_concrete().ok_or("its shape is not fixed")?;
    Ok(shape.to_vec())
}

/// A constant operand of `f32`, called `what`.
fn constant(graph: &TypedModel, outlet: OutletId, what: &str) -> Result<Arc<Tensor>, String> {
    let fact = graph.outlet_fact(outlet).map_err(|error| error.to_string())?;
    let tensor = fact.konst.as_ref().ok_or_else(|| format!("its {what} not constant"))?;
    tensor.to_plain_array_view::<f32>().map_err(|error| error.to_string())?;
    Ok(tensor.clone())
}

/// A constant's numbers as weights, its axes in another order.
fn as_weights(constant: &Arc<Tensor>, axes: &[usize]) -> Result<Weights, String> {
    Weights::of_constant(constant, axes).ok_or_else(|| "its weights are no numbers".to_owned())
}

fn convolution(graph: &TypedModel, node: &TypedNode, conv: &Conv) -> Result<Lowered, String> {
    let spec = &conv.pool_spec;
    if !spec.output_channels.is_multiple_of(conv.group) {
        let (channels, groups) = (spec.output_channels, conv.group);
        let why =
            format!("its {channels} output channels are not the same in each of {groups} groups");
        return Ok(Lowered::Impossible(why));
    }
    if graph.outlet_fact(node.inputs[0]).is_ok_and(|fact| fact.konst.is_some()) {
        return Err("its input is constant".to_owned());
    }
    if conv.q_params.is_some() {
        return Err("quantised convolutions are not coded".to_owned());
    }
    let batched = match spec.data_format {
        DataFormat::NCHW => true,
        DataFormat::CHW => false,
        DataFormat::NHWC | DataFormat::HWC => {
            return Err("channels-last convolutions are not coded".to_owned());
        }
    };
    if conv.kernel_fmt != KernelFormat::OIHW || spec.rank() > 3 {
        return Err(format!("its kernel is laid out as {:?}", conv.kernel_fmt));
    }
    let (input, output) = (shape(graph, node.inputs[0])?, shape(graph, OutletId::new(node.id, 0))?);
    let (batch, space) = if batched { (input[0], &input[2..]) } else { (1, &input[1..]) };
    let output_space = &output[output.len() - spec.rank()..];
    let pads: Vec<usize> = spec.computed_padding(space).iter().map(|dim| dim.pad_before).collect();
    let patches = Patches {
        batch,
        channels: spec.input_channels,
        input: spatial(space, 1),
        kernel: spatial(&spec.kernel_shape, 1),
        stride: spatial(&spec.strides(), 1),
        dilation: spatial(&spec.dilations(), 1),
        pad: spatial(&pads, 0),
        output: spatial(output_space, 1),
    };
    let positions: usize = output_space.iter().product();
    let (groups, rows) = (conv.group, spec.output_channels / conv.group);
    let kernel_size: usize = spec.kernel_shape.iter().product();
    let kernels = constant(graph, node.inputs[1], "weights are")?;
    let weights = as_weights(&kernels, &(0..kernels.rank()).collect::<Vec<_>>())?;
    let bias = constant(graph, node.inputs[2], "bias is")?;
    let bias = as_weights(&bias, &(0..bias.rank()).collect::<Vec<_>>())?;
    let bias = match bias[..] {
        [bias] => vec![bias; groups * rows],
        _ => bias.to_vec(),
    };
    let op = LinearOp {
        input,
        groups,
        rows,
        depth: spec.input_channels / conv.group * kernel_size,
        columns: batch * positions,
        lowering: Lowering::patches(patches, groups),
        raising: Raising {
            dims: vec![groups, rows, batch, positions],
            axes: if batch == 1 { vec![0, 1, 2, 3] } else { vec![2, 0, 1, 3] },
            shape: output,
        },
    };
    let sizes: Vec<String> = spec.kernel_shape.iter().map(ToString::to_string).collect();
    let kind = format!("conv {}", sizes.join("×"));
    let bias = bias.iter().any(|b| *b != 0.0).then_some(bias);
    Ok(Lowered::Layer { kind, op: Box::new(op), weights, bias })
}

/// The last three entries, filled up in front.
fn spatial(dims: &[usize], fill: usize) -> [usize; 3] {
    let mut out = [fill; 3];
    out[3 - dims.len()..].copy_from_slice(dims);
    out
}

/// The axes of a product, sorted by where they occur. Positions are in activation, weights, output.
#[derive(Default)]
struct Roles<'m> {
    group: Vec<&'m Axis>,
    row: Vec<&'m Axis>,
    depth: Vec<&'m Axis>,
    column: Vec<&'m Axis>,
}

fn matrix_product(
    graph: &TypedModel,
    node: &TypedNode,
    einsum: &EinSum,
    weights: usize,
) -> Result<Lowered, String> {
    let activation = 1 - weights;
    let x = shape(graph, node.inputs[activation])?;
    let y = shape(graph, OutletId::new(node.id, 0))?;
    let w = constant(graph, node.inputs[weights], "weights are")?;
    if einsum.q_params.is_some() {
        return Err("quantised products are not coded".to_owned());
    }
    let place = |slots: &[usize]| match slots {
        [] => Ok(None),
        [at] => Ok(Some(*at)),
        _ => Err(format!("axis repeated within one operand in {}", einsum.axes)),
    };
    let mut roles = Roles::default();
    for axis in einsum.axes.iter_all_axes() {
        let in_x = place(&axis.inputs[activation])?;
        let in_w = place(&axis.inputs[weights])?;
        let in_y = place(&axis.outputs[0])?;
        let sizes = [in_x.map(|i| x[i]), in_w.map(|i| w.shape()[i]), in_y.map(|i| y[i])];
        let mut known = sizes.iter().flatten();
        let size = *known.next().ok_or("an axis that occurs nowhere")?;
        if known.any(|other| *other != size) {
            return Err(format!("it broadcasts an axis in {}", einsum.axes));
        }
        match (in_x.is_some(), in_w.is_some(), in_y.is_some()) {
            (true, true, true) => roles.group.push(axis),
            (false, true, true) => roles.row.push(axis),
            (true, true, false) => roles.depth.push(axis),
            (true, false, true) => roles.column.push(axis),
            // A unit axis on one side alone is only a matter of shape.
            _ if size == 1 => {}
            _ => return Err(format!("it sums one operand alone in {}", einsum.axes)),
        }
    }
    if roles.row.is_empty() {
        return Err(
            "no axis of its weights reaches the output alone, so there are no rows".to_owned()
        );
    }
    product_of(&roles, activation, weights, &x, &w, y)
}

fn product_of(
    roles: &Roles<'_>,
    activation: usize,
    weights: usize,
    x: &[usize],
    w: &Arc<Tensor>,
    y: Vec<usize>,
) -> Result<Lowered, String> {
    let in_x = |axis: &&Axis| axis.inputs[activation][0];
    let in_w = |axis: &&Axis| axis.inputs[weights][0];
    let in_y = |axis: &&Axis| axis.outputs[0][0];
    // Unit axes left out above are appended, so that permutations are complete.
    let complete = |mut axes: Vec<usize>, rank: usize| {
        axes.extend((0..rank).filter(|axis| !axes.contains(axis)).collect::<Vec<_>>());
        axes
    };
    let w_axes: Vec<usize> =
        [&roles.group, &roles.row, &roles.depth].into_iter().flatten().map(in_w).collect();
    let x_axes: Vec<usize> =
        [&roles.group, &roles.depth, &roles.column].into_iter().flatten().map(in_x).collect();
    let y_order: Vec<usize> =
        [&roles.group, &roles.row, &roles.column].into_iter().flatten().map(in_y).collect();
    let size = |axes: &[&Axis], position: &dyn Fn(&&Axis) -> usize, shape: &[usize]| -> usize {
        axes.iter().map(|axis| shape[position(axis)]).product()
    };
    let mut axes: Vec<usize> = (0..y_order.len()).collect();
    axes.sort_by_key(|axis| y_order[*axis]);
    let op = LinearOp {
        input: x.to_vec(),
        groups: size(&roles.group, &in_x, x),
        rows: size(&roles.row, &in_w, w.shape()),
        depth: size(&roles.depth, &in_x, x),
        columns: size(&roles.column, &in_x, x),
        raising: Raising { dims: y_order.iter().map(|at| y[*at]).collect(), axes, shape: y },
        lowering: Lowering::Permute { axes: complete(x_axes, x.len()) },
    };
    let weights = as_weights(w, &complete(w_axes, w.rank()))?;
    Ok(Lowered::Layer { kind: "dense".to_owned(), op: Box::new(op), weights, bias: None })
}
