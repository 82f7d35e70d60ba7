//! The topology file: which devices there are, which model they run, and how it is coded.
//!
//! These are the words of the file and nothing more; `build` gives them their meaning.

mod policy;

use serde::Deserialize;

pub use policy::{BelowFile, HealthFile, LearnFile, PolicyFile, VerifyFile, WaitFile};

use super::codes::CodeFile;
use crate::maths::delay::WrittenDelay;
use crate::units::{Bandwidth, Bytes, Span, Speed};

/// A whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename = "Topology", deny_unknown_fields)]
pub struct TopologyFile {
    pub model: ModelFile,
    pub supervisor: MachineFile,
    pub devices: Vec<DeviceFile>,
    /// How stages are coded unless `stages` says otherwise.
    pub coding: CodingFile,
    #[serde(default)]
    pub stages: Vec<StageFile>,
    pub inputs: InputsFile,
    #[serde(default)]
    pub arrivals: ArrivalsFile,
    /// How many requests a run sends.
    pub requests: usize,
    #[serde(default)]
    pub policy: PolicyFile,
    #[serde(default)]
    pub numerics: NumericsFile,
}

/// Whether a run computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename = "Numerics")]
pub enum NumericsFile {
    #[default]
    Full,
    /// Shapes and costs only: what happens when, and nothing about answers.
    Skip,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename = "Model")]
pub enum ModelFile {
    /// An ONNX file.
    Onnx(String),
    /// A well-known architecture with weights drawn from a seed.
    Synthetic(ArchitectureFile, u64),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename = "Architecture")]
pub enum ArchitectureFile {
    AlexNet,
    Vgg16,
    /// With a sixteenth of the channels.
    Vgg16Narrow,
    /// So many dense layers from 16 inputs to so many outputs, which are averaged to 16 again: wide
    /// enough for a fleet of thousands to have a piece each.
    Fans {
        layers: usize,
        width: usize,
    },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename = "Machine", deny_unknown_fields)]
pub struct MachineFile {
    pub speed: Speed,
    #[serde(default = "memory_bandwidth")]
    pub memory_bandwidth: Bandwidth,
    /// The standard deviation of the logarithm of a job's time.
    #[serde(default)]
    pub jitter: f64,
}

/// A device, or `count` alike: `name` then is a tag they share, and they are called name-1, name-2 …
#[derive(Clone, Debug, Deserialize)]
#[serde(rename = "Device", deny_unknown_fields)]
pub struct DeviceFile {
    pub name: String,
    #[serde(default)]
    pub count: Option<usize>,
    #[serde(default)]
    pub tags: Vec<String>,
    pub speed: Speed,
    #[serde(default = "memory_bandwidth")]
    pub memory_bandwidth: Bandwidth,
    #[serde(default)]
    pub jitter: f64,
    pub memory: Bytes,
    /// One way, for each message.
    pub latency: WrittenDelay,
    /// On the way back, if that differs.
    #[serde(default)]
    pub reply_latency: Option<WrittenDelay>,
    pub bandwidth: Bandwidth,
}

/// What LPDDR2 of a Raspberry Pi 3 gives.
fn memory_bandwidth() -> Bandwidth {
    Bandwidth(2e9)
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename = "Coding", deny_unknown_fields)]
pub struct CodingFile {
    pub code: CodeFile,
    /// Of convolutions whose map has a row for each source; other layers are split by output.
    #[serde(default)]
    pub split: SplitFile,
    #[serde(default)]
    pub siblings: SiblingsFile,
    /// Names or tags of the devices that hold the shares, in the order of shares.
    pub on: Vec<String>,
    /// Names or tags of devices that hold a copy of every share and are asked on a retry.
    #[serde(default)]
    pub spares: Vec<String>,
    #[serde(default)]
    pub deadline: Option<Span>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename = "Stage", deny_unknown_fields)]
pub struct StageFile {
    /// The layers this is about: each a stage of its own, but for siblings; with `run: Whole` all of them one.
    pub layers: Vec<String>,
    #[serde(default)]
    pub run: RunFile,
    #[serde(default)]
    pub code: Option<CodeFile>,
    #[serde(default)]
    pub split: Option<SplitFile>,
    #[serde(default)]
    pub on: Option<Vec<String>>,
    #[serde(default)]
    pub spares: Option<Vec<String>>,
    #[serde(default)]
    pub deadline: Option<Span>,
    /// If not as the policy says.
    #[serde(default)]
    pub below: Option<BelowFile>,
    /// How requests are gathered, where the code is over their inputs.
    #[serde(default)]
    pub batch: Option<BatchFile>,
}

/// How requests are gathered into batches.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename = "Batch", deny_unknown_fields)]
pub struct BatchFile {
    /// How long the first waits for the others; then a batch is filled up with inputs that it has.
    #[serde(default = "within")]
    pub within: Span,
    #[serde(default)]
    pub order: OrderFile,
    #[serde(default)]
    pub outputs: OutputsFile,
}

impl Default for BatchFile {
    fn default() -> Self {
        Self { within: within(), order: OrderFile::default(), outputs: OutputsFile::default() }
    }
}

/// A round over a network of boards takes about as long.
fn within() -> Span {
    Span::from_millis(10.0)
}

/// How inputs stand along the curve.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename = "Order")]
pub enum OrderFile {
    Given,
    /// Neighbours alike: it cuts the error by a third to a half (`kofn reproduce letcc-models`).
    #[default]
    NearestNeighbour,
}

/// Which outputs are read off the curve, if the model ends in a softmax.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename = "Outputs")]
pub enum OutputsFile {
    /// What goes into it; the supervisor runs the softmax. The curve is smoother there.
    #[default]
    BeforeSoftmax,
    AfterSoftmax,
}

/// What of a layer is coded.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename = "Split")]
pub enum SplitFile {
    /// Its weights, between output rows, once; every device is sent the whole input.
    #[default]
    Output,
    /// The input of a convolution, in strips, for every request; every device holds all weights.
    Spatial,
}

/// Layers that are ready together, and of which the file says the same.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename = "Siblings")]
pub enum SiblingsFile {
    /// One round for all: inputs that they have in common are sent once.
    #[default]
    Together,
    /// A round for each, beside each other.
    Apart,
}

/// How layers are run.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename = "Run")]
pub enum RunFile {
    /// Each layer split over devices by the code.
    #[default]
    Coded,
    /// All of them, and what lies between, by one device; each device in `on` is a replica, or with
    /// `Berrut` or `Spline` runs its own mixture of a batch of requests.
    Whole,
    /// By the supervisor.
    Local,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename = "Inputs", deny_unknown_fields)]
pub enum InputsFile {
    /// IDX images, bytes divided by 255, and labels.
    Idx {
        images: String,
        #[serde(default)]
        labels: Option<String>,
        /// What the classes are called, in the order of the model's outputs.
        #[serde(default)]
        classes: Vec<String>,
    },
    /// So many tensors of uniform numbers in [0, 1), drawn from the run's seed.
    Random { count: usize },
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename = "Arrivals", deny_unknown_fields)]
pub enum ArrivalsFile {
    ClosedLoop { clients: usize },
    Poisson { per_second: f64 },
}

impl Default for ArrivalsFile {
    fn default() -> Self {
        Self::ClosedLoop { clients: 1 }
    }
}
