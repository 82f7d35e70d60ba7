//! Codes over the inputs of a batch: approximate, for any function that is smooth enough.
//!
//! A [`Curve`] runs through the k inputs of a batch, one a point α of [−1, 1]. Each device computes the
//! function at another point β of the curve; the results lie on a curve too, which is read off at the
//! α. Nothing is exact unless the function is a line along the curve, and no number of results is
//! "enough": more are better. So these are no [`Code`](super::Code)s by themselves, and no answer
//! decoded so may be called right: it is an estimate. An [`Estimator`](super::Estimator) says how many
//! results are to be enough all the same.
//!
//! Along the curve neighbouring inputs should be alike; [`Order::NearestNeighbour`] makes them so.

use std::f64::consts::PI;
use std::fmt::Debug;

use super::Arrived;
use crate::maths::matrix::Matrix;
use crate::units::Flops;

/// Runs through the inputs of a batch. Laws (`tests/curves.rs`): the weights of an input, and of an
/// estimate, add up to 1; inputs that are all alike give estimates without error, whatever arrived; the
/// error falls as results are added.
pub trait Curve: Debug + Send + Sync {
    /// What people call it, with its parameters: `Berrut(60, 20)`.
    fn name(&self) -> String;

    /// n × k: what each input of the batch weighs in what each device is sent.
    fn encoder(&self) -> &Matrix;

    /// k × (arrived): what each result weighs in the estimate for each input.
    ///
    /// # Panics
    /// If nothing has arrived.
    fn decoder(&self, arrived: &Arrived) -> Matrix;

    /// (arrived): what each of these results weighs in what they foretell of the result of one more device.
    ///
    /// # Panics
    /// If nothing has arrived.
    fn foretell(&self, arrived: &Arrived, device: usize) -> Vec<f64>;

    /// Results that foretell each other to this part of their size do not contradict each other: where the
    /// others are nearly on a line, a kink of the function, too, stands out.
    fn kink(&self) -> f64 {
        0.1
    }

    /// Whether the weights of an estimate hang on what the results are, and not only on whose they are.
    fn looks_at_results(&self) -> bool {
        false
    }

    /// Like [`Self::decoder`], for these results.
    ///
    /// # Panics
    /// If nothing has arrived, or blocks of different lengths.
    fn decoder_for(&self, arrived: &Arrived, results: &[&[f32]]) -> Matrix {
        let _ = results;
        self.decoder(arrived)
    }

    /// The work of looking at so many results of so many elements.
    fn looking_work(&self, results: usize, len: usize) -> Flops {
        let _ = (results, len);
        Flops(0)
    }
}

/// The points of the k inputs: Chebyshev's of the first kind, ascending.
pub(super) fn inputs(k: usize) -> Vec<f64> {
    (0..k).rev().map(|j| ((2 * j + 1) as f64 * PI / (2 * k) as f64).cos()).collect()
}

/// Where on the curve the devices stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// At Chebyshev's points of the second kind, as published: no device computes an input itself.
    Spread,
    /// One at each input, which then needs no estimate if it replies; the others between, evenly. What
    /// a systematic code is to weights. Needs n ≥ k.
    AtInputs,
}

/// The points of the n devices, ascending.
///
/// # Panics
/// If there are fewer devices than inputs and they are to stand there.
pub(super) fn devices(n: usize, k: usize, placement: Placement) -> Vec<f64> {
    match placement {
        Placement::Spread => {
            let last = (n - 1).max(1) as f64;
            (0..n).rev().map(|i| (i as f64 * PI / last).cos()).collect()
        }
        Placement::AtInputs => {
            assert!(n >= k, "a device at each input");
            let mut points = inputs(k);
            points.extend(between(n - k, k));
            points.sort_by(f64::total_cmp);
            points
        }
    }
}

/// So many points between the k inputs and outside the outermost, dealt out evenly over the k + 1 gaps.
fn between(count: usize, k: usize) -> Vec<f64> {
    let gaps = k + 1;
    let gap_of = |at: usize| (2 * at + 1) * gaps / (2 * count);
    // Gaps are even in the angle whose cosine the point is; the two outermost are half as wide.
    let edge =
        |gap: usize| ((2 * gap) as f64 - 1.0).clamp(0.0, (2 * k) as f64) * PI / (2 * k) as f64;
    let point = |at: usize| {
        let gap = gap_of(at);
        let (first, all) = (0..count)
            .filter(|other| gap_of(*other) == gap)
            .fold((usize::MAX, 0), |(first, all), other| (first.min(other), all + 1));
        let part = (at - first + 1) as f64 / (all + 1) as f64;
        (edge(gap) + part * (edge(gap + 1) - edge(gap))).cos()
    };
    (0..count).map(point).collect()
}

/// In which order the inputs of a batch stand along the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they came.
    Given,
    /// Each followed by the nearest of those left, and the path then untangled: as long as turning a
    /// piece of it round makes it shorter, that is done (2-opt).
    NearestNeighbour,
}

impl Order {
    /// The places of the inputs along the curve: first comes `order[0]`.
    pub fn of(self, inputs: &[&[f32]]) -> Vec<usize> {
        match self {
            Self::Given => (0..inputs.len()).collect(),
            Self::NearestNeighbour => {
                let distances = distances(inputs);
                let mut path = nearest_neighbours(&distances);
                untangle(&mut path, &distances);
                path
            }
        }
    }
}

fn distances(inputs: &[&[f32]]) -> Vec<Vec<f64>> {
    let square = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum()
    };
    let row = |a: &&[f32]| inputs.iter().map(|b| square(a, b).sqrt()).collect();
    inputs.iter().map(row).collect()
}

fn nearest_neighbours(distances: &[Vec<f64>]) -> Vec<usize> {
    let mut left: Vec<usize> = (1..distances.len()).collect();
    let mut path = Vec::from_iter((!distances.is_empty()).then_some(0));
    while let Some(here) = path.last().copied() {
        let nearest = |a: &usize, b: &usize| distances[here][*a].total_cmp(&distances[here][*b]);
        let Some(next) = left.iter().copied().min_by(nearest) else { break };
        left.retain(|other| *other != next);
        path.push(next);
    }
    path
}

fn untangle(path: &mut [usize], distances: &[Vec<f64>]) {
    let far = |a: Option<&usize>, b: Option<&usize>| match (a, b) {
        (Some(a), Some(b)) => distances[*a][*b],
        // The path is open: its ends are next to nothing.
        _ => 0.0,
    };
    for _ in 0..MOST_SWEEPS {
        let mut changed = false;
        for i in 0..path.len() {
            for j in i + 1..path.len() {
                let before = i.checked_sub(1).and_then(|at| path.get(at));
                let (first, last, after) = (path.get(i), path.get(j), path.get(j + 1));
                let gain =
                    far(before, first) + far(last, after) - far(before, last) - far(first, after);
                if gain > 1e-9 {
                    path[i..=j].reverse();
                    changed = true;
                }
            }
        }
        if !changed {
            break;
        }
    }
}

/// Paths of a hundred are untangled long before.
const MOST_SWEEPS: usize = 50;
