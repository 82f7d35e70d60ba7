//! Looking for lies among the results of a round, before anything is decoded from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event::Proof;
use crate::maths::Tensor;
use crate::maths::chance::Seed;
use crate::model::probe::Probe;
use crate::model::sketch::Sketch;
use crate::model::witness::{Lie, Witness};
use crate::plan::{CodedLayer, Share, Stage, StageWork};
use crate::units::{Flops, StageId};

/// How a round's results are checked.
#[derive(Clone, Debug)]
pub enum Check {
    /// They must be numbers, of the right count.
    Numbers,
    /// Each is held against a random projection of its share's weights.
    Witnesses { of: Arc<Witnesses>, input: Tensor },
}

/// The witnesses of a stage's shares, made when it is deployed. Devices do not know them.
#[derive(Debug)]
pub struct Witnesses {
    probe: Arc<Probe>,
    shares: Vec<Witness>,
}

impl Witnesses {
    /// For the shares as they are held; `None` if the stage is not a coded layer.
    pub(super) fn new(
        seed: Seed,
        id: StageId,
        stage: &Stage,
        shares: &[Arc<Share>],
    ) -> Option<Self> {
        let StageWork::Layer(layer) = &stage.work else { return None };
        let op = layer.layer().op.clone();
        let probe = Arc::new(Probe::new(op, layer.rows_per_source(), seed, &[id.0 as u64]));
        let witness = |share: &Arc<Share>| match share.as_ref() {
            Share::Rows { weights, .. } => Some(Witness::new(probe.clone(), weights)),
            Share::Segment(_) => None,
        };
        let shares = shares.iter().map(witness).collect::<Option<_>>()?;
        Some(Self { probe, shares })
    }
}

impl Check {
    /// The results that are wrong, and how that shows.
    pub(super) fn lies(
        &self,
        layer: &CodedLayer,
        results: &BTreeMap<usize, Vec<Tensor>>,
    ) -> Vec<(usize, Proof)> {
        let sketch = match self {
            Self::Numbers => None,
            Self::Witnesses { of, input } => Some((of, Sketch::of(&of.probe, input))),
        };
        let lie = |share: usize, result: &[Tensor]| {
            let numbers = result.first().and_then(|tensor| tensor.as_slice());
            let numbers = numbers.filter(|numbers| {
                numbers.len() == layer.result_len() && numbers.iter().all(|x| x.is_finite())
            });
            let Some(numbers) = numbers else { return Some(Proof::NotANumber) };
            let (of, sketch) = sketch.as_ref()?;
            match of.shares[share].check(sketch, numbers) {
                Ok(()) => None,
                Err(Lie::NotFinite | Lie::Length { .. }) => Some(Proof::NotANumber),
                Err(Lie::Off { .. }) => Some(Proof::Projection),
            }
        };
        let lies = results
            .iter()
            .filter_map(|(share, result)| lie(*share, result).map(|proof| (*share, proof)));
        lies.collect()
    }

    /// What it costs to check so many results.
    pub(super) fn work(&self, layer: &CodedLayer, results: usize) -> Flops {
        match self {
            Self::Numbers => Flops(0),
            Self::Witnesses { .. } => layer.witness_work(results),
        }
    }
}
