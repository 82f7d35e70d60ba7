//! The helm of a run that people steer: how far it may go, and what shall go wrong next.
//!
//! A steered run and the run of a plan that says the same beforehand are the same run, record for
//! record: what is said takes effect at its own moment, never earlier than all that is due before it.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::coming::Pace;
use super::run::Run;
use crate::event::Record;
use crate::node::Input;
use crate::plan::Fault;
use crate::units::{FaultId, Time};

/// What is said to a run while it goes on.
#[derive(Clone, Debug)]
pub enum Command {
    /// Go on, in virtual time, until all that is due by this moment has happened.
    Until(Time),
    /// Go on, in virtual time, until there is another record, and to the end of its moment.
    Next,
    /// Plan another fault. In virtual time its moment must be later than what was allowed so far.
    Plan(Fault),
    /// A fault strikes no more from this moment on.
    CallOff { fault: FaultId, from: Time },
}

/// What is told of a run that is steered.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    Happened(Record),
    /// In virtual time: so many commands are obeyed, and all that is due by this moment has happened.
    Resting {
        obeyed: u64,
        at: Time,
    },
}

/// Whoever holds it steers; the run stops when it is dropped.
#[derive(Clone, Debug)]
pub struct Helm(UnboundedSender<Command>);

/// The run's end of a helm.
#[derive(Debug)]
pub struct Rudder(pub(super) UnboundedReceiver<Command>);

/// A helm and what it moves.
pub fn helm() -> (Helm, Rudder) {
    let (helm, rudder) = unbounded_channel();
    (Helm(helm), Rudder(rudder))
}

impl Helm {
    /// Says something; a run that is over does not hear it.
    pub fn say(&self, command: Command) {
        let _ = self.0.send(command);
    }
}

/// How far a run in virtual time may go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leave {
    Until(Time),
    /// Until there are more records than this.
    Beyond(u64),
}

impl Leave {
    /// Until when all has happened once the run rests.
    pub(super) fn until(self, now: Time) -> Time {
        match self {
            Self::Until(until) => until.max(now),
            Self::Beyond(_) => now,
        }
    }

    /// Whether the next thing may happen.
    pub(super) fn lets<P: Pace>(&mut self, run: &Run<'_, P>, now: Time) -> bool {
        if let Self::Beyond(noted) = *self
            && run.noted() > noted
        {
            *self = Self::Until(now);
        }
        match *self {
            Self::Until(until) => run.next_due().is_none_or(|due| due <= until),
            Self::Beyond(_) => true,
        }
    }
}

/// Does what is said, and says how far the run may now go.
pub(super) async fn obey<P: Pace>(
    run: &mut Run<'_, P>,
    now: Time,
    command: Command,
    leave: Leave,
) -> Leave {
    match command {
        Command::Until(until) => return Leave::Until(until),
        Command::Next => return Leave::Beyond(run.noted()),
        Command::Plan(fault) => run.tell_chaos(now, Input::Planned(Box::new(fault))).await,
        Command::CallOff { fault, from } => {
            run.tell_chaos(now, Input::CalledOff { fault, from }).await;
        }
    }
    leave
}
