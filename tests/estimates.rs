//! Below the threshold: what a topology that prefers a guess to nothing answers, and that it says so.

mod support;

use std::process::Command;

use kofn::event::{Event, Worth};
use kofn::plan::Plan;
use support::{agreeing, answers, changed, count, failed, of_worth, plan, root, run};

const ONE_DEAD: &str = "(at: At(\"0ms\"), who: \"pi-2\", what: Crash)";
const TWO_DEAD: &str = "(at: At(\"0ms\"), who: \"pi-2, pi-4\", what: Crash)";
const GUESS: (&str, &str) = ("retries: 2", "retries: 2, below: Estimate");

#[test]
fn an_uncoded_layer_that_lost_a_piece_goes_on_without_it_and_says_so() {
    let guessing = run(&changed("lenet5-uncoded", &[GUESS]), 40, ONE_DEAD);
    assert_eq!((of_worth(&guessing, Worth::Estimate), failed(&guessing)), (40, 0));
    // A quarter of every layer is zero; better than one in ten is left (Hadidi et al., Fig. 2).
    assert!((8..40).contains(&agreeing(&guessing)), "{} of 40 agree", agreeing(&guessing));
    let strict = run(&plan("lenet5-uncoded"), 40, ONE_DEAD);
    assert_eq!((of_worth(&strict, Worth::Estimate), failed(&strict)), (0, 40));
}

#[test]
fn every_code_has_a_guess_where_too_few_shares_came() {
    let coded = |code: &str, devices: &str| {
        let (count, all) = (format!("count: {devices}"), "code: Mds(n: 5, k: 4)");
        let code = format!("code: {code}");
        let changes = [
            ("(layers: [\"conv1\"], code: Mds(n: 5, k: 3)),", ""),
            (all, &code),
            ("count: 5", &count),
            GUESS,
        ];
        changed("lenet5", &changes)
    };
    for (code, devices, faults) in [
        ("Mds(n: 5, k: 4)", "5", TWO_DEAD),
        ("Gaussian(n: 5, k: 4)", "5", TWO_DEAD),
        ("Rotation(n: 5, k: 4)", "5", TWO_DEAD),
        ("ShiftAdd(n: 5, k: 4)", "5", TWO_DEAD),
        (
            "Polar(n: 8, k: 5)",
            "8",
            "(at: At(\"0ms\"), who: \"pi-5, pi-6, pi-7, pi-8\", what: Crash)",
        ),
        ("Replication(n: 5, k: 4)", "5", TWO_DEAD),
    ] {
        let trace = run(&coded(code, devices), 20, faults);
        assert_eq!((of_worth(&trace, Worth::Estimate), failed(&trace)), (20, 0), "{code}");
        let calm = run(&coded(code, devices), 20, "");
        assert_eq!((of_worth(&calm, Worth::Exact), failed(&calm)), (20, 0), "{code}");
    }
}

#[test]
fn a_batch_is_guessed_from_fewer_results_than_it_waits_for() {
    let plan = changed("lenet5-batch", &[GUESS]);
    let faults = "(at: At(\"0ms\"), who: \"pi-1, pi-2, pi-3\", what: Crash)";
    let trace = run(&plan, 64, faults);
    assert_eq!((of_worth(&trace, Worth::Estimate), failed(&trace)), (64, 0));
}

#[test]
fn strips_are_guessed_from_too_few_and_said_to_be() {
    let plan = changed("lenet5-spatial", &[GUESS]);
    let three_dead = "(at: At(\"0ms\"), who: \"pi-3, pi-4, pi-5\", what: Crash)";
    let trace = run(&plan, 40, three_dead);
    assert_eq!((of_worth(&trace, Worth::Estimate), failed(&trace)), (40, 0));
    // Two thirds of every layer are left.
    assert!((8..40).contains(&agreeing(&trace)), "{} of 40 agree", agreeing(&trace));
    let calm = run(&plan, 10, TWO_DEAD);
    assert_eq!((of_worth(&calm, Worth::Exact), failed(&calm)), (10, 0), "three are enough");
}

/// LeNet-5 where all layers but fc1 survive two boards.
fn fc1_alone_suffers(policy: &str, fc1: &str) -> std::sync::Arc<Plan> {
    let fc1 = format!("(layers: [\"fc1\"], code: Mds(n: 5, k: 4){fc1})");
    let changes = [
        ("(layers: [\"conv1\"], code: Mds(n: 5, k: 3))", &fc1[..]),
        ("coding: (code: Mds(n: 5, k: 4)", "coding: (code: Mds(n: 5, k: 3)"),
        ("retries: 2", policy),
    ];
    changed("lenet5", &changes)
}

#[test]
fn a_stage_may_be_guessed_where_others_fail_and_fail_where_others_are_guessed() {
    for (policy, fc1, guessed) in [
        ("retries: 2", ", below: Estimate", 20),
        ("retries: 2", "", 0),
        ("retries: 2, below: Estimate", "", 20),
        ("retries: 2, below: Estimate", ", below: Fail", 0),
    ] {
        let trace = run(&fc1_alone_suffers(policy, fc1), 20, TWO_DEAD);
        let ends = (of_worth(&trace, Worth::Estimate), failed(&trace));
        assert_eq!(ends, (guessed, 20 - guessed), "{policy} and fc1{fc1}");
        for record in &trace {
            if let Event::Failed { reason, .. } = &record.event {
                assert!(reason.contains("stage fc1 is unrecoverable"), "{reason}");
            }
        }
    }
    // What fails here is conv1: a guess is allowed elsewhere only.
    let elsewhere =
        [("(layers: [\"conv1\"], code: Mds(n: 5, k: 3))", "(layers: [\"fc1\"], below: Estimate)")];
    let trace = run(&changed("lenet5", &elsewhere), 10, TWO_DEAD);
    assert_eq!((of_worth(&trace, Worth::Estimate), failed(&trace)), (0, 10));
}

#[test]
fn a_layer_of_the_supervisor_has_no_replies_to_be_too_few() {
    let path = support::topology("lenet5");
    let text = std::fs::read_to_string(&path).expect("a shipped topology");
    let local = "(layers: [\"conv1\"], run: Local, below: Estimate)";
    let text = text.replace("(layers: [\"conv1\"], code: Mds(n: 5, k: 3))", local);
    let refused = Plan::parse(&path, text).expect_err("nobody is awaited").to_string();
    assert!(
        refused.contains("lenet5.ron:24:48:") && refused.contains("awaits no replies"),
        "{refused}"
    );
}

#[test]
fn nothing_is_guessed_where_nothing_came() {
    let plan = changed("lenet5", &[GUESS]);
    let trace = run(&plan, 4, "(at: At(\"0ms\"), who: \"pi\", what: Crash)");
    assert_eq!((of_worth(&trace, Worth::Estimate), failed(&trace)), (0, 4));
}

#[test]
fn nothing_is_guessed_from_replies_that_contradict_each_other() {
    let changes = [
        ("(layers: [\"conv1\"], code: Mds(n: 5, k: 3)),", ""),
        ("retries: 2", "retries: 2, below: Estimate, verify: Surplus"),
    ];
    let plan = changed("lenet5", &changes);
    // Five replies show that one lies but not which; then two boards are gone and three are too few.
    let faults = "(at: At(\"0ms\"), who: \"pi-1\", what: Corrupt(how: Scale(1.5))), \
                  (at: AtStage(request: 0, stage: \"conv1\", phase: Decoding), who: \"pi-2, pi-3\", what: Crash)";
    let trace = run(&plan, 1, faults);
    assert!(count(&trace, |event| matches!(event, Event::Doubted { .. })) > 0);
    assert_eq!((of_worth(&trace, Worth::Estimate), failed(&trace)), (0, 1));
}

#[test]
fn a_found_lie_is_not_guessed_from() {
    let plan = changed("lenet5", &[("retries: 2", "retries: 2, below: Estimate, verify: Always")]);
    let faults =
        format!("{TWO_DEAD}, (at: At(\"0ms\"), who: \"pi-1\", what: Corrupt(how: Scale(1e6)))");
    let trace = run(&plan, 10, &faults);
    assert_eq!(of_worth(&trace, Worth::Estimate), 10);
    assert!(count(&trace, |event| matches!(event, Event::Caught { .. })) > 0);
    assert!(answers(&trace).iter().all(|(_, error, ..)| *error < 1e3), "no lie is in an answer");
}

/// Runs the shipped fault plan with other expectations: the exit code, and what was said.
fn exit(expect: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("plan.ron");
    let text = format!(
        "FaultPlan(topology: \"-\", requests: 20, \
         faults: [(at: At(\"0ms\"), who: \"pi-2, pi-4\", what: Crash)], expect: [{expect}])"
    );
    std::fs::write(&path, text).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_kofn"))
        .current_dir(root())
        .args(["run", "topologies/lenet5-estimates.ron", "--no-tui", "--faults"])
        .arg(&path)
        .output()
        .expect("the program starts");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn estimates_break_a_plan_that_does_not_speak_of_them_and_show_in_the_exit_code_of_one_that_does() {
    let (code, said) = exit("NoRequestLost");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("20 answered (20 with an estimate)"), "{said}");
    assert!(
        said.contains("✗ no answer is an estimate: 100.0 % (20 of 20); first request #"),
        "{said}"
    );
    let (code, said) = exit("NoRequestLost, Estimates(at_most: 1.0)");
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("✓ at most 100.0 % are estimates: 100.0 % (20 of 20)"), "{said}");
    assert_eq!(exit("NoRequestLost, Estimates(at_most: 0.5)").0, Some(1));
}
