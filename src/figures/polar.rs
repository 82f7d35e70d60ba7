//! How often a polar code decodes when each share is lost by itself with some probability.

use rand::RngExt;

use super::chart::{Axis, Chart, Series};
use super::trial::chance;
use super::{Claim, Finding, Scope, Table};
use crate::code::{Code, Polar};

const LOST: f64 = 0.25;

/// (n, k) and the success rate that our own earlier experiment found: at 25 % lost, three quarters
/// is what the best code could carry.
const SIZES: [((usize, usize), f64); 4] =
    [((64, 32), 0.98), ((64, 40), 0.68), ((256, 128), 0.995), ((256, 166), 0.59)];

pub(super) fn run(scope: &Scope) -> anyhow::Result<Finding> {
    let mut table = Table::new(&["n", "k", "rate", "decoded", "before"]);
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
        let numbers = [format!("{rate:.3}"), format!("{decoded:.3}"), before.to_string()];
        table.push([n.to_string(), k.to_string()].into_iter().chain(numbers));
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
