//! The engine: a run on a thread of its own, and what is said and heard of it.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::drive::{Clock, Command, Helm, Progress, Setup, helm};

/// A run that goes on elsewhere. Dropping it stops the run.
#[derive(Debug)]
pub(super) struct Engine {
    helm: Helm,
    heard: Receiver<Heard>,
    /// How many commands were said.
    said: u64,
}

/// What is heard of a run.
#[derive(Debug)]
pub(super) enum Heard {
    Progress(Progress),
    /// Nothing more will come; why, if that is not as it should be.
    Over(Option<String>),
}

/// How many records a run may be ahead of who listens.
const AHEAD: usize = 16_384;

/// Less than a frame.
const SOON: Duration = Duration::from_millis(4);

/// No single record takes so long, unless the run is broken.
const PATIENCE: Duration = Duration::from_secs(10);

impl Engine {
    pub(super) fn start(setup: Setup, clock: Clock) -> anyhow::Result<Self> {
        let (helm, rudder) = helm();
        let (say, heard) = sync_channel(AHEAD);
        thread::Builder::new().name("run".to_owned()).spawn(move || {
            let ran = setup.steered(clock, rudder, &mut |progress| tell(&say, progress));
            let why = ran.err().map(|error| format!("{error:#}"));
            let _ = say.send(Heard::Over(why));
        })?;
        Ok(Self { helm, heard, said: 0 })
    }

    /// How many commands were said.
    pub(super) fn said(&self) -> u64 {
        self.said
    }

    pub(super) fn say(&mut self, command: Command) {
        self.said += 1;
        self.helm.say(command);
    }

    /// What is heard without waiting.
    pub(super) fn hear(&self) -> Option<Heard> {
        match self.heard.try_recv() {
            Ok(heard) => Some(heard),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Heard::Over(Some(BROKEN.to_owned()))),
        }
    }

    /// What is heard soon.
    pub(super) fn hear_soon(&self) -> Option<Heard> {
        match self.heard.recv_timeout(SOON) {
            Ok(heard) => Some(heard),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Heard::Over(Some(BROKEN.to_owned()))),
        }
    }

    /// What is heard next.
    pub(super) fn wait(&self) -> Heard {
        self.heard.recv_timeout(PATIENCE).unwrap_or_else(|error| match error {
            RecvTimeoutError::Timeout => Heard::Over(Some("the run does not go on".to_owned())),
            RecvTimeoutError::Disconnected => Heard::Over(Some(BROKEN.to_owned())),
        })
    }
}

const BROKEN: &str = "the run broke down";

fn tell(say: &SyncSender<Heard>, progress: Progress) -> ControlFlow<()> {
    match say.send(Heard::Progress(progress)) {
        Ok(()) => ControlFlow::Continue(()),
        // Nobody listens any more.
        Err(_) => ControlFlow::Break(()),
    }
}
