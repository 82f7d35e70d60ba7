//! Models cut in pieces give what the whole gives, and the whole gives what PyTorch gave.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kofn::code::Mds;
use kofn::maths::Tensor;
use kofn::maths::chance::Seed;
use kofn::model::cut::{Mark, Member, PieceKind, Pieces};
use kofn::model::images::parse_idx;
use kofn::model::synthetic::Architecture;
use kofn::model::{Network, Whole};
use kofn::plan::{CodedLayer, Share};
use ndarray::{Dimension, IxDyn};

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies/models")
}

fn open(name: &str) -> Network {
    Network::open(&models().join(format!("{name}.onnx"))).expect("a shipped model opens")
}

fn images() -> Vec<Tensor> {
    let file = std::fs::read(models().join("fashion-test1000-images-idx3-ubyte")).expect("shipped");
    let idx = parse_idx(&file).expect("shipped");
    let image = |bytes: &[u8]| {
        let pixels = bytes.iter().map(|byte| f32::from(*byte) / 255.0).collect();
        Tensor::from_shape_vec(IxDyn(&[1, 1, 28, 28]), pixels).expect("28 × 28")
    };
    idx.bytes.chunks_exact(784).map(image).collect()
}

/// PyTorch's logits: an npy file of 1000 × 10 `f32` behind a header that ends in a newline.
fn torch_logits(name: &str) -> Vec<f32> {
    let file = std::fs::read(models().join(format!("{name}-logits-f32.npy"))).expect("shipped");
    let data = &file[file.len() - 40_000..];
    data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// Runs pieces one after the other, linear layers with their plain weights.
fn run(network: &Network, pieces: &Pieces, inputs: &[Tensor]) -> Vec<Tensor> {
    let mut values: BTreeMap<usize, Tensor> = inputs.iter().cloned().enumerate().collect();
    for piece in &pieces.pieces {
        let inputs: Vec<Tensor> = piece.inputs.iter().map(|wire| values[wire].clone()).collect();
        let outputs = match &piece.kind {
            PieceKind::Layers(members) => {
                let applied = members.iter().map(|member| member.input + 1).max().unwrap_or(0);
                let mut addends = inputs[applied..].iter();
                let output = |member: &Member| {
                    let layer = &network.layers[member.layer];
                    let addend = if layer.finish.adds { addends.next() } else { None };
                    let own = std::iter::once(&inputs[member.input]).chain(addend);
                    layer.undivided(&own.cloned().collect::<Vec<_>>())
                };
                members.iter().map(output).collect()
            }
            PieceKind::Local(segment) | PieceKind::Function(_, segment) => {
                segment.run(&inputs).expect("a segment runs")
            }
        };
        values.extend(piece.outputs.iter().copied().zip(outputs));
    }
    pieces.outputs.iter().map(|wire| values[wire].clone()).collect()
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.shape(), b.shape());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn the_whole_model_gives_pytorchs_logits() {
    for name in ["lenet5-fashion", "vgglite-fashion", "tinyvit-fashion"] {
        let whole: Whole = open(name).whole().expect("runs");
        let logits = torch_logits(name);
        for (image, want) in images().iter().zip(logits.chunks_exact(10)).step_by(10) {
            let got = &whole.run(std::slice::from_ref(image)).expect("runs")[0];
            let worst = got.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-4, "{name}: {worst}");
        }
    }
}

#[test]
fn cut_at_every_layer_the_pieces_give_what_the_whole_gives() {
    for (name, layers) in [("lenet5-fashion", 5), ("vgglite-fashion", 8), ("tinyvit-fashion", 26)] {
        let network = open(name);
        assert_eq!(network.layers.len(), layers, "{name}: {:?}", network.layers);
        let pieces = network.cut(&vec![Mark::Coded; layers]).expect("cuts");
        let whole = network.whole().expect("runs");
        for image in images().iter().step_by(50) {
            let image = std::slice::from_ref(image);
            let got = run(&network, &pieces, image);
            let want = whole.run(image).expect("runs");
            assert!(largest_difference(&got[0], &want[0]) < 2e-5, "{name}");
        }
    }
}

/// The names of the layers of each piece that is of layers.
fn rounds(network: &Network, pieces: &Pieces) -> Vec<String> {
    let names = |members: &Vec<Member>| {
        let names = members.iter().map(|member| network.layers[member.layer].name.as_str());
        names.collect::<Vec<_>>().join(" ")
    };
    let layers = pieces.pieces.iter().filter_map(|piece| match &piece.kind {
        PieceKind::Layers(members) => Some(names(members)),
        PieceKind::Function(..) | PieceKind::Local(_) => None,
    });
    layers.collect()
}

#[test]
fn layers_that_are_ready_together_make_one_piece() {
    let network = open("tinyvit-fashion");
    let cut = || network.cut(&vec![Mark::Coded; network.layers.len()]).expect("cuts");
    assert_eq!(cut().join_siblings(|_, _| false).pieces.len(), cut().pieces.len());
    let pieces = cut().join_siblings(|_, _| true);
    let found = rounds(&network, &pieces);
    let first_block =
        ["blocks.0/q blocks.0/k blocks.0/v", "blocks.0/o", "blocks.0/up", "blocks.0/down"];
    assert_eq!(found[1..5], first_block);
    let whole = network.whole().expect("runs");
    for image in images().iter().step_by(100) {
        let image = std::slice::from_ref(image);
        let (got, want) = (run(&network, &pieces, image), whole.run(image).expect("runs"));
        assert!(largest_difference(&got[0], &want[0]) < 2e-5);
    }
}

#[test]
fn function_stages_take_the_operators_around_their_layers_along() {
    let network = open("lenet5-fashion");
    let marks = [Mark::Function(0), Mark::Function(0), Mark::Coded, Mark::Local, Mark::Local];
    let pieces = network.cut(&marks).expect("cuts");
    let kinds: Vec<&str> = pieces
        .pieces
        .iter()
        .map(|piece| match &piece.kind {
            PieceKind::Function(..) => "function",
            PieceKind::Layers(_) => "layer",
            PieceKind::Local(_) => "local",
        })
        .collect();
    assert_eq!(kinds, ["function", "layer", "local"], "pooling runs where the convolutions run");
    let image = &images()[..1];
    let whole = network.whole().expect("runs").run(image).expect("runs");
    assert!(largest_difference(&run(&network, &pieces, image)[0], &whole[0]) < 2e-5);
}

#[test]
fn alexnet_with_drawn_weights_has_the_papers_shapes() {
    let network = Architecture::AlexNet.network(Seed(1)).expect("types");
    let parameters: usize = network.layers.iter().map(|layer| layer.weights.len()).sum();
    let names: Vec<&str> = network.layers.iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names, ["conv1", "conv2", "conv3", "conv4", "conv5", "fc1", "fc2", "fc3"]);
    assert_eq!(parameters, 60_954_656, "61 M without biases");
    let pieces = network.cut(&[Mark::Coded; 8]).expect("cuts");
    let input =
        Tensor::from_shape_fn(IxDyn(&[1, 3, 227, 227]), |at| (at[2] * at[3] % 17) as f32 / 17.0);
    let input = std::slice::from_ref(&input);
    let whole = network.whole().expect("runs").run(input).expect("runs");
    let largest = whole[0].iter().fold(0.0f32, |a, b| a.max(b.abs()));
    let difference = largest_difference(&run(&network, &pieces, input)[0], &whole[0]);
    assert!(difference < 1e-4 * largest, "{difference} of {largest}");
}

#[test]
fn with_all_plain_shares_the_bits_are_those_of_the_undivided_layer() {
    for name in ["lenet5-fashion", "vgglite-fashion", "tinyvit-fashion"] {
        for layer in &open(name).layers {
            let x = Tensor::from_shape_fn(IxDyn(&layer.op.input), |at| {
                let flat: usize = at.slice().iter().fold(7, |sum, i| sum * 31 + i);
                (flat % 101) as f32 / 101.0 - 0.4
            });
            let beside = layer.finish.adds.then(|| Tensor::ones(IxDyn(&layer.op.raising.shape)));
            let inputs: Vec<Tensor> = [x.clone()].into_iter().chain(beside.clone()).collect();
            let undivided = layer.undivided(&inputs);
            let code = Arc::new(Mds::new(6, 4));
            let rows = CodedLayer::new(layer.clone(), code.clone());
            let strips = CodedLayer::in_strips(layer.clone(), code);
            for coded in strips.into_iter().chain([rows]) {
                let strips = coded.encode_input(&x);
                let results: Vec<Tensor> = (0..4)
                    .map(|share| (coded.encode(share), strips.get(share).unwrap_or(&x)))
                    .map(|(share, input)| share.run(std::slice::from_ref(input)))
                    .map(|result| result.expect("a share runs").remove(0))
                    .collect();
                let blocks: BTreeMap<usize, &[f32]> = results
                    .iter()
                    .map(|result| result.as_slice().expect("plain"))
                    .enumerate()
                    .collect();
                let arrived = blocks.keys().copied().collect();
                let plain = coded.code().decoder(&arrived).expect("all four");
                let decoded = coded.decode(&plain, &blocks, beside.as_ref());
                if strips.is_empty() {
                    assert_eq!(decoded, undivided, "{name}: {}", layer.name);
                } else {
                    // A product of fewer columns may be summed in another order.
                    let largest = undivided.iter().fold(0.0f32, |a, y| a.max(y.abs()));
                    let off = largest_difference(&decoded, &undivided);
                    assert!(off <= 1e-6 * largest, "{name}: {}: {off}", layer.name);
                }
            }
        }
    }
}

/// 120 rows are four times 30; of 10 rows the last of four threes is padded.
#[test]
fn plain_shares_are_parts_of_the_layers_own_weights_and_not_copies() {
    let network = open("lenet5-fashion");
    for (layer, views) in [("fc1", [true; 4]), ("fc3", [true, true, true, false])] {
        let layer = &network.layers[network.layer(layer).expect("a layer")];
        let coded = CodedLayer::new(layer.clone(), Arc::new(Mds::new(5, 4)));
        let own = layer.weights.as_ptr_range();
        for (share, is_view) in views.into_iter().enumerate() {
            let Share::Rows { weights, .. } = coded.encode(share) else { panic!("rows") };
            assert_eq!(own.contains(&weights.as_ptr()), is_view, "{}: {share}", layer.name);
        }
        let Share::Rows { weights: parity, .. } = coded.encode(4) else { panic!("rows") };
        assert!(!own.contains(&parity.as_ptr()));
    }
}
