//! Numbers without meaning: blocks and their mixing, the one matrix product, small dense `f64`
//! algebra, and seeded chance. Nothing here knows devices, time or files.

pub mod chance;
pub mod crew;
pub mod delay;
pub mod fetch;
pub mod lines;
pub mod matrix;
pub mod maxima;
pub mod mix;
pub mod product;
pub mod project;
mod registers;
pub mod room;
mod skinny;
pub mod spline;
pub mod winograd;

/// A tensor of activations: `f32`, any rank, cheap to share.
///
/// Cloning copies a pointer; this is what makes sending one input to n devices free in-process.
pub type Tensor = ndarray::ArcArray<f32, ndarray::IxDyn>;

/// Numbers in [-1, 1), the same for the same salt.
#[cfg(test)]
pub(crate) fn numbers(len: usize, salt: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7919 + salt * 104_729) % 2003) as f32 / 1001.5 - 1.0).collect()
}
