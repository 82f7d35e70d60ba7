//! Jumps: to where something happens, forward or back.

use super::branch::Branch;
use crate::event::Event;

/// Where a jump ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// At the next record.
    Record,
    /// Where the next round begins.
    Stage,
    /// Where the next request is taken on.
    Request,
    /// Where something goes wrong: a fault, a death, a late or wrong share, a failure.
    Trouble,
}

impl Stop {
    fn is(self, event: &Event) -> bool {
        match self {
            Self::Record => true,
            Self::Stage => matches!(event, Event::Scattered { attempt: 0, .. }),
            Self::Request => matches!(event, Event::Accepted { .. }),
            Self::Trouble => matches!(
                event,
                Event::FaultBegan { .. }
                    | Event::Died { .. }
                    | Event::Caught { .. }
                    | Event::Doubted { .. }
                    | Event::DeadlinePassed { .. }
                    | Event::Failed { .. }
            ),
        }
    }
}

impl Branch {
    /// Goes on to where something is, running as far as needed.
    ///
    /// # Errors
    /// If the run broke down, or old records cannot be read back.
    pub fn jump(&mut self, to: Stop) -> anyhow::Result<()> {
        self.listen()?;
        let mut at = self.playhead().at();
        loop {
            while at == self.playhead().len() && !self.is_over() {
                self.next()?;
            }
            let Some(record) = self.record(at)? else { break };
            at += 1;
            if to.is(&record.event) {
                break;
            }
        }
        self.look_at(at)
    }

    /// Goes back to where something was.
    ///
    /// # Errors
    /// If old records cannot be read back.
    pub fn jump_back(&mut self, to: Stop) -> anyhow::Result<()> {
        let mut at = self.playhead().at().saturating_sub(1);
        while at > 0 {
            let record = self.record(at - 1)?;
            if record.is_some_and(|record| to.is(&record.event)) {
                break;
            }
            at -= 1;
        }
        self.look_at(at)
    }
}
