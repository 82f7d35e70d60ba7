//! Where layers are cut: between output rows, or, as the topology may ask of convolutions, across maps.

use std::sync::Arc;

use super::Assigner;
use crate::code::Code;
use crate::model::Layer;
use crate::model::strips::Strips;
use crate::plan::source::To;
use crate::plan::topology::{RunFile, SiblingsFile, SplitFile, StageFile};
use crate::plan::{CodedLayer, Stage, StageWork};

impl Assigner<'_> {
    /// How a layer is split that the entry `owner` of `stages` speaks of, or none. What `coding` says of
    /// all layers holds for those that have a map with a row for each source.
    pub(super) fn split(&self, layer: &Layer, owner: Option<usize>) -> SplitFile {
        let rows = Strips::positions(&layer.op).unwrap_or(0);
        let k = self.sources(owner.map(|at| &self.file.stages[at]));
        if rows < k { SplitFile::Output } else { self.asked(owner) }
    }

    fn asked(&self, owner: Option<usize>) -> SplitFile {
        let own = owner.and_then(|at| self.file.stages[at].split);
        own.unwrap_or(self.file.coding.split)
    }

    /// The rows of a stage's map, if it is not in strips for want of them.
    pub(super) fn too_low(&self, stage: &Stage, owner: Option<usize>) -> Option<usize> {
        let StageWork::Layers(layers) = &stage.work else { return None };
        let asked = self.asked(owner) == SplitFile::Spatial && layers.in_strips().is_none();
        asked.then(|| Strips::positions(layers.first().op()))?
    }

    /// A layer to be coded. Some codes depend on how many rows a source has.
    pub(super) fn coded(
        &self,
        layer: &Layer,
        owner: Option<usize>,
        code: &Arc<dyn Code>,
    ) -> CodedLayer {
        let (split, layer, code) = (self.split(layer, owner), layer.clone(), code.clone());
        let coded = match split {
            SplitFile::Output => CodedLayer::new(layer, code),
            SplitFile::Spatial => CodedLayer::in_strips(layer, code).expect("it has a map"),
        };
        coded.fitted(self.file.policy.worst_condition)
    }

    /// Whether two layers may go out as one round, if they are ready together: where the topology says the
    /// same of both, and one code of their weights fits both.
    pub(super) fn may_join(
        &self,
        [one, other]: [(&Layer, Option<usize>); 2],
        code: &dyn Code,
    ) -> bool {
        let is_whole = |(layer, owner)| self.split(layer, owner) == SplitFile::Output;
        let is_fitted = code.fitted(1, self.file.policy.worst_condition).is_some();
        self.file.coding.siblings == SiblingsFile::Together
            && one.1 == other.1
            && is_whole(one)
            && is_whole(other)
            && !is_fitted
    }

    /// Entries that ask for what cannot be.
    pub(super) fn check_splits(&mut self) {
        for (at, entry) in self.file.stages.iter().enumerate() {
            let Some(split) = entry.split else { continue };
            let path = [To::Field("stages"), To::Item(at), To::Field("split")];
            if entry.run != RunFile::Coded {
                let message = "a stage that is not coded is not split".to_owned();
                self.problem(&path, message, "drop the split, or the `run`");
            } else if split == SplitFile::Spatial {
                self.check_spatial(at, entry);
            }
        }
    }

    fn check_spatial(&mut self, at: usize, entry: &StageFile) {
        let (network, k) = (self.network, self.sources(Some(entry)));
        for (item, name) in entry.layers.iter().enumerate() {
            let path = [To::Field("stages"), To::Item(at), To::Field("layers"), To::Item(item)];
            let Some(layer) = network.layer(name).map(|at| &network.layers[at]) else { continue };
            match Strips::positions(&layer.op) {
                None => {
                    let message = format!("\"{name}\" is no convolution: it has no map to split");
                    self.problem(&path, message, "split it by `Output`");
                }
                Some(rows) if rows < k => {
                    let message =
                        format!("the map of \"{name}\" has {rows} rows: too few for {k} strips");
                    self.problem(&path, message, "choose a smaller k, or split it by `Output`");
                }
                Some(_) => {}
            }
        }
    }

    /// k.
    fn sources(&self, entry: Option<&StageFile>) -> usize {
        entry.and_then(|entry| entry.code).unwrap_or(self.file.coding.code).size().1
    }
}

/// What to do about a layer that has too few output rows.
pub(super) fn hint(layer: &Layer, k: usize) -> &'static str {
    let has_map = Strips::positions(&layer.op).is_some_and(|rows| rows >= k);
    if has_map { "; its map can: `split: Spatial`" } else { "" }
}
