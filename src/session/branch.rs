//! A branch: one run with its script, and the moment of it that is looked at.

mod hearing;

use super::Standing;
use super::engine::Engine;
use super::script::{Change, Script};
use crate::drive::{Clock, Command, Setup};
use crate::event::Record;
use crate::units::Time;
use crate::view::playhead::Playhead;
use crate::view::tape::Recent;
use crate::view::trace::Header;

/// One run, and the moment of it that is looked at.
#[derive(Debug)]
pub struct Branch {
    name: String,
    /// The branch it left, and when.
    forked: Option<(usize, Time)>,
    script: Script,
    playhead: Playhead,
    /// None for a trace from a file.
    engine: Option<Engine>,
    live: bool,
    /// The moment that is looked at: not before the playhead's, and before the next record's.
    moment: Time,
    /// Until when the run may go on.
    allowed: Time,
    /// How many commands the run has obeyed.
    obeyed: u64,
    /// Whether no more records come.
    over: bool,
}

impl Branch {
    pub(super) fn start(
        name: String,
        header: Header,
        setup: &Setup,
        clock: Clock,
        script: Script,
    ) -> anyhow::Result<Self> {
        let engine = Engine::start(setup.with_faults(script.faults()), clock)?;
        let live = clock == Clock::Live;
        Ok(Self { live, engine: Some(engine), ..Self::new(name, script, Playhead::new(header)) })
    }

    pub(super) fn of_trace(playhead: Playhead) -> Self {
        let trace = Self::new("1".to_owned(), Script::default(), playhead);
        Self { over: true, allowed: Time(u64::MAX - 1), ..trace }
    }

    fn new(name: String, script: Script, playhead: Playhead) -> Self {
        Self {
            name,
            forked: None,
            script,
            playhead,
            engine: None,
            live: false,
            moment: Time::ZERO,
            allowed: Time::ZERO,
            obeyed: 0,
            over: false,
        }
    }

    pub(super) fn fork_from(&mut self, parent: usize, at: Time) {
        self.forked = Some((parent, at));
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn script(&self) -> &Script {
        &self.script
    }

    pub fn playhead(&self) -> &Playhead {
        &self.playhead
    }

    /// The moment that is looked at.
    pub fn moment(&self) -> Time {
        self.moment
    }

    /// Whether no more records come.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Whether nothing later is known.
    pub fn is_at_newest(&self) -> bool {
        self.playhead.is_at_head() && (self.moment >= self.allowed || self.over)
    }

    /// The last moment of which all is known.
    pub(super) fn newest_stamp(&self) -> Time {
        self.moment.max(self.playhead.board().now)
    }

    /// The last moment of which something is known.
    pub(super) fn newest(&mut self) -> Time {
        // If it cannot be read back, whoever looks there is told so.
        let last = self.last_moment().unwrap_or_default();
        if self.over { last } else { last.max(self.allowed) }
    }

    /// What is going on: the request in flight and its stage.
    pub(super) fn scene(&self) -> String {
        let flight = self.playhead.board().flights.values().next();
        let at = flight.map(|flight| match flight.round() {
            Some((stage, _)) => {
                let stage = self.playhead.header().stage(stage);
                format!("request {} is in {stage}", flight.request.0)
            }
            None => format!("request {} was taken on", flight.request.0),
        });
        at.unwrap_or_default()
    }

    /// One record.
    pub(super) fn record(&mut self, at: usize) -> anyhow::Result<Option<Record>> {
        Ok(self.playhead.record(at)?)
    }

    /// The newest records before the playhead.
    ///
    /// # Errors
    /// If old records cannot be read back.
    pub fn recent(&mut self, most: usize) -> anyhow::Result<Recent> {
        Ok(self.playhead.recent(most)?)
    }

    /// Tells the run what is new in the script.
    ///
    /// # Errors
    /// If the run broke down.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Script, Time)) -> anyhow::Result<()> {
        let old = self.script.clone();
        change(&mut self.script, self.moment);
        let Some(engine) = &mut self.engine else { return Ok(()) };
        for change in self.script.after(&old) {
            engine.say(match change {
                Change::Add(fault) => Command::Plan(fault),
                Change::CallOff { fault, from } => Command::CallOff { fault, from },
            });
        }
        // What was said is the next thing to happen, and is to be seen at once.
        if self.live {
            return Ok(());
        }
        let next = Time(self.newest_stamp().0 + 1);
        self.allow(next);
        self.rest()?;
        self.moment = next;
        Ok(self.playhead.seek_moment(next)?)
    }

    fn allow(&mut self, until: Time) {
        if let Some(engine) = &mut self.engine
            && until > self.allowed
        {
            self.allowed = until;
            engine.say(Command::Until(until));
        }
    }

    /// Looks at a later moment, as far as the run has come.
    ///
    /// # Errors
    /// If the run broke down, or old records cannot be read back.
    pub fn go_on_until(&mut self, moment: Time) -> anyhow::Result<()> {
        if !self.is_busy() {
            self.allow(moment);
        }
        self.listen_soon()?;
        // A run that cannot keep up is seen where it is, not where it should be.
        let known = if self.over || self.is_busy() { self.last_moment()? } else { moment };
        self.moment = self.moment.max(known.min(moment));
        Ok(self.playhead.seek_moment(self.moment)?)
    }

    /// Waits for a run that is followed and cannot keep up.
    ///
    /// # Errors
    /// If the run broke down, or old records cannot be read back.
    pub(super) fn settle(&mut self) -> anyhow::Result<()> {
        if self.is_busy() && self.playhead.is_at_head() {
            self.rest()?;
            self.moment = self.moment.max(self.allowed);
            self.playhead.seek_moment(self.moment)?;
        }
        Ok(())
    }

    fn last_moment(&mut self) -> anyhow::Result<Time> {
        let Some(last) = self.playhead.len().checked_sub(1) else { return Ok(Time::ZERO) };
        Ok(self.record(last)?.map_or(Time::ZERO, |record| record.at))
    }

    /// In real time: looks at now.
    ///
    /// # Errors
    /// If the run broke down, or old records cannot be read back.
    pub fn follow(&mut self) -> anyhow::Result<()> {
        self.listen()?;
        self.playhead.seek(self.playhead.len())?;
        self.moment = self.playhead.board().now;
        Ok(())
    }

    /// Lets the run reach a moment, and waits for that.
    ///
    /// # Errors
    /// If the run broke down, or old records cannot be read back.
    pub(super) fn catch_up_with(&mut self, moment: Time) -> anyhow::Result<()> {
        self.allow(Time(moment.0 + 1));
        self.rest()?;
        self.moment = Time(moment.0 + 1).min(self.newest());
        Ok(self.playhead.seek_moment(self.moment)?)
    }

    /// Looks at a place of the trace.
    ///
    /// # Errors
    /// If old records cannot be read back.
    pub fn look_at(&mut self, at: usize) -> anyhow::Result<()> {
        self.playhead.seek(at)?;
        self.moment = self.playhead.board().now;
        Ok(())
    }

    /// Looks at an earlier or later moment that is known already.
    ///
    /// # Errors
    /// If old records cannot be read back.
    pub fn look_at_moment(&mut self, moment: Time) -> anyhow::Result<()> {
        self.moment = moment.min(self.newest());
        Ok(self.playhead.seek_moment(self.moment)?)
    }

    pub(super) fn standing(&mut self, until: Time) -> anyhow::Result<Standing> {
        let (here, moment) = (self.playhead.at(), self.moment);
        self.playhead.seek_moment(until)?;
        let board = self.playhead.board();
        let standing = Standing {
            name: self.name.clone(),
            forked: self.forked.map(|(_, at)| at),
            last_typed: self.script.last_typed(),
            accepted: board.tally.accepted,
            answered: board.tally.answered,
            failed: board.tally.failed,
            p50: board.latency(0.5),
            p99: board.latency(0.99),
            max_error: board.tally.max_error,
        };
        self.playhead.seek(here)?;
        self.moment = moment;
        Ok(standing)
    }
}
