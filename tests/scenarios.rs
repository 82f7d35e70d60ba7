//! Every shipped topology runs, every fault plan ends as it expects, and what must hold, holds.

mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;

use kofn::event::Event;
use kofn::plan::{FaultPlan, Plan, Problems};
use kofn::units::RequestId;
use kofn::view::report::Report;
use kofn::view::verdict::{Evidence, Status, Trial, Verdict};
use support::{answers, count, dead_from_the_start, fault_plan, plan, root, setup, simulate};

fn ron_files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).expect("shipped");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "ron"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_topology_is_sound_and_starts_with_its_story() {
    let files = ron_files("topologies");
    assert!(files.len() >= 7);
    for file in files {
        let text = std::fs::read_to_string(&file).expect("utf-8");
        assert!(text.starts_with("// "), "{} tells no story", file.display());
        Plan::read(&file).unwrap_or_else(|problems: Problems| panic!("{problems}"));
    }
}

#[test]
fn every_fault_plan_ends_as_it_expects() {
    let files = ron_files("fault-plans");
    assert!(files.len() >= 4);
    for file in files {
        let text = std::fs::read_to_string(&file).expect("utf-8");
        assert!(text.starts_with("// "), "{} tells no story", file.display());
        let (plan, faults) = fault_plan(&file);
        let verdict = judge(&plan, &faults);
        assert_eq!(verdict.status, Status::Pass, "{}: {:?}", file.display(), verdict.checks);
    }
}

fn judge(plan: &std::sync::Arc<Plan>, faults: &FaultPlan) -> Verdict {
    let calm = setup(plan, faults.requests.unwrap_or(plan.requests));
    let run = simulate(&calm.with_faults(faults.faults.clone()));
    let twin = simulate(&calm);
    let struck: Vec<_> = faults
        .faults
        .iter()
        .map(|fault| (fault.what.to_string(), fault.who.devices.clone()))
        .collect();
    let report = Report::new(plan, 1, &struck, &run, Some(&twin));
    Verdict::of(&Trial {
        run: &Evidence::of(plan, &run),
        twin: Some(&Evidence::of(plan, &twin)),
        expectations: &faults.expect,
        some_fault_never_struck: report.some_fault_never_struck(),
        stopped: false,
    })
}

/// Accuracy over the 1 000 images with as many devices dead as the code tolerates.
fn within_the_margin(topology: &str, dead: &[usize], right: usize) {
    let plan = plan(topology);
    let faults = dead.iter().map(|device| dead_from_the_start(*device)).collect();
    let trace = simulate(&setup(&plan, 1000).with_faults(faults));
    let answers = answers(&trace);
    assert_eq!(answers.len(), 1000, "{topology}: every request is answered");
    for (request, error, top1, top1_of_whole) in &answers {
        assert!(*error <= 1e-4, "{topology}: request {} is off by {error}", request.0);
        assert_eq!(top1, top1_of_whole, "{topology}: request {}", request.0);
    }
    let labelled = count(
        &trace,
        |event| matches!(event, Event::Judged { top1, label: Some(label), .. } if top1 == label),
    );
    assert_eq!(labelled, right, "{topology}");
    let rebuilt =
        count(&trace, |e| matches!(e, Event::Decoded { rebuilt, .. } if !rebuilt.is_empty()));
    let plain_is_gone = dead.iter().any(|device| *device < plan.stages[1].code.sources());
    assert!(!plain_is_gone || rebuilt >= 1000, "{topology}: {rebuilt} rounds rebuilt");
}

#[test]
fn lenet5_is_right_906_times_of_1000_with_any_one_board_dead() {
    for device in 0..5 {
        within_the_margin("lenet5", &[device], 906);
    }
}

#[test]
fn vgglite_is_right_933_times_of_1000_with_two_of_eight_dead() {
    within_the_margin("vgglite", &[0, 3], 933);
}

#[test]
fn tinyvit_is_right_886_times_of_1000_with_two_of_six_dead() {
    within_the_margin("tinyvit", &[1, 2], 886);
}

#[test]
fn every_request_ends_exactly_once_even_when_too_many_die() {
    let plan = plan("lenet5");
    let faults = [0, 1, 2, 3, 4].map(dead_from_the_start).to_vec();
    let trace = simulate(&setup(&plan, 12).with_faults(faults));
    let mut ends: BTreeMap<RequestId, usize> = BTreeMap::new();
    for record in &trace {
        if let Event::Answered { request, .. } | Event::Failed { request, .. } = &record.event {
            *ends.entry(*request).or_default() += 1;
        }
    }
    assert_eq!(ends.into_values().collect::<Vec<_>>(), vec![1; 12]);
    assert_eq!(count(&trace, |event| matches!(event, Event::Judged { .. })), 0, "none is answered");
}

#[test]
fn a_failure_names_the_stage_the_count_and_the_silent_devices() {
    let plan = plan("lenet5");
    let faults = [1, 4].map(dead_from_the_start).to_vec();
    let trace = simulate(&setup(&plan, 1).with_faults(faults));
    let reason = trace.iter().find_map(|record| {
        let Event::Failed { reason, .. } = &record.event else { return None };
        Some(reason.clone())
    });
    let reason = reason.expect("three of five do not make four");
    assert_eq!(
        reason,
        "stage conv2 is unrecoverable: 3 of 4 needed shares after 3 tries; \
         nothing from pi-2 (share 1), pi-5 (share 4)"
    );
}

#[test]
fn a_fault_that_changes_nothing_leaves_every_moment_as_in_the_twin() {
    let plan = plan("lenet5");
    let calm = setup(&plan, 20);
    let mut idle = dead_from_the_start(0);
    idle.what = kofn::fault::FaultKind::Slow(kofn::fault::Slow { by: 1.0 });
    let weathered = simulate(&calm.with_faults(vec![idle]));
    let struck = |event: &Event| matches!(event, Event::FaultBegan { .. });
    let rest: Vec<_> = weathered.into_iter().filter(|record| !struck(&record.event)).collect();
    assert_eq!(rest, simulate(&calm));
}

#[test]
fn a_restarted_device_is_given_its_shares_and_works_again() {
    let plan = plan("lenet5");
    let mut fault = dead_from_the_start(2);
    fault.what = kofn::fault::FaultKind::Restart;
    let trace = simulate(&setup(&plan, 20).with_faults(vec![fault]));
    let deployed =
        |event: &Event| matches!(event, Event::Deployed { device, shares: 5, .. } if device.0 == 2);
    assert_eq!(count(&trace, deployed), 1);
    let works = |event: &Event| matches!(event, Event::Arrived { device, .. } if device.0 == 2);
    assert!(count(&trace, works) > 0, "it answers once it holds its shares");
    let refused = |event: &Event| matches!(event, Event::Refused { device, .. } if device.0 == 2);
    assert!(count(&trace, refused) > 0, "and says so while it does not");
    assert_eq!(answers(&trace).len(), 20);
}

#[test]
fn a_spare_is_asked_when_a_deadline_passes() {
    let text = std::fs::read_to_string(support::topology("lenet5-uncoded")).expect("shipped");
    let text = text
        .replace("count: 4", "count: 5")
        .replace(r#"on: ["pi"]"#, r#"on: ["pi-1", "pi-2", "pi-3", "pi-4"], spares: ["pi-5"]"#)
        .replace("models/", &format!("{}/topologies/models/", root().display()));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("spare.ron");
    std::fs::write(&path, text).expect("written");
    let plan = std::sync::Arc::new(Plan::read(&path).unwrap_or_else(|p| panic!("{p}")));
    let trace = simulate(&setup(&plan, 3).with_faults(vec![dead_from_the_start(1)]));
    assert_eq!(answers(&trace).len(), 3, "without a code, a spare copy saves the request");
    let spare = |event: &Event| matches!(event, Event::Arrived { device, .. } if device.0 == 4);
    assert_eq!(count(&trace, spare), 15, "five stages, three requests");
}
