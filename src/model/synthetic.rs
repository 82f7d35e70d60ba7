//! Well-known architectures with seeded weights: shapes and costs are real, the numbers are not.
//!
//! They are made as ONNX in memory and enter by the same door as files.

use rand::RngExt;
use rand_distr::{Distribution, Normal};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, attribute_proto, tensor_shape_proto, type_proto,
};

use super::{Network, Unusable, onnx};
use crate::maths::chance::{Purpose, Seed};

/// An architecture whose weights are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Krizhevsky et al. 2012 as the papers split it: 5 convolutions (2, 4 and 5 in two groups), LRN,
    /// fc 9216–4096–4096–1000, input 3×227×227; 61 M parameters.
    AlexNet,
    /// Simonyan and Zisserman 2014, configuration D: 13 convolutions, fc 25088–4096–4096–1000; 138 M.
    Vgg16,
    /// `Vgg16` with a sixteenth of its channels and of the width of its dense layers: maps and strips have
    /// the real shapes, at a 256th of the work.
    Vgg16Narrow,
    /// So many dense layers, each from 16 inputs to `width` outputs, of which a local layer makes 16 again:
    /// light to compute, and wide enough to be cut in thousands of pieces.
    Fans { layers: usize, width: usize },
}

/// How wide fans are where they are held.
const HANDLE: usize = 16;
/// Weights of fans that are drawn at most.
const MOST_WEIGHTS: usize = 1 << 28;

impl Architecture {
    /// [`Self::Fans`], if there can be such.
    ///
    /// # Errors
    /// If not: what to choose.
    pub fn fans(layers: usize, width: usize) -> Result<Self, String> {
        let weights = layers.saturating_mul(width).saturating_mul(HANDLE);
        if weights == 0 || weights > MOST_WEIGHTS || !width.is_multiple_of(HANDLE) {
            return Err(format!(
                "there are no {layers} fans of width {width}: choose at least 1, a width that is a \
                 multiple of {HANDLE}, and {MOST_WEIGHTS} weights in all at most"
            ));
        }
        Ok(Self::Fans { layers, width })
    }

    /// The network with He-normal weights drawn from the seed.
    pub fn network(self, seed: Seed) -> Result<Network, Unusable> {
        let (name, proto) = match self {
            Self::AlexNet => ("AlexNet (synthetic weights)", alexnet(seed)),
            Self::Vgg16 => ("VGG16 (synthetic weights)", vgg16(seed, 1)),
            Self::Vgg16Narrow => ("VGG16/16 (synthetic weights)", vgg16(seed, 16)),
            Self::Fans { layers, width } => ("fans (synthetic weights)", fans(seed, layers, width)),
        };
        Network::from_graph(name.to_owned(), onnx::from_proto(&proto)?)
    }
}

fn alexnet(seed: Seed) -> ModelProto {
    let mut net = Builder::new(seed, [3, 227, 227]);
    net.conv("conv1", 96, 3, 11, 4, 0, 1);
    net.relu();
    net.lrn();
    net.pool(3, 2);
    net.conv("conv2", 256, 96, 5, 1, 2, 2);
    net.relu();
    net.lrn();
    net.pool(3, 2);
    net.conv("conv3", 384, 256, 3, 1, 1, 1);
    net.relu();
    net.conv("conv4", 384, 384, 3, 1, 1, 2);
    net.relu();
    net.conv("conv5", 256, 384, 3, 1, 1, 2);
    net.relu();
    net.pool(3, 2);
    net.classifier([9216, 4096, 4096, 1000]);
    net.finish(1000)
}

/// With one in so many channels.
fn vgg16(seed: Seed, narrower: i64) -> ModelProto {
    let mut net = Builder::new(seed, [3, 224, 224]);
    let mut channels = 3;
    for (block, (width, depth)) in
        [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)].iter().enumerate()
    {
        let width = width / narrower;
        for layer in 1..=*depth {
            net.conv(&format!("conv{}_{layer}", block + 1), width, channels, 3, 1, 1, 1);
            net.relu();
            channels = width;
        }
        net.pool(2, 2);
    }
    net.classifier([25088 / narrower, 4096 / narrower, 4096 / narrower, 1000]);
    net.finish(1000)
}

fn fans(seed: Seed, layers: usize, width: usize) -> ModelProto {
    let (handle, width) = (HANDLE as i64, width as i64);
    let mut net = Builder::new(seed, [1, 1, handle]);
    net.node("Flatten", "flatten", &[], vec![int("axis", 1)]);
    for layer in 1..=layers {
        net.dense(&format!("fan{layer}"), width, handle);
        net.relu();
        net.average(handle, width / handle);
    }
    net.finish(handle)
}

/// A chain of ONNX nodes under construction.
struct Builder {
    seed: Seed,
    graph: GraphProto,
    /// The name of the last value.
    last: String,
}

impl Builder {
    fn new(seed: Seed, input: [i64; 3]) -> Self {
        let shape = [1, input[0], input[1], input[2]];
        let input = vec![value("x", &shape)];
        let graph = GraphProto { name: "synthetic".to_owned(), input, ..GraphProto::default() };
        Self { seed, graph, last: "x".to_owned() }
    }

    fn node(&mut self, op: &str, name: &str, weights: &[String], attributes: Vec<AttributeProto>) {
        let output = format!("{name}.out{}", self.graph.node.len());
        let mut input = vec![self.last.clone()];
        input.extend_from_slice(weights);
        self.graph.node.push(NodeProto {
            op_type: op.to_owned(),
            name: format!("/{name}/{op}"),
            input,
            output: vec![output.clone()],
            attribute: attributes,
            ..NodeProto::default()
        });
        self.last = output;
    }

    /// He-normal: variance 2 / fan-in.
    fn weights(&mut self, name: &str, dims: &[i64]) -> String {
        let name = format!("{name}.weight");
        let fan_in: i64 = dims[1..].iter().product();
        let normal = Normal::new(0.0f32, (2.0 / fan_in as f32).sqrt()).expect("a finite deviation");
        let mut rng = self.seed.stream(Purpose::Weights, &[self.graph.initializer.len() as u64]);
        let count = dims.iter().product::<i64>() as usize;
        let raw = (0..count).flat_map(|_| normal.sample(&mut rng).to_le_bytes()).collect();
        self.initialise(name, dims, raw)
    }

    fn bias(&mut self, name: &str, len: i64) -> String {
        let mut rng = self.seed.stream(Purpose::Weights, &[self.graph.initializer.len() as u64]);
        let raw = (0..len).flat_map(|_| rng.random_range(-0.05f32..0.05).to_le_bytes()).collect();
        self.initialise(format!("{name}.bias"), &[len], raw)
    }

    fn initialise(&mut self, name: String, dims: &[i64], raw_data: Vec<u8>) -> String {
        self.graph.initializer.push(TensorProto {
            name: name.clone(),
            dims: dims.to_vec(),
            data_type: FLOAT,
            raw_data,
            ..TensorProto::default()
        });
        name
    }

    #[expect(clippy::too_many_arguments, reason = "a convolution has that many")]
    fn conv(
        &mut self,
        name: &str,
        out: i64,
        channels: i64,
        size: i64,
        stride: i64,
        pad: i64,
        groups: i64,
    ) {
        let weights = self.weights(name, &[out, channels / groups, size, size]);
        let bias = self.bias(name, out);
        let attributes = vec![
            ints("kernel_shape", &[size, size]),
            ints("strides", &[stride, stride]),
            ints("pads", &[pad; 4]),
            int("group", groups),
        ];
        self.node("Conv", name, &[weights, bias], attributes);
    }

    fn relu(&mut self) {
        let name = format!("relu{}", self.graph.node.len());
        self.node("Relu", &name, &[], vec![]);
    }

    /// The normalisation of the AlexNet paper, §3.3: n = 5, α = 1e-4, β = 0.75.
    fn lrn(&mut self) {
        let name = format!("lrn{}", self.graph.node.len());
        let attributes =
            vec![int("size", 5), float("alpha", 1e-4), float("beta", 0.75), float("bias", 2.0)];
        self.node("LRN", &name, &[], attributes);
    }

    fn pool(&mut self, size: i64, stride: i64) {
        let name = format!("pool{}", self.graph.node.len());
        let attributes =
            vec![ints("kernel_shape", &[size, size]), ints("strides", &[stride, stride])];
        self.node("MaxPool", &name, &[], attributes);
    }

    fn classifier(&mut self, widths: [i64; 4]) {
        self.node("Flatten", "flatten", &[], vec![int("axis", 1)]);
        for (layer, pair) in widths.windows(2).enumerate() {
            self.dense(&format!("fc{}", layer + 1), pair[1], pair[0]);
            if layer + 2 < widths.len() {
                self.relu();
            }
        }
    }

    fn dense(&mut self, name: &str, rows: i64, depth: i64) {
        let weights = self.weights(name, &[rows, depth]);
        let bias = self.bias(name, rows);
        self.node("Gemm", name, &[weights, bias], vec![int("transB", 1)]);
    }

    /// So many averages, each of so many neighbours.
    fn average(&mut self, groups: i64, of: i64) {
        let name = format!("average{}", self.graph.node.len());
        let shape = format!("{name}.shape");
        self.graph.initializer.push(TensorProto {
            name: shape.clone(),
            dims: vec![3],
            data_type: INT64,
            raw_data: [1, groups, of].iter().flat_map(|dim: &i64| dim.to_le_bytes()).collect(),
            ..TensorProto::default()
        });
        self.node("Reshape", &name, &[shape], vec![]);
        self.node("ReduceMean", &name, &[], vec![ints("axes", &[2]), int("keepdims", 0)]);
    }

    fn finish(mut self, classes: i64) -> ModelProto {
        self.graph.output.push(value(&self.last, &[1, classes]));
        ModelProto {
            ir_version: 8,
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 13 }],
            graph: Some(self.graph),
            ..ModelProto::default()
        }
    }
}

/// ONNX's number for `float`.
const FLOAT: i32 = 1;
/// Its number for `int64`.
const INT64: i32 = 7;

fn value(name: &str, shape: &[i64]) -> ValueInfoProto {
    let dim = |size: &i64| tensor_shape_proto::Dimension {
        value: Some(tensor_shape_proto::dimension::Value::DimValue(*size)),
        ..tensor_shape_proto::Dimension::default()
    };
    let tensor = type_proto::Tensor {
        elem_type: FLOAT,
        shape: Some(TensorShapeProto { dim: shape.iter().map(dim).collect() }),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}

fn attribute(name: &str, kind: attribute_proto::AttributeType) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: kind as i32, ..AttributeProto::default() }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { i, ..attribute(name, attribute_proto::AttributeType::Int) }
}

fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { ints: ints.to_vec(), ..attribute(name, attribute_proto::AttributeType::Ints) }
}

fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { f, ..attribute(name, attribute_proto::AttributeType::Float) }
}
