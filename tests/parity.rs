//! Virtual and real time run the same nodes and give the same answers.

mod support;

use std::ops::ControlFlow;

use actix::Actor;
use kofn::drive::{Clock, Host, Setup, Step, Trace};
use kofn::event::{Event, Record};
use kofn::fault::FaultKind;
use kofn::node::{Device, Effect, Input, Job, Message, NodeId, Output, RoundId, Ticket};
use kofn::plan::{Fault, Phase, Trigger};
use kofn::units::{DeviceId, RequestId, Span, Time};
use support::{answers, count, plan, setup, simulate};

fn live(setup: &Setup) -> Trace {
    setup.run(Clock::Live, &mut |_| ControlFlow::Continue(())).expect("the run ends")
}

#[test]
fn without_a_code_both_give_the_same_bits() {
    let setup = setup(&plan("lenet5-uncoded"), 50);
    assert_eq!(answers(&live(&setup)), answers(&simulate(&setup)));
}

#[test]
fn with_a_code_both_name_the_same_classes() {
    let setup = setup(&plan("lenet5"), 50);
    let classes = |trace: &Trace| -> Vec<(RequestId, usize)> {
        answers(trace).into_iter().map(|(request, _, top1, _)| (request, top1)).collect()
    };
    let (real, simulated) = (live(&setup), simulate(&setup));
    assert_eq!(classes(&real), classes(&simulated));
    assert!(answers(&real).iter().all(|(_, error, ..)| *error <= 1e-4));
}

fn dies_in_mid_layer(lasts: Option<Span>) -> Fault {
    let request = RequestId(3);
    let stage = kofn::units::StageId(2);
    let trigger = Trigger::AtStage { request, stage, phase: Phase::FirstReply };
    Fault {
        trigger,
        who: vec![DeviceId(1)].into(),
        what: FaultKind::Crash,
        lasts,
        from: None,
        until: None,
    }
}

#[test]
fn in_real_time_too_a_device_may_die_in_mid_layer_and_all_is_answered() {
    let setup = setup(&plan("lenet5"), 30).with_faults(vec![dies_in_mid_layer(None)]);
    let trace = live(&setup);
    assert_eq!(answers(&trace).len(), 30);
    assert_eq!(count(&trace, |event| matches!(event, Event::Died { .. })), 1);
    let died = trace.iter().position(|r| matches!(r.event, Event::Died { .. })).expect("it died");
    let works = |record: &Record| matches!(record.event, Event::Started { device, .. } if device == DeviceId(1));
    assert!(!trace[died..].iter().any(works), "the dead do not work; a reply may be on its way");
}

#[test]
fn in_real_time_too_a_device_that_comes_back_is_deployed_again() {
    let fault = dies_in_mid_layer(Some(Span::from_millis(2.0)));
    let trace = live(&setup(&plan("lenet5"), 300).with_faults(vec![fault]));
    assert_eq!(answers(&trace).len(), 300);
    assert_eq!(count(&trace, |event| matches!(event, Event::Deployed { shares: 5, .. })), 1);
}

/// A crash drops the last address of a device's actor; what it was at runs on another thread.
#[test]
fn in_real_time_the_job_of_a_device_that_dies_stops() {
    let setup = setup(&plan("lenet5"), 1);
    let held = setup.deployment.held_by(DeviceId(0));
    let (&(stage, share), _) = held.first_key_value().expect("it holds shares");
    let round = RoundId { request: RequestId(0), stage };
    let ticket = Ticket { round, share, attempt: 0, again: 0 };
    let task = Message::Task(ticket, setup.cases[0].inputs.clone().into());
    let runtime = || tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    actix::System::with_tokio_rt(runtime).block_on(async {
        let host = Host::new(Device::deployed(DeviceId(0), held)).start().recipient::<Step>();
        let input = Input::Mail { from: NodeId::Supervisor, message: task };
        let effects = host.send(Step { now: Time::ZERO, input }).await.expect("it is up");
        let job = |effect| if let Effect::Work(job) = effect { Some(job) } else { None };
        let job = effects.0.into_iter().find_map(job).expect("it begins");
        let Job::Share { wanted, .. } = &job else { panic!("a device computes its share") };
        let wanted = wanted.clone();
        assert!(wanted.is_so(), "while the device lives");
        drop(host);
        // Its actor is gone after a turn or two of this thread.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!wanted.is_so(), "nobody wants the result of who is gone");
        let Output::Share { result, .. } = job.run() else { panic!("a share's job gives a share") };
        assert_eq!(result.expect_err("it stops"), "it was called off");
    });
}
