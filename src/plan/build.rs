//! From a topology file to a plan: every word of the file gets its meaning, or a problem.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::codes::{CodeFile, Refused};
use super::source::{Problem, Problems, Source, To};
use super::topology::{
    ArchitectureFile, DeviceFile, InputsFile, MachineFile, ModelFile, NumericsFile, RunFile,
    TopologyFile,
};
use super::{
    Arrivals, Device, Input, Machine, Numerics, Plan, Policy, StageWork, StepWork, inputs, policy,
    stages,
};
use crate::code::Code;
use crate::maths::chance::Seed;
use crate::maths::delay::{Delay, WrittenDelay};
use crate::model::synthetic::Architecture;
use crate::model::{Network, Segment, Unusable, Whole};
use crate::units::{DeviceId, Span};

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
            StepWork::Local(segment) => Some(segment),
            StepWork::Stage(_) => None,
        });
        let whole = self.stages.iter().filter_map(|stage| match &stage.work {
            StageWork::Function(segment) => Some(segment),
            StageWork::Layer(_) => None,
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

fn machine(source: &Source, file: &MachineFile, problems: &mut Vec<Problem>) -> Machine {
    let MachineFile { speed, memory_bandwidth, jitter } = file.clone();
    let machine = Machine { speed, memory_bandwidth, jitter };
    check_machine(source, &[To::Field("supervisor")], &machine, problems);
    machine
}

fn check_machine(source: &Source, at: &[To<'_>], machine: &Machine, problems: &mut Vec<Problem>) {
    let mut positive = |field, value: f64, least: f64| {
        if !(value.is_finite() && value >= least) {
            let path = [at, &[To::Field(field)]].concat();
            let message = format!("{field} is {value}, which no machine has");
            problems.push(source.problem(
                &path,
                message,
                "give a positive number, or 0 for no jitter",
            ));
        }
    };
    positive("speed", machine.speed.0, f64::MIN_POSITIVE);
    positive("memory_bandwidth", machine.memory_bandwidth.0, f64::MIN_POSITIVE);
    positive("jitter", machine.jitter, 0.0);
}

fn devices(source: &Source, files: &[DeviceFile], problems: &mut Vec<Problem>) -> Vec<Device> {
    let mut devices: Vec<Device> = Vec::new();
    let mut taken = BTreeSet::new();
    for (at, file) in files.iter().enumerate() {
        let path = [To::Field("devices"), To::Item(at)];
        let DeviceFile { speed, memory_bandwidth, jitter, memory, bandwidth, .. } = file.clone();
        let machine = Machine { speed, memory_bandwidth, jitter };
        check_machine(source, &path, &machine, problems);
        let field = |name| [path[0], path[1], To::Field(name)];
        if !(bandwidth.0.is_finite() && bandwidth.0 > 0.0) {
            let message = "a link without bandwidth carries nothing".to_owned();
            problems.push(source.problem(&field("bandwidth"), message, "give a positive rate"));
        }
        let latency = delay(source, &field("latency"), &file.latency, problems);
        let latency = latency.unwrap_or(Delay::Constant(Span::ZERO));
        let reply_latency = file.reply_latency.as_ref();
        let reply_latency =
            reply_latency.and_then(|file| delay(source, &field("reply_latency"), file, problems));
        let reply_latency = reply_latency.unwrap_or_else(|| latency.clone());
        let (names, mut tags) = match file.count {
            None => (vec![file.name.clone()], Vec::new()),
            Some(count) if (1..=MOST_DEVICES).contains(&count) => {
                let names = (1..=count).map(|i| format!("{}-{i}", file.name));
                (names.collect(), vec![file.name.clone()])
            }
            Some(count) => {
                let message = format!("a count of {count} devices");
                let fix = format!("give a count from 1 to {MOST_DEVICES}");
                problems.push(source.problem(&field("count"), message, fix));
                continue;
            }
        };
        tags.extend(file.tags.iter().cloned());
        for name in names {
            if !taken.insert(name.clone()) {
                let message = format!("there are two devices called \"{name}\"");
                problems.push(source.problem(&field("name"), message, "rename one"));
            }
            let (machine, tags) = (machine.clone(), tags.clone());
            let (latency, reply_latency) = (latency.clone(), reply_latency.clone());
            devices.push(Device { name, tags, machine, memory, latency, reply_latency, bandwidth });
        }
    }
    if devices.is_empty() {
        let message = "there are no devices".to_owned();
        problems.push(source.problem(&[To::Field("devices")], message, "list at least one"));
    }
    devices
}

/// A typing error should not fill the memory.
const MOST_DEVICES: usize = 100_000;

/// Gives a distribution its meaning, or reports why it has none.
fn delay(
    source: &Source,
    path: &[To<'_>],
    written: &WrittenDelay,
    problems: &mut Vec<Problem>,
) -> Option<Delay> {
    let loaded = written.load(&|named| source.text_of(named));
    loaded.map_err(|refusal| problems.push(source.refusal(path, refusal))).ok()
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

/// The devices that names and tags stand for, in their order, each once.
pub(super) fn called(
    source: &Source,
    path: &[To<'_>],
    names: &[String],
    devices: &[Device],
    problems: &mut Vec<Problem>,
) -> Vec<DeviceId> {
    let (mut found, mut is_found) = (Vec::new(), vec![false; devices.len()]);
    for (at, name) in names.iter().enumerate() {
        let before = found.len();
        let is_called = |device: &Device| device.name == *name || device.tags.contains(name);
        for (id, _) in devices.iter().enumerate().filter(|(_, device)| is_called(device)) {
            if !std::mem::replace(&mut is_found[id], true) {
                found.push(DeviceId(id));
            }
        }
        if found.len() == before {
            let message = if devices.iter().any(is_called) {
                format!("all devices called \"{name}\" are named already")
            } else {
                format!("no device is called or tagged \"{name}\"")
            };
            let path = [path, &[To::Item(at)]].concat();
            problems.push(source.problem(&path, message, "name a device, or a tag of some"));
        }
    }
    found
}
