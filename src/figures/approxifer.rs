//! Accuracy of batches with silent devices: ApproxIFER's setting, n = k + s.

use super::batch::{Method, Outputs, scores};
use super::chart::{Axis, Chart, Series};
use super::{Claim, Finding, Scope, Table};

/// (k, s) and the accuracy published for Fashion-MNIST on ResNet-18, whose own is 0.93 to 0.97 (from the
/// authors' plotting script).
const SETTINGS: [((usize, usize), f64); 5] =
    [((8, 1), 0.74), ((10, 1), 0.73), ((12, 1), 0.72), ((8, 2), 0.655), ((8, 3), 0.64)];

/// As published, and with a device at each input.
const METHODS: [Method; 2] = [Method::Berrut, Method::SplineAtInputs { after: 0 }];

const MODELS: [(&str, &str); 2] = [("LeNet-5", "lenet5"), ("VGG-lite", "vgglite")];

pub(super) fn run(scope: &Scope) -> anyhow::Result<Finding> {
    let batches = scope.trials(100, 4);
    let mut table =
        Table::new(&["model", "code", "k", "s", "order", "outputs", "accuracy", "whole"]);
    let (mut claims, mut series) = (Vec::new(), Vec::new());
    for (name, topology) in MODELS {
        let plan = scope.plan(topology, |text| text)?;
        let mut bars = [const { Vec::new() }; 2];
        for (group, ((k, s), published)) in SETTINGS.into_iter().enumerate() {
            let scores = scores(&plan, (k + s, k, s), 0..batches, &METHODS)?;
            for ((method, ordered, outputs), score) in &scores {
                let order = if *ordered { "nearest neighbour" } else { "given" };
                let code = format!("{method:?}");
                let words = [name.to_owned(), code, k.to_string(), s.to_string(), order.to_owned()];
                let numbers =
                    [score.accuracy(), score.accuracy_of_whole()].map(|a| format!("{a:.3}"));
                table.push(words.into_iter().chain([format!("{outputs:?}")]).chain(numbers));
            }
            let as_published = scores[&(Method::Berrut, false, Outputs::Softmax)];
            let ordered = scores[&(Method::Berrut, true, Outputs::Logits)];
            let best = scores[&(METHODS[1], true, Outputs::Logits)];
            bars[0].push((group as f64, as_published.accuracy()));
            bars[1].push((group as f64, best.accuracy()));
            claims.push(Claim::new(
                format!("{name}, k = {k}, {s} silent: accuracy"),
                format!("≥ {published}"),
                format!(
                    "{:.3}; ordered, logits {:.3}; devices at the inputs too {:.3}, of {:.3}",
                    as_published.accuracy(),
                    ordered.accuracy(),
                    best.accuracy(),
                    best.accuracy_of_whole()
                ),
                best.accuracy() >= published,
            ));
        }
        for (what, bars) in ["as published", "all together"].into_iter().zip(bars) {
            series.push(Series::measured(format!("{name}, {what}"), bars));
        }
    }
    let published = SETTINGS.iter().enumerate().map(|(at, (_, accuracy))| (at as f64, *accuracy));
    series.push(Series::published("ResNet-18", published.collect()));
    let chart = Chart {
        title: "Accuracy with silent devices, Fashion-MNIST".to_owned(),
        x: Axis::new(""),
        y: Axis::new("accuracy"),
        series,
        groups: SETTINGS.iter().map(|((k, s), _)| format!("k = {k}, s = {s}")).collect(),
    };
    let remarks = vec![
        "Stragglers only: nobody lies in this figure. The paper's network is ResNet-18, ours are \
         smaller and less accurate; a claim holds if everything together reaches the published accuracy: \
         inputs ordered, outputs decoded before softmax, a device at each input."
            .to_owned(),
    ];
    Ok(Finding { claims, table, chart, remarks })
}
