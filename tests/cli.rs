//! The program as people and scripts meet it: help, tables, JSON, exit codes, and the README.

mod support;

use std::process::{Command, Output};

use serde_json::Value;
use support::root;

fn kofn(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kofn"))
        .current_dir(root())
        .env("NO_COLOR", "1")
        .env_remove("GITHUB_ACTIONS")
        .args(args)
        .output()
        .expect("the program starts")
}

fn stdout(args: &[&str]) -> String {
    String::from_utf8(kofn(args).stdout).expect("utf-8")
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&stdout(args)).expect("JSON")
}

/// Rounding errors depend on the processor's instructions; everything else does not.
fn without_errors(text: &str) -> String {
    let word = |word: &str| if is_error(word) { "#e-#".to_owned() } else { word.to_owned() };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(|text| line(text.trim_end())).collect::<Vec<_>>().join("\n")
}

fn is_error(word: &str) -> bool {
    word.trim_end_matches([',', ';']).split_once("e-").is_some_and(|(mantissa, exponent)| {
        mantissa.parse::<f64>().is_ok() && exponent.parse::<u32>().is_ok()
    })
}

#[test]
fn help_says_what_there_is() {
    let help = ["", "run", "check", "plan", "replay"].map(|command| {
        let args: Vec<&str> = [command, "--help"].into_iter().filter(|a| !a.is_empty()).collect();
        stdout(&args)
    });
    insta::assert_snapshot!(help.join("\n────────\n"));
}

#[test]
fn a_plan_says_who_holds_what_and_what_stays_local() {
    insta::assert_snapshot!(stdout(&["plan", "topologies/lenet5.ron"]));
    insta::assert_snapshot!("function_stages", stdout(&["plan", "topologies/alexnet-6-coded.ron"]));
}

#[test]
fn a_report_shows_the_fault_its_price_and_the_verdict() {
    let args = ["run", "topologies/lenet5.ron", "--faults", "fault-plans/one-dies.ron"];
    let output = kofn(&args);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "no progress bar where nobody looks");
    insta::assert_snapshot!(without_errors(&stdout(&args)));
}

#[test]
fn the_json_report_has_the_documented_keys() {
    let args = ["--faults", "fault-plans/one-dies.ron", "--requests", "60", "--format", "json"];
    let report = json(&[&["run", "topologies/lenet5.ron"][..], &args].concat());
    let keys = |value: &Value| -> Vec<String> {
        value.as_object().expect("an object").keys().cloned().collect()
    };
    assert_eq!(
        keys(&report),
        [
            "seed",
            "requests",
            "accuracy",
            "top1_agreement",
            "max_abs_err",
            "latency_ms",
            "stages",
            "devices",
            "faults",
            "verdict"
        ]
    );
    assert_eq!(
        keys(&report["requests"]),
        ["sent", "answered", "approximate", "estimates", "failed", "late", "reasons"]
    );
    assert_eq!(keys(&report["latency_ms"]), ["mean", "p50", "p90", "p99", "p999"]);
    assert_eq!(report["requests"]["answered"], 60);
    assert_eq!(report["verdict"]["status"], "pass");
    assert_eq!(report["faults"][0]["devices"][0], "pi-3");
    assert!(report["faults"][0]["cost_ms"].is_number(), "measured against the twin");
}

#[test]
fn a_folder_of_fault_plans_is_checked_in_order() {
    let output = kofn(&["check", "fault-plans"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    let said = String::from_utf8(output.stdout).expect("utf-8");
    let plans: Vec<&str> = said.lines().filter(|line| line.contains(" · seed ")).collect();
    assert!(plans.len() >= 4 && plans.is_sorted(), "{plans:?}");
}

/// Writes a fault plan for LeNet-5 and checks it.
fn check(faults: &str, expect: &str) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("plan.ron");
    let topology = support::topology("lenet5");
    let text = format!(
        "FaultPlan(topology: {topology:?}, requests: 20, faults: [{faults}], expect: [{expect}])"
    );
    std::fs::write(&path, text).expect("written");
    kofn(&["check", path.to_str().expect("utf-8")])
}

#[test]
fn each_expectation_can_fail_and_says_what_was_seen() {
    let two_die =
        r#"(at: At("10ms"), who: "pi-1", what: Crash), (at: At("10ms"), who: "pi-2", what: Crash)"#;
    let crawl = r#"(at: At("0ms"), who: "pi", what: Slow(by: 100.0))"#;
    let cases = [
        (two_die, "NoRequestLost", "no request lost: 1 of 20 answered"),
        (two_die, r#"FailsWith("out of tea")"#, "19 failed, 0 of them so"),
        (two_die, "Top1Equal", "no request lost: 1 of 20 answered"),
        ("", r#"FailsWith("")"#, "0 failed, 0 of them so"),
        ("", "MaxAbsError(1e-12)", "error at most 1.0e-12"),
        ("", r#"LatencyP99(AtMost("1ms"))"#, "p99 at most 1 ms"),
        (crawl, "LatencyP99(AtMostTimesTwin(1.1))", "p99 at most 1.1 × the twin's"),
    ];
    for (faults, expect, said) in cases {
        let output = check(faults, expect);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{expect}: {text}");
        let failed = text.lines().any(|line| line.contains('✗') && line.contains(said));
        assert!(failed, "{expect}: {text}");
        let last = text.lines().last().expect("it says something");
        assert!(last.starts_with("to see this again: kofn check") && last.ends_with("--seed 1"));
    }
}

#[test]
fn a_fault_that_never_strikes_is_inconclusive_not_a_pass() {
    let output = check(r#"(at: At("1h"), who: "pi-1", what: Crash)"#, "NoRequestLost");
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("INCONCLUSIVE") && text.contains("? Crash on pi-1 never struck"),
        "{text}"
    );
}

#[test]
fn a_run_that_loses_requests_without_leave_exits_with_1_and_repeats_its_seed_last() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("all-die.ron");
    let text = r#"FaultPlan(topology: "-", faults: [(at: At("20ms"), who: "pi", what: Crash)])"#;
    std::fs::write(&path, text).expect("written");
    let faults = path.to_str().expect("utf-8");
    let args =
        ["run", "topologies/lenet5.ron", "--faults", faults, "--requests", "5", "--seed", "9"];
    let output = kofn(&args);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).expect("utf-8");
    let last = said.lines().last().expect("it says something");
    assert!(last.starts_with("to see this again: kofn run topologies/lenet5.ron"), "{last}");
    assert!(last.ends_with("--requests 5 --seed 9"), "{last}");
}

/// `$ kofn …` in a console block of the README, and what stands below it.
fn readme_examples() -> Vec<(Vec<String>, String)> {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("a README");
    let blocks = readme.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    let examples = blocks.filter_map(|block| block.strip_prefix("$ kofn ")?.split_once('\n'));
    examples
        .map(|(command, below)| {
            let args = words(command);
            (args, below.trim_end().to_owned())
        })
        .collect()
}

/// As a shell would split them: what is quoted stays together.
fn words(command: &str) -> Vec<String> {
    let parts = command.split('"').enumerate();
    let split = |(at, part): (usize, &str)| -> Vec<String> {
        match at % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        }
    };
    parts.flat_map(split).collect()
}

#[test]
fn the_readme_shows_what_happens() {
    let examples = readme_examples();
    assert!(examples.len() >= 3, "the README shows too little");
    for (args, shown) in examples {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let said = stdout(&args);
        assert_eq!(
            without_errors(said.trim_end()),
            without_errors(&shown),
            "kofn {}",
            args.join(" ")
        );
    }
}

/// A file that a command wrote into a folder of its own.
fn written(name: &str, args: &[&str]) -> (Output, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    let output = kofn(&[args, &[path.to_str().expect("utf-8")]].concat());
    let text = std::fs::read_to_string(&path).expect("it was written");
    let files = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(files, 1, "nothing half-written is left");
    (output, text)
}

/// A fault plan that fails its second expectation, on line 4.
fn failing_plan(folder: &std::path::Path, more: &str) -> String {
    let path = folder.join("two-die.ron");
    let topology = support::topology("lenet5");
    let text = format!(
        "FaultPlan(topology: {topology:?}, requests: 20, {more}\n\
         faults: [(at: At(\"10ms\"), who: \"pi-1\", what: Crash),\n\
         (at: At(\"10ms\"), who: \"pi-2\", what: Crash)],\n\
         expect: [Top1Equal,\nNoRequestLost])"
    );
    std::fs::write(&path, text).expect("written");
    path.to_str().expect("utf-8").to_owned()
}

#[test]
fn two_checks_of_the_same_plans_give_the_same_bytes() {
    let args = ["check", "fault-plans", "--format", "json"];
    let (first, second) = (kofn(&args).stdout, kofn(&args).stdout);
    assert!(first.len() > 1000, "it says something");
    assert!(first == second, "the reports differ");
}

#[test]
fn junit_has_a_suite_a_plan_a_case_an_expectation_and_the_failure_in_full() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plan = failing_plan(folder.path(), "");
    let args = ["check", "fault-plans/calm.ron", &plan, "--junit"];
    let (output, xml) = written("kofn.xml", &args);
    assert_eq!(output.status.code(), Some(1));
    assert!(xml.contains(r#"tests="6" skipped="0" failures="1" errors="0""#), "{xml}");
    assert!(xml.contains(r#"<testsuite name="fault-plans/calm.ron" tests="4""#), "{xml}");
    assert!(xml.contains(r#"<property name="seed" value="1"/>"#), "{xml}");
    assert!(xml.contains(r#"<testcase name="no request lost" classname=""#), "{xml}");
    assert!(xml.contains(r#"<failure message="no request lost: 1 of 20 answered; first"#), "{xml}");
    assert!(xml.contains("two-die.ron:5\n"), "the failure names its line: {xml}");
    assert!(xml.contains("to see this again: kofn check"), "{xml}");
}

#[test]
fn github_is_shown_the_line_of_the_broken_expectation() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plan = failing_plan(folder.path(), "");
    let check = |on: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kofn"));
        let output = command.env("GITHUB_ACTIONS", on).args(["check", &plan]).output();
        String::from_utf8(output.expect("the program starts").stdout).expect("utf-8")
    };
    let said = check("true");
    let annotation = said.lines().find(|line| line.starts_with("::error ")).expect("annotated");
    let expected =
        format!("::error file={plan},line=5,title=no request lost::no request lost: 1 of");
    assert!(annotation.starts_with(&expected), "{annotation}");
    assert!(annotation.contains("%0Ato see this again: kofn check "), "{annotation}");
    assert!(!check("false").contains("::error"), "only GitHub understands them");
}

#[test]
fn markdown_shows_every_plan_in_a_row_and_the_failing_ones_in_full() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plan = failing_plan(folder.path(), "");
    let said = stdout(&["check", "fault-plans/calm.ron", &plan, "--format", "md"]);
    assert!(said.starts_with("## 2 plans: 1 PASS, 1 FAIL\n"), "{said}");
    assert!(
        said.contains("| ✅ | `fault-plans/calm.ron` | seed 1 | 4 of 4 | 1000 of 1000 |"),
        "{said}"
    );
    assert!(said.contains("| ❌ | no request lost | 1 of 20 answered | first request #"), "{said}");
    let run = stdout(&["run", "topologies/lenet5.ron", "--requests", "5", "--format", "md"]);
    assert!(run.starts_with("## lenet5 · lenet5-fashion · no faults · seed 1: PASS\n"), "{run}");
}

#[test]
fn the_worst_of_several_seeds_is_reported_and_repeated_last() {
    // A link that loses three messages in ten: whether a request is lost is a matter of luck.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("luck.ron");
    let topology = support::topology("lenet5");
    let text = format!(
        "FaultPlan(topology: {topology:?}, requests: 5, faults: [\
         (at: At(\"0s\"), who: \"pi\", what: Drop(probability: 0.15))], expect: [NoRequestLost])"
    );
    std::fs::write(&path, text).expect("written");
    let plan = path.to_str().expect("utf-8");
    let checked = &json(&["check", plan, "--runs", "12", "--seed", "3", "--format", "json"])[0];
    let seeds: Vec<u64> = (3..15).collect();
    let alone: Vec<(u64, bool, f64)> = seeds
        .iter()
        .map(|seed| {
            let report =
                &json(&["check", plan, "--seed", &seed.to_string(), "--format", "json"])[0];
            let report = &report["report"];
            let failed = report["verdict"]["status"] == "fail";
            (*seed, failed, report["latency_ms"]["p99"].as_f64().expect("a number"))
        })
        .collect();
    let failed: Vec<u64> = alone.iter().filter(|run| run.1).map(|run| run.0).collect();
    assert_eq!(checked["runs"], 12);
    assert_eq!(checked["failed_seeds"], serde_json::json!(failed));
    let worst = alone.iter().max_by(|a, b| (a.1, a.2).partial_cmp(&(b.1, b.2)).expect("numbers"));
    let worst = worst.expect("twelve runs").0;
    assert_eq!(checked["report"]["seed"], worst);
    let said = stdout(&["check", plan, "--runs", "12", "--seed", "3"]);
    assert!(said.contains(&format!("seed {worst}, the worst of 12")), "{said}");
    if !failed.is_empty() {
        assert!(said.trim_end().ends_with(&format!("{plan} --seed {worst}")), "{said}");
    }
}

#[test]
fn a_plan_that_aborts_stops_at_the_first_request_lost_and_says_where() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plan = failing_plan(folder.path(), "abort_on_fail: true,");
    let output = kofn(&["check", &plan]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).expect("utf-8");
    assert!(said.contains("FAIL, aborted at 1"), "{said}");
    assert!(said.contains("✗ no request lost: 1 of 2 answered; first request #1 in fc3"), "{said}");
    let checks = said.lines().filter(|line| line.contains('✗') || line.contains('✓')).count();
    assert_eq!(checks, 1, "what was not at an end is not judged: {said}");
}

#[test]
fn a_trace_is_read_again_event_by_event() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let trace = folder.path().join("trace.jsonl");
    let trace = trace.to_str().expect("utf-8");
    let faults = "fault-plans/one-dies.ron";
    let args = ["run", "topologies/lenet5.ron", "--faults", faults, "--requests", "50"];
    kofn(&[&args[..], &["--trace", trace]].concat());
    let all = stdout(&["replay", trace]);
    let events = std::fs::read_to_string(trace).expect("written").lines().count() - 1;
    assert_eq!(all.lines().filter(|line| line.contains(" ms  ")).count(), events);
    let one = stdout(&["replay", trace, "--request", "40", "--from", "220ms"]);
    insta::assert_snapshot!(without_errors(&one));
}

#[test]
fn a_broken_trace_is_refused_with_its_file_and_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("trace.jsonl");
    let file = path.to_str().expect("utf-8");
    let args = ["run", "topologies/lenet5.ron", "--requests", "1", "--trace", file];
    kofn(&args);
    let good = std::fs::read_to_string(&path).expect("written");
    let header = good.lines().next().expect("a header");
    let stranger = r#"{"at_ns":1,"event":"Died","device":9,"why":"?"}"#;
    let cases = [
        (String::new(), ":1: a trace begins with a header"),
        ("{}\n".to_owned(), ":1: missing field `kofn`"),
        (format!("{header}\n{{\"at_ns\":1,"), ":2: EOF while parsing"),
        (format!("{header}\n{{\"at_ns\":1,\"event\":\"Tea\"}}"), ":2: unknown variant `Tea`"),
        (format!("{header}\n{stranger}"), ":2: the header names 5 devices, not 9"),
    ];
    for (text, said) in cases {
        std::fs::write(&path, text).expect("written");
        let output = kofn(&["replay", file]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{error}");
        assert!(error.contains(&format!("{file}{said}")), "{error}");
    }
    assert_eq!(kofn(&["replay", "no-such-file"]).status.code(), Some(64));
}

/// Chrome's format knows slices inside or beside each other; a transformer's branches are neither.
#[test]
fn in_a_trace_for_perfetto_no_slice_sticks_out_of_another() {
    let (_, text) = written(
        "out.perfetto.json",
        &["run", "topologies/tinyvit.ron", "--requests", "3", "--trace"],
    );
    let whole: Value = serde_json::from_str(&text).expect("JSON");
    let events = whole["traceEvents"].as_array().expect("a list");
    let mut tracks: std::collections::BTreeMap<u64, Vec<(f64, f64)>> = Default::default();
    for slice in events.iter().filter(|event| event["ph"] == "X") {
        let number = |key: &str| slice[key].as_f64().expect("a number");
        let track = tracks.entry(number("tid") as u64).or_default();
        track.push((number("ts"), number("ts") + number("dur")));
    }
    assert!(tracks.range(..1000).count() > 1, "branches have tracks of their own");
    assert!(events.iter().any(|event| event["name"] == "local"), "attention is");
    for (track, mut slices) in tracks {
        slices.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
        let mut around: Vec<f64> = Vec::new();
        for (began, end) in slices {
            // Microseconds, of nanoseconds: what is less than one apart is the same.
            around.retain(|until| *until > began + 1e-4);
            let inside = around.last().is_none_or(|until| end <= until + 1e-4);
            assert!(inside, "track {track}: {began}..{end} in ..{around:?}");
            around.push(end);
        }
    }
}

#[test]
fn a_trace_for_perfetto_has_a_track_a_device_and_every_fault() {
    let faults = "fault-plans/lossy-wifi.ron";
    let args = ["run", "topologies/lenet5.ron", "--faults", faults, "--trace"];
    let (_, text) = written("out.perfetto.json", &args);
    let whole: Value = serde_json::from_str(&text).expect("JSON");
    let events = whole["traceEvents"].as_array().expect("a list");
    let of = |phase: &str| -> Vec<&Value> { events.iter().filter(|e| e["ph"] == phase).collect() };
    let named = of("M").into_iter().filter(|event| event["name"] == "thread_name");
    let tracks: Vec<&str> = named.filter_map(|event| event["args"]["name"].as_str()).collect();
    assert_eq!(tracks, ["supervisor", "pi-1", "pi-2", "pi-3", "pi-4", "pi-5"]);

    let mut devices: std::collections::BTreeMap<u64, Vec<(f64, f64)>> = Default::default();
    for slice in of("X") {
        let number = |key: &str| slice[key].as_f64().expect("a number");
        assert!(number("dur") > 0.0, "{slice}");
        if slice["tid"].as_u64() >= Some(1000) {
            let track = devices.entry(slice["tid"].as_u64().expect("a track")).or_default();
            track.push((number("ts"), number("ts") + number("dur")));
        }
    }
    assert_eq!(devices.len(), 5, "every device works");
    for (track, slices) in &mut devices {
        slices.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(slices.len() > 500, "track {track} has {} slices", slices.len());
        for pair in slices.windows(2) {
            assert!(pair[0].1 <= pair[1].0 + 1e-6, "track {track}: one job at a time, {pair:?}");
        }
    }
    let names = |word: &str| {
        of("i")
            .iter()
            .filter(|event| event["name"].as_str().is_some_and(|n| n.contains(word)))
            .count()
    };
    assert_eq!((names("Drop"), names("Restart"), names(" ends"), names("died")), (2, 1, 2, 1));
    for inside in ["conv1", "decode", "#0"] {
        assert!(of("X").iter().any(|slice| slice["name"] == inside), "{inside}");
    }
}

#[test]
fn the_readme_tells_every_kind_of_fault() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("a README");
    for kind in kofn::fault::FaultKind::NAMES {
        let row = |line: &&str| {
            line.starts_with(&format!("| `{kind}`")) || line.starts_with(&format!("| `{kind}("))
        };
        assert!(readme.lines().find(row).is_some(), "{kind} is not in the table");
    }
}

#[test]
fn a_failing_plan_is_shrunk_to_the_faults_that_matter() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("failing.ron");
    let topology = support::topology("lenet5");
    let text = format!(
        "// Two of these matter.
FaultPlan(
    topology: {topology:?},
    requests: 20,
    faults: [
        (at: At(\"5ms\"), who: \"pi-1\", what: Slow(by: 2.0)),
        (at: At(\"10ms\"), who: \"pi-2\", what: Crash),
        (at: At(\"12ms\"), who: \"pi-3\", what: Delay(Constant(\"1ms\"))),
        (at: At(\"15ms\"), who: \"pi-4\", what: Crash),
    ],
    expect: [Top1Equal, NoRequestLost],
)"
    );
    std::fs::write(&path, text).expect("written");
    let output = kofn(&["shrink", path.to_str().expect("utf-8")]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let small = String::from_utf8(output.stdout).expect("utf-8");
    assert_eq!(small.matches("what:").count(), 2, "{small}");
    assert!(small.contains("It breaks: no request lost") && !small.contains("Slow"), "{small}");
    assert!(
        small.contains("pi-2") && small.contains("pi-4"),
        "one dead board is bearable: {small}"
    );
}

fn swarm(folder: &std::path::Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kofn"));
    command.current_dir(folder).arg("check").args(args).output().expect("it ran")
}

#[test]
fn a_sound_topology_withstands_the_swarm_and_the_same_seeds_give_the_same_bytes() {
    let topology = support::topology("lenet5");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let args = [
        "--swarm",
        "6",
        "--swarm-from",
        "3",
        "--format",
        "json",
        topology.to_str().expect("utf-8"),
    ];
    let output = swarm(folder.path(), &args);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    let checked: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&checked["schedules"], &checked["from"]), (&6.into(), &3.into()));
    assert!(checked["struck"].as_object().expect("a table").len() >= 3, "{checked}");
    assert_eq!(checked["failure"], Value::Null);
    assert_eq!(swarm(folder.path(), &args).stdout, output.stdout);
    let left = std::fs::read_dir(folder.path()).expect("readable").count();
    assert_eq!(left, 0, "nothing is written where nothing failed");
}

/// A deadline that the fourth of five replies keeps, and the slowest of four does not always; and nobody is
/// asked twice. What `kofn plan` promises is not kept.
#[test]
fn what_breaks_a_law_becomes_the_smallest_plan_that_fails_when_it_is_checked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = std::fs::read_to_string(support::topology("lenet5")).expect("shipped");
    let models = root().join("topologies/models");
    let text = text.replace("models/", &format!("{}/", models.display())).replace(
        "(deadline: \"50ms\", retries: 2,",
        "(deadline: \"2.6ms\", retries: 0, learn: None,",
    );
    std::fs::write(folder.path().join("hasty.ron"), text).expect("written");
    let output = swarm(folder.path(), &["--swarm", "12", "hasty.ron"]);
    let said = String::from_utf8(output.stdout).expect("utf-8");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("✗ within the margin no request is lost"), "{said}");
    let again = said.lines().last().and_then(|line| line.split_once("kofn check "));
    let plan = again.expect("the last line is the command that repeats it").1;
    let written = std::fs::read_to_string(folder.path().join(plan)).expect("the plan told of");
    assert_eq!(written.matches("what:").count(), 1, "one fault is enough: {written}");
    let repeated = swarm(folder.path(), &[plan]);
    assert_eq!(repeated.status.code(), Some(1), "{}", String::from_utf8_lossy(&repeated.stdout));
    let names: Vec<_> = std::fs::read_dir(folder.path()).expect("readable").collect();
    assert_eq!(names.len(), 2, "the topology and the plan: {names:?}");
}

#[test]
fn a_swarm_takes_one_topology_and_no_other_seeds() {
    for (args, said) in [
        (&["check", "--swarm", "3", "topologies/lenet5.ron", "topologies/vgglite.ron"][..], "one"),
        (&["check", "--swarm", "0", "topologies/lenet5.ron"], "0 is not in 1.."),
        (&["check", "--swarm", "3", "--runs", "2", "topologies/lenet5.ron"], "cannot be used"),
        (&["check", "--swarm-from", "3", "fault-plans/calm.ron"], "--swarm <N>"),
        (&["check", "--swarm", "3", "fault-plans/calm.ron"], "Topology"),
    ] {
        let output = kofn(args);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{args:?}: {error}");
        assert!(error.contains(said), "{args:?}: {error}");
    }
}

#[test]
fn a_topology_whose_exiles_outlast_any_run_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = std::fs::read_to_string(support::topology("lenet5")).expect("shipped");
    let models = root().join("topologies/models");
    let text = text
        .replace("models/", &format!("{}/", models.display()))
        .replace("policy: (", "policy: (health: (exile: \"1h\"), ");
    std::fs::write(folder.path().join("stern.ron"), text).expect("written");
    let output = swarm(folder.path(), &["--swarm", "1", "stern.ron"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{error}");
    assert!(
        error.contains("stern.ron: until") && error.contains("shorten policy.health"),
        "{error}"
    );
}

/// The words of an enum of the fault-plan file, as its reader lists them when it meets none of them.
fn words_of(text: &str) -> Vec<String> {
    let plan = support::plan("lenet5");
    let text = format!("FaultPlan(topology: \"-\", {text})");
    let refused = kofn::plan::FaultPlan::parse(&support::topology("lenet5"), text, &plan);
    let refused = refused.expect_err("there is no such word").to_string();
    let listed = refused.split("one of").nth(1).expect("the words are listed");
    let words = listed.split('`').skip(1).step_by(2);
    words.map(str::to_owned).collect()
}

#[test]
fn the_readme_tells_every_expectation_trigger_and_distribution() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("a README");
    let expectations = words_of("expect: [Unheard(1)]");
    assert!(expectations.len() >= 18, "{expectations:?}");
    for word in &expectations {
        let row = |line: &&str| {
            let first = line.split('|').nth(1).unwrap_or_default();
            first.split('`').skip(1).step_by(2).any(|t| t.split('(').next() == Some(word))
        };
        assert!(readme.lines().find(row).is_some(), "{word} is not in the table");
    }
    let row = |word: &str| {
        let start = format!("| `{word}` |");
        readme.lines().find(|line| line.starts_with(&start)).expect("in the table").to_owned()
    };
    let fault = |at: &str, what: &str| {
        words_of(&format!("faults: [(at: {at}, who: \"pi-1\", what: {what})]"))
    };
    let phase = "AtStage(request: 1, stage: \"fc1\", phase: Unheard)";
    for (words, row) in [
        (fault("Unheard(1)", "Crash"), row("at")),
        (fault(phase, "Crash"), row("at")),
        (fault("OnEvent(Unheard(1))", "Crash"), row("at")),
        (fault("At(\"1ms\")", "Delay(Unheard(1))"), row("Delay")),
        (fault("At(\"1ms\")", "Corrupt(how: Unheard)"), {
            let lies = |line: &&str| line.starts_with("| `Corrupt(");
            readme.lines().find(lies).expect("in the table").to_owned()
        }),
    ] {
        assert!(words.len() >= 3, "{words:?}");
        for word in words {
            let mut told = row.split(|c: char| !c.is_alphanumeric());
            assert!(told.any(|other| other == word), "{word} is not in {row}");
        }
    }
}
