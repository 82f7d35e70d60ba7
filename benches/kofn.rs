//! What the README and the closing notes claim about speed. Ratios within one run are what counts.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use actix::Actor;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kofn::code::{Code, Mds, Parity, Recipe};
use kofn::drive::{Clock, Host, Setup, Step};
use kofn::maths::chance::Seed;
use kofn::maths::mix::mix;
use kofn::node::{Effects, Input, Node};
use kofn::plan::Plan;
use kofn::units::Time;

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

fn codes(c: &mut Criterion) {
    let block: Vec<f32> = (0..1 << 18).map(|i| i as f32).collect();
    let bytes = 4 * block.len() as u64;
    let mut group = c.benchmark_group("rebuild one of four blocks of 1 MiB");
    group.throughput(Throughput::Bytes(4 * bytes));
    let codes: [(&str, Arc<dyn Code>); 2] =
        [("parity", Arc::new(Parity::new(4))), ("mds 6 4", Arc::new(Mds::new(6, 4)))];
    for (name, code) in codes {
        let decoder = code.decoder(&[1, 2, 3, 4].into()).expect("four shares");
        let Recipe::Mix(terms) = &decoder.recipes[0] else { panic!("source 0 is gone") };
        let terms: Vec<(f64, &[f32])> = terms.iter().map(|(_, c)| (*c, &block[..])).collect();
        group.bench_function(name, |b| b.iter(|| mix(black_box(&terms))));
    }
    group.bench_function("copying as many bytes", |b| {
        b.iter(|| (0..4).map(|_| black_box(&block).clone().len()).sum::<usize>());
    });
    group.finish();
    c.bench_function("solve a decoder of mds 20 17", |b| {
        let code = Mds::new(20, 17);
        let arrived = (3..20).collect();
        b.iter(|| code.decoder(black_box(&arrived)));
    });
}

criterion_group!(benches, steps, codes, runs);
criterion_main!(benches);
