//! Coverage of one failure: parities first and copies after, against copies alone, on five models.
//!
//! By enumeration: every device of a layout is lost in turn, and the codes of its layers are asked
//! whether they decode without it.

use super::chart::{Axis, Chart, Series};
use super::{Claim, Finding, Scope, Table};
use crate::code::{Code, Parity, Replication};

/// A model: how many devices it runs on, the layers that are split and over how many, and the coverage
/// that was published for 1, 2, 3 … more devices (Fig. 14, digitised from the PDF's vectors).
struct Model {
    name: &'static str,
    devices: usize,
    split: &'static [usize],
    coded: &'static [f64],
    copied: &'static [f64],
}

const MODELS: [Model; 5] = [
    Model {
        name: "AlexNet",
        devices: 5,
        split: &[2],
        coded: &[50.0, 71.4, 87.5, 100.0],
        copied: &[33.3, 57.1, 75.0, 88.9, 100.0],
    },
    Model {
        name: "action recognition",
        devices: 8,
        split: &[2, 2],
        coded: &[33.3, 60.0, 72.7, 83.3, 92.3, 100.0],
        copied: &[22.2, 40.0, 54.5, 66.7, 76.9, 85.7, 93.3, 100.0],
    },
    Model {
        name: "C3D-1",
        devices: 7,
        split: &[2, 2],
        coded: &[37.5, 66.7, 80.0, 90.9, 100.0],
        copied: &[25.0, 44.4, 60.0, 72.7, 83.3, 92.3, 100.0],
    },
    Model {
        name: "C3D-2",
        devices: 9,
        split: &[3, 3],
        coded: &[40.0, 72.7, 83.3, 92.3, 100.0],
        copied: &[20.0, 36.4, 50.0, 61.5, 71.4, 80.0, 87.5, 94.1, 100.0],
    },
    Model {
        name: "VGG16",
        devices: 9,
        split: &[3, 3],
        coded: &[40.0, 72.7, 83.3, 92.3, 100.0],
        copied: &[20.0, 36.4, 50.0, 61.5, 71.4, 80.0, 87.5, 94.1, 100.0],
    },
];

/// The codes of a model's layers with so many devices more than it needs.
fn layout(model: &Model, mut more: usize, with_parities: bool) -> Vec<Box<dyn Code>> {
    let single = model.devices - model.split.iter().sum::<usize>();
    let layers = model.split.iter().copied().chain(std::iter::repeat_n(1, single));
    let layers: Vec<usize> = layers.collect();
    let has_parity = |at: usize| with_parities && layers[at] > 1 && at < more;
    let parities = (0..layers.len()).filter(|at| has_parity(*at)).count();
    let coded: Vec<bool> = (0..layers.len()).map(has_parity).collect();
    more -= parities;
    let code = |(k, is_coded): (&usize, &bool)| -> Box<dyn Code> {
        if *is_coded {
            return Box::new(Parity::new(*k));
        }
        let copies = more.min(*k);
        more -= copies;
        Box::new(Replication::new(k + copies, *k))
    };
    layers.iter().zip(&coded).map(code).collect()
}

/// The part of all devices that may be lost, one at a time, in per cent.
fn coverage(layers: &[Box<dyn Code>]) -> f64 {
    let survives = |code: &dyn Code, lost: usize| {
        code.decoder(&(0..code.shares()).filter(|share| *share != lost).collect()).is_ok()
    };
    let covered = |code: &dyn Code| (0..code.shares()).filter(|lost| survives(code, *lost)).count();
    let all: usize = layers.iter().map(|code| code.shares()).sum();
    let covered: usize = layers.iter().map(|code| covered(code.as_ref())).sum();
    100.0 * covered as f64 / all as f64
}

pub(super) fn run(_: &Scope) -> anyhow::Result<Finding> {
    let mut table =
        Table::new(&["model", "method", "more_devices", "coverage_percent", "published_percent"]);
    let (mut claims, mut series) = (Vec::new(), Vec::new());
    for model in &MODELS {
        let methods = [("CDC+2MR", true, model.coded), ("2MR", false, model.copied)];
        for (method, with_parities, published) in methods {
            let measure = |more: usize| coverage(&layout(model, more, with_parities));
            let measured: Vec<f64> = (1..=published.len()).map(measure).collect();
            for (at, (got, want)) in measured.iter().zip(published).enumerate() {
                let numbers = [(at + 1).to_string(), format!("{got:.1}"), want.to_string()];
                table.push([model.name.into(), method.into()].into_iter().chain(numbers));
            }
            let off =
                measured.iter().zip(published).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            claims.push(Claim::new(
                format!("{}, {method}: coverage of one failure", model.name),
                format!("100 % with {} more", published.len()),
                format!("the same, off by {off:.2} points at most"),
                off < 0.06,
            ));
            if ["AlexNet", "C3D-2"].contains(&model.name) {
                let points = (1..).map(f64::from).zip(measured).collect();
                series.push(Series::measured(format!("{} {method}", model.name), points));
            }
        }
    }
    let chart = Chart {
        title: "Devices whose loss is survived".to_owned(),
        x: Axis::new("more devices than needed"),
        y: Axis::new("%"),
        series,
        groups: Vec::new(),
    };
    let remarks = vec![
        "Layouts are inferred from the published points; the layers' codes are asked, no formula."
            .to_owned(),
    ];
    Ok(Finding { claims, table, chart, remarks })
}
