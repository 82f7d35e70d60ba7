//! How long an offer takes when nothing else is going on: what each device may take, drawn, and of that
//! the order statistic that a round waits for.

use std::collections::BTreeMap;
use std::ops::Range;

use super::draws::{DRAWS, Draws};
use super::fleet::Fleet;
use super::offer::{Kind, Offer};
use crate::code::{Arrived, DecoderCache};
use crate::plan::{Draft, Layers, Part, Plan, Stage, StageWork, Verify, Wait, Way};
use crate::units::{Bytes, DeviceId, Flops};

/// Where offers are timed.
pub(super) struct Rounds<'a> {
    pub(super) draft: &'a Draft,
    pub(super) fleet: &'a Fleet,
    pub(super) draws: &'a Draws,
}

/// What one device is asked for.
struct Task {
    device: DeviceId,
    input: Bytes,
    work: Flops,
    weights: Bytes,
    result: Bytes,
}

impl Task {
    /// Of a share, for who is asked first.
    fn of(stage: &Stage, share: usize) -> Self {
        Self {
            device: stage.holders[share][0],
            input: stage.task_bytes(share),
            work: stage.share_work(share),
            weights: stage.share_bytes(share),
            result: stage.reply_bytes(share),
        }
    }

    fn compute_ms(&self, draft: &Draft) -> f64 {
        let traffic = self.weights + self.result + self.input;
        draft.devices()[self.device.0].machine.time_for(self.work, traffic).as_millis()
    }
}

/// What the supervisor does for a round, as `node/job.rs` charges for it, in milliseconds.
struct Desk<'p> {
    plan: &'p Plan,
    stage: &'p Stage,
    layers: &'p Layers,
    decoders: DecoderCache,
    /// By the shares that came.
    known: BTreeMap<Arrived, f64>,
}

impl<'p> Desk<'p> {
    fn new(plan: &'p Plan, stage: &'p Stage, layers: &'p Layers) -> Self {
        let decoders = DecoderCache::new(stage.code.clone());
        Self { plan, stage, layers, decoders, known: BTreeMap::new() }
    }

    /// For mixing the layer's input, where it is coded.
    fn encodes(&self) -> f64 {
        let (work, traffic) = (self.layers.input_encode_work(), self.layers.input_encode_traffic());
        self.plan.supervisor.time_for(work, traffic).as_millis()
    }

    /// For checking and decoding what came.
    fn decodes(&mut self, arrived: Arrived) -> f64 {
        if let Some(known) = self.known.get(&arrived) {
            return *known;
        }
        let Self { stage, layers, .. } = self;
        let (terms, recipes) = self
            .decoders
            .decoder(&arrived)
            .map_or((0, 0), |decoder| (decoder.terms(), decoder.recipes.len()));
        let check = match stage.verify {
            Verify::Always => layers.witness_work(arrived.iter().copied()).0,
            Verify::Surplus | Verify::Auto => {
                arrived.iter().map(|share| 2 * layers.result_len(*share) as u64).sum()
            }
            Verify::Off => 0,
        };
        let work = Flops((2 * terms * layers.cell_len()) as u64 + check);
        let traffic = Bytes((4 * (terms + 2 * recipes) * layers.cell_len()) as u64);
        let took = self.plan.supervisor.time_for(work, traffic).as_millis();
        self.known.insert(arrived, took);
        took
    }
}

impl Rounds<'_> {
    /// A coded layer: the time of the last reply it waits for, with all that the supervisor does.
    pub(super) fn coded(&self, at: usize, part: Part, plan: &Plan, stage: &Stage) -> Offer {
        let copies = Kind::of(&part.way) == Kind::Copies;
        let StageWork::Layers(layers) = &stage.work else { unreachable!("a layer was split") };
        let (needs, mut desk) = (self.needs(stage), Desk::new(plan, stage, layers));
        let (lead, encodes) = (self.fleet.layers[at].lead_ms, desk.encodes());
        let tasks: Vec<Task> =
            (0..stage.code.shares()).map(|share| Task::of(stage, share)).collect();
        let mut time = |draw: usize| {
            let replies = self.replies(at, draw, &tasks);
            // A code that is not any k of n needs more than k of some sets.
            let in_hand = |count: usize| replies[..count].iter().map(|(_, share)| *share).collect();
            let suffices = |count: &usize| stage.code.decoder(&in_hand(*count)).is_ok();
            let count = match copies {
                true => (needs..replies.len()).find(suffices).unwrap_or(replies.len()),
                false => needs,
            };
            let own = (encodes + desk.decodes(in_hand(count))) * self.draws.supervisor(at, draw);
            lead + replies[count - 1].0 + own
        };
        let times = (0..DRAWS).map(&mut time).collect();
        self.offer(at..at + 1, part, times, &tasks)
    }

    /// How many replies a round waits for.
    fn needs(&self, stage: &Stage) -> usize {
        let (n, k) = (stage.code.shares(), stage.code.sources());
        match (self.draft.policy().wait, stage.verify) {
            (Wait::Everyone, _) => n,
            (Wait::KthReply, Verify::Surplus) => (k + 1).min(n),
            (Wait::KthReply, Verify::Off | Verify::Always | Verify::Auto) => k,
        }
    }

    /// When each reply is there, in milliseconds, and whose share it is; the soonest first.
    fn replies(&self, at: usize, draw: usize, tasks: &[Task]) -> Vec<(f64, usize)> {
        let reply = |(share, task): (usize, &Task)| {
            let device = &self.draft.devices()[task.device.0];
            let by_wire = device.bandwidth.time_for(task.input + task.result).as_millis();
            let drawn = self.draws.device(at, task.device, draw);
            (by_wire + task.compute_ms(self.draft) * drawn.jitter + drawn.latencies_ms, share)
        };
        let mut replies: Vec<(f64, usize)> = tasks.iter().enumerate().map(reply).collect();
        replies.sort_by(|a, b| a.0.total_cmp(&b.0));
        replies
    }

    /// Some layers, whole on each of these devices.
    pub(super) fn whole(&self, layers: Range<usize>, on: Vec<DeviceId>) -> Offer {
        let run = self.fleet.run(&layers);
        let task = |device: &DeviceId| Task {
            device: *device,
            input: run.input,
            work: run.work,
            weights: run.weights,
            result: run.result,
        };
        let tasks: Vec<Task> = on.iter().map(task).collect();
        let waits_for_all = self.draft.policy().wait == Wait::Everyone;
        let compares = self.draft.policy().verify == Verify::Surplus;
        let needs = match () {
            () if waits_for_all => tasks.len(),
            () if compares => tasks.len().min(2),
            () => 1,
        };
        let lead = self.fleet.layers[layers.start].lead_ms;
        let time = |draw: usize| lead + self.replies(layers.start, draw, &tasks)[needs - 1].0;
        let part = Part { layers: run.names, way: Way::Whole { on } };
        let times = (0..DRAWS).map(time).collect();
        self.offer(layers, part, times, &tasks)
    }

    /// A layer that the supervisor computes.
    pub(super) fn local(&self, at: usize) -> Offer {
        let layer = &self.fleet.layers[at];
        let computes = self.draft.supervisor().time_for(layer.work, layer.weights).as_millis();
        let part = Part { layers: vec![layer.name.clone()], way: Way::Local };
        let time = |draw| layer.lead_ms + computes * self.draws.supervisor(at, draw);
        self.offer(at..at + 1, part, (0..DRAWS).map(time).collect(), &[])
    }

    fn offer(&self, layers: Range<usize>, part: Part, times: Vec<f64>, tasks: &[Task]) -> Offer {
        let kind = Kind::of(&part.way);
        let mean = times.iter().sum::<f64>() / times.len() as f64;
        let squares = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>();
        let variance = squares / times.len() as f64;
        let load = tasks.iter().map(|task| task.compute_ms(self.draft)).sum();
        let held = tasks.iter().map(|task| (task.device, task.weights)).collect();
        Offer { layers, kind, part, times, mean, variance, load, held }
    }
}
