//! Looking for lies among the results of a round, before anything is decoded from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Results;
use super::job::Undecoded;
use super::round::Tasks;
use crate::code::{Audit, Code, audit};
use crate::event::Proof;
use crate::maths::Tensor;
use crate::maths::chance::Seed;
use crate::maths::project::finite;
use crate::model::probe::Probe;
use crate::model::sketch::Sketch;
use crate::model::witness::{Lie, Witness, rounding};
use crate::plan::{CodedLayer, Layers, Share, Stage, StageWork};
use crate::units::{Flops, StageId};

/// How a round's results are checked.
#[derive(Clone, Debug)]
pub enum Check {
    /// They must be numbers, of the right count.
    Numbers,
    /// Each is held against a random projection of its share's weights and what its holder was sent.
    Witnesses { of: Arc<Witnesses>, tasks: Tasks },
    /// They must agree with each other, as far as there are more than needed.
    Surplus { code: Arc<dyn Code> },
}

/// The witnesses of a stage's shares, made when it is deployed. Devices do not know them.
#[derive(Debug)]
pub struct Witnesses {
    /// Of each layer.
    layers: Vec<OfLayer>,
}

/// The witnesses of the shares of one layer; those of shares that rest on the same weights are one.
#[derive(Debug)]
struct OfLayer {
    shares: Vec<Arc<Witness>>,
    /// Which of the stage's inputs the layer is applied to.
    input: usize,
}

impl Witnesses {
    /// For the shares as they are held; `None` if the stage is not of coded layers.
    pub(super) fn new(
        seed: Seed,
        id: StageId,
        stage: &Stage,
        shares: &[Arc<Share>],
    ) -> Option<Self> {
        let StageWork::Layers(layers) = &stage.work else { return None };
        // A check that is never made still costs its time.
        let is_outline = |share: &Arc<Share>| matches!(share.of_layer(0), Share::Outline { .. });
        if shares.iter().any(is_outline) {
            return Some(Self { layers: Vec::new() });
        }
        let layers = layers.applied().enumerate().map(|(at, (layer, input))| {
            let held: Vec<&Share> = shares.iter().map(|share| share.of_layer(at)).collect();
            Some(OfLayer { shares: witnesses(seed, [id.0, at], layer, &held)?, input })
        });
        Some(Self { layers: layers.collect::<Option<_>>()? })
    }
}

/// Those of a layer's shares, drawn for this place.
fn witnesses(
    seed: Seed,
    place: [usize; 2],
    layer: &CodedLayer,
    shares: &[&Share],
) -> Option<Vec<Arc<Witness>>> {
    // Shares of one shape are seen in the same directions; so is one input for all of them.
    let mut probes = BTreeMap::new();
    let mut witnesses: Vec<Arc<Witness>> = Vec::new();
    for (at, share) in shares.iter().enumerate() {
        let Share::Rows { op, weights } = share else { return None };
        let (columns, rows) = (op.columns, layer.rows_held(at));
        let new = || Arc::new(Probe::new(op.clone(), rows, seed, &place.map(|at| at as u64)));
        let probe = probes.entry((columns, rows)).or_insert_with(new).clone();
        let same = shares[..at].iter().position(|other| share.does_the_work_of(other));
        witnesses.push(match same {
            Some(same) => witnesses[same].clone(),
            None => Arc::new(Witness::new(probe, weights)),
        });
    }
    Some(witnesses)
}

impl OfLayer {
    /// Sketches of what was sent with these shares for a request: of one input for all, one is enough.
    fn sketches(
        &self,
        tasks: &Tasks,
        request: usize,
        shares: impl Iterator<Item = usize>,
    ) -> Sketches {
        let sketch = |share: usize| {
            let input = tasks.of(share).of(request).get(self.input)?;
            Some(Arc::new(self.shares[share].sketch(input)))
        };
        match tasks {
            Tasks::Own(_) => shares.filter_map(|share| Some((share, sketch(share)?))).collect(),
            Tasks::Alike(_) => {
                let mut shares = shares.peekable();
                let Some(one) = shares.peek().and_then(|share| sketch(*share)) else {
                    return Sketches::new();
                };
                shares.map(|share| (share, one.clone())).collect()
            }
        }
    }
}

impl Check {
    /// Looks at the results of a round of layers for so many requests.
    ///
    /// # Errors
    /// Which are wrong and how that shows, or that some are.
    pub(super) fn layers(
        &self,
        layers: &Layers,
        requests: usize,
        results: &Results,
    ) -> Result<(), Undecoded> {
        let products = || {
            let of = move |request| layers.applied().enumerate().map(move |it| (request, it));
            (0..requests).flat_map(of)
        };
        let place = |request: usize, at: usize| request * layers.iter().len() + at;
        let mut lies = BTreeMap::new();
        for (request, (at, (layer, _))) in products() {
            for (share, proof) in self.lies(layer, at, request, place(request, at), results) {
                lies.entry(share).or_insert(proof);
            }
        }
        if !lies.is_empty() {
            return Err(Undecoded::Lies(lies.into_iter().collect()));
        }
        let Self::Surplus { code } = self else { return Ok(()) };
        // A share is wrong if it is of any layer for any request.
        let mut doubtful = false;
        for (request, (at, (layer, _))) in products() {
            // Clean elements are off relative to the norms of their row and column, which may
            // exceed the largest element by the square root of the depth.
            let depth = layer.op().depth;
            let rounding = SLACK * rounding(depth) * (depth as f64).sqrt();
            match agree(code.as_ref(), place(request, at), results, rounding) {
                Err(Undecoded::Lies(found)) => lies.extend(found),
                Err(_) => doubtful = true,
                Ok(()) => {}
            }
        }
        match () {
            () if !lies.is_empty() => Err(Undecoded::Lies(lies.into_iter().collect())),
            () if doubtful => Err(Undecoded::Doubtful),
            () => Ok(()),
        }
    }

    /// Looks at the results of a function stage: copies of one thing.
    ///
    /// # Errors
    /// Like [`Self::layer`].
    pub(super) fn copies(code: &dyn Code, results: &Results) -> Result<(), Undecoded> {
        let none = |result: &[Tensor]| result.iter().flatten().any(|x| !x.is_finite());
        let lies: Vec<_> = results
            .iter()
            .filter(|(_, result)| none(result))
            .map(|(share, _)| (share, Proof::NotANumber))
            .collect();
        if lies.is_empty() { agree(code, 0, results, 0.0) } else { Err(Undecoded::Lies(lies)) }
    }

    /// The results for a layer, one of several, and a request that are wrong by themselves.
    fn lies(
        &self,
        layer: &CodedLayer,
        at: usize,
        request: usize,
        place: usize,
        results: &Results,
    ) -> Vec<(usize, Proof)> {
        let sketches = match self {
            Self::Numbers | Self::Surplus { .. } => None,
            Self::Witnesses { of, tasks } => {
                let of = &of.layers[at];
                Some((of, of.sketches(tasks, request, results.shares())))
            }
        };
        let lie = |share: usize, result: &[Tensor]| {
            let numbers = result.get(place).and_then(|tensor| tensor.as_slice());
            let numbers = numbers
                .filter(|numbers| numbers.len() == layer.result_len(share) && finite(numbers));
            let Some(numbers) = numbers else { return Some(Proof::NotANumber) };
            let (of, sketches) = sketches.as_ref()?;
            match of.shares[share].check(&sketches[&share], numbers) {
                Ok(()) => None,
                Err(Lie::NotFinite | Lie::Length { .. }) => Some(Proof::NotANumber),
                Err(Lie::Off { .. }) => Some(Proof::Projection),
            }
        };
        let lies = results
            .iter()
            .filter_map(|(share, result)| lie(share, result).map(|proof| (share, proof)));
        lies.collect()
    }

    /// What it costs to check the results of these shares for a request.
    pub(super) fn work(
        &self,
        layers: &Layers,
        results: impl Iterator<Item = usize> + Clone,
    ) -> Flops {
        match self {
            Self::Numbers => Flops(0),
            Self::Witnesses { .. } => layers.witness_work(results),
            Self::Surplus { .. } => {
                Flops(results.map(|share| 2 * layers.result_len(share) as u64).sum())
            }
        }
    }
}

/// By share.
type Sketches = BTreeMap<usize, Arc<Sketch>>;

/// Whether one tensor of each result agree as shares of the code.
fn agree(code: &dyn Code, at: usize, results: &Results, rounding: f64) -> Result<(), Undecoded> {
    let blocks =
        results.iter().filter_map(|(share, result)| Some((share, result.get(at)?.as_slice()?)));
    match audit(code, &blocks.collect(), rounding) {
        Audit::Consistent => Ok(()),
        Audit::Doubtful => Err(Undecoded::Doubtful),
        Audit::Wrong(liars) => {
            Err(Undecoded::Lies(liars.into_iter().map(|share| (share, Proof::Surplus)).collect()))
        }
    }
}

/// Room for the rounding of several terms at once.
const SLACK: f64 = 4.0;
