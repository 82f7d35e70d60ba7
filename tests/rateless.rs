//! Rateless stages: what a straggler or a dead device has finished counts, whatever becomes of the rest.

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use kofn::code::{Arrived, Code, Form, Lt};
use kofn::drive::Trace;
use kofn::event::{Event, Record, Standing};
use kofn::node::{Message, RoundId, Ticket};
use kofn::plan::{FaultPlan, Plan, Verify};
use kofn::units::{Bytes, DeviceId, RequestId, Span, StageId, Time};
use kofn::view::plan_table::PlanView;
use proptest::prelude::*;
use support::{answers, count, plan, setup, simulate};

/// Blocks of fc1 that a board holds.
const HAND: usize = 12;

fn changed(changes: &[(&str, &str)]) -> Result<Arc<Plan>, String> {
    let path = support::topology("lenet5-rateless");
    let mut text = std::fs::read_to_string(&path).expect("a shipped topology");
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    Plan::parse(&path, text).map(Arc::new).map_err(|all| all.to_string())
}

fn run(plan: &Arc<Plan>, requests: usize, faults: &str) -> Trace {
    let text = format!("FaultPlan(topology: \"-\", faults: [{faults}], expect: [])");
    let faults = FaultPlan::parse(Path::new("drawn"), text, plan);
    let faults = faults.unwrap_or_else(|problems| panic!("{problems}"));
    simulate(&setup(plan, requests).with_faults(faults.faults))
}

fn ends(trace: &Trace) -> (usize, usize) {
    let answered = count(trace, |event| matches!(event, Event::Answered { .. }));
    (answered, count(trace, |event| matches!(event, Event::Failed { .. })))
}

fn latency(trace: &Trace, of: usize) -> Span {
    let answered = trace.iter().find_map(|record| {
        let Event::Answered { request, latency, .. } = &record.event else { return None };
        (request.0 == of).then_some(*latency)
    });
    answered.expect("it was answered")
}

/// When a round of fc1 was scattered.
fn scattered(plan: &Plan, trace: &Trace, of: usize) -> Time {
    let fc1 = plan.stage("fc1").expect("it is coded");
    let is = |record: &&Record| {
        matches!(record.event, Event::Scattered { request, stage, .. }
            if request.0 == of && stage == fc1)
    };
    trace.iter().find(is).expect("it was").at
}

/// The boards do nothing but fc1 and what comes after it, and a twentieth as fast.
fn only_dense() -> Arc<Plan> {
    let path = support::topology("lenet5-rateless");
    let text = std::fs::read_to_string(&path).expect("a shipped topology");
    let text = text.replace("code: Lt(n: 8, k: 3)", "run: Local");
    let text = text.replace("code: Lt(n: 8, k: 4)", "run: Local").replace("20MFLOP", "1MFLOP");
    Arc::new(Plan::parse(&path, text).expect("sound"))
}

const FC1: StageId = StageId(0);

/// Which shares were used for fc1, and from how many boards.
fn used(trace: &Trace, of: usize) -> (Vec<usize>, usize) {
    let decoded = trace.iter().find_map(|record| {
        let Event::Decoded { request, stage: FC1, used, .. } = &record.event else { return None };
        (request.0 == of).then_some(used)
    });
    let used = decoded.expect("fc1 was decoded").clone();
    let boards: BTreeSet<usize> = used.iter().map(|share| share / HAND).collect();
    (used, boards.len())
}

const CRAWLS: &str = "(at: At(\"0ms\"), who: \"esp-5\", what: Slow(by: 4.0)),";

#[test]
fn it_answers_sooner_than_a_code_that_throws_partial_work_away() {
    let rateless = plan("lenet5-rateless");
    let mds = changed(&[("Lt(", "Mds(")]).expect("as redundant");
    let (mut sooner, requests) = (0.0, 40);
    for request in [10, 20, 30] {
        // In the middle of fc1, by the clock of each: a share takes a millisecond.
        let with_faults = |plan: &Arc<Plan>| {
            let at =
                scattered(plan, &run(plan, requests, CRAWLS), request) + Span::from_millis(1.6);
            let dies =
                format!("(at: At(\"{}ns\"), who: \"esp-2\", what: Crash, lasts: \"1s\"),", at.0);
            run(plan, requests, &format!("{CRAWLS}{dies}"))
        };
        let (ours, theirs) = (with_faults(&rateless), with_faults(&mds));
        assert_eq!((ends(&ours), ends(&theirs)), ((requests, 0), (requests, 0)));
        for of in request..requests {
            assert!(latency(&ours, of) < latency(&theirs, of), "request {of}");
            sooner += latency(&ours, of).as_secs() / latency(&theirs, of).as_secs();
        }
    }
    let mean = sooner / 60.0;
    println!("{mean:.3} of the time");
    assert!(mean < 0.9, "{mean}");
}

#[test]
fn blocks_of_a_board_that_died_in_the_middle_of_a_layer_and_of_one_that_crawls_are_used() {
    let plan = only_dense();
    let dies = scattered(&plan, &run(&plan, 6, CRAWLS), 5) + Span::from_millis(7.0);
    let faults = format!("{CRAWLS}(at: At(\"{}ns\"), who: \"esp-2\", what: Crash)", dies.0);
    let trace = run(&plan, 6, &faults);
    assert_eq!(ends(&trace), (6, 0));
    let (used, boards) = used(&trace, 5);
    let of = |board: usize| used.iter().filter(|share| *share / HAND == board).count();
    assert!((1..HAND).contains(&of(1)), "the dead board's: {used:?}");
    assert!((1..HAND).contains(&of(4)), "the crawling board's: {used:?}");
    assert_eq!(boards, 8);
    for (request, error, top1, whole) in answers(&trace) {
        assert!(error <= 1e-4 && top1 == whole, "{request:?} is off by {error}");
    }
}

#[test]
fn nobody_is_waited_for_who_is_not_needed_and_what_is_left_is_called_off() {
    let trace = run(&only_dense(), 3, "");
    let started = |of: usize| {
        count(
            &trace,
            |event| matches!(event, Event::Started { request: RequestId(r), stage: FC1, .. } if *r == of),
        )
    };
    // Each board is at some block when sixty are enough, and has begun none after that.
    for request in 0..3 {
        let (used, _) = used(&trace, request);
        assert_eq!(used.len(), used.iter().collect::<BTreeSet<_>>().len());
        assert!(started(request) < 96, "not all blocks are computed: {}", started(request));
    }
    assert!(count(&trace, |event| matches!(event, Event::Skipped { .. })) > 0);
}

#[test]
fn each_block_is_charged_for_and_the_input_is_sent_once_to_a_hand() {
    let plan = only_dense();
    let trace = run(&plan, 1, "");
    let starts: Vec<Time> = trace
        .iter()
        .filter(|record| {
            matches!(record.event, Event::Started { stage: FC1, device: DeviceId(0), .. })
        })
        .map(|record| record.at)
        .collect();
    let stage = &plan.stages[FC1.0];
    let block = plan.devices[0].machine.speed.time_for(stage.share_work(0));
    // Its time is drawn with a jitter of 0.1.
    let least = block * 0.6;
    assert!(starts.len() > HAND / 2);
    assert!(starts.windows(2).all(|pair| pair[1] - pair[0] > least), "{block} each: {starts:?}");

    let round = RoundId { request: RequestId(0), stage: FC1 };
    let ticket = |share| Ticket { round, share, attempt: 0, again: 0 };
    let input = kofn::maths::Tensor::zeros(ndarray::IxDyn(&[400]));
    let hand = Message::Hand((0..HAND).map(ticket).collect(), vec![input].into()).size();
    assert_eq!(hand, Bytes(64 + 4 * 400 + 4 * (HAND as u64 - 1)));
    let sent: u64 = (0..HAND).map(|share| stage.task_bytes(share).0).sum();
    assert_eq!(sent, 4 * 400, "the plan reckons so too");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Parts that are lost, doubled, overtaken, spoilt, late; boards that stop and come again.
    #[test]
    fn whatever_happens_to_blocks_each_request_ends_once_and_no_answer_is_wrong(
        kinds in proptest::sample::subsequence(vec![
            "Drop(probability: 0.2)",
            "Duplicate(probability: 0.3, within: \"5ms\")",
            "Reorder(probability: 0.3, within: \"3ms\")",
            "Corrupt(probability: 0.3, how: Scale(1.1))",
            "Freeze",
            "Slow(by: 6.0)",
            "Crash",
        ], 1..4),
        board in 1usize..=8, at in 0usize..60, lasts in 5usize..80,
    ) {
        let fault = |(nth, kind): (usize, &&str)| {
            let who = (board + nth) % 8 + 1;
            format!("(at: At(\"{at}ms\"), who: \"esp-{who}\", what: {kind}, lasts: \"{lasts}ms\"),")
        };
        let faults: String = kinds.iter().enumerate().map(fault).collect();
        let trace = run(&plan("lenet5-rateless"), 8, &faults);
        let (answered, failed) = ends(&trace);
        prop_assert_eq!(answered + failed, 8, "{}", faults);
        let of: BTreeSet<RequestId> = answers(&trace).iter().map(|(request, ..)| *request).collect();
        prop_assert_eq!(of.len(), answered);
        for (request, error, ..) in answers(&trace) {
            prop_assert!(error <= 1e-3, "{:?} is off by {} with {}", request, error, faults);
        }
        let liars = kinds.iter().enumerate().filter(|(_, kind)| kind.starts_with("Corrupt"));
        let liars: Vec<DeviceId> = liars.map(|(nth, _)| DeviceId((board + nth) % 8)).collect();
        for record in &trace {
            if let Event::Caught { device, .. } = &record.event {
                prop_assert!(liars.contains(device), "{:?} with {}", device, faults);
            }
        }
    }
}

#[test]
fn lies_cost_the_blocks_that_they_are_and_their_sender_its_standing_once() {
    let lies = "(at: At(\"0ms\"), who: \"esp-3\", what: Corrupt(how: Scale(1.1)), lasts: \"60ms\")";
    let trace = run(&only_dense(), 12, lies);
    assert_eq!(ends(&trace), (12, 0));
    let caught = |of: &dyn Fn(DeviceId) -> bool| {
        count(&trace, |event| matches!(event, Event::Caught { device, .. } if of(*device)))
    };
    let liar = DeviceId(2);
    assert!(caught(&|device| device == liar) > 3, "several blocks of the first round");
    assert_eq!(caught(&|device| device != liar), 0);
    let excluded = count(
        &trace,
        |event| matches!(event, Event::Judgement { device, to: Standing::Excluded, .. } if *device == liar),
    );
    assert_eq!(excluded, 1);
    assert!(answers(&trace).iter().all(|(_, error, ..)| *error <= 1e-3));
}

#[test]
fn the_plan_counts_devices_and_says_what_is_checked() {
    let rateless = plan("lenet5-rateless");
    let fc1 = rateless.stage("fc1").expect("it is coded").0;
    let table = PlanView::of(&rateless).to_text();
    let note = "fc1: each device sends 12 blocks of 2 rows, each as it is done. Lt(8, 5) in 12 needs at \
                least 60 of the 96, whoever sends them; each is held against a witness of its own";
    assert!(table.contains(note), "{table}");
    assert!(rateless.stages[fc1].tolerates <= 3, "of eight boards, not of 96 blocks");
    assert!(rateless.stages.iter().all(|stage| stage.verify == Verify::Always));
    for (word, verify, checked) in [
        ("Surplus", Verify::Always, "a witness of its own"),
        ("Off", Verify::Off, "lies are not looked for"),
    ] {
        let plan =
            changed(&[("retries: 2", &format!("retries: 2, verify: {word}"))]).expect("sound");
        assert_eq!(plan.stages[fc1].verify, verify, "no number of blocks is a surplus");
        assert!(PlanView::of(&plan).to_text().contains(checked), "{word}");
    }
}

#[test]
fn what_no_rateless_code_can_be_is_told_with_its_place() {
    for (bad, column) in [
        ("blocks: 0", 43),
        ("blocks: 99", 43),
        ("blocks: 18446744073709551615", 43),
        ("k: 8, form: Mixed", 41),
        ("k: 9", 20),
    ] {
        let code = if bad.starts_with('k') { bad.to_owned() } else { format!("k: 5, {bad}") };
        let told = changed(&[("Lt(n: 8, k: 5)", &format!("Lt(n: 8, {code})"))]).expect_err(bad);
        let place = format!("lenet5-rateless.ron:18:{column}:");
        assert!(told.contains(&place) && told.contains("choose"), "{told}");
    }
}

/// Dense layers as sums alone, all of which are waited for.
fn sums_alone(worst_condition: f64) -> Result<Arc<Plan>, String> {
    let policy = format!("worst_condition: {worst_condition:e}, wait: Everyone");
    let sums = "Lt(n: 7, k: 5, blocks: 15, form: Mixed)";
    changed(&[("Lt(n: 8, k: 5)", sums), ("worst_condition: 2e3", &policy)])
}

#[test]
fn where_peeling_amplifies_too_much_all_sums_are_read_at_once() {
    let all: Arrived = (0..7 * 12).collect();
    let peeled = Lt::new(7, 5, 12, Form::Mixed).decoder(&all).expect("nothing is lost");
    assert!(peeled.condition > 2e3, "fc1 could not be decoded: {}", peeled.condition);

    let plan = sums_alone(2e3).expect("sound");
    let fc1 = &plan.stages[plan.stage("fc1").expect("it is coded").0];
    let at_once = fc1.code.decoder(&all).expect("nothing is lost");
    assert!(at_once.condition < 200.0, "{}", at_once.condition);
    let trace = run(&plan, 4, "");
    assert_eq!(ends(&trace), (4, 0));
    assert!(answers(&trace).iter().all(|(_, error, ..)| *error < 1e-3));
}

#[test]
fn sums_that_are_never_decoded_are_refused_with_their_place() {
    let told = sums_alone(2.0).map(|_| ()).expect_err("sums amplify something");
    for words in ["of \"fc1\", Lt(7, 5, mixed) in 12", "of \"fc2\", Lt(7, 5, mixed) in 9"] {
        assert!(told.contains(words), "{told}");
    }
    assert_eq!(told.matches("even when every share arrives").count(), 2, "{told}");
    assert_eq!(told.matches("lenet5-rateless.ron:18:20").count(), 2, "{told}");
    assert!(told.contains("form: Systematic"), "{told}");
}
