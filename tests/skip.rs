//! `numerics: Skip`: the same happens at the same times, and nothing is said of answers.

mod support;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kofn::drive::{Clock, Setup, Trace};
use kofn::event::{Event, Record};
use kofn::fault::FaultKind;
use kofn::maths::chance::Seed;
use kofn::plan::{Expectation, Expected, FaultPlan, Numerics, Plan};
use kofn::view::report::Report;
use kofn::view::verdict::{Evidence, Status, Trial, Verdict};
use support::{root, simulate};

fn plan(topology: &Path, numerics: Numerics) -> Arc<Plan> {
    let mut plan = Plan::read(topology).unwrap_or_else(|problems| panic!("{problems}"));
    plan.numerics = numerics;
    Arc::new(plan)
}

fn fault_plans() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("fault-plans")).expect("it is shipped");
    let mut plans: Vec<PathBuf> = folder.map(|entry| entry.expect("a file").path()).collect();
    plans.sort();
    plans
}

fn run(plan: &Arc<Plan>, faults: &FaultPlan) -> Trace {
    let requests = faults.requests.unwrap_or(plan.requests).min(MOST_REQUESTS);
    let calm = Setup::new(plan.clone(), requests, Seed(faults.seed.unwrap_or(1)));
    simulate(&calm.expect("the model runs").with_faults(faults.faults.clone()))
}

const MOST_REQUESTS: usize = 200;

/// Both, with what is judged put aside.
fn without_answers(trace: Trace) -> Trace {
    let blank = |mut record: Record| {
        if let Event::Judged { request, .. } = record.event {
            record.event = Event::NotComputed { request };
        }
        record
    };
    trace.into_iter().map(blank).collect()
}

#[test]
fn every_record_of_every_fault_plan_is_the_same_but_for_what_is_judged() {
    for path in fault_plans() {
        let topology = FaultPlan::topology_of(&path).expect("it names one");
        let full = plan(&topology, Numerics::Full);
        let faults = FaultPlan::read(&path, &full).expect("it is shipped");
        let skip = plan(&topology, Numerics::Skip);
        let lies = faults.faults.iter().any(|f| matches!(f.what, FaultKind::Corrupt(_)));
        let read = FaultPlan::read(&path, &skip);
        assert_eq!(read.is_err(), lies, "{}: lies alone are refused", path.display());
        let Ok(blank) = read else { continue };
        let (full, skip) = (run(&full, &faults), run(&skip, &blank));
        assert!(skip.iter().all(|record| !matches!(record.event, Event::Judged { .. })));
        let full = without_answers(full);
        let differs = full.iter().zip(&skip).position(|(full, skip)| full != skip);
        let first = differs.map(|at| (&full[at], &skip[at]));
        assert_eq!((first, full.len()), (None, skip.len()), "{}", path.display());
    }
}

/// `topologies/fleet-10000.ron` with so many boards, each piece of a layer on two.
fn fleet(devices: usize, numerics: &str) -> Arc<Plan> {
    let path = root().join("topologies/fleet-10000.ron");
    let text = std::fs::read_to_string(&path).expect("it is shipped");
    let text = text
        .replace("count: 10000,", &format!("count: {devices},"))
        .replace("n: 10000, k: 5000", &format!("n: {devices}, k: {}", devices / 2))
        .replace("numerics: Skip", &format!("numerics: {numerics}"));
    Arc::new(Plan::parse(&path, text).unwrap_or_else(|problems| panic!("{problems}")))
}

#[test]
fn a_fleet_of_copies_meets_the_same_misfortune_either_way() {
    let (full, skip) = (fleet(40, "Full"), fleet(40, "Skip"));
    let text = r#"FaultPlan(
    topology: "fleet-10000.ron",
    requests: 12,
    faults: [
        (at: At("5ms"), who: "any 8 of board", what: Crash, lasts: "20ms"),
        (at: At("30ms"), who: "any 8 of board", what: Slow(by: 50)),
        (at: At("0ms"), who: "board", what: Drop(probability: 0.02)),
    ],
)"#;
    let path = root().join("topologies/fleet-10000.ron");
    let faults = |plan: &Arc<Plan>| {
        FaultPlan::parse(&path, text.to_owned(), plan)
            .unwrap_or_else(|problems| panic!("{problems}"))
    };
    let (full, skip) = (run(&full, &faults(&full)), run(&skip, &faults(&skip)));
    let died = skip.iter().filter(|record| matches!(record.event, Event::Died { .. })).count();
    assert!(died == 8 && skip.len() > 12 * 8 * 40, "{died} died, {} records", skip.len());
    assert_eq!(without_answers(full), skip);
}

#[test]
fn ten_thousand_boards_answer_together() {
    let trace = simulate(&Setup::new(fleet(10_000, "Skip"), 1, Seed(1)).expect("nothing is run"));
    let started = trace.iter().filter(|record| matches!(record.event, Event::Started { .. }));
    // The slowest few have not begun their last when it is all over.
    let begun = started.count();
    assert!(
        (79_000..=80_000).contains(&begun),
        "each has a share of each of eight layers: {begun}"
    );
    assert!(trace.iter().any(|record| matches!(record.event, Event::Answered { .. })));
}

#[test]
fn what_is_expected_of_numbers_cannot_be_judged_and_so_does_not_pass() {
    let path = root().join("topologies/lenet5.ron");
    let plan = plan(&path, Numerics::Skip);
    let setup = Setup::new(plan.clone(), 5, Seed(1)).expect("nothing is run");
    assert!(setup.cases.iter().all(|case| case.truth.is_empty()), "not even the whole model");
    let trace = simulate(&setup);
    let report = Report::new(&plan, 1, &[], &trace, None);
    assert_eq!((report.max_abs_err, report.top1_agreement, report.accuracy), (None, None, None));
    assert_eq!(report.requests.not_computed, 5);
    let verdict = |what: Expected| {
        let expectations = [Expectation { what, during: None, line: 1 }];
        let run = &Evidence::of(&plan, &trace);
        let (twin, expectations) = (None, &expectations[..]);
        let trial =
            Trial { run, twin, expectations, some_fault_never_struck: false, stopped: false };
        Verdict::of(&trial)
    };
    for what in [Expected::MaxAbsError(1e9), Expected::Top1Equal, Expected::Accuracy(0.0)] {
        let verdict = verdict(what);
        assert_eq!(verdict.status, Status::Inconclusive);
        assert!(verdict.checks.iter().any(|check| check.seen.contains("not computed")));
    }
    assert_eq!(verdict(Expected::NoRequestLost).status, Status::Pass, "times can be judged");
}

#[test]
fn real_time_does_not_skip() {
    let path = root().join("topologies/lenet5.ron");
    let setup = Setup::new(plan(&path, Numerics::Skip), 1, Seed(1)).expect("nothing is run");
    let refused =
        setup.run(Clock::Live, &mut |_| ControlFlow::Continue(())).expect_err("nothing is there");
    assert!(refused.to_string().contains("numerics: Skip"), "{refused}");
}

#[test]
fn a_lie_that_cannot_be_seen_is_refused_where_it_stands() {
    let path = root().join("topologies/lenet5.ron");
    let plan = plan(&path, Numerics::Skip);
    let text = r#"FaultPlan(
    topology: "lenet5.ron",
    faults: [(at: At("1ms"), who: "pi-1", what: Corrupt(how: Nan))],
)"#;
    let refused =
        FaultPlan::parse(&path, text.to_owned(), &plan).expect_err("numbers are not there");
    let said = refused.to_string();
    assert!(said.contains(":3:") && said.contains("numerics: Skip"), "{said}");
}
