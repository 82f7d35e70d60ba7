//! Stages whose devices run all layers whole: replicas, or each on its mixture of a batch of requests.

use std::sync::Arc;

use super::super::batch::Batch;
use super::super::build::called;
use super::super::codes::CodeFile;
use super::super::source::To;
use super::super::topology::{OutputsFile, RunFile, StageFile, TopologyFile};
use super::{Assigner, Choice};
use crate::code::{Code, Replication, Uncoded};
use crate::model::cut::Mark;

impl Assigner<'_> {
    /// How the entry of `stages`, which is run whole, is.
    pub(super) fn whole(&mut self, at: usize) -> Option<Choice> {
        let (stage, coding) = (&self.file.stages[at], &self.file.coding);
        let path = [To::Field("stages"), To::Item(at)];
        let on = stage.on.as_ref().unwrap_or(&coding.on);
        let deadline = stage.deadline.or(coding.deadline).unwrap_or(self.file.policy.deadline);
        if let Some(code) = self.batch_code(at) {
            let spares = stage.spares.as_ref().unwrap_or(&coding.spares);
            let choice = self.choice(&path, code, on, spares, Some(deadline))?;
            let batch = Batch::of(code, stage.batch.unwrap_or_default())?;
            return Some(Choice { code: batch.estimator.clone(), batch: Some(batch), ..choice });
        }
        if stage.code.is_some() {
            let field = [path[0], path[1], To::Field("code")];
            let message = "a stage run whole is not split by a code".to_owned();
            let fix = "drop the code: every device in `on` is a replica; or code a batch of inputs \
                       with Berrut or Spline";
            self.problem(&field, message, fix);
        } else if stage.batch.is_some() {
            let field = [path[0], path[1], To::Field("batch")];
            let message = "replicas need no batch".to_owned();
            self.problem(&field, message, "give the stage a code over inputs, Berrut or Spline");
        }
        let field = [path[0], path[1], To::Field("on")];
        let on = called(self.source, &field, on, self.devices, self.problems);
        if on.is_empty() {
            self.problem(&field, "no device runs this stage".to_owned(), "name one");
            return None;
        }
        let code: Arc<dyn Code> = match on.len() {
            1 => Arc::new(Uncoded::new(1)),
            replicas => Arc::new(Replication::new(replicas, 1)),
        };
        let holders = on.into_iter().map(|device| vec![device]).collect();
        Some(Choice { code, holders, deadline, batch: None })
    }

    /// The code over inputs of an entry that is run whole: its own, or that of all stages.
    fn batch_code(&self, at: usize) -> Option<CodeFile> {
        let code = self.file.stages[at].code.unwrap_or(self.file.coding.code);
        code.is_for_batches().then_some(code)
    }

    /// What becomes of its layers.
    pub(super) fn whole_mark(&self, at: usize) -> Mark {
        let outputs = self.file.stages[at].batch.unwrap_or_default().outputs;
        let reads_off = self.batch_code(at).is_some() && outputs == OutputsFile::BeforeSoftmax;
        if reads_off { Mark::FunctionBeforeSoftmax(at) } else { Mark::Function(at) }
    }

    /// Weights are not inputs: codes that mix one cannot mix the other.
    pub(super) fn check_split(&mut self, path: &[To<'_>], code: CodeFile) -> bool {
        if code.is_for_batches() {
            let message = "this code mixes the inputs of a batch, not weights".to_owned();
            let fix = "write it in an entry of `stages` with run: Whole, or choose another code";
            self.problem(path, message, fix);
        }
        !code.is_for_batches()
    }

    /// Whether some layer is left to the code of all stages.
    pub(super) fn splits_some_layer(&self) -> bool {
        let of = |name: &str| {
            let named = |stage: &&StageFile| stage.layers.iter().any(|layer| layer == name);
            self.file.stages.iter().find(named)
        };
        let splits = |stage: Option<&StageFile>| {
            stage.is_none_or(|stage| stage.run == RunFile::Coded && stage.code.is_none())
        };
        self.network.layers.iter().any(|layer| splits(of(&layer.name)))
    }

    /// Entries that are split, and gather nothing.
    pub(super) fn check_batch(&mut self, at: usize) {
        let stage = &self.file.stages[at];
        if stage.run != RunFile::Whole && stage.batch.is_some() {
            let path = [To::Field("stages"), To::Item(at), To::Field("batch")];
            let message = "only stages that are run whole gather batches".to_owned();
            self.problem(&path, message, "drop it, or say run: Whole");
        }
    }
}

/// What a stage is called that runs these layers.
pub(super) fn name(layers: &[String]) -> String {
    match layers {
        [first, .., last] => format!("{first}..{last}"),
        [] | [_] => layers.concat(),
    }
}

/// Where the code of a stage stands that is run whole.
pub(in super::super) fn code_of(file: &TopologyFile, stage: &str) -> Vec<To<'static>> {
    let is_its_own = |entry: &StageFile| entry.code.is_some() && name(&entry.layers) == stage;
    match file.stages.iter().position(is_its_own) {
        Some(at) => vec![To::Field("stages"), To::Item(at), To::Field("code")],
        None => vec![To::Field("coding"), To::Field("code")],
    }
}
