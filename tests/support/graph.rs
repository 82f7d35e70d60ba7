//! Small ONNX graphs: read from a line of text, written as any exporter might write them. Nothing
//! here knows kofn, or how tract reads a file.
#![allow(dead_code, reason = "each test uses a part of this")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::ArrayD;
use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataLocation;
use tract_onnx::pb::tensor_shape_proto::{Dimension as Dim, dimension::Value as Size};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

/// A graph whose nodes are called as their outputs are.
#[derive(Default)]
pub(crate) struct Graph {
    /// Names and shapes; an axis of -1 is open.
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
    /// As bytes in files beside the model's.
    Beside,
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
        if form == Form::Beside {
            for (name, values) in &self.constants {
                std::fs::write(folder.join(name), bytes(values)).expect("weights are written");
            }
        }
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
        output: parts(output).into_iter().map(str::to_owned).collect(),
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
    let dims = values.shape().iter().map(|dim| *dim as i64).collect();
    let tensor = TensorProto { name: name.to_owned(), dims, data_type: 1, ..Default::default() };
    match form {
        Form::Floats => TensorProto { float_data: values.iter().copied().collect(), ..tensor },
        Form::Beside => {
            let location =
                StringStringEntryProto { key: "location".to_owned(), value: name.to_owned() };
            let data_location = Some(DataLocation::External as i32);
            TensorProto { external_data: vec![location], data_location, ..tensor }
        }
        Form::Raw | Form::Nodes | Form::Inputs => TensorProto { raw_data: bytes(values), ..tensor },
    }
}

fn bytes(values: &ArrayD<f32>) -> Vec<u8> {
    values.iter().copied().flat_map(f32::to_le_bytes).collect()
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
