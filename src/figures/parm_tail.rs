//! The tail of latencies: coded, against replication with as many devices, and none.

use super::chart::{Axis, Chart, Series};
use super::trial::{Ran, everywhere, short, simulate};
use super::{Claim, Finding, Scope, Table};
use crate::drive::Setup;
use crate::fault::{Delay, FaultKind};
use crate::maths::chance::Seed;
use crate::maths::delay;

/// Five boards each, as `lenet5.ron` has them; four of them uncoded.
const FLEETS: [(&str, &str); 3] = [
    ("coded, 4 of 5", "lenet5"),
    ("replicated, 5 for 4", "lenet5-2mr"),
    ("uncoded, 4", "lenet5-uncoded"),
];

/// Background traffic: a message in a hundred waits long. Times in milliseconds, a Pareto tail.
const SCALE_MS: f64 = 0.02;
const SHAPE: f64 = 1.3;

pub(super) fn run(scope: &Scope) -> anyhow::Result<Finding> {
    let requests = scope.trials(20_000, 300);
    let mut runs = Vec::new();
    for (name, topology) in FLEETS {
        let plan = scope.plan(topology, |text| text)?;
        let calm = Setup::new(plan.clone(), requests, Seed(1))?;
        let scale = crate::units::Span::from_millis(SCALE_MS);
        let traffic = delay::Delay::Pareto { scale, shape: SHAPE };
        let faults = vec![everywhere(&plan, FaultKind::Delay(Delay::of(traffic)))];
        runs.push((name, simulate(&calm.with_faults(faults))?));
    }
    let gap = |ran: &Ran| ran.quantile(0.999) - ran.quantile(0.5);
    let [coded, replicated, _] = [0, 1, 2].map(|at| &runs[at].1);
    let cut = gap(replicated) / gap(coded);
    let claims = vec![
        Claim::new(
            "gap from the median to the 99.9th percentile, cut against equal-budget replication",
            "up to 3.5 ×",
            format!("{cut:.2} × ({} → {} ms)", short(gap(replicated)), short(gap(coded))),
            cut >= 3.5,
        ),
        Claim::new(
            "median, against replication's",
            "the same",
            format!("{} and {} ms", short(coded.quantile(0.5)), short(replicated.quantile(0.5))),
            coded.quantile(0.5) <= 1.02 * replicated.quantile(0.5),
        ),
    ];
    let quantiles = [0.1, 0.5, 0.9, 0.95, 0.99, 0.995, 0.999];
    let mut table = Table::new(&["fleet", "quantile", "latency_ms", "failed"]);
    let mut series = Vec::new();
    for (name, ran) in &runs {
        for quantile in quantiles {
            let latency = short(ran.quantile(quantile));
            table.push([(*name).to_owned(), quantile.to_string(), latency, ran.failed.to_string()]);
        }
        let points = quantiles.iter().map(|q| (1.0 / (1.0 - q), ran.quantile(*q))).collect();
        series.push(Series::measured(*name, points));
    }
    let chart = Chart {
        title: "Latency that one request in so many exceeds".to_owned(),
        x: Axis::log("one request in"),
        y: Axis::new("latency, ms"),
        series,
        groups: Vec::new(),
    };
    let remarks = vec![format!(
        "ParM codes whole queries over GPUs behind a load balancer; here the layers of LeNet-5 are coded \
         over five boards, and all messages take longer by a Pareto time of {SCALE_MS} ms and shape \
         {SHAPE}. The kind of setting is the paper's, its fleet is not."
    )];
    Ok(Finding { claims, table, chart, remarks })
}
