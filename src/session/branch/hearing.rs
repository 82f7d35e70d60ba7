//! Hearing what a branch's run has to say, and waiting for it.

use super::Branch;
use crate::drive::{Command, Progress};
use crate::event::Event;
use crate::session::engine::{Engine, Heard};

impl Branch {
    /// Whether the run has not yet done what it was told. In real time it never rests, and says nothing
    /// of that.
    pub(super) fn is_busy(&self) -> bool {
        !self.live
            && !self.over
            && self.engine.as_ref().is_some_and(|engine| engine.said() > self.obeyed)
    }

    /// Lets the run go on to its next record, and waits for that.
    pub(in crate::session) fn next(&mut self) -> anyhow::Result<()> {
        let Some(engine) = &mut self.engine else { return Ok(()) };
        if self.live {
            return self.wait();
        }
        engine.say(Command::Next);
        self.rest()
    }

    /// Waits until the run has done all that was said.
    pub(super) fn rest(&mut self) -> anyhow::Result<()> {
        while self.is_busy() {
            self.wait()?;
        }
        Ok(())
    }

    /// Takes in one thing that is heard of the run, however long that takes.
    fn wait(&mut self) -> anyhow::Result<()> {
        let heard = self.engine.as_ref().map(Engine::wait);
        heard.map_or(Ok(()), |heard| self.take(heard))
    }

    /// Takes in what was heard of the run meanwhile.
    ///
    /// # Errors
    /// If the run broke down, or old records cannot be written to a temporary file.
    pub fn listen(&mut self) -> anyhow::Result<()> {
        for _ in 0..MOST_AT_ONCE {
            let Some(heard) = self.engine.as_ref().filter(|_| !self.over).and_then(Engine::hear)
            else {
                break;
            };
            self.take(heard)?;
        }
        Ok(())
    }

    /// Takes in what the run says until it has done what it was told, unless that takes longer than
    /// people wait for a key.
    pub(super) fn listen_soon(&mut self) -> anyhow::Result<()> {
        for _ in 0..MOST_SOON {
            let busy = self.is_busy();
            let Some(heard) = self.engine.as_ref().filter(|_| busy).and_then(Engine::hear_soon)
            else {
                break;
            };
            self.take(heard)?;
        }
        self.listen()
    }

    fn take(&mut self, heard: Heard) -> anyhow::Result<()> {
        match heard {
            Heard::Progress(Progress::Resting { obeyed, at }) => {
                self.obeyed = obeyed;
                self.allowed = self.allowed.max(at);
                Ok(())
            }
            Heard::Progress(Progress::Happened(record)) => {
                if self.live
                    && let Event::FaultBegan { fault, .. } = record.event
                {
                    self.script.struck(fault, record.at);
                }
                Ok(self.playhead.push(record)?)
            }
            Heard::Over(why) => {
                self.over = true;
                self.engine = None;
                why.map_or(Ok(()), |why| Err(anyhow::anyhow!(why)))
            }
        }
    }
}

/// So many are waited for.
const MOST_SOON: usize = 2000;

/// So many records are taken in between two frames.
const MOST_AT_ONCE: usize = 20_000;
