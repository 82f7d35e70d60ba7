//! AlexNet on six boards: any two of fc1's three replies, against waiting for all.

use super::chart::{Axis, Chart, Series};
use super::trial::{Ran, short, simulate};
use super::{Claim, Finding, Scope, Table};
use crate::drive::Setup;
use crate::maths::chance::Seed;

/// Mean and standard deviation in milliseconds, without mitigation and with it (labels of Figs. 11, 12).
const PUBLISHED: [(f64, f64); 2] = [(1019.0, 390.77), (929.0, 284.53)];

pub(super) fn run(scope: &Scope) -> anyhow::Result<Finding> {
    let requests = scope.trials(300, 5);
    let ways = [("waiting for all", "wait: Everyone, "), ("any two of three", "")];
    let mut runs: Vec<(&str, Ran)> = Vec::new();
    for (name, wait) in ways {
        let policy = format!("policy: ({wait}");
        let plan = scope.plan("alexnet-6-coded", |text| text.replace("policy: (", &policy))?;
        runs.push((name, simulate(&Setup::new(plan, requests, Seed(1))?)?));
    }
    let [all, two] = [&runs[0].1, &runs[1].1];
    let (mean, deviation) =
        (two.mean() / all.mean() - 1.0, two.deviation() / all.deviation() - 1.0);
    let percent = |change: f64| format!("{:+.1} %", 100.0 * change);
    let [(mean_all, sd_all), (mean_two, sd_two)] = PUBLISHED;
    let claims = vec![
        Claim::new(
            "mean latency with straggler mitigation",
            format!("{mean_all} → {mean_two} ms, {}", percent(mean_two / mean_all - 1.0)),
            format!("{:.0} → {:.0} ms, {}", all.mean(), two.mean(), percent(mean)),
            mean <= mean_two / mean_all - 1.0,
        ),
        Claim::new(
            "its standard deviation",
            format!("{sd_all:.0} → {sd_two:.0} ms, {}", percent(sd_two / sd_all - 1.0)),
            format!("{:.0} → {:.0} ms, {}", all.deviation(), two.deviation(), percent(deviation)),
            deviation <= sd_two / sd_all - 1.0,
        ),
    ];
    let mut table = Table::new(&["way", "quantile", "latency_ms"]);
    let mut series = Vec::new();
    for (name, ran) in &runs {
        let points: Vec<(f64, f64)> =
            (1..100).map(|at| f64::from(at) / 100.0).map(|q| (ran.quantile(q), q)).collect();
        for (latency, quantile) in &points {
            table.push([(*name).to_owned(), quantile.to_string(), short(*latency)]);
        }
        series.push(Series::measured(*name, points));
    }
    let chart = Chart {
        title: "AlexNet on six boards: requests answered within a time".to_owned(),
        x: Axis::new("latency, ms"),
        y: Axis::new("part of requests"),
        series,
        groups: Vec::new(),
    };
    let remarks = vec![
        "Assumed: every board's replies are delayed as in Fig. 1 (less its 50 ms of computing), \
         independently; 3 GFLOP/s with a log-normal jitter of 0.35. The paper's requests are delayed by \
         what it does not say, and more: its deviation is larger."
            .to_owned(),
    ];
    Ok(Finding { claims, table, chart, remarks })
}
