//! Small ONNX graphs: read from a line of text, written as any exporter might write them, and worked
//! out in `f64` from ONNX's own definitions. Nothing here knows kofn, or how tract reads a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::{ArrayD, Axis, Dimension, IxDyn, indices};
use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_shape_proto::{Dimension as Dim, dimension::Value as Size};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

/// A graph whose nodes are called as their outputs are.
#[derive(Default)]
pub(crate) struct Graph {
    /// Names and shapes; an axis of -1 is open.
    inputs: Vec<(String, Vec<i64>)>,
    constants: BTreeMap<String, ArrayD<f32>>,
    pub(crate) nodes: Vec<NodeProto>,
    outputs: Vec<String>,
}

/// Where a file keeps its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As bytes.
    Raw,
    /// As a list of floats.
    Floats,
    /// In nodes without inputs.
    Nodes,
    /// As bytes, and named among the inputs too, as IR 3 demands.
    Inputs,
}

impl Graph {
    /// `in x[1, 5]; w[5, 7]; y = Gemm(x, w, alpha=0.5); out y`: inputs, constants whose numbers are
    /// drawn, nodes, and outputs.
    pub(crate) fn of(text: &str) -> Self {
        let mut graph = Self::default();
        for line in text.split(';').map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(input) = line.strip_prefix("in ") {
                graph.inputs.push(shaped(input));
            } else if let Some(outputs) = line.strip_prefix("out ") {
                graph.outputs.extend(parts(outputs).into_iter().map(str::to_owned));
            } else if let Some((output, formula)) = line.split_once(" = ") {
                graph.nodes.push(node(output, formula));
            } else {
                let (name, dims) = shaped(line);
                let salt = graph.constants.len() as u64 + 1;
                graph.constants.insert(name, numbers(&dims, salt));
            }
        }
        graph
    }

    /// Numbers for its inputs.
    pub(crate) fn draw_inputs(&self) -> Vec<ArrayD<f32>> {
        self.inputs.iter().zip(1000..).map(|((_, dims), salt)| numbers(dims, salt)).collect()
    }

    /// Writes `model.onnx` into a folder.
    pub(crate) fn write(&self, form: Form, folder: &Path) -> PathBuf {
        let file = folder.join("model.onnx");
        std::fs::write(&file, self.model(form).encode_to_vec()).expect("a model is written");
        file
    }

    fn model(&self, form: Form) -> ModelProto {
        let tensors = || self.constants.iter().map(|(name, values)| tensor(name, values, form));
        let mut input: Vec<_> = self.inputs.iter().map(|(name, dims)| value(name, dims)).collect();
        if form == Form::Inputs {
            input.extend(tensors().map(|tensor| value(&tensor.name, &tensor.dims)));
        }
        let constants =
            if form == Form::Nodes { tensors().map(constant).collect() } else { vec![] };
        let graph = GraphProto {
            node: constants.into_iter().chain(self.nodes.iter().cloned()).collect(),
            initializer: if form == Form::Nodes { vec![] } else { tensors().collect() },
            input,
            output: self.outputs.iter().map(|name| shapeless(name)).collect(),
            ..GraphProto::default()
        };
        let (ir_version, version) = if form == Form::Inputs { (3, 9) } else { (8, 13) };
        ModelProto {
            ir_version,
            opset_import: vec![OperatorSetIdProto { version, ..OperatorSetIdProto::default() }],
            graph: Some(graph),
            ..ModelProto::default()
        }
    }

    /// Its outputs in `f64`, node by node.
    pub(crate) fn plain(&self, inputs: &[ArrayD<f32>]) -> Vec<ArrayD<f64>> {
        let wide = |name: &String, x: &ArrayD<f32>| (name.clone(), x.mapv(f64::from));
        let mut values: BTreeMap<String, ArrayD<f64>> =
            self.constants.iter().map(|(name, x)| wide(name, x)).collect();
        values.extend(self.inputs.iter().zip(inputs).map(|((name, _), x)| wide(name, x)));
        for node in &self.nodes {
            let inputs: Vec<&ArrayD<f64>> = node.input.iter().map(|name| &values[name]).collect();
            let output = operator(node, &inputs);
            values.insert(node.output[0].clone(), output);
        }
        self.outputs.iter().map(|name| values[name].clone()).collect()
    }
}

/// `name[2, 3]`.
fn shaped(text: &str) -> (String, Vec<i64>) {
    let (name, dims) = text.split_once('[').expect("a name and a shape");
    (name.to_owned(), whole_numbers(dims))
}

/// `2, 3]`, with the opening bracket or without.
fn whole_numbers(list: &str) -> Vec<i64> {
    let list = parts(list.trim_matches(['[', ']']));
    list.into_iter().map(|number| number.parse().expect("a whole number")).collect()
}

/// What stands between commas, unless those are inside brackets.
fn parts(text: &str) -> Vec<&str> {
    let mut depth = 0;
    let between = text.split(|c| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        c == ',' && depth == 0
    });
    between.map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// `Op(input, …, attribute=value, …)`.
fn node(output: &str, formula: &str) -> NodeProto {
    let (op, rest) = formula.trim_end_matches(')').split_once('(').expect("an operator's inputs");
    let (attributes, inputs): (Vec<&str>, _) = parts(rest).iter().partition(|p| p.contains('='));
    NodeProto {
        name: output.to_owned(),
        op_type: op.to_owned(),
        input: inputs.into_iter().map(str::to_owned).collect(),
        output: vec![output.to_owned()],
        attribute: attributes.into_iter().map(attribute).collect(),
        ..NodeProto::default()
    }
}

fn attribute(text: &str) -> AttributeProto {
    let (name, value) = text.split_once('=').expect("a name and a value");
    if value.starts_with('[') {
        AttributeProto { ints: whole_numbers(value), ..named(name, AttributeType::Ints) }
    } else if let Ok(i) = value.parse() {
        AttributeProto { i, ..named(name, AttributeType::Int) }
    } else if let Ok(f) = value.parse() {
        AttributeProto { f, ..named(name, AttributeType::Float) }
    } else {
        AttributeProto { s: value.as_bytes().to_vec(), ..named(name, AttributeType::String) }
    }
}

fn named(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: kind as i32, ..AttributeProto::default() }
}

/// Numbers in [-1, 1), the same for the same salt. An open axis is a batch of one.
fn numbers(dims: &[i64], salt: u64) -> ArrayD<f32> {
    let dims: Vec<usize> = dims.iter().map(|dim| usize::try_from(*dim).unwrap_or(1)).collect();
    let mut state = salt.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ArrayD::from_shape_simple_fn(dims, || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 41) as f32 / (1 << 22) as f32 - 1.0
    })
}

// ONNX in, as its schema has it.

fn tensor(name: &str, values: &ArrayD<f32>, form: Form) -> TensorProto {
    let floats = values.iter().copied();
    let dims = values.shape().iter().map(|dim| *dim as i64).collect();
    let tensor = TensorProto { name: name.to_owned(), dims, data_type: 1, ..Default::default() };
    match form {
        Form::Floats => TensorProto { float_data: floats.collect(), ..tensor },
        Form::Raw | Form::Nodes | Form::Inputs => {
            TensorProto { raw_data: floats.flat_map(f32::to_le_bytes).collect(), ..tensor }
        }
    }
}

fn constant(tensor: TensorProto) -> NodeProto {
    NodeProto {
        name: format!("{}.node", tensor.name),
        op_type: "Constant".to_owned(),
        output: vec![tensor.name.clone()],
        attribute: vec![AttributeProto {
            t: Some(tensor),
            ..named("value", AttributeType::Tensor)
        }],
        ..NodeProto::default()
    }
}

fn shapeless(name: &str) -> ValueInfoProto {
    ValueInfoProto { name: name.to_owned(), ..ValueInfoProto::default() }
}

fn value(name: &str, dims: &[i64]) -> ValueInfoProto {
    let size = |dim: &i64| match dim {
        -1 => Size::DimParam("open".to_owned()),
        size => Size::DimValue(*size),
    };
    let dim = dims.iter().map(|dim| Dim { value: Some(size(dim)), ..Dim::default() }).collect();
    let tensor = type_proto::Tensor { elem_type: 1, shape: Some(TensorShapeProto { dim }) };
    let value = Some(type_proto::Value::TensorType(tensor));
    ValueInfoProto { r#type: Some(TypeProto { value, ..TypeProto::default() }), ..shapeless(name) }
}

// ONNX's definitions, as slowly as they are written down.

fn attribute_of<'n>(node: &'n NodeProto, name: &str) -> Option<&'n AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

fn int_of(node: &NodeProto, name: &str, default: i64) -> i64 {
    attribute_of(node, name).map_or(default, |attribute| attribute.i)
}

fn operator(node: &NodeProto, x: &[&ArrayD<f64>]) -> ArrayD<f64> {
    match node.op_type.as_str() {
        "Conv" => convolution(node, x[0], x[1], x.get(2).copied()),
        "Gemm" => gemm(node, x[0], x[1], x.get(2).copied()),
        "MatMul" => product(x[0], x[1]),
        "Add" => broadcast(x[0], x[1], |a, b| a + b),
        "Relu" => x[0].mapv(|x| x.max(0.0)),
        "Transpose" => {
            let perm = &attribute_of(node, "perm").expect("a permutation").ints;
            let perm: Vec<usize> = perm.iter().map(|axis| *axis as usize).collect();
            x[0].view().permuted_axes(perm).to_owned()
        }
        "Flatten" => {
            let shape = [x[0].shape()[0], x[0].len() / x[0].shape()[0]];
            x[0].to_shape(IxDyn(&shape)).expect("as many elements").into_owned()
        }
        "Concat" => {
            let parts: Vec<_> = x.iter().map(|x| x.view()).collect();
            ndarray::concatenate(Axis(int_of(node, "axis", 0) as usize), &parts).expect("parts fit")
        }
        op => panic!("no definition of {op} here"),
    }
}

/// The element that an index means when axes of size one, and missing first axes, are repeated.
fn repeated(x: &ArrayD<f64>, index: &[usize]) -> f64 {
    let index = &index[index.len() - x.ndim()..];
    let index: Vec<usize> = index.iter().zip(x.shape()).map(|(i, size)| i % size).collect();
    x[&index[..]]
}

fn common_shape(a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let size = |shape: &[usize], axis: usize| {
        (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis])
    };
    (0..rank).map(|axis| size(a, axis).max(size(b, axis))).collect()
}

fn broadcast(a: &ArrayD<f64>, b: &ArrayD<f64>, f: impl Fn(f64, f64) -> f64) -> ArrayD<f64> {
    let shape = common_shape(a.shape(), b.shape());
    ArrayD::from_shape_fn(shape, |at| f(repeated(a, at.slice()), repeated(b, at.slice())))
}

/// NumPy's `matmul`: a vector is a matrix of one row on the left, and of one column on the right.
fn product(a: &ArrayD<f64>, b: &ArrayD<f64>) -> ArrayD<f64> {
    if a.ndim() == 1 {
        let y = product(&a.clone().insert_axis(Axis(0)), b);
        let axis = Axis(y.ndim() - 2);
        return y.index_axis_move(axis, 0);
    }
    if b.ndim() == 1 {
        let y = product(a, &b.clone().insert_axis(Axis(1)));
        let axis = Axis(y.ndim() - 1);
        return y.index_axis_move(axis, 0);
    }
    let (a_batch, b_batch) = (&a.shape()[..a.ndim() - 2], &b.shape()[..b.ndim() - 2]);
    let (rows, depth, columns) =
        (a.shape()[a.ndim() - 2], a.shape()[a.ndim() - 1], b.shape()[b.ndim() - 1]);
    let shape = [common_shape(a_batch, b_batch), vec![rows, columns]].concat();
    ArrayD::from_shape_fn(shape, |at| {
        let (batch, place) = at.slice().split_at(at.ndim() - 2);
        let term = |k: usize| {
            repeated(a, &[batch, &[place[0], k]].concat())
                * repeated(b, &[batch, &[k, place[1]]].concat())
        };
        (0..depth).map(term).sum()
    })
}

/// `alpha · A' · B' + beta · C`.
fn gemm(
    node: &NodeProto,
    a: &ArrayD<f64>,
    b: &ArrayD<f64>,
    c: Option<&ArrayD<f64>>,
) -> ArrayD<f64> {
    let scale = |name| attribute_of(node, name).map_or(1.0, |attribute| f64::from(attribute.f));
    let turned = |x: &ArrayD<f64>, name| {
        if int_of(node, name, 0) == 1 { x.t().to_owned() } else { x.clone() }
    };
    let product = product(&turned(a, "transA"), &turned(b, "transB")) * scale("alpha");
    match c {
        Some(c) => broadcast(&product, &(c * scale("beta")), |ab, c| ab + c),
        None => product,
    }
}

fn convolution(
    node: &NodeProto,
    x: &ArrayD<f64>,
    w: &ArrayD<f64>,
    bias: Option<&ArrayD<f64>>,
) -> ArrayD<f64> {
    let axes = slides(node, &x.shape()[2..], &w.shape()[2..]);
    let mut shape = vec![x.shape()[0], w.shape()[0]];
    shape.extend(axes.iter().map(|axis| axis.outputs));
    let rows = w.shape()[0] / int_of(node, "group", 1) as usize;
    ArrayD::from_shape_fn(shape, |at| {
        let (image, channel) = (at[0], at[1]);
        let mut sum = bias.map_or(0.0, |bias| bias[channel]);
        for tap in indices(IxDyn(&w.shape()[1..])) {
            let mut from = vec![image, channel / rows * w.shape()[1] + tap[0]];
            let places = at.slice()[2..].iter().zip(&tap.slice()[1..]);
            from.extend(axes.iter().zip(places).map(|(axis, (output, tap))| {
                (output * axis.stride + tap * axis.dilation).wrapping_sub(axis.before)
            }));
            // What lies outside, below zero too, is zero.
            let input = x.get(&from[..]).copied().unwrap_or(0.0);
            sum += w[&[&[channel], tap.slice()].concat()[..]] * input;
        }
        sum
    })
}

/// How a kernel moves along one axis.
struct Slide {
    stride: usize,
    dilation: usize,
    /// Zeros before the input.
    before: usize,
    outputs: usize,
}

fn slides(node: &NodeProto, input: &[usize], kernel: &[usize]) -> Vec<Slide> {
    let rank = kernel.len();
    let sizes = |name, default: Vec<usize>| match attribute_of(node, name) {
        Some(attribute) => attribute.ints.iter().map(|size| *size as usize).collect(),
        None => default,
    };
    let (strides, dilations) = (sizes("strides", vec![1; rank]), sizes("dilations", vec![1; rank]));
    let pads = sizes("pads", vec![0; 2 * rank]);
    let auto_pad = attribute_of(node, "auto_pad").map(|attribute| attribute.s.as_slice());
    let slide = |axis: usize| {
        let (input, stride, dilation) = (input[axis], strides[axis], dilations[axis]);
        let reach = (kernel[axis] - 1) * dilation + 1;
        // As many outputs as strides in the input.
        let same = ((input.div_ceil(stride) - 1) * stride + reach).saturating_sub(input);
        let (before, after) = match auto_pad {
            Some(b"SAME_UPPER") => (same / 2, same.div_ceil(2)),
            Some(b"SAME_LOWER") => (same.div_ceil(2), same / 2),
            _ => (pads[axis], pads[rank + axis]),
        };
        let outputs = (before + input + after - reach) / stride + 1;
        Slide { stride, dilation, before, outputs }
    };
    (0..rank).map(slide).collect()
}
