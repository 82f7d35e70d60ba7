//! Plans: a topology file and a model make one, and a fault-plan file says what shall go wrong.
//!
//! Files are parsed and then checked whole: every problem is reported at once, with its place. A
//! [`Plan`] that exists can be run. Nothing here knows actors, sockets, or who is alive.

mod batch;
mod build;
mod coded_layer;
mod codes;
mod coding;
mod draft;
mod expectation;
mod fault_plan;
mod inputs;
mod layers;
mod policy;
mod share;
pub mod shrink;
mod source;
mod spans;
mod split;
mod stage;
mod stages;
pub mod topology;
mod trigger;
pub mod typed;

use std::sync::Arc;

pub use batch::{Batch, Mixed, Rehearsal, Unrehearsed};
pub use coded_layer::CodedLayer;
pub use codes::{CodeFile, FormFile, Refused};
pub use draft::{Draft, Part, Way};
pub use expectation::{Bound, Expectation, Expected, Percentile, Window};
pub use fault_plan::{Fault, FaultPlan};
pub use inputs::Input;
pub use layers::Layers;
pub use policy::{Arrivals, Gather, HealthRule, Learn, Policy, Verify, Wait};
pub use share::Share;
pub use source::{Problem, Problems, Source, To};
pub use split::Split;
pub use stage::{Below, Stage, StageWork};
pub use trigger::{Phase, Seen, Trigger, Who};

use crate::maths::delay::Delay;
use crate::model::{Network, Segment, Whole};
use crate::units::{Bandwidth, Bytes, DeviceId, Flops, Span, Speed, StageId};

/// Everything a run needs to know, checked.
#[derive(Debug)]
pub struct Plan {
    /// The topology's file name without its extension.
    pub name: String,
    pub network: Arc<Network>,
    /// The model in one piece: the truth.
    pub whole: Arc<Whole>,
    pub supervisor: Machine,
    pub devices: Vec<Device>,
    pub stages: Vec<Stage>,
    /// What the supervisor does for a request; none needs what a later one gives.
    pub steps: Vec<Step>,
    /// The wires that are the answer.
    pub outputs: Vec<usize>,
    /// Linear layers that are not coded, and why: (name, reason).
    pub locals: Vec<(String, String)>,
    pub policy: Policy,
    pub arrivals: Arrivals,
    /// How many requests a run sends if nobody says otherwise.
    pub requests: usize,
    pub numerics: Numerics,
    pub inputs: Vec<Input>,
    /// What the classes are called, if the topology says.
    pub classes: Vec<String>,
}

/// Whether a run computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numerics {
    Full,
    /// Shapes and costs only: the same happens at the same times, but no weight is encoded, nothing is
    /// multiplied, and no answer is judged.
    Skip,
}

/// How fast a processor is.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    pub speed: Speed,
    pub memory_bandwidth: Bandwidth,
    /// The standard deviation of the logarithm of a job's time.
    pub jitter: f64,
}

impl Machine {
    /// The time a job takes without jitter: the slower of computing and moving (roofline).
    pub fn time_for(&self, work: Flops, traffic: Bytes) -> Span {
        self.speed.time_for(work).max(self.memory_bandwidth.time_for(traffic))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    pub name: String,
    pub tags: Vec<String>,
    pub machine: Machine,
    pub memory: Bytes,
    /// Of each message to the device.
    pub latency: Delay,
    /// Of each message from it.
    pub reply_latency: Delay,
    /// Of its link, each way.
    pub bandwidth: Bandwidth,
}

/// One thing the supervisor does for a request: from the values of some wires to those of others.
#[derive(Debug)]
pub struct Step {
    pub work: StepWork,
    pub inputs: Vec<usize>,
    pub outputs: Vec<usize>,
}

#[derive(Debug)]
pub enum StepWork {
    Stage(StageId),
    Local(Arc<Segment>),
}

impl Plan {
    /// Whether a run of it computes what it sends about.
    pub fn computes(&self) -> bool {
        self.numerics == Numerics::Full
    }

    pub fn device(&self, name: &str) -> Option<DeviceId> {
        self.devices.iter().position(|device| device.name == name).map(DeviceId)
    }

    /// The devices with that name or tag.
    pub fn devices_called(&self, name_or_tag: &str) -> Vec<DeviceId> {
        let called = |device: &Device| {
            device.name == name_or_tag || device.tags.iter().any(|tag| tag == name_or_tag)
        };
        let found = self.devices.iter().enumerate().filter(|(_, device)| called(device));
        found.map(|(id, _)| DeviceId(id)).collect()
    }

    /// How many requests a round of layers may be for, in any stage.
    pub fn most_requests(&self) -> usize {
        self.stages.iter().map(|stage| stage.most_requests).max().unwrap_or(1)
    }

    /// The size of the weights that each device holds.
    pub fn held_bytes(&self) -> Vec<Bytes> {
        held_bytes(&self.stages, self.devices.len())
    }

    /// The stage of that name, or that a layer of that name belongs to.
    pub fn stage(&self, name: &str) -> Option<StageId> {
        let is_so = |stage: &Stage| {
            let has = |layers: &Layers| layers.iter().any(|layer| layer.layer().name == name);
            stage.name == name || matches!(&stage.work, StageWork::Layers(layers) if has(layers))
        };
        self.stages.iter().position(is_so).map(StageId)
    }
}

/// The size of the weights that each of so many devices holds for these stages.
fn held_bytes(stages: &[Stage], devices: usize) -> Vec<Bytes> {
    let mut held = vec![Bytes(0); devices];
    for stage in stages {
        let own = stage.held_bytes(devices);
        held.iter_mut().zip(own).for_each(|(held, own)| *held = *held + own);
    }
    held
}
