//! Accuracy of batches with silent devices, n = k + s, and with liars, n = 2k + 2e − 1: ApproxIFER's settings.

use super::batch::{Method, Outputs, score_with_liars, scores};
use super::chart::{Axis, Chart, Series};
use super::{Claim, Finding, Scope, Table};
use crate::code::Order;
use crate::plan::Plan;

/// (k, s) and the accuracy published for Fashion-MNIST on ResNet-18, whose own is 0.93 to 0.97 (from the
/// authors' plotting script).
const SETTINGS: [((usize, usize), f64); 5] =
    [((8, 1), 0.74), ((10, 1), 0.73), ((12, 1), 0.72), ((8, 2), 0.655), ((8, 3), 0.64)];

/// The number of liars among the devices of batches of twelve, and what was published for them.
const LIARS: [(usize, f64); 2] = [(1, 0.79), (2, 0.805)];
const BATCH_WITH_LIARS: usize = 12;

/// As published, and with a device at each input.
const METHODS: [Method; 2] = [Method::Berrut, Method::SplineAtInputs { after: 0 }];

const MODELS: [(&str, &str); 2] = [("LeNet-5", "lenet5"), ("VGG-lite", "vgglite")];

pub(super) fn run(scope: &Scope) -> anyhow::Result<Finding> {
    let batches = scope.trials(100, 4);
    let mut table =
        Table::new(&["model", "code", "k", "s", "e", "order", "outputs", "accuracy", "whole"]);
    let (mut claims, mut series) = (Vec::new(), Vec::new());
    for (name, topology) in MODELS {
        let plan = scope.plan(topology, |text| text)?;
        let mut bars = [const { Vec::new() }; 2];
        for (group, ((k, s), published)) in SETTINGS.into_iter().enumerate() {
            let scores = scores(&plan, (k + s, k, s), 0..batches, &METHODS)?;
            for ((method, ordered, outputs), score) in &scores {
                let order = if *ordered { "nearest neighbour" } else { "given" };
                let code = format!("{method:?}");
                let words = [name, &code, &k.to_string(), &s.to_string(), "0", order];
                let numbers =
                    [score.accuracy(), score.accuracy_of_whole()].map(|a| format!("{a:.3}"));
                let words = words.map(str::to_owned).into_iter();
                table.push(words.chain([format!("{outputs:?}")]).chain(numbers));
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
        for (at, (e, published)) in LIARS.into_iter().enumerate() {
            let told = liars(&plan, name, e, scope, &mut table)?;
            let group = (SETTINGS.len() + at) as f64;
            bars.iter_mut().zip(&told).for_each(|(bars, told)| bars.push((group, told.accuracy)));
            let [as_published, best] = told;
            claims.push(Claim::new(
                format!("{name}, k = {BATCH_WITH_LIARS}, {e} lying: accuracy"),
                format!("≥ {published}"),
                format!(
                    "{:.3}, liars found in {:.0} % of the batches; all together {:.3} and {:.0} %",
                    as_published.accuracy,
                    100.0 * as_published.found,
                    best.accuracy,
                    100.0 * best.found,
                ),
                best.accuracy >= published,
            ));
        }
        for (what, bars) in ["as published", "all together"].into_iter().zip(bars) {
            series.push(Series::measured(format!("{name}, {what}"), bars));
        }
    }
    let published = SETTINGS.iter().map(|(_, accuracy)| accuracy);
    let published = published.chain(LIARS.iter().map(|(_, accuracy)| accuracy));
    let published = published.enumerate().map(|(at, accuracy)| (at as f64, *accuracy));
    series.push(Series::published("ResNet-18", published.collect()));
    let silent = SETTINGS.iter().map(|((k, s), _)| format!("k = {k}, s = {s}"));
    let lying = LIARS.iter().map(|(e, _)| format!("k = {BATCH_WITH_LIARS}, e = {e}"));
    let chart = Chart {
        title: "Accuracy with silent and with lying devices, Fashion-MNIST".to_owned(),
        x: Axis::new(""),
        y: Axis::new("accuracy"),
        series,
        groups: silent.chain(lying).collect(),
    };
    let remarks = vec![
        "The paper's network is ResNet-18, ours are \
         smaller and less accurate; a claim holds if everything together reaches the published accuracy: \
         inputs ordered, outputs decoded before softmax, a device at each input."
            .to_owned(),
        "Where devices lie nobody is silent, and there are 2k + 2e − 1 of them, as few as the authors' \
         script allows; our sources say neither how many were silent there nor what the liars sent. Here \
         each sends what it computed times −3. Liars are found as kofn finds them, by what the other \
         results foretell, not by the authors' rational function."
            .to_owned(),
    ];
    Ok(Finding { claims, table, chart, remarks })
}

/// What came of batches with liars.
#[derive(Clone, Copy)]
struct Told {
    accuracy: f64,
    /// The part of the batches in which exactly the liars were found.
    found: f64,
}

/// As published, and all together.
fn liars(
    plan: &Plan,
    name: &str,
    e: usize,
    scope: &Scope,
    table: &mut Table,
) -> anyhow::Result<[Told; 2]> {
    let (k, batches) = (BATCH_WITH_LIARS, scope.trials(40, 2));
    let mut tell = |way: (Method, Order, Outputs)| {
        let (score, found) = score_with_liars(plan, (2 * k + 2 * e - 1, k, e), 0..batches, way)?;
        let (method, order, outputs) = way;
        let order = match order {
            Order::Given => "given",
            Order::NearestNeighbour => "nearest neighbour",
        };
        let (code, outputs) = (format!("{method:?}"), format!("{outputs:?}"));
        let words = [name, &code, &k.to_string(), "0", &e.to_string(), order, &outputs];
        let accuracies = [score.accuracy(), score.accuracy_of_whole()];
        let numbers = accuracies.map(|accuracy| format!("{accuracy:.3}"));
        table.push(words.map(str::to_owned).into_iter().chain(numbers));
        let found = found as f64 / batches as f64;
        anyhow::Ok(Told { accuracy: score.accuracy(), found })
    };
    Ok([
        tell((METHODS[0], Order::Given, Outputs::Softmax))?,
        tell((METHODS[1], Order::NearestNeighbour, Outputs::Logits))?,
    ])
}
