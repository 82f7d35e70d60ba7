//! Whole networks of the onnx wheel, their weights drawn by formula: before the softmax kofn says what
//! onnxruntime says (`tests/light/logits.py`), with 4 of 5 and 6 of 8 devices, one of them lost, and in real
//! time when one dies in mid-layer.

#[path = "support/fleet.rs"]
mod fleet;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use fleet::Fleet;
use kofn::maths::Tensor;
use kofn::plan::Plan;
use kofn::units::DeviceId;
use ndarray::IxDyn;
use prost::Message;
use serde_json::Value;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, ModelProto, TensorProto};

/// In parts of the largest logit.
const TOLERANCE: f32 = 1e-3;

fn light(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/light").join(file)
}

/// Numbers in [-1, 1): SplitMix64 of the place, begun with FNV-1a of the name.
fn uniform(name: &str, count: usize) -> Vec<f32> {
    let begin = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let start = name.bytes().fold(0xcbf2_9ce4_8422_2325, begin);
    let number = |place: u64| {
        let z = start.wrapping_add(place.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (1..=count as u64).map(number).collect()
}

/// The first operator that computes with a value, and as which input.
fn role<'g>(graph: &'g GraphProto, value: &str) -> (&'g str, usize) {
    for node in &graph.node {
        if let Some(place) = node.input.iter().position(|input| input == value) {
            return match (node.op_type.as_str(), place) {
                ("Unsqueeze" | "Reshape", 0) => role(graph, &node.output[0]),
                known => known,
            };
        }
    }
    ("", 0)
}

fn weights(name: &str, shape: &[i64], role: (&str, usize)) -> TensorProto {
    let count: i64 = shape.iter().product();
    let mut drawn = uniform(name, count as usize);
    match role {
        ("Conv" | "Gemm", 1) => {
            let scale = (6.0 / shape[1..].iter().product::<i64>() as f32).sqrt();
            drawn.iter_mut().for_each(|w| *w *= scale);
        }
        ("BatchNormalization" | "Mul", 1 | 4) => {
            drawn.iter_mut().for_each(|w| *w = *w * 0.25 + 0.75);
        }
        _ => drawn.iter_mut().for_each(|w| *w *= 0.03125),
    }
    TensorProto {
        name: name.to_owned(),
        dims: shape.to_vec(),
        data_type: DataType::Float as i32,
        raw_data: drawn.iter().flat_map(|w| w.to_le_bytes()).collect(),
        ..TensorProto::default()
    }
}

/// The shape that a tensor of whole numbers is.
fn shape(tensor: &TensorProto) -> Vec<i64> {
    let bytes = tensor.raw_data.chunks_exact(8);
    let raw = bytes.map(|bytes| i64::from_le_bytes(bytes.try_into().expect("eight bytes")));
    if tensor.raw_data.is_empty() { tensor.int64_data.clone() } else { raw.collect() }
}

/// Writes the filled model into a folder, without its softmax.
fn write(model: &str, folder: &Path) {
    let bytes = std::fs::read(light(&format!("{model}.onnx"))).expect("shipped");
    let mut proto = ModelProto::decode(&bytes[..]).expect("a model");
    let mut graph = proto.graph.take().expect("a graph");
    let shapes: BTreeMap<String, Vec<i64>> =
        graph.initializer.iter().map(|tensor| (tensor.name.clone(), shape(tensor))).collect();
    let made = graph.node.iter().filter(|node| node.op_type == "ConstantOfShape").map(|node| {
        let name = &node.output[0];
        weights(name, &shapes[&node.input[0]], role(&graph, name))
    });
    let made: Vec<TensorProto> = made.collect();
    graph.node.retain(|node| node.op_type != "ConstantOfShape");
    let last = graph.node.pop().expect("a softmax");
    assert_eq!(last.op_type, "Softmax");
    graph.output[0].name.clone_from(&last.input[0]);
    graph.output[0].r#type = None;
    graph.initializer.extend(made);
    let used = |name: &String| graph.node.iter().any(|node| node.input.contains(name));
    let is_given = |name: &String| graph.initializer.iter().any(|tensor| tensor.name == *name);
    let inputs = graph.input.iter().filter(|input| used(&input.name) && !is_given(&input.name));
    graph.input = inputs.cloned().collect();
    proto.ir_version = proto.ir_version.max(4);
    proto.graph = Some(graph);
    std::fs::write(folder.join("model.onnx"), proto.encode_to_vec()).expect("written");
}

fn topology(devices: usize, needed: usize) -> String {
    format!(
        r#"Topology(
            model: Onnx("model.onnx"),
            supervisor: (speed: "100GFLOP/s"),
            devices: [(
                name: "d", count: {devices}, speed: "100GFLOP/s", memory: "8GB",
                latency: Constant("5us"), bandwidth: "10Gbit/s",
            )],
            coding: (code: Mds(n: {devices}, k: {needed}), on: ["d"]),
            inputs: Random(count: 1),
            requests: 3,
            policy: (deadline: "20s", retries: 1, verify: Always),
        )"#
    )
}

/// The largest difference, in parts of the largest logit.
fn off(got: &[f32], want: &[f32]) -> f32 {
    assert_eq!(got.len(), want.len());
    let largest = want.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    got.iter().zip(want).map(|(got, want)| (got - want).abs()).fold(0.0, f32::max) / largest
}

fn says_what_onnxruntime_says(model: &str) {
    let folder = tempfile::tempdir().expect("a place for files");
    write(model, folder.path());
    let logits = std::fs::read(light(&format!("{model}-logits-f32.npy"))).expect("shipped");
    let logits = logits[logits.len() - 4000..].chunks_exact(4);
    let logits = logits.map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")));
    let logits: Vec<f32> = logits.collect();
    let largest = logits.iter().fold(0.0f32, |most, x| most.max(x.abs()));

    for (devices, needed) in [(5, 4), (8, 6)] {
        let file = folder.path().join(format!("{needed}-of-{devices}.ron"));
        std::fs::write(&file, topology(devices, needed)).expect("written");
        let plan = Plan::read(&file).map(Arc::new).expect("a plan");
        let shape = IxDyn(&plan.network.inputs[0]);
        let count = plan.network.inputs[0].iter().product();
        let input = Tensor::from_shape_vec(shape, uniform("input", count)).expect("its shape");
        if devices == 5 {
            let whole =
                plan.network.whole().and_then(|whole| whole.run(std::slice::from_ref(&input)));
            let whole: Vec<f32> = whole.expect("it runs")[0].iter().copied().collect();
            assert!(off(&whole, &logits) <= TOLERANCE, "{model} whole: {:e}", off(&whole, &logits));
        }
        let mut fleet = Fleet::without(DeviceId(1), &plan);
        let answer = fleet.answer(vec![input]).expect("an answer");
        fleet.decoded_around_the_loss().expect("the loss was felt");
        drop(fleet);
        let answer: Vec<f32> = answer[0].iter().copied().collect();
        let off = off(&answer, &logits);
        assert!(off <= TOLERANCE, "{model}, {needed} of {devices}: {off:e}");
        let stages: Vec<String> = plan.stages.iter().map(|stage| stage.name.clone()).collect();
        drop(plan);
        dies_in_mid_layer(&file, &stages[stages.len() / 3], largest);
    }
}

/// In real time, with a device that dies when its stage's first reply is in.
fn dies_in_mid_layer(topology: &Path, stage: &str, largest: f32) {
    let kill = topology.with_file_name("kill.ron");
    let name = topology.file_name().and_then(|name| name.to_str()).expect("a name");
    let fault = format!(
        r#"FaultPlan(topology: "{name}", faults: [(
            at: AtStage(request: 1, stage: "{stage}", phase: FirstReply), who: "d-2", what: Crash,
        )])"#
    );
    std::fs::write(&kill, fault).expect("written");
    let mut kofn = Command::new(env!("CARGO_BIN_EXE_kofn"));
    kofn.arg("run").arg(topology).arg("--faults").arg(&kill);
    let done =
        kofn.args(["--clock", "live", "--no-tui", "--format", "json"]).output().expect("runs");
    let report: Value = serde_json::from_slice(&done.stdout).expect("a report");
    assert_eq!(report["requests"]["answered"], 3, "{name}: {report}");
    let error = report["max_abs_err"].as_f64().expect("a number") as f32;
    assert!(error <= TOLERANCE * largest, "{name}: {error:e} of {largest}");
}

#[test]
fn alexnet_says_what_onnxruntime_says() {
    says_what_onnxruntime_says("bvlc_alexnet");
}

#[test]
fn vgg_19_says_what_onnxruntime_says() {
    says_what_onnxruntime_says("vgg19");
}

#[test]
fn resnet_50_says_what_onnxruntime_says() {
    says_what_onnxruntime_says("resnet50");
}

#[test]
fn squeezenet_says_what_onnxruntime_says() {
    says_what_onnxruntime_says("squeezenet");
}

#[test]
fn inception_v1_says_what_onnxruntime_says() {
    says_what_onnxruntime_says("inception_v1");
}
