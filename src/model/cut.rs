//! Cutting a network into pieces: coded layers, function stages, and local segments between them.
//!
//! Every node that is not cut out belongs to the last cut it depends on, in topological order. So
//! pieces in that order never wait for a later one, however the graph branches and joins.

use std::collections::{BTreeMap, BTreeSet};

use tract_onnx::tract_core::ops::konst::Const;
use tract_onnx::tract_core::ops::source::TypedSource;
use tract_onnx::tract_hir::internal::*;

use super::{Layer, Network, Onward, Segment, Unusable};

/// What becomes of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A round of its own, with coded weights.
    Coded,
    /// Part of a function stage: layers with equal numbers run whole on one device.
    Function(usize),
    /// The same, but if the model ends in a softmax that is left to the supervisor.
    FunctionBeforeSoftmax(usize),
    /// Part of the local segment it falls into.
    Local,
}

/// One step of running the model, in order.
#[derive(Debug)]
pub struct Piece {
    pub kind: PieceKind,
    /// What the outputs of its layers become on their way to who reads them.
    pub onward: Option<Onward>,
    /// The values it needs: numbers of wires.
    pub inputs: Vec<usize>,
    /// The values it gives.
    pub outputs: Vec<usize>,
}

#[derive(Debug)]
pub enum PieceKind {
    /// A coded layer; several, where they go out [`together`](Pieces::join_siblings).
    Layers(Vec<Member>),
    /// A function stage, by its number, and what its device runs.
    Function(usize, Segment),
    /// Run by the supervisor.
    Local(Segment),
}

/// A coded layer of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its place in [`Network::layers`].
    pub layer: usize,
    /// Which of the piece's inputs it is applied to.
    pub input: usize,
}

/// A network in pieces. Wires are numbered from 0; the network's inputs come first.
#[derive(Debug)]
pub struct Pieces {
    pub pieces: Vec<Piece>,
    /// The wires that are the network's outputs.
    pub outputs: Vec<usize>,
}

/// The nodes of one piece, in topological order.
struct Group {
    what: What,
    nodes: Vec<usize>,
}

impl Group {
    /// Its linear layers.
    fn layers<'g>(&'g self, network: &'g Network) -> impl Iterator<Item = usize> + 'g {
        let layers = network.layers.iter().enumerate();
        layers.filter(|(_, layer)| self.nodes.contains(&layer.node)).map(|(at, _)| at)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// Local; after this layer, or before the first.
    Local(Option<usize>),
    Layer(usize),
    Function(usize),
}

impl Network {
    /// Cuts at the marked layers; `marks` has one entry a layer, and the layers of one function
    /// stage are neighbours.
    ///
    /// # Errors
    /// If a part cannot be run by itself.
    pub fn cut(&self, marks: &[Mark]) -> Result<Pieces, Unusable> {
        let mut wires = Wires::new(&self.graph.inputs);
        let mut pieces = Vec::new();
        for Group { what, nodes } in self.groups(marks)? {
            let (mut inputs, outputs) = self.edges(&nodes);
            if let What::Layer(layer) = what {
                inputs = self.layer_inputs(layer);
            }
            if outputs.is_empty() {
                continue;
            }
            let run = |name: &str| Segment::extract(&self.graph, name, &nodes, &inputs, &outputs);
            let kind = match what {
                What::Layer(layer) => PieceKind::Layers(vec![Member { layer, input: 0 }]),
                What::Function(number) => PieceKind::Function(number, run("function stage")?),
                What::Local(None) => PieceKind::Local(run("before the first stage")?),
                What::Local(Some(layer)) => {
                    PieceKind::Local(run(&format!("after {}", self.layers[layer].name))?)
                }
            };
            let (inputs, outputs) = (wires.all(&inputs), wires.all(&outputs));
            pieces.push(Piece { kind, onward: None, inputs, outputs });
        }
        let constants = self.constant_outputs();
        if !constants.is_empty() {
            let segment = Segment::extract(&self.graph, "constants", &[], &[], &constants)?;
            let (kind, outputs) = (PieceKind::Local(segment), wires.all(&constants));
            pieces.push(Piece { kind, onward: None, inputs: Vec::new(), outputs });
        }
        Ok(Pieces { pieces, outputs: wires.all(&self.graph.outputs) })
    }

    /// Every node to the last cut it depends on.
    fn groups(&self, marks: &[Mark]) -> Result<Vec<Group>, Unusable> {
        assert_eq!(marks.len(), self.layers.len(), "one mark a layer");
        let order = self
            .graph
            .eval_order()
            .map_err(|error| Unusable::because("the graph cannot be ordered", &error))?;
        let mut groups = vec![Group { what: What::Local(None), nodes: Vec::new() }];
        // The group of each node seen so far; a layer's group is followed by that of its locals.
        let mut group_of: BTreeMap<usize, usize> = BTreeMap::new();
        for node in order {
            let inputs = &self.graph.node(node).inputs;
            let after = inputs.iter().filter_map(|input| group_of.get(&input.node)).max();
            let mut group = after.copied().unwrap_or(0);
            if matches!(groups[group].what, What::Layer(_)) {
                group += 1;
            }
            let layer = self.layers.iter().position(|layer| layer.node == node);
            let taken = self.layers.iter().position(|layer| layer.taken.contains(&node));
            if let Some(layer) = taken.filter(|layer| marks[*layer] == Mark::Coded) {
                group = group_of[&self.layers[layer].node];
            }
            match layer.map(|layer| (layer, marks[layer])) {
                Some((layer, Mark::Coded)) => {
                    group = groups.len();
                    groups.push(Group { what: What::Layer(layer), nodes: Vec::new() });
                    groups.push(Group { what: What::Local(Some(layer)), nodes: Vec::new() });
                }
                Some((_, Mark::Function(number) | Mark::FunctionBeforeSoftmax(number))) => {
                    let begun = groups.iter().position(|g| g.what == What::Function(number));
                    group = begun.unwrap_or(groups.len());
                    if begun.is_none() {
                        groups.push(Group { what: What::Function(number), nodes: Vec::new() });
                    }
                }
                None if self.is_left_out(node, &groups[group], marks) => {
                    let last = groups[group].layers(self).max();
                    group = groups.len();
                    groups.push(Group { what: What::Local(last), nodes: Vec::new() });
                }
                Some((_, Mark::Local)) | None => {}
            }
            group_of.insert(node, group);
            groups[group].nodes.push(node);
        }
        Ok(groups)
    }

    /// Whether a node is a softmax that gives an output of the network, behind a stage that ends before it.
    fn is_left_out(&self, node: usize, behind: &Group, marks: &[Mark]) -> bool {
        let What::Function(number) = behind.what else { return false };
        let ends_before = marks.contains(&Mark::FunctionBeforeSoftmax(number));
        let output = self.graph.outputs.contains(&OutletId::new(node, 0));
        ends_before && output && self.graph.node(node).op().name().contains("Softmax")
    }

    /// The values that enter and leave a set of nodes; constants do neither.
    fn edges(&self, nodes: &[usize]) -> (Vec<OutletId>, Vec<OutletId>) {
        let inside: BTreeSet<usize> = nodes.iter().copied().collect();
        let mut inputs = BTreeSet::new();
        let mut outputs = BTreeSet::new();
        for node in nodes.iter().map(|node| self.graph.node(*node)) {
            let entering = node.inputs.iter().filter(|outlet| !inside.contains(&outlet.node));
            inputs.extend(entering.filter(|outlet| !self.is_constant(**outlet)).copied());
            if node.op_is::<TypedSource>() {
                continue;
            }
            let given = (0..node.outputs.len()).map(|slot| OutletId::new(node.id, slot));
            outputs.extend(given.filter(|outlet| {
                let read = self.graph.outlet_successors(*outlet);
                let leaves = read.iter().any(|inlet| !inside.contains(&inlet.node));
                (leaves || self.graph.outputs.contains(outlet)) && !self.is_constant(*outlet)
            }));
        }
        // A source inside the set is the network's own input: it enters, too.
        let sources = nodes.iter().filter(|node| self.graph.node(**node).op_is::<TypedSource>());
        inputs.extend(sources.map(|node| OutletId::new(*node, 0)));
        (inputs.into_iter().collect(), outputs.into_iter().collect())
    }

    /// What a layer is applied to, and behind that what is added to it.
    fn layer_inputs(&self, layer: usize) -> Vec<OutletId> {
        let Layer { node, addend, .. } = &self.layers[layer];
        let mut inputs = self.graph.node(*node).inputs.iter();
        let own = inputs.find(|outlet| !self.is_constant(**outlet));
        [own.expect("what a layer is applied to is not constant")]
            .into_iter()
            .chain(addend)
            .copied()
            .collect()
    }

    /// Outputs of the network that no piece gives, for no node computes them.
    fn constant_outputs(&self) -> Vec<OutletId> {
        let outputs: BTreeSet<OutletId> = self.graph.outputs.iter().copied().collect();
        outputs.into_iter().filter(|outlet| self.is_constant(*outlet)).collect()
    }

    fn is_constant(&self, outlet: OutletId) -> bool {
        let fact = self.graph.outlet_fact(outlet).expect("an edge of the graph");
        fact.konst.is_some() || self.graph.node(outlet.node).op_is::<Const>()
    }
}

/// The numbers of values between pieces.
struct Wires(BTreeMap<OutletId, usize>);

impl Wires {
    fn new(inputs: &[OutletId]) -> Self {
        Self(inputs.iter().enumerate().map(|(number, outlet)| (*outlet, number)).collect())
    }

    fn all(&mut self, outlets: &[OutletId]) -> Vec<usize> {
        let mut number = |outlet| {
            let next = self.0.len();
            *self.0.entry(outlet).or_insert(next)
        };
        outlets.iter().map(|outlet| number(*outlet)).collect()
    }
}
