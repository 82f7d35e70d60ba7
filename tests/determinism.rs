//! Same build, files and seed: same bytes, in any process.

mod support;

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

use kofn::drive::Clock;
use kofn::event::Event;
use support::{plan, root, setup, simulate};

/// Runs the program in a process of its own and gives the bytes of its trace and of its report.
fn run(folder: &Path, name: &str, seed: &str) -> (Vec<u8>, Vec<u8>) {
    let trace = folder.join(name);
    let output = Command::new(env!("CARGO_BIN_EXE_kofn"))
        .current_dir(root())
        .args(["run", "topologies/lenet5.ron", "--faults", "fault-plans/lossy-wifi.ron"])
        .args(["--requests", "200", "--seed", seed, "--format", "json", "--trace"])
        .arg(&trace)
        .output()
        .expect("the program starts");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (std::fs::read(trace).expect("a trace was written"), output.stdout)
}

#[test]
fn two_processes_write_the_same_bytes_and_another_seed_writes_others() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (first, report) = run(folder.path(), "first.jsonl", "7");
    let (second, again) = run(folder.path(), "second.jsonl", "7");
    assert!(first.len() > 100_000, "a trace of {} bytes", first.len());
    assert!(first == second, "the traces differ");
    assert_eq!(report, again);
    let (other, _) = run(folder.path(), "other.jsonl", "8");
    assert!(first != other, "the seed matters");
}

#[test]
fn a_run_that_is_stopped_is_the_beginning_of_the_run_that_is_not() {
    let setup = setup(&plan("lenet5"), 20);
    let seventh =
        |event: &Event| matches!(event, Event::Answered { request, .. } if request.0 == 6);
    let mut watch = |record: &kofn::event::Record| match seventh(&record.event) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let stopped = setup.run(Clock::Virtual, &mut watch).expect("the simulation ends");
    let whole = simulate(&setup);
    assert!(stopped.len() < whole.len());
    assert_eq!(stopped[..], whole[..stopped.len()], "it differs in its end alone");
    let last = &stopped.last().expect("something happened").event;
    assert!(matches!(last, Event::Answered { request, .. } if request.0 == 6), "{last:?}");
}
