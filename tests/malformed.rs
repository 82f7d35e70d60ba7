//! Malformed topologies, fault plans and models, made from good ones. Each is refused with a place, a
//! reason and a fix, or is good all the same; none panics, hangs, or exits with anything but 64.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use kofn::drive::{Clock, Setup};
use kofn::maths::chance::Seed;
use kofn::model::Network;
use kofn::plan::{FaultPlan, Plan, Problems};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A shipped file that can be read from anywhere: the paths in it are absolute.
fn shipped(name: &str) -> String {
    let text = std::fs::read_to_string(root().join(name)).expect("shipped");
    let folder = root().join("topologies").display().to_string();
    text.replace("\"models/", &format!("\"{folder}/models/")).replace("../topologies", &folder)
}

fn model(name: &str) -> Vec<u8> {
    std::fs::read(root().join(format!("topologies/models/{name}.onnx"))).expect("shipped")
}

/// The shipped topology with another model and one input of noise.
fn topology_of(model: &Path) -> String {
    let good = shipped("topologies/lenet5.ron");
    let (before, rest) = good.split_once("inputs:").expect("it has inputs");
    let (_, after) = rest.split_once("arrivals:").expect("and arrivals");
    let good = format!("{before}inputs: Random(count: 1),\n    arrivals:{after}");
    let lenet = root().join("topologies/models/lenet5-fashion.onnx");
    good.replace(&format!("{lenet:?}"), &format!("{model:?}"))
}

/// What the work gave, or its panic in words.
fn unharmed<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        format!("it panics: {}", said.or(panic.downcast_ref().copied()).unwrap_or("no word"))
    })
}

/// A folder for bad files, and who reads them.
struct Door<'d> {
    folder: TempDir,
    read: &'d dyn Fn(&Path) -> Result<(), Problems>,
}

impl<'d> Door<'d> {
    fn to(read: &'d dyn Fn(&Path) -> Result<(), Problems>) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let csv = |name, rows| std::fs::write(folder.path().join(name), rows).expect("written");
        csv("words.csv", "low,high,density\nfast,slow,often\n");
        csv("narrow.csv", "low,high,density\n0.0,0.0000001,1.0\n");
        Self { folder, read }
    }

    /// What is said to a file, nothing if it is good; an error if it is not said as it should be.
    fn says(&self, text: &str) -> Result<Option<String>, String> {
        let path = self.folder.path().join("bad.ron");
        std::fs::write(&path, text).expect("written");
        let Err(problems) = unharmed(|| (self.read)(&path))? else { return Ok(None) };
        let said = problems.to_string();
        let reports = problems.reports().map(|report| format!("{report:?}"));
        let helps = reports.filter(|report| report.contains("help:")).count();
        if helps == 0 || helps != said.lines().count() {
            return Err(format!("{helps} helps for: {said:?}"));
        }
        match said.lines().find(|line| place(line, text).is_none() || !line.ends_with(')')) {
            Some(line) => Err(format!("no place in the file, no reason or no fix: {line}")),
            None => Ok(Some(said)),
        }
    }

    /// How many of the texts are refused; all must be refused well, or be good.
    fn refuses(&self, mutations: &[Mutation]) -> usize {
        let say = |m: &Mutation| self.says(&m.text).map_err(|why| format!("{}: {why}", m.what));
        let (said, ill): (Vec<_>, Vec<_>) = mutations.iter().map(say).partition(Result::is_ok);
        let ill: Vec<String> = ill.into_iter().filter_map(Result::err).collect();
        assert!(ill.is_empty(), "{} of {}:\n{}", ill.len(), mutations.len(), ill.join("\n"));
        said.into_iter().flatten().flatten().count()
    }

    /// Every mistake by itself is refused at its line, with the words for it.
    fn points_at(&self, good: &str, mistakes: &[Mistake]) {
        let ill = mistakes.iter().filter_map(|mistake| {
            let text = with_mistakes(good, std::slice::from_ref(mistake));
            let said = self.says(&text).map(Option::unwrap_or_default);
            let told = said.as_ref().is_ok_and(|said| is_told(said, &text, mistake));
            (!told).then(|| format!("{mistake:?}\n    {said:?}"))
        });
        let ill: Vec<String> = ill.collect();
        assert!(ill.is_empty(), "{} are not told as they should:\n{}", ill.len(), ill.join("\n"));
    }

    fn tells_all(&self, good: &str, mistakes: &[Mistake]) {
        let text = with_mistakes(good, mistakes);
        let said = self.says(&text).expect("said well").expect("said at all");
        let silent = mistakes.iter().filter(|mistake| !is_told(&said, &text, mistake));
        assert_eq!(silent.collect::<Vec<_>>(), Vec::<&Mistake>::new(), "{said}");
    }
}

/// Row and reason of `…/bad.ron:3:14: the reason (the fix)`, if that is a place in the text.
fn place<'s>(line: &'s str, text: &str) -> Option<(usize, &'s str)> {
    let mut parts = line.split_once("bad.ron:")?.1.splitn(3, ':');
    let row: usize = parts.next()?.parse().ok()?;
    let column: usize = parts.next()?.parse().ok()?;
    let reason = parts.next()?.trim();
    let width = text.split('\n').nth(row.checked_sub(1)?)?.chars().count();
    let speaks = reason.split_once(" (").is_some_and(|(why, fix)| why.len() > 3 && fix.len() > 3);
    ((1..=width + 1).contains(&column) && speaks).then_some((row, reason))
}

/// What stands in the good file, what shall stand there, a part of the line at fault, and a part of
/// what must be said.
type Mistake = (&'static str, &'static str, &'static str, &'static str);

fn with_mistakes(good: &str, mistakes: &[Mistake]) -> String {
    mistakes.iter().fold(good.to_owned(), |text, (from, to, ..)| {
        assert!(text.contains(from), "the shipped file no longer says {from}");
        text.replacen(from, to, 1)
    })
}

fn is_told(said: &str, text: &str, (.., at_fault, words): &Mistake) -> bool {
    let row = |line| place(line, text).map_or("", |(row, _)| text.lines().nth(row - 1).unwrap());
    said.lines().any(|line| line.contains(words) && row(line).contains(at_fault))
}

/// A text that differs from a good one, and how.
struct Mutation {
    what: String,
    text: String,
}

/// The good text with every token replaced by what does not belong there, every field and line
/// dropped and doubled, and the file cut off at and inside every line.
fn mutations(good: &str) -> Vec<Mutation> {
    let mut mutations = Vec::new();
    let mut replace = |place: Range<usize>, with: &str| {
        let line = good[..place.start].matches('\n').count() + 1;
        let what = format!("line {line}: {:?} became {with:?}", &good[place.clone()]);
        let text = [&good[..place.start], with, &good[place.end..]].concat();
        mutations.push(Mutation { what, text });
    };
    let tokens = tokens(good);
    for token in &tokens {
        for other in instead_of(&good[token.clone()]) {
            replace(token.clone(), &other);
        }
    }
    for field in tokens.windows(4).filter(|field| &good[field[1].clone()] == ":") {
        let place = field[0].start..field[3].end;
        replace(place.clone(), "");
        replace(place.clone(), &good[place].repeat(2));
    }
    let mut end = 0;
    for line in good.split_inclusive('\n') {
        let start = end;
        end += line.len();
        replace(start..end, "");
        replace(start..end, &line.repeat(2));
        replace(end..good.len(), "");
        replace(good.floor_char_boundary(start + line.len() / 2)..good.len(), "");
    }
    mutations
}

/// Words, texts, numbers and signs with their places; comments are left out.
fn tokens(text: &str) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let is_word = |c: char| c.is_alphanumeric() || "-_.".contains(c);
        let len = match first {
            '/' => rest.find('\n').unwrap_or(rest.len()),
            '"' => rest[1..].find('"').expect("a good file closes its texts") + 2,
            _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        if first != '/' && !first.is_whitespace() {
            found.push(at..at + len);
        }
        at += len;
    }
    found
}

/// Tokens that do not belong where this one stands: none, misspelt, of another kind, or out of range.
fn instead_of(token: &str) -> Vec<String> {
    const SIGNS: &[&str] = &["", "(", ")", "[", "]", "{", "}", ":", ",", "#", "/*"];
    const VALUES: &[&str] = &[
        "", "\"", "\"\"", "\"🦀\"", "-1", "0", "1e999", "NaN", "inf", "18446744073709551615",
        "99999999999999999999", "true", "[]", "()", "None",
    ];
    let own = |others: &[&str]| others.iter().map(ToString::to_string).collect();
    let mut others: Vec<String> = match token.chars().next() {
        Some('(' | ')' | '[' | ']' | ':' | ',') => own(SIGNS),
        Some(first) if first.is_alphabetic() => {
            vec![String::new(), format!("{token}x"), token.to_lowercase(), format!("r#{token}")]
        }
        _ => own(VALUES),
    };
    // A quantity keeps its unit and loses its number, or the other way round.
    let unit = token.trim_start_matches(|c: char| c == '"' || c == '.' || c.is_ascii_digit());
    if token.starts_with('"') && unit.len() + 1 < token.len() {
        let numbers = ["", "-3", "0", "1e9", "NaN", "1.2.3", "999999999999999999999999"];
        others.extend(numbers.map(|number| format!("\"{number}{unit}")));
        others.push(format!("{}\"", &token[..token.len() - unit.len()]));
    }
    others.push(format!("{token} {token}"));
    others
}

const TOPOLOGY: &[Mistake] = &[
    (r#"on: ["pi"]"#, r#"on: ["tau"]"#, "tau", r#"called or tagged "tau""#),
    (r#"on: ["pi"]"#, r#"on: ["pi-1", "pi-9"]"#, "pi-9", r#"called or tagged "pi-9""#),
    (r#"on: ["pi"]"#, r#"on: ["pi", "pi"]"#, "on:", "not named before"),
    (r#"on: ["pi"]"#, r#"on: ["pi"], spares: ["x"]"#, "spares", r#"called or tagged "x""#),
    (r#"on: ["pi"]"#, r#"on: ["pi"], deadline: "1ns""#, "coding", "fastest possible round"),
    ("Mds(n: 5, k: 4)", "Mds(n: 4, k: 5)", "Mds(n: 4", "n = 4 shares of k = 5"),
    ("Mds(n: 5, k: 4)", "Mds(n: 5, k: 0)", "k: 0", "shares of k = 0"),
    ("Mds(n: 5, k: 4)", "Mds(n: 33, k: 4)", "n: 33", "n ≤ 32"),
    ("Mds(n: 5, k: 4)", "Uncoded(k: 0)", "Uncoded", "shares of k = 0"),
    ("Mds(n: 5, k: 4)", "Uncoded(k: 18446744073709551615)", "Uncoded", "1024"),
    ("Mds(n: 5, k: 4)", "Parity(k: 18446744073709551615)", "Parity", "1024"),
    ("Mds(n: 5, k: 4)", "Parity(k: 5)", "Parity", "6 shares for 5 devices"),
    ("Mds(n: 5, k: 4)", "Replication(n: 2, k: 3)", "Replication", "n = 2 shares of k = 3"),
    ("count: 5", "count: 4", "coding", "Mds(5, 4) has 5 shares for 4 devices"),
    ("count: 5", "count: 0", "count: 0", "a count of 0"),
    ("count: 5", "count: 99999999999", "count: 9", "a count of 99999999999"),
    ("        (\n", "        (name: \"pi-2\", speed: \"1GFLOP/s\", memory: \"1GB\", latency: \
      Constant(\"1ms\"), bandwidth: \"1Mbit/s\"),\n        (\n", "\"pi\"", "called \"pi-2\""),
    ("94.1Mbit/s\",", "0Mbit/s\",", "0Mbit/s", "bandwidth"),
    ("94.1Mbit/s\",", "94.1 leagues\",", "leagues", "not a transfer rate"),
    (r#"speed: "3GFLOP/s", jitter"#, r#"speed: "0GFLOP/s", jitter"#, "supervisor", "speed is 0"),
    ("jitter: 0.1,", "jitter: -0.1,", "-0.1", "jitter is -0.1"),
    ("jitter: 0.1,", "memory_bandwidth: \"0B/s\",", "0B/s", "memory_bandwidth is 0"),
    (r#"memory: "1GB""#, r#"memory: "1B""#, "1B", "pi-1 has 1 B of memory and would hold"),
    (r#"LogNormal(median: "0.3ms", sigma: 0.5)"#, "Constant(3)", "Constant", "Expected string"),
    ("sigma: 0.5", "sigma: -0.5", "sigma", "sigma -0.5"),
    (r#"LogNormal(median: "0.3ms", sigma: 0.5)"#, r#"Uniform(low: "2ms", high: "1ms")"#,
      "Uniform", "low 2 ms is above high 1 ms"),
    (r#"LogNormal(median: "0.3ms", sigma: 0.5)"#, r#"Pareto(scale: "2ms", shape: 0.0)"#,
      "Pareto", "shape 0"),
    (r#"LogNormal(median: "0.3ms", sigma: 0.5)"#, r#"Empirical(csv: "words.csv")"#,
      "words.csv", "line 2 is not three numbers"),
    (r#"LogNormal(median: "0.3ms", sigma: 0.5)"#, r#"Empirical(csv: "narrow.csv")"#,
      "narrow.csv", "no bin"),
    (r#"LogNormal(median: "0.3ms", sigma: 0.5)"#, r#"Empirical(csv: "none.csv")"#,
      "none.csv", "No such file"),
    (r#"["conv1"]"#, r#"["conv7"]"#, "conv7", "linear layers are conv1, conv2, fc1, fc2, fc3"),
    (r#"["conv1"]"#, r#"["conv1", "conv1"]"#, "conv1", r#""conv1" is named twice"#),
    (r#"["conv1"]"#, "[]", "layers", "a stage without layers"),
    (r#"["conv1"]"#, r#"["conv1"], run: Sideways"#, "Sideways", "Sideways"),
    (r#"["conv1"]"#, r#"["conv1"], run: Whole"#, "code", "not split by a code"),
    (r#"["conv1"]"#, r#"["conv1"], on: ["pi-1"]"#, "pi-1", "5 shares for 1 devices"),
    (r#"["conv1"]"#, r#"["conv1"], deadline: "1ns""#, "conv1", "fastest possible round"),
    (r#"["conv1"], code: Mds(n: 5, k: 3)"#, r#"["conv1", "fc1"], run: Whole"#, "fc1", "follow"),
    (r#"["conv1"], code: Mds(n: 5, k: 3)"#, r#"["conv2", "conv1"], run: Whole"#, "conv2", "follow"),
    (r#"["conv1"], code: Mds(n: 5, k: 3)"#, r#"["conv1", "conv2"], run: Whole, deadline: "1ns""#,
      "Whole", "fastest possible round"),
    ("lenet5-fashion.onnx", "none.onnx", "none.onnx", "No such file"),
    ("lenet5-fashion.onnx", "fashion-test1000-images-idx3-ubyte", "Onnx", "idx3-ubyte is not a"),
    ("Topology(\n    model: Onnx(\"", "#![enable(implicit_some)]\nTopology(\n    model: Onnx(\"no",
      "Onnx", "No such file"),
    ("fashion-test1000-images", "none", "images:", "No such file"),
    ("fashion-test1000-images-idx3", "fashion-test1000-labels-idx1", "images:", "[1000] do not fit"),
    ("fashion-test1000-labels-idx1", "fashion-test1000-images-idx3", "labels:", "labels"),
    ("fashion-test1000-labels-idx1-ubyte", "lenet5-fashion.onnx", "labels:", "IDX"),
    ("requests: 1000", "requests: 0", "requests", "no requests"),
    ("requests: 1000", "requests: 1000, requests: 1", "requests", "uplicate"),
    ("clients: 1", "clients: 0", "clients", "nobody sends"),
    ("ClosedLoop(clients: 1)", "Poisson(per_second: -1.0)", "Poisson", "-1 requests a second"),
    ("ClosedLoop(clients: 1)", "Poisson(per_second: NaN)", "Poisson", "NaN requests a second"),
    (r#"deadline: "50ms""#, r#"deadline: "1ns""#, "policy", "fastest possible round"),
    (r#"deadline: "50ms""#, "worst_condition: 0.5", "0.5", "condition number below 0.5"),
    (r#"deadline: "50ms""#, r#"deadline: "-50ms""#, "-50ms", "not a length of time"),
];

#[test]
fn a_mutated_topology_is_refused_with_place_reason_and_fix_or_is_good() {
    let mutations = mutations(&shipped("topologies/lenet5.ron"));
    let refused = Door::to(&|path| Plan::read(path).map(drop)).refuses(&mutations);
    assert!(refused >= 500, "{refused} of {} were refused", mutations.len());
}

#[test]
fn each_mistake_in_a_topology_is_pointed_at() {
    let good = shipped("topologies/lenet5.ron");
    Door::to(&|path| Plan::read(path).map(drop)).points_at(&good, TOPOLOGY);
}

#[test]
fn five_mistakes_in_a_topology_are_told_at_once() {
    let five = [
        ("94.1Mbit/s\",", "0Mbit/s\",", "0Mbit/s", "bandwidth"),
        ("jitter: 0.05", "jitter: -1.0", "supervisor", "jitter is -1"),
        ("Mds(n: 5, k: 4)", "Mds(n: 4, k: 5)", "Mds(n: 4", "n = 4 shares of k = 5"),
        (r#"["conv1"]"#, r#"["conv7"]"#, "conv7", r#"no layer "conv7""#),
        ("clients: 1", "clients: 0", "clients", "nobody sends"),
    ];
    let door = Door::to(&|path| Plan::read(path).map(drop));
    door.tells_all(&shipped("topologies/lenet5.ron"), &five);
}

const FAULTS: &[Mistake] = &[
    ("pi-3", "pi-9", "pi-9", r#"no device or tag "pi-9""#),
    ("pi-3", "", "who", "name one"),
    ("\"fc1\"", "\"fc9\"", "fc9", r#"no stage "fc9""#),
    ("request: 40", "request: 1000", "1000", "request 1000 is never sent"),
    ("request: 40", "request: -1", "-1", "out of bounds"),
    ("FirstReply", "LastReply", "LastReply", "LastReply"),
    ("what: Crash", "what: Crush", "Crush", "Crush"),
    ("what: Crash", "what: Restart, lasts: \"1s\"", "lasts", "over at once"),
    ("what: Crash", "what: Crash, lasts: 1", "lasts", "Expected string"),
    ("what: Crash", "what: Slow(by: 0.5)", "Slow", "slow by 0.5"),
    ("what: Crash", "what: Slow(by: NaN)", "Slow", "slow by NaN"),
    ("what: Crash", "what: Drop(probability: 1.5)", "Drop", "1.5 is not a probability"),
    ("what: Crash", "what: Drop(probability: NaN)", "Drop", "NaN is not a probability"),
    ("what: Crash", r#"what: Delay(Uniform(low: "2ms", high: "1ms"))"#, "Delay", "is above high"),
    ("what: Crash", r#"what: Delay(Empirical(csv: "words.csv"))"#, "words.csv", "three numbers"),
    ("what: Crash", r#"what: Delay(Empirical(csv: "narrow.csv"))"#, "narrow.csv", "no bin"),
    ("1e-4", "-1e-4", "MaxAbsError", "-0.0001 is no bound"),
    ("1e-4", "NaN", "MaxAbsError", "NaN is no bound"),
    ("AtMostTimesTwin(1.25)", "AtMostTimesTwin(-1.0)", "AtMostTimesTwin", "-1 is no bound"),
    ("AtMostTimesTwin(1.25)", r#"AtMost("soon")"#, "soon", "not a length of time"),
    ("faults: [", "requests: 0, faults: [", "requests", "no requests"),
    ("faults: [", "faults: [()", "faults", "missing field"),
];

#[test]
fn a_mutated_fault_plan_is_refused_with_place_reason_and_fix_or_is_good() {
    let plan = Plan::read(&root().join("topologies/lenet5.ron")).expect("shipped");
    let mutations = mutations(&shipped("fault-plans/one-dies.ron"));
    let refused = Door::to(&|path| FaultPlan::read(path, &plan).map(drop)).refuses(&mutations);
    assert!(refused >= 200, "{refused} of {} were refused", mutations.len());
}

#[test]
fn each_mistake_in_a_fault_plan_is_pointed_at_and_several_are_told_at_once() {
    let plan = Plan::read(&root().join("topologies/lenet5.ron")).expect("shipped");
    let good = shipped("fault-plans/one-dies.ron");
    let door = Door::to(&|path| FaultPlan::read(path, &plan).map(drop));
    door.points_at(&good, FAULTS);
    let one_each = ["pi-9", "fc9", "Slow", "MaxAbsError", "AtMostTimesTwin"];
    let first = |part| FAULTS.iter().find(|mistake| mistake.2 == part).expect("in the table");
    door.tells_all(&good, &one_each.map(|part| *first(part)));
}
