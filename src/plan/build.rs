//! From a topology file to a plan: every word of the file gets its meaning, or a problem.

mod fleet;

use std::path::Path;
use std::sync::Arc;

pub(super) use fleet::called;
use fleet::{devices, machine};

use super::codes::{CodeFile, Refused};
use super::source::{Problem, Problems, Source, To};
use super::topology::{
    ArchitectureFile, InputsFile, ModelFile, NumericsFile, RunFile, TopologyFile,
};
use super::{
    Arrivals, Device, Input, Machine, Numerics, Plan, Policy, StageWork, StepWork, inputs, policy,
    stages,
};
use crate::code::Code;
use crate::maths::chance::Seed;
use crate::model::synthetic::Architecture;
use crate::model::{Network, Segment, Unusable, Whole};

impl Plan {
    /// Reads a topology and everything it names.
    pub fn read(path: &Path) -> Result<Self, Problems> {
        let (source, file) = Source::read::<TopologyFile>(path)?;
        Self::from_file(&source, &file)
    }

    /// Like [`Self::read`], with another code in every layer that is coded.
    pub fn read_with(path: &Path, code: CodeFile) -> Result<Self, Problems> {
        let (source, mut file) = Source::read::<TopologyFile>(path)?;
        let by_batches = file.coding.code.is_for_batches();
        for stage in &mut file.stages {
            let is_batch = stage.code.map_or(by_batches, CodeFile::is_for_batches);
            if stage.run == RunFile::Whole && is_batch && !code.is_for_batches() {
                // Its layers are split instead, each by itself.
                (stage.run, stage.batch) = (RunFile::Coded, None);
            }
            stage.code = None;
        }
        file.coding.code = code;
        Self::from_file(&source, &file)
    }

    /// Like [`Self::read`], from text that could stand at `path`.
    pub fn parse(path: &Path, text: String) -> Result<Self, Problems> {
        let (source, file) = Source::parse::<TopologyFile>(path, text)?;
        Self::from_file(&source, &file)
    }

    fn from_file(source: &Source, file: &TopologyFile) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let ground = Ground::new(source, file, None, &mut problems);
        let plan = ground.and_then(|ground| ground.build(source, file, &mut problems));
        let unusable = plan.as_ref().and_then(|plan| plan.prepare().err());
        problems.extend(unusable.map(|unusable| stages::cannot_be_cut(source, unusable)));
        source.verdict(plan, problems)
    }

    /// Makes ready what is run in one piece. A plan that is read has been; one of a [`Draft`](super::Draft)
    /// is when it first runs.
    fn prepare(&self) -> Result<(), Unusable> {
        let local = self.steps.iter().filter_map(|step| match &step.work {
            StepWork::Local(segment) => Some(segment.as_ref()),
            StepWork::Stage(_) => None,
        });
        let whole = self.stages.iter().filter_map(|stage| match &stage.work {
            StageWork::Function(segment) => Some(segment),
            StageWork::Layers(_) => None,
        });
        local.chain(whole).try_for_each(Segment::prepare)
    }
}

/// What a topology comes to before anything is said about how its layers are run.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    pub(super) network: Arc<Network>,
    pub(super) supervisor: Machine,
    pub(super) devices: Vec<Device>,
    pub(super) policy: Policy,
    arrivals: Arrivals,
    pub(super) inputs: Vec<Input>,
    /// Tried on the first input: a plan that exists can be run.
    pub(super) whole: Arc<Whole>,
}

impl Ground {
    /// Collects the file's problems; gives the ground only if it got as far as one. The model and its inputs
    /// are those of `known`, or read.
    pub(super) fn new(
        source: &Source,
        file: &TopologyFile,
        known: Option<&Self>,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let supervisor = machine(source, &file.supervisor, problems);
        let devices = devices(source, &file.devices, problems);
        let policy = policy::policy(source, &file.policy, problems);
        let arrivals = policy::arrivals(source, file.arrivals, problems);
        if file.requests == 0 {
            let path = [To::Field("requests")];
            problems.push(source.problem(
                &path,
                "no requests to run".to_owned(),
                "ask for at least 1",
            ));
        }
        let (network, inputs, whole) = match known {
            Some(known) => (known.network.clone(), known.inputs.clone(), known.whole.clone()),
            None => model(source, file, problems)?,
        };
        Some(Self { network, supervisor, devices, policy, arrivals, inputs, whole })
    }

    /// The plan, its layers run as the file says.
    pub(super) fn build(
        self,
        source: &Source,
        file: &TopologyFile,
        problems: &mut Vec<Problem>,
    ) -> Option<Plan> {
        let Self { network, supervisor, devices, policy, arrivals, inputs, whole } = self;
        let stages = stages::assign(source, file, &network, &devices, problems)?;
        let name = source.path().file_stem();
        let mut plan = Plan {
            name: name.map_or_else(String::new, |stem| stem.to_string_lossy().into_owned()),
            network,
            whole,
            supervisor,
            devices,
            stages: stages.stages,
            steps: stages.steps,
            outputs: stages.outputs,
            locals: stages.locals,
            policy,
            arrivals,
            requests: file.requests,
            numerics: match file.numerics {
                NumericsFile::Full => Numerics::Full,
                NumericsFile::Skip => Numerics::Skip,
            },
            inputs,
            classes: classes(&file.inputs),
        };
        if let Err((stage, why)) = plan.choose_smoothing() {
            let code = stages::code_of(file, &plan.stages[stage.0].name);
            let path = [&code[..], &[To::Field("before")]].concat();
            let fix = "give λ_enc as a number, or more inputs to try it on";
            problems.push(source.problem(&path, why.to_string(), fix));
        }
        Some(plan)
    }
}

/// The model, what it is asked, and all of it in one piece.
fn model(
    source: &Source,
    file: &TopologyFile,
    problems: &mut Vec<Problem>,
) -> Option<(Arc<Network>, Vec<Input>, Arc<Whole>)> {
    let network = match network(source, &file.model) {
        Ok(network) => Arc::new(network),
        Err(why) => {
            let fix = "kofn runs feed-forward ONNX models; check the file, or export it again";
            problems.push(source.problem(&[To::Field("model")], why, fix));
            return None;
        }
    };
    let inputs = inputs::load(source, &file.inputs, &network, problems);
    match whole(&network, &inputs) {
        Ok(whole) => Some((network, inputs, Arc::new(whole))),
        Err(why) => {
            let fix = "the model cannot be run even in one piece; export it again";
            problems.push(source.problem(&[To::Field("model")], why.0, fix));
            None
        }
    }
}

fn classes(inputs: &InputsFile) -> Vec<String> {
    match inputs {
        InputsFile::Idx { classes, .. } => classes.clone(),
        InputsFile::Random { .. } => Vec::new(),
    }
}

/// The model in one piece, tried on the first input.
fn whole(network: &Network, inputs: &[Input]) -> Result<Whole, Unusable> {
    let whole = network.whole()?;
    inputs.first().map(|input| whole.run(&input.tensors)).transpose()?;
    Ok(whole)
}

fn network(source: &Source, file: &ModelFile) -> Result<Network, String> {
    let network = match file {
        ModelFile::Onnx(named) => Network::open(&source.resolve(named)),
        ModelFile::Synthetic(architecture, seed) => {
            let architecture = match architecture {
                ArchitectureFile::AlexNet => Architecture::AlexNet,
                ArchitectureFile::Vgg16 => Architecture::Vgg16,
                ArchitectureFile::Vgg16Narrow => Architecture::Vgg16Narrow,
                ArchitectureFile::Fans { layers, width } => Architecture::fans(*layers, *width)?,
            };
            architecture.network(Seed(*seed))
        }
    };
    network.map_err(|unusable| unusable.0)
}

/// Gives a code its meaning and checks its parameters.
pub(super) fn code(
    source: &Source,
    path: &[To<'_>],
    file: CodeFile,
    problems: &mut Vec<Problem>,
) -> Option<Arc<dyn Code>> {
    let refuse = |Refused { field, message, fix }: Refused| {
        let field: Vec<To<'_>> = field.into_iter().map(To::Field).collect();
        problems.push(source.problem(&[path, &field].concat(), message, fix));
    };
    file.code().map_err(refuse).ok()
}
