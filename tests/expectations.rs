//! Every expectation can fail, on traces made by hand, and says what was expected, what was seen,
//! where, and since when.

mod support;

use std::path::Path;
use std::sync::{Arc, LazyLock};

use kofn::event::{Event, Proof, Record, Standing, Worth};
use kofn::plan::{FaultPlan, Plan};
use kofn::units::{DeviceId, FaultId, RequestId, Span, StageId, Time};
use kofn::view::verdict::{Check, Evidence, Status, Trial, Verdict};
use support::plan;

static PLAN: LazyLock<Arc<Plan>> = LazyLock::new(|| plan("lenet5"));

/// Of `topologies/lenet5.ron`.
const FC1: StageId = StageId(2);

/// A trace, told event by event in any order. Devices are called by their number: 3 is pi-3.
#[derive(Clone, Default)]
struct Story(Vec<Record>);

fn ms(milliseconds: f64) -> Time {
    Time(Span::from_millis(milliseconds).0)
}

fn pi(number: usize) -> DeviceId {
    DeviceId(number - 1)
}

impl Story {
    fn note(mut self, at: f64, event: Event) -> Self {
        self.0.push(Record { at: ms(at), event });
        self
    }

    fn begins(self, request: usize, at: f64) -> Self {
        let request = RequestId(request);
        let scattered = Event::Scattered { request, stage: FC1, attempt: 0, asked: Vec::new() };
        self.note(at, Event::Accepted { request }).note(at, scattered)
    }

    fn judged(self, request: usize, at: f64, error: f64, top1: usize) -> Self {
        let (request, label) = (RequestId(request), Some(3));
        self.note(
            at,
            Event::Judged { request, error, top1, top1_of_whole: 3, label, best: Vec::new() },
        )
    }

    fn answers(self, request: usize, at: f64, until: f64) -> Self {
        let (id, latency) = (RequestId(request), ms(until) - ms(at));
        let decoded = Event::Decoded {
            request: id,
            stage: FC1,
            used: Vec::new(),
            rebuilt: Vec::new(),
            condition: 1.0,
            took: Span::ZERO,
            worth: Worth::Exact,
        };
        let answered = Event::Answered { request: id, latency, worth: Worth::Exact };
        self.begins(request, at).note(until, decoded).note(until, answered)
    }

    /// Is answered as the whole model answers.
    fn well(self, request: usize, at: f64, until: f64) -> Self {
        self.answers(request, at, until).judged(request, until, 1e-6, 3)
    }

    fn fails(self, request: usize, at: f64, until: f64, reason: &str) -> Self {
        let (id, latency) = (RequestId(request), ms(until) - ms(at));
        let failed = Event::Failed { request: id, reason: reason.to_owned(), latency };
        self.begins(request, at).note(until, failed)
    }

    fn crash(self, device: usize, at: f64) -> Self {
        let (fault, device, what) = (FaultId(0), pi(device), "Crash".to_owned());
        self.note(at, Event::FaultBegan { fault, device, what })
            .note(at, Event::Died { device, why: "crash".to_owned() })
    }

    fn returns(self, device: usize, at: f64) -> Self {
        let device = pi(device);
        self.note(at, Event::FaultEnded { fault: FaultId(0), device })
            .note(at, Event::Deployed { device, shares: 5, size: kofn::units::Bytes(1) })
    }

    fn thought(self, device: usize, at: f64, to: Standing) -> Self {
        let (device, why) = (pi(device), "silent".to_owned());
        self.note(at, Event::Judgement { device, from: Standing::Healthy, to, why })
    }

    fn caught(self, device: usize, at: f64) -> Self {
        let (device, request, how) = (pi(device), RequestId(0), Proof::Projection);
        self.note(at, Event::Caught { device, request, stage: FC1, share: 0, how })
    }

    fn margin(self, at: f64, left: i64) -> Self {
        self.note(at, Event::MarginChanged { stage: FC1, left })
    }

    fn told(mut self) -> Vec<Record> {
        self.0.sort_by_key(|record| record.at);
        self.0
    }
}

/// Ten requests, one after the other, 5 ms each.
fn calm() -> Story {
    (0..10).fold(Story::default(), |story, request| {
        let at = 5.0 * request as f64;
        story.well(request, at, at + 5.0)
    })
}

fn read(expect: &str) -> Result<FaultPlan, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("plan.ron");
    let text = format!("FaultPlan(\n  topology: \"-\",\n  expect: [\n    {expect},\n  ],\n)");
    std::fs::write(&path, text).expect("written");
    let hide = |text: String| text.replace(&path.display().to_string(), "plan.ron");
    FaultPlan::read(Path::new(&path), &PLAN).map_err(|problems| hide(problems.to_string()))
}

/// What a story with every planned fault struck comes to; its twin is calm.
fn verdict(expect: &str, story: Story) -> Verdict {
    let plan = read(expect).unwrap_or_else(|problems| panic!("{problems}"));
    let (trace, twin) = (story.told(), calm().told());
    Verdict::of(&Trial {
        run: &Evidence::of(&PLAN, &trace),
        twin: Some(&Evidence::of(&PLAN, &twin)),
        expectations: &plan.expect,
        some_fault_never_struck: false,
        stopped: false,
    })
}

/// The check of the expectation itself, which stands on line 4, not of the one that is implied.
fn check(expect: &str, story: Story) -> Check {
    let mut checks = verdict(expect, story).checks.into_iter();
    checks.rfind(|check| check.line == 4).expect("it was judged")
}

#[track_caller]
fn breaks(expect: &str, story: Story, said: &str) {
    let check = check(expect, story);
    assert!(!check.holds, "{expect} should not hold: {check}");
    assert_eq!(check.to_string(), said, "{expect}");
}

#[track_caller]
fn holds(expect: &str, story: Story) {
    let check = check(expect, story);
    assert!(check.holds, "{expect} should hold: {check}");
}

const SILENT: &str = "stage fc1 is unrecoverable: nothing from pi-2 (share 1)";

#[test]
fn no_request_lost_breaks_with_the_first_that_is() {
    holds("NoRequestLost", calm());
    breaks(
        "NoRequestLost",
        calm().fails(10, 50.0, 200.0, SILENT).fails(11, 60.0, 210.0, SILENT),
        "no request lost: 10 of 12 answered; first request #10 in fc1 \
         (stage fc1 is unrecoverable: nothing from pi-2 (share 1)), since 200.000 ms",
    );
}

#[test]
fn answered_breaks_below_its_share() {
    let story = calm().fails(10, 50.0, 200.0, SILENT);
    holds("Answered(0.9)", story.clone());
    breaks(
        "Answered(0.95)",
        story,
        "at least 95.0 % answered: 90.91 % (10 of 11); first request #10 in fc1 \
         (stage fc1 is unrecoverable: nothing from pi-2 (share 1)), since 200.000 ms",
    );
}

#[test]
fn fails_with_breaks_if_none_fails_or_for_another_reason() {
    let story = calm().fails(10, 50.0, 200.0, SILENT);
    holds(r#"FailsWith("unrecoverable")"#, story.clone());
    let nobody = "some requests fail, each with \"tea\": 0 failed, 0 of them so; \
                  every request, since 0.000 ms";
    breaks(r#"FailsWith("tea")"#, calm(), nobody);
    breaks(
        r#"FailsWith("tea")"#,
        story,
        "some requests fail, each with \"tea\": 1 failed, 0 of them so; first request #10 in fc1 \
         (stage fc1 is unrecoverable: nothing from pi-2 (share 1)), since 200.000 ms",
    );
}

#[test]
fn max_abs_error_breaks_with_the_first_answer_that_is_too_far() {
    let story = calm().answers(10, 50.0, 55.0).judged(10, 55.0, 0.5, 3);
    holds("MaxAbsError(0.5)", story.clone());
    breaks(
        "MaxAbsError(1e-4)",
        story,
        "error at most 1.0e-4: 5.0e-1; first request #10 (off by 5.0e-1; \
         class 3, the whole model's 3, label 3), since 55.000 ms",
    );
}

#[test]
fn top1_equal_breaks_with_the_first_other_class() {
    holds("Top1Equal", calm());
    breaks(
        "Top1Equal",
        calm().answers(10, 50.0, 55.0).judged(10, 55.0, 0.5, 7),
        "every answer names the whole model's class: 90.91 %; first request #10 \
         (off by 5.0e-1; class 7, the whole model's 3, label 3), since 55.000 ms",
    );
}

#[test]
fn accuracy_breaks_below_its_share_of_right_answers() {
    let story = calm().answers(10, 50.0, 55.0).judged(10, 55.0, 0.5, 7);
    holds("Accuracy(0.9)", story.clone());
    breaks(
        "Accuracy(0.95)",
        story,
        "at least 95.0 % right: 90.91 %; first request #10 (off by 5.0e-1; class 7, \
         the whole model's 3, label 3), since 55.000 ms",
    );
}

#[test]
fn each_percentile_of_latency_breaks_beyond_its_bound() {
    let story = calm().well(10, 50.0, 90.0);
    for (word, name) in [("P90", "p90"), ("P99", "p99"), ("P999", "p99.9")] {
        let expect = format!(r#"Latency{word}(AtMost("20ms"))"#);
        if word == "P90" {
            holds(&expect, story.clone());
            continue;
        }
        let said = format!(
            "{name} at most 20 ms: 40.01 ms; slowest request #10 (40.00 ms, 40.00 of them in fc1), \
             since 90.000 ms"
        );
        breaks(&expect, story.clone(), &said);
    }
    breaks(
        "LatencyP50(AtMostTimesTwin(0.5))",
        story.clone(),
        "p50 at most 0.5 × the twin's 5.00 ms: 5.00 ms; slowest request #10 \
         (40.00 ms, 40.00 of them in fc1), since 5.000 ms",
    );
    holds("LatencyP90(AtMostTimesTwin(1.5))", story);
}

#[test]
fn recovery_breaks_if_a_hit_request_takes_longer_or_is_lost() {
    let slow = |until| {
        let first = (0..9).fold(Story::default(), |story, request| {
            let at = 5.0 * request as f64;
            story.well(request, at, at + 5.0)
        });
        first.crash(3, 46.0).well(9, 45.0, until)
    };
    holds(r#"Recovery(AtMost("5ms"))"#, slow(54.0));
    breaks(
        r#"Recovery(AtMost("5ms"))"#,
        slow(62.0),
        "hit requests take at most 5 ms longer than in the twin: +12.00 ms for request #9; \
         request #9, hit by Crash on pi-3, since 46.000 ms",
    );
    breaks(
        r#"Recovery(AtMost("5ms"))"#,
        Story::default().crash(3, 1.0).fails(0, 0.0, 50.0, SILENT),
        "hit requests take at most 5 ms longer than in the twin: not answered; \
         request #0, hit by Crash on pi-3, since 1.000 ms",
    );
}

#[test]
fn answers_again_breaks_if_the_first_answer_after_a_fault_is_late_or_never_comes() {
    holds(r#"AnswersAgain(AtMost("5ms"))"#, calm().crash(3, 12.0));
    breaks(
        r#"AnswersAgain(AtMost("5ms"))"#,
        calm().crash(3, 51.0).well(10, 50.0, 80.0),
        "answers again at most 5 ms after each fault: after 29 ms; \
         silence after Crash on pi-3, since 51.000 ms",
    );
    breaks(
        r#"AnswersAgain(AtMost("5ms"))"#,
        calm().crash(3, 50.0),
        "answers again at most 5 ms after each fault: never; no answer after Crash on pi-3, \
         since 50.000 ms",
    );
}

#[test]
fn detected_breaks_if_nobody_notices_or_notices_late() {
    let expect = r#"Detected(who: "pi-3", within: "20ms")"#;
    let crash = calm().crash(3, 10.0);
    holds(expect, crash.clone().thought(3, 25.0, Standing::Suspect));
    holds(expect, crash.clone().caught(3, 25.0));
    let never = "pi-3 found out within 20 ms: never; Crash on pi-3, since 10.000 ms";
    breaks(expect, crash.clone().thought(3, 12.0, Standing::Slow), never);
    breaks(expect, crash.clone().thought(2, 12.0, Standing::Suspect), never);
    breaks(
        expect,
        crash.thought(3, 45.0, Standing::Excluded),
        "pi-3 found out within 20 ms: after 35 ms; Crash on pi-3, since 10.000 ms",
    );
    breaks(
        expect,
        calm(),
        "pi-3 found out within 20 ms: no fault struck pi-3; whole run, since 0.000 ms",
    );
}

#[test]
fn suspects_breaks_with_one_too_many_or_too_few() {
    let expect = r#"Suspects(["pi-3", "pi-5"])"#;
    let two = calm().crash(3, 10.0).thought(3, 20.0, Standing::Suspect).caught(5, 30.0);
    holds(expect, two.clone());
    breaks(
        expect,
        two.thought(2, 33.0, Standing::Excluded),
        "suspects exactly pi-3, pi-5: pi-2, pi-3, pi-5; pi-2 was suspected (silent), \
         since 33.000 ms",
    );
    breaks(
        expect,
        calm().crash(3, 10.0).caught(5, 30.0),
        "suspects exactly pi-3, pi-5: pi-5; pi-3 was never suspected, since 10.000 ms",
    );
    breaks(
        "Suspects([])",
        calm().caught(5, 30.0),
        "suspects exactly nobody: pi-5; pi-5 was suspected (caught lying in fc1), since 30.000 ms",
    );
}

#[test]
fn suspects_among_breaks_with_one_too_many_only() {
    let expect = r#"SuspectsAmong(["pi-3", "pi-5"])"#;
    holds(expect, calm());
    holds(expect, calm().caught(5, 30.0));
    breaks(
        expect,
        calm().thought(1, 33.0, Standing::Suspect),
        "suspects none but pi-3, pi-5: pi-1; pi-1 was suspected (silent), since 33.000 ms",
    );
}

#[test]
fn margin_breaks_since_it_is_too_low_and_says_how_low_it_was() {
    holds("Margin(1)", calm());
    breaks(
        "Margin(1)",
        calm().margin(10.0, 0).margin(20.0, -1).margin(30.0, 1),
        "every stage can lose at least 1 more: -1; stage fc1, since 10.000 ms",
    );
    breaks(
        "Margin(2)",
        calm(),
        "every stage can lose at least 2 more: 1; stage conv2, since 0.000 ms",
    );
}

#[test]
fn healed_breaks_while_a_device_is_down_empty_or_distrusted() {
    let expect = r#"Healed(within: "10ms")"#;
    let back = calm().crash(3, 10.0).returns(3, 20.0);
    holds(expect, back.clone());
    let sick = back.thought(3, 15.0, Standing::Suspect);
    holds(expect, sick.clone().thought(3, 28.0, Standing::Healthy));
    let within = "all devices whole within 10 ms of the last fault";
    let case = |story, said: &str| breaks(expect, story, &format!("{within}: {said}"));
    case(calm().crash(3, 10.0), "not at the end; pi-3 is down, since 10.000 ms");
    let probation = sick.clone().thought(3, 22.0, Standing::Probation);
    case(probation, "not at the end; pi-3 is probation (silent), since 15.000 ms");
    let late = sick.thought(3, 35.0, Standing::Healthy);
    case(late, "after 15 ms; last fault, since 20.000 ms");
    case(calm(), "no fault struck; whole run, since 0.000 ms");
}

#[test]
fn during_judges_only_what_is_in_the_window() {
    let story = calm().fails(10, 50.0, 200.0, SILENT).well(11, 210.0, 215.0);
    let during = |from: &str, to: &str, expect: &str| {
        format!(r#"During(from: "{from}", to: "{to}", expect: [{expect}])"#)
    };
    holds(&during("100ms", "1s", "NoRequestLost"), story.clone());
    breaks(
        &during("40ms", "100ms", "NoRequestLost"),
        story.clone(),
        "no request lost from 40.000 ms to 100.000 ms: 2 of 3 answered; first request #10 in fc1 \
         (stage fc1 is unrecoverable: nothing from pi-2 (share 1)), since 200.000 ms",
    );
    breaks(
        &during("300ms", "1s", "NoRequestLost"),
        story.clone(),
        "no request lost from 300.000 ms to 1000.000 ms: 0 of 0 answered; \
         no request was accepted, since 300.000 ms",
    );
    holds(&during("10ms", "20ms", "Suspects([])"), story.caught(5, 30.0));
}

#[test]
fn a_window_without_loss_does_not_allow_loss_elsewhere() {
    let story = calm().fails(10, 50.0, 200.0, SILENT);
    let judged = verdict(r#"During(from: "0s", to: "40ms", expect: [NoRequestLost])"#, story);
    assert_eq!(judged.status, Status::Fail, "{:?}", judged.checks);
    assert!(judged.checks[1].holds, "the window itself is clean");
}

#[test]
fn what_is_wrong_with_an_expectation_is_said_with_its_place() {
    let cases = [
        (
            r#"Suspects(["pi-1", "pi-9"])"#,
            "plan.ron:4:23: there is no device or tag \"pi-9\" \
             (name one of pi-1, pi-2, pi-3, pi-4, pi-5)\n",
        ),
        (
            r#"Detected(who: "pi-0", within: "1ms")"#,
            "plan.ron:4:19: there is no device or tag \"pi-0\" \
             (name one of pi-1, pi-2, pi-3, pi-4, pi-5)\n",
        ),
        ("Answered(99.9)", "plan.ron:4:5: 99.9 is not a share (give a number from 0 to 1)\n"),
        (
            "LatencyP50(AtMostTimesTwin(-1.0))",
            "plan.ron:4:5: -1 is no bound (give a number that is not negative)\n",
        ),
        (
            r#"During(from: "2s", to: "1s", expect: [])"#,
            "plan.ron:4:5: nothing is from 2000.000 ms to 1000.000 ms \
             (let it end later than it begins)\n",
        ),
        (
            r#"During(from: "1s", to: "2s", expect: [Accuracy(2.0)])"#,
            "plan.ron:4:43: 2 is not a share (give a number from 0 to 1)\n",
        ),
    ];
    for (expect, said) in cases {
        assert_eq!(read(expect).expect_err("something is wrong"), said, "{expect}");
    }
}
