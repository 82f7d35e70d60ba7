//! How far a request has come: the steps that have begun, and the values that others wait for.
//!
//! A step begins as soon as its inputs are there, so branches of a model run beside each other.

use std::collections::BTreeMap;

use crate::event::Worth;
use crate::maths::Tensor;
use crate::maths::room::give_back_tensor;
use crate::plan::{Plan, StepWork};
use crate::units::{StageId, Time};

/// How often each value, by wire, is read in a run through a plan.
#[derive(Debug)]
pub(super) struct Readers(Vec<usize>);

impl Readers {
    pub(super) fn of(plan: &Plan) -> Self {
        let read = plan.steps.iter().flat_map(|step| &step.inputs).chain(&plan.outputs);
        let mut readers = Vec::new();
        for wire in read {
            readers.resize(readers.len().max(wire + 1), 0);
            readers[*wire] += 1;
        }
        Self(readers)
    }
}

#[derive(Debug)]
pub(super) struct Progress {
    pub(super) accepted: Time,
    /// What its answer will be worth, as far as it is.
    pub(super) worth: Worth,
    /// What is to be added to the outputs of stages that have begun.
    pub(super) addends: BTreeMap<StageId, Vec<Tensor>>,
    /// One a step.
    has_begun: Vec<bool>,
    /// All steps before this one have begun.
    first: usize,
    /// The steps that have not ended.
    left: usize,
    /// The values that steps still need, by wire, and how often.
    values: BTreeMap<usize, (Tensor, usize)>,
}

impl Progress {
    pub(super) fn new(now: Time, plan: &Plan, readers: &Readers, inputs: Vec<Tensor>) -> Self {
        let steps = plan.steps.len();
        let mut progress = Self {
            accepted: now,
            worth: Worth::Exact,
            addends: BTreeMap::new(),
            has_begun: vec![false; steps],
            first: 0,
            left: steps,
            values: BTreeMap::new(),
        };
        progress.keep(inputs.into_iter().enumerate(), readers);
        progress
    }

    fn keep(&mut self, values: impl Iterator<Item = (usize, Tensor)>, readers: &Readers) {
        let read = |wire: usize| readers.0.get(wire).copied().filter(|count| *count > 0);
        let kept = values.filter_map(|(wire, value)| Some((wire, (value, read(wire)?))));
        self.values.extend(kept);
    }

    /// A value, which goes when nobody else needs it.
    fn take(&mut self, wire: usize) -> Tensor {
        let (value, left) = self.values.get_mut(&wire).expect("it is there while it is needed");
        if *left > 1 {
            *left -= 1;
            return value.clone();
        }
        self.values.remove(&wire).expect("it is there").0
    }

    /// The first step that can begin, with its inputs: it counts as begun.
    pub(super) fn begin_one(&mut self, plan: &Plan) -> Option<(usize, Vec<Tensor>)> {
        while self.has_begun.get(self.first) == Some(&true) {
            self.first += 1;
        }
        let can_begin = |step: &usize| {
            let mut inputs = plan.steps[*step].inputs.iter();
            !self.has_begun[*step] && inputs.all(|wire| self.values.contains_key(wire))
        };
        let step = (self.first..plan.steps.len()).find(can_begin)?;
        self.has_begun[step] = true;
        let inputs = plan.steps[step].inputs.iter().map(|wire| self.take(*wire)).collect();
        Some((step, inputs))
    }

    /// A step has ended and gave these.
    pub(super) fn end(&mut self, plan: &Plan, readers: &Readers, step: usize, given: Vec<Tensor>) {
        if let StepWork::Stage(stage) = plan.steps[step].work {
            self.addends.remove(&stage).into_iter().flatten().for_each(give_back_tensor);
        }
        self.left -= 1;
        self.keep(plan.steps[step].outputs.iter().copied().zip(given), readers);
    }

    /// The answer, once all steps have ended.
    pub(super) fn answer(&mut self, plan: &Plan) -> Option<Vec<Tensor>> {
        let is_over = self.left == 0;
        is_over.then(|| plan.outputs.iter().map(|wire| self.take(*wire)).collect())
    }
}
