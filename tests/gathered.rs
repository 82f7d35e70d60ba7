//! Requests that come to a stage while a round of it is under way share the next one.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use kofn::drive::Trace;
use kofn::event::Event;
use kofn::maths::Tensor;
use kofn::model::lowered::Inputs;
use kofn::node::{Job, RoundId, Ticket, Wanted};
use kofn::plan::Plan;
use kofn::units::{RequestId, StageId};
use kofn::view::plan_table::PlanView;
use ndarray::IxDyn;
use proptest::prelude::*;
use support::{agreeing, answers, changed, count, plan, run, topology};

const POLICY: &str = "policy: (";
const GATHERS: &str = r#"policy: (gather: (most: 6, within: "20ms"), "#;
const ALONE: &str = "arrivals: ClosedLoop(clients: 1)";

fn clients(count: usize, more: &[(&str, &str)]) -> Arc<Plan> {
    let arrivals = format!("arrivals: ClosedLoop(clients: {count})");
    changed("lenet5", &[&[(ALONE, arrivals.as_str())], more].concat())
}

/// The requests of each shared round.
fn shared(trace: &Trace) -> Vec<Vec<RequestId>> {
    let requests = |event: &Event| {
        if let Event::Gathered { requests, .. } = event { Some(requests.clone()) } else { None }
    };
    trace.iter().filter_map(|record| requests(&record.event)).collect()
}

fn rounds(trace: &Trace) -> usize {
    count(trace, |event| matches!(event, Event::Scattered { attempt: 0, .. }))
}

#[test]
fn who_finds_no_round_under_way_waits_for_nobody() {
    let faults = r#"(at: At("30ms"), who: "pi-2", what: Crash)"#;
    let alone = run(&clients(1, &[]), 40, faults);
    let gathers = run(&clients(1, &[(POLICY, GATHERS)]), 40, faults);
    assert_eq!(alone, gathers);
}

#[test]
fn requests_at_once_share_their_rounds_and_are_answered_as_each_by_itself() {
    // With one of five gone four suffice, and there is no surplus that could show a lie.
    let crash = r#"(at: At("12ms"), who: "pi-2", what: Crash, lasts: "60ms")"#;
    let lies = r#"(at: At("0s"), who: "pi-4", what: Corrupt(how: Scale(1.5), probability: 0.3))"#;
    for (verify, faults) in [("Always", format!("{crash}, {lies}")), ("Surplus", crash.to_owned())]
    {
        let policy = format!("{GATHERS}verify: {verify}, ");
        let plan = clients(7, &[(POLICY, &policy)]);
        let trace = run(&plan, 70, &faults);
        let together = shared(&trace);
        assert!(together.iter().any(|requests| requests.len() == 6), "{verify}: as many as may");
        assert!(together.iter().all(|requests| requests.len() <= 6), "{verify}: and no more");
        assert!(rounds(&trace) < 70 * 4, "{verify}: {} rounds", rounds(&trace));
        let caught = count(&trace, |event| matches!(event, Event::Caught { .. }));
        assert!(caught > 0 || verify == "Surplus", "{verify}: lies are told");
        assert_eq!(agreeing(&trace), 70, "{verify}");
        assert!(answers(&trace).iter().all(|answer| answer.1 < 1e-4), "{verify}");
        let ended: BTreeSet<RequestId> = answers(&trace).iter().map(|answer| answer.0).collect();
        assert_eq!(ended.len(), 70, "{verify}: each has an answer of its own");
    }
}

#[test]
fn layers_are_shared_where_reading_weights_takes_the_time() {
    let plan = clients(4, &[(POLICY, GATHERS)]);
    let most: Vec<usize> = plan.stages.iter().map(|stage| stage.most_requests).collect();
    assert_eq!(most, [1, 1, 6, 6, 6], "convolutions have many columns");
    let trace = run(&plan, 4, "");
    let of = |stage: usize| {
        let is = |event: &Event| matches!(event, Event::Scattered { stage: StageId(it), attempt: 0, .. } if *it == stage);
        count(&trace, is)
    };
    assert_eq!([of(0), of(1)], [4, 4], "each has its own rounds");
    assert!(of(2) < 4 && of(3) < 4 && of(4) < 4, "{:?}", [of(2), of(3), of(4)]);
}

#[test]
fn those_whose_round_ends_go_on_together() {
    let plan = clients(7, &[(POLICY, GATHERS)]);
    let trace = run(&plan, 30, "");
    let at = |at: usize| -> Vec<BTreeSet<RequestId>> {
        let requests = |event: &Event| {
            let Event::Gathered { stage, requests, .. } = event else { return None };
            (stage.0 == at).then(|| requests.clone())
        };
        let shared = trace.iter().filter_map(|record| requests(&record.event));
        shared.map(|requests| requests.into_iter().collect()).collect()
    };
    // Others may join them.
    for (here, next) in [(2, 3), (3, 4)] {
        let (here, next) = (at(here), at(next));
        assert!(here.len() > 3, "{here:?}");
        assert!(here.iter().all(|these| next.iter().any(|all| these.is_subset(all))), "{next:?}");
    }
}

#[test]
fn a_round_that_is_stuck_holds_nobody_up_for_longer_than_the_policy_says() {
    // Four of five suffice for all layers but one, which the fifth has alone.
    let stuck = r#"(at: At("0s"), who: "pi-5", what: Freeze, lasts: "15ms")"#;
    let alone = r#"stages: [(layers: ["fc1"], code: Uncoded(k: 1), on: ["pi-5"]), "#;
    for within in [1, 4] {
        let hurried = format!("policy: (gather: (most: 6, within: \"{within}ms\"), ");
        let plan = clients(2, &[(POLICY, &hurried), ("stages: [", alone)]);
        let trace = run(&plan, 2, stuck);
        let at = |stage: &str, what: fn(&Event) -> bool| {
            let stage = plan.stage(stage).expect("it is coded");
            let is = |event: &Event| {
                event.request() == Some(RequestId(1)) && event.stage() == Some(stage) && what(event)
            };
            trace.iter().find(|record| is(&record.event)).expect("it happens").at
        };
        let began = at("fc1", |event| matches!(event, Event::Scattered { .. }));
        let comes = at("conv2", |event| matches!(event, Event::Decoded { .. }));
        let waited = (began - comes).as_millis();
        let pooled = 0.5;
        let is_so = (f64::from(within)..f64::from(within) + pooled).contains(&waited);
        assert!(is_so, "it waits {waited} ms for {within}");
        assert_eq!(agreeing(&trace), 2);
    }
}

#[test]
fn a_fault_strikes_in_the_round_of_its_request_whoever_leads_it() {
    let plan = clients(7, &[(POLICY, GATHERS)]);
    let all = shared(&run(&plan, 30, ""));
    let riders: BTreeSet<RequestId> = all.iter().flat_map(|these| these[1..].to_vec()).collect();
    assert!(riders.len() > 5);
    for RequestId(rider) in riders {
        let at = format!(r#"AtStage(request: {rider}, stage: "fc2", phase: FirstReply)"#);
        let trace = run(&plan, 30, &format!(r#"(at: {at}, who: "pi-2", what: Crash)"#));
        assert_eq!(count(&trace, |event| matches!(event, Event::FaultBegan { .. })), 1, "{rider}");
        assert_eq!(agreeing(&trace), 30);
    }
}

#[test]
fn without_arithmetic_the_same_requests_go_together_at_the_same_moments() {
    let full = clients(7, &[(POLICY, GATHERS)]);
    let skip = clients(7, &[(POLICY, GATHERS), ("requests: ", "numerics: Skip, requests: ")]);
    let faults = r#"(at: At("12ms"), who: "pi-2", what: Crash, lasts: "60ms")"#;
    let blank = |trace: Trace| -> Trace {
        let is_judged =
            |event: &Event| matches!(event, Event::Judged { .. } | Event::NotComputed { .. });
        trace.into_iter().filter(|record| !is_judged(&record.event)).collect()
    };
    assert_eq!(blank(run(&full, 40, faults)), blank(run(&skip, 40, faults)));
}

#[test]
fn weights_are_read_once_for_all_requests_of_a_round() {
    let plan = plan("lenet5");
    let stage = plan.stage("fc1").expect("it is coded");
    let share = Arc::new(plan.stages[stage.0].encode(0));
    let input = Tensor::zeros(IxDyn(&[1, 400]));
    let job = |requests: usize| {
        let inputs = Inputs::laid_out(vec![vec![input.clone()]; requests], 1);
        let round = RoundId { request: RequestId(0), stage: StageId(stage.0) };
        let ticket = Ticket { round, share: 0, attempt: 0, again: 0 };
        Job::Share { ticket, share: share.clone(), inputs, wanted: Wanted::default() }
    };
    let (one, five) = (job(1), job(5));
    assert_eq!(five.work().0, 5 * one.work().0);
    let travels = one.traffic().0 - share.weight_bytes().0;
    assert_eq!(five.traffic().0, share.weight_bytes().0 + 5 * travels);
}

#[test]
fn the_plan_says_what_is_shared_and_if_nothing_is() {
    let notes =
        |changes: &[(&str, &str)]| PlanView::of(&changed("lenet5", changes)).notes.join(" ");
    let said = notes(&[(POLICY, GATHERS)]);
    assert!(said.contains("fc2: up to 6 requests share a round"), "{said}");
    assert!(!said.contains("conv1: up to") && !said.contains("changes nothing"), "{said}");
    let local = r#"stages: [(layers: ["fc1", "fc2", "fc3"], run: Local), "#;
    let said = notes(&[(POLICY, GATHERS), ("stages: [", local)]);
    assert!(said.contains("`gather` changes nothing"), "{said}");
}

#[test]
fn a_gathering_of_one_is_refused() {
    let path = topology("lenet5");
    let text = std::fs::read_to_string(&path).expect("shipped");
    for most in ["0", "1", "17"] {
        let said = format!(r#"policy: (gather: (most: {most}, within: "1ms"), "#);
        let problems = Plan::parse(&path, text.replace(POLICY, &said)).expect_err("refused");
        let problems = problems.to_string();
        assert!(problems.contains("at once are no gathering"), "{problems}");
        assert!(problems.contains("from 2 to 16"), "{problems}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_share_gives_each_request_what_it_gives_it_alone(
        layer in 0usize..5, share in 0usize..5, requests in 1usize..9, salt in 0usize..1000,
    ) {
        let plan = plan("lenet5");
        let stage = &plan.stages[layer];
        let shape = &plan.network.layers[layer].op.input;
        let input = |request: usize| {
            let number = |at: usize| ((at * 31 + request * 57 + salt) % 101) as f32 / 50.0 - 1.0;
            let len = shape.iter().product();
            Tensor::from_shape_vec(IxDyn(shape), (0..len).map(number).collect()).expect("its shape")
        };
        let share = stage.encode(share);
        let all = Inputs::laid_out((0..requests).map(|it| vec![input(it)]).collect(), 1);
        let together = share.run_while(&all, &|| true).expect("it runs");
        prop_assert_eq!(together.len(), requests);
        for (request, result) in together.iter().enumerate() {
            let alone = share.run(&[input(request)]).expect("it runs");
            prop_assert_eq!(result, &alone[0], "bit for bit");
        }
    }
}
