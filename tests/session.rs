//! Sessions: what is typed strikes, going back is exact, branches share their past, and what is
//! written is the same run.

mod support;

use std::path::Path;
use std::sync::{Arc, LazyLock};

use kofn::drive::{Clock, Setup};
use kofn::event::{Event, Record};
use kofn::plan::{FaultPlan, Plan};
use kofn::session::{Origin, Session, Stop};
use kofn::units::{Span, Time};
use kofn::view::board::Face;
use proptest::prelude::*;
use support::{plan, root, setup, simulate};

static LENET: LazyLock<Arc<Plan>> = LazyLock::new(|| plan("lenet5"));

fn lenet(requests: usize) -> Setup {
    setup(&LENET, requests)
}

fn session(requests: usize) -> Session {
    let topology = root().join("topologies/lenet5.ron").display().to_string();
    let origin = Origin { topology, ..Origin::default() };
    Session::start(&lenet(requests), Clock::Virtual, None, origin).expect("threads are to be had")
}

fn ms(milliseconds: f64) -> Span {
    Span::from_millis(milliseconds)
}

/// Lets the run go on until it is over.
fn to_the_end(session: &mut Session) {
    while !session.branch().is_over() {
        session.branch_mut().jump(Stop::Request).expect("the run goes on");
    }
}

/// Lets the run go on for so long, however busy the machine is: a run that cannot keep up is seen where it is.
fn go_on(session: &mut Session, span: Span) {
    let to = session.branch().moment() + span;
    while session.branch().moment() < to {
        session.advance(to - session.branch().moment()).expect("the run goes on");
    }
}

fn trace(session: &mut Session) -> Vec<Record> {
    let branch = session.branch_mut();
    let all = branch.playhead().len();
    branch.look_at(all).expect("known");
    let recent = branch.recent(all).expect("in memory");
    let mut records: Vec<Record> = recent.newest_first().map(|(_, r)| r.clone()).collect();
    records.reverse();
    records
}

#[test]
fn a_typed_crash_strikes_the_request_in_flight_and_it_is_answered_all_the_same() {
    let mut session = session(20);
    for _ in 0..3 {
        session.branch_mut().jump(Stop::Request).expect("the run goes on");
    }
    session.branch_mut().jump(Stop::Stage).expect("the run goes on");
    session.strike("Crash", "pi-3").expect("pi-3 can crash");
    go_on(&mut session, Span(1));
    let board = session.branch().playhead().board().clone();
    assert_eq!(board.devices[2].face(), Face::Dead, "it is dead in the next nanosecond");
    to_the_end(&mut session);
    let tally = &session.branch().playhead().board().tally;
    assert_eq!((tally.answered, tally.failed), (20, 0));
    assert!(tally.rebuilt > 0, "something was rebuilt");
}

#[test]
fn a_written_session_is_the_same_run_record_for_record() {
    let mut session = session(12);
    for (who, what) in [
        ("pi-2", "Slow(by: 20)"),
        ("pi-4", "(what: Crash, lasts: \"9ms\")"),
        ("pi-5", "(at: Every(\"3ms\"), what: Freeze, lasts: \"1ms\")"),
        ("pi-3", "(at: Chance(0.2), what: Restart)"),
        ("pi-2", "(at: OnEvent(Ended(4)), what: Crash, lasts: \"2ms\")"),
        ("pi-1", "Corrupt(how: Scale(1.5))"),
    ] {
        session.branch_mut().jump(Stop::Request).expect("the run goes on");
        session.strike(what, who).expect("it can strike");
        session.branch_mut().jump(Stop::Stage).expect("the run goes on");
    }
    session.undo().expect("the lie is in force");
    session.branch_mut().jump(Stop::Request).expect("the run goes on");
    session.heal_all().expect("the slow one is slow");
    to_the_end(&mut session);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("session.ron");
    let text = session.as_fault_plan(&path).expect("it can be written");
    std::fs::write(&path, &text).expect("room on the disk");
    let faults = FaultPlan::read(&path, &LENET).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(faults.faults.len(), 6, "{text}");
    assert!(
        text.contains("// request 1 is in ") || text.contains("// request 1 was taken on"),
        "each is stamped with what was going on:\n{text}"
    );
    assert!(text.contains("until: "), "what was called off says so:\n{text}");
    let requests = faults.requests.expect("it says how many");
    let again = simulate(&lenet(requests).with_faults(faults.faults));
    assert_eq!(trace(&mut session), again);
    let check = assert_cmd::Command::new(env!("CARGO_BIN_EXE_kofn"))
        .arg("check")
        .arg(&path)
        .output()
        .expect("the program starts");
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
}

#[test]
fn a_fault_in_the_past_makes_a_branch_that_shares_what_was_before() {
    let mut session = session(10);
    to_the_end(&mut session);
    let whole = trace(&mut session);
    let moment = whole[whole.len() / 3].at;
    session.branch_mut().look_at_moment(moment).expect("known");
    session.strike("Crash", "pi-5").expect("pi-5 can crash");
    assert_eq!((session.branches(), session.current()), (2, 1));
    let seen = session.branch().moment();
    assert!(seen >= moment && seen <= moment + Span(1), "the eye stays where it was");
    to_the_end(&mut session);
    let branch = trace(&mut session);
    let shared = whole.iter().take_while(|record| record.at <= moment).count();
    assert_eq!(branch[..shared], whole[..shared]);
    assert!(matches!(branch[shared].event, Event::FaultBegan { .. }));
    assert_ne!(branch[shared..], whole[shared..]);
    let (until, standings) = session.compare().expect("known");
    assert_eq!(standings.len(), 2);
    assert_eq!(standings[1].forked, Some(moment));
    assert_eq!(standings[1].last_typed.as_deref(), Some("Crash"));
    assert!(standings.iter().all(|standing| standing.answered > 3), "up to {until}");
}

#[test]
fn what_is_wrong_with_what_was_typed_is_said_and_changes_nothing() {
    let mut session = session(5);
    go_on(&mut session, ms(3.0));
    for (typed, words) in [
        ("Explode", "Explode"),
        ("Slow(by: 0.5)", "at least 1"),
        ("(who: \"pi-9\", what: Crash)", "pi-9"),
        ("(at: At(\"1ms\"), what: Crash)", "is over"),
        ("Crash), (what: Crash", "missing field"),
        ("", "expected"),
    ] {
        let refusal = session.strike(typed, "pi-1").expect_err(typed);
        assert!(refusal.to_lowercase().contains(&words.to_lowercase()), "{typed}: {refusal}");
    }
    assert!(!session.branch().script().was_typed());
    assert!(session.undo().is_err(), "there is nothing to undo");
    assert!(session.heal_all().is_err(), "nor to heal");
}

#[test]
fn the_monkey_does_the_same_with_the_same_seed_and_nothing_is_lost() {
    let wild = |step: f64| {
        let mut session = session(30);
        session.set_monkey(Some(100.0)).expect("there are devices");
        while !session.branch().is_over() {
            session.advance(ms(step)).expect("the run goes on");
        }
        let faults = session.branch().playhead().board().faults.len();
        assert!(faults > 3, "{faults} faults");
        trace(&mut session)
    };
    let trace = wild(5.0);
    for step in [0.7, 5.0, 1e4] {
        assert_eq!(trace, wild(step), "however far it goes at once");
    }
    let failed = trace
        .iter()
        .filter(|record| matches!(record.event, Event::Judged { error, .. } if error > 1e-3));
    assert_eq!(failed.count(), 0, "no answer is wrong");
}

#[test]
fn a_trace_from_a_file_can_be_watched_and_not_be_broken() {
    let mut session = session(4);
    to_the_end(&mut session);
    let header = session.branch().playhead().header().clone();
    let mut watched = Session::of_trace(header, trace(&mut session), None).expect("it is short");
    watched.branch_mut().jump(Stop::Request).expect("known");
    assert_eq!(watched.branch().playhead().board().tally.accepted, 1);
    let refusal = watched.strike("Crash", "pi-1").expect_err("it is over");
    assert!(refusal.contains("only be watched"), "{refusal}");
    assert!(watched.command(None).is_err());
    assert!(watched.as_fault_plan(Path::new("x.ron")).is_err());
}

#[test]
fn the_command_of_a_moment_says_all_that_makes_it() {
    let mut session = session(4);
    go_on(&mut session, ms(2.0));
    let command = session.command(None).expect("nothing was typed");
    assert!(command.ends_with("--at 2000000ns --seed 1"), "{command}");
    session.strike("Freeze", "pi-1").expect("it can strike");
    assert!(session.command(None).is_err(), "what was typed must be written first");
    let command = session.command(Some("my.ron")).expect("it was");
    assert!(command.contains("--faults my.ron --requests 4 --at 2000001ns"), "{command}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_board_of_a_place_is_the_same_whichever_way_one_comes(
        places in prop::collection::vec(0.0..1.0f64, 1..12),
    ) {
        let mut session = session(60);
        session.branch_mut().jump(Stop::Request).expect("the run goes on");
        session.strike("Crash", "pi-2").expect("it can strike");
        to_the_end(&mut session);
        let records = trace(&mut session);
        let header = session.branch().playhead().header().clone();
        for place in places {
            let at = (place * records.len() as f64) as usize;
            session.branch_mut().look_at(at).expect("known");
            let mut fresh = kofn::view::board::Board::new(&header);
            records[..at].iter().for_each(|record| fresh.take(&header, record));
            let seen = session.branch().playhead().board();
            prop_assert_eq!(format!("{:?}", fresh), format!("{:?}", seen));
        }
    }
}

#[test]
fn every_kind_of_fault_has_words_that_can_be_typed() {
    let mut session = session(5);
    go_on(&mut session, ms(1.0));
    for (kind, words) in kofn::plan::typed::kinds() {
        session.strike(words, "pi-1").unwrap_or_else(|refusal| panic!("{kind}: {refusal}"));
    }
    assert_eq!(kofn::plan::typed::kinds().count(), kofn::fault::FaultKind::NAMES.len());
}

#[test]
fn a_word_is_completed_as_far_as_it_is_known() {
    use kofn::plan::typed::completion;
    let completed = |text: &str| completion(text, &LENET);
    assert_eq!(completed("Cra").as_deref(), Some("sh"));
    assert_eq!(completed("Sl").as_deref(), Some("ow(by: 4)"));
    assert_eq!(completed("(who: \"pi-").as_deref(), Some("1"));
    assert_eq!(completed("(wh").as_deref(), Some("o: \""));
    assert_eq!(completed("Crash"), None);
    assert_eq!(completed("Xyz"), None);
    assert_eq!(completed(""), None);
}

#[test]
fn time_zero_is_a_place_too() {
    let mut session = session(3);
    session.branch_mut().jump(Stop::Request).expect("the run goes on");
    session.branch_mut().look_at(0).expect("known");
    assert_eq!(session.branch().moment(), Time::ZERO);
    assert_eq!(session.branch().playhead().board().tally.accepted, 0);
}

#[test]
fn a_live_run_is_broken_and_healed_while_it_goes_on() {
    let topology = root().join("topologies/lenet5.ron").display().to_string();
    let origin = Origin { topology, ..Origin::default() };
    let mut session = Session::start(&lenet(400), Clock::Live, None, origin).expect("threads");
    session.branch_mut().jump(Stop::Request).expect("the run goes on");
    session.strike("Crash", "pi-2").expect("it can strike");
    session.branch_mut().jump(Stop::Trouble).expect("the run goes on");
    session.branch_mut().jump(Stop::Request).expect("the run goes on");
    assert_eq!(session.branch().playhead().board().devices[1].face(), Face::Dead);
    session.undo().expect("it is in force");
    to_the_end(&mut session);
    session.branch_mut().follow().expect("the run is over");
    let board = session.branch().playhead().board();
    assert_eq!((board.tally.answered, board.tally.failed), (400, 0));
    assert_ne!(board.devices[1].face(), Face::Dead, "it came back");
    assert!(session.branch().script().was_typed());
}
