//! Batches in the running system: several requests in one round, answered approximately, and said so.

#[path = "support/graph.rs"]
mod graph;
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use graph::{Form, Graph};
use kofn::drive::Trace;
use kofn::event::{Event, Worth};
use kofn::plan::{CodeFile, Plan, Unrehearsed};
use kofn::units::{RequestId, Span, StageId, Time};
use kofn::view::board::Board;
use kofn::view::plan_table::PlanView;
use kofn::view::replay::{Filter, replay};
use kofn::view::trace::Header;
use proptest::prelude::*;
use support::{agreeing, run};

/// `topologies/lenet5-batch.ron` with another code and other words changed.
fn plan(code: &str, devices: usize, changes: &[(&str, &str)]) -> Arc<Plan> {
    let count = format!("count: {devices}");
    let all = [("Spline(n: 10, k: 8)", code), ("count: 10", &count)];
    support::changed("lenet5-batch", &[&all, changes].concat())
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
        let agreeing = agreeing(&trace);
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

#[test]
fn a_spare_is_asked_for_the_mixture_of_a_board_that_is_silent() {
    let spares = [("on: [\"pi\"]", "on: [\"pi\"], spares: [\"pi-10\"]")];
    let plan = plan("Spline(n: 9, k: 8)", 10, &spares);
    let faults = "(at: At(\"0ms\"), who: \"pi-2, pi-3\", what: Crash)";
    let trace = run(&plan, 64, faults);
    assert!(ends(&trace).values().all(|end| *end == Some(Worth::Approximate)));
    let by_spare =
        support::count(&trace, |e| matches!(e, Event::Arrived { device, .. } if device.0 == 9));
    assert!(by_spare > 0, "pi-10 computed a mixture");
}

#[test]
fn parts_of_a_model_run_on_batches_one_after_the_other_or_beside_coded_layers() {
    let whole = "layers: [\"conv1\", \"conv2\", \"fc1\", \"fc2\", \"fc3\"],";
    let halves =
        "layers: [\"conv1\", \"conv2\"], run: Whole), (layers: [\"fc1\", \"fc2\", \"fc3\"],";
    let trace = run(&plan("Spline(n: 10, k: 8)", 10, &[(whole, halves)]), 64, "");
    assert_eq!(ends(&trace).len(), 64);
    assert_eq!(support::count(&trace, |e| matches!(e, Event::Gathered { .. })), 16);

    let head = "layers: [\"fc1\", \"fc2\", \"fc3\"], code: Berrut(n: 10, k: 4, silent: 3),";
    let trace = run(&plan("Mds(n: 10, k: 5)", 10, &[(whole, head)]), 64, "");
    assert!(ends(&trace).values().all(|end| *end == Some(Worth::Approximate)));
    let agreeing = agreeing(&trace);
    assert!(agreeing >= 55, "{agreeing} of 64 name the whole model's class");
}

#[test]
fn a_batch_that_makes_no_sense_is_refused_with_its_place_and_a_way_out() {
    let path = support::topology("lenet5-batch");
    let good = std::fs::read_to_string(&path).expect("a shipped topology");
    for (from, to, said) in [
        ("run: Whole,", "", "mixes the inputs of a batch, not weights"),
        ("run: Whole,", "", "only stages that are run whole gather batches"),
        ("Spline(n: 10, k: 8)", "Mds(n: 10, k: 8)", "replicas need no batch"),
        ("\"fc2\", \"fc3\"]", "\"fc2\"]", "mixes the inputs of a batch, not weights"),
        ("k: 8)", "k: 8, silent: 10)", "22:48: with 10 silent and 0 lying, none of 10"),
        ("k: 8)", "k: 8, silent: 1, lies: 7)", "22:48: with 1 silent and 7 lying, 2 of 10"),
        ("k: 8)", "k: 8, lies: 9)", "22:46: with 0 silent and 9 lying, 1 of 10"),
        ("k: 8)", "k: 8, after: -1.0)", "22:47: no curve is smoothed by -1.0"),
        ("k: 8)", "k: 8, before: 1e300)", "22:48: no curve is smoothed by 1e300"),
        ("k: 8)", "k: 8, before: NaN)", "22:48: no curve is smoothed by NaN"),
        ("k: 8)", "k: 8, after: Chosen)", "`Chosen` is neither a number nor `CrossValidated`"),
        ("k: 8)", "k: 11)", "choose 1 ≤ k ≤ n"),
        ("n: 10,", "n: 11,", "11 shares for 10 devices"),
        ("order: NearestNeighbour", "order: Sorted", "Sorted"),
    ] {
        assert!(good.contains(from), "{from} is in the topology");
        let refused = Plan::parse(&path, good.replace(from, to)).expect_err(to).to_string();
        assert!(refused.contains(said), "{to}: {refused}");
        assert!(refused.contains("lenet5-batch.ron:"), "it says where: {refused}");
        let places: Vec<&str> = refused.lines().filter(|line| line.contains(said)).collect();
        assert_eq!(places.len(), 1, "it says so once: {refused}");
    }
}

#[test]
fn a_batch_that_does_not_fill_is_a_smaller_code_and_nearer_the_truth() {
    let of = |clients: usize| {
        let clients = format!("clients: {clients}");
        let changes = [("clients: 16", &clients[..])];
        let trace = run(&plan("Spline(n: 10, k: 8)", 10, &changes), 240, "");
        assert!(ends(&trace).values().all(|end| *end == Some(Worth::Approximate)));
        error(&trace)
    };
    // From eight results: eight requests, four, two, one.
    let errors = [8, 4, 2, 1].map(of);
    assert!(errors.windows(2).all(|pair| pair[1] < 0.7 * pair[0]), "{errors:?}");
}

#[test]
fn lies_are_found_in_batches_that_do_not_fill_and_nobody_else_is_accused() {
    for code in ["Spline", "Berrut"] {
        let code = format!("{code}(n: 12, k: 4, silent: 1, lies: 1)");
        for clients in 1..4 {
            let clients = format!("clients: {clients}");
            let plan = plan(&code, 12, &[("clients: 16", &clients)]);
            for how in ["Scale(-3.0)", "Nan"] {
                let faults = format!("(at: At(\"0ms\"), who: \"pi-5\", what: Corrupt(how: {how}))");
                let trace = run(&plan, 60, &faults);
                let caught = |of: fn(usize) -> bool| {
                    let is = |e: &Event| matches!(e, Event::Caught { device, .. } if of(device.0));
                    support::count(&trace, is)
                };
                let seen = (caught(|device| device == 4) > 0, caught(|device| device != 4));
                assert_eq!(seen, (true, 0), "{code} {clients} {how}");
            }
            let calm = run(&plan, 150, "");
            let accused = support::count(&calm, |e| matches!(e, Event::Caught { .. }));
            assert_eq!(accused, 0, "{code} {clients}");
        }
    }
}

#[test]
fn smoothing_that_is_chosen_is_chosen_the_same_in_every_run_and_without_numbers() {
    let code = "Spline(n: 10, k: 8, after: CrossValidated)";
    let chosen = plan(code, 10, &[]);
    let faults = "(at: At(\"5ms\"), who: \"pi-3\", what: Crash)";
    let trace = run(&chosen, 100, faults);
    assert!(trace == run(&plan(code, 10, &[]), 100, faults), "the same run twice");
    assert!(agreeing(&trace) >= 80, "{} of 100", agreeing(&trace));
    let mut skipping = plan(code, 10, &[]);
    Arc::get_mut(&mut skipping).expect("nobody else has it").numerics = kofn::plan::Numerics::Skip;
    let is_judged = |e: &Event| matches!(e, Event::Judged { .. } | Event::NotComputed { .. });
    let told = |trace: Trace| -> Vec<_> {
        trace.into_iter().filter(|record| !is_judged(&record.event)).collect()
    };
    assert!(told(trace) == told(run(&skipping, 100, faults)), "the same at the same moments");
}

#[test]
fn lambda_of_the_inputs_is_chosen_on_samples_and_is_no_worse_on_them_than_none() {
    let error = |before: &str| {
        let code = format!("Spline(n: 10, k: 8, devices: Spread, before: {before})");
        let rehearsal = plan(&code, 10, &[]).rehearse(StageId(0), None);
        rehearsal.expect("it runs on batches").expect("it can be tried").error
    };
    assert!(error("CrossValidated") <= error("0.0"));
    assert!(error("CrossValidated") < error("1.0"), "too much smoothing shows");
    let path = support::topology("lenet5-batch");
    let text = std::fs::read_to_string(&path).expect("a shipped topology");
    let (before, _) = text.split_once("inputs: Idx(").expect("inputs");
    let text = before.replace("k: 8)", "k: 8, before: CrossValidated)")
        + "inputs: Random(count: 3), requests: 9)";
    let refused = Plan::parse(&path, text).expect_err("three inputs make no batch").to_string();
    let said = "lenet5-batch.ron:22:48: a batch has 8 requests, and there are 3 inputs to try";
    assert!(refused.contains(said), "{refused}");
}

#[test]
fn a_plan_says_what_batches_come_to_and_a_run_agrees() {
    for (code, within) in [("Spline(n: 10, k: 8)", 0.06), ("Spline(n: 10, k: 4, silent: 2)", 0.03)]
    {
        let plan = plan(code, 10, &[]);
        let tried = plan.rehearse(StageId(0), None).expect("batches").expect("it can be tried");
        let trace = run(&plan, 400, "");
        let ran = agreeing(&trace) as f64 / 400.0;
        assert!((tried.agreeing - ran).abs() < within, "{code}: {tried:?}, a run {ran}");
        assert_eq!((tried.batches, tried.missing), (16, 2));
    }
    let exact = plan("Spline(n: 10, k: 8, silent: 0)", 10, &[]);
    let exact = exact.rehearse(StageId(0), None).expect("batches").expect("it can be tried");
    assert!(exact.error < 1e-6 && exact.agreeing == 1.0, "{exact:?}");
}

#[test]
fn a_plan_says_why_batches_were_not_tried() {
    let mut plan = plan("Spline(n: 10, k: 8)", 10, &[]);
    let plan = Arc::get_mut(&mut plan).expect("nobody else has it");
    plan.inputs.truncate(7);
    let said = plan.rehearse(StageId(0), None);
    assert_eq!(said, Some(Err(Unrehearsed::TooFewInputs { there: 7, needed: 8 })));
    let notes = PlanView::of(plan).rehearsed(plan).notes.join("\n");
    assert!(notes.contains("was not tried: a batch has 8 requests"), "{notes}");
    assert_eq!(support::plan("lenet5").rehearse(StageId(0), None), None, "it runs on no batches");
}

#[test]
fn a_plan_warns_of_results_that_are_thrown_away_for_want_of_a_word() {
    let notes = |code: &str, devices| {
        let plan = plan(code, devices, &[]);
        PlanView::of(&plan).rehearsed(&plan).notes.join("\n")
    };
    let warned = notes("Spline(n: 16, k: 4)", 16);
    assert!(warned.contains("with 4 of 16 results and 12 devices work for nothing"), "{warned}");
    assert!(
        warned.contains("`silent: 2` would wait for 14, and outputs would be off by"),
        "{warned}"
    );
    for code in ["Spline(n: 16, k: 4, silent: 12)", "Spline(n: 16, k: 14)"] {
        assert!(!notes(code, 16).contains("for nothing"), "{code}");
    }
}

#[test]
fn a_trace_shows_the_round_of_a_batch_to_each_of_its_requests() {
    let plan = plan("Spline(n: 10, k: 8)", 10, &[]);
    let trace = run(&plan, 16, "");
    let header = Header::of(&plan, None, 1, 16);
    let (from, to) = (Time::ZERO, Time(u64::MAX));
    let told = replay(&header, &trace, &Filter { from, to, request: Some(RequestId(3)) });
    for said in ["a batch with #1 #2 #3", "read off approximately", "answered approximately"] {
        assert!(told.contains(said), "{said}: {told}");
    }
    assert!(!told.contains("#8 "), "the other batch is not its own: {told}");
    let flight = trace.iter().fold(Board::new(&header), |mut board, record| {
        board.take(&header, record);
        board
    });
    assert_eq!((flight.tally.answered, flight.tally.approximate), (16, 16));
}

#[test]
fn codes_over_inputs_and_over_weights_are_compared_on_one_fleet() {
    let path = support::topology("lenet5-batch");
    for (code, batches) in [("Berrut(10, 8)", true), ("Mds(10, 8)", false), ("Uncoded(4)", false)] {
        let parsed = CodeFile::parse(code).unwrap_or_else(|why| panic!("{code}: {why}"));
        let plan = Plan::read_with(&path, parsed).unwrap_or_else(|problems| panic!("{problems}"));
        let gathers = plan.stages.iter().filter(|stage| stage.batch.is_some()).count();
        assert_eq!(gathers, usize::from(batches), "{code}");
        let trace = run(&Arc::new(plan), 16, "");
        let worth = if batches { Worth::Approximate } else { Worth::Exact };
        assert!(ends(&trace).values().all(|end| *end == Some(worth)), "{code}");
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
