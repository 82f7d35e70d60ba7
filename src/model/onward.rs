//! What the outputs of a round become as they are put together: maps one behind the other, and the maxima of
//! windows over each. To write the maps first and to read them again takes longer than either.

use std::collections::BTreeMap;

use super::Network;
use super::cut::{Piece, PieceKind, Pieces};
use super::pool::Pool;
use crate::maths::Tensor;
use crate::maths::crew::{PART, by_rows};
use crate::maths::maxima::Maxima;
use crate::maths::room::{buffer, empty, give_back, give_back_tensor};
use crate::units::Flops;

/// The one value that the outputs of a round's layers become.
#[derive(Clone, Debug)]
pub struct Onward {
    /// The layers, each once, in the order in which their maps follow each other.
    pub order: Vec<usize>,
    /// Over each map.
    pool: Option<Pool>,
    /// (1, maps, lines, places).
    pub shape: Vec<usize>,
    pub work: Flops,
}

impl Onward {
    /// The value, of which each layer's rows, so many, are filled in by that layer.
    ///
    /// # Panics
    /// If these are not all of it.
    pub fn filled(
        &self,
        rows: impl Fn(usize) -> usize,
        mut fill: impl FnMut(usize, Room<'_>),
    ) -> Tensor {
        let len = self.shape[2..].iter().product();
        let maxima = self.pool.as_ref().map(Pool::maxima);
        let mut value = buffer(self.shape.iter().product());
        let mut rest = &mut value[..];
        for layer in &self.order {
            let (own, behind) = rest.split_at_mut(rows(*layer) * len);
            fill(*layer, Room { rows: own, len, maxima: maxima.as_ref() });
            rest = behind;
        }
        assert!(rest.is_empty(), "the rows of all layers");
        Tensor::from_shape_vec(&self.shape[..], value).expect("the rows of all layers")
    }

    /// The value of outputs that are there already.
    ///
    /// # Panics
    /// If one is missing, or not of its shape.
    pub fn over(&self, outputs: Vec<Tensor>) -> Tensor {
        let mut maps = empty(outputs.iter().map(Tensor::len).sum());
        for output in self.order.iter().map(|layer| outputs[*layer].as_standard_layout()) {
            maps.extend_from_slice(output.as_slice().expect("standard layout"));
        }
        outputs.into_iter().for_each(give_back_tensor);
        let value = match &self.pool {
            Some(pool) => {
                let value = pool.run(&maps);
                give_back(maps);
                value
            }
            None => maps,
        };
        Tensor::from_shape_vec(&self.shape[..], value).expect("the outputs of all layers")
    }
}

/// Where finished rows are put, one behind the other: as they are, or of each, which is a map then, its
/// maxima.
#[derive(Debug)]
pub struct Room<'r> {
    rows: &'r mut [f32],
    /// Of what a row becomes.
    len: usize,
    maxima: Option<&'r Maxima>,
}

impl<'r> Room<'r> {
    /// For rows of so many numbers, as they are.
    pub(super) fn new(rows: &'r mut [f32], len: usize) -> Self {
        Self { rows, len, maxima: None }
    }

    /// Has `put` fill in each row, of so many numbers.
    ///
    /// # Panics
    /// If there is no room for such.
    pub(super) fn fill(self, row_len: usize, put: impl Fn(usize, Row<'_>) + Sync) {
        let Self { rows, len, maxima } = self;
        // Less would leave what was there before; where maxima are looked for, that is asked a map.
        assert!(maxima.is_some() || len == row_len, "room for rows of {len}, not {row_len}");
        let done = by_rows(rows, len, PART.div_ceil(len.max(1)), |first, rows| {
            let mut maxima = maxima.map(|maxima| (maxima.clone(), Vec::new()));
            for (to, row) in rows.chunks_exact_mut(len.max(1)).zip(first..) {
                put(row, Row { to, maxima: maxima.as_mut() });
            }
            Some(())
        });
        done.expect("nobody calls it off");
    }
}

/// Where a finished row is put.
pub(super) struct Row<'r> {
    to: &'r mut [f32],
    /// What looks for maxima, and room for a row.
    maxima: Option<&'r mut (Maxima, Vec<f32>)>,
}

impl Row<'_> {
    /// Puts a row of which each number is finished alike. A larger number must not become a smaller one: where
    /// maxima are looked for, these alone are finished.
    #[inline(always)]
    pub(super) fn put_finished(self, row: &[f32], finish: impl Fn(f32) -> f32) {
        match self.maxima {
            None => self.to.iter_mut().zip(row).for_each(|(to, y)| *to = finish(*y)),
            Some((maxima, _)) => {
                maxima.put(row, self.to);
                // Where nothing was a number there is none; a ReLU would make it a zero.
                let nothing = f32::NEG_INFINITY;
                for y in self.to {
                    *y = if *y == nothing { nothing } else { finish(*y) };
                }
            }
        }
    }

    #[inline(always)]
    pub(super) fn put(self, row: impl Iterator<Item = f32>) {
        match self.maxima {
            None => self.to.iter_mut().zip(row).for_each(|(to, y)| *to = y),
            Some((maxima, map)) => {
                map.clear();
                map.extend(row);
                maxima.put(map, self.to);
            }
        }
    }
}

impl Pieces {
    /// Joins a local piece that does nothing else to the layers whose outputs it is given, if nobody else
    /// reads them.
    #[must_use]
    pub fn join_maps(self, network: &Network) -> Self {
        let mut readers: BTreeMap<usize, usize> = BTreeMap::new();
        let read = self.pieces.iter().flat_map(|piece| &piece.inputs).chain(&self.outputs);
        read.for_each(|wire| *readers.entry(*wire).or_default() += 1);
        let mut pieces: Vec<Piece> = Vec::new();
        for piece in self.pieces {
            let joined = pieces.iter_mut().rev().find_map(|giver| {
                let is_for_it = giver.outputs.iter().all(|wire| readers.get(wire) == Some(&1));
                let onward = giver.onward_to(&piece, network).filter(|_| is_for_it)?;
                Some((giver, onward))
            });
            match joined {
                Some((giver, onward)) => {
                    (giver.onward, giver.outputs) = (Some(onward), piece.outputs);
                }
                None => pieces.push(piece),
            }
        }
        Self { pieces, outputs: self.outputs }
    }
}

impl Piece {
    /// What its outputs become in `reader`, if these are all that this is given, and maps of one image.
    fn onward_to(&self, reader: &Self, network: &Network) -> Option<Onward> {
        let (PieceKind::Layers(members), PieceKind::Local(segment)) = (&self.kind, &reader.kind)
        else {
            return None;
        };
        let are_maps = members.iter().all(|member| {
            let op = &network.layers[member.layer].op;
            op.raising.is_plain() && op.raising.shape.get(..2) == Some(&[1, op.groups * op.rows])
        });
        if !are_maps || self.onward.is_some() || self.outputs.len() != reader.inputs.len() {
            return None;
        }
        let (inputs, pool) = segment.maps()?;
        let layer_of =
            |input: usize| self.outputs.iter().position(|wire| *wire == reader.inputs[input]);
        let order = inputs.into_iter().map(layer_of).collect::<Option<_>>()?;
        let shape = segment.result_shapes.first()?.clone();
        Some(Onward { order, pool, shape, work: segment.work })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maths::maxima::Window;

    #[test]
    fn of_a_map_without_a_number_no_answer_is_made() {
        let window = Window { input: 2, output: 1, kernel: 2, stride: 2, pad: 0 };
        let maxima = Maxima::new(window, window);
        let mut rows = [0.0; 2];
        let room = Room { rows: &mut rows, len: 1, maxima: Some(&maxima) };
        let maps = [[f32::NAN; 4], [-3.0, 1.0, f32::NAN, 0.5]];
        room.fill(4, |at, row| row.put_finished(&maps[at], |y| (y - 0.25).max(0.0)));
        assert!(!rows[0].is_finite());
        assert_eq!(rows[1], 0.75);
    }
}
