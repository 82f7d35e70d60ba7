//! Batches through whole models: what estimates come to, by how they are coded, ordered and decoded.

use std::collections::BTreeMap;

use ndarray::IxDyn;
use rand::seq::index::sample;

use super::trial::{chance, survivors};
use crate::code::{Arrived, Berrut, Curve, Estimator, Order, Placement, Spline, outliers};
use crate::maths::Tensor;
use crate::maths::matrix::Matrix;
use crate::maths::mix::mix;
use crate::plan::Plan;

/// (λ_enc, λ_dec) that are tried on other batches than those that count.
pub(super) const BEFORE: [f64; 3] = [0.0, 1e-6, 1e-5];
pub(super) const AFTER: [f64; 5] = [0.0, 1e-8, 1e-6, 1e-5, 1e-4];

/// How a batch is coded. `before` and `after` are places in the grids above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Method {
    Berrut,
    Spline {
        before: usize,
        after: usize,
    },
    /// The same with a device at each input.
    BerrutAtInputs,
    SplineAtInputs {
        after: usize,
    },
}

impl Method {
    fn curve(self, n: usize, k: usize) -> Box<dyn Curve> {
        let spline = |placement, before: f64, after: usize| -> Box<dyn Curve> {
            Box::new(Spline::new(n, k, placement, before, AFTER[after]))
        };
        match self {
            Self::Berrut => Box::new(Berrut::new(n, k, Placement::Spread)),
            Self::Spline { before, after } => spline(Placement::Spread, BEFORE[before], after),
            Self::BerrutAtInputs => Box::new(Berrut::new(n, k, Placement::AtInputs)),
            Self::SplineAtInputs { after } => spline(Placement::AtInputs, 0.0, after),
        }
    }

    /// The first of the methods that send the same, and differ only in how they decode.
    fn sender(self) -> Self {
        match self {
            Self::Berrut | Self::BerrutAtInputs => self,
            Self::Spline { before, .. } => Self::Spline { before, after: 0 },
            Self::SplineAtInputs { .. } => Self::SplineAtInputs { after: 0 },
        }
    }

    pub(super) fn all() -> Vec<Self> {
        let pairs = (0..BEFORE.len()).flat_map(|b| (0..AFTER.len()).map(move |a| (b, a)));
        let splines = pairs.map(|(before, after)| Self::Spline { before, after });
        std::iter::once(Self::Berrut).chain(splines).collect()
    }
}

/// Whether outputs are decoded before or after softmax.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outputs {
    Logits,
    Softmax,
}

/// The sums over all inputs of all batches.
#[derive(Clone, Copy, Default)]
pub(super) struct Score {
    inputs: usize,
    square: f64,
    right: usize,
    right_whole: usize,
}

impl Score {
    /// Of the softmax outputs, against the whole model's.
    pub(super) fn rmse(&self) -> f64 {
        (self.square / self.inputs as f64).sqrt()
    }

    /// Labelled inputs whose estimate names the right class.
    pub(super) fn accuracy(&self) -> f64 {
        self.right as f64 / self.inputs.max(1) as f64
    }

    /// The whole model's.
    pub(super) fn accuracy_of_whole(&self) -> f64 {
        self.right_whole as f64 / self.inputs.max(1) as f64
    }

    /// Accuracy as a part of the whole model's.
    pub(super) fn relative_accuracy(&self) -> f64 {
        self.right as f64 / self.right_whole.max(1) as f64
    }
}

pub(super) type Scores = BTreeMap<(Method, bool, Outputs), Score>;

/// Runs batches of k on n devices of which so many are silent, each with every method, in both orders,
/// and adds their errors up.
pub(super) fn scores(
    plan: &Plan,
    (n, k, silent): (usize, usize, usize),
    batches: std::ops::Range<usize>,
    methods: &[Method],
) -> anyhow::Result<Scores> {
    let mut scores = Scores::new();
    for batch in batches {
        let mut rng = chance(&[n as u64, k as u64, batch as u64]);
        let picked: Vec<usize> = sample(&mut rng, plan.inputs.len(), k).into_iter().collect();
        let arrived = survivors(n, silent, &mut rng);
        for ordered in [false, true] {
            let order = if ordered { Order::NearestNeighbour } else { Order::Given };
            let images: Vec<&[f32]> =
                picked.iter().filter_map(|at| plan.inputs[*at].tensors[0].as_slice()).collect();
            let along: Vec<usize> = order.of(&images).iter().map(|at| picked[*at]).collect();
            add_batch(plan, (n, &along, &arrived), ordered, methods, &mut scores)?;
        }
    }
    Ok(scores)
}

fn add_batch(
    plan: &Plan,
    (n, along, arrived): (usize, &[usize], &Arrived),
    ordered: bool,
    methods: &[Method],
    scores: &mut Scores,
) -> anyhow::Result<()> {
    let inputs: Vec<&Tensor> = along.iter().map(|at| &plan.inputs[*at].tensors[0]).collect();
    let truth: Vec<Vec<f32>> =
        inputs.iter().map(|input| logits(plan, (*input).clone())).collect::<Result<_, _>>()?;
    let mut computed: BTreeMap<Method, Vec<Vec<f32>>> = BTreeMap::new();
    for method in methods {
        let curve = method.curve(n, along.len());
        let results = match computed.get(&method.sender()) {
            Some(results) => results,
            None => {
                let results = compute(plan, curve.encoder(), &inputs, arrived)?;
                computed.entry(method.sender()).or_insert(results)
            }
        };
        for outputs in [Outputs::Logits, Outputs::Softmax] {
            let estimates = estimate(&curve.decoder(arrived), &read(results, outputs), outputs);
            let score = scores.entry((*method, ordered, outputs)).or_default();
            for ((got, want), at) in estimates.iter().zip(&truth).zip(along) {
                let label = plan.inputs[*at].label;
                score.add(got, &softmax(want), label);
            }
        }
    }
    Ok(())
}

impl Score {
    fn add(&mut self, got: &[f32], want: &[f32], label: Option<usize>) {
        self.inputs += 1;
        self.square += got.iter().zip(want).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        self.right += usize::from(label.is_some() && label == top(got));
        self.right_whole += usize::from(label.is_some() && label == top(want));
    }
}

/// Runs batches of k on n devices, of which so many lie and none is silent: who stands out is left out.
/// Says in how many batches exactly the liars were found, too.
pub(super) fn score_with_liars(
    plan: &Plan,
    (n, k, liars): (usize, usize, usize),
    batches: std::ops::Range<usize>,
    (method, order, outputs): (Method, Order, Outputs),
) -> anyhow::Result<(Score, usize)> {
    let (mut score, mut found) = (Score::default(), 0);
    let code = Estimator::new(method.curve(n, k), 0, liars);
    let curve = method.curve(n, k);
    for batch in batches {
        let mut rng = chance(&[n as u64, k as u64, batch as u64]);
        let picked: Vec<usize> = sample(&mut rng, plan.inputs.len(), k).into_iter().collect();
        let lying: Arrived = sample(&mut rng, n, liars).into_iter().collect();
        let images: Vec<&[f32]> =
            picked.iter().filter_map(|at| plan.inputs[*at].tensors[0].as_slice()).collect();
        let along: Vec<usize> = order.of(&images).iter().map(|at| picked[*at]).collect();
        let inputs: Vec<&Tensor> = along.iter().map(|at| &plan.inputs[*at].tensors[0]).collect();
        let all: Arrived = (0..n).collect();
        let mut sent = read(&compute(plan, curve.encoder(), &inputs, &all)?, outputs);
        lying.iter().for_each(|liar| sent[*liar].iter_mut().for_each(|y| *y *= LIE));
        let blocks = sent.iter().enumerate().map(|(share, y)| (share, &y[..])).collect();
        let accused = outliers(&code, &blocks, liars);
        found += usize::from(accused == lying);
        let left: Arrived = all.difference(&accused).copied().collect();
        let kept: Vec<Vec<f32>> = left.iter().map(|share| sent[*share].clone()).collect();
        let estimates = estimate(&curve.decoder(&left), &kept, outputs);
        for (got, at) in estimates.iter().zip(&along) {
            let input = &plan.inputs[*at];
            score.add(got, &softmax(&logits(plan, input.tensors[0].clone())?), input.label);
        }
    }
    Ok((score, found))
}

/// A liar turns what it computed round and sends three times as much.
const LIE: f32 = -3.0;

/// The logits of what each device that replies was sent.
fn compute(
    plan: &Plan,
    encoder: &Matrix,
    inputs: &[&Tensor],
    arrived: &Arrived,
) -> anyhow::Result<Vec<Vec<f32>>> {
    let blocks: Vec<&[f32]> = inputs.iter().filter_map(|input| input.as_slice()).collect();
    let shape = inputs[0].shape();
    let result = |share: &usize| {
        let terms: Vec<(f64, &[f32])> = encoder.row(*share).zip(blocks.iter().copied()).collect();
        let coded = Tensor::from_shape_vec(IxDyn(shape), mix(&terms))?;
        logits(plan, coded)
    };
    arrived.iter().map(result).collect()
}

fn logits(plan: &Plan, input: Tensor) -> anyhow::Result<Vec<f32>> {
    Ok(plan.whole.run(&[input])?[0].iter().copied().collect())
}

/// What the devices send of these logits.
fn read(logits: &[Vec<f32>], outputs: Outputs) -> Vec<Vec<f32>> {
    match outputs {
        Outputs::Logits => logits.to_vec(),
        Outputs::Softmax => logits.iter().map(|logits| softmax(logits)).collect(),
    }
}

/// The softmax outputs that a batch's results come to.
fn estimate(decoder: &Matrix, read: &[Vec<f32>], outputs: Outputs) -> Vec<Vec<f32>> {
    let decode = |row: usize| {
        let terms: Vec<(f64, &[f32])> =
            decoder.row(row).zip(read.iter().map(Vec::as_slice)).collect();
        let decoded = mix(&terms);
        match outputs {
            Outputs::Logits => softmax(&decoded),
            Outputs::Softmax => decoded,
        }
    };
    (0..decoder.rows()).map(decode).collect()
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = logits.iter().map(|y| (y - most).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

fn top(outputs: &[f32]) -> Option<usize> {
    let best = outputs.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map(|(class, _)| class)
}
