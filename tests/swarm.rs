//! Two thousand drawn fleets and misfortunes, each held to what must always be true.
//!
//! `KOFN_SWARM=100000` tries more; `KOFN_SWARM_FROM` is the first seed.

mod support;

use std::collections::BTreeMap;
use std::sync::Mutex;

use kofn::swarm::{Base, Scenario};
use rayon::prelude::*;

fn base() -> Base {
    Base {
        model: "Onnx(\"models/lenet5-fashion.onnx\")".to_owned(),
        inputs: "Idx(images: \"models/fashion-test1000-images-idx3-ubyte\")".to_owned(),
        layer: "fc1".to_owned(),
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
    let ended = Mutex::new((0, 0));
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
            *ended = (ended.0 + seen.answered, ended.1 + seen.failed);
            None
        })
        .collect();
    println!("answered, failed: {ended:?}; struck: {struck:?}");
    assert!(
        broken.is_empty(),
        "{} broken\n{}",
        broken.len(),
        broken[..broken.len().min(4)].join("\n")
    );
    // A few seeds, tried again, need not show everything.
    let kinds = struck.into_inner().expect("unharmed").len();
    assert!(count < 2000 || kinds >= 12, "some kinds never struck");
}
