//! Witnesses of what devices hold, made when it is deployed: each can tell whether a result is its share's
//! product with what was sent. Devices do not know them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::maths::chance::Seed;
use crate::model::probe::Probe;
use crate::model::sketch::Sketch;
use crate::model::witness::Witness;
use crate::node::round::Tasks;
use crate::plan::{CodedLayer, Share, Stage, StageWork};
use crate::units::StageId;

/// Those of a stage's shares.
#[derive(Debug)]
pub struct Witnesses {
    /// Of each layer.
    pub(super) layers: Vec<OfLayer>,
}

/// The witnesses of the shares of one layer; those of shares that rest on the same weights are one.
#[derive(Debug)]
pub(super) struct OfLayer {
    pub(super) shares: Vec<Arc<Witness>>,
    /// Which of the stage's inputs the layer is applied to.
    input: usize,
}

impl Witnesses {
    /// For the shares as they are held; `None` if the stage is not of coded layers.
    pub(in super::super) fn new(
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
    pub(super) fn sketches(
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

/// By share.
pub(super) type Sketches = BTreeMap<usize, Arc<Sketch>>;
