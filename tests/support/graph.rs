//! Small ONNX graphs: written as any exporter might write them, and worked out in `f64` from ONNX's
//! own definitions, operator by operator. Nothing here knows kofn or how tract reads a file.

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

/// A graph under construction. Nodes are called as their first output is.
#[derive(Clone, Default)]
pub(crate) struct Graph {
    pub(crate) inputs: Vec<(String, Vec<i64>)>,
    pub(crate) constants: BTreeMap<String, ArrayD<f32>>,
    pub(crate) nodes: Vec<NodeProto>,
    pub(crate) outputs: Vec<String>,
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
    /// A size of -1 leaves an axis open.
    pub(crate) fn input(mut self, name: &str, shape: &[i64]) -> Self {
        self.inputs.push((name.to_owned(), shape.to_vec()));
        self
    }

    /// A constant whose numbers are drawn.
    pub(crate) fn weights(mut self, name: &str, shape: &[usize]) -> Self {
        let salt = self.constants.len() as u64 + 1;
        self.constants.insert(name.to_owned(), numbers(shape, salt));
        self
    }

    /// A node as a formula: `y = Conv(x, w, b)`.
    pub(crate) fn node(mut self, formula: &str, attribute: &[AttributeProto]) -> Self {
        let parts = formula.split_once(" = ").zip(formula.trim_end_matches(')').split_once('('));
        let ((output, _), (op, inputs)) = parts.expect("`output = Op(inputs)`");
        let (_, op) = op.split_once(" = ").expect("`output = Op(inputs)`");
        self.nodes.push(NodeProto {
            name: output.to_owned(),
            op_type: op.to_owned(),
            input: inputs.split(", ").map(str::to_owned).collect(),
            output: vec![output.to_owned()],
            attribute: attribute.to_vec(),
            ..NodeProto::default()
        });
        self
    }

    pub(crate) fn output(mut self, name: &str) -> Self {
        self.outputs.push(name.to_owned());
        self
    }

    /// Numbers for its inputs.
    pub(crate) fn some_inputs(&self) -> Vec<ArrayD<f32>> {
        let size = |dim: &i64| usize::try_from(*dim).unwrap_or(1);
        let shape = |dims: &[i64]| dims.iter().map(size).collect::<Vec<_>>();
        let inputs = self.inputs.iter().zip(1000..);
        inputs.map(|((_, dims), salt)| numbers(&shape(dims), salt)).collect()
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

/// Numbers in [-1, 1) that repeat nowhere; the same for the same salt.
fn numbers(shape: &[usize], salt: u64) -> ArrayD<f32> {
    let mut state = salt.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ArrayD::from_shape_simple_fn(shape, || {
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
            ..attribute("value", AttributeType::Tensor)
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

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: kind as i32, ..AttributeProto::default() }
}

pub(crate) fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { i, ..attribute(name, AttributeType::Int) }
}

pub(crate) fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { ints: ints.to_vec(), ..attribute(name, AttributeType::Ints) }
}

pub(crate) fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { f, ..attribute(name, AttributeType::Float) }
}

pub(crate) fn text(name: &str, text: &str) -> AttributeProto {
    AttributeProto { s: text.as_bytes().to_vec(), ..attribute(name, AttributeType::String) }
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
        "Mul" => broadcast(x[0], x[1], |a, b| a * b),
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
    let (input, kernel) = (&x.shape()[2..], &w.shape()[2..]);
    let each = |name| match attribute_of(node, name) {
        Some(attribute) => attribute.ints.iter().map(|size| *size as usize).collect(),
        None => vec![1; kernel.len()],
    };
    let (strides, dilations) = (each("strides"), each("dilations"));
    let reach: Vec<usize> = (0..kernel.len()).map(|d| (kernel[d] - 1) * dilations[d] + 1).collect();
    let pads: Vec<(usize, usize)> =
        (0..kernel.len()).map(|d| padding(node, d, input[d], strides[d], reach[d])).collect();
    let space =
        (0..kernel.len()).map(|d| (pads[d].0 + input[d] + pads[d].1 - reach[d]) / strides[d] + 1);
    let shape: Vec<usize> = [x.shape()[0], w.shape()[0]].into_iter().chain(space).collect();
    let rows = w.shape()[0] / int_of(node, "group", 1) as usize;
    ArrayD::from_shape_fn(shape, |at| {
        let (image, channel) = (at[0], at[1]);
        let mut sum = bias.map_or(0.0, |bias| bias[channel]);
        for tap in indices(IxDyn(&w.shape()[1..])) {
            let mut from = vec![image, channel / rows * w.shape()[1] + tap[0]];
            from.extend((0..kernel.len()).map(|d| {
                (at[2 + d] * strides[d] + tap[1 + d] * dilations[d]).wrapping_sub(pads[d].0)
            }));
            let weight = w[&[&[channel], tap.slice()].concat()[..]];
            // What lies outside, below zero too, is zero.
            sum += weight * x.get(&from[..]).copied().unwrap_or(0.0);
        }
        sum
    })
}

/// The zeros before and after one axis.
fn padding(
    node: &NodeProto,
    axis: usize,
    input: usize,
    stride: usize,
    reach: usize,
) -> (usize, usize) {
    let same = ((input.div_ceil(stride) - 1) * stride + reach).saturating_sub(input);
    match attribute_of(node, "auto_pad").map(|attribute| attribute.s.as_slice()) {
        Some(b"SAME_UPPER") => (same / 2, same - same / 2),
        Some(b"SAME_LOWER") => (same - same / 2, same / 2),
        Some(b"VALID") => (0, 0),
        _ => attribute_of(node, "pads").map_or((0, 0), |pads| {
            (pads.ints[axis] as usize, pads.ints[axis + pads.ints.len() / 2] as usize)
        }),
    }
}
