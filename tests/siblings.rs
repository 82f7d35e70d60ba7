//! Layers that are ready together go out as one round: queries, keys and values of a vision transformer.

mod support;

use kofn::drive::Trace;
use kofn::event::Event;
use kofn::plan::{Layers, Plan, Stage, StageWork};
use kofn::units::{Bytes, StageId};
use support::{agreeing, answers, changed, count, plan, run};

const CODING: &str = "coding: (code";
const POLICY: &str = "policy: (";

fn layers(stage: &Stage) -> &Layers {
    match &stage.work {
        StageWork::Layers(layers) => layers,
        StageWork::Function(_) => panic!("{} is of layers", stage.name),
    }
}

/// What all holders of a plan's shares are sent for a request.
fn sent(plan: &Plan) -> Bytes {
    let of = |stage: &Stage| -> u64 {
        (0..stage.code.shares()).map(|share| stage.task_bytes(share).0).sum()
    };
    Bytes(plan.stages.iter().map(of).sum::<u64>())
}

fn rounds(trace: &Trace) -> usize {
    count(trace, |event| matches!(event, Event::Scattered { attempt: 0, .. }))
}

#[test]
fn queries_keys_and_values_are_one_round_and_their_input_is_sent_once() {
    let together = plan("tinyvit");
    let apart = changed("tinyvit", &[(CODING, "coding: (siblings: Apart, code")]);
    assert_eq!((together.stages.len(), apart.stages.len()), (18, 26));
    let stage = &together.stages[together.stage("blocks.0/k").expect("it goes out with q").0];
    assert_eq!((stage.name.as_str(), stage.kind().as_str()), ("blocks.0/q+k+v", "3 dense"));
    let alone = &apart.stages[apart.stage("blocks.0/k").expect("by itself").0];
    assert_eq!(stage.task_bytes(0), alone.task_bytes(0));
    assert_eq!(stage.reply_bytes(0).0, 3 * alone.reply_bytes(0).0);
    assert_eq!(stage.share_work(5).0, 3 * alone.share_work(5).0);
    assert_eq!(together.held_bytes(), apart.held_bytes(), "weights are as many");
    let input = layers(alone).first().op().input_bytes();
    // Six holders, four blocks, two inputs less in each.
    assert_eq!(sent(&apart).0 - sent(&together).0, 6 * 4 * 2 * input.0);
}

#[test]
fn together_they_answer_what_they_answer_apart_and_sooner() {
    let together = plan("tinyvit");
    let apart = changed("tinyvit", &[(CODING, "coding: (siblings: Apart, code")]);
    let faults = r#"(at: At("0s"), who: "pi-2", what: Crash)"#;
    let (one, other) = (run(&together, 5, faults), run(&apart, 5, faults));
    assert_eq!((rounds(&one), rounds(&other)), (5 * 18, 5 * 26));
    assert_eq!((agreeing(&one), agreeing(&other)), (5, 5));
    for (one, other) in answers(&one).iter().zip(answers(&other)) {
        assert!(one.1 < 1e-4 && other.1 < 1e-4, "{one:?} {other:?}");
    }
    let worst = |trace: &Trace| {
        let latency = |event: &Event| {
            if let Event::Answered { latency, .. } = event { Some(*latency) } else { None }
        };
        let latency = trace.iter().filter_map(|record| latency(&record.event));
        latency.max().expect("it answers")
    };
    assert!(worst(&one) < worst(&other), "{} and {}", worst(&one), worst(&other));
}

#[test]
fn a_lie_about_any_of_them_is_found() {
    for verify in ["Always", "Surplus"] {
        let policy = format!("policy: (verify: {verify}, ");
        let plan = changed("tinyvit", &[(POLICY, &policy)]);
        // One number of one of three tensors, each time another.
        let fault = |request: usize| {
            let at =
                format!(r#"AtStage(request: {request}, stage: "blocks.1/k", phase: Scattered)"#);
            format!(r#"(at: {at}, who: "any 2", what: Corrupt(how: Nan), lasts: "2ms")"#)
        };
        let faults: Vec<String> = (1..20).map(fault).collect();
        let trace = run(&plan, 20, &faults.join(", "));
        let of_siblings = |stage: StageId| layers(&plan.stages[stage.0]).iter().len() == 3;
        let caught = count(
            &trace,
            |event| matches!(event, Event::Caught { stage, .. } if of_siblings(*stage)),
        );
        assert!(caught > 3, "{verify}: only {caught} were caught where there are three layers");
        assert_eq!(agreeing(&trace), 20, "{verify}");
    }
}

#[test]
fn a_layer_of_which_the_topology_says_something_else_goes_out_by_itself() {
    let entry = r#"stages: [(layers: ["blocks.0/v"], code: Mds(n: 6, k: 3))], requests: 1000"#;
    let plan = changed("tinyvit", &[("requests: 1000", entry)]);
    let of = |layer: &str| plan.stages[plan.stage(layer).expect("it is coded").0].name.clone();
    assert_eq!([of("blocks.0/q"), of("blocks.0/v")], ["blocks.0/q+k", "blocks.0/v"]);
    assert_eq!(of("blocks.1/v"), "blocks.1/q+k+v");
    assert_eq!(agreeing(&run(&plan, 3, "")), 3);
}

#[test]
fn codes_that_are_made_to_fit_a_layer_take_no_other_with_it() {
    let plan = changed("tinyvit", &[("code: Mds(n: 6, k: 4)", "code: Lt(n: 6, k: 4)")]);
    assert!(plan.stages.iter().all(|stage| layers(stage).iter().len() == 1));
}

#[test]
fn a_fault_at_a_layer_is_one_at_the_round_it_goes_out_in() {
    let faults = r#"(
        at: AtStage(request: 1, stage: "blocks.2/k", phase: Scattered),
        who: "pi-1", what: Crash,
    )"#;
    let plan = plan("tinyvit");
    let trace = run(&plan, 2, faults);
    let began = count(&trace, |event| matches!(event, Event::FaultBegan { .. }));
    assert_eq!(began, 1);
    assert_eq!(agreeing(&trace), 2);
}
