//! Models: an ONNX file as a graph whose linear layers can be coded and whose rest runs as it is.
//!
//! tract parses the file and runs everything that is not coded: local segments, function stages, and
//! the whole model in one piece, which is the truth every answer is measured against. Linear layers
//! run on kofn's own kernels ([`linear`]), so a device that holds shares of weights needs no tract.
//! Nothing here knows codes or devices.

pub mod cut;
mod direct;
mod file;
mod guard;
pub mod images;
mod layout;
pub mod linear;
mod lower;
pub mod lowered;
mod lrn;
mod network;
mod onnx;
pub mod onward;
mod output;
mod passing;
mod patches;
mod pool;
mod prelu;
pub mod probe;
mod segment;
mod shifts;
mod siblings;
pub mod sketch;
mod sound;
pub mod strips;
pub mod synthetic;
mod tidy;
mod tiling;
mod weights;
mod whole;
pub mod witness;

pub use network::{Layer, Network};
pub use onward::Onward;
pub use segment::Segment;
pub use weights::Weights;
pub use whole::Whole;

/// Why a model cannot be used: one message that names the node and says what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub String);

impl Unusable {
    /// A tract error with all its causes, innermost last.
    fn because(context: &str, error: &tract_onnx::prelude::TractError) -> Self {
        let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
        Self(format!("{context}: {}", causes.join(": ")))
    }
}
