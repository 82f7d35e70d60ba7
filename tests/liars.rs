//! Lies about shares are caught, and the truth is never taken for one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kofn::code::{Code, Mds};
use kofn::maths::Tensor;
use kofn::maths::chance::{Purpose, Seed};
use kofn::model::cut::{Mark, PieceKind};
use kofn::model::images::parse_idx;
use kofn::model::probe::Probe;
use kofn::model::sketch::Sketch;
use kofn::model::witness::{Lie, Witness};
use kofn::model::{Layer, Network};
use kofn::plan::{CodedLayer, Share};
use ndarray::IxDyn;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies/models")
}

fn images() -> Vec<Tensor> {
    let file = std::fs::read(models().join("fashion-test1000-images-idx3-ubyte")).expect("shipped");
    let image = |bytes: &[u8]| {
        let pixels = bytes.iter().map(|byte| f32::from(*byte) / 255.0).collect();
        Tensor::from_shape_vec(IxDyn(&[1, 1, 28, 28]), pixels).expect("28 × 28")
    };
    parse_idx(&file).expect("shipped").bytes.chunks_exact(784).map(image).collect()
}

/// A layer of a shipped model as it is deployed: coded shares, and a witness of each.
struct Stage {
    name: String,
    layer: Layer,
    code: Mds,
    shares: Vec<Share>,
    probe: Arc<Probe>,
    witnesses: Vec<Witness>,
}

impl Stage {
    fn new(model: &str, layer: &Layer, k: usize, key: u64) -> Self {
        let code = Mds::new(8, k.min(layer.op.rows));
        let coded = CodedLayer::new(layer.clone(), code.sources());
        let shares: Vec<Share> = (0..8).map(|share| coded.encode(&code, share)).collect();
        let ids = [layer.op.depth as u64];
        let probe = Probe::new(layer.op.clone(), coded.rows_per_source(), Seed(key), &ids);
        let probe = Arc::new(probe);
        let witness = |share: &Share| match share {
            Share::Rows { weights, .. } => Witness::new(probe.clone(), weights),
            Share::Segment(_) => unreachable!("a layer's share is rows"),
        };
        let witnesses = shares.iter().map(witness).collect();
        let name = format!("{model} {}", layer.name);
        Self { name, layer: layer.clone(), code, shares, probe, witnesses }
    }

    fn result(&self, share: usize, input: &Tensor) -> Vec<f32> {
        let results = self.shares[share].run(std::slice::from_ref(input)).expect("a share runs");
        results[0].as_slice().expect("plain").to_vec()
    }
}

const MODELS: [&str; 3] = ["lenet5-fashion", "vgglite-fashion", "tinyvit-fashion"];

/// Every layer of the shipped models with its inputs for some images.
fn layers(images: &[Tensor]) -> Vec<(String, Layer, Vec<Tensor>)> {
    let mut found = Vec::new();
    for name in MODELS {
        let network = Network::open(&models().join(format!("{name}.onnx"))).expect("opens");
        let pieces = network.cut(&vec![Mark::Coded; network.layers.len()]).expect("cuts");
        let mut inputs: Vec<Vec<Tensor>> = vec![Vec::new(); network.layers.len()];
        for image in images {
            let mut values = BTreeMap::from([(0, image.clone())]);
            for piece in &pieces.pieces {
                let taken: Vec<Tensor> = piece.inputs.iter().map(|w| values[w].clone()).collect();
                let outputs = match &piece.kind {
                    PieceKind::Layer(at) => {
                        let layer = &network.layers[*at];
                        inputs[*at].push(taken[0].clone());
                        let result = layer.op.apply(&layer.weights, &taken[0]);
                        let bias = layer.bias.as_ref().map(|bias| &bias[..]);
                        vec![layer.op.assemble(&[&result], layer.op.rows, bias)]
                    }
                    PieceKind::Local(segment) | PieceKind::Function(_, segment) => {
                        segment.run(&taken).expect("a segment runs")
                    }
                };
                values.extend(piece.outputs.iter().copied().zip(outputs));
            }
        }
        let with = network.layers.iter().zip(inputs);
        found.extend(with.map(|(layer, inputs)| (name.to_owned(), layer.clone(), inputs)));
    }
    found
}

/// As many as the environment asks for, or what the suite can afford.
fn count(variable: &str, affordable: usize) -> usize {
    let asked = std::env::var(variable).ok();
    asked.map_or(affordable, |count| count.parse().expect("a number"))
}

/// `KOFN_CLEAN_SHARES=1000000 cargo test --release --test liars clean -- --nocapture`
#[test]
fn a_clean_share_is_never_accused() {
    let wanted = count("KOFN_CLEAN_SHARES", 20_000);
    let images = images();
    let (mut seen, mut worst, mut round) = (0, BTreeMap::<String, f64>::new(), 0);
    while seen < wanted {
        let chunk = images.iter().cycle().skip(20 * round).take(20).cloned().collect::<Vec<_>>();
        for (model, layer, inputs) in layers(&chunk) {
            let stage = Stage::new(&model, &layer, 2 + round % 5, round as u64);
            for input in &inputs {
                let sketch = Sketch::of(&stage.probe, input);
                for share in 0..8 {
                    let result = stage.result(share, input);
                    let off = stage.witnesses[share].off_by(&sketch, &result).expect("finite");
                    assert!(off <= 1.0, "{}: {off} times its tolerance", stage.name);
                    let worst = worst.entry(stage.name.clone()).or_default();
                    *worst = worst.max(off);
                    seen += 1;
                }
            }
        }
        round += 1;
    }
    println!("{seen} clean shares, 0 accused; in multiples of the tolerance the worst were");
    worst.iter().for_each(|(name, off)| println!("  {off:.3} {name}"));
}
