//! What the README and the closing notes claim about speed. Ratios within one run are what counts.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use actix::Actor;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kofn::code::{Berrut, Code, Curve, Form, Mds, Parity, Placement, Recipe, ShiftAdd, Spline};
use kofn::drive::{Clock, Host, Setup, Step};
use kofn::maths::Tensor;
use kofn::maths::chance::Seed;
use kofn::maths::mix::mix;
use kofn::maths::product::product;
use kofn::maths::project::widely;
use kofn::model::linear::{LinearOp, Lowering, Patches, Raising};
use kofn::model::lowered::Inputs;
use kofn::model::probe::Probe;
use kofn::model::sketch::Sketch;
use kofn::model::synthetic::Architecture;
use kofn::model::witness::Witness;
use kofn::model::{Network, Weights};
use kofn::node::{Effects, Input, Node};
use kofn::plan::{CodedLayer, Plan, Share};
use kofn::screen::app::{App, Options};
use kofn::screen::keys::Keymap;
use kofn::screen::look::Theme;
use kofn::session::Session;
use kofn::units::Time;
use kofn::view::trace::Header;
use ndarray::{Dimension, IxDyn};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent, KeyModifiers};

/// A node that wants nothing: what remains is the cost of a step.
struct Idle;

impl Node for Idle {
    fn handle(&mut self, _: Time, _: Input, _: &mut Effects) {}
}

const STEPS: u64 = 10_000;

fn steps(c: &mut Criterion) {
    let mut group = c.benchmark_group("steps");
    group.throughput(Throughput::Elements(STEPS));
    let runtime = || tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let system = actix::System::with_tokio_rt(runtime);
    let host = system.block_on(async { Host::new(Idle).start().recipient::<Step>() });
    group.bench_function("through an actix host", |b| {
        b.iter(|| {
            system.block_on(async {
                for now in 0..STEPS {
                    let step = Step { now: Time(now), input: Input::Start };
                    black_box(host.send(step).await.expect("the host is up"));
                }
            });
        });
    });
    group.finish();
}

fn lenet(requests: usize) -> Setup {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies/lenet5.ron");
    let plan = Arc::new(Plan::read(&path).unwrap_or_else(|problems| panic!("{problems}")));
    Setup::new(plan, requests, Seed(1)).expect("the whole model runs")
}

fn runs(c: &mut Criterion) {
    let mut group = c.benchmark_group("lenet5, 100 requests");
    group.throughput(Throughput::Elements(100)).sample_size(20);
    let setup = lenet(100);
    for (name, clock) in [("virtual", Clock::Virtual), ("live", Clock::Live)] {
        group.bench_function(name, |b| {
            b.iter(|| setup.run(clock, &mut |_| ControlFlow::Continue(())).expect("the run ends"));
        });
    }
    let whole = setup.plan.network.whole().expect("runs");
    group.bench_function("the whole model by tract, one thread", |b| {
        b.iter(|| {
            for case in setup.cases.iter() {
                black_box(whole.run(&case.inputs).expect("runs"));
            }
        });
    });
    group.finish();
}

/// AlexNet's first dense layer on one thread, against reading its weights and nothing else.
fn dense(c: &mut Criterion) {
    let (rows, depth) = (4096, 9216);
    let weights: Vec<f32> = (0..rows * depth).map(|i| (i % 7) as f32 - 3.0).collect();
    let mut group = c.benchmark_group("a dense layer of 9216 × 4096");
    group.throughput(Throughput::Bytes(4 * (rows * depth) as u64)).sample_size(30);
    for columns in [1, 2, 4, 8, 16, 32] {
        let x: Vec<f32> = (0..depth * columns).map(|i| (i % 5) as f32).collect();
        let mut y = vec![0.0; rows * columns];
        group.bench_function(format!("{columns} at once"), |b| {
            b.iter(|| product(black_box(&weights), black_box(&x), &mut y, rows, depth, columns));
        });
    }
    group.bench_function("reading its weights", |b| {
        b.iter(|| widely(|| black_box(&weights).iter().fold(0, |most, x| x.to_bits().max(most))));
    });
    group.finish();
}

/// A quarter of AlexNet's convolutions, as one device computes it: (rows, depth, columns).
fn convolutions(c: &mut Criterion) {
    let mut group = c.benchmark_group("a share of a convolution, 4 of 5");
    let shapes = [("conv1", 24, 363, 2916), ("conv2", 32, 1200, 676), ("conv3", 96, 2304, 144)];
    for (name, rows, depth, columns) in shapes {
        let (a, b) = (vec![0.5; rows * depth], vec![0.25; depth * columns]);
        let mut out = vec![0.0; rows * columns];
        group.throughput(Throughput::Elements(2 * (rows * depth * columns) as u64));
        group.bench_function(name, |bench| {
            bench.iter(|| product(black_box(&a), black_box(&b), &mut out, rows, depth, columns));
        });
    }
    group.finish();
}

/// A quarter of a 3 × 3 convolution of VGG-19 or ResNet-50, in tiles, and as a product with patches that are
/// there already: (channels, rows, lines and places of the map).
fn tiles(c: &mut Criterion) {
    let mut group = c.benchmark_group("a share of a 3 × 3 convolution, 4 of 5");
    for (channels, rows, size) in [(64, 16, 224), (256, 64, 56), (512, 128, 28), (256, 64, 14)] {
        let patches = Patches {
            batch: 1,
            channels,
            input: [1, size, size],
            kernel: [1, 3, 3],
            stride: [1; 3],
            dilation: [1; 3],
            pad: [0, 1, 1],
            output: [1, size, size],
        };
        let (depth, columns) = (channels * 9, size * size);
        let dims = vec![1, rows, columns];
        let op = LinearOp {
            input: vec![1, channels, size, size],
            groups: 1,
            rows,
            depth,
            columns,
            lowering: Lowering::patches(patches, 1),
            raising: Raising { axes: vec![0, 1, 2], shape: dims.clone(), dims },
        };
        let weights: Weights = vec![0.5; rows * depth].into();
        let input = Tensor::from_elem(IxDyn(&op.input), 0.25);
        group.throughput(Throughput::Elements(op.work(rows).0)).sample_size(20);
        group.bench_function(format!("{channels} × {size} × {size} in tiles"), |b| {
            b.iter(|| op.apply(black_box(&weights), black_box(&input)));
        });
        let (columns_of, mut out) = (vec![0.25; depth * columns], vec![0.0; rows * columns]);
        group.bench_function(format!("{channels} × {size} × {size} as a product"), |b| {
            b.iter(|| product(&weights, black_box(&columns_of), &mut out, rows, depth, columns));
        });
    }
    group.finish();
}

/// Layers next to nothing, in real time on five boards: what a stage costs besides its arithmetic. Each has a
/// local step behind it.
fn stages(c: &mut Criterion) {
    const LAYERS: usize = 50;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies/fleet-10000.ron");
    let text = std::fs::read_to_string(&path).expect("a shipped topology");
    let text = text
        .replace("layers: 8, width: 20000", &format!("layers: {LAYERS}, width: 64"))
        .replace("count: 10000,", "count: 5,")
        .replace("Replication(n: 10000, k: 5000)", "Mds(n: 5, k: 4)")
        .replace("numerics: Skip,", "");
    let plan = Plan::parse(&path, text).unwrap_or_else(|problems| panic!("{problems}"));
    let setup = Setup::new(Arc::new(plan), 20, Seed(1)).expect("the whole model runs");
    let mut group = c.benchmark_group("stages of next to nothing");
    group.throughput(Throughput::Elements(20 * LAYERS as u64)).sample_size(20);
    group.bench_function("live", |b| {
        b.iter(|| {
            let watch = &mut |_| ControlFlow::Continue(());
            setup.watched(Clock::Live, watch).expect("the run ends");
        });
    });
    group.finish();
}

/// Against the memory: blocks that no cache holds together.
fn codes(c: &mut Criterion) {
    let blocks: Vec<Vec<f32>> =
        (0..4).map(|salt| (0..1 << 22).map(|i| (i + salt) as f32).collect()).collect();
    let mut group = c.benchmark_group("rebuild one of four blocks of 16 MiB");
    group.throughput(Throughput::Bytes(64 << 20)).sample_size(30);
    let codes: [(&str, Arc<dyn Code>); 2] =
        [("parity", Arc::new(Parity::new(4))), ("mds 6 4", Arc::new(Mds::new(6, 4)))];
    // Encoding reads the four sources and decoding four of the shares: as many bytes.
    group.bench_function("encode a parity", |b| {
        let terms: Vec<(f64, &[f32])> = blocks.iter().map(|block| (1.0, &block[..])).collect();
        b.iter(|| mix(black_box(&terms)));
    });
    for (name, code) in codes {
        let decoder = code.decoder(&[1, 2, 3, 4].into()).expect("four shares");
        let Recipe::Mix(terms) = &decoder.recipes[0] else { panic!("source 0 is gone") };
        let coefficients = terms.iter().map(|(_, c)| *c);
        let terms: Vec<(f64, &[f32])> =
            coefficients.zip(blocks.iter().map(Vec::as_slice)).collect();
        group.bench_function(name, |b| b.iter(|| mix(black_box(&terms))));
    }
    let mut to = blocks.clone();
    group.bench_function("copying as many bytes", |b| {
        b.iter(|| {
            for (to, from) in to.iter_mut().zip(black_box(&blocks)) {
                to.copy_from_slice(from);
            }
        });
    });
    group.finish();
    peeling(c);
    batches(c);
    c.bench_function("solve a decoder of mds 20 17", |b| {
        let code = Mds::new(20, 17);
        let arrived = (3..20).collect();
        b.iter(|| code.decoder(black_box(&arrived)));
    });
}

/// The same erasure repaired by shift-and-add, whose recipes are followed cell by cell.
fn peeling(c: &mut Criterion) {
    let code = ShiftAdd::new(6, 4, Some(16), Form::Systematic);
    let cell: Vec<f32> = (0..(1 << 18) / 16).map(|i| i as f32).collect();
    let mut group = c.benchmark_group("rebuild by peeling, of four blocks of 1 MiB");
    group.throughput(Throughput::Bytes(4 << 20));
    for (name, arrived) in [("one", vec![1, 2, 3, 4]), ("two", vec![2, 3, 4, 5])] {
        let decoder = code.decoder(&arrived.into_iter().collect()).expect("four shares");
        group.bench_function(name, |b| b.iter(|| decoder.decode(|_| black_box(&cell)).len()));
    }
    group.finish();
}

/// Ten inputs from a hundred results of a thousand numbers each.
fn batches(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode a batch, 10 of 100 × 1000");
    let results: Vec<Vec<f32>> =
        (0..100).map(|at| (0..1000).map(|i| (i * at) as f32).collect()).collect();
    let all = (0..100).collect();
    let curves: [(&str, Box<dyn Curve>); 2] = [
        ("spline", Box::new(Spline::new(100, 10, Placement::Spread, 0.0, 1e-6))),
        ("Berrut", Box::new(Berrut::new(100, 10, Placement::Spread))),
    ];
    for (name, curve) in curves {
        group.bench_function(name, |b| {
            b.iter(|| {
                let decoder = curve.decoder(black_box(&all));
                let decode = |row: usize| {
                    let results = results.iter().map(Vec::as_slice);
                    mix(&decoder.row(row).zip(results).collect::<Vec<_>>())
                };
                (0..10).map(|row| decode(row).len()).sum::<usize>()
            });
        });
    }
    group.finish();
}

/// What it costs to check all n shares of a stage, beside what it costs to compute one of them.
fn verify(c: &mut Criterion) {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies/models");
    let open = |name: &str| Network::open(&models.join(name)).expect("a shipped model opens");
    let (lenet, vgg) = (open("lenet5-fashion.onnx"), open("vgglite-fashion.onnx"));
    let alexnet = Architecture::AlexNet.network(Seed(1)).expect("types");
    let named = |network: &Network, name: &str| {
        network.layers[network.layer(name).expect("a layer")].clone()
    };
    let vgg_convs = vgg.layers.iter().filter(|layer| layer.kind.starts_with("conv")).cloned();
    let mut stages =
        vec![("lenet5", named(&lenet, "fc1"), 5, 4), ("lenet5", named(&lenet, "conv2"), 5, 4)];
    stages.extend(vgg_convs.map(|layer| ("vgglite", layer, 8, 6)));
    stages.extend(["conv3", "fc1"].map(|name| ("alexnet", named(&alexnet, name), 6, 5)));
    let mut group = c.benchmark_group("verify");
    for (model, layer, n, k) in stages {
        let coded = CodedLayer::new(layer.clone(), Arc::new(Mds::new(n, k)));
        let share = coded.encode(n - 1);
        let Share::Rows { weights, .. } = &share else { panic!("a layer's share is rows") };
        let probe = Arc::new(Probe::new(layer.op.clone(), coded.rows_per_source(), Seed(1), &[]));
        // As many as there are shares, so that the caches are as full.
        let witnesses: Vec<Witness> =
            (0..n).map(|_| Witness::new(probe.clone(), weights)).collect();
        let input = Tensor::from_shape_fn(IxDyn(&layer.op.input), |at| {
            (at.slice().iter().fold(7, |sum, i| sum * 31 + i) % 101) as f32 / 101.0
        });
        let result = share.run(std::slice::from_ref(&input)).expect("a share runs").remove(0);
        let results: Vec<Vec<f32>> = (0..n).map(|_| result.iter().copied().collect()).collect();
        let name = |what: &str| format!("{model} {} ({n}, {k}): {what}", layer.name);
        group.bench_function(name("one share"), |b| {
            b.iter(|| share.run(std::slice::from_ref(black_box(&input))));
        });
        group.bench_function(name("sketch"), |b| b.iter(|| Sketch::of(&probe, black_box(&input))));
        let sketch = Sketch::of(&probe, &input);
        group.bench_function(name("n checks"), |b| {
            b.iter(|| {
                for (witness, result) in witnesses.iter().zip(&results) {
                    black_box(witness.check(&sketch, result)).expect("clean");
                }
            });
        });
    }
    group.finish();
}

/// A share of AlexNet's first dense layer for several requests: each by itself, and all in one round.
fn shared(c: &mut Criterion) {
    let alexnet = Architecture::AlexNet.network(Seed(1)).expect("types");
    let layer = alexnet.layers[alexnet.layer("fc1").expect("a layer")].clone();
    let share = CodedLayer::new(layer.clone(), Arc::new(Mds::new(5, 4))).encode(4);
    let input = || vec![Tensor::from_elem(IxDyn(&layer.op.input), 0.5)];
    let mut group = c.benchmark_group("a share of alexnet's fc1, 4 of 5");
    for requests in [1, 2, 4, 8] {
        let one_by_one: Vec<Inputs> = (0..requests).map(|_| Inputs::from(input())).collect();
        let at_once = Inputs::laid_out((0..requests).map(|_| input()).collect(), 1);
        group.bench_function(format!("{requests} requests, one by one"), |b| {
            b.iter(|| {
                for inputs in &one_by_one {
                    black_box(share.run_while(inputs, &|| true)).expect("it runs");
                }
            });
        });
        group.bench_function(format!("{requests} requests in one round"), |b| {
            b.iter(|| share.run_while(black_box(&at_once), &|| true));
        });
    }
    group.finish();
}

/// A frame of the screen in mid-run, everything included: events taken in, the board, all panels.
fn screen(c: &mut Criterion) {
    let mut group = c.benchmark_group("a frame at 200×60");
    for devices in [5, 64, 1000] {
        let mut app = fleet_on_screen(devices);
        let mut terminal = Terminal::new(TestBackend::new(200, 60)).expect("in memory");
        let mut draw = |app: &mut App| {
            terminal.draw(|frame| app.draw(frame).expect("in memory")).expect("in memory");
        };
        group.bench_function(format!("{devices} devices"), |b| {
            b.iter(|| {
                press(&mut app, KeyCode::Right);
                draw(&mut app);
            });
        });
    }
    group.finish();
}

fn press(app: &mut App, code: KeyCode) {
    let event = TerminalEvent::Key(KeyEvent::new(code, KeyModifiers::NONE));
    app.handle(&event).expect("the run goes on");
}

/// LeNet-5 over so many boards, each piece of a layer copied to all that are left over.
fn fleet_on_screen(devices: usize) -> App {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies/lenet5.ron");
    let text = std::fs::read_to_string(&path).expect("a shipped topology");
    let text = text
        .replace("count: 5,", &format!("count: {devices},"))
        .replace("Mds(n: 5, k: 4)", &format!("Replication(n: {devices}, k: 4)"))
        .replace("Mds(n: 5, k: 3)", &format!("Replication(n: {devices}, k: 3)"));
    let plan = Plan::parse(&path, text).unwrap_or_else(|problems| panic!("{problems}"));
    let plan = Arc::new(plan);
    let setup = Setup::new(plan.clone(), 60, Seed(1)).expect("the whole model runs");
    let trace = setup.run(Clock::Virtual, &mut |_| ControlFlow::Continue(())).expect("it ends");
    let header = Header::of(&plan, None, 1, 60);
    let middle = trace[trace.len() / 2].at;
    let session = Session::of_trace(header, trace, Some(plan)).expect("in memory");
    let options = Options {
        theme: Theme::Dark,
        ascii: false,
        keymap: Keymap::default(),
        speed: 0.01,
        at: Some(middle),
    };
    App::new(session, options).expect("in memory")
}

/// Fleets that skip numerics: a task is sent, begun, ended and replied to.
fn fleets(c: &mut Criterion) {
    let mut group = c.benchmark_group("fleets, tasks of 8 stages");
    group.sample_size(10);
    for devices in [10, 100, 1000, 10_000] {
        let requests = 10_000 / devices;
        let setup = Setup::new(fleet(devices), requests, Seed(1)).expect("nothing is run");
        group.throughput(Throughput::Elements((8 * devices * requests) as u64));
        group.bench_function(format!("{devices} devices"), |b| {
            b.iter(|| {
                let mut records = 0_u64;
                let count = &mut |_| {
                    records += 1;
                    ControlFlow::Continue(())
                };
                setup.watched(Clock::Virtual, count).expect("the run ends");
                records
            });
        });
    }
    group.finish();
}

/// `topologies/fleet-10000.ron` with so many boards, each piece of a layer on two.
fn fleet(devices: usize) -> Arc<Plan> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies/fleet-10000.ron");
    let text = std::fs::read_to_string(&path).expect("a shipped topology");
    let text = text
        .replace("count: 10000,", &format!("count: {devices},"))
        .replace("n: 10000, k: 5000", &format!("n: {devices}, k: {}", devices / 2));
    Arc::new(Plan::parse(&path, text).unwrap_or_else(|problems| panic!("{problems}")))
}

criterion_group!(
    benches,
    steps,
    stages,
    dense,
    convolutions,
    tiles,
    codes,
    verify,
    shared,
    runs,
    fleets,
    screen
);
criterion_main!(benches);
