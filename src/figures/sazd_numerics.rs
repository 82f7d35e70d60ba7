//! What rounding does to shift-and-add codes, and to codes that multiply, in `f32`.

use rand_distr::{Distribution, StandardNormal};

use super::chart::{Axis, Chart, Series};
use super::trial::{chance, short, survivors};
use super::{Claim, Finding, Scope, Table};
use crate::code::{Arrived, Chebyshev, Code, Form, Gaussian, Mds, Rotation, ShiftAdd, Vandermonde};
use crate::maths::mix::mix;

/// (n, k).
type Size = (usize, usize);

/// An earlier experiment of our own, with other code (the papers' numbers are not to
/// be had): worst relative error of the mixed form, by (n, k) and cells a source.
const MIXED: [(Size, [(usize, f64); 4]); 3] = [
    ((4, 2), [(8, 1e-7), (32, 2e-7), (128, 3e-7), (512, 6e-7)]),
    ((5, 3), [(8, 3e-7), (32, 4e-6), (128, 4e-5), (512, 2e-4)]),
    ((6, 4), [(8, 2e-7), (32, 2e-5), (128, 1e-3), (512, 2e-2)]),
];

/// The systematic form with 512 cells and so many erased, at most.
const SYSTEMATIC: [(usize, f64); 3] = [(1, 6e-7), (2, 6e-6), (3, 6e-4)];

type Make = fn(usize, usize) -> Box<dyn Code>;

/// Codes that multiply, of one cell, with the worst error found before where there is one.
const LINEAR: [(&str, Make, [Option<f64>; 3]); 5] = [
    ("Vandermonde", |n, k| Box::new(Vandermonde::new(n, k)), [Some(1e-4), None, None]),
    ("Chebyshev", |n, k| Box::new(Chebyshev::new(n, k)), [None, Some(1e-5), Some(7e-5)]),
    ("Gaussian", |n, k| Box::new(Gaussian::new(n, k)), [None, Some(4e-5), None]),
    ("Rotation", |n, k| Box::new(Rotation::new(n, k)), [None; 3]),
    ("Mds", |n, k| Box::new(Mds::new(n, k)), [None; 3]),
];

const SIZES: [(usize, usize); 3] = [(6, 4), (12, 10), (20, 17)];

/// The largest error over sets of survivors, relative to the largest source.
fn worst_error(code: &dyn Code, lost: usize, sets: usize, len: usize) -> f64 {
    let encoder = code.encoder();
    let mut rng = chance(&[code.shares() as u64, code.sources() as u64, encoder.cells() as u64]);
    let mut block = |_| (0..len).map(|_| StandardNormal.sample(&mut rng)).collect::<Vec<f32>>();
    let sources: Vec<Vec<f32>> = (0..code.sources() * encoder.cells()).map(&mut block).collect();
    let largest = sources.iter().flatten().fold(0.0f32, |a, x| a.max(x.abs()));
    let cell = |mixture: &Vec<(usize, f64)>| match &mixture[..] {
        [] => vec![0.0; len],
        some => mix(&some.iter().map(|(at, c)| (*c, &sources[*at][..])).collect::<Vec<_>>()),
    };
    let results: Vec<Vec<Vec<f32>>> =
        (0..code.shares()).map(|share| encoder.share(share).iter().map(cell).collect()).collect();
    let error = |arrived: &Arrived| {
        let Ok(decoder) = code.decoder(arrived) else { return f64::INFINITY };
        let decoded = decoder.decode(|place| &results[place.share][place.cell]);
        let pairs = decoded.iter().flat_map(|cell| cell.iter()).zip(sources.iter().flatten());
        let off = pairs.map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
        off / f64::from(largest)
    };
    // Neighbouring shares lost, which is worst for most codes, and a sample.
    let n = code.shares();
    let window = |start: usize| (0..n - lost).map(|at| (start + at) % n).collect::<Arrived>();
    let mut tried: Vec<Arrived> = (0..n).map(window).collect();
    tried.extend((0..sets).map(|_| survivors(n, lost, &mut rng)));
    tried.iter().map(error).fold(0.0, f64::max)
}

fn told<X>(errors: &[(X, f64)]) -> String {
    errors.iter().map(|(_, error)| short(*error)).collect::<Vec<_>>().join(" ")
}

pub(super) fn run(scope: &Scope) -> anyhow::Result<Finding> {
    let sets = scope.trials(60, 5);
    let mut table = Table::new(&["code", "n", "k", "cells", "lost", "worst_error", "before"]);
    let (mut claims, mut series) = (Vec::new(), Vec::new());
    let mut tell = |name: &str,
                    (n, k): (usize, usize),
                    cells: usize,
                    lost: usize,
                    error: f64,
                    before: Option<f64>| {
        let sizes = [n, k, cells, lost].map(|size| size.to_string());
        let before = before.map_or_else(String::new, short);
        table.push([name.to_owned()].into_iter().chain(sizes).chain([short(error), before]));
    };
    for ((n, k), lengths) in MIXED {
        let lengths = &lengths[..scope.trials(4, 2)];
        let mut points = Vec::new();
        let mut ratio: f64 = 0.0;
        for (cells, before) in lengths {
            let code = ShiftAdd::new(n, k, Some(*cells), Form::Mixed);
            let error = worst_error(&code, n - k, sets, 2048 / cells);
            tell("ShiftAdd, mixed", (n, k), *cells, n - k, error, Some(*before));
            points.push((*cells as f64, error));
            ratio = ratio.max(error / before);
        }
        claims.push(Claim::new(
            format!("ShiftAdd({n}, {k}), mixed: worst error by number of cells"),
            format!("own, earlier: {}", told(lengths)),
            told(&points),
            ratio <= 3.0,
        ));
        series.push(Series::measured(format!("ShiftAdd({n}, {k}), mixed"), points));
    }
    let cells = scope.trials(512, 32);
    for (erased, before) in SYSTEMATIC {
        let code = ShiftAdd::new(8 + erased, 8, Some(cells), Form::Systematic);
        let error = worst_error(&code, erased, sets, 4);
        tell("ShiftAdd, systematic", (8 + erased, 8), cells, erased, error, Some(before));
        claims.push(Claim::new(
            format!("ShiftAdd, systematic, {erased} lost, {cells} cells"),
            format!("own, earlier: ≤ {}", short(before)),
            short(error),
            error <= before,
        ));
    }
    let mut at_six = Vec::new();
    for (name, make, before) in LINEAR {
        for ((n, k), before) in SIZES.into_iter().zip(before) {
            let error = worst_error(make(n, k).as_ref(), n - k, sets, 2048);
            tell(name, (n, k), 1, n - k, error, before);
            at_six.extend(((n, k) == (6, 4)).then_some((name, error)));
            if let Some(before) = before {
                claims.push(Claim::new(
                    format!("{name}({n}, {k}): worst error"),
                    format!("own, earlier: {}", short(before)),
                    short(error),
                    error <= 3.0 * before,
                ));
            }
        }
    }
    for (name, error) in at_six {
        let flat = MIXED[2].1.iter().map(|(cells, _)| (*cells as f64, error)).collect();
        series.push(Series::measured(format!("{name}(6, 4)"), flat));
    }
    let chart = Chart {
        title: "Worst relative error of decoding in f32".to_owned(),
        x: Axis::log("cells a source is cut into"),
        y: Axis::log("worst error"),
        series,
        groups: Vec::new(),
    };
    let remarks = vec![
        "What is marked as own is an earlier experiment with other code: no table of the SAZD papers could be \
         read. Shift-and-add beats the naive polynomial code, as they say; no well-conditioned code."
            .to_owned(),
    ];
    Ok(Finding { claims, table, chart, remarks })
}
