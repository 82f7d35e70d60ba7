//! The layers that may be given away, what lies between them, and the devices in their order for each.

use std::ops::Range;

use crate::model::strips::Strips;
use crate::plan::topology::SplitFile;
use crate::plan::{CodeFile, Draft, Part, Problems, StepWork, Way};
use crate::units::{Bytes, DeviceId, Flops, Span};

pub(super) struct Fleet {
    /// Those that are worth a message, in the model's order.
    pub(super) layers: Vec<LayerFacts>,
    /// All layers' names, those that are not worth a message too.
    names: Vec<String>,
    /// What the supervisor does after the last of them.
    pub(super) tail_ms: f64,
    devices: usize,
    /// By layer and device.
    costs: Vec<Vec<Cost>>,
}

pub(super) struct LayerFacts {
    pub(super) name: String,
    /// Its place in the network.
    place: usize,
    /// Of each group.
    pub(super) rows: usize,
    /// Of a convolution's map, where it can be cut in strips; 0 if it is none.
    pub(super) positions: usize,
    pub(super) work: Flops,
    pub(super) weights: Bytes,
    input: Bytes,
    result: Bytes,
    /// What lies between the layer before and this one, computed by whoever has both.
    before: Between,
    /// How long the supervisor takes for that.
    pub(super) lead_ms: f64,
}

#[derive(Clone, Copy, Default)]
struct Between {
    work: Flops,
    bytes: Bytes,
}

/// What a device takes for a layer when nothing goes wrong.
struct Cost {
    /// However the layer is split.
    fixed: Span,
    /// To be sent its input.
    input: Span,
    /// Undivided.
    rest: Span,
}

impl Cost {
    /// For a k-th of the layer. A strip's input is a k-th too, but for its halo.
    fn of_a_piece(&self, k: usize, split: SplitFile) -> Span {
        let Self { fixed, input, rest } = *self;
        let part = 1.0 / k as f64;
        match split {
            SplitFile::Output => fixed + input + rest * part,
            SplitFile::Spatial => fixed + (input + rest) * part,
        }
    }
}

/// A run of layers as one task.
pub(super) struct Run {
    pub(super) names: Vec<String>,
    pub(super) input: Bytes,
    pub(super) work: Flops,
    pub(super) weights: Bytes,
    pub(super) result: Bytes,
}

impl Fleet {
    /// Looks at a plan that cuts at every layer.
    ///
    /// # Errors
    /// If there is none: the model cannot be cut at its layers.
    pub(super) fn new(draft: &Draft) -> Result<Self, Problems> {
        let way = Way::Coded {
            code: CodeFile::Uncoded { k: 1 },
            split: SplitFile::Output,
            on: vec![DeviceId(0)],
        };
        let names = draft.network().layers.iter().map(|layer| layer.name.clone());
        let names: Vec<String> = names.collect();
        let plan = draft.sketch(&[Part { layers: names.clone(), way }])?;
        let (mut layers, mut before) = (Vec::new(), Between::default());
        let ms =
            |between: Between| draft.supervisor().time_for(between.work, between.bytes).as_millis();
        for step in &plan.steps {
            let stage = match &step.work {
                StepWork::Local(segment) => {
                    before.work = before.work + segment.work;
                    before.bytes = before.bytes + segment.weight_bytes + segment.result_bytes;
                    continue;
                }
                StepWork::Stage(stage) => &plan.stages[stage.0],
            };
            let place = draft.network().layer(&stage.name).unwrap_or(0);
            let op = &draft.network().layers[place].op;
            layers.push(LayerFacts {
                name: stage.name.clone(),
                place,
                rows: op.rows,
                positions: Strips::positions(op).unwrap_or(0),
                work: stage.undivided_work(),
                weights: stage.share_bytes(0),
                input: stage.input_bytes,
                result: stage.reply_bytes(0),
                before,
                lead_ms: ms(before),
            });
            before = Between { work: stage.local_work(), ..Between::default() };
        }
        let costs = layers.iter().map(|layer| costs(draft, layer)).collect();
        let devices = draft.devices().len();
        Ok(Self { layers, names, tail_ms: ms(before), devices, costs })
    }

    /// The devices of a pool, those first that are done first with a k-th of a layer when nothing goes wrong.
    pub(super) fn order_for(
        &self,
        layer: usize,
        k: usize,
        split: SplitFile,
        pool: &[DeviceId],
    ) -> Vec<DeviceId> {
        let mut order = pool.to_vec();
        order.sort_by_key(|device| self.costs[layer][device.0].of_a_piece(k, split));
        order
    }

    /// The devices, the best for the whole model first.
    pub(super) fn ranked(&self) -> Vec<DeviceId> {
        let mut order: Vec<DeviceId> = (0..self.devices).map(DeviceId).collect();
        let time = |device: &DeviceId| {
            let of = |costs: &Vec<Cost>| costs[device.0].of_a_piece(1, SplitFile::Output);
            self.costs.iter().fold(Span::ZERO, |sum, costs| sum + of(costs))
        };
        order.sort_by_key(time);
        order
    }

    /// These parts, and every other layer with the supervisor.
    pub(super) fn with_rest_local(&self, parts: &[Part]) -> Vec<Part> {
        let named = |name: &String| parts.iter().any(|part| part.layers.contains(name));
        let rest = self.layers.iter().map(|layer| layer.name.clone());
        let layers: Vec<String> = rest.filter(|name| !named(name)).collect();
        let rest = (!layers.is_empty()).then_some(Part { layers, way: Way::Local });
        parts.iter().cloned().chain(rest).collect()
    }

    /// Layers and all that lies between them.
    pub(super) fn run(&self, layers: &Range<usize>) -> Run {
        let (first, last) = (&self.layers[layers.start], &self.layers[layers.end - 1]);
        let mut run = Run {
            names: self.names[first.place..=last.place].to_vec(),
            input: first.input,
            work: first.work,
            weights: first.weights,
            result: last.result,
        };
        for layer in &self.layers[layers.start + 1..layers.end] {
            run.work = run.work + layer.work + layer.before.work;
            run.weights = run.weights + layer.weights + layer.before.bytes;
        }
        run
    }
}

fn costs(draft: &Draft, layer: &LayerFacts) -> Vec<Cost> {
    let cost = |device: &crate::plan::Device| {
        let latency = device.latency.middle() + device.reply_latency.middle();
        let input = device.bandwidth.time_for(layer.input);
        let computes = device.machine.time_for(layer.work, layer.weights + layer.result);
        let rest = computes + device.bandwidth.time_for(layer.result);
        Cost { fixed: latency, input, rest }
    };
    draft.devices().iter().map(cost).collect()
}
