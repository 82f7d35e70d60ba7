//! What is typed into a session: faults that strike, and faults that are called off.

use super::{Branch, ONLY_WATCHED, Script, Session};
use crate::drive::{Clock, Setup};
use crate::plan::Trigger;
use crate::plan::typed::Typed;
use crate::units::{FaultId, Time};

impl Session {
    /// What was typed as a fault that would strike now, if it says nothing of whom or when.
    ///
    /// # Errors
    /// What is wrong with what was typed.
    pub fn read(&self, typed: &str, who: &str) -> Result<Typed, String> {
        let Setup { plan, requests, .. } = &self.stage.as_ref().ok_or(ONLY_WATCHED)?.setup;
        Typed::parse(typed, self.next_stamp(), who, plan, *requests)
    }

    /// The moment of whatever is typed now.
    fn next_stamp(&self) -> Time {
        Time(self.branch().newest_stamp().0 + 1)
    }

    /// Strikes now: what was typed, and whom if that does not say. Says what it did.
    ///
    /// # Errors
    /// What is wrong with what was typed, or why nothing can strike.
    pub fn strike(&mut self, typed: &str, who: &str) -> Result<String, String> {
        self.branches[self.current].settle().map_err(|error| format!("{error:#}"))?;
        let typed = self.read(typed, who)?;
        if let Trigger::At(planned) = typed.fault.trigger
            && planned < self.next_stamp()
            && !self.is_live()
        {
            return Err(format!("{planned} is over: it is {}", self.branch().moment()));
        }
        let what = typed.fault.what.to_string();
        let during = self.branch().scene();
        self.change(|script, now| script.add(typed, now, during))?;
        Ok(format!("{what} on {who}"))
    }

    /// Calls off the fault in force that was begun last. Says which.
    ///
    /// # Errors
    /// If there is none.
    pub fn undo(&mut self) -> Result<String, String> {
        let board = self.branch().playhead().board();
        let mut in_force = board.faults.iter().filter(|(_, fault)| !fault.on.is_empty());
        let last = in_force.next_back().map(|(id, fault)| (*id, fault.what.clone()));
        let (id, what) = last.ok_or("no fault is in force")?;
        self.call_off(&[id])?;
        Ok(format!("{what} is called off"))
    }

    /// Calls off everything that is in force or may still strike. Says how much that was.
    ///
    /// # Errors
    /// If there is nothing.
    pub fn heal_all(&mut self) -> Result<String, String> {
        let script = self.branch().script();
        let board = self.branch().playhead().board();
        let over = |id: &FaultId| {
            board
                .faults
                .get(id)
                .is_some_and(|fault| fault.on.is_empty() && script.strikes_once(*id))
        };
        let all: Vec<FaultId> = script.in_question().filter(|id| !over(id)).collect();
        if all.is_empty() {
            return Err("no fault is in force".to_owned());
        }
        self.call_off(&all)?;
        Ok(format!("{} called off", all.len()))
    }

    fn call_off(&mut self, faults: &[FaultId]) -> Result<(), String> {
        self.branches[self.current].settle().map_err(|error| format!("{error:#}"))?;
        let from = self.next_stamp();
        self.change(|script, _| faults.iter().for_each(|id| script.call_off(*id, from)))
    }

    /// Changes the script now: in this branch if nothing later is known, else in a new one.
    fn change(&mut self, change: impl FnOnce(&mut Script, Time)) -> Result<(), String> {
        let stage = self.stage.as_ref().ok_or(ONLY_WATCHED)?;
        let name = (self.branches.len() + 1).to_string();
        let branch = &mut self.branches[self.current];
        if branch.is_over() && branch.is_at_newest() {
            return Err("the run is over: go back to strike".to_owned());
        }
        if branch.is_at_newest() || stage.clock == Clock::Live {
            return branch.change(change).map_err(|error| format!("{error:#}"));
        }
        let moment = branch.moment();
        let mut script = branch.script().until(moment);
        change(&mut script, moment);
        let header = branch.playhead().header().clone();
        let forked = Branch::start(name, header, &stage.setup, stage.clock, script);
        let mut forked = forked.map_err(|error| error.to_string())?;
        forked.fork_from(self.current, moment);
        // It runs up to here on its own; this waits for it, so that what is seen does not jump.
        forked.catch_up_with(moment).map_err(|error| error.to_string())?;
        self.branches.push(forked);
        self.current = self.branches.len() - 1;
        Ok(())
    }
}
