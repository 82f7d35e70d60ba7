//! Imports point down: the table of floors in the front page, held against the source.

use std::fs;
use std::path::{Path, PathBuf};

/// Each room, the rooms it may import, and the crates that only it may know.
const ROOMS: &[(&str, &[&str])] = &[
    ("units", &[]),
    ("maths", &["units"]),
    ("code", &["units", "maths"]),
    ("model", &["units", "maths"]),
    ("fault", &["units", "maths"]),
    ("event", &["units"]),
    ("plan", &["units", "maths", "code", "model", "fault", "event"]),
    ("node", &["units", "maths", "code", "model", "fault", "event", "plan"]),
    ("drive", &["units", "maths", "code", "model", "fault", "event", "plan", "node"]),
    ("view", &["units", "plan", "event"]),
    ("swarm", &["units", "maths", "code", "event", "plan", "drive"]),
    ("session", &["units", "maths", "fault", "event", "plan", "drive", "view"]),
    ("screen", &["units", "event", "plan", "view", "session"]),
    ("figures", &["units", "maths", "code", "model", "fault", "event", "plan", "drive"]),
    ("advise", &["units", "maths", "code", "model", "fault", "plan", "node", "drive", "view"]),
    (
        "cli",
        &[
            "units", "maths", "event", "plan", "drive", "view", "swarm", "session", "figures",
            "advise", "screen",
        ],
    ),
];

/// Crates that belong to some rooms only.
const CRATES: &[(&str, &[&str])] = &[
    ("tract_onnx", &["model"]),
    ("prost", &["model"]),
    ("actix", &["drive"]),
    ("tokio", &["drive"]),
    ("rayon", &["drive", "maths"]),
    ("pulp", &["maths"]),
    ("nalgebra", &["maths"]),
    ("ron", &["plan"]),
    ("clap", &["cli"]),
    ("ratatui", &["screen"]),
    ("lz4_flex", &["view"]),
    ("indicatif", &["cli"]),
    ("comfy_table", &["view"]),
    ("quick_junit", &["view"]),
    ("plotters", &["figures"]),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of sources");
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.expect("readable").path()) {
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The room a file is in: the first part of its path under `src`.
fn room(path: &Path) -> String {
    let inside = path.strip_prefix(src()).expect("under src");
    let first = inside.iter().next().expect("a file").to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Code without comments and tests, line by line.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let code = text.split("#[cfg(test)]").next().unwrap_or("");
    let lines = code.lines().enumerate();
    lines.filter(|(_, line)| !line.trim_start().starts_with("//")).map(|(at, line)| (at + 1, line))
}

/// Names that follow `prefix` in a line, as in `crate::plan` or `use tract_onnx`.
fn named<'l>(line: &'l str, prefix: &str) -> Vec<&'l str> {
    let after = line.split(prefix).skip(1);
    let name = |rest: &'l str| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next();
    after.filter_map(name).filter(|name| !name.is_empty()).collect()
}

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for path in sources(&src()) {
        let here = room(&path);
        let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == here) else {
            assert!(
                ["lib", "main"].contains(&here.as_str()),
                "{here} is not in the table of floors"
            );
            continue;
        };
        let text = fs::read_to_string(&path).expect("utf-8");
        for (line, content) in code(&text) {
            assert!(!content.contains("crate::{"), "{}:{line}: import by room", path.display());
            for name in named(content, "crate::") {
                let is_room = ROOMS.iter().any(|(room, _)| *room == name);
                if is_room && name != here && !allowed.contains(&name) {
                    wrong.push(format!("{}:{line}: {here} imports {name}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn crates_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for path in sources(&src()) {
        let here = room(&path);
        let text = fs::read_to_string(&path).expect("utf-8");
        for (line, content) in code(&text) {
            for (name, rooms) in CRATES {
                if content.contains(&format!("{name}::")) && !rooms.contains(&here.as_str()) {
                    wrong.push(format!("{}:{line}: {here} knows {name}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_and_none_is_a_giant() {
    for path in sources(&src()) {
        let text = fs::read_to_string(&path).expect("utf-8");
        assert!(text.starts_with("//! "), "{} does not say what it is", path.display());
        let lines = text.lines().count();
        assert!(lines <= 400, "{} has {lines} lines; redraw the room", path.display());
    }
}
