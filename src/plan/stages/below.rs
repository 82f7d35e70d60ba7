//! What becomes of a stage's round with too few replies: as its entry says, or the policy for all.

use super::Assigner;
use crate::plan::Below;
use crate::plan::source::To;
use crate::plan::topology::{BelowFile, RunFile};

impl Assigner<'_> {
    /// Of a stage that the entry `owner` of `stages` speaks of, or none.
    pub(super) fn below(&self, owner: Option<usize>) -> Below {
        let own = owner.and_then(|at| self.file.stages[at].below);
        match own.unwrap_or(self.file.policy.below) {
            BelowFile::Fail => Below::Fail,
            BelowFile::Estimate => Below::Estimate,
        }
    }

    /// Entries that speak of replies and await none.
    pub(super) fn check_belows(&mut self) {
        for (at, entry) in self.file.stages.iter().enumerate() {
            if entry.below.is_some() && entry.run == RunFile::Local {
                let path = [To::Field("stages"), To::Item(at), To::Field("below")];
                let message = "the supervisor awaits no replies from itself".to_owned();
                self.problem(&path, message, "drop it, or the `run`");
            }
        }
    }
}
