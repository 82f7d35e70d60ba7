//! Rateless codes: how many blocks they need beyond the least, and how soon they answer while boards crawl,
//! against no code, copies, and a code that throws away what a straggler has not finished.

mod overhead;

use overhead::{few_more, lines, overheads};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::chart::{Axis, Chart};
use super::trial::{chance, slow};
use super::{Claim, Finding, Scope, Table};
use crate::drive::Setup;
use crate::event::Event;
use crate::maths::chance::Seed;

/// Boards are 1 + x times slower, each another x, exponential with these means.
const SLOWNESS: [f64; 5] = [0.0, 0.5, 1.0, 2.0, 4.0];

/// On ten boards, fc1's 120 rows: a row a block.
const CODES: [(&str, &str); 8] = [
    ("uncoded", "Uncoded(k: 10)"),
    ("copies", "Replication(n: 10, k: 5)"),
    ("MDS(10, 8)", "Mds(n: 10, k: 8)"),
    ("LT(10, 8)", "Lt(n: 10, k: 8, blocks: 15)"),
    ("LT(10, 8), all sums", "Lt(n: 10, k: 8, blocks: 15, form: Mixed)"),
    ("MDS(10, 5)", "Mds(n: 10, k: 5)"),
    ("LT(10, 5)", "Lt(n: 10, k: 5, blocks: 24)"),
    ("LT(10, 5), all sums", "Lt(n: 10, k: 5, blocks: 24, form: Mixed)"),
];
const UNCODED: usize = 0;
/// The MDS code and the rateless ones of as much redundancy.
const RIVALS: [[usize; 3]; 2] = [[2, 3, 4], [5, 6, 7]];
const MOST_REDUNDANT: usize = 6;

/// Milliseconds that one board would take for fc1: 96 kFLOP.
const ALONE_MS: f64 = 48.0;

fn topology(code: &str) -> String {
    format!(
        r#"Topology(
    model: Onnx("models/lenet5-fashion.onnx"),
    supervisor: (speed: "3GFLOP/s"),
    devices: [(
        name: "pi", count: 10, speed: "2MFLOP/s", memory: "8MB",
        latency: Constant("0.1ms"), bandwidth: "94.1Mbit/s",
    )],
    coding: (code: {code}, on: ["pi"]),
    stages: [(layers: ["conv1", "conv2", "fc2", "fc3"], run: Local)],
    inputs: Random(count: 1),
    requests: 1,
    policy: (deadline: "60s", retries: 0, learn: None),
)"#
    )
}

pub(super) fn run(scope: &Scope) -> anyhow::Result<Finding> {
    let mut table = Table::new(&["part", "code", "at", "mean", "quantile_95"]);
    let overheads = overheads(scope);
    overheads.iter().for_each(|overhead| overhead.push_to(&mut table));
    let latencies = latencies(scope, &mut table)?;
    let chart = Chart {
        title: "Blocks that a rateless code needs beyond the K of the layer".to_owned(),
        x: Axis::log("row blocks K"),
        y: Axis::new("more than K, %"),
        series: lines(&overheads),
        groups: Vec::new(),
    };
    let claims = [few_more(&overheads), compared(&latencies)].concat();
    Ok(Finding { claims, table, chart, remarks: remarks() })
}

fn exponential(rng: &mut ChaCha8Rng) -> f64 {
    -(1.0 - rng.random_range(0.0..1.0f64)).ln()
}

fn quantile(ascending: &[f64], quantile: f64) -> f64 {
    ascending[((ascending.len() - 1) as f64 * quantile).round() as usize]
}

/// At one slowness: the mean time of a round with each of [`CODES`], and if no board ever waited, in
/// milliseconds.
struct Latencies {
    slowness: f64,
    codes: Vec<f64>,
    ideal: f64,
}

fn latencies(scope: &Scope, table: &mut Table) -> anyhow::Result<Vec<Latencies>> {
    let setup = |(_, code): &(&str, &str)| {
        let plan = scope.plan("lenet5", |_| topology(code))?;
        Setup::new(plan, 1, Seed(1))
    };
    let setups: Vec<Setup> = CODES.iter().map(setup).collect::<anyhow::Result<_>>()?;
    let trials = scope.trials(60, 2);
    let mut all = Vec::new();
    for slowness in SLOWNESS {
        let mut times = vec![Vec::new(); CODES.len()];
        let mut ideal = 0.0;
        for trial in 0..trials {
            let mut rng = chance(&[slowness.to_bits(), trial as u64]);
            let paces: Vec<f64> = (0..10).map(|_| 1.0 + slowness * exponential(&mut rng)).collect();
            ideal += ALONE_MS / paces.iter().map(|pace| 1.0 / pace).sum::<f64>() / trials as f64;
            for (times, setup) in times.iter_mut().zip(&setups) {
                times.push(round(setup, &paces)?);
            }
        }
        for (times, (name, _)) in times.iter_mut().zip(CODES) {
            times.sort_by(f64::total_cmp);
            let numbers = [mean(times), quantile(times, 0.95)].map(|x| format!("{x:.3}"));
            let row = ["latency, ms", name, &format!("slowness {slowness}")].map(str::to_owned);
            table.push(row.into_iter().chain(numbers));
        }
        all.push(Latencies { slowness, codes: times.iter().map(|t| mean(t)).collect(), ideal });
    }
    Ok(all)
}

fn mean(times: &[f64]) -> f64 {
    times.iter().sum::<f64>() / times.len() as f64
}

/// How long fc1's round takes with boards of these paces, in milliseconds.
fn round(setup: &Setup, paces: &[f64]) -> anyhow::Result<f64> {
    let faults = paces.iter().enumerate().map(|(board, pace)| slow(board, *pace));
    let trace = setup.with_faults(faults.collect()).rehearse()?;
    let enough = trace.iter().find_map(|record| {
        let Event::Enough { after, .. } = &record.event else { return None };
        Some(after.as_millis())
    });
    enough.ok_or_else(|| anyhow::anyhow!("the round never ended"))
}

/// What is taken for "slightly more" and "near-perfect", in per cent.
const FEW: f64 = 10.0;

fn compared(latencies: &[Latencies]) -> Vec<Claim> {
    let said = |of: &dyn Fn(&Latencies) -> f64| {
        let each = latencies.iter().map(|l| format!("{:.2} at {}", of(l), l.slowness));
        each.collect::<Vec<_>>().join(", ")
    };
    let all = |of: &dyn Fn(&Latencies) -> f64, holds: &dyn Fn(f64) -> bool| {
        latencies.iter().map(of).all(holds)
    };
    let gain = |l: &Latencies| l.codes[UNCODED] / l.codes[MOST_REDUNDANT];
    let best = latencies.iter().map(gain).fold(0.0, f64::max);
    let mut claims = vec![Claim::new(
        format!("{} is faster than no code", CODES[MOST_REDUNDANT].0),
        "up to 3 ×",
        format!("{best:.1} × at most"),
        best >= 3.0,
    )];
    for [rival, systematic, mixed] in RIVALS {
        for code in [systematic, mixed] {
            let ratio = |l: &Latencies| l.codes[code] / l.codes[rival];
            let what = format!("time of {} in {}'s, by slowness", CODES[code].0, CODES[rival].0);
            claims.push(Claim::new(what, "less", said(&ratio), all(&ratio, &|ratio| ratio < 1.0)));
        }
    }
    let ideal = |l: &Latencies| l.codes[MOST_REDUNDANT] / l.ideal;
    claims.push(Claim::new(
        format!("time of {} in that of boards that never wait", CODES[MOST_REDUNDANT].0),
        "asymptotically 1",
        said(&ideal),
        all(&ideal, &|ratio| ratio <= 1.0 + FEW / 100.0),
    ));
    claims
}

fn remarks() -> Vec<String> {
    vec![
        "The paper's settings could not be read; \"a few %\" is taken to be up to 10. It decodes layers of \
         ten thousand rows by peeling alone. Layers here have hundreds, where peeling alone wants much \
         more, so what it leaves is eliminated."
            .to_owned(),
        "With 120 blocks those that ten boards were at when it was enough are a twelfth of the work, which \
         keeps the time above that of boards that never wait; finer blocks cost more messages."
            .to_owned(),
        "Ten boards, fc1 in 120 blocks of a row, each board so many times slower as drawn; the \
         redundancy is a quarter, or as much as that of copies. Boards are idle while the input and the last reply travel, which \
         is counted."
            .to_owned(),
    ]
}
