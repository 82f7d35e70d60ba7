//! How many blocks rateless codes need beyond the K of a layer: by peeling alone as published, and with what
//! that leaves eliminated, as kofn does.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use super::{FEW, exponential, quantile};
use crate::code::{Arrived, Code, Form, Lt, stretched_soliton};
use crate::figures::chart::Series;
use crate::figures::trial::chance;
use crate::figures::{Claim, Scope, Table};

/// K for peeling alone, and for codes that kofn runs.
const LARGE: [usize; 10] = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192];
const SMALL: [usize; 5] = [16, 32, 64, 128, 256];
/// Of as many boards those codes are, with half as many to be enough.
const HOLDERS: usize = 16;
const ENOUGH: usize = 8;

/// Per cent of blocks beyond K by which it is asked whether they sufficed.
const BEYOND: [f64; 6] = [0.0, 2.0, 5.0, 10.0, 20.0, 40.0];

/// Blocks beyond K in each trial, in per cent, ascending.
pub(super) struct Overhead {
    code: &'static str,
    sources: usize,
    percent: Vec<f64>,
}

const PEELED: &str = "all sums, peeling alone";
const FORMS: [(Form, &str); 2] =
    [(Form::Mixed, "all sums, eliminating too"), (Form::Systematic, "systematic, eliminating too")];

pub(super) fn overheads(scope: &Scope) -> Vec<Overhead> {
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

impl Overhead {
    fn mean(&self) -> f64 {
        self.percent.iter().sum::<f64>() / self.percent.len() as f64
    }

    /// The part of the trials in which so many per cent more were enough.
    fn within(&self, percent: f64) -> f64 {
        self.percent.iter().filter(|more| **more <= percent).count() as f64
            / self.percent.len() as f64
    }

    pub(super) fn push_to(&self, table: &mut Table) {
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

/// One series a code.
pub(super) fn lines(overheads: &[Overhead]) -> Vec<Series> {
    [PEELED, FORMS[0].1, FORMS[1].1].map(|code| line(overheads, code)).into()
}

fn line(overheads: &[Overhead], code: &str) -> Series {
    let of = overheads.iter().filter(|overhead| overhead.code == code);
    Series::measured(code, of.map(|overhead| (overhead.sources as f64, overhead.mean())).collect())
}

pub(super) fn few_more(overheads: &[Overhead]) -> Vec<Claim> {
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
