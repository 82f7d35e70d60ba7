//! Replicas of a run of layers: they are believed where they agree, bit for bit.

mod support;

use std::sync::Arc;

use kofn::event::Event;
use kofn::plan::Plan;
use support::{agreeing, changed, count, run};

/// LeNet-5 with its convolutions whole on three boards.
fn replicated(policy: &str) -> Arc<Plan> {
    let whole = r#"stages: [
        (layers: ["conv1", "conv2"], run: Whole, on: ["pi-1", "pi-2", "pi-3"]),
    ],
    inputs: "#;
    let own =
        "stages: [\n        (layers: [\"conv1\"], code: Mds(n: 5, k: 3)),\n    ],\n    inputs: ";
    changed("lenet5", &[(own, whole), ("policy: (", &format!("policy: ({policy}, "))])
}

#[test]
fn replicas_that_agree_are_enough_however_many_are_waited_for() {
    for policy in ["verify: Surplus", "verify: Off, wait: Everyone", "wait: Everyone"] {
        let trace = run(&replicated(policy), 30, "");
        assert_eq!(agreeing(&trace), 30, "{policy}");
        assert_eq!(count(&trace, |event| matches!(event, Event::Doubted { .. })), 0, "{policy}");
    }
}

#[test]
fn of_three_replicas_one_that_lies_is_found_out() {
    let lies = r#"(at: At("0s"), who: "pi-2", what: Corrupt(how: BitFlip, probability: 0.3))"#;
    let plan = replicated("verify: Surplus");
    let trace = run(&plan, 60, lies);
    assert_eq!(agreeing(&trace), 60);
    let caught = |event: &Event| matches!(event, Event::Caught { device, .. } if plan.devices[device.0].name == "pi-2");
    assert!(count(&trace, caught) > 0);
    assert_eq!(count(&trace, |event| matches!(event, Event::Caught { .. })), count(&trace, caught));
}
