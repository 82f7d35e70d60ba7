//! Where layers are cut: between output rows, or, as the topology may ask of convolutions, across maps.

use std::sync::Arc;

use super::Assigner;
use crate::code::Code;
use crate::model::Layer;
use crate::model::strips::Strips;
use crate::plan::CodedLayer;
use crate::plan::source::To;
use crate::plan::topology::{RunFile, SplitFile, StageFile};

impl Assigner<'_> {
    /// How a layer is split that the entry `owner` of `stages` speaks of, or none. What `coding` says of
    /// all layers holds for those that have a map with a row for each source.
    pub(super) fn split(&self, layer: &Layer, owner: Option<usize>) -> SplitFile {
        let entry = owner.map(|at| &self.file.stages[at]);
        let asked = entry.and_then(|entry| entry.split).unwrap_or(self.file.coding.split);
        let rows = Strips::positions(&layer.op).unwrap_or(0);
        if rows < self.sources(entry) { SplitFile::Output } else { asked }
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
