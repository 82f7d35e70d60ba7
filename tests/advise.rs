//! Advice, held against trying everything: small fleets of unequal devices, links and jitters.

mod support;

use std::collections::BTreeSet;
use std::ops::Range;
use std::process::{Command, Output};
use std::sync::Arc;

use kofn::advise::{Aim, Wish, advise};
use kofn::drive::Setup;
use kofn::drive::side_by_side::{cores, side_by_side};
use kofn::event::Event;
use kofn::maths::chance::Seed;
use kofn::plan::topology::SplitFile;
use kofn::plan::{CodeFile, Draft, Numerics, Part, Plan, Way};
use kofn::units::DeviceId;
use support::{count, dead_from_the_start, root, simulate, topology};

/// A fleet that runs LeNet-5, and what is wished for.
struct Case {
    name: &'static str,
    devices: &'static [Board],
    supervisor: f64,
    /// So many of the heaviest layers are worth a message.
    layers: usize,
    tolerate: usize,
    aim: Aim,
    /// How requests arrive.
    arrivals: &'static str,
}

const NEAR: &str = r#"LogNormal(median: "0.3ms", sigma: 0.5)"#;
const FAR: &str = r#"LogNormal(median: "4ms", sigma: 0.8)"#;
const SHARP: &str = r#"Constant("0.2ms")"#;
const HEAVY: &str = r#"Exponential(mean: "3ms")"#;
const FAST: &str = "94.1Mbit/s";
const THIN: &str = "4Mbit/s";

/// Speed in MFLOP/s, latency, link and jitter.
type Board = (f64, &'static str, &'static str, f64);

const QUICK: Board = (60.0, NEAR, FAST, 0.1);
const WILD: Board = (50.0, HEAVY, FAST, 0.5);
const AWAY: Board = (90.0, FAR, FAST, 0.2);
const FAIR: Board = (14.0, NEAR, FAST, 0.2);
const SLOW: Board = (10.0, NEAR, FAST, 0.1);

/// One that makes its mean small, and is asked by one client.
const fn mean(name: &'static str, devices: &'static [Board], supervisor: f64) -> Case {
    let (aim, arrivals) = (Aim::Mean, "ClosedLoop(clients: 1)");
    Case { name, devices, supervisor, layers: 2, tolerate: 1, aim, arrivals }
}

const CASES: [Case; 10] = [
    Case { layers: 3, ..mean("two equal boards and a slow supervisor", &[QUICK, QUICK], 10.0) },
    Case {
        tolerate: 0,
        ..mean(
            "two boards, one of them slower, nothing to be lost",
            &[SLOW, (7.0, NEAR, FAST, 0.1)],
            6.0,
        )
    },
    mean(
        "three slow boards on thin links",
        &[(8.0, NEAR, THIN, 0.05), (11.0, NEAR, THIN, 0.05), (10.0, NEAR, THIN, 0.1)],
        10.0,
    ),
    Case {
        aim: Aim::P99,
        ..mean(
            "three boards, the fastest behind a thin link",
            &[(20.0, NEAR, THIN, 0.1), SLOW, SLOW],
            8.0,
        )
    },
    Case {
        layers: 3,
        aim: Aim::P99,
        ..mean(
            "three jittery boards, three layers",
            &[(12.0, HEAVY, FAST, 0.4), (12.0, NEAR, FAST, 0.4), (12.0, SHARP, FAST, 0.4)],
            12.0,
        )
    },
    Case {
        tolerate: 2,
        ..mean(
            "three boards far away, a fair supervisor",
            &[AWAY, AWAY, (70.0, FAR, FAST, 0.2)],
            60.0,
        )
    },
    mean(
        "four unlike boards",
        &[
            (15.0, NEAR, FAST, 0.1),
            (7.0, SHARP, FAST, 0.05),
            (15.0, FAR, FAST, 0.1),
            (12.0, NEAR, THIN, 0.3),
        ],
        10.0,
    ),
    Case {
        aim: Aim::P99,
        arrivals: "ClosedLoop(clients: 2)",
        ..mean(
            "four boards with heavy tails, two clients",
            &[WILD, WILD, (30.0, HEAVY, FAST, 0.5), (50.0, NEAR, FAST, 0.5)],
            12.0,
        )
    },
    Case {
        tolerate: 3,
        ..mean(
            "five boards, three of which may be lost",
            &[
                (8.0, NEAR, FAST, 0.1),
                SLOW,
                (9.0, NEAR, FAST, 0.1),
                (6.0, SHARP, FAST, 0.1),
                (12.0, FAR, FAST, 0.1),
            ],
            9.0,
        )
    },
    Case {
        tolerate: 2,
        arrivals: "Poisson(per_second: 8.0)",
        ..mean(
            "five boards, two of which may be lost, under load",
            &[FAIR, FAIR, (9.0, NEAR, FAST, 0.3), (9.0, SHARP, THIN, 0.1), (14.0, FAR, FAST, 0.2)],
            9.0,
        )
    },
];

const LAYERS: [&str; 3] = ["conv1", "conv2", "fc1"];

impl Case {
    /// conv1, conv2 and fc1 of LeNet-5, or the two first.
    fn layers(&self) -> &'static [&'static str] {
        &LAYERS[..self.layers]
    }

    fn draft(&self) -> Draft {
        let device = |(at, (speed, latency, link, jitter)): (usize, &Board)| {
            format!(
                r#"(name: "d{at}", speed: "{speed}MFLOP/s", memory: "1GB", latency: {latency},
                   bandwidth: "{link}", jitter: {jitter:?}),"#
            )
        };
        let devices: String = self.devices.iter().enumerate().map(device).collect();
        // fc1 has 96 kFLOP, conv1 twice as much; fc2 and fc3 are left to the supervisor.
        let below = if self.layers == 3 { 50 } else { 150 };
        let text = format!(
            r#"Topology(
            model: Onnx("models/lenet5-fashion.onnx"),
            supervisor: (speed: "{}MFLOP/s", jitter: 0.1),
            devices: [{devices}],
            coding: (code: Uncoded(k: 1), on: ["d0"]),
            inputs: Random(count: 1),
            arrivals: {},
            requests: 100,
            policy: (deadline: "5s", local_below: "{below}kFLOP"),
        )"#,
            self.supervisor, self.arrivals
        );
        Draft::parse(&topology("small-fleet"), text).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Every choice there is: each layer with the supervisor, or in every code, split either way, on every set
    /// of devices; every run of layers whole on every set.
    fn choices(&self) -> Vec<Vec<Part>> {
        let layers = self.layers();
        let mut ways: Vec<Vec<Vec<Part>>> = vec![vec![Vec::new()]];
        for end in 1..=layers.len() {
            let last = |start: usize| self.parts(start..end);
            let all = (0..end).flat_map(|start| {
                let (before, last) = (ways[start].clone(), last(start));
                before.into_iter().flat_map(move |before| {
                    let with = |part: &Part| [&before[..], std::slice::from_ref(part)].concat();
                    last.iter().map(with).collect::<Vec<_>>()
                })
            });
            let all: Vec<Vec<Part>> = all.collect();
            ways.push(all);
        }
        ways.pop().expect("the last is there")
    }

    /// What can be done with some neighbouring layers as one.
    fn parts(&self, range: Range<usize>) -> Vec<Part> {
        let layers: Vec<String> = LAYERS[range].iter().map(ToString::to_string).collect();
        let mut ways = Vec::new();
        for on in subsets(self.devices.len()).filter(|on| on.len() > self.tolerate) {
            ways.push(Way::Whole { on: on.clone() });
            let n = on.len();
            let code = |k: usize| match (n, k) {
                (n, k) if n == k => CodeFile::Uncoded { k },
                (n, 1) => CodeFile::Replication { n, k: 1 },
                (n, k) => CodeFile::Mds { n, k },
            };
            if layers.len() == 1 {
                let copies = self.tolerate + 1;
                let has_copies = self.tolerate > 0 && n > copies && n.is_multiple_of(copies);
                let pieces = has_copies.then(|| CodeFile::Replication { n, k: n / copies });
                for code in (1..=n - self.tolerate).map(code).chain(pieces) {
                    let of = |split| Way::Coded { code, split, on: on.clone() };
                    ways.push(of(SplitFile::Output));
                    // A single strip is the whole map.
                    let strips = layers[0].starts_with("conv") && code.size().1 > 1;
                    ways.extend(strips.then(|| of(SplitFile::Spatial)));
                }
            }
        }
        if layers.len() == 1 {
            ways.push(Way::Local);
        }
        ways.into_iter().map(|way| Part { layers: layers.clone(), way }).collect()
    }
}

/// All sets of devices but the empty one.
fn subsets(devices: usize) -> impl Iterator<Item = Vec<DeviceId>> {
    (1..1usize << devices).map(move |set| {
        (0..devices).filter(|device| set >> device & 1 == 1).map(DeviceId).collect()
    })
}

/// The latencies of a choice that is run, in milliseconds, ascending; none if some request is lost.
fn run(draft: &Draft, parts: &[Part], requests: usize, seed: u64) -> Vec<f64> {
    let Ok(mut plan) = draft.plan(parts) else { return Vec::new() };
    plan.numerics = Numerics::Skip;
    let setup = Setup::new(Arc::new(plan), requests, Seed(seed)).expect("the model runs");
    let mut latencies = Vec::new();
    for record in &simulate(&setup) {
        if let Event::Answered { latency, .. } = &record.event {
            latencies.push(latency.as_millis());
        }
    }
    latencies.sort_by(f64::total_cmp);
    if latencies.len() == requests { latencies } else { Vec::new() }
}

/// Mean and standard deviation; of nothing the mean is infinite.
fn moments(latencies: &[f64]) -> (f64, f64) {
    if latencies.is_empty() {
        return (f64::INFINITY, 0.0);
    }
    let count = latencies.len() as f64;
    let mean = latencies.iter().sum::<f64>() / count;
    let squares = latencies.iter().map(|latency| (latency - mean).powi(2)).sum::<f64>();
    (mean, (squares / count).sqrt())
}

fn shown(parts: &[Part]) -> String {
    let part = |Part { layers, way }: &Part| {
        let numbers = |on: &[DeviceId]| on.iter().map(|d| format!(" d{}", d.0)).collect::<String>();
        let way = match way {
            Way::Local => "local".to_owned(),
            Way::Whole { on } => format!("whole on{}", numbers(on)),
            Way::Coded { code, split: SplitFile::Output, on } => {
                format!("{code} on{}", numbers(on))
            }
            Way::Coded { code, split: SplitFile::Spatial, on } => {
                format!("{code} in strips on{}", numbers(on))
            }
        };
        format!("{}: {way}", layers.join(".."))
    };
    parts.iter().map(part).collect::<Vec<_>>().join(", ")
}

#[test]
fn advice_is_within_five_per_cent_of_the_best_of_all_choices() {
    let mut told = Vec::new();
    for case in &CASES {
        let draft = case.draft();
        let wish = Wish {
            tolerate: case.tolerate,
            aim: case.aim,
            p99: None,
            local: true,
            requests: if case.aim == Aim::P99 { 200 } else { 100 },
            seed: 1,
        };
        let advised = advise(&draft, &wish).unwrap_or_else(|error| panic!("{error}"));
        let choices = case.choices();
        // All of them shortly; then those that seem best at length, and with another seed: of a thousand
        // choices the luckiest looks better than any is.
        let tried = side_by_side(&choices, cores(), |choice| {
            let (mean, deviation) = moments(&run(&draft, choice, 25, 2));
            [mean, mean + 2.33 * deviation]
        });
        let mut finalists = BTreeSet::new();
        for score in [|[mean, _]: &[f64; 2]| *mean, |[_, slow]: &[f64; 2]| *slow] {
            let mut order: Vec<usize> = (0..choices.len()).collect();
            order.sort_by(|a, b| score(&tried[*a]).total_cmp(&score(&tried[*b])));
            finalists.extend(order.into_iter().take(8));
        }
        let finalists: Vec<usize> = finalists.into_iter().collect();
        let at_length = |parts: &[Part]| {
            let latencies = run(&draft, parts, 400, 3);
            match case.aim {
                Aim::Mean => moments(&latencies).0,
                Aim::P99 => latencies.get(395).copied().unwrap_or(f64::INFINITY),
            }
        };
        let best = side_by_side(&finalists, cores(), |at| at_length(&choices[*at]));
        let both = best.into_iter().zip(&finalists);
        let (best, at) = both.min_by(|a, b| a.0.total_cmp(&b.0)).expect("there are some");
        let got = at_length(&advised.parts);
        let line = format!(
            "{}: {got:.2} ms for {}, the best of {} is {best:.2} ms for {}",
            case.name,
            shown(&advised.parts),
            choices.len(),
            shown(&choices[*at])
        );
        println!("{:+.1} %  {line}", 100.0 * (got / best - 1.0));
        if got > 1.05 * best {
            told.push(line);
        }
    }
    assert!(told.is_empty(), "more than 5 % worse than the best:\n{}", told.join("\n"));
}

#[test]
fn a_rehearsal_takes_the_time_of_the_run() {
    for name in ["lenet5", "vgglite"] {
        let plan = support::plan(name);
        let calm = support::setup(&plan, 40);
        for faults in [Vec::new(), vec![dead_from_the_start(1)]] {
            let setup = calm.with_faults(faults);
            let (run, rehearsed) = (simulate(&setup), setup.rehearse().expect("it runs"));
            assert_eq!(run.len(), rehearsed.len(), "{name}");
            for (a, b) in run.iter().zip(&rehearsed) {
                assert_eq!(a.at, b.at, "{name}: {a:?}");
                let judged = matches!(a.event, Event::Judged { .. });
                assert!(judged || a.event == b.event, "{name}: {a:?} is not {b:?}");
            }
        }
    }
}

fn wish(tolerate: usize, local: bool) -> Wish {
    Wish { tolerate, aim: Aim::Mean, p99: None, local, requests: 100, seed: 1 }
}

#[test]
fn what_is_proposed_bears_any_loss_it_promises_to_bear() {
    let draft = CASES[6].draft();
    for tolerate in 1..=3 {
        let advised = advise(&draft, &wish(tolerate, false)).expect("there is a way");
        let plan = Arc::new(draft.plan(&advised.parts).expect("it was run"));
        let calm = Setup::new(plan, 10, Seed(5)).expect("the model runs");
        for lost in subsets(4).filter(|lost| lost.len() <= tolerate) {
            let faults = lost.iter().map(|device| dead_from_the_start(device.0)).collect();
            let trace = simulate(&calm.with_faults(faults));
            let answered = count(&trace, |event| matches!(event, Event::Answered { .. }));
            assert_eq!(answered, 10, "tolerating {tolerate}, with {lost:?} lost");
        }
    }
}

#[test]
fn a_model_that_is_not_worth_a_message_stays_with_the_supervisor() {
    let text = std::fs::read_to_string(topology("lenet5")).expect("a topology");
    let text = text.replace("policy: (", "policy: (local_below: \"1GFLOP\", ");
    let draft = Draft::parse(&topology("lenet5"), text).unwrap_or_else(|error| panic!("{error}"));
    let advice = advise(&draft, &wish(1, true)).expect("there is a way").advice;
    assert_eq!(advice.ways.len(), 1, "there is no other: {advice:?}");
    assert_eq!((advice.ways[0].measured.devices, advice.ways[0].measured.may_lose), (0, None));
    assert_eq!(advice.ways[0].way, "all with the supervisor");
}

#[test]
fn a_choice_that_the_memory_does_not_hold_is_not_proposed() {
    // All of LeNet-5 is 247 kB, and fc1 alone 192: no board holds either.
    let text = std::fs::read_to_string(topology("lenet5")).expect("a topology");
    let text = text.replace("memory: \"1GB\"", "memory: \"100kB\"");
    let draft = Draft::parse(&topology("lenet5"), text).unwrap_or_else(|error| panic!("{error}"));
    let advised = advise(&draft, &wish(1, false)).expect("there is a way");
    assert!(draft.plan(&advised.parts).is_ok(), "it fits");
    assert!(advised.advice.ways.iter().any(|way| way.way == "every layer coded"), "a code fits");
}

#[test]
fn the_same_advice_is_given_again() {
    let draft = CASES[4].draft();
    let again = || advise(&draft, &wish(1, true)).expect("there is a way");
    let (first, second) = (again(), again());
    assert_eq!(first.parts, second.parts);
    assert_eq!(first.advice, second.advice);
}

fn kofn(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kofn"));
    command.current_dir(root()).env("NO_COLOR", "1").args(args).output().expect("starts")
}

#[test]
fn the_topology_that_is_written_runs_as_it_was_told_from_wherever_it_stands() {
    let folder = tempfile::tempdir().expect("a folder");
    for target in ["topologies/lenet5.ron", "topologies/models/lenet5-fashion.onnx"] {
        let path = folder.path().join("advised.ron");
        let to = path.to_string_lossy().into_owned();
        let fleet = if target.ends_with("onnx") { &["--devices", "4"][..] } else { &[] };
        let args = ["advise", target, "--no-local", "--requests", "60", "--write", &to];
        let done = kofn(&[&args[..], fleet].concat());
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success() && said.contains(&to), "{said}");
        let text = std::fs::read_to_string(&path).expect("it was written");
        assert!(text.starts_with("// ") && text.contains("60 requests with seed 1"), "{text}");
        // Whatever the file it was made from tells about its code is not told here.
        assert!(!text.contains("any four replies"), "{text}");
        let plan = Plan::read(&path).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let run = kofn(&["run", &to, "--no-tui", "--requests", "60", "--format", "json"]);
        let report: serde_json::Value = serde_json::from_slice(&run.stdout).expect("JSON");
        let mean = report["latency_ms"]["mean"].as_f64().expect("a number");
        let line = text.lines().find(|line| line.contains("60 requests")).expect("it was seen");
        assert!(line.contains(&format!("mean {mean:.2} ms")), "{line}, but {mean:.2} ms");
        assert!(plan.stages.iter().all(|stage| stage.tolerates >= 1), "{target}");
    }
}

#[test]
fn a_target_is_met_with_as_few_devices_as_can_be_or_is_said_not_to_be() {
    let p99 = |target: &str| {
        let args = ["advise", "topologies/lenet5.ron", "--no-local", "--requests", "60"];
        let done = kofn(&[&args[..], &["--p99", target, "--json"]].concat());
        let advice: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
        (done.status.code(), advice)
    };
    let (code, easy) = p99("4ms");
    assert_eq!((code, &easy["target"]["met"]), (Some(0), &true.into()));
    let ways = easy["ways"].as_array().expect("a list");
    assert_eq!(ways.last().expect("one")["devices"], 2, "one copy more than may be lost");
    let (code, hard) = p99("0.1ms");
    assert_eq!((code, &hard["target"]["met"]), (Some(1), &false.into()));
    assert!(hard["verdict"].as_str().expect("words").contains("is not met"), "{hard}");
}

#[test]
fn what_makes_no_sense_is_refused_with_a_word_on_what_to_do() {
    let lenet = "topologies/models/lenet5-fashion.onnx";
    let cases: [(&[&str], &str); 8] = [
        (&[lenet], "--devices N"),
        (&["topologies/lenet5.ron", "--devices", "3"], "drop --devices"),
        (&["LeNet"], "is no topology (.ron) and no model"),
        (&["nowhere.onnx", "--devices", "3"], "there is no file nowhere.onnx"),
        (&["topologies/lenet5.ron", "--tolerate", "5"], "of 5 devices 5 cannot be lost"),
        (&["topologies/lenet5.ron", "--requests", "0"], "asks for nothing"),
        (&[lenet, "--devices", "3", "--speed", "fast"], "is not a computing speed"),
        (&[lenet, "--devices", "3", "--jitter=-1"], "jitter"),
    ];
    for (args, said) in cases {
        let done = kofn(&[&["advise"], args].concat());
        let error = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(64), "{args:?}: {error}");
        assert!(error.contains(said), "{args:?}: {error}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("broken.ron");
    std::fs::write(&path, "Topology(model: Onnx(\"no.onnx\"),\n speed: 3)").expect("written");
    let done = kofn(&["advise", &path.to_string_lossy()]);
    assert_eq!(done.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&done.stderr).contains("broken.ron:2:"), "its place is told");
}
