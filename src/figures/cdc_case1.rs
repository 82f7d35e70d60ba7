//! AlexNet on five boards without a code: one of fc1's two dies, and after a while the other does both halves.

use std::sync::Arc;

use super::chart::{Axis, Chart, Series};
use super::trial::{Ran, dead, rehearse, short};
use super::{Claim, Finding, Scope, Table};
use crate::drive::Setup;
use crate::event::Event;
use crate::maths::chance::Seed;
use crate::plan::{Fault, Trigger};
use crate::units::{Flops, Span, Speed, Time};

/// Mean in milliseconds before the loss and after it: as the histogram of Fig. 9 is drawn, and as its label
/// says.
const BEFORE: f64 = 836.0;
const AFTER_DRAWN: f64 = 1436.0;
const AFTER_STATED: f64 = 2046.0;
/// The work of half of fc1; a multiply-add counts as two.
const HALF: Flops = Flops(9216 * 4096);
/// Of C and D, in FLOP a second: as shipped, as a dense layer of 2048² that takes the 50 ms of Fig. 1, and
/// down to where the slowdown is as drawn.
const SPEEDS: [f64; 6] = [3e9, 168e6, 63e6, 40e6, 20e6, 10e6];
/// Long enough to have shown that all was well.
const DIES_AT: Time = Time(10_000_000_000);
/// How long nobody knows, in seconds: the paper says tens of seconds. The claim is about the second.
const DETECTED_AFTER: [f64; 3] = [10.0, 30.0, 60.0];
/// Enough for the last of these.
const LOSING: usize = 100;

pub(super) fn run(scope: &Scope) -> anyhow::Result<Finding> {
    let requests = scope.trials(300, 5);
    let mut before = setup(scope, "alexnet-5-uncoded", |text| text, requests)?;
    let both = r#"coding: (code: Uncoded(k: 1), on: ["D"])"#;
    let halves = r#"coding: (code: Uncoded(k: 2), on: ["C", "D"])"#;
    let mut after = setup(scope, "alexnet-5-uncoded", |text| text.replace(halves, both), requests)?;
    let coded = setup(scope, "alexnet-6-coded", |text| text, LOSING)?;
    let counted = lost(&Setup { requests: LOSING, ..before.clone() })?;
    let [.., (_, lost_coded)] = lost(&coded)?;
    let mut slowed = Vec::new();
    for speed in SPEEDS {
        slowed.push((
            speed,
            rehearse(slow(&mut before, speed))?,
            rehearse(slow(&mut after, speed))?,
        ));
    }
    let factor = |(_, before, after): &(f64, Ran, Ran)| after.mean() / before.mean();
    let line = |of: &(f64, Ran, Ran)| {
        format!("{:.0} → {:.0} ms, {:.2} ×", of.1.mean(), of.2.mean(), factor(of))
    };
    let published = |after: f64| format!("{BEFORE} → {after} ms, {:.2} ×", after / BEFORE);
    let near = |got: f64, want: f64| (got / want - 1.0).abs() <= 0.1;
    let most = slowed.iter().map(factor).fold(0.0, f64::max);
    let shipped = &slowed[0];
    let [_, (_, in_thirty), _] = counted;
    let claims = vec![
        Claim::new(
            "mean latency before the loss",
            format!("{BEFORE} ms"),
            format!("{:.0} ms", shipped.1.mean()),
            near(shipped.1.mean(), BEFORE),
        ),
        Claim::new(
            "after it, as drawn",
            published(AFTER_DRAWN),
            line(shipped),
            near(factor(shipped), AFTER_DRAWN / BEFORE),
        ),
        Claim::new(
            "after it, as drawn, with C and D as slow as a layer of Fig. 1 (168 MFLOP/s)",
            published(AFTER_DRAWN),
            line(&slowed[1]),
            near(factor(&slowed[1]), AFTER_DRAWN / BEFORE),
        ),
        Claim::new(
            "after it, as stated, with C and D however slow",
            published(AFTER_STATED),
            format!("at most {most:.2} ×"),
            near(most, AFTER_STATED / BEFORE),
        ),
        Claim::new(
            "requests lost if the loss is found out after 30 s; with the code of case 2",
            "some, not counted; none",
            format!("{in_thirty}; {lost_coded}"),
            in_thirty > 0 && lost_coded == 0,
        ),
    ];
    Ok(Finding {
        claims,
        table: table(&slowed, &counted),
        chart: chart(&slowed),
        remarks: remarks(),
    })
}

fn setup(
    scope: &Scope,
    name: &str,
    edit: impl Fn(String) -> String,
    requests: usize,
) -> anyhow::Result<Setup> {
    Setup::new(scope.plan(name, edit)?, requests, Seed(1))
}

/// The same with C and D of that speed, and all the time they need.
fn slow(setup: &mut Setup, speed: f64) -> &Setup {
    let plan = Arc::get_mut(&mut setup.plan).expect("no run is going on");
    for device in plan.devices.iter_mut().filter(|device| ["C", "D"].contains(&&device.name[..])) {
        device.machine.speed = Speed(speed);
    }
    plan.stages.iter_mut().for_each(|stage| stage.deadline = PATIENCE);
    setup
}

const PATIENCE: Span = Span(60_000_000_000);

/// How many of the requests that are sent after C died, and before that is known, fail; for each time it
/// may take to find out.
fn lost(calm: &Setup) -> anyhow::Result<[(f64, usize); 3]> {
    let crash = Fault { trigger: Trigger::At(DIES_AT), ..dead(&calm.plan, "C")? };
    let trace = calm.with_faults(vec![crash]).rehearse()?;
    let mut failed = Vec::new();
    for record in &trace {
        if let Event::Failed { latency, .. } = &record.event {
            failed.push((record.at - DIES_AT).as_secs() - latency.as_secs());
        }
    }
    Ok(DETECTED_AFTER.map(|known| (known, failed.iter().filter(|sent| **sent < known).count())))
}

fn table(slowed: &[(f64, Ran, Ran)], lost: &[(f64, usize)]) -> Table {
    let mut table = Table::new(&["what", "at", "before_ms", "after_ms", "factor", "lost"]);
    for (speed, before, after) in slowed {
        let factor = after.mean() / before.mean();
        let numbers = [*speed, before.mean(), after.mean(), factor].map(short);
        table.push(
            ["FLOP/s of C and D".to_owned()].into_iter().chain(numbers).chain([String::new()]),
        );
    }
    for (known, lost) in lost {
        let none = [const { String::new() }; 3].into_iter();
        let what = ["seconds until it is known".to_owned(), short(*known)].into_iter();
        table.push(what.chain(none).chain([lost.to_string()]));
    }
    table
}

fn chart(slowed: &[(f64, Ran, Ran)]) -> Chart {
    let half = |speed: f64| 1e3 * HALF.0 as f64 / speed;
    let factor =
        |(speed, before, after): &(f64, Ran, Ran)| (half(*speed), after.mean() / before.mean());
    let ends = [half(SPEEDS[0]), half(SPEEDS[SPEEDS.len() - 1])];
    let level = |after: f64| ends.map(|x| (x, after / BEFORE)).to_vec();
    Chart {
        title: "AlexNet on five boards: how much slower without C".to_owned(),
        x: Axis::log("half of fc1 takes, ms"),
        y: Axis::new("times as long"),
        series: vec![
            Series::measured("D does both halves", slowed.iter().map(factor).collect()),
            Series::published("as drawn", level(AFTER_DRAWN)),
            Series::published("as stated", level(AFTER_STATED)),
        ],
        groups: Vec::new(),
    }
}

fn remarks() -> Vec<String> {
    [
        "Assumed: one client that waits for its answer; boards and delays as in alexnet-5-uncoded.ron; a \
         request that waits for C is given up after 5 s; once the loss is known, D holds all of fc1.",
        "At the shipped speed half of fc1 takes 38 ms of a request, most of it reading weights, and D alone \
         is not waited for longer than the slower of two: the mean hardly changes.",
        "A part that is done twice as long makes the whole at most twice as long: 2.4 × cannot come from D's \
         doing both halves, and 1.7 × only if fc1 is nearly all of a request, which leaves no room for the \
         836 ms before. The paper's D must have been slowed by something else, such as 151 MB of \
         weights in a board's memory.",
    ]
    .map(String::from)
    .to_vec()
}
