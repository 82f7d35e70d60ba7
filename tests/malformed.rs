//! Malformed files: hundreds of mutations of good ones. Each is refused with a place, a reason and a
//! fix, or is still a good file; none panics.

use std::fmt::Write as _;
use std::ops::{ControlFlow, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kofn::model::Network;
use kofn::plan::{FaultPlan, Plan, Problems};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A shipped file that can be read from anywhere: what it names has absolute paths.
fn good(name: &str) -> String {
    let text = std::fs::read_to_string(shipped(name)).expect("shipped");
    let folder = shipped("topologies");
    text.replace("\"models/", &format!("\"{}/models/", folder.display()))
}

/// A file that differs from a good one, and how.
struct Mutation {
    what: String,
    text: String,
}

// --- text mutations

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

/// What else could stand where a token stands.
fn instead_of(token: &str) -> Vec<String> {
    const ANYTHING: [&str; 14] = [
        "",
        "\"\"",
        "\"🦀\"",
        "\"",
        "-1",
        "0",
        "1e999",
        "NaN",
        "inf",
        "99999999999999999999",
        "18446744073709551615",
        "true",
        "[]",
        "()",
    ];
    let first = token.chars().next().expect("a token has a character");
    let mut others: Vec<String> = if first.is_alphabetic() {
        vec![String::new(), format!("{token}x"), token.to_lowercase(), format!("r#{token}")]
    } else if "()[]:,".contains(first) {
        ["", "(", ")", "[", "]", "{", "}", ":", ",", "#", "/*"].map(String::from).to_vec()
    } else {
        ANYTHING.map(String::from).to_vec()
    };
    let number = token.trim_matches('"');
    if let Some(unit) = number.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|at| *at > 0)
    {
        for number in ["", "-3", "0", "1e9", "NaN", "1.2.3", "999999999999999999999999"] {
            others.push(format!("\"{number}{}", &token[1 + unit..]));
        }
        others.push(format!("\"{}\"", &number[..unit]));
    }
    others.push(format!("{token} {token}"));
    others.retain(|other| other != token);
    others
}

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
    for field in tokens.windows(4).filter(|four| &good[four[1].clone()] == ":") {
        let place = field[0].start..field[3].end;
        replace(place.clone(), "");
        replace(place.clone(), &good[place.clone()].repeat(2));
    }
    let mut at = 0;
    for line in good.split_inclusive('\n') {
        replace(at..at + line.len(), "");
        replace(at..at + line.len(), &line.repeat(2));
        at += line.len();
        replace(at..good.len(), "");
        replace(at - line.len() / 2..good.len(), "");
    }
    mutations.retain(|m| m.text.is_char_boundary(0));
    mutations
}

/// What is wrong with the way problems are told, if anything.
fn ill_told(problems: &Problems, path: &Path, text: &str) -> Result<(), String> {
    let said = problems.to_string();
    if said.is_empty() {
        return Err("refused without a word".to_owned());
    }
    for line in said.lines() {
        let fault = |why: &str| Err(format!("{why}: {line}"));
        let Some(rest) = line.strip_prefix(&format!("{}:", path.display())) else {
            return fault("does not begin with the file");
        };
        let parts: Vec<&str> = rest.splitn(3, ':').collect();
        let [row, column, message] = parts[..] else { return fault("no line and column") };
        let (Ok(row), Ok(column)) = (row.parse::<usize>(), column.parse::<usize>()) else {
            return fault("no line and column");
        };
        let rows: Vec<&str> = text.split('\n').collect();
        let here = row.checked_sub(1).and_then(|row| rows.get(row));
        if here.is_none_or(|here| column == 0 || column > here.chars().count() + 1) {
            return fault("points outside the file");
        }
        let Some((message, fix)) = message.trim().split_once(" (") else {
            return fault("no fix");
        };
        if message.is_empty() || fix.len() < 3 || !fix.ends_with(')') {
            return fault("no message or fix");
        }
    }
    for report in problems.reports() {
        let shown = format!("{report:?}");
        if !shown.contains("help:") {
            return Err(format!("no help: {shown}"));
        }
    }
    Ok(())
}

fn panics<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        said.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
    })
}

#[test]
fn explore_topologies() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("bad.ron");
    let mut refused = 0;
    let mut log = String::new();
    let start = std::env::var("START").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let all = mutations(&good("topologies/lenet5.ron"));
    for (i, Mutation { what, text }) in all.iter().enumerate().skip(start) {
        eprintln!("{i} {what}");
        std::fs::write(&path, text).expect("written");
        #[allow(clippy::disallowed_methods)]
        let t = std::time::Instant::now();
        match panics(|| Plan::read(&path)) {
            Err(panic) => writeln!(log, "PANIC {what}: {panic}").unwrap(),
            Ok(Ok(_)) => writeln!(log, "OK {what}").unwrap(),
            Ok(Err(problems)) => {
                refused += 1;
                match ill_told(&problems, &path, text) {
                    Ok(()) => writeln!(log, "FINE {what}: {problems}").unwrap(),
                    Err(why) => writeln!(log, "ILL {what}: {why} --- {problems}").unwrap(),
                }
            }
        }
        if t.elapsed().as_millis() > 100 {
            writeln!(log, "SLOW {:?} {what}", t.elapsed()).unwrap();
        }
    }
    std::fs::write("/tmp/malformed-top.log", &log).unwrap();
    eprintln!("{} mutations, {refused} refused", all.len());
}

#[test]
fn explore_faults() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("bad.ron");
    let plan = Plan::read(&shipped("topologies/lenet5.ron")).expect("good");
    let mut refused = 0;
    let mut log = String::new();
    let all = mutations(&good("fault-plans/one-dies.ron"));
    for Mutation { what, text } in &all {
        std::fs::write(&path, text).expect("written");
        match panics(|| FaultPlan::read(&path, &plan)) {
            Err(panic) => writeln!(log, "PANIC {what}: {panic}").unwrap(),
            Ok(Ok(_)) => writeln!(log, "OK {what}").unwrap(),
            Ok(Err(problems)) => {
                refused += 1;
                match ill_told(&problems, &path, text) {
                    Ok(()) => writeln!(log, "FINE {what}: {problems}").unwrap(),
                    Err(why) => writeln!(log, "ILL {what}: {why} --- {problems}").unwrap(),
                }
            }
        }
    }
    std::fs::write("/tmp/malformed-faults.log", &log).unwrap();
    eprintln!("{} mutations, {refused} refused", all.len());
}

// ---- models

struct Field {
    number: u64,
    wire: u64,
    value: Vec<u8>,
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let (mut value, mut shift) = (0u64, 0);
    loop {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 127).checked_shl(shift)?;
        shift += 7;
        if byte < 128 {
            return Some(value);
        }
        if shift > 63 {
            return None;
        }
    }
}

fn put(mut value: u64, out: &mut Vec<u8>) {
    while value > 127 {
        out.push(value as u8 | 128);
        value >>= 7;
    }
    out.push(value as u8);
}

fn fields(bytes: &[u8]) -> Option<Vec<Field>> {
    let (mut at, mut out) = (0, Vec::new());
    while at < bytes.len() {
        let key = varint(bytes, &mut at)?;
        let start = at;
        let value = match key & 7 {
            0 => {
                varint(bytes, &mut at)?;
                bytes[start..at].to_vec()
            }
            1 => {
                at += 8;
                bytes.get(start..at)?.to_vec()
            }
            5 => {
                at += 4;
                bytes.get(start..at)?.to_vec()
            }
            2 => {
                let len = varint(bytes, &mut at)? as usize;
                let s = at;
                at = at.checked_add(len)?;
                bytes.get(s..at)?.to_vec()
            }
            _ => return None,
        };
        if key >> 3 == 0 {
            return None;
        }
        out.push(Field { number: key >> 3, wire: key & 7, value });
    }
    Some(out)
}

fn encode(fields: &[Field]) -> Vec<u8> {
    let mut out = Vec::new();
    for f in fields {
        put(f.number << 3 | f.wire, &mut out);
        if f.wire == 2 {
            put(f.value.len() as u64, &mut out);
        }
        out.extend(&f.value);
    }
    out
}

fn surgery(bytes: &[u8], rng: &mut ChaCha8Rng, what: &mut String) -> Vec<u8> {
    let Some(mut all) = fields(bytes).filter(|a| !a.is_empty()) else { return bytes.to_vec() };
    // choose by distinct number first
    let mut numbers: Vec<u64> = all.iter().map(|f| f.number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let number = if numbers.contains(&7) && bytes.len() > 100_000 {
        7
    } else {
        numbers[rng.random_range(0..numbers.len())]
    };
    let places: Vec<usize> = (0..all.len()).filter(|i| all[*i].number == number).collect();
    let at = places[rng.random_range(0..places.len())];
    write!(what, "/{number}[{at}]").unwrap();
    let sub = all[at].wire == 2 && all[at].value.len() > 1 && fields(&all[at].value).is_some();
    if sub && (bytes.len() > 100_000 || rng.random_bool(0.85)) {
        all[at].value = surgery(&all[at].value.clone(), rng, what);
        return encode(&all);
    }
    match rng.random_range(0..5) {
        0 => {
            what.push_str(" drop");
            all.remove(at);
        }
        1 => {
            what.push_str(" double");
            let f = Field { number, wire: all[at].wire, value: all[at].value.clone() };
            all.insert(at, f);
        }
        2 => {
            let other = rng.random_range(0..all.len());
            write!(what, " swap value with {other}").unwrap();
            if all[other].wire == all[at].wire {
                let v = all[other].value.clone();
                let w = std::mem::replace(&mut all[at].value, v);
                all[other].value = w;
            }
        }
        _ if all[at].wire == 0 => {
            let values = [
                0,
                1,
                2,
                3,
                7,
                10,
                11,
                16,
                255,
                1 << 20,
                1 << 31,
                1 << 33,
                1 << 40,
                1 << 62,
                u64::MAX,
                u64::MAX - 5,
                1 << 63,
            ];
            let v = values[rng.random_range(0..values.len())];
            write!(what, " = {v}").unwrap();
            let mut out = Vec::new();
            put(v, &mut out);
            all[at].value = out;
        }
        3 => {
            what.push_str(" emptied");
            if all[at].wire == 2 {
                all[at].value.clear();
            }
        }
        _ => {
            let ops = [
                "Conv",
                "Gemm",
                "Relu",
                "MaxPool",
                "Flatten",
                "Reshape",
                "ConvTranspose",
                "Add",
                "MatMul",
                "Loop",
                "If",
                "Softmax",
                "ConstantOfShape",
                "Tile",
                "Expand",
                "Transpose",
                "LSTM",
                "Resize",
                "Range",
                "NonZero",
                "Gather",
                "x",
                "logits",
                "/Relu_output_0",
                "conv1.weight",
            ];
            let v = ops[rng.random_range(0..ops.len())];
            write!(what, " := {v}").unwrap();
            if all[at].wire == 2 {
                all[at].value = v.as_bytes().to_vec();
            }
        }
    }
    encode(&all)
}

#[test]
fn explore_models() {
    use std::io::Write as _;
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("bad.onnx");
    let top = folder.path().join("t.ron");
    let text = good("topologies/lenet5.ron").replace(
        &format!("{}", shipped("topologies/models/lenet5-fashion.onnx").display()),
        &format!("{}", path.display()),
    );
    let text = text.replace("(layers: [\"conv1\"], code: Mds(n: 5, k: 3)),", "");
    let text = match std::env::var("INPUTS") {
        Ok(i) => {
            let a = text.find("Idx(").unwrap();
            let b = text.find("arrivals").unwrap();
            format!("{}{i},{}", &text[..a], &text[b..])
        }
        _ => text,
    };
    std::fs::write(&top, text).unwrap();
    let good = std::fs::read(shipped(&format!(
        "topologies/models/{}.onnx",
        std::env::var("MODEL").unwrap_or("lenet5-fashion".into())
    )))
    .expect("shipped");
    let mut log = std::fs::File::create("/tmp/malformed-models.log").unwrap();
    let env = |n: &str, d: u64| std::env::var(n).ok().and_then(|s| s.parse().ok()).unwrap_or(d);
    for seed in env("FROM", 0)..env("TO", 200) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut what = format!("{seed} ");
        let bytes = if rng.random_bool(0.1) {
            let mut b = good.clone();
            // flips outside weights are rare: aim at ends
            let n = b.len();
            let at = if rng.random_bool(0.5) {
                rng.random_range(0..4000)
            } else {
                n - rng.random_range(1..1500)
            };
            let bit = 1u8 << rng.random_range(0..8);
            b[at] ^= bit;
            write!(what, "flip {at} {bit}").unwrap();
            b
        } else {
            let mut b = surgery(&good, &mut rng, &mut what);
            if rng.random_bool(0.3) {
                what.push(' ');
                b = surgery(&b, &mut rng, &mut what);
            }
            b
        };
        std::fs::write(&path, &bytes).expect("written");
        write!(log, "{what} ").unwrap();
        log.flush().unwrap();
        #[allow(clippy::disallowed_methods)]
        let t = std::time::Instant::now();
        match panics(|| Network::open(&path)) {
            Err(panic) => writeln!(log, "PANIC OPEN: {panic}").unwrap(),
            Ok(Err(u)) => writeln!(log, "ERR {:?}", u.0).unwrap(),
            Ok(Ok(_)) => match panics(|| Plan::read(&top)) {
                Err(panic) => writeln!(log, "PANIC PLAN: {panic}").unwrap(),
                Ok(Err(p)) => writeln!(log, "REFUSED {:?}", p.to_string()).unwrap(),
                Ok(Ok(plan)) => {
                    use kofn::drive::{Clock, Setup};
                    let plan = std::sync::Arc::new(plan);
                    match panics(|| {
                        Setup::new(plan, 3, kofn::maths::chance::Seed(1))
                            .and_then(|s| s.run(Clock::Virtual, &mut |_| ControlFlow::Continue(())))
                    }) {
                        Err(panic) => writeln!(log, "PANIC RUN: {panic}").unwrap(),
                        Ok(Err(e)) => writeln!(log, "RUN FAILED: {e:#}").unwrap(),
                        Ok(Ok(_)) => writeln!(log, "OK").unwrap(),
                    }
                }
            },
        }
        if t.elapsed().as_millis() > 300 {
            writeln!(log, "SLOW {:?} {what}", t.elapsed()).unwrap();
        }
    }
}
