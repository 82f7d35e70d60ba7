//! Below the threshold: what a topology that prefers a guess to nothing answers, and that it says so.

mod support;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use kofn::drive::Trace;
use kofn::event::{Event, Worth};
use kofn::plan::{FaultPlan, Plan};
use support::{answers, count, plan, root, simulate};

/// A shipped topology with some words changed.
fn changed(name: &str, changes: &[(&str, &str)]) -> Arc<Plan> {
    let path = support::topology(name);
    let mut text = std::fs::read_to_string(&path).expect("a shipped topology");
    for (from, to) in changes {
        assert!(text.contains(from), "{from} is in {name}");
        text = text.replace(from, to);
    }
    Arc::new(Plan::parse(&path, text).unwrap_or_else(|problems| panic!("{problems}")))
}

fn run(plan: &Arc<Plan>, requests: usize, faults: &str) -> Trace {
    let text = format!("FaultPlan(topology: \"-\", faults: [{faults}], expect: [])");
    let faults = FaultPlan::parse(Path::new("drawn"), text, plan);
    let faults = faults.unwrap_or_else(|problems| panic!("{problems}"));
    simulate(&support::setup(plan, requests).with_faults(faults.faults))
}

fn of_worth(trace: &Trace, what: Worth) -> usize {
    count(trace, |event| matches!(event, Event::Answered { worth, .. } if *worth == what))
}

fn agreeing(trace: &Trace) -> usize {
    answers(trace).iter().filter(|(_, _, top1, whole)| top1 == whole).count()
}

fn failed(trace: &Trace) -> usize {
    count(trace, |event| matches!(event, Event::Failed { .. }))
}

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
