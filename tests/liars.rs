//! Lies about shares are caught, and the truth is never taken for one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kofn::code::{Audit, Code, Mds, Parity, Piece, Place, Recipe, Replication, Uncoded, audit};
use kofn::maths::Tensor;
use kofn::maths::chance::{Purpose, Seed};
use kofn::maths::mix::mix;
use kofn::model::cut::{Mark, PieceKind};
use kofn::model::images::parse_idx;
use kofn::model::probe::Probe;
use kofn::model::sketch::Sketch;
use kofn::model::witness::{Lie, Witness, rounding};
use kofn::model::{Layer, Network};
use kofn::plan::{CodedLayer, Share};
use ndarray::IxDyn;
use proptest::prelude::*;
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
    code: Arc<dyn Code>,
    shares: Vec<Share>,
    probe: Arc<Probe>,
    witnesses: Vec<Witness>,
}

impl Stage {
    fn new(model: &str, layer: &Layer, k: usize, key: u64) -> Self {
        let code = Mds::new(8, k.min(layer.op.rows));
        let code: Arc<dyn Code> = Arc::new(code);
        let coded = CodedLayer::new(layer.clone(), code.clone());
        let shares: Vec<Share> = (0..8).map(|share| coded.encode(share)).collect();
        let ids = [layer.op.depth as u64];
        let probe = Probe::new(layer.op.clone(), coded.rows_per_source(), Seed(key), &ids);
        let probe = Arc::new(probe);
        let witness = |share: &Share| match share {
            Share::Rows { weights, .. } => Witness::new(probe.clone(), weights),
            Share::Segment(_) | Share::Several(_) | Share::Outline { .. } => {
                unreachable!("a layer's share is rows")
            }
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
                    PieceKind::Layers(members) => {
                        let at = members[0].layer;
                        let layer = &network.layers[at];
                        inputs[at].push(taken[0].clone());
                        vec![layer.undivided(&taken)]
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
    // 50 rounds see every image once; then the codes change places, so that no result recurs.
    let (mut seen, mut worst, mut round) = (0, BTreeMap::<String, f64>::new(), 0);
    while seen < wanted {
        let chunk = images.iter().cycle().skip(20 * round).take(20).cloned().collect::<Vec<_>>();
        for (model, layer, inputs) in layers(&chunk) {
            let stage = Stage::new(&model, &layer, 2 + (round + round / 50) % 5, round as u64);
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

/// What is done to a result, and how often it was seen.
#[derive(Default)]
struct Tally {
    told: usize,
    caught: usize,
    /// Lies that change the decoded layer by more than 1e-4, and those of them that passed.
    mattered: usize,
    mattered_and_passed: usize,
    /// The largest change of the decoded layer that passed, and the same relative to the layer.
    slipped: f64,
    slipped_relative: f64,
}

impl Stage {
    /// The largest change of a decoded source if this share is one of the k that are used.
    fn effect(&self, share: usize, honest: &[f32], told: &[f32]) -> f64 {
        let change = honest.iter().zip(told).map(|(a, b)| f64::from(a - b).abs());
        let change = change.fold(0.0, |a, b| if b.is_nan() { f64::INFINITY } else { a.max(b) });
        let arrived = (0..self.code.sources()).map(|at| (share + at) % 8).collect();
        let decoder = self.code.decoder(&arrived).expect("k shares");
        let place = Place { share, cell: 0 };
        let weight = |recipe: &Recipe| match recipe {
            Recipe::Take(taken) => f64::from(u8::from(*taken == place)),
            Recipe::Mix(terms) => {
                let ours = terms.iter().find(|(piece, _)| *piece == Piece::Result(place));
                ours.map_or(0.0, |(_, c)| c.abs())
            }
        };
        change * decoder.recipes.iter().map(weight).fold(0.0, f64::max)
    }

    fn tell(&self, tally: &mut Tally, sketch: &Sketch, share: usize, honest: &[f32], told: &[f32]) {
        if honest == told {
            return;
        }
        tally.told += 1;
        let effect = self.effect(share, honest, told);
        tally.mattered += usize::from(effect > 1e-4);
        if self.witnesses[share].check(sketch, told).is_err() {
            tally.caught += 1;
            return;
        }
        tally.mattered_and_passed += usize::from(effect > 1e-4);
        let size = honest.iter().fold(0.0f32, |a, b| a.max(b.abs()));
        tally.slipped = tally.slipped.max(effect);
        if size > 0.0 {
            tally.slipped_relative = tally.slipped_relative.max(effect / f64::from(size));
        }
    }
}

fn flip(result: &[f32], rng: &mut ChaCha8Rng, bits: std::ops::Range<u32>) -> Vec<f32> {
    let mut told = result.to_vec();
    let at = rng.random_range(0..told.len());
    told[at] = f32::from_bits(told[at].to_bits() ^ 1 << rng.random_range(bits));
    told
}

/// The lies of a stage: by kind, and small mantissa flips beside them.
fn lies(stage: &Stage, inputs: &[Tensor], tallies: &mut BTreeMap<&str, Tally>) {
    let mut rng = Seed(3).stream(Purpose::Fault, &[stage.layer.op.depth as u64]);
    for (at, input) in inputs.iter().enumerate() {
        let sketch = Sketch::of(&stage.probe, input);
        let results: Vec<Vec<f32>> = (0..8).map(|share| stage.result(share, input)).collect();
        let other = &inputs[(at + 1) % inputs.len()];
        for share in 0..8 {
            let honest = &results[share];
            let mut tell = |kind, told: &[f32]| {
                stage.tell(tallies.entry(kind).or_default(), &sketch, share, honest, told);
            };
            for _ in 0..8 {
                tell("bit flip, sign or exponent", &flip(honest, &mut rng, 23..32));
                tell("bit flip, mantissa", &flip(honest, &mut rng, 0..23));
            }
            let scaled: Vec<f32> = honest.iter().map(|y| y * 1.01).collect();
            tell("scale by 1.01", &scaled);
            tell("stale", &stage.result(share, other));
            tell("swap", &results[(share + 1) % 8]);
            let shifted: Vec<f32> = honest.iter().map(|y| y + 0.01).collect();
            tell("everything off by 0.01", &shifted);
            let mut nan = honest.clone();
            nan[rng.random_range(0..honest.len())] = f32::NAN;
            assert_eq!(stage.witnesses[share].check(&sketch, &nan), Err(Lie::NotFinite));
            let short = stage.witnesses[share].check(&sketch, &honest[1..]);
            assert!(matches!(short, Err(Lie::Length { .. })), "{short:?}");
        }
    }
}

/// `KOFN_LIE_IMAGES=200 cargo test --release --test liars lies -- --nocapture` says more.
#[test]
fn lies_are_caught() {
    let images: Vec<Tensor> = images().into_iter().take(count("KOFN_LIE_IMAGES", 10)).collect();
    let mut all: BTreeMap<&str, Tally> = BTreeMap::new();
    let verbose = std::env::var("KOFN_LIE_IMAGES").is_ok();
    for (at, (model, layer, inputs)) in layers(&images).iter().enumerate() {
        let stage = Stage::new(model, layer, 2 + at % 5, at as u64);
        let mut tallies = BTreeMap::new();
        lies(&stage, inputs, &mut tallies);
        for (kind, tally) in tallies {
            if verbose {
                let Tally { told, caught, slipped, slipped_relative, .. } = tally;
                println!(
                    "{:36} {kind:26} {caught}/{told} {slipped:.1e} {slipped_relative:.1e}",
                    stage.name
                );
            }
            let sum = all.entry(kind).or_default();
            sum.told += tally.told;
            sum.caught += tally.caught;
            sum.mattered += tally.mattered;
            sum.mattered_and_passed += tally.mattered_and_passed;
            sum.slipped = sum.slipped.max(tally.slipped);
            sum.slipped_relative = sum.slipped_relative.max(tally.slipped_relative);
        }
    }
    for (kind, Tally { told, caught, slipped, slipped_relative, mattered, mattered_and_passed }) in
        &all
    {
        println!(
            "{kind}: {mattered_and_passed} of {mattered} that change the layer by more than 1e-4 passed"
        );
        println!(
            "{kind}: {caught} of {told} caught; what slipped changes the layer by at most {slipped:.1e}, {slipped_relative:.1e} of its largest element"
        );
    }
    let flips = &all["bit flip, sign or exponent"];
    assert!(flips.mattered_and_passed * 1000 <= flips.mattered, "flips that matter passed");
    for (kind, Tally { told, caught, slipped_relative, .. }) in &all {
        if kind.starts_with("bit flip") {
            // An element near zero can be flipped and stay near zero.
            assert!(*slipped_relative < 5e-4, "{kind}: {slipped_relative} of the layer slipped");
        } else {
            assert!(caught * 1000 >= told * 999, "{kind}: {caught} of {told}");
        }
    }
}

/// Every code with at most n shares.
fn codes(most: usize) -> Vec<Arc<dyn Code>> {
    let mut codes: Vec<Arc<dyn Code>> = Vec::new();
    for k in 1..=most {
        codes.push(Arc::new(Uncoded::new(k)));
        if k < most {
            codes.push(Arc::new(Parity::new(k)));
        }
        for n in k..=most {
            codes.push(Arc::new(Replication::new(n, k)));
            codes.push(Arc::new(Mds::new(n, k)));
        }
    }
    codes
}

/// Clean results of all shares, each off by a rounding.
fn results(code: &dyn Code, len: usize, size: f32, salt: u64) -> Vec<Vec<f32>> {
    let mut rng = Seed(salt).stream(Purpose::Inputs, &[len as u64]);
    let mut block = |_| (0..len).map(|_| size * rng.random_range(-1.0f32..1.0)).collect();
    let sources: Vec<Vec<f32>> = (0..code.sources()).map(&mut block).collect();
    let share = |share: usize| {
        let row = code.encoder().share(share)[0].iter();
        mix(&row.map(|(source, c)| (*c, &sources[*source][..])).collect::<Vec<_>>())
    };
    (0..code.shares()).map(share).collect()
}

fn judged(code: &dyn Code, results: &[Vec<f32>], arrived: &[usize]) -> Audit {
    let blocks = arrived.iter().map(|share| (*share, &results[*share][..])).collect();
    audit(code, &blocks, rounding(1))
}

fn sets(n: usize) -> impl Iterator<Item = Vec<usize>> {
    (1u32..1 << n).map(move |bits| (0..n).filter(|share| bits >> share & 1 == 1).collect())
}

/// Copies of a share's source among the arrived, if the code is one of copies.
fn copies(code: &dyn Code, arrived: &[usize], share: usize) -> usize {
    arrived.iter().filter(|other| code.plain(**other) == code.plain(share)).count()
}

#[test]
fn one_liar_is_named_with_two_shares_more_than_needed_and_noticed_with_one() {
    for code in codes(8) {
        let honest = results(code.as_ref(), 5, 1.0, 1);
        for arrived in sets(code.shares()) {
            assert_eq!(judged(code.as_ref(), &honest, &arrived), Audit::Consistent);
            for (liar, times) in arrived.iter().flat_map(|liar| [(liar, 1e-3), (liar, 1e30)]) {
                let mut told = honest.clone();
                told[*liar][2] += times;
                let got = judged(code.as_ref(), &told, &arrived);
                let extra = if code.name().starts_with("Rep") || code.name().starts_with("Unc") {
                    copies(code.as_ref(), &arrived, *liar) - 1
                } else {
                    arrived.len().saturating_sub(code.sources())
                };
                let want = match extra {
                    0 => Audit::Consistent,
                    1 => Audit::Doubtful,
                    _ => Audit::Wrong([*liar].into()),
                };
                assert_eq!(got, want, "{} {arrived:?} liar {liar} by {times}", code.name());
            }
        }
    }
}

#[test]
fn two_liars_among_eight_are_named_when_four_suffice() {
    let code = Mds::new(8, 4);
    let honest = results(&code, 40, 1.0, 2);
    let all: Vec<usize> = (0..8).collect();
    for liars in sets(8).filter(|liars| liars.len() == 2) {
        for places in [[3, 3], [7, 30]] {
            let mut told = honest.clone();
            for (liar, place) in liars.iter().zip(places) {
                told[*liar][place] *= 1.01;
            }
            let want = Audit::Wrong(liars.iter().copied().collect());
            assert_eq!(judged(&code, &told, &all), want, "{liars:?} at {places:?}");
            assert_eq!(
                judged(&code, &told, &all[..7]),
                match liars[1] {
                    7 => Audit::Wrong([liars[0]].into()),
                    _ => Audit::Doubtful,
                }
            );
        }
    }
}

#[test]
fn numbers_that_are_none_are_wrong_and_need_no_surplus() {
    let code = Mds::new(6, 4);
    let mut told = results(&code, 3, 1.0, 3);
    told[1][0] = f32::NAN;
    assert_eq!(judged(&code, &told, &[0, 1, 2, 3]), Audit::Wrong([1].into()));
    told[4][1] = f32::INFINITY;
    assert_eq!(judged(&code, &told, &[0, 1, 2, 3, 4, 5]), Audit::Wrong([1, 4].into()));
}

#[test]
fn the_search_ends_where_there_are_too_many_sets() {
    let code = Mds::new(32, 8);
    let mut told = results(&code, 3, 1.0, 4);
    for (liar, block) in told.iter_mut().enumerate().take(10) {
        block[0] += 1.0 + liar as f32;
    }
    let all: Vec<usize> = (0..32).collect();
    assert_eq!(judged(&code, &told, &all), Audit::Doubtful);
}

proptest! {
    #[test]
    fn what_is_true_is_consistent_at_every_magnitude(
        at in 0usize..1000, bits in 1u32.., exponent in -30i32..30, len in 1usize..50, salt in any::<u64>(),
    ) {
        let all = codes(10);
        let code = &all[at % all.len()];
        let arrived: Vec<usize> = (0..code.shares()).filter(|s| bits >> s & 1 == 1).collect();
        let honest = results(code.as_ref(), len, 10f32.powi(exponent), salt);
        prop_assert_eq!(judged(code.as_ref(), &honest, &arrived), Audit::Consistent);
    }
}

/// Results of real layers, computed from rounded weights by rounded sums.
#[test]
fn clean_shares_of_real_layers_agree_and_a_scaled_one_is_named() {
    let images: Vec<Tensor> = images().into_iter().take(count("KOFN_LIE_IMAGES", 5)).collect();
    let (mut clean, mut told, mut named, mut missed) = (0, 0, 0, Vec::new());
    for (at, (model, layer, inputs)) in layers(&images).iter().enumerate() {
        let stage = Stage::new(model, layer, 2 + at % 5, at as u64);
        let tolerance = rounding(layer.op.depth);
        for (round, input) in inputs.iter().enumerate() {
            let honest: Vec<Vec<f32>> = (0..8).map(|share| stage.result(share, input)).collect();
            let blocks = |results: &[Vec<f32>]| -> Audit {
                let blocks = results.iter().enumerate().map(|(s, r)| (s, &r[..])).collect();
                audit(stage.code.as_ref(), &blocks, tolerance)
            };
            assert_eq!(blocks(&honest), Audit::Consistent, "{}", stage.name);
            clean += 1;
            let mut results = honest.clone();
            let liar = round % 8;
            results[liar].iter_mut().for_each(|y| *y *= 1.01);
            if results[liar] != honest[liar] {
                told += 1;
                let right = blocks(&results) == Audit::Wrong([liar].into());
                named += usize::from(right);
                if !right {
                    missed.push(stage.name.clone());
                }
            }
        }
    }
    println!(
        "{clean} clean rounds agreed; {named} of {told} shares scaled by 1 % named; {missed:?}"
    );
    assert!(named * 1000 >= told * 999, "{named} of {told}: {missed:?}");
}
