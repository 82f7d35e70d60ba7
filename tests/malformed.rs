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

/// The shipped fleet with another model, and one input of noise.
fn topology_of(model: &Path) -> String {
    let good = shipped("topologies/lenet5.ron");
    let (fleet, rest) = good.split_once("stages:").expect("it has stages");
    let (_, run) = rest.split_once("arrivals:").expect("and arrivals");
    let lenet = root().join("topologies/models/lenet5-fashion.onnx");
    let fleet = fleet.replace(&format!("{lenet:?}"), &format!("{model:?}"));
    format!("{fleet}inputs: Random(count: 1), arrivals:{run}")
}

fn put(folder: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("written");
    path
}

/// What the work gave, or its panic in words.
fn unharmed<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        format!("it panics: {}", said.or(panic.downcast_ref().copied()).unwrap_or("no word"))
    })
}

/// A mistake: what stands in the good file, what is written instead, a part of the line at fault, and
/// a part of what must be said. One a line: `good → bad | line | words`.
type Mistake<'t> = [&'t str; 4];

fn mistakes(table: &str) -> Vec<Mistake<'_>> {
    table.lines().filter_map(|line| line.split_once(" → ")).map(mistake).collect()
}

fn mistake<'t>((good, rest): (&'t str, &'t str)) -> Mistake<'t> {
    let [bad, line, words] = rest.split(" | ").collect::<Vec<_>>()[..] else {
        panic!("three parts: {rest}")
    };
    [good, bad, line, words]
}

fn with_mistakes(good: &str, mistakes: &[Mistake<'_>]) -> String {
    mistakes.iter().fold(good.to_owned(), |text, [good, bad, ..]| {
        assert!(text.contains(good), "the shipped file no longer says {good}");
        text.replacen(good, bad, 1)
    })
}

/// Row and reason of `…/bad.ron:3:14: the reason (the fix)`, if that is a place in the text.
fn place<'s>(line: &'s str, text: &str) -> Option<(usize, &'s str)> {
    let mut parts = line.split_once("bad.ron:")?.1.splitn(3, ':');
    let row: usize = parts.next()?.parse().ok()?;
    let column: usize = parts.next()?.parse().ok()?;
    let reason = parts.next()?.trim();
    let width = text.split('\n').nth(row.checked_sub(1)?)?.chars().count();
    let speaks = reason.split_once(" (").is_some_and(|(why, fix)| why.len() > 3 && fix.len() > 3);
    (speaks && (1..=width + 1).contains(&column)).then_some((row, reason))
}

/// Whether some line of what was said has the words for the mistake and points at its line.
fn is_told(said: &str, text: &str, [.., at_fault, words]: &Mistake<'_>) -> bool {
    let shown = |(row, _)| text.split('\n').nth(row - 1).unwrap_or_default();
    let points = |line| place(line, text).map(shown).is_some_and(|line| line.contains(at_fault));
    said.lines().any(|line| line.contains(words) && points(line))
}

/// A folder for bad files, and who reads them.
struct Door<R> {
    folder: TempDir,
    read: R,
}

impl<R: Fn(&Path) -> Result<(), Problems>> Door<R> {
    fn to(read: R) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        put(&folder, "words.csv", "low,high,density\nfast,slow,often\n");
        put(&folder, "narrow.csv", "low,high,density\n0.0,0.0000001,1.0\n");
        Self { folder, read }
    }

    /// What is said to a file, nothing if it is good; an error if it is not said as it should be.
    fn says(&self, text: &str) -> Result<Option<String>, String> {
        let path = put(&self.folder, "bad.ron", text);
        let Err(problems) = unharmed(|| (self.read)(&path))? else { return Ok(None) };
        let said = problems.to_string();
        let reports = problems.reports().map(|report| format!("{report:?}"));
        let helps = reports.filter(|report| report.contains("help:")).count();
        let odd = said.lines().find(|line| place(line, text).is_none() || !line.ends_with(')'));
        match odd {
            Some(line) => Err(format!("no place in the file, no reason or no fix: {line}")),
            None if helps == 0 || helps != said.lines().count() => {
                Err(format!("{helps} helps for: {said:?}"))
            }
            None => Ok(Some(said)),
        }
    }

    /// Whatever becomes of the good file, it is refused well or is good; many are refused.
    fn withstands_mutations_of(&self, good: &str, least: usize) {
        let mutations = mutations(good);
        let (mut refused, mut ill) = (0, Vec::new());
        for (what, text) in &mutations {
            match self.says(text) {
                Ok(said) => refused += usize::from(said.is_some()),
                Err(why) => ill.push(format!("{what}: {why}")),
            }
        }
        assert!(ill.is_empty(), "{} of {}:\n{}", ill.len(), mutations.len(), ill.join("\n"));
        assert!(refused >= least, "only {refused} of {} were refused", mutations.len());
    }

    /// Every mistake by itself is refused at its line, with the words for it.
    fn points_at_each(&self, good: &str, mistakes: &[Mistake<'_>]) {
        let mut ill = Vec::new();
        for mistake in mistakes {
            let text = with_mistakes(good, &[*mistake]);
            let said = self.says(&text).map(Option::unwrap_or_default);
            if !said.as_ref().is_ok_and(|said| is_told(said, &text, mistake)) {
                ill.push(format!("{mistake:?}\n    {said:?}"));
            }
        }
        assert!(ill.is_empty(), "{} of {}:\n{}", ill.len(), mistakes.len(), ill.join("\n"));
    }

    fn tells_all_at_once(&self, good: &str, mistakes: &[Mistake<'_>]) {
        let text = with_mistakes(good, mistakes);
        let said = self.says(&text).expect("said well").expect("said at all");
        for mistake in mistakes {
            assert!(is_told(&said, &text, mistake), "{mistake:?} is missing from\n{said}");
        }
    }
}

/// How a text was made from a good one, and the text: every token replaced by what does not belong
/// there, every field and line dropped and doubled, the file cut off at and inside every line.
fn mutations(good: &str) -> Vec<(String, String)> {
    let mut mutations = Vec::new();
    let mut replace = |place: Range<usize>, with: &str| {
        let line = good[..place.start].matches('\n').count() + 1;
        let what = format!("line {line}: {:?} became {with:?}", &good[place.clone()]);
        let text = [&good[..place.start], with, &good[place.end..]].concat();
        mutations.push((what, text));
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
    const SIGNS: &str = " ( ) [ ] { } : , # /*";
    const VALUES: &str =
        " \" \"\" \"🦀\" -1 0 1e999 NaN inf 18446744073709551615 1_000 true [] () None";
    let mut others: Vec<String> = match token.chars().next() {
        Some('(' | ')' | '[' | ']' | ':' | ',') => SIGNS.split(' ').map(str::to_owned).collect(),
        Some(first) if first.is_alphabetic() => {
            vec![String::new(), format!("{token}x"), token.to_lowercase(), format!("r#{token}")]
        }
        _ => VALUES.split(' ').map(str::to_owned).collect(),
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

const TOPOLOGY: &str = r##"
on: ["pi"] → on: ["tau"] | tau | called or tagged "tau"
on: ["pi"] → on: ["pi-1", "pi-9"] | pi-9 | called or tagged "pi-9"
on: ["pi"] → on: ["pi", "pi"] | on: | named already
on: ["pi"] → on: ["pi"], spares: ["x"] | spares | called or tagged "x"
on: ["pi"] → on: ["pi"], deadline: "1ns" | coding | fastest possible round
Mds(n: 5, k: 4) → Mds(n: 4, k: 5) | Mds(n: 4 | n = 4 shares of k = 5
Mds(n: 5, k: 4) → Mds(n: 5, k: 0) | k: 0 | shares of k = 0
Mds(n: 5, k: 4) → Mds(n: 33, k: 4) | n: 33 | n ≤ 32
Mds(n: 5, k: 4) → Uncoded(k: 0) | Uncoded | shares of k = 0
Mds(n: 5, k: 4) → Uncoded(k: 18446744073709551615) | Uncoded | 100000
Mds(n: 5, k: 4) → Parity(k: 18446744073709551615) | Parity | 1024
Mds(n: 5, k: 4) → Parity(k: 5) | Parity | 6 shares for 5 devices
Mds(n: 5, k: 4) → Replication(n: 2, k: 3) | Replication | n = 2 shares of k = 3
Mds(n: 5, k: 4) → Lt(n: 5, k: 4, blocks: 0) | blocks: 0 | no device sends 0 blocks
Mds(n: 5, k: 4) → Lt(n: 5, k: 4, blocks: 65) | blocks: 65 | choose 1 ≤ blocks ≤ 64
Mds(n: 5, k: 4) → Lt(n: 4, k: 4, form: Mixed) | form | 4 hands of sums alone
Mds(n: 5, k: 4) → ShiftAdd(n: 5, k: 4, cells: 0) | cells | no source is cut in 0 cells
Mds(n: 5, k: 4) → Polar(n: 5, k: 4) | Polar | n = 5 is no power of two
Mds(n: 5, k: 4) → Berrut(n: 5, k: 4, silent: 5) | silent | none of 5 replies is left
Mds(n: 5, k: 4) → Spline(n: 5, k: 4, before: 1e300) | before | no curve is smoothed by 1e300
Mds(n: 5, k: 4) → Spline(n: 5, k: 4, after: "much") | after | neither a number nor
["conv1"] → ["conv1"], below: Guess | Guess | Guess
["conv1"], code: Mds(n: 5, k: 3) → ["conv1"], run: Local, below: Estimate | below | awaits no replies
count: 5 → count: 4 | coding | Mds(5, 4) has 5 shares for 4 devices
count: 5 → count: 0 | count: 0 | a count of 0
count: 5 → count: 99999999999 | count: 9 | a count of 99999999999
name: "pi", → name: "pi-2", speed: "1GFLOP/s", memory: "1GB", latency: Constant("1ms"), bandwidth: "1Mbit/s"), (name: "pi", | "pi" | called "pi-2"
94.1Mbit/s", → 0Mbit/s", | 0Mbit/s | bandwidth
94.1Mbit/s", → 94.1 leagues", | leagues | not a transfer rate
speed: "3GFLOP/s", jitter → speed: "0GFLOP/s", jitter | supervisor | speed is 0
jitter: 0.1, → jitter: -0.1, | -0.1 | jitter is -0.1
jitter: 0.1, → memory_bandwidth: "0B/s", | 0B/s | memory_bandwidth is 0
memory: "1GB" → memory: "1B" | 1B | pi-1 has 1 B of memory and would hold
LogNormal(median: "0.3ms", sigma: 0.5) → Constant(3) | Constant | Expected string
sigma: 0.5 → sigma: -0.5 | sigma | sigma -0.5
LogNormal(median: "0.3ms", sigma: 0.5) → Uniform(low: "2ms", high: "1ms") | Uniform | low 2 ms is above high 1 ms
LogNormal(median: "0.3ms", sigma: 0.5) → Pareto(scale: "2ms", shape: 0.0) | Pareto | shape 0
LogNormal(median: "0.3ms", sigma: 0.5) → Empirical(csv: "words.csv") | words.csv | line 2 is not three numbers
LogNormal(median: "0.3ms", sigma: 0.5) → Empirical(csv: "narrow.csv") | narrow.csv | no bin
LogNormal(median: "0.3ms", sigma: 0.5) → Empirical(csv: "none.csv") | none.csv | No such file
["conv1"] → ["conv7"] | conv7 | linear layers are conv1, conv2, fc1, fc2, fc3
["conv1"] → ["conv1", "conv1"] | conv1 | "conv1" is named twice
["conv1"] → [] | layers | a stage without layers
["conv1"] → ["conv1"], run: Sideways | Sideways | Sideways
["conv1"] → ["conv1"], run: Whole | code | not split by a code
["conv1"] → ["conv1"], on: ["pi-1"] | pi-1 | 5 shares for 1 devices
["conv1"] → ["conv1"], deadline: "1ns" | conv1 | fastest possible round
["conv1"], code: Mds(n: 5, k: 3) → ["conv1", "fc1"], run: Whole | fc1 | follow
["conv1"], code: Mds(n: 5, k: 3) → ["conv2", "conv1"], run: Whole | conv2 | follow
["conv1"], code: Mds(n: 5, k: 3) → ["conv1", "conv2"], run: Whole, deadline: "1ns" | Whole | fastest possible round
lenet5-fashion.onnx → none.onnx | none.onnx | No such file
lenet5-fashion.onnx → fashion-test1000-images-idx3-ubyte | Onnx | idx3-ubyte is not a
fashion-test1000-images → none | images: | No such file
fashion-test1000-images-idx3 → fashion-test1000-labels-idx1 | images: | [1000] do not fit
fashion-test1000-labels-idx1 → fashion-test1000-images-idx3 | labels: | labels
fashion-test1000-labels-idx1-ubyte → lenet5-fashion.onnx | labels: | IDX
requests: 1000 → requests: 0 | requests | no requests
requests: 1000 → requests: 1000, requests: 1 | requests | uplicate
clients: 1 → clients: 0 | clients | nobody sends
ClosedLoop(clients: 1) → Poisson(per_second: -1.0) | Poisson | -1 requests a second
ClosedLoop(clients: 1) → Poisson(per_second: NaN) | Poisson | NaN requests a second
deadline: "50ms" → deadline: "1ns" | policy | fastest possible round
deadline: "50ms" → worst_condition: 0.5 | 0.5 | condition number below 0.5
deadline: "50ms" → deadline: "-50ms" | -50ms | not a length of time
"##;

#[test]
fn a_mutated_topology_is_refused_with_place_reason_and_fix_or_is_good() {
    let door = Door::to(|path| Plan::read(path).map(drop));
    door.withstands_mutations_of(&shipped("topologies/lenet5.ron"), 1000);
}

#[test]
fn each_mistake_in_a_topology_is_pointed_at() {
    let door = Door::to(|path| Plan::read(path).map(drop));
    let good = shipped("topologies/lenet5.ron");
    door.points_at_each(&good, &mistakes(TOPOLOGY));
    // RON lets a file begin with the extensions it uses.
    let good = format!("#![enable(implicit_some)]\n{good}");
    door.points_at_each(&good, &mistakes("jitter: 0.1, → jitter: -0.1, | -0.1 | jitter"));
}

#[test]
fn five_mistakes_in_a_topology_are_told_at_once() {
    let five = mistakes(
        r#"94.1Mbit/s", → 0Mbit/s", | 0Mbit/s | bandwidth
jitter: 0.05 → jitter: -1.0 | supervisor | jitter is -1
Mds(n: 5, k: 4) → Mds(n: 4, k: 5) | Mds(n: 4 | n = 4 shares of k = 5
["conv1"] → ["conv7"] | conv7 | no layer "conv7"
clients: 1 → clients: 0 | clients | nobody sends"#,
    );
    let door = Door::to(|path| Plan::read(path).map(drop));
    door.tells_all_at_once(&shipped("topologies/lenet5.ron"), &five);
}

const FAULTS: &str = r##"
pi-3 → pi-9 | pi-9 | no device or tag "pi-9"
pi-3 →  | who | no device or tag
"fc1" → "fc9" | fc9 | no stage "fc9"
request: 40 → request: 1000 | 1000 | request 1000 is never sent
request: 40 → request: -1 | -1 | out of bounds
FirstReply → LastReply | LastReply | LastReply
what: Crash → what: Crush | Crush | Crush
what: Crash → what: Restart, lasts: "1s" | lasts | over at once
what: Crash → what: Crash, lasts: 1 | lasts | Expected string
what: Crash → what: Slow(by: 0.5) | Slow | slow by 0.5
what: Crash → what: Slow(by: NaN) | Slow | slow by NaN
what: Crash → what: Drop(probability: 1.5) | Drop | 1.5 is not a probability
what: Crash → what: Drop(probability: NaN) | Drop | NaN is not a probability
what: Crash → what: Delay(Uniform(low: "2ms", high: "1ms")) | Delay | is above high
what: Crash → what: Delay(Empirical(csv: "words.csv")) | words.csv | three numbers
what: Crash → what: Delay(Empirical(csv: "narrow.csv")) | narrow.csv | no bin
what: Crash → what: Flap(down: "0s", up: "1s") | Flap | too short
what: Crash → what: Overload(load: 1.0, each: "1ms") | Overload | a load of 1 leaves no time
what: Crash → what: Corrupt(how: Scale(inf)) | Corrupt | inf is no factor
at: AtStage(request: 40, stage: "fc1", phase: FirstReply) → at: Every("0s") | Every | too short
at: AtStage(request: 40, stage: "fc1", phase: FirstReply) → at: Chance(1.5) | Chance | not a probability
at: AtStage(request: 40, stage: "fc1", phase: FirstReply) → at: OnEvent(Died("pi")) | Died | several devices
pi-3 → any 9 of pi | any 9 | devices that are not there
pi-3 → any few of pi | any few | names no number of devices
1e-4 → -1e-4 | MaxAbsError | -0.0001 is no bound
1e-4 → NaN | MaxAbsError | NaN is no bound
AtMostTimesTwin(1.25) → AtMostTimesTwin(-1.0) | AtMostTimesTwin | -1 is no bound
AtMostTimesTwin(1.25) → AtMost("soon") | soon | not a length of time
faults: [ → requests: 0, faults: [ | requests | no requests
faults: [ → faults: [() | faults | missing field
"##;

#[test]
fn a_mutated_fault_plan_is_refused_with_place_reason_and_fix_or_is_good() {
    let plan = Plan::read(&root().join("topologies/lenet5.ron")).expect("shipped");
    let door = Door::to(|path| FaultPlan::read(path, &plan).map(drop));
    door.withstands_mutations_of(&shipped("fault-plans/one-dies.ron"), 400);
}

#[test]
fn each_mistake_in_a_fault_plan_is_pointed_at_and_five_are_told_at_once() {
    let plan = Plan::read(&root().join("topologies/lenet5.ron")).expect("shipped");
    let door = Door::to(|path| FaultPlan::read(path, &plan).map(drop));
    let (good, mistakes) = (shipped("fault-plans/one-dies.ron"), mistakes(FAULTS));
    door.points_at_each(&good, &mistakes);
    let one_each = ["pi-9", "fc9", "Slow", "MaxAbsError", "AtMostTimesTwin"];
    let first = |line| *mistakes.iter().find(|mistake| mistake[2] == line).expect("in the table");
    door.tells_all_at_once(&good, &one_each.map(first));
}

/// A field of a protobuf message: all of its bytes, and where in them its value begins.
struct Field<'m> {
    bytes: &'m [u8],
    value: usize,
    wire: u8,
}

/// The fields of a message; nothing if it is none.
fn fields(mut message: &[u8]) -> Option<Vec<Field<'_>>> {
    let varint = |bytes: &[u8]| bytes.iter().position(|byte| *byte < 128).map(|last| last + 1);
    let mut fields = Vec::new();
    while let Some(first) = message.first() {
        let (wire, key) = (first & 7, varint(message)?);
        let (value, end) = match wire {
            0 => (key, key + varint(message.get(key..)?)?),
            1 => (key, key + 8),
            5 => (key, key + 4),
            2 => {
                let digits = varint(&message[key..])?;
                let digit = |len: usize, byte: &u8| len << 7 | usize::from(byte & 127);
                let len = message[key..key + digits].iter().rev().fold(0, digit);
                (key + digits, key.checked_add(digits)?.checked_add(len)?)
            }
            _ => return None,
        };
        fields.push(Field { bytes: message.get(..end)?, value, wire });
        message = &message[end..];
    }
    Some(fields)
}

/// The message with each field, at every depth, dropped, doubled, and made empty or huge.
fn surgeries(message: &[u8], each: &mut dyn FnMut(String, Vec<u8>)) {
    for (at, Field { bytes, value, wire }) in fields(message).into_iter().flatten().enumerate() {
        let start = bytes.as_ptr() as usize - message.as_ptr() as usize;
        let with =
            |instead: &[u8]| [&message[..start], instead, &message[start + bytes.len()..]].concat();
        let key = &bytes[..bytes.iter().position(|byte| *byte < 128).unwrap_or(0) + 1];
        each(format!("{at} dropped"), with(&[]));
        each(format!("{at} doubled"), with(&bytes.repeat(2)));
        match wire {
            0 => {
                each(format!("{at} = 2^40"), with(&[key, &[128, 128, 128, 128, 128, 32]].concat()))
            }
            2 => each(format!("{at} emptied"), with(&[key, &[0]].concat())),
            _ => each(format!("{at} = 0"), with(&[key, &vec![0; bytes.len() - value]].concat())),
        }
        if wire == 2 && bytes.len() < 1 << 20 {
            surgeries(&bytes[value..], &mut |what, inside| {
                let len = (0..4).map(|digit| (inside.len() >> (7 * digit)) as u8 & 127 | 128);
                let len: Vec<u8> = len.chain([0]).collect();
                each(format!("{at}.{what}"), with(&[key, &len, &inside].concat()));
            });
        }
    }
}

/// The model file cut off, flipped bit by bit (its ends more often: there are no weights), and
/// operated on.
fn broken_models(good: &[u8], each: &mut dyn FnMut(String, Vec<u8>)) {
    each("emptied".to_owned(), Vec::new());
    each("a text".to_owned(), b"once upon a time".to_vec());
    for cut in (0..good.len()).step_by(good.len() / 40).chain(0..40) {
        each(format!("cut off at {cut}"), good[..cut].to_vec());
    }
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for flip in 0..120 {
        let within = [0..2000, good.len() - 800..good.len(), 0..good.len()][flip % 3].clone();
        let (at, bit) = (rng.random_range(within), rng.random_range(0..8));
        let mut bytes = good.to_vec();
        bytes[at] ^= 1 << bit;
        each(format!("bit {bit} of byte {at} flipped"), bytes);
    }
    surgeries(good, each);
}

#[test]
fn a_broken_model_is_refused_by_name_or_runs() {
    let folder = TempDir::new().expect("a temporary folder");
    let (path, topology) = (folder.path().join("bad.onnx"), folder.path().join("bad.ron"));
    std::fs::write(&topology, topology_of(&path)).expect("written");
    let (mut refused, mut ill) = (0, Vec::new());
    broken_models(&model("lenet5-fashion"), &mut |what, bytes| {
        std::fs::write(&path, bytes).expect("written");
        let outcome = unharmed(|| match Network::open(&path).map_err(|why| why.to_string()) {
            Ok(_) => runs(&topology).map(|()| false),
            Err(why) if why.contains("bad.onnx is ") || why.contains('"') => Ok(true),
            Err(why) => Err(format!("it names nothing: {why}")),
        });
        match outcome.and_then(|outcome| outcome) {
            Ok(is_refused) => refused += usize::from(is_refused),
            Err(why) => ill.push(format!("{what}: {why}")),
        }
    });
    assert!(ill.is_empty(), "{} models:\n{}", ill.len(), ill.join("\n"));
    assert!(refused >= 200, "only {refused} were refused");
}

/// What is planned can be run; what is not is refused by name.
fn runs(topology: &Path) -> Result<(), String> {
    let Ok(plan) = Plan::read(topology) else { return Ok(()) };
    let run =
        |setup: Setup| setup.run(Clock::Virtual, &mut |_| std::ops::ControlFlow::Continue(()));
    let trace = Setup::new(Arc::new(plan), 1, Seed(1)).and_then(run);
    trace.map(drop).map_err(|why| format!("planned, but not run: {why:#}"))
}

/// A folder with a good topology in it, for the program.
fn workplace() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    put(&folder, "good.ron", shipped("topologies/lenet5.ron"));
    folder
}

/// What the program says; killed, with no exit code, if it takes too long.
fn kofn(folder: &TempDir, args: &[&str]) -> Output {
    let mut program = assert_cmd::Command::new(env!("CARGO_BIN_EXE_kofn"));
    program.current_dir(folder).args(args).timeout(Duration::from_secs(20));
    program.output().expect("the program starts")
}

fn assert_refused(output: &Output, context: &str) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64), "{context}: {said}");
    assert!(output.stdout.is_empty(), "{context}: stdout is for results");
    assert!(!said.contains("panicked"), "{context}: {said}");
    said
}

#[test]
fn the_program_exits_with_64_and_says_where_and_what_to_do() {
    let folder = workplace();
    let (topology, faults) =
        (shipped("topologies/lenet5.ron"), shipped("fault-plans/one-dies.ron"));
    let commands: [(&[&str], &str, &str); 4] = [
        (&["run", "bad.ron", "--requests", "3"], &topology, TOPOLOGY),
        (&["plan", "bad.ron"], &topology, TOPOLOGY),
        (&["check", "bad.ron"], &faults, FAULTS),
        (&["run", "good.ron", "--faults", "bad.ron"], &faults, FAULTS),
    ];
    for (args, good, table) in commands {
        for mistake in mistakes(table).iter().step_by(table.lines().count() / 3) {
            let context = format!("{args:?} {mistake:?}");
            put(&folder, "bad.ron", with_mistakes(good, &[*mistake]));
            let said = assert_refused(&kofn(&folder, args), &context);
            let place = said.split_once("bad.ron:").expect(&context).1;
            let numbers = place.splitn(3, ':').take(2).all(|number| number.parse::<u32>().is_ok());
            assert!(numbers && said.contains("help:"), "{context}: {said}");
        }
    }
}

#[test]
fn the_program_exits_with_64_on_arguments_it_cannot_follow_and_names_them() {
    let cases: [(&[&str], &str); 11] = [
        (&["dance"], "dance"),
        (&["run"], "TOPOLOGY"),
        (&["run", "nowhere.ron"], "nowhere.ron"),
        (&["run", "good.ron", "--nope"], "--nope"),
        (&["run", "good.ron", "--requests", "0"], "--requests 0"),
        (&["run", "good.ron", "--requests", "-1"], "-1"),
        (&["run", "good.ron", "--clock", "sundial"], "sundial"),
        (&["run", "good.ron", "--faults", "nowhere.ron"], "nowhere.ron"),
        (&["run", "good.ron", "--requests", "1", "--trace", "no/where"], "no/where"),
        (&["plan", "."], ".:1:1"),
        (&["check", "nowhere.ron"], "nowhere.ron"),
    ];
    let folder = workplace();
    for (args, named) in cases {
        let said = assert_refused(&kofn(&folder, args), &format!("{args:?}"));
        assert!(said.contains(named), "{args:?}: {said}");
    }
    let good = kofn(&folder, &["run", "good.ron", "--requests", "3"]);
    assert_eq!(good.status.code(), Some(0), "{}", String::from_utf8_lossy(&good.stderr));
}

/// `y = relu(x)` where x has 2^33 rows.
const VAST: &[u8] = b"\x08\x08\x42\x02\x10\x0d\x3a\x31\
    \x0a\x0c\x0a\x01x\x12\x01y\x22\x04Relu\x12\x01g\
    \x5a\x13\x0a\x01x\x12\x0e\x0a\x0c\x08\x01\x12\x08\x0a\x06\x08\x80\x80\x80\x80\x20\
    \x62\x09\x0a\x01y\x12\x04\x0a\x02\x08\x01";

#[test]
fn no_file_makes_the_program_run_for_ever_or_ask_for_all_the_memory_there_is() {
    let folder = workplace();
    let good = shipped("topologies/lenet5.ron");
    let crowd = good.replace("clients: 1", "clients: 18446744073709551615");
    let noise = topology_of(&root().join("topologies/models/lenet5-fashion.onnx"));
    let noise = noise.replace("Random(count: 1)", "Random(count: 1000000000000)");
    // The axis of the first normalisation is −1; with one bit flipped it is far beyond.
    let mut axis = model("tinyvit-fashion");
    let at = axis.windows(6).position(|bytes| bytes == b"axis\x18\xff").expect("it has one") + 13;
    axis[at] ^= 32;
    let far = topology_of(&put(&folder, "far.onnx", axis));
    let vast = topology_of(&put(&folder, "vast.onnx", VAST));
    let cases = [("crowd", crowd), ("noise", noise), ("far axis", far), ("vast input", vast)];
    let ill = cases.iter().filter_map(|(what, text)| {
        put(&folder, "bad.ron", text);
        let output = kofn(&folder, &["run", "bad.ron", "--requests", "3"]);
        let ends = matches!(output.status.code(), Some(0 | 64));
        (!ends).then(|| {
            format!("{what}: {:?} {}", output.status, String::from_utf8_lossy(&output.stderr))
        })
    });
    let ill: Vec<String> = ill.collect();
    assert!(ill.is_empty(), "{}", ill.join("\n"));
}
