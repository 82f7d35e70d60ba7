//! Two thousand drawn fleets and misfortunes, each held to what must always be true.
//!
//! `KOFN_SWARM=100000` tries more; `KOFN_SWARM_FROM` is the first seed.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use kofn::plan::FaultPlan;
use kofn::swarm::{Base, Law, Laws, Scenario};
use kofn::units::Span;
use rayon::prelude::*;

fn base() -> Base {
    Base {
        model: "Onnx(\"models/lenet5-fashion.onnx\")".to_owned(),
        inputs: "Idx(images: \"models/fashion-test1000-images-idx3-ubyte\")".to_owned(),
        layer: "fc1".to_owned(),
        rows: 120,
        layers: ["conv1", "conv2", "fc1", "fc2", "fc3"].map(str::to_owned).to_vec(),
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn whatever_is_drawn_is_safe_and_heals() {
    let (count, from) = (number("KOFN_SWARM", 2000), number("KOFN_SWARM_FROM", 1));
    let path = support::topology("swarm");
    let struck: Mutex<BTreeMap<String, usize>> = Mutex::default();
    let ended = Mutex::new([0, 0, 0, 0]);
    let roughest = Mutex::new(0.0_f64);
    let broken: Vec<String> = (from..from + count)
        .into_par_iter()
        .filter_map(|seed| {
            let scenario = Scenario::draw(seed, &base());
            let outcome = scenario.run(&path).unwrap_or_else(|error| {
                panic!("seed {seed}: {error}\n{}\n{}", scenario.topology, scenario.faults)
            });
            let seen = match outcome {
                Ok(seen) => seen,
                Err(broken) => {
                    let (topology, faults) = (&scenario.topology, &scenario.faults);
                    return Some(format!("seed {seed}: {broken}\n{topology}{faults}"));
                }
            };
            let mut all = struck.lock().expect("no test thread panicked");
            seen.struck.iter().for_each(|(kind, n)| *all.entry(kind.clone()).or_default() += n);
            let mut ended = ended.lock().expect("no test thread panicked");
            let these = [seen.answered, seen.failed, seen.inexact, seen.shared];
            ended.iter_mut().zip(these).for_each(|(all, these)| *all += these);
            let mut roughest = roughest.lock().expect("no test thread panicked");
            *roughest = roughest.max(seen.roughest);
            None
        })
        .collect();
    println!("answered, failed, not exact, shared rounds: {ended:?}; struck: {struck:?}");
    println!("largest error of what was read off a curve: {roughest:?}");
    assert!(
        broken.is_empty(),
        "{} broken\n{}",
        broken.len(),
        broken[..broken.len().min(4)].join("\n")
    );
    // A few seeds, tried again, need not show everything.
    let kinds = struck.into_inner().expect("unharmed").len();
    assert!(count < 2000 || kinds >= 12, "some kinds never struck");
    let [_, _, inexact, shared] = ended.into_inner().expect("unharmed");
    assert!(count < 2000 || inexact > 1000, "hardly any answer was approximate: {inexact}");
    assert!(count < 2000 || shared > 1000, "hardly any round was shared: {shared}");
}

#[test]
fn what_is_read_off_a_curve_must_say_so_and_is_held_to_a_bound_of_its_own() {
    let held = |topology: &str, laws: &Laws| {
        let plan = support::plan(topology);
        let calm = "FaultPlan(topology: \"-\", faults: [])".to_owned();
        let calm = FaultPlan::parse(Path::new("calm"), calm, &plan);
        let calm = calm.unwrap_or_else(|problems| panic!("{problems}"));
        laws.hold(&support::setup(&plan, 40), &calm).map_err(|broken| broken.law)
    };
    let exact = Laws {
        wrong: 1e-3,
        rough: 1e3,
        approximate: false,
        heals_within: Span::from_secs(1.0),
        within_margin: true,
        ends: true,
    };
    let approximate = Laws { approximate: true, ..exact };
    assert_eq!(held("lenet5", &exact).map(|seen| seen.inexact), Ok(0));
    assert_eq!(held("lenet5", &approximate).map(|_| ()), Err(Law::NoWrongAnswer), "it says exact");
    let seen = held("lenet5-batch", &approximate).expect("it says so");
    assert_eq!((seen.inexact, seen.largest_error), (40, 0.0));
    let sharp = Laws { rough: seen.roughest / 2.0, ..approximate };
    assert_eq!(held("lenet5-batch", &sharp).map(|_| ()), Err(Law::NoWrongAnswer), "it is too far");
}
