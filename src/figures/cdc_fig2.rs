//! What LeNet-5 still knows when part of one layer's results is lost, and when the layer is coded.

use std::collections::BTreeMap;

use rand::RngExt;

use super::chart::{Axis, Chart, Series};
use super::trial::{chance, dead, simulate};
use super::{Claim, Finding, Scope, Table};
use crate::drive::Setup;
use crate::maths::Tensor;
use crate::maths::chance::Seed;
use crate::model::cut::{Mark, Piece, PieceKind, Pieces};
use crate::plan::{Input, Plan};

const LOSSES: [f64; 11] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// Digitised from the PDF's vectors at [`LOSSES`].
const PUBLISHED: [f64; 11] =
    [0.997, 0.987, 0.987, 0.976, 0.976, 0.952, 0.848, 0.662, 0.475, 0.280, 0.118];

pub(super) fn run(scope: &Scope) -> anyhow::Result<Finding> {
    let plan = scope.plan("lenet5", |text| text)?;
    let images = &plan.inputs[..scope.trials(1000, 50).min(plan.inputs.len())];
    let mut table = Table::new(&["layer", "lost", "accuracy"]);
    let mut series: Vec<Series> = Vec::new();
    for at in 0..plan.network.layers.len() {
        let curve = curve(&plan, at, images)?;
        let name = plan.network.layers[at].name.clone();
        for (lost, accuracy) in &curve {
            table.push([name.clone(), lost.to_string(), format!("{accuracy:.4}")]);
        }
        series.push(Series::measured(name, curve));
    }
    let setup = Setup::new(plan.clone(), images.len(), Seed(1))?;
    let coded = simulate(&setup.with_faults(vec![dead(&plan, "pi-3")?]))?;
    table.push([
        "coded, one of five boards lost".into(),
        "0.2".into(),
        format!("{:.4}", coded.accuracy),
    ]);
    let mean = |at: usize| series.iter().map(|s| s.points[at].1).sum::<f64>() / series.len() as f64;
    let (whole, fifth, most, none) = (mean(0), mean(2), mean(8), mean(10));
    let claims = vec![
        Claim::new(
            "accuracy with 20 % of a layer lost, of that with none",
            format!("{:.2}", PUBLISHED[2] / PUBLISHED[0]),
            format!("{:.2}", fifth / whole),
            fifth / whole > 0.8,
        ),
        Claim::new(
            "the same with 80 % lost: destructive",
            format!("{:.2}", PUBLISHED[8] / PUBLISHED[0]),
            format!("{:.2}", most / whole),
            most / whole < 0.7,
        ),
        Claim::new(
            "with all lost: guessing",
            "0.12",
            format!("{none:.2}"),
            (0.05..0.2).contains(&none),
        ),
        Claim::new(
            "coded, one of five boards lost: as with none",
            "flat",
            format!("{:.3} of {whole:.3}", coded.accuracy),
            (coded.accuracy - whole).abs() < 1e-9,
        ),
    ];
    let points: Vec<(f64, f64)> = LOSSES.into_iter().map(|lost| (lost, coded.accuracy)).collect();
    series.push(Series::measured("coded, any one lost", points[..3].to_vec()));
    series.push(Series::published("LeNet-5, MNIST", LOSSES.into_iter().zip(PUBLISHED).collect()));
    let chart = Chart {
        title: "LeNet-5: accuracy when part of one layer's results is lost".to_owned(),
        x: Axis::new("part lost"),
        y: Axis::new("accuracy"),
        series,
        groups: Vec::new(),
    };
    let remarks = vec![
        "The paper says neither which layer nor how elements were chosen, and its LeNet-5 knows MNIST; \
         here results (before bias) of each layer in turn are lost at random, on Fashion-MNIST."
            .to_owned(),
    ];
    Ok(Finding { claims, table, chart, remarks })
}

/// Accuracy against the part of one layer's results that is lost.
fn curve(plan: &Plan, layer: usize, images: &[Input]) -> anyhow::Result<Vec<(f64, f64)>> {
    let marks: Vec<Mark> = (0..plan.network.layers.len())
        .map(|at| if at == layer { Mark::Coded } else { Mark::Local })
        .collect();
    let pieces = plan.network.cut(&marks)?;
    let mut right = [0usize; LOSSES.len()];
    for (image, input) in images.iter().enumerate() {
        // One draw an element for all losses: more is lost of the same.
        let mut rng = chance(&[layer as u64, image as u64]);
        let op = &plan.network.layers[layer].op;
        let draws: Vec<f64> =
            (0..op.groups * op.rows * op.columns).map(|_| rng.random_range(0.0..1.0)).collect();
        for (lost, right) in LOSSES.iter().zip(&mut right) {
            let answer = run_with_loss(plan, &pieces, input, &draws, *lost)?;
            *right += usize::from(input.label == top(&answer));
        }
    }
    let accuracy = |right: usize| right as f64 / images.len() as f64;
    Ok(LOSSES.into_iter().zip(right.map(accuracy)).collect())
}

fn top(answer: &Tensor) -> Option<usize> {
    let best = answer.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map(|(class, _)| class)
}

fn run_with_loss(
    plan: &Plan,
    pieces: &Pieces,
    input: &Input,
    draws: &[f64],
    lost: f64,
) -> anyhow::Result<Tensor> {
    let mut values: BTreeMap<usize, Tensor> = input.tensors.iter().cloned().enumerate().collect();
    for Piece { kind, inputs, outputs, .. } in &pieces.pieces {
        let inputs: Vec<Tensor> = inputs.iter().map(|wire| values[wire].clone()).collect();
        let results = match kind {
            PieceKind::Layers(members) => {
                // Pieces as they were cut are of one layer.
                let layer = &plan.network.layers[members[0].layer];
                let mut result = layer.op.apply(&layer.weights, &inputs[0]);
                let gone = result.iter_mut().zip(draws).filter(|(_, draw)| **draw < lost);
                gone.for_each(|(y, _)| *y = 0.0);
                vec![layer.op.assemble(&[&result], layer.op.rows, &layer.finish, inputs.get(1))]
            }
            PieceKind::Local(segment) | PieceKind::Function(_, segment) => segment.run(&inputs)?,
        };
        values.extend(outputs.iter().copied().zip(results));
    }
    Ok(values[&pieces.outputs[0]].clone())
}
