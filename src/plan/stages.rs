//! Which layer becomes what: a coded stage, part of a function stage, or local, and who holds it.

mod below;
mod check;
mod choice;
mod split;
mod whole;

use std::sync::Arc;

use super::codes::CodeFile;
use super::source::{Problem, Source, To};
use super::topology::{RunFile, SplitFile, StageFile, TopologyFile};
use super::{Below, Device, Layers, Stage, StageWork, Step, StepWork, Verify};
use crate::code::Code;
use crate::model::cut::{Mark, Member, PieceKind};
use crate::model::{Layer, Network, Unusable};
use crate::units::{Bytes, DeviceId, StageId};

use choice::Choice;
pub(super) use whole::code_of;

/// What the topology's coding comes to.
pub(super) struct Assigned {
    pub(super) stages: Vec<Stage>,
    pub(super) steps: Vec<Step>,
    pub(super) outputs: Vec<usize>,
    pub(super) locals: Vec<(String, String)>,
}

struct Assigner<'a> {
    source: &'a Source,
    file: &'a TopologyFile,
    network: &'a Network,
    devices: &'a [Device],
    problems: &'a mut Vec<Problem>,
    locals: Vec<(String, String)>,
}

pub(super) fn assign(
    source: &Source,
    file: &TopologyFile,
    network: &Network,
    devices: &[Device],
    problems: &mut Vec<Problem>,
) -> Option<Assigned> {
    let locals = network.uncodable.clone();
    let mut assigner = Assigner { source, file, network, devices, problems, locals };
    let owners = assigner.owners();
    assigner.check_splits();
    assigner.check_belows();
    let default = assigner.default_choice();
    let overrides: Vec<Option<Choice>> =
        (0..file.stages.len()).map(|at| assigner.choice_of(at)).collect();
    let marks = assigner.marks(&owners);
    let pieces = match network.cut(&marks) {
        Ok(pieces) => pieces,
        Err(unusable) => {
            assigner.problems.push(cannot_be_cut(source, unusable));
            return None;
        }
    };
    let choice_of = |layer: usize| match owners[layer] {
        Some(at) => overrides[at].as_ref(),
        None => default.as_ref(),
    };
    let pieces = pieces.join_siblings(|one, other| {
        let code = choice_of(one).map(|choice| choice.code.as_ref());
        let both = [one, other].map(|at| (&network.layers[at], owners[at]));
        code.is_some_and(|code| assigner.may_join(both, code))
    });
    let pieces = pieces.join_maps(network);
    let (mut stages, mut steps): (Vec<Stage>, Vec<Step>) = (Vec::new(), Vec::new());
    // The entry of the file that speaks of each stage.
    let mut origins = Vec::new();
    for piece in pieces.pieces {
        let stage = match piece.kind {
            PieceKind::Local(segment) => {
                let (inputs, outputs) = (piece.inputs, piece.outputs);
                steps.push(Step { work: StepWork::Local(segment.into()), inputs, outputs });
                continue;
            }
            PieceKind::Layers(members) => {
                let first = members[0].layer;
                let choice = choice_of(first)?;
                origins.push(owners[first]);
                let coded = members.into_iter().map(|Member { layer, input }| {
                    let owner = owners[layer];
                    (assigner.coded(&network.layers[layer], owner, &choice.code), input)
                });
                let layers = Layers::new(coded.collect()).onward(piece.onward);
                let (name, code) = (layers.name(), layers.code().clone());
                let input_bytes = layers.input_bytes();
                stage(name, StageWork::Layers(layers), choice, code, input_bytes)
            }
            PieceKind::Function(at, segment) => {
                let choice = overrides[at].as_ref()?;
                origins.push(Some(at));
                let layers = &file.stages[at].layers;
                let name = whole::name(layers);
                let first = &network.layers[network.layer(&layers[0])?];
                let (work, input_bytes) = (StageWork::Function(segment), first.op.input_bytes());
                stage(name, work, choice, choice.code.clone(), input_bytes)
            }
        };
        let work = StepWork::Stage(StageId(stages.len()));
        steps.push(Step { work, inputs: piece.inputs, outputs: piece.outputs });
        stages.push(stage);
    }
    for (stage, origin) in stages.iter_mut().zip(&origins) {
        stage.most_requests = assigner.most_requests(stage);
        stage.verify = assigner.verify(stage);
        stage.below = assigner.below(*origin);
        stage.too_low = assigner.too_low(stage, *origin);
        if stage.batch.is_none() {
            let choice = origin.map_or(default.as_ref(), |at| overrides[at].as_ref());
            let is_fitted = choice.is_some_and(|choice| !Arc::ptr_eq(&choice.code, &stage.code));
            assigner.survey(stage, *origin, is_fitted);
        }
    }
    assigner.check_deadlines(&stages, &origins);
    assigner.check_memory(&stages);
    Some(Assigned { stages, steps, outputs: pieces.outputs, locals: assigner.locals })
}

/// A part of the model that cannot be run by itself.
pub(super) fn cannot_be_cut(source: &Source, unusable: Unusable) -> Problem {
    let fix = "leave the layer local, or cut elsewhere";
    source.problem(&[To::Field("model")], unusable.0, fix)
}

fn stage(
    name: String,
    work: StageWork,
    choice: &Choice,
    code: Arc<dyn Code>,
    input_bytes: Bytes,
) -> Stage {
    let Choice { holders, deadline, batch, .. } = choice;
    let hand = |holders: &Vec<DeviceId>| vec![holders.clone(); code.hand()];
    let holders = holders.iter().flat_map(hand).collect();
    Stage {
        name,
        work,
        tolerates: code.tolerates(),
        worst_condition: 1.0,
        code,
        holders,
        deadline: *deadline,
        verify: Verify::Auto,
        below: Below::Fail,
        input_bytes,
        most_requests: 1,
        batch: batch.clone(),
        too_low: None,
    }
}

impl Assigner<'_> {
    fn problem(&mut self, path: &[To<'_>], message: String, fix: impl Into<String>) {
        self.problems.push(self.source.problem(path, message, fix));
    }

    /// For each layer, the entry of `stages` that speaks of it.
    fn owners(&mut self) -> Vec<Option<usize>> {
        let mut owners = vec![None; self.network.layers.len()];
        for (at, stage) in self.file.stages.iter().enumerate() {
            let path = [To::Field("stages"), To::Item(at), To::Field("layers")];
            if stage.layers.is_empty() {
                self.problem(&path, "a stage without layers".to_owned(), "name some");
            }
            for (item, name) in stage.layers.iter().enumerate() {
                let path = [path[0], path[1], path[2], To::Item(item)];
                match self.network.layer(name) {
                    Some(layer) if owners[layer].is_none() => owners[layer] = Some(at),
                    Some(_) => {
                        self.problem(&path, format!("layer \"{name}\" is named twice"), "drop one")
                    }
                    None => {
                        let layers = self.network.layers.iter().map(|layer| layer.name.as_str());
                        let known: Vec<&str> = layers.collect();
                        let fix = format!("the model's linear layers are {}", known.join(", "));
                        self.problem(&path, format!("the model has no layer \"{name}\""), fix);
                    }
                }
            }
            let places: Vec<usize> =
                stage.layers.iter().filter_map(|name| self.network.layer(name)).collect();
            if stage.run == RunFile::Whole && places.windows(2).any(|pair| pair[1] != pair[0] + 1) {
                let message = "layers run whole must follow each other in the model".to_owned();
                self.problem(&path, message, "name them all, in the model's order");
            }
        }
        owners
    }

    /// How many requests a round of the stage may be for.
    fn most_requests(&self, stage: &Stage) -> usize {
        match (&stage.work, &self.file.policy.gather) {
            (StageWork::Layers(layers), Some(gather)) => gather.most.min(layers.most_requests()),
            _ => 1,
        }
    }

    fn marks(&mut self, owners: &[Option<usize>]) -> Vec<Mark> {
        let mut marks = Vec::new();
        for (layer, owner) in self.network.layers.iter().zip(owners) {
            let (run, code) = match owner.map(|at| (at, &self.file.stages[at])) {
                Some((at, StageFile { run: RunFile::Whole, .. })) => {
                    marks.push(self.whole_mark(at));
                    continue;
                }
                Some((_, stage)) => (stage.run, stage.code.unwrap_or(self.file.coding.code)),
                None => (RunFile::Coded, self.file.coding.code),
            };
            let why = if run == RunFile::Local {
                Some("the topology says so".to_owned())
            } else {
                self.why_local(layer, code, self.split(layer, *owner))
            };
            marks.push(if why.is_some() { Mark::Local } else { Mark::Coded });
            self.locals.extend(why.map(|why| (layer.name.clone(), why)));
        }
        marks
    }

    /// The rule for layers that cannot or should not be split: fewer output rows in a group than
    /// sources (depthwise convolutions have one), or less work than a message is worth.
    fn why_local(&self, layer: &Layer, code: CodeFile, split: SplitFile) -> Option<String> {
        let (_, k) = code.size();
        let work = layer.op.work(layer.op.rows);
        if split == SplitFile::Output && layer.op.rows < k {
            let (rows, groups) = (layer.op.rows, layer.op.groups);
            let why = format!("{rows} rows in each of {groups} groups cannot be split {k} ways");
            Some(why + split::hint(layer, k))
        } else if work < self.file.policy.local_below {
            Some(format!("its {work} are less than local_below"))
        } else {
            None
        }
    }
}
