//! Numbers without meaning: blocks and their mixing, the one matrix product, small dense `f64`
//! algebra, and seeded chance. Nothing here knows devices, time or files.

pub mod chance;
pub mod delay;
pub mod lines;
pub mod matrix;
pub mod mix;
pub mod product;
pub mod project;
mod skinny;
pub mod spline;

/// A tensor of activations: `f32`, any rank, cheap to share.
///
/// Cloning copies a pointer; this is what makes sending one input to n devices free in-process.
pub type Tensor = ndarray::ArcArray<f32, ndarray::IxDyn>;
