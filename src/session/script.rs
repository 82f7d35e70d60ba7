//! The script: the faults of a branch, planned and typed, as they would stand in a fault plan.

use crate::plan::typed::Typed;
use crate::plan::{Fault, FaultPlan, Trigger};
use crate::units::{FaultId, Time};

/// The faults of a branch, in the order of their ids.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    entries: Vec<Entry>,
}

/// A fault and when it was typed, if it was not planned before.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    typed: Typed,
    at: Option<Time>,
    /// What was going on then.
    during: String,
    called_off: Option<Time>,
}

impl Script {
    pub(super) fn of(plan: Option<&FaultPlan>) -> Self {
        let planned = plan.iter().flat_map(|plan| plan.faults.iter().zip(&plan.written));
        let entry = |(fault, words): (&Fault, &String)| Entry {
            typed: Typed { fault: fault.clone(), words: words.clone() },
            at: None,
            during: String::new(),
            called_off: None,
        };
        Self { entries: planned.map(entry).collect() }
    }

    /// What was known of it at a moment.
    pub(super) fn until(&self, moment: Time) -> Self {
        let known = self.entries.iter().filter(|entry| entry.at.is_none_or(|at| at <= moment));
        let then = |entry: &Entry| Entry {
            called_off: entry.called_off.filter(|from| *from <= moment),
            ..entry.clone()
        };
        Self { entries: known.map(then).collect() }
    }

    /// The faults as a plan has them.
    pub(super) fn faults(&self) -> Vec<Fault> {
        self.entries.iter().map(|entry| entry.now().fault).collect()
    }

    /// Each fault's words, and what was going on when it was typed.
    pub(super) fn words(&self) -> impl Iterator<Item = (String, &str)> + '_ {
        self.entries.iter().map(|entry| (entry.now().words, entry.during.as_str()))
    }

    pub(super) fn add(&mut self, typed: Typed, now: Time, during: String) {
        let at = if let Trigger::At(at) = typed.fault.trigger { at } else { now };
        self.entries.push(Entry { typed, at: Some(at), during, called_off: None });
    }

    pub(super) fn call_off(&mut self, FaultId(fault): FaultId, from: Time) {
        self.entries[fault].called_off = Some(from);
    }

    /// In real time a fault strikes when it is heard.
    pub(super) fn struck(&mut self, FaultId(fault): FaultId, began: Time) {
        if let Some(entry) = self.entries.get_mut(fault)
            && entry.at.is_some()
        {
            entry.at = Some(began);
            if let Trigger::At(at) = &mut entry.typed.fault.trigger {
                let said = format!("\"{}ns\"", at.0);
                entry.typed.words =
                    entry.typed.words.replacen(&said, &format!("\"{}ns\"", began.0), 1);
                *at = began;
            }
        }
    }

    /// Faults that are not called off.
    pub(super) fn in_question(&self) -> impl Iterator<Item = FaultId> + '_ {
        let open = self.entries.iter().enumerate().filter(|(_, entry)| entry.called_off.is_none());
        open.map(|(id, _)| FaultId(id))
    }

    pub(super) fn strikes_once(&self, FaultId(fault): FaultId) -> bool {
        let trigger = self.entries.get(fault).map(|entry| &entry.typed.fault.trigger);
        trigger.is_some_and(|trigger| !matches!(trigger, Trigger::Every(_) | Trigger::Chance(_)))
    }

    /// Whether anything was typed into it.
    pub fn was_typed(&self) -> bool {
        self.entries.iter().any(|entry| entry.at.is_some() || entry.called_off.is_some())
    }

    /// What was typed last.
    pub fn last_typed(&self) -> Option<String> {
        let typed = self.entries.iter().rev().find(|entry| entry.at.is_some());
        typed.map(|entry| entry.typed.fault.what.to_string())
    }

    /// The words from one place on, and what was called off: what a run has not been told yet.
    pub(super) fn after(&self, old: &Self) -> Vec<Change> {
        let new = self.entries[old.entries.len()..].iter();
        let new = new.map(|entry| Change::Add(entry.now().fault));
        let off = self.entries.iter().zip(&old.entries).enumerate();
        let off = off.filter(|(_, (now, then))| now.called_off != then.called_off);
        let off = off.filter_map(|(id, (now, _))| Some((FaultId(id), now.called_off?)));
        new.chain(off.map(|(fault, from)| Change::CallOff { fault, from })).collect()
    }
}

/// A difference of two scripts.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    Add(Fault),
    CallOff { fault: FaultId, from: Time },
}

impl Entry {
    fn now(&self) -> Typed {
        self.called_off.map_or_else(|| self.typed.clone(), |from| self.typed.until(from))
    }
}
