//! Batches in the running system: several requests in one round, answered approximately, and said so.

#[path = "support/graph.rs"]
mod graph;
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use graph::{Form, Graph};
use kofn::drive::Trace;
use kofn::event::{Event, Worth};
use kofn::plan::{FaultPlan, Plan};
use kofn::units::{RequestId, Span};
use proptest::prelude::*;

/// `topologies/lenet5-batch.ron` with another code and other words changed.
fn plan(code: &str, devices: usize, changes: &[(&str, &str)]) -> Arc<Plan> {
    let path = support::topology("lenet5-batch");
    let mut text = std::fs::read_to_string(&path).expect("a shipped topology");
    let count = format!("count: {devices}");
    let all = [("Spline(n: 10, k: 8)", code), ("count: 10", &count)];
    for (from, to) in all.iter().chain(changes) {
        assert!(text.contains(from), "{from} is in the topology");
        text = text.replace(from, to);
    }
    Arc::new(Plan::parse(&path, text).unwrap_or_else(|problems| panic!("{problems}")))
}

fn run(plan: &Arc<Plan>, requests: usize, faults: &str) -> Trace {
    let text = format!("FaultPlan(topology: \"-\", faults: [{faults}], expect: [])");
    let faults = FaultPlan::parse(Path::new("drawn"), text, plan);
    let faults = faults.unwrap_or_else(|problems| panic!("{problems}"));
    support::simulate(&support::setup(plan, requests).with_faults(faults.faults))
}

/// The root of the mean square of the answers' errors.
fn error(trace: &Trace) -> f64 {
    let answers = support::answers(trace);
    (answers.iter().map(|(_, error, ..)| error * error).sum::<f64>() / answers.len() as f64).sqrt()
}

/// How each request ended: what its answer is worth, or none. Every one ended once.
fn ends(trace: &Trace) -> BTreeMap<RequestId, Option<Worth>> {
    let mut ends = BTreeMap::new();
    for record in trace {
        let (request, worth) = if let Event::Answered { request, worth, .. } = &record.event {
            (*request, Some(*worth))
        } else if let Event::Failed { request, .. } = &record.event {
            (*request, None)
        } else {
            continue;
        };
        assert_eq!(ends.insert(request, worth), None, "{request:?} ended twice");
    }
    ends
}

#[test]
fn every_request_of_a_batch_is_answered_approximately_and_says_so() {
    for code in ["Spline(n: 10, k: 8)", "Berrut(n: 10, k: 8)", "Spline(n: 9, k: 8, after: 1e-6)"] {
        let trace = run(&plan(code, 10, &[]), 200, "");
        let ends = ends(&trace);
        assert_eq!(ends.len(), 200, "{code}");
        assert!(ends.values().all(|end| *end == Some(Worth::Approximate)), "{code}");
        let agreeing = support::answers(&trace).iter().filter(|(_, _, a, b)| a == b).count();
        assert!(agreeing >= 170, "{code}: {agreeing} of 200 name the whole model's class");
        let batches = support::count(&trace, |e| matches!(e, Event::Gathered { .. }));
        assert_eq!(batches, 25, "{code}: sixteen clients fill batches of eight");
    }
}

#[test]
fn the_more_results_are_waited_for_the_smaller_is_the_error() {
    let errors: Vec<f64> = (0..4)
        .rev()
        .map(|silent| format!("Spline(n: 12, k: 8, silent: {silent})"))
        .map(|code| error(&run(&plan(&code, 12, &[]), 400, "")))
        .collect();
    assert!(errors.windows(2).all(|pair| pair[1] < pair[0]), "{errors:?}");
    assert!(errors[3] < 1e-4, "with every device at an input in hand nothing is estimated");
}

#[test]
fn a_batch_of_one_input_is_answered_as_the_undivided_network_answers() {
    for code in ["Spline(n: 10, k: 8)", "Berrut(n: 10, k: 4, silent: 3)"] {
        let path = support::topology("lenet5-batch");
        let text = std::fs::read_to_string(&path).expect("a shipped topology");
        let text = text.replace("Spline(n: 10, k: 8)", code);
        let (before, _) = text.split_once("inputs: Idx(").expect("inputs");
        let rest = "inputs: Random(count: 1), requests: 9, arrivals: ClosedLoop(clients: 16))";
        let text = before.to_owned() + rest;
        let plan = Plan::parse(&path, text).unwrap_or_else(|problems| panic!("{problems}"));
        let trace = run(&Arc::new(plan), 64, "");
        assert!(support::answers(&trace).iter().all(|(_, error, ..)| *error < 1e-4), "{code}");
        assert!(ends(&trace).values().all(|end| *end == Some(Worth::Approximate)), "{code}");
    }
}

#[test]
fn a_request_by_itself_does_not_wait_for_ever() {
    let plan = plan("Spline(n: 10, k: 8)", 10, &[("clients: 16", "clients: 1")]);
    let trace = run(&plan, 20, "");
    assert_eq!(ends(&trace).len(), 20);
    for record in &trace {
        if let Event::Answered { request, latency, .. } = &record.event {
            assert!(*latency < Span::from_millis(20.0), "{request:?} took {latency}");
        }
        if let Event::Gathered { requests, waited, .. } = &record.event {
            assert_eq!((requests.len(), *waited), (1, Span::from_millis(10.0)));
        }
    }
    assert!(error(&trace) < 1e-4, "all devices compute the one input");
}

#[test]
fn a_board_that_dies_and_one_that_crawls_lose_no_request() {
    let faults = "(at: At(\"10ms\"), who: \"pi-2\", what: Crash), \
                  (at: At(\"15ms\"), who: \"pi-6\", what: Slow(by: 50.0))";
    for code in ["Spline(n: 10, k: 8)", "Berrut(n: 10, k: 8)"] {
        let ends = ends(&run(&plan(code, 10, &[]), 400, faults));
        assert_eq!(ends.len(), 400, "{code}");
        assert!(ends.values().all(|end| *end == Some(Worth::Approximate)), "{code}");
    }
}

#[test]
fn too_many_dead_boards_fail_every_request_of_the_batch_with_a_reason() {
    let faults = "(at: At(\"0ms\"), who: \"pi-1, pi-2, pi-3\", what: Crash)";
    let trace = run(&plan("Spline(n: 10, k: 8)", 10, &[]), 32, faults);
    let ends = ends(&trace);
    assert!(ends.len() == 32 && ends.values().all(Option::is_none), "{ends:?}");
    for record in &trace {
        if let Event::Failed { reason, .. } = &record.event {
            assert!(reason.contains("7 of 8 needed shares"), "{reason}");
        }
    }
}

#[test]
fn a_gross_liar_is_found_by_the_others_and_named_and_nobody_else_is() {
    for (code, how) in [
        ("Spline(n: 12, k: 4, silent: 1, lies: 1)", "Scale(-3.0)"),
        ("Spline(n: 12, k: 4, silent: 1, lies: 1)", "Nan"),
        ("Berrut(n: 12, k: 4, silent: 1, lies: 1)", "Scale(10.0)"),
    ] {
        let plan = plan(code, 12, &[("clients: 16", "clients: 8")]);
        let faults = format!("(at: At(\"0ms\"), who: \"pi-5\", what: Corrupt(how: {how}))");
        let trace = run(&plan, 200, &faults);
        let caught = |of: fn(usize) -> bool| {
            support::count(&trace, |e| matches!(e, Event::Caught { device, .. } if of(device.0)))
        };
        assert!(caught(|device| device == 4) > 0, "{code} {how}");
        assert_eq!(caught(|device| device != 4), 0, "{code} {how}");
        assert!(ends(&trace).values().all(|end| *end == Some(Worth::Approximate)), "{code} {how}");
    }
}

#[test]
fn nobody_is_accused_where_nobody_lies() {
    for (code, devices) in [
        ("Spline(n: 12, k: 4, silent: 1, lies: 1)", 12),
        ("Spline(n: 16, k: 8, silent: 1, lies: 2)", 16),
    ] {
        let trace = run(&plan(code, devices, &[]), 1000, "");
        assert_eq!(support::count(&trace, |e| matches!(e, Event::Caught { .. })), 0, "{code}");
    }
}

/// A linear layer and a softmax, on four devices, batches of two.
fn ends_in_softmax(outputs: &str) -> Arc<Plan> {
    let graph = Graph::of("in x[1, 6]; w[6, 4]; y = MatMul(x, w); p = Softmax(y, axis=1); out p");
    let folder = tempfile::tempdir().expect("a place for files");
    let model = graph.write(Form::Raw, folder.path());
    let name = model.file_name().expect("a file").to_string_lossy().into_owned();
    let text = format!(
        "Topology(
            model: Onnx(\"{name}\"),
            supervisor: (speed: \"1GFLOP/s\"),
            devices: [(name: \"d\", count: 4, speed: \"1GFLOP/s\", memory: \"1MB\",
                       latency: Uniform(low: \"1ms\", high: \"3ms\"), bandwidth: \"94Mbit/s\")],
            coding: (code: Spline(n: 4, k: 2), on: [\"d\"]),
            stages: [(layers: [\"y\"], run: Whole, batch: (outputs: {outputs}))],
            inputs: Random(count: 8), arrivals: ClosedLoop(clients: 2), requests: 40,
        )"
    );
    let plan = Plan::parse(&folder.path().join("t.ron"), text);
    Arc::new(plan.unwrap_or_else(|problems| panic!("{problems}")))
}

#[test]
fn a_final_softmax_stays_with_the_supervisor_so_that_what_is_linear_is_read_off_exactly() {
    // A curve through two inputs is a line, and so is what a linear layer makes of it.
    let before = run(&ends_in_softmax("BeforeSoftmax"), 40, "");
    assert!(error(&before) < 1e-5, "{}", error(&before));
    let after = run(&ends_in_softmax("AfterSoftmax"), 40, "");
    assert!(error(&after) > 1e-4, "{}", error(&after));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn whatever_goes_wrong_every_request_ends_exactly_once(
        k in 1usize..6,
        more in 0usize..4,
        lies in 0usize..2,
        berrut in any::<bool>(),
        clients in 1usize..14,
        within in 1u32..20,
        kinds in prop::collection::vec((0usize..10, 0usize..9, 0u32..60, 1u32..50), 0..5),
    ) {
        let (n, word) = (k + more + 3 * lies, if berrut { "Berrut" } else { "Spline" });
        let code = format!("{word}(n: {n}, k: {k}, silent: {}, lies: {lies})", more.min(n - 1));
        let clients = format!("clients: {clients}");
        let within = format!("within: \"{within}ms\"");
        let changes = [("clients: 16", &clients[..]), ("within: \"10ms\"", &within)];
        let whats = [
            "Crash", "Restart", "Freeze", "Slow(by: 30.0)", "Drop(probability: 0.3)", "Leave",
            "Corrupt(how: Nan, probability: 0.5)", "Corrupt(how: Stale)",
            "Duplicate(probability: 0.5, within: \"3ms\")", "Partition(way: FromDevice)",
        ];
        let fault = |(what, who, at, lasts): &(usize, usize, u32, u32)| {
            // A restart is over at once.
            let lasts = if whats[*what] == "Restart" { String::new() } else { format!(", lasts: \"{lasts}ms\"") };
            format!("(at: At(\"{at}ms\"), who: \"pi-{}\", what: {}{lasts}), ", who % n + 1, whats[*what])
        };
        let faults: String = kinds.iter().map(fault).collect();
        let plan = plan(&code, n, &changes);
        let trace = run(&plan, 60, &faults);
        let ends = ends(&trace);
        prop_assert_eq!(ends.len(), 60);
        prop_assert!(ends.values().all(|end| matches!(end, None | Some(Worth::Approximate))));
        prop_assert!(trace == run(&plan, 60, &faults), "the same run twice");
    }
}
