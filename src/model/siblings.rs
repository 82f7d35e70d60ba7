//! Layers that are ready together: what they wait for is given by the same pieces, so they can go out as one
//! round (Q, K and V of attention, branches of an inception module). A shortcut's convolution that the sum
//! behind it was taken into waits for the other summand, and is nobody's sibling.

use std::collections::{BTreeMap, BTreeSet};

use super::cut::{Member, Piece, PieceKind, Pieces};

impl Pieces {
    /// Makes one piece of layers that are ready together, where `may` says of the first of them and another,
    /// by their places in the network, that they may be. It stands where the first of them stood.
    ///
    /// Its inputs are first what layers are applied to, each value once, then what is added to them; its
    /// outputs are in the order of its layers.
    #[must_use]
    pub fn join_siblings(self, may: impl Fn(usize, usize) -> bool) -> Self {
        let mut pieces: Vec<Piece> = Vec::new();
        // The piece that gives each wire; the network's inputs are given by none.
        let mut givers: BTreeMap<usize, usize> = BTreeMap::new();
        let mut rounds: Vec<(BTreeSet<Option<usize>>, usize)> = Vec::new();
        for piece in self.pieces {
            let mut at = pieces.len();
            if let PieceKind::Layers(members) = &piece.kind {
                let own = members[0].layer;
                let ready = piece.inputs.iter().map(|wire| givers.get(wire).copied()).collect();
                let joins = |(other, place): &&(BTreeSet<_>, usize)| {
                    *other == ready && first_layer(&pieces[*place]).is_some_and(|it| may(it, own))
                };
                match rounds.iter().find(joins) {
                    Some((_, place)) => at = *place,
                    None => rounds.push((ready, at)),
                }
            }
            givers.extend(piece.outputs.iter().map(|wire| (*wire, at)));
            match pieces.get_mut(at) {
                Some(first) => first.join(piece),
                None => pieces.push(piece),
            }
        }
        Self { pieces, outputs: self.outputs }
    }
}

fn first_layer(piece: &Piece) -> Option<usize> {
    match &piece.kind {
        PieceKind::Layers(members) => members.first().map(|member| member.layer),
        PieceKind::Function(..) | PieceKind::Local(_) => None,
    }
}

impl Piece {
    /// Takes in another layer.
    fn join(&mut self, other: Self) {
        let (PieceKind::Layers(members), PieceKind::Layers(others)) = (&mut self.kind, other.kind)
        else {
            unreachable!("only layers go out together");
        };
        let applied = members.iter().map(|member| member.input + 1).max().unwrap_or(0);
        let mut inputs = other.inputs.into_iter();
        let own = inputs.next().expect("a layer is applied to something");
        let known = self.inputs[..applied].iter().position(|wire| *wire == own);
        if known.is_none() {
            self.inputs.insert(applied, own);
        }
        let input = known.unwrap_or(applied);
        members.extend(others.into_iter().map(|other| Member { input, ..other }));
        self.inputs.extend(inputs);
        self.outputs.extend(other.outputs);
    }
}
