//! Every figure can be measured, drawn and written; claims that do not rest on chance hold even quickly.

mod support;

use std::process::Command;

use kofn::figures::{ALL, Finding, Scope};
use support::root;

fn quick(id: &str) -> Finding {
    let figure = ALL.iter().find(|figure| figure.id == id).expect("a figure");
    let scope = Scope { topologies: root().join("topologies"), quick: true };
    figure.reproduce(&scope).unwrap_or_else(|error| panic!("{id}: {error}"))
}

#[test]
fn every_figure_is_measured_and_drawn() {
    for figure in ALL {
        let finding = quick(figure.id);
        assert!(!finding.claims.is_empty() && !finding.remarks.is_empty(), "{}", figure.id);
        let columns = finding.table.heads.len();
        assert!(finding.table.rows.iter().all(|row| row.len() == columns), "{}", figure.id);
        let csv = finding.table.to_csv();
        assert_eq!(csv.lines().count(), finding.table.rows.len() + 1, "{}", figure.id);
        let svg = finding.chart.to_svg().unwrap_or_else(|error| panic!("{error}"));
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{}", figure.id);
        for series in &finding.chart.series {
            assert!(!series.points.is_empty(), "{}: {}", figure.id, series.name);
        }
    }
}

#[test]
fn claims_that_are_counted_hold() {
    for id in ["cdc-fig14", "cdc-two"] {
        for claim in quick(id).claims {
            assert!(claim.holds, "{id}: {} is {}", claim.what, claim.measured);
        }
    }
}

#[test]
fn the_same_figure_is_measured_the_same_again() {
    let (first, second) = (quick("letcc-rate"), quick("letcc-rate"));
    assert_eq!((&first.claims, &first.table), (&second.claims, &second.table));
    assert_eq!(first.chart.to_svg().expect("drawn"), second.chart.to_svg().expect("drawn"));
}

#[test]
fn the_command_writes_a_table_and_a_chart_and_says_what_holds() {
    let out = tempfile::tempdir().expect("a folder");
    let kofn = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kofn"));
        command.current_dir(root()).env("NO_COLOR", "1").args(args).output().expect("starts")
    };
    let folder = out.path().to_string_lossy().into_owned();
    let done = kofn(&["reproduce", "cdc-two", "--out", &folder]);
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("8 of 10"), "{said}");
    for file in ["cdc-two.csv", "cdc-two.svg"] {
        assert!(out.path().join(file).is_file(), "{file}");
    }
    let unknown = kofn(&["reproduce", "fig-99"]);
    assert_eq!(unknown.status.code(), Some(64));
    assert!(
        String::from_utf8_lossy(&unknown.stderr).contains("cdc-recovery"),
        "it says which there are"
    );
    assert!(String::from_utf8_lossy(&kofn(&["reproduce"]).stdout).contains("letcc-models"));
}

#[test]
fn codes_are_compared_with_none_and_with_copies_of_the_same_budget() {
    let out = tempfile::tempdir().expect("a folder");
    let folder = out.path().to_string_lossy().into_owned();
    let kofn = |codes: &str, more: &[&str]| {
        let args = ["compare", "topologies/lenet5.ron", "--requests", "30", "--codes", codes];
        let mut command = Command::new(env!("CARGO_BIN_EXE_kofn"));
        command
            .current_dir(root())
            .env("NO_COLOR", "1")
            .args(args)
            .args(more)
            .output()
            .expect("starts")
    };
    let codes = "Mds(5, 4), Parity(4), ShiftAdd(n: 5, k: 4, form: Mixed)";
    let faults = ["--faults", "fault-plans/one-dies.ron", "--json", "--out", &folder];
    let done = kofn(codes, &faults);
    let said: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let names: Vec<&str> =
        said.as_array().expect("a list").iter().filter_map(|c| c["code"].as_str()).collect();
    let want = ["Uncoded(4)", "Replication(5, 4)", "Mds(5, 4)", "Parity(4)"];
    assert_eq!(names[..4], want);
    for code in &said.as_array().expect("a list")[2..] {
        assert_eq!(code["answered"], 1.0, "{code}");
        assert_eq!(code["top1_agreement"], 1.0, "{code}");
    }
    assert!(out.path().join("compare.svg").is_file() && out.path().join("compare.csv").is_file());
    let text = kofn("Mds(5, 4)", &[]);
    assert!(String::from_utf8_lossy(&text.stdout).contains("any 1"));
    for (wrong, why) in [
        ("", "names none"),
        ("Mds(5)", "n"),
        ("Best(5, 4)", "Best"),
        ("Mds(4, 5)", "choose 1 ≤ k ≤ n"),
        ("Mds(9, 4)", "9 shares for 5 devices"),
    ] {
        let refused = kofn(wrong, &[]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(64), "{wrong}: {said}");
        assert!(said.contains(why), "{wrong}: {said}");
    }
}
