//! What the topology says of one layer or function stage: its code, who holds it, and how long it may take.

use std::sync::Arc;

use super::Assigner;
use crate::code::Code;
use crate::plan::batch::Batch;
use crate::plan::build::{called, code};
use crate::plan::codes::CodeFile;
use crate::plan::source::To;
use crate::plan::topology::{RunFile, StageFile};
use crate::units::{DeviceId, Span};

/// Everything that is decided about one layer or function stage, before weights are touched.
pub(super) struct Choice {
    pub(super) code: Arc<dyn Code>,
    /// Of each hand of shares.
    pub(super) holders: Vec<Vec<DeviceId>>,
    pub(super) deadline: Span,
    pub(super) batch: Option<Batch>,
}

impl Assigner<'_> {
    pub(super) fn default_choice(&mut self) -> Option<Choice> {
        let coding = &self.file.coding;
        let at = [To::Field("coding")];
        if coding.code.is_for_batches() && self.splits_some_layer() {
            let at = [at[0], To::Field("code")];
            self.check_split(&at, coding.code);
            code(self.source, &at, coding.code, self.problems);
            return None;
        }
        self.choice(&at, coding.code, &coding.on, &coding.spares, coding.deadline)
    }

    pub(super) fn choice_of(&mut self, at: usize) -> Option<Choice> {
        let (stage, coding): (&StageFile, _) = (&self.file.stages[at], &self.file.coding);
        let path = [To::Field("stages"), To::Item(at)];
        let on = stage.on.as_ref().unwrap_or(&coding.on);
        let spares = stage.spares.as_ref().unwrap_or(&coding.spares);
        let deadline = stage.deadline.or(coding.deadline);
        self.check_batch(at);
        match stage.run {
            RunFile::Local => None,
            RunFile::Coded => {
                let field = [path[0], path[1], To::Field("code")];
                let code = stage.code.unwrap_or(coding.code);
                // What is wrong with the code of all stages is said there.
                let may = stage.code.is_none() || self.check_split(&field, code);
                if may { self.choice(&path, code, on, spares, deadline) } else { None }
            }
            RunFile::Whole => self.whole(at),
        }
    }

    pub(super) fn choice(
        &mut self,
        path: &[To<'_>],
        file: CodeFile,
        on: &[String],
        spares: &[String],
        deadline: Option<Span>,
    ) -> Option<Choice> {
        let field = |name| [path, &[To::Field(name)]].concat();
        // What is wrong with what is said of all stages is said there.
        let entry = match path {
            [_, To::Item(at), ..] => Some(&self.file.stages[*at]),
            _ => None,
        };
        let own_code = entry.is_none_or(|entry| entry.code.is_some());
        let own_on = entry.is_none_or(|entry| entry.on.is_some());
        let code = match own_code {
            true => code(self.source, &field("code"), file, self.problems),
            false => file.code().ok(),
        };
        let mut unsaid = Vec::new();
        let problems = if own_on { &mut *self.problems } else { &mut unsaid };
        let on = called(self.source, &field("on"), on, self.devices, problems);
        let spares = called(self.source, &field("spares"), spares, self.devices, self.problems);
        let code = code?;
        if own_code {
            self.check_condition(&field("code"), code.as_ref());
        }
        if on.len() < code.holders() {
            let message =
                format!("{} has {} shares for {} devices", code.name(), code.holders(), on.len());
            let fix = "name more devices, or choose a code with fewer shares";
            if own_code || own_on {
                self.problem(&field("on"), message, fix);
            }
            return None;
        }
        let with_spares = |holder: &DeviceId| {
            let others = spares.iter().filter(|spare| *spare != holder);
            std::iter::once(holder).chain(others).copied().collect()
        };
        let holders = on[..code.holders()].iter().map(with_spares).collect();
        let deadline = deadline.unwrap_or(self.file.policy.deadline);
        Some(Choice { code, holders, deadline, batch: None })
    }
}
