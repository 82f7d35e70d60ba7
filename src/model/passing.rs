//! What follows a linear layer and can be done in passing: a factor or a summand for each of its rows, as
//! batch normalisation and biases are, goes into its weights and its bias; a residual connection and a
//! ReLU go into how its output is put together.
//!
//! The graph stays as it is: where the layer is not coded, these nodes run in the segment they fall into.

use std::sync::Arc;

use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::math::{Add, Max, Mul, Sub};
use tract_onnx::tract_hir::internal::*;

use super::Weights;
use super::linear::{Finish, LinearOp};

/// A layer with what was taken into it.
pub(super) struct Taken {
    /// The nodes that its output has behind it.
    pub nodes: Vec<usize>,
    /// What is added to it.
    pub addend: Option<OutletId>,
    pub weights: Weights,
    pub finish: Finish,
}

/// What a node does to the output of the layer before it.
enum Step {
    /// Multiplies each row, (groups · rows).
    Scale(Vec<f32>),
    /// Adds to each row, (groups · rows).
    Shift(Vec<f32>),
    /// Adds another value of its shape.
    Add(OutletId),
    Rectify,
}

/// Follows the output of a linear node, of these weights and bias, as far as it is read by one node only
/// which does one of these things. Only what is `there` before the layer can be added to it: else the
/// layer would wait for what may wait for the layer.
pub(super) fn take_in(
    graph: &TypedModel,
    node: usize,
    op: &LinearOp,
    mut weights: Weights,
    mut bias: Option<Vec<f32>>,
    there: impl Fn(usize) -> bool,
) -> Taken {
    let mut nodes = Vec::new();
    let (mut addend, mut rectify) = (None, false);
    while !rectify && let Some((next, step)) = follower(graph, *nodes.last().unwrap_or(&node), op) {
        match step {
            // Once something was added, rows are not the layer's alone.
            Step::Scale(_) | Step::Shift(_) if addend.is_some() => break,
            Step::Scale(by) => {
                let scaled = scaled(&weights, &by, op.depth).zip(match &bias {
                    Some(bias) => scaled(bias, &by, 1).map(Some),
                    None => Some(None),
                });
                let Some(scaled) = scaled else { break };
                (weights, bias) = (scaled.0.into(), scaled.1);
            }
            Step::Shift(by) => {
                bias = Some(match bias {
                    Some(bias) => bias.iter().zip(&by).map(|(bias, by)| bias + by).collect(),
                    None => by,
                });
            }
            Step::Add(other) => {
                if addend.is_some() || !op.raising.is_plain() || !there(other.node) {
                    break;
                }
                addend = Some(other);
            }
            Step::Rectify => rectify = true,
        }
        nodes.push(next);
    }
    let finish = Finish { bias: bias.map(Arc::new), adds: addend.is_some(), rectify };
    Taken { nodes, addend, weights, finish }
}

/// The only reader of a node's only output, if it does a step.
fn follower(graph: &TypedModel, node: usize, op: &LinearOp) -> Option<(usize, Step)> {
    let outlet = OutletId::new(node, 0);
    let [inlet] = graph.outlet_successors(outlet) else { return None };
    let next = graph.node(inlet.node);
    let binary = &next.op_as::<TypedBinOp>()?.0;
    let fact = graph.outlet_fact(OutletId::new(next.id, 0)).ok()?;
    let is_like_it =
        fact.shape == graph.outlet_fact(outlet).ok()?.shape && fact.datum_type == f32::datum_type();
    if !is_like_it || graph.outputs.contains(&outlet) {
        return None;
    }
    let outlet = next.inputs[1 - inlet.slot];
    let other = graph.outlet_fact(outlet).ok()?;
    let Some(constant) = other.konst.clone() else {
        let fits = binary.is::<Add>() && other.shape == fact.shape;
        return fits.then_some((next.id, Step::Add(outlet)));
    };
    let other = constant.to_plain_array_view::<f32>().ok()?;
    let step = if binary.is::<Mul>() {
        Step::Scale(by_rows(&other, op)?)
    } else if binary.is::<Add>() {
        Step::Shift(by_rows(&other, op)?)
    } else if binary.is::<Sub>() && inlet.slot == 0 {
        Step::Shift(by_rows(&other, op)?.iter().map(|by| -by).collect())
    } else if binary.is::<Max>() && other.iter().all(|bound| *bound == 0.0) {
        Step::Rectify
    } else {
        return None;
    };
    Some((next.id, step))
}

/// A constant that is broadcast to the layer's output as one number a row, (groups · rows); `None` if it
/// differs within a row, or is not finite.
fn by_rows(constant: &ndarray::ArrayViewD<'_, f32>, op: &LinearOp) -> Option<Vec<f32>> {
    let rows = op.groups * op.rows;
    if !constant.iter().all(|value| value.is_finite()) {
        return None;
    }
    if let (1, Some(value)) = (constant.len(), constant.first()) {
        return Some(vec![*value; rows]);
    }
    let row_of: Vec<usize> = (0..rows * op.columns).map(|at| at / op.columns).collect();
    let row_of = op.raising.raise(row_of);
    let wide = constant.broadcast(row_of.raw_dim())?;
    let mut by = vec![None; rows];
    row_of
        .iter()
        .zip(&wide)
        .all(|(row, value)| by[*row].get_or_insert(*value) == value)
        .then_some(())?;
    by.into_iter().collect()
}

/// Rows of so many numbers, each times its factor; `None` if a product is too large or too small for a
/// normal number, which the factor behind the sum might not have been.
fn scaled(numbers: &[f32], by: &[f32], row: usize) -> Option<Vec<f32>> {
    let factors = by.iter().flat_map(|by| std::iter::repeat_n(by, row));
    let product = |(number, by): (&f32, &f32)| {
        let product = number * by;
        (product.is_normal() || *number == 0.0 || *by == 0.0).then_some(product)
    };
    numbers.iter().zip(factors).map(product).collect()
}
