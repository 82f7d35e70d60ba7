//! Linear layers that go out as one round: one, or several that are ready together.
//!
//! A share of them is a share of each, by one code: the inputs they have in common are sent once, and what
//! suffices to decode one suffices for all.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::share::Part;
use super::{CodedLayer, Share};
use crate::code::{Code, Decoder};
use crate::maths::Tensor;
use crate::maths::product::FEW;
use crate::model::Onward;
use crate::model::linear::LinearOp;
use crate::model::onward::Room;
use crate::units::{Bytes, Flops};

/// The layers of a round, in the model's order. Cloning copies pointers.
#[derive(Clone, Debug)]
pub struct Layers {
    placed: Arc<[Placed]>,
    /// What their outputs become.
    onward: Option<Arc<Onward>>,
}

/// One of them.
#[derive(Debug)]
struct Placed {
    layer: Arc<CodedLayer>,
    /// Which of the stage's inputs it is applied to.
    input: usize,
    /// How that is laid out.
    laid: usize,
}

impl Layers {
    /// Layers of one code, each with the number of the input that it is applied to.
    ///
    /// # Panics
    /// If there are none.
    pub fn new(layers: Vec<(CodedLayer, usize)>) -> Self {
        assert!(!layers.is_empty(), "a round is for something");
        let alike = |a: &LinearOp, b: &LinearOp| {
            let sizes = |op: &LinearOp| (op.groups, op.depth, op.columns);
            a.lowering == b.lowering && sizes(a) == sizes(b)
        };
        let mut placed: Vec<Placed> = Vec::new();
        let mut ways = 0;
        for (layer, input) in layers {
            let known = placed
                .iter()
                .find(|other| other.input == input && alike(other.layer.op(), layer.op()));
            let laid = known.map_or(ways, |other| other.laid);
            ways = ways.max(laid + 1);
            placed.push(Placed { layer: Arc::new(layer), input, laid });
        }
        Self { placed: placed.into(), onward: None }
    }

    /// The same, whose outputs become one value on their way on.
    #[must_use]
    pub fn onward(self, onward: Option<Onward>) -> Self {
        Self { onward: onward.map(Arc::new), ..self }
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<CodedLayer>> + Clone {
        self.placed.iter().map(|placed| &placed.layer)
    }

    pub fn first(&self) -> &Arc<CodedLayer> {
        &self.placed[0].layer
    }

    /// The only one whose input is coded: such a layer goes out by itself.
    pub fn in_strips(&self) -> Option<&Arc<CodedLayer>> {
        self.iter().find(|layer| layer.strips().is_some())
    }

    /// Each layer with the number of the input that it is applied to.
    pub fn applied(&self) -> impl Iterator<Item = (&CodedLayer, usize)> + Clone {
        self.placed.iter().map(|placed| (placed.layer.as_ref(), placed.input))
    }

    /// How many inputs they are applied to. Behind these the stage is given what is added to the outputs.
    pub fn inputs(&self) -> usize {
        self.placed.iter().map(|placed| placed.input + 1).max().unwrap_or(0)
    }

    /// How many requests can share a round: as many as it takes reading the weights no longer for.
    pub fn most_requests(&self) -> usize {
        // Groups are multiplied one after the other, for each request by itself.
        let of = |layer: &Arc<CodedLayer>| match layer.op() {
            op if op.groups == 1 => FEW / op.columns.max(1),
            _ => 1,
        };
        let most = self.iter().map(of).min().unwrap_or(1).max(1);
        if self.in_strips().is_some() { 1 } else { most }
    }

    /// In how many ways inputs are laid out.
    pub fn ways(&self) -> usize {
        self.placed.iter().map(|placed| placed.laid + 1).max().unwrap_or(0)
    }

    /// The first layer that is applied to each of the inputs.
    fn by_input(&self) -> impl Iterator<Item = &CodedLayer> {
        let first = |input| self.placed.iter().find(move |placed| placed.input == input);
        (0..self.inputs()).filter_map(first).map(|placed| placed.layer.as_ref())
    }

    fn sum(&self, of: impl Fn(&CodedLayer) -> u64) -> u64 {
        self.iter().map(|layer| of(layer)).sum()
    }

    /// What the holder of a share must hold.
    pub fn encode(&self, share: usize) -> Share {
        self.shares(|layer| layer.encode(share))
    }

    /// What a share costs, without its weights.
    pub fn outline(&self, share: usize) -> Share {
        self.shares(|layer| layer.outline(share))
    }

    fn shares(&self, of: impl Fn(&CodedLayer) -> Share) -> Share {
        if let [one] = &self.placed[..] {
            return of(&one.layer);
        }
        let part = |placed: &Placed| {
            let Placed { layer, input, laid } = placed;
            Part { share: of(layer), input: *input, laid: *laid }
        };
        Share::Several(self.placed.iter().map(part).collect())
    }

    /// The outputs for one of the requests, one a layer or what they become, decoded from results of shares
    /// and finished, with what is added to them.
    ///
    /// # Panics
    /// If a result that the decoder reads is not there, or not of its length.
    pub fn decode<'r>(
        &self,
        decoder: &Decoder,
        results: impl Iterator<Item = (usize, &'r [Tensor])> + Clone,
        request: usize,
        addends: &[Tensor],
    ) -> Vec<Tensor> {
        let decode = |at: usize, room: Room<'_>| {
            let place = request * self.placed.len() + at;
            let own = |(share, result): (usize, &'r [Tensor])| {
                Some((share, result.get(place)?.as_slice()?))
            };
            let results: BTreeMap<usize, &[f32]> = results.clone().filter_map(own).collect();
            let adds = |placed: &&Placed| placed.layer.layer().finish.adds;
            let before = self.placed[..at].iter().filter(adds).count();
            self.placed[at].layer.decode_rows(decoder, &results, addends.get(before), room);
        };
        match &self.onward {
            Some(onward) => {
                let rows = |at: usize| self.placed[at].layer.op().output_rows();
                vec![onward.filled(rows, decode)]
            }
            None => {
                let output = |(at, layer): (usize, &Arc<CodedLayer>)| {
                    layer.op().filled(|room| decode(at, room))
                };
                self.iter().enumerate().map(output).collect()
            }
        }
    }

    /// The outputs, one a layer or what they become, each layer computed in one piece.
    ///
    /// # Panics
    /// If an input is missing, or not of its shape.
    pub fn undivided(&self, inputs: &[Tensor]) -> Vec<Tensor> {
        let (inputs, addends) = inputs.split_at(self.inputs());
        let mut addends = addends.iter();
        let undivided = |(layer, input): (&CodedLayer, usize)| {
            let addend = if layer.layer().finish.adds { addends.next() } else { None };
            let own: Vec<Tensor> = std::iter::once(&inputs[input]).chain(addend).cloned().collect();
            layer.layer().undivided(&own)
        };
        let outputs = self.applied().map(undivided).collect();
        match &self.onward {
            Some(onward) => vec![onward.over(outputs)],
            None => outputs,
        }
    }

    /// The shapes of the outputs for one request.
    pub fn output_shapes(&self) -> impl Iterator<Item = &[usize]> {
        let of_layers = match self.onward {
            Some(_) => &[],
            None => &self.placed[..],
        };
        let of_layers = of_layers.iter().map(|placed| &placed.layer.op().raising.shape);
        of_layers.chain(self.onward.iter().map(|onward| &onward.shape)).map(|shape| &shape[..])
    }

    /// The size of their inputs, each once.
    pub fn input_bytes(&self) -> Bytes {
        Bytes(self.by_input().map(|layer| layer.op().input_bytes().0).sum())
    }

    /// The work of a share.
    pub fn share_work(&self, share: usize) -> Flops {
        Flops(self.sum(|layer| layer.share_work(share).0))
    }

    /// The size of the weights that the holder of a share must hold.
    pub fn share_bytes(&self, share: usize) -> Bytes {
        Bytes(self.sum(|layer| layer.share_bytes(share).0))
    }

    /// The size of what the holder of a share is sent.
    pub fn task_bytes(&self, share: usize) -> Bytes {
        Bytes(self.by_input().map(|layer| layer.task_bytes(share).0).sum())
    }

    /// The size of a share's result.
    pub fn reply_bytes(&self, share: usize) -> Bytes {
        Bytes(self.sum(|layer| layer.reply_bytes(share).0))
    }

    /// The number of elements of a share's result.
    pub fn result_len(&self, share: usize) -> usize {
        self.iter().map(|layer| layer.result_len(share)).sum()
    }

    /// The number of elements of one cell's result.
    pub fn cell_len(&self) -> usize {
        self.iter().map(|layer| layer.cell_len()).sum()
    }

    /// The work of all layers, undivided.
    pub fn undivided_work(&self) -> Flops {
        Flops(self.sum(|layer| layer.op().work(layer.op().rows).0))
    }

    /// The work of encoding their shares, once, at deployment.
    pub fn encode_work(&self) -> Flops {
        Flops(self.sum(|layer| layer.encode_work().0))
    }

    /// The work of encoding their input, for each request.
    pub fn input_encode_work(&self) -> Flops {
        Flops(self.sum(|layer| layer.input_encode_work().0))
    }

    /// The memory that doing so must read and write.
    pub fn input_encode_traffic(&self) -> Bytes {
        Bytes(self.sum(|layer| layer.input_encode_traffic().0))
    }

    /// The work of residual connections and ReLUs, as outputs are put together, and of what these become.
    pub fn finish_work(&self) -> Flops {
        Flops(self.sum(|layer| layer.finish_work().0)) + self.onward_work()
    }

    /// The work of what the outputs become.
    pub fn onward_work(&self) -> Flops {
        self.onward.as_ref().map_or(Flops(0), |onward| onward.work)
    }

    /// The work of holding the results of these shares against their witnesses.
    pub fn witness_work(&self, results: impl Iterator<Item = usize> + Clone) -> Flops {
        Flops(self.sum(|layer| layer.witness_work(results.clone()).0))
    }

    pub fn code(&self) -> &Arc<dyn Code> {
        self.first().code()
    }

    /// What the round is called: its layers' names, what they have in common once.
    pub fn name(&self) -> String {
        let first = self.first().layer().name.clone();
        let common = first.rfind('/').map_or("", |at| &first[..=at]);
        let rest = self.iter().skip(1).map(|layer| {
            let name = &layer.layer().name;
            name.strip_prefix(common).unwrap_or(name)
        });
        std::iter::once(first.as_str()).chain(rest).collect::<Vec<_>>().join("+")
    }

    /// What kind of work they are, as people say it.
    pub fn kind(&self) -> String {
        let mut kinds: Vec<(&str, usize)> = Vec::new();
        for layer in self.iter() {
            let kind = layer.layer().kind.as_str();
            match kinds.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, count)) => *count += 1,
                None => kinds.push((kind, 1)),
            }
        }
        let said = kinds.into_iter().map(|(kind, count)| match count {
            1 => kind.to_owned(),
            count => format!("{count} {kind}"),
        });
        let said = said.collect::<Vec<_>>().join(" + ");
        if self.in_strips().is_some() { format!("{said} in strips") } else { said }
    }
}
