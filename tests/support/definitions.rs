//! ONNX's own definitions in `f64`, as slowly as they are written down. Nothing here knows kofn, or
//! how tract reads a file.

use std::collections::BTreeMap;

use ndarray::{ArrayD, Axis, Dimension, IxDyn, indices};
use tract_onnx::pb::{AttributeProto, NodeProto};

use crate::graph::Graph;

impl Graph {
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
        "Sub" => broadcast(x[0], x[1], |a, b| a - b),
        "Div" => broadcast(x[0], x[1], |a, b| a / b),
        "Mul" => broadcast(x[0], x[1], |a, b| a * b),
        "BatchNormalization" => normalised(node, x),
        "PRelu" => broadcast(x[0], x[1], |x, slope| if x < 0.0 { slope * x } else { x }),
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

/// Each channel moved and scaled as if it had mean 0 and variance 1, then by its own numbers.
fn normalised(node: &NodeProto, x: &[&ArrayD<f64>]) -> ArrayD<f64> {
    let epsilon = attribute_of(node, "epsilon").map_or(1e-5, |epsilon| f64::from(epsilon.f));
    ArrayD::from_shape_fn(x[0].shape(), |at| {
        let [scale, bias, mean, variance] = [1, 2, 3, 4].map(|input| x[input][[at[1]]]);
        (x[0][&at] - mean) / (variance + epsilon).sqrt() * scale + bias
    })
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
