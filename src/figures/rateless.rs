//! Rateless codes: how many blocks they need beyond the least, and how soon they answer while boards crawl,
//! against no code, copies, and a code that throws away what a straggler has not finished.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use super::chart::{Axis, Chart, Series};
use super::trial::{chance, slow};
use super::{Claim, Finding, Scope, Table};
use crate::code::{Arrived, Code, Form, Lt, stretched_soliton};
use crate::drive::Setup;
use crate::event::Event;
use crate::maths::chance::Seed;

/// K for peeling alone, and for codes that kofn runs.
const LARGE: [usize; 10] = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192];
const SMALL: [usize; 5] = [16, 32, 64, 128, 256];
/// Of as many boards those codes are, with half as many to be enough.
const HOLDERS: usize = 16;
const ENOUGH: usize = 8;

/// Per cent of blocks beyond K by which it is asked whether they sufficed.
const BEYOND: [f64; 6] = [0.0, 2.0, 5.0, 10.0, 20.0, 40.0];

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
        series: [PEELED, FORMS[0].1, FORMS[1].1].map(|name| line(&overheads, name)).into(),
        groups: Vec::new(),
    };
    let claims = [few_more(&overheads), compared(&latencies)].concat();
    Ok(Finding { claims, table, chart, remarks: remarks() })
}

/// Blocks beyond K in each trial, in per cent, ascending.
struct Overhead {
    code: &'static str,
    sources: usize,
    percent: Vec<f64>,
}

const PEELED: &str = "all sums, peeling alone";
const FORMS: [(Form, &str); 2] =
    [(Form::Mixed, "all sums, eliminating too"), (Form::Systematic, "systematic, eliminating too")];

fn overheads(scope: &Scope) -> Vec<Overhead> {
    let (large, small) =
        if scope.quick { (&LARGE[..4], &SMALL[..2]) } else { (&LARGE[..], &SMALL[..]) };
    let of = |code, sources: usize, trials, needed: &dyn Fn(&mut ChaCha8Rng) -> usize| {
        let beyond = |trial: usize| {
            let more = needed(&mut chance(&[sources as u64, trial as u64])) - sources;
            100.0 * more as f64 / sources as f64
        };
        let mut percent: Vec<f64> = (0..trials).map(beyond).collect();
        percent.sort_by(f64::total_cmp);
        Overhead { code, sources, percent }
    };
    let trials = scope.trials(40, 3);
    let peeled = large.iter().map(|k| of(PEELED, *k, trials, &|rng| peeled(*k, rng)));
    let mut all: Vec<Overhead> = peeled.collect();
    for (form, name) in FORMS {
        for sources in small {
            let code = Lt::new(HOLDERS, ENOUGH, sources / ENOUGH, form);
            all.push(of(name, *sources, trials, &|rng| streamed(&code, rng)));
        }
    }
    all
}

/// How many sums are drawn until peeling gives all sources.
fn peeled(sources: usize, rng: &mut ChaCha8Rng) -> usize {
    let degrees = stretched_soliton(sources, 1.0);
    let mut known = vec![false; sources];
    // Of each sum that is not used up, how many unknown sources it has, and the sum of their numbers.
    let mut sums: Vec<(usize, usize)> = Vec::new();
    let mut seen_in: Vec<Vec<usize>> = vec![Vec::new(); sources];
    let mut left = sources;
    while left > 0 {
        let degree = degrees.draw(rng.random_range(0.0..1.0));
        let unknown: Vec<usize> =
            sample(rng, sources, degree).into_iter().filter(|at| !known[*at]).collect();
        unknown.iter().for_each(|at| seen_in[*at].push(sums.len()));
        let mut alone = vec![sums.len()];
        sums.push((unknown.len(), unknown.iter().sum()));
        while let Some(sum) = alone.pop() {
            let (1, source) = sums[sum] else { continue };
            known[source] = true;
            left -= 1;
            for other in std::mem::take(&mut seen_in[source]) {
                sums[other].0 -= 1;
                sums[other].1 -= source;
                alone.push(other);
            }
        }
    }
    sums.len()
}

/// How many blocks have come when they suffice, from boards of very different pace.
fn streamed(code: &Lt, rng: &mut ChaCha8Rng) -> usize {
    let hand = code.hand();
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for holder in 0..code.holders() {
        let pace = 1.0 + exponential(rng);
        blocks.extend((0..hand).map(|turn| ((turn + 1) as f64 * pace, holder * hand + turn)));
    }
    // At the same moment any may be first.
    blocks.shuffle(rng);
    blocks.sort_by(|a, b| a.0.total_cmp(&b.0));
    let suffice = |count: usize| {
        let arrived: Arrived = blocks[..count].iter().map(|(_, block)| *block).collect();
        code.decoder(&arrived).is_ok()
    };
    let (mut too_few, mut enough) = (code.sources() - 1, blocks.len());
    while enough - too_few > 1 {
        let middle = too_few.midpoint(enough);
        *(if suffice(middle) { &mut enough } else { &mut too_few }) = middle;
    }
    enough
}

fn exponential(rng: &mut ChaCha8Rng) -> f64 {
    -(1.0 - rng.random_range(0.0..1.0f64)).ln()
}

impl Overhead {
    fn mean(&self) -> f64 {
        self.percent.iter().sum::<f64>() / self.percent.len() as f64
    }

    /// The part of the trials in which so many per cent more were enough.
    fn within(&self, percent: f64) -> f64 {
        self.percent.iter().filter(|more| **more <= percent).count() as f64
            / self.percent.len() as f64
    }

    fn push_to(&self, table: &mut Table) {
        let row = |part: &str, at: String, mean: f64, worst: String| {
            [part.to_owned(), self.code.to_owned(), at, format!("{mean:.3}"), worst]
        };
        let (worst, k) = (quantile(&self.percent, 0.95), self.sources);
        table.push(row("blocks beyond K, %", k.to_string(), self.mean(), format!("{worst:.3}")));
        for more in BEYOND {
            let at = format!("K = {k} and {more} %");
            table.push(row("decoded by", at, self.within(more), String::new()));
        }
    }
}

fn quantile(ascending: &[f64], quantile: f64) -> f64 {
    ascending[((ascending.len() - 1) as f64 * quantile).round() as usize]
}

fn line(overheads: &[Overhead], code: &str) -> Series {
    let of = overheads.iter().filter(|overhead| overhead.code == code);
    Series::measured(code, of.map(|overhead| (overhead.sources as f64, overhead.mean())).collect())
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

fn few_more(overheads: &[Overhead]) -> Vec<Claim> {
    let largest = |code: &str| overheads.iter().rfind(|overhead| overhead.code == code);
    let claim = |code: &str| {
        let overhead = largest(code)?;
        let (k, mean) = (overhead.sources, overhead.mean());
        let said = format!(
            "{mean:.1} % more, of 95 in 100 at most {:.1}",
            quantile(&overhead.percent, 0.95)
        );
        Some(Claim::new(format!("blocks beyond {k}: {code}"), "a few % more", said, mean <= FEW))
    };
    [PEELED, FORMS[0].1, FORMS[1].1].into_iter().filter_map(claim).collect()
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
