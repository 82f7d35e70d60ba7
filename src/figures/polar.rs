//! How often a polar code decodes when each share is lost by itself with some probability, and what an
//! estimate is worth where it does not.

use rand::RngExt;

use super::chart::{Axis, Chart, Series};
use super::trial::chance;
use super::{Claim, Finding, Scope, Table};
use crate::code::{Arrived, Code, Polar};

const LOST: f64 = 0.25;

/// (n, k) and the success rate that our own earlier experiment found: at 25 % lost, three quarters
/// is what the best code could carry.
const SIZES: [((usize, usize), f64); 4] =
    [((64, 32), 0.98), ((64, 40), 0.68), ((256, 128), 0.995), ((256, 166), 0.59)];

pub(super) fn run(scope: &Scope) -> anyhow::Result<Finding> {
    let mut table = Table::new(&["n", "k", "rate", "lost", "decoded", "before", "estimate_error"]);
    let (mut claims, mut series) = (Vec::new(), Vec::new());
    for ((n, k), before) in SIZES {
        let trials = scope.trials(if n > 64 { 100 } else { 400 }, 10);
        let code = Polar::new(n, k);
        let succeeds = |trial: usize| {
            let mut rng = chance(&[n as u64, k as u64, trial as u64]);
            let arrived = (0..n).filter(|_| rng.random_range(0.0..1.0) >= LOST).collect();
            code.decoder(&arrived).is_ok()
        };
        let decoded = (0..trials).filter(|trial| succeeds(*trial)).count() as f64 / trials as f64;
        let rate = k as f64 / n as f64;
        let numbers = [format!("{rate:.3}"), LOST.to_string(), format!("{decoded:.3}")];
        let row = [n.to_string(), k.to_string()].into_iter().chain(numbers);
        table.push(row.chain([before.to_string(), String::new()]));
        series.push((n, (rate, decoded), (rate, before)));
        // Three standard deviations of the estimate, and as much again for the earlier one's.
        let allowed = 6.0 * (before * (1.0 - before) / trials as f64).sqrt() + 0.03;
        claims.push(Claim::new(
            format!("Polar({n}, {k}) decodes with 25 % of shares lost"),
            format!("own, earlier: {before}"),
            format!("{decoded:.3} (tolerates any {})", code.tolerates()),
            (decoded - before).abs() <= allowed,
        ));
    }
    claims.push(estimates(scope, &mut table));
    let of = |size: usize, published: bool| {
        let of_size = series.iter().filter(|(n, ..)| *n == size);
        of_size.map(|(_, measured, before)| if published { *before } else { *measured }).collect()
    };
    let chart = Chart {
        title: "Polar codes, 25 % of shares lost: how often they decode".to_owned(),
        x: Axis::new("rate k/n"),
        y: Axis::new("decoded"),
        series: vec![
            Series::measured("n = 64", of(64, false)),
            Series::measured("n = 256", of(256, false)),
            Series::measured("n = 64, earlier", of(64, true)),
            Series::measured("n = 256, earlier", of(256, true)),
        ],
        groups: Vec::new(),
    };
    let remarks = vec![
        "What is marked as own is an earlier experiment with other code; the papers' numbers could not be \
         read. Positions are chosen here for half the redundancy lost."
            .to_owned(),
    ];
    Ok(Finding { claims, table, chart, remarks })
}

/// Losses, from more than which Polar(64, 32) decodes hardly ever.
const HEAVY: [f64; 4] = [0.4, 0.5, 0.6, 0.8];

/// What is estimated from sets that are not decodable, for sources of random numbers: the root mean square
/// error in units of the sources'; zeros would be off by 1.
fn estimates(scope: &Scope, table: &mut Table) -> Claim {
    let code = Polar::new(64, 32);
    let mut means = Vec::new();
    for lost in HEAVY {
        let error = |trial: usize| {
            let mut rng = chance(&[lost.to_bits(), trial as u64]);
            let arrived = (0..64).filter(|_| rng.random_range(0.0..1.0) >= lost).collect();
            let sources: Vec<f32> = (0..32).map(|_| rng.random_range(-1.0..1.0)).collect();
            code.decoder(&arrived).is_err().then(|| estimate_error(&code, &arrived, &sources))
        };
        let errors: Vec<f64> = (0..scope.trials(100, 10)).filter_map(error).collect();
        let mean = errors.iter().sum::<f64>() / errors.len().max(1) as f64;
        let row = ["64", "32", "0.5", &lost.to_string(), "", "", &format!("{mean:.3}")];
        table.push(row.map(str::to_owned));
        means.push((lost, mean));
    }
    let said = means.iter().map(|(lost, mean)| format!("{mean:.2} at {:.0} %", 100.0 * lost));
    Claim::new(
        "Polar(64, 32): error of an estimate from too few, in that of zeros, by shares lost",
        "an estimate at any time",
        said.collect::<Vec<_>>().join(", "),
        means.iter().all(|(_, mean)| *mean < 1.0),
    )
}

fn estimate_error(code: &Polar, arrived: &Arrived, sources: &[f32]) -> f64 {
    let result = |share: usize| {
        let mixture = &code.encoder().share(share)[0];
        vec![mixture.iter().map(|(at, c)| *c as f32 * sources[*at]).sum::<f32>()]
    };
    let results: Vec<Vec<f32>> = (0..code.shares()).map(result).collect();
    let Some(decoder) = code.estimate(arrived) else { return 1.0 };
    let estimated = decoder.decode(|place| &results[place.share]);
    let pairs = estimated.iter().zip(sources);
    let off: f64 = pairs.map(|(got, source)| f64::from(got[0] - source).powi(2)).sum();
    (off / sources.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>()).sqrt()
}
