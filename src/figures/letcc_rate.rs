//! How the error of batch codes falls with the number of devices, for x·sin x, clean and noisy.

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::chart::{Axis, Chart, Series};
use super::trial::{chance, short, slope, survivors};
use super::{Claim, Finding, Scope, Table};
use crate::code::{Arrived, Berrut, Curve, Placement, Smoothing, Spline};
use crate::maths::matrix::Matrix;

const K: usize = 8;
const SILENT: usize = 3;
const SIZES: [usize; 6] = [16, 32, 64, 128, 256, 512];
const NOISE: f64 = 0.05;

/// λ_dec that were tried for noisy results; the best for each N is told, as the paper tunes it.
const SMOOTHINGS: [f64; 7] = [0.0, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3];

fn times(matrix: &Matrix, values: &[f64]) -> Vec<f64> {
    let row = |row| matrix.row(row).zip(values).map(|(w, y)| w * y).sum();
    (0..matrix.rows()).map(row).collect()
}

/// The mean square error of estimating x·sin x at eight random x, three devices being silent.
fn error(make: &dyn Fn(usize) -> Box<dyn Curve>, n: usize, noise: f64, trials: usize) -> f64 {
    let curve = make(n);
    let one = |trial: usize| {
        let mut rng = chance(&[n as u64, trial as u64]);
        let inputs: Vec<f64> = (0..K).map(|_| rng.random_range(-3.0..3.0)).collect();
        let arrived: Arrived = survivors(n, SILENT, &mut rng);
        let sent = times(curve.encoder(), &inputs);
        let f = |x: f64| x * x.sin();
        let mut result = |share: &usize| {
            let off: f64 = StandardNormal.sample(&mut rng);
            f(sent[*share]) + noise * off
        };
        let results: Vec<f64> = arrived.iter().map(&mut result).collect();
        let told: Vec<f32> = results.iter().map(|y| *y as f32).collect();
        let blocks: Vec<&[f32]> = told.chunks(1).collect();
        let estimates = times(&curve.decoder_for(&arrived, &blocks), &results);
        let squares = estimates.iter().zip(&inputs).map(|(got, x)| (got - f(*x)).powi(2));
        squares.sum::<f64>() / K as f64
    };
    (0..trials).map(one).sum::<f64>() / trials as f64
}

pub(super) fn run(scope: &Scope) -> anyhow::Result<Finding> {
    let trials = scope.trials(100, 10);
    let berrut = |n: usize| -> Box<dyn Curve> { Box::new(Berrut::new(n, K, Placement::Spread)) };
    let smoothed = |smoothing: Smoothing| {
        move |n: usize| -> Box<dyn Curve> {
            Box::new(Spline::new(n, K, Placement::Spread, 0.0, smoothing))
        }
    };
    let spline = |lambda: f64| smoothed(Smoothing::Given(lambda));
    let over = |make: &dyn Fn(usize) -> Box<dyn Curve>, noise: f64| -> Vec<(f64, f64)> {
        SIZES.iter().map(|n| (*n as f64, error(make, *n, noise, trials))).collect()
    };
    let tuned = |n: &usize| {
        let errors = SMOOTHINGS.map(|smoothing| error(&spline(smoothing), *n, NOISE, trials));
        (*n as f64, errors.into_iter().fold(f64::INFINITY, f64::min))
    };
    let curves = [
        ("Berrut", over(&berrut, 0.0)),
        ("spline, λ = 0", over(&spline(0.0), 0.0)),
        ("Berrut, noisy", over(&berrut, NOISE)),
        ("spline, λ = 0, noisy", over(&spline(0.0), NOISE)),
        ("spline, tuned, noisy", SIZES.iter().map(tuned).collect()),
        ("spline, λ cross-validated, noisy", over(&smoothed(Smoothing::CrossValidated), NOISE)),
    ];
    let mut table = Table::new(&["code", "devices", "mean_square_error"]);
    for (name, points) in &curves {
        for (n, error) in points {
            table.push([(*name).to_owned(), n.to_string(), format!("{error:.3e}")]);
        }
    }
    // From 64 on, where the interpolants have settled.
    let rate = |at: usize| slope(&curves[at].1[2..]);
    let noisy = |at: usize| curves[at].1[4].1;
    let claims = vec![
        Claim::new(
            "Berrut, clean: slope",
            "−2 or steeper (bound)",
            format!("{:.2}", rate(0)),
            rate(0) <= -1.7,
        ),
        Claim::new(
            "spline, clean: slope",
            "−3 or steeper (bound)",
            format!("{:.2}", rate(1)),
            rate(1) <= -3.0,
        ),
        Claim::new(
            "tuned spline, noisy, N = 256: error of Berrut's",
            "own, earlier: a tenth",
            format!("{} of {}", short(noisy(4)), short(noisy(2))),
            noisy(4) < 0.2 * noisy(2),
        ),
        Claim::new(
            "λ cross-validated batch by batch, N = 256: error of the tuned",
            "not published",
            format!("{} of {}", short(noisy(5)), short(noisy(4))),
            noisy(5) < 1.5 * noisy(4),
        ),
        Claim::new(
            "tuned spline, noisy: slope",
            "−0.6 or steeper (bound)",
            format!("{:.2}", rate(4)),
            rate(4) <= -0.5,
        ),
    ];
    let series = curves.into_iter().map(|(name, points)| Series::measured(name, points)).collect();
    let chart = Chart {
        title: format!("Estimating x·sin x for {K} inputs, {SILENT} devices silent"),
        x: Axis::log("devices"),
        y: Axis::log("mean square error"),
        series,
        groups: Vec::new(),
    };
    let remarks = vec![format!(
        "Inputs are uniform in (−3, 3), in the order they came; noise has a deviation of {NOISE}; {trials} trials. \
         What is marked as own is an earlier experiment with other code, not the paper's."
    )];
    Ok(Finding { claims, table, chart, remarks })
}
