//! A model ready to be cut: its linear layers, and the typed graph around them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tract_onnx::tract_hir::internal::*;

use super::linear::{Finish, LinearOp};
use super::lower::{Lowered, lower};
use super::passing::{Taken, take_in};
use super::{Unusable, Weights, onnx};
use crate::maths;

/// A feed-forward model with concrete shapes, and its linear layers in topological order.
#[derive(Debug)]
pub struct Network {
    pub name: String,
    pub inputs: Vec<Vec<usize>>,
    pub outputs: Vec<Vec<usize>>,
    pub layers: Vec<Layer>,
    /// Linear nodes that cannot be coded, and why: (name, reason).
    pub uncodable: Vec<(String, String)>,
    /// The decluttered graph, topologically ordered.
    pub(super) graph: TypedModel,
}

/// A linear layer: `W · lower(x)`, finished and raised to the output's shape.
#[derive(Clone, Debug)]
pub struct Layer {
    pub name: String,
    /// As people say it: `conv 5×5`, `dense`.
    pub kind: String,
    pub op: Arc<LinearOp>,
    /// (groups, rows, depth), row-major.
    pub weights: Weights,
    pub finish: Finish,
    pub(super) node: usize,
    /// The nodes behind it whose work its weights and its finish do.
    pub(super) taken: Vec<usize>,
    /// What they add.
    pub(super) addend: Option<OutletId>,
}

impl Layer {
    /// The layer's output, computed in one piece: for its input and, behind that, what is added to it.
    ///
    /// # Panics
    /// If an input is missing, or not of its shape.
    pub fn undivided(&self, inputs: &[maths::Tensor]) -> maths::Tensor {
        let result = self.op.apply(&self.weights, &inputs[0]);
        self.op.assemble(&[&result], self.op.rows, &self.finish, inputs.get(1))
    }
}

impl Network {
    /// Reads an ONNX file.
    pub fn open(path: &Path) -> Result<Self, Unusable> {
        let name = path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
        Self::from_graph(name, onnx::open(path)?)
    }

    pub(super) fn from_graph(name: String, graph: TypedModel) -> Result<Self, Unusable> {
        let mut layers = Vec::new();
        let mut uncodable = Vec::new();
        let mut names = BTreeMap::new();
        let order = graph
            .eval_order()
            .map_err(|error| Unusable::because("the graph cannot be ordered", &error))?;
        all_are_concrete(&graph, &order)?;
        for (at, node) in order.iter().copied().enumerate() {
            let mut name = || unique(&mut names, &title(&graph.node(node).name));
            match lower(&graph, node) {
                Lowered::NotLinear => {}
                Lowered::Impossible(why) => {
                    return Err(Unusable(format!("node \"{}\": {why}", graph.node(node).name)));
                }
                Lowered::Local(why) => uncodable.push((name(), why)),
                Lowered::Layer { kind, op, weights, bias } => {
                    let name = name();
                    let there = |other| order[..at].contains(&other);
                    let taken = take_in(&graph, node, &op, weights, bias, there);
                    let Taken { nodes: taken, addend, weights, finish } = taken;
                    let op = op.into();
                    layers.push(Layer { name, kind, op, weights, finish, node, taken, addend });
                }
            }
        }
        let shapes = |outlets: &[OutletId]| -> Result<Vec<_>, Unusable> {
            outlets.iter().map(|outlet| onnx::concrete_shape(&graph, *outlet)).collect()
        };
        let (inputs, outputs) = (shapes(&graph.inputs)?, shapes(&graph.outputs)?);
        Ok(Self { name, inputs, outputs, layers, uncodable, graph })
    }

    /// The layer of that name.
    pub fn layer(&self, name: &str) -> Option<usize> {
        self.layers.iter().position(|layer| layer.name == name)
    }
}

/// Everything that is computed has a shape that can be planned for.
fn all_are_concrete(graph: &TypedModel, order: &[usize]) -> Result<(), Unusable> {
    for node in order.iter().map(|node| graph.node(*node)) {
        for (slot, outlet) in node.outputs.iter().enumerate() {
            // A constant may be empty: what an operator is told to do without.
            if outlet.fact.konst.is_none() {
                onnx::concrete_shape(graph, OutletId::new(node.id, slot))?;
            }
        }
    }
    Ok(())
}

/// A node's name as a person would say the layer: `/fc1/Gemm.ab` is `fc1`.
///
/// PyTorch writes `/path/of/module/Operator`; tract appends the parts it split an operator into.
fn title(node: &str) -> String {
    let node = SPLITS.iter().fold(node, |node, split| node.split(split).next().unwrap_or(node));
    match node.trim_start_matches('/').rsplit_once('/') {
        Some((module, _operator)) => module.to_owned(),
        None => node.trim_end_matches(".ab").to_owned(),
    }
}

/// What tract writes before the axis and the range of a part.
const SPLITS: [&str; 2] = [".concat-einsum-", ".split-over-"];

fn unique(names: &mut BTreeMap<String, usize>, title: &str) -> String {
    let seen = names.entry(title.to_owned()).and_modify(|seen| *seen += 1).or_insert(1);
    if *seen == 1 { title.to_owned() } else { format!("{title}#{seen}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_called_as_in_the_source_of_the_model() {
        assert_eq!(title("/fc1/Gemm.ab"), "fc1");
        assert_eq!(title("/blocks.0/q/MatMul"), "blocks.0/q");
        assert_eq!(title("Gemm_12.ab"), "Gemm_12");
        assert_eq!(title("/head/MatMul.split-over-2.0..8"), "head");
        assert_eq!(title("Gemm_12.ab.concat-einsum-k.0..8"), "Gemm_12");
    }
}
