//! The words of a topology's `policy`, and what they are if nothing is said.

use serde::Deserialize;

use crate::units::{Flops, Span};

#[derive(Clone, Debug, Deserialize)]
#[serde(rename = "Policy", deny_unknown_fields)]
pub struct PolicyFile {
    #[serde(default)]
    pub wait: WaitFile,
    #[serde(default = "deadline")]
    pub deadline: Span,
    #[serde(default = "retries")]
    pub retries: u32,
    #[serde(default)]
    pub answer_within: Option<Span>,
    /// Layers with less work than this stay with the supervisor.
    #[serde(default = "local_below")]
    pub local_below: Flops,
    #[serde(default = "worst_condition")]
    pub worst_condition: f64,
    #[serde(default = "learn")]
    pub learn: Option<LearnFile>,
    #[serde(default)]
    pub hedge: Option<f64>,
    #[serde(default)]
    pub verify: VerifyFile,
    /// Of stages whose entry says nothing else.
    #[serde(default)]
    pub below: BelowFile,
    #[serde(default)]
    pub health: HealthFile,
    #[serde(default)]
    pub gather: Option<GatherFile>,
}

/// Requests share rounds of layers whose weights take longer to read than to multiply with one input.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename = "Gather", deny_unknown_fields)]
pub struct GatherFile {
    /// So many at once.
    pub most: usize,
    /// The longest that one waits for others.
    pub within: Span,
}

/// What becomes of a round that has too few replies when its last deadline passes.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename = "Below")]
pub enum BelowFile {
    /// Its requests fail.
    #[default]
    Fail,
    /// They are answered with the best guess from what came, and the answer says so.
    Estimate,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename = "Learn", deny_unknown_fields)]
pub struct LearnFile {
    #[serde(default = "quantile")]
    pub quantile: f64,
    #[serde(default = "factor")]
    pub factor: f64,
    #[serde(default = "floor")]
    pub floor: Span,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename = "Verify")]
pub enum VerifyFile {
    Off,
    Surplus,
    Always,
    #[default]
    Auto,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename = "Health", deny_unknown_fields)]
pub struct HealthFile {
    #[serde(default = "suspect")]
    pub suspect: f64,
    #[serde(default = "exclude")]
    pub exclude: f64,
    #[serde(default = "exile")]
    pub exile: Span,
}

impl Default for HealthFile {
    fn default() -> Self {
        Self { suspect: suspect(), exclude: exclude(), exile: exile() }
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename = "Wait")]
pub enum WaitFile {
    #[default]
    KthReply,
    Everyone,
}

impl Default for PolicyFile {
    fn default() -> Self {
        Self {
            wait: WaitFile::default(),
            deadline: deadline(),
            retries: retries(),
            answer_within: None,
            local_below: local_below(),
            worst_condition: worst_condition(),
            learn: learn(),
            hedge: None,
            verify: VerifyFile::default(),
            below: BelowFile::default(),
            health: HealthFile::default(),
            gather: None,
        }
    }
}

fn deadline() -> Span {
    Span::from_secs(1.0)
}

fn retries() -> u32 {
    1
}

/// Less than a microsecond on a Raspberry Pi: a message costs hundreds of times as much.
fn local_below() -> Flops {
    Flops(1000)
}

/// `f32` rounds at 6e-8; amplified by this, six parts in a thousand of a pre-activation are noise.
fn worst_condition() -> f64 {
    1e5
}

fn learn() -> Option<LearnFile> {
    Some(LearnFile { quantile: quantile(), factor: factor(), floor: floor() })
}

/// Of the replies of a healthy fleet, one in a hundred comes later.
fn quantile() -> f64 {
    0.99
}

/// A reply that takes four times as long as that is most likely lost.
fn factor() -> f64 {
    4.0
}

/// Below this a retry would overtake what is still on its way.
fn floor() -> Span {
    Span::from_millis(5.0)
}

/// One healthy reply in a thousand is as late.
fn suspect() -> f64 {
    3.0
}

/// One in a hundred million.
fn exclude() -> f64 {
    8.0
}

fn exile() -> Span {
    Span::from_millis(200.0)
}
