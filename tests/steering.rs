//! A run that is steered is the run of a plan that says the same beforehand, record for record.

mod support;

use std::ops::ControlFlow;
use std::sync::Arc;

use kofn::drive::{Clock, Command, Progress, Setup, Trace, helm};
use kofn::event::Event;
use kofn::fault::{FaultKind, Slow};
use kofn::plan::{Fault, Plan, Trigger};
use kofn::units::{DeviceId, FaultId, Time};
use proptest::prelude::*;
use support::{plan, setup, simulate};

/// Runs in virtual time, saying these things one after the other.
fn steered(setup: &Setup, commands: &[Command]) -> Trace {
    let (helm, rudder) = helm();
    commands.iter().for_each(|command| helm.say(command.clone()));
    drop(helm);
    let mut trace = Trace::new();
    let watch = &mut |progress| {
        if let Progress::Happened(record) = progress {
            trace.push(record);
        }
        ControlFlow::Continue(())
    };
    setup.steered(Clock::Virtual, rudder, watch).expect("kofn does not break down");
    trace
}

const TO_THE_END: Command = Command::Until(Time(u64::MAX));

fn fault(kind: u8, device: usize, at: u64) -> Fault {
    let what = match kind % 4 {
        0 => FaultKind::Crash,
        1 => FaultKind::Freeze,
        2 => FaultKind::Restart,
        _ => FaultKind::Slow(Slow { by: 30.0 }),
    };
    let who = vec![DeviceId(device)].into();
    Fault { trigger: Trigger::At(Time(at)), who, what, lasts: None, from: None, until: None }
}

fn lenet() -> Arc<Plan> {
    use std::sync::LazyLock;
    static LENET: LazyLock<Arc<Plan>> = LazyLock::new(|| plan("lenet5"));
    LENET.clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_said_on_the_way_is_as_if_planned_before(
        faults in prop::collection::vec((any::<u8>(), 0..5usize, 0..40_000_000u64), 1..4),
        heal_after in 1..20_000_000u64,
    ) {
        let setup = setup(&lenet(), 8);
        let mut faults: Vec<Fault> = faults.iter().map(|(k, d, at)| fault(*k, *d, *at + 1)).collect();
        faults.sort_by_key(|fault| {
            if let Trigger::At(at) = fault.trigger { at } else { Time::ZERO }
        });
        let mut commands = Vec::new();
        let mut last = 0;
        for fault in &faults {
            let Trigger::At(Time(at)) = fault.trigger else { unreachable!() };
            commands.extend([Command::Until(Time(at - 1)), Command::Plan(fault.clone())]);
            last = at;
        }
        let healed = Time(last + heal_after);
        commands.push(Command::Until(Time(healed.0 - 1)));
        commands.push(Command::CallOff { fault: FaultId(0), from: healed });
        commands.push(TO_THE_END);
        let said = steered(&setup, &commands);
        faults[0].until = Some(healed);
        let planned = simulate(&setup.with_faults(faults));
        prop_assert_eq!(said, planned);
    }
}

#[test]
fn a_run_that_nobody_lets_go_on_stays_where_it_is() {
    let setup = setup(&lenet(), 4);
    let whole = simulate(&setup);
    let until = whole[whole.len() / 2].at;
    let part = steered(&setup, &[Command::Until(until)]);
    let due = whole.iter().take_while(|record| record.at <= until).count();
    assert_eq!(part, whole[..due]);
}

#[test]
fn a_step_goes_to_the_end_of_the_moment_of_the_next_record() {
    let setup = setup(&lenet(), 4);
    let whole = simulate(&setup);
    let stepped = steered(&setup, &[Command::Next, Command::Next, Command::Next]);
    let moments: Vec<Time> = {
        let mut moments: Vec<Time> = stepped.iter().map(|record| record.at).collect();
        moments.dedup();
        moments
    };
    assert_eq!(moments.len(), 4, "the start and three steps: {moments:?}");
    assert_eq!(stepped, whole[..stepped.len()]);
    assert!(whole[stepped.len()].at > stepped.last().expect("some").at, "no moment is left in two");
}

#[test]
fn a_live_run_is_told_of_faults_too() {
    let setup = setup(&lenet(), 50);
    let (helm, rudder) = helm();
    let mut said = false;
    let mut events = Vec::new();
    let watch = &mut |progress| {
        let Progress::Happened(record) = progress else { return ControlFlow::Continue(()) };
        if !said && matches!(record.event, Event::Answered { .. }) {
            said = true;
            helm.say(Command::Plan(fault(0, 3, 1)));
        }
        events.push(record.event);
        ControlFlow::Continue(())
    };
    setup.steered(Clock::Live, rudder, watch).expect("kofn does not break down");
    let died = |event: &Event| matches!(event, Event::Died { device: DeviceId(3), .. });
    assert!(events.iter().any(died), "the board crashed in mid-run");
    let answered = events.iter().filter(|event| matches!(event, Event::Answered { .. })).count();
    assert_eq!(answered, 50);
}
