//! The laws of codes over the inputs of a batch: estimates, which more results make better.

use kofn::code::{Arrived, Berrut, Code, Curve, Estimator, Order, Placement, Smoothing, Spline};
use kofn::maths::matrix::Matrix;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn curves(n: usize, k: usize) -> Vec<Box<dyn Curve>> {
    let mut curves: Vec<Box<dyn Curve>> = Vec::new();
    for placement in [Placement::Spread, Placement::AtInputs] {
        curves.push(Box::new(Berrut::new(n, k, placement)));
        curves.push(Box::new(Spline::new(n, k, placement, 0.0, 0.0)));
        curves.push(Box::new(Spline::new(n, k, placement, 1e-6, 1e-5)));
    }
    curves
}

fn drawn(n: usize, size: usize, salt: u64) -> Arrived {
    let mut shares: Vec<usize> = (0..n).collect();
    shares.sort_by_key(|share| (*share as u64 + 1).wrapping_mul(salt | 1).rotate_left(17));
    shares[..size].iter().copied().collect()
}

fn times(matrix: &Matrix, values: &[f64]) -> Vec<f64> {
    let row = |row| matrix.row(row).zip(values).map(|(w, y)| w * y).sum();
    (0..matrix.rows()).map(row).collect()
}

/// The mean square error of estimating f at the inputs.
fn error(curve: &dyn Curve, arrived: &Arrived, inputs: &[f64], f: fn(f64) -> f64) -> f64 {
    let sent = times(curve.encoder(), inputs);
    let results: Vec<f64> = arrived.iter().map(|share| f(sent[*share])).collect();
    let estimates = times(&curve.decoder(arrived), &results);
    let squares = estimates.iter().zip(inputs).map(|(got, x)| (got - f(*x)).powi(2));
    squares.sum::<f64>() / inputs.len() as f64
}

proptest! {
    #[test]
    fn weights_add_up_to_one_so_that_batches_of_one_input_are_estimated_without_error(
        k in 1usize..30, more in 0usize..40, size in 1usize..70, salt in any::<u64>(), x in -3.0f64..3.0,
    ) {
        let n = k + more;
        let arrived = drawn(n, size.min(n), salt);
        for curve in curves(n, k) {
            let sums = |matrix: &Matrix| times(matrix, &vec![1.0; matrix.columns()]);
            for sum in sums(curve.encoder()).into_iter().chain(sums(&curve.decoder(&arrived))) {
                prop_assert!((sum - 1.0).abs() < 1e-6, "{}: {}", curve.name(), sum);
            }
            let alike = error(curve.as_ref(), &arrived, &vec![x; k], |x| x * x.sin());
            prop_assert!(alike < 1e-9, "{}: {}", curve.name(), alike);
        }
    }

    #[test]
    fn an_input_whose_own_device_replies_needs_no_estimate(
        // A single input is what every device is sent.
        k in 2usize..30, more in 0usize..70, lost in 0usize..10, salt in any::<u64>(),
    ) {
        let n = k + more;
        let arrived = drawn(n, n - lost.min(n - 1), salt);
        let curves: [Box<dyn Curve>; 2] = [
            Box::new(Berrut::new(n, k, Placement::AtInputs)),
            Box::new(Spline::new(n, k, Placement::AtInputs, 0.0, 0.0)),
        ];
        for curve in curves {
            let is_plain = |share: usize, input: usize| {
                curve.encoder().row(share).enumerate().all(|(at, weight)| {
                    (weight - f64::from(u8::from(at == input))).abs() < 1e-9
                })
            };
            let decoder = curve.decoder(&arrived);
            for input in 0..k {
                let own: Vec<usize> = (0..n).filter(|share| is_plain(*share, input)).collect();
                prop_assert_eq!(own.len(), 1, "{} has a device at input {}", curve.name(), input);
                let Some(at) = arrived.iter().position(|share| *share == own[0]) else { continue };
                for (result, weight) in decoder.row(input).enumerate() {
                    let want = f64::from(u8::from(result == at));
                    prop_assert!((weight - want).abs() < 1e-6, "{}: {}", curve.name(), weight);
                }
            }
        }
    }

    #[test]
    fn an_order_names_every_input_once_and_nearest_neighbours_make_no_longer_a_path(
        values in proptest::collection::vec(-1.0f32..1.0, 0..60), width in 1usize..4,
    ) {
        let inputs: Vec<&[f32]> = values.chunks_exact(width).collect();
        let length = |order: &[usize]| -> f64 {
            let far = |a: usize, b: usize| -> f64 {
                inputs[a].iter().zip(inputs[b]).map(|(a, b)| f64::from(a - b).powi(2)).sum()
            };
            order.windows(2).map(|pair| far(pair[0], pair[1]).sqrt()).sum()
        };
        for order in [Order::Given, Order::NearestNeighbour] {
            let mut all = order.of(&inputs);
            prop_assert!(width > 1 || order == Order::Given || is_sorted(&all, &inputs));
            all.sort_unstable();
            prop_assert_eq!(all, (0..inputs.len()).collect::<Vec<_>>());
        }
        let (given, ordered) = (Order::Given.of(&inputs), Order::NearestNeighbour.of(&inputs));
        prop_assert!(inputs.len() > 30 || length(&ordered) <= length(&given) * 1.25 + 1e-6);
    }
}

/// Along a line the untangled path goes from one end to the other.
fn is_sorted(order: &[usize], inputs: &[&[f32]]) -> bool {
    let values: Vec<f32> = order.iter().map(|at| inputs[*at][0]).collect();
    values.is_sorted() || values.iter().rev().is_sorted()
}

/// Moradi et al., §5: f(x) = x sin x, 8 inputs, 3 silent devices.
#[test]
fn the_error_falls_with_more_devices_as_the_papers_say() {
    let inputs: Vec<f64> = (0..8).map(|i| -2.5 + 5.0 * ((i * 5 % 8) as f64) / 7.0).collect();
    let mean = |make: &dyn Fn(usize) -> Box<dyn Curve>, n: usize| {
        let curve = make(n);
        let trial = |salt: u64| {
            let arrived = drawn(n, n - 3, salt.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            error(curve.as_ref(), &arrived, &inputs, |x| x * x.sin())
        };
        (0..40).map(trial).sum::<f64>() / 40.0
    };
    let slope = |make: &dyn Fn(usize) -> Box<dyn Curve>| {
        (mean(make, 256) / mean(make, 64)).ln() / 4f64.ln()
    };
    let berrut = slope(&|n| Box::new(Berrut::new(n, 8, Placement::Spread)));
    let spline = slope(&|n| Box::new(Spline::new(n, 8, Placement::Spread, 0.0, 0.0)));
    println!("slopes: Berrut {berrut:.2}, spline {spline:.2}");
    assert!((-4.5..=-1.5).contains(&berrut), "Berrut falls as N^{berrut:.2}");
    assert!(spline <= -3.0, "splines fall as N^{spline:.2}");
}

#[test]
fn signs_alternate_over_the_results_that_came_not_over_the_devices() {
    // With the sign of a missing device skipped, its neighbours' signs would be equal, and between
    // them there would be a pole: weights of thousands.
    for lost in 1..63 {
        let arrived: Arrived = (0..64).filter(|share| *share != lost).collect();
        let decoder = Berrut::new(64, 8, Placement::Spread).decoder(&arrived);
        let largest = (0..8).flat_map(|row| decoder.row(row)).fold(0.0, |a: f64, w| a.max(w.abs()));
        assert!(largest < 3.0, "without {lost}: {largest}");
    }
}

#[test]
fn a_point_that_is_a_device_s_own_takes_that_result() {
    // Odd numbers of both have 0 in common.
    let curve = Berrut::new(9, 5, Placement::Spread);
    let weights: Vec<f64> = curve.decoder(&(0..9).collect()).row(2).collect();
    let want: Vec<f64> = (0..9).map(|at| f64::from(u8::from(at == 4))).collect();
    assert_eq!(weights, want);
}

#[test]
fn smoothing_is_chosen_by_foretelling_results_from_each_other() {
    let (n, curve) = (40, Spline::new(40, 8, Placement::Spread, 0.0, 0.0));
    let all: Arrived = (0..n).collect();
    let smooth: Vec<f32> = (0..n).map(|i| (i as f32 / 10.0).sin()).collect();
    let noisy: Vec<f32> = (0..n).map(|i| ((i * 7919 % 101) as f32 / 50.0) - 1.0).collect();
    let blocks = |values: &[f32]| -> f64 {
        let blocks: Vec<&[f32]> = values.chunks(1).collect();
        curve.cross_validated(&all, &blocks)
    };
    assert!(blocks(&smooth) < 1e-7, "{}", blocks(&smooth));
    assert!(blocks(&noisy) > 1e-5, "{}", blocks(&noisy));
    assert_eq!(curve.cross_validated(&[3, 9].into(), &[&[1.0], &[2.0]]), 0.0, "two tell nothing");
}

/// Results of x·sin x at what the devices that replied were sent, off by some noise.
fn noisy(curve: &dyn Curve, arrived: &Arrived, inputs: &[f64], noise: f64, salt: u64) -> Vec<f32> {
    let sent = times(curve.encoder(), inputs);
    let mut rng = ChaCha8Rng::seed_from_u64(salt);
    let mut result = |share: &usize| {
        let x = sent[*share];
        (x * x.sin() + noise * rng.random_range(-1.0..1.0)) as f32
    };
    arrived.iter().map(&mut result).collect()
}

#[test]
fn where_results_are_noisy_chosen_smoothing_beats_none_and_is_near_the_best_in_hindsight() {
    let (n, k) = (64, 8);
    let error = |curve: &Spline| -> f64 {
        let batch = |salt: u64| {
            let inputs: Vec<f64> =
                (0..k).map(|at| at as f64 * 0.6 - 2.0 + salt as f64 / 40.0).collect();
            let arrived = drawn(n, n - 3, salt);
            let results = noisy(curve, &arrived, &inputs, 0.3, salt);
            let blocks: Vec<&[f32]> = results.chunks(1).collect();
            let wide: Vec<f64> = results.iter().map(|y| f64::from(*y)).collect();
            let got = times(&curve.decoder_for(&arrived, &blocks), &wide);
            got.iter().zip(&inputs).map(|(y, x)| (y - x * x.sin()).powi(2)).sum::<f64>() / k as f64
        };
        (0..40).map(batch).sum::<f64>() / 40.0
    };
    let spline = |after| Spline::new(n, k, Placement::Spread, 0.0, after);
    let chosen = error(&spline(Smoothing::CrossValidated));
    let given = Spline::GRID.map(|lambda| error(&spline(Smoothing::Given(lambda))));
    let best = given.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(chosen < 0.3 * given[0], "{chosen} where interpolating comes to {}", given[0]);
    assert!(chosen < 1.5 * best, "{chosen} where the best λ for all comes to {best}");
}

proptest! {
    #[test]
    fn what_is_decoded_from_which_results_does_not_hang_on_what_they_are(
        k in 1usize..8, more in 0usize..6, silent in 0usize..4, salt in any::<u64>(),
        spread in any::<bool>(),
    ) {
        let (n, placement) =
            (k + more, if spread { Placement::Spread } else { Placement::AtInputs });
        let silent = silent.min(n - 1);
        let curve = Spline::new(n, k, placement, 0.0, Smoothing::CrossValidated);
        let inputs: Vec<f64> = (0..k).map(|at| at as f64 * 0.7).collect();
        let arrived = drawn(n, n - silent, salt);
        let results = noisy(&curve, &arrived, &inputs, 0.2, salt);
        let code = Estimator::new(Box::new(curve), silent, 0);
        let results = arrived.iter().copied().zip(results.chunks(1)).collect();
        let before = code.decoder(&arrived).expect("as many as are waited for");
        let own = |source| arrived.iter().any(|share| code.plain(*share) == Some(source));
        let Some(after) = code.decoder_for(&results) else {
            prop_assert!((0..k).all(own), "only where nothing is estimated is nothing chosen");
            return Ok(());
        };
        prop_assert_eq!(before.used(), after.used());
        prop_assert_eq!(before.terms(), after.terms());
        let rebuilt: Vec<usize> = after.rebuilt().collect();
        prop_assert_eq!(&before.rebuilt().collect::<Vec<_>>(), &rebuilt);
        prop_assert_eq!(rebuilt, (0..k).filter(|source| !own(*source)).collect::<Vec<_>>());
    }
}
