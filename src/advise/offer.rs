//! What can be done with each layer, or run of layers, and how long it takes in an idle fleet.

use std::ops::Range;

use super::draws::{DRAWS, Draws};
use super::fleet::Fleet;
use crate::code::{Arrived, DecoderCache};
use crate::drive::side_by_side::{cores, side_by_side};
use crate::plan::{CodeFile, Draft, Part, Plan, Stage, StageWork, Verify, Wait, Way};
use crate::units::{Bytes, DeviceId, Flops};

/// What an offer is, as people compare them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Local,
    Whole,
    /// Shares that are copies of a piece, or of all of it.
    Copies,
    Coded,
    /// Split without redundancy.
    Plain,
}

impl Kind {
    pub(super) fn of(way: &Way) -> Self {
        match way {
            Way::Local => Self::Local,
            Way::Whole { .. } => Self::Whole,
            Way::Coded { code: CodeFile::Uncoded { .. }, .. } => Self::Plain,
            Way::Coded { code: CodeFile::Replication { .. }, .. } => Self::Copies,
            Way::Coded { .. } => Self::Coded,
        }
    }
}

/// One way to run the layers from one to another, in the fleet's counting.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) layers: Range<usize>,
    pub(super) kind: Kind,
    pub(super) part: Part,
    /// In milliseconds, one a draw: with what the supervisor does before it.
    pub(super) times: Vec<f64>,
    pub(super) mean: f64,
    pub(super) variance: f64,
    /// How long its devices compute, all together, in milliseconds.
    pub(super) load: f64,
}

/// What may be offered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// How many shares, whichever they are, any stage must be able to lose.
    pub(super) tolerate: usize,
    /// Only so many of the best devices are used.
    pub(super) devices: usize,
    /// Whether the supervisor may compute layers.
    pub(super) local: bool,
}

/// More layers than this are run whole only from the first or to the last.
const FEW_LAYERS: usize = 8;
/// More devices than this are only taken from the fastest on, and not in every size.
const FEW_DEVICES: usize = 8;

/// Everything that can be done, under these terms.
pub(super) fn offers(draft: &Draft, fleet: &Fleet, draws: &Draws, terms: Terms) -> Vec<Offer> {
    let sight = Sight::new(draft, fleet, draws, terms);
    let splits = sight.splits();
    let split = side_by_side(&splits, cores(), |(code, from)| sight.split(*code, *from));
    let mut offers: Vec<Offer> = split.into_iter().flatten().collect();
    offers.extend(sight.runs());
    let alone = |at: &usize| {
        terms.local || terms.devices == 0 || !offers.iter().any(|offer| offer.layers.contains(at))
    };
    let local: Vec<usize> = (0..fleet.layers.len()).filter(alone).collect();
    offers.extend(local.into_iter().map(|at| sight.local(at)));
    offers
}

/// What there is without any redundancy: the layers in as many pieces as there are devices, or fewer.
pub(super) fn plain_offers(
    draft: &Draft,
    fleet: &Fleet,
    draws: &Draws,
    terms: Terms,
) -> Vec<Offer> {
    let sight = Sight::new(draft, fleet, draws, Terms { tolerate: 0, ..terms });
    let pieces: Vec<usize> = (1..=terms.devices).collect();
    let split = side_by_side(&pieces, cores(), |k| sight.split(CodeFile::Uncoded { k: *k }, 0));
    let mut offers: Vec<Offer> = split.into_iter().flatten().collect();
    offers.extend((0..fleet.layers.len()).map(|at| sight.local(at)));
    offers
}

struct Sight<'a> {
    draft: &'a Draft,
    fleet: &'a Fleet,
    draws: &'a Draws,
    terms: Terms,
    /// The devices that may be used.
    pool: Vec<DeviceId>,
}

impl<'a> Sight<'a> {
    fn new(draft: &'a Draft, fleet: &'a Fleet, draws: &'a Draws, terms: Terms) -> Self {
        let pool = fleet.ranked()[..terms.devices].to_vec();
        Self { draft, fleet, draws, terms, pool }
    }

    /// The codes, each with the place in the order of devices that its first share is at.
    fn splits(&self) -> Vec<(CodeFile, usize)> {
        let Terms { tolerate, devices, .. } = self.terms;
        let rows = self.fleet.layers.iter().map(|layer| layer.rows).max().unwrap_or(0);
        let few = devices <= FEW_DEVICES;
        let worth = |n: usize| few || n == devices || n.is_power_of_two() || n == tolerate + 1;
        let mut splits = Vec::new();
        for n in (tolerate + 1..=devices).filter(|n| worth(*n)) {
            let ks =
                (1..=(n - tolerate).min(rows)).filter(|k| few || worth(*k) || *k + tolerate == n);
            let last = if few { devices - n } else { 0 };
            for from in 0..=last {
                splits.extend(ks.clone().map(|k| (code(n, k), from)));
                let k = n / (tolerate + 1);
                if tolerate > 0 && k > 1 && n == k * (tolerate + 1) {
                    splits.push((CodeFile::Replication { n, k }, from));
                }
            }
        }
        splits
    }

    /// Every layer that can be, split by one code.
    fn split(&self, code: CodeFile, from: usize) -> Vec<Offer> {
        let (n, k) = code.size();
        let layers = self.fleet.layers.iter().enumerate();
        let splits = layers.filter(|(_, layer)| {
            // Sources of nothing but padding cost what sources cost.
            layer.rows >= k && layer.rows.div_ceil(layer.rows.div_ceil(k)) == k
        });
        let parts: Vec<(usize, Part)> = splits
            .map(|(at, layer)| {
                let on = self.fleet.order_for(at, k, &self.pool)[from..from + n].to_vec();
                let layers = vec![layer.name.clone()];
                (at, Part { layers, way: Way::Coded { code, on } })
            })
            .collect();
        let all: Vec<Part> = parts.iter().map(|(_, part)| part.clone()).collect();
        let Ok(plan) = self.draft.sketch(&self.fleet.with_rest_local(&all)) else {
            return Vec::new();
        };
        let offer = |(at, part): (usize, Part)| {
            let stage = &plan.stages[plan.stage(&part.layers[0])?.0];
            (stage.tolerates >= self.terms.tolerate).then(|| self.round(at, part, &plan, stage))
        };
        parts.into_iter().filter_map(offer).collect()
    }

    /// A coded layer: the time of the last reply it waits for, and of checking and decoding.
    fn round(&self, at: usize, part: Part, plan: &Plan, stage: &Stage) -> Offer {
        let kind = Kind::of(&part.way);
        let StageWork::Layer(layer) = &stage.work else { unreachable!("a layer was split") };
        let needs = self.needs(stage);
        let mut decoders = DecoderCache::new(stage.code.clone());
        let mut decoding = |arrived: Arrived| {
            // As `node/job.rs` charges for it.
            let (terms, recipes) = decoders
                .decoder(&arrived)
                .map_or((0, 0), |decoder| (decoder.terms(), decoder.recipes.len()));
            let check = match stage.verify {
                Verify::Always => layer.witness_work(arrived.iter().copied()).0,
                Verify::Surplus | Verify::Auto => {
                    arrived.iter().map(|share| 2 * layer.result_len(*share) as u64).sum()
                }
                Verify::Off => 0,
            };
            let work = Flops((2 * terms * layer.cell_len()) as u64 + check);
            let traffic = Bytes((4 * (terms + 2 * recipes) * layer.cell_len()) as u64);
            plan.supervisor.time_for(work, traffic).as_millis()
        };
        let lead = self.fleet.layers[at].lead_ms;
        let share = |(share, holders): (usize, &Vec<DeviceId>)| Task {
            device: holders[0],
            input: stage.input_bytes,
            work: stage.share_work(share),
            weights: stage.share_bytes(share),
            result: stage.reply_bytes(share),
        };
        let tasks: Vec<Task> = stage.holders.iter().enumerate().map(share).collect();
        let time = |draw: usize| {
            let mut replies: Vec<(f64, usize)> = self.replies(at, draw, &tasks);
            replies.sort_by(|a, b| a.0.total_cmp(&b.0));
            // A code that is not any k of n needs more than k of some sets.
            let in_hand = |count: usize| replies[..count].iter().map(|(_, share)| *share).collect();
            let decodes = |count: &usize| stage.code.decoder(&in_hand(*count)).is_ok();
            let count = match kind {
                Kind::Copies => (needs..replies.len()).find(decodes).unwrap_or(replies.len()),
                Kind::Local | Kind::Whole | Kind::Coded | Kind::Plain => needs,
            };
            let decoded = decoding(in_hand(count)) * self.draws.supervisor(at, draw);
            lead + replies[count - 1].0 + decoded
        };
        let times = (0..DRAWS).map(time).collect();
        Offer::new(at..at + 1, part, times, self.load(&tasks))
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

    /// When each reply is there, in milliseconds.
    fn replies(&self, at: usize, draw: usize, tasks: &[Task]) -> Vec<(f64, usize)> {
        let reply = |(share, task): (usize, &Task)| {
            let device = &self.draft.devices()[task.device.0];
            let by_wire = device.bandwidth.time_for(task.input + task.result).as_millis();
            let drawn = self.draws.device(at, task.device, draw);
            (by_wire + task.compute_ms(self.draft) * drawn.jitter + drawn.latencies_ms, share)
        };
        tasks.iter().enumerate().map(reply).collect()
    }

    fn load(&self, tasks: &[Task]) -> f64 {
        tasks.iter().map(|task| task.compute_ms(self.draft)).sum()
    }

    /// Runs of layers, whole on each of some devices.
    fn runs(&self) -> Vec<Offer> {
        let Terms { tolerate, devices, .. } = self.terms;
        let count = self.fleet.layers.len();
        let mut runs = Vec::new();
        for (from, to) in (0..count).flat_map(|from| (from + 1..=count).map(move |to| (from, to))) {
            if count > FEW_LAYERS && from > 0 && to < count {
                continue;
            }
            let few = devices <= FEW_DEVICES;
            let most = if few { devices } else { devices.min(tolerate + 2) };
            for replicas in tolerate + 1..=most {
                let last = if few { devices - replicas } else { 0 };
                runs.extend((0..=last).map(|first| self.run(from..to, first..first + replicas)));
            }
        }
        runs
    }

    fn run(&self, layers: Range<usize>, places: Range<usize>) -> Offer {
        let on = self.fleet.order_for(layers.start, 1, &self.pool)[places].to_vec();
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
        let time = |draw: usize| {
            let mut replies = self.replies(layers.start, draw, &tasks);
            replies.sort_by(|a, b| a.0.total_cmp(&b.0));
            lead + replies[needs - 1].0
        };
        let part = Part { layers: run.names, way: Way::Whole { on } };
        let times = (0..DRAWS).map(time).collect();
        Offer::new(layers, part, times, self.load(&tasks))
    }

    fn local(&self, at: usize) -> Offer {
        let layer = &self.fleet.layers[at];
        let computes = self.draft.supervisor().time_for(layer.work, layer.weights).as_millis();
        let part = Part { layers: vec![layer.name.clone()], way: Way::Local };
        let time = |draw| layer.lead_ms + computes * self.draws.supervisor(at, draw);
        Offer::new(at..at + 1, part, (0..DRAWS).map(time).collect(), 0.0)
    }
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
    fn compute_ms(&self, draft: &Draft) -> f64 {
        let traffic = self.weights + self.result + self.input;
        draft.devices()[self.device.0].machine.time_for(self.work, traffic).as_millis()
    }
}

impl Offer {
    fn new(layers: Range<usize>, part: Part, times: Vec<f64>, load: f64) -> Self {
        let kind = Kind::of(&part.way);
        let mean = times.iter().sum::<f64>() / times.len() as f64;
        let squares = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>();
        let variance = squares / times.len() as f64;
        Self { layers, kind, part, times, mean, variance, load }
    }
}

/// The cheapest code of that size of which any k shares suffice.
fn code(n: usize, k: usize) -> CodeFile {
    match (n, k) {
        (n, k) if n == k => CodeFile::Uncoded { k },
        (n, 1) => CodeFile::Replication { n, k: 1 },
        (n, k) if n == k + 1 => CodeFile::Parity { k },
        (n, k) if n <= MOST_OF_MDS => CodeFile::Mds { n, k },
        (n, k) => CodeFile::Gaussian { n, k },
    }
}

/// Beyond it `Mds` is not offered by the topology reader.
const MOST_OF_MDS: usize = 32;
