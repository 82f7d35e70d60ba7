//! From a layer's weights to those of its shares, and from their results back to the layer's output.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::split::Split;
use super::{CodedLayer, Share};
use crate::code::{Decoder, Place, Recipe};
use crate::maths::Tensor;
use crate::maths::mix::mix;
use crate::maths::room::give_back;
use crate::model::Weights;
use crate::model::onward::Room;

impl CodedLayer {
    /// What the holder of a share must hold. Where weights are coded, each cell is the mixture of cells of
    /// sources that the code says.
    pub fn encode(&self, share: usize) -> Share {
        let weights = match (&self.split, self.code.plain(share)) {
            (Split::Spatial(_), _) => self.layer.weights.clone(),
            (Split::Output, Some(source)) => self.plain(source),
            (Split::Output, None) => self.mixed(share).into(),
        };
        Share::Rows { op: self.share_op(share), weights }
    }

    /// A source's rows: the layer's own, where they lie there as they are.
    fn plain(&self, source: usize) -> Weights {
        let (q, depth) = (self.rows_per_source(), self.op().depth);
        match self.rows(source * q, q) {
            Cow::Borrowed(_) => {
                self.layer.weights.part(source * q * depth..(source + 1) * q * depth)
            }
            Cow::Owned(padded) => padded.into(),
        }
    }

    /// What a share costs, without its weights.
    pub fn outline(&self, share: usize) -> Share {
        let common = self.strips().map(|_| self.layer.weights.clone());
        Share::Outline { op: self.share_op(share), rows: self.rows_held(share), common }
    }

    fn mixed(&self, share: usize) -> Vec<f32> {
        let (op, height) = (&self.layer.op, self.rows_per_cell());
        let mixtures = self.code.encoder().share(share);
        let cell_len = height * op.depth;
        let mixed = |mixture: &[(usize, f64)]| {
            let blocks: Vec<(f64, Cow<'_, [f32]>)> =
                mixture.iter().map(|(cell, c)| (*c, self.rows(cell * height, height))).collect();
            let mut mixed =
                mix(&blocks.iter().map(|(c, block)| (*c, &block[..])).collect::<Vec<_>>());
            // They are kept for long.
            mixed.shrink_to_fit();
            mixed
        };
        if let [mixture] = mixtures
            && !mixture.is_empty()
        {
            return mixed(mixture);
        }
        let mut weights = vec![0.0; op.groups * mixtures.len() * cell_len];
        for (at, mixture) in mixtures.iter().enumerate().filter(|(_, mixture)| !mixture.is_empty())
        {
            for (group, rows) in mixed(mixture).chunks(cell_len.max(1)).enumerate() {
                let to = (group * mixtures.len() + at) * cell_len;
                weights[to..to + cell_len].copy_from_slice(rows);
            }
        }
        weights
    }

    /// So many rows of each group, padded with zeros past the last: (groups, count, depth).
    fn rows(&self, start: usize, count: usize) -> Cow<'_, [f32]> {
        let op = &self.layer.op;
        if op.groups == 1 && start + count <= op.rows {
            return Cow::Borrowed(
                &self.layer.weights[start * op.depth..(start + count) * op.depth],
            );
        }
        let mut block = vec![0.0; op.groups * count * op.depth];
        let rows = start.min(op.rows)..(start + count).min(op.rows);
        for group in 0..op.groups {
            let from = (group * op.rows + rows.start) * op.depth;
            let len = rows.len() * op.depth;
            let to = group * count * op.depth;
            block[to..to + len].copy_from_slice(&self.layer.weights[from..from + len]);
        }
        Cow::Owned(block)
    }

    /// The layer's output, decoded from results of shares and finished, with what is added to it.
    ///
    /// # Panics
    /// If a result that the decoder reads is not there, or not of its length.
    pub fn decode(
        &self,
        decoder: &Decoder,
        results: &BTreeMap<usize, &[f32]>,
        addend: Option<&Tensor>,
    ) -> Tensor {
        self.op().filled(|room| self.decode_rows(decoder, results, addend, room))
    }

    /// The rows of the layer's output, decoded and finished.
    ///
    /// # Panics
    /// As [`Self::decode`].
    pub fn decode_rows(
        &self,
        decoder: &Decoder,
        results: &BTreeMap<usize, &[f32]>,
        addend: Option<&Tensor>,
        room: Room<'_>,
    ) {
        let needed = decoder.recipes.iter().flat_map(Recipe::reads);
        let cells: BTreeMap<Place, Cow<'_, [f32]>> =
            needed.map(|place| (place, self.cell(place, results[&place.share]))).collect();
        let decoded = decoder.decode(|place| &cells[&place]);
        let blocks: Vec<&[f32]> = decoded.iter().map(|cell| &cell[..]).collect();
        let finish = &self.layer.finish;
        match &self.split {
            Split::Output => {
                self.op().put_rows(&blocks, self.rows_per_cell(), finish, addend, room)
            }
            Split::Spatial(strips) => {
                let whole = strips.whole(&blocks);
                self.op().put_rows(&[&whole], self.op().rows, finish, addend, room);
            }
        }
        for cell in decoded {
            if let Cow::Owned(mixed) = cell {
                give_back(mixed);
            }
        }
    }

    /// A cell of a share's result: (groups, rows, columns).
    fn cell<'r>(&self, place: Place, result: &'r [f32]) -> Cow<'r, [f32]> {
        let cells = self.code.encoder().share(place.share).len();
        if cells == 1 {
            return Cow::Borrowed(result);
        }
        // Cells follow each other in every group, or, as strips are stacked, in every row of weights.
        let outer = match &self.split {
            Split::Output => self.layer.op.groups,
            Split::Spatial(_) => self.layer.op.groups * self.layer.op.rows,
        };
        let len = self.cell_len() / outer.max(1);
        let part = |at: usize| &result[(at * cells + place.cell) * len..][..len];
        match outer {
            1 => Cow::Borrowed(part(0)),
            outer => Cow::Owned((0..outer).flat_map(part).copied().collect()),
        }
    }
}
