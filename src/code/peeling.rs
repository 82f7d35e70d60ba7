//! Decoding by peeling: a result that mixes one unknown alone gives it; that taken out of all others,
//! another may be alone.

use std::collections::VecDeque;

use super::amplify::condition;
use super::{Decoder, Encoder, Mixture, Piece, Place, Recipe};

/// Cells of sources that are known, and sums that may give more.
pub(super) struct Peeling<'c> {
    encoder: &'c Encoder,
    /// The recipes found so far, by cell of the sources, and the order in which they were found.
    recipes: Vec<Option<Recipe>>,
    order: Vec<usize>,
    /// In which cells of the chosen sums each cell of the sources is.
    seen_at: Vec<Vec<Place>>,
    /// Cells of sums that may hold one unknown alone.
    queue: VecDeque<Place>,
}

impl<'c> Peeling<'c> {
    /// `plain` says for each source which share it came plainly in; the `chosen` shares are sums.
    pub(super) fn new(encoder: &'c Encoder, plain: &[Option<usize>], chosen: &[usize]) -> Self {
        let cells = encoder.cells();
        let take = |at: usize| {
            let (source, cell) = (at / cells, at % cells);
            plain[source].map(|share| Recipe::Take(Place { share, cell }))
        };
        let recipes: Vec<Option<Recipe>> = (0..plain.len() * cells).map(take).collect();
        let order = (0..recipes.len()).filter(|at| recipes[*at].is_some()).collect();
        let mut seen_at = vec![Vec::new(); recipes.len()];
        let mut queue = VecDeque::new();
        for share in chosen.iter().copied() {
            for (cell, mixture) in encoder.share(share).iter().enumerate() {
                let place = Place { share, cell };
                mixture.iter().for_each(|(at, _)| seen_at[*at].push(place));
                queue.push_back(place);
            }
        }
        Self { encoder, recipes, order, seen_at, queue }
    }

    /// Peels as far as it goes.
    pub(super) fn run(&mut self) {
        while let Some(place) = self.queue.pop_front() {
            let mixture = self.mixture(place);
            let mut unknown = mixture.iter().filter(|(at, _)| self.recipes[*at].is_none());
            let (Some((alone, own)), None) = (unknown.next(), unknown.next()) else { continue };
            let others = mixture.iter().filter(|(at, _)| at != alone);
            let known = others.map(|(at, c)| (Piece::Decoded(*at), -c / own));
            let terms = std::iter::once((Piece::Result(place), 1.0 / own)).chain(known).collect();
            self.give(*alone, Recipe::Mix(terms));
            self.queue.extend(&self.seen_at[*alone]);
        }
    }

    fn mixture(&self, place: Place) -> &'c Mixture {
        &self.encoder.share(place.share)[place.cell]
    }

    /// A cell of a source becomes known by other means.
    pub(super) fn give(&mut self, at: usize, recipe: Recipe) {
        self.recipes[at] = Some(recipe);
        self.order.push(at);
    }

    /// The cells of sources that are still unknown.
    pub(super) fn unknown(&self) -> Vec<usize> {
        (0..self.recipes.len()).filter(|at| self.recipes[*at].is_none()).collect()
    }

    /// What is known as a decoder; `None` if that is not everything.
    pub(super) fn decoder(self) -> Option<Decoder> {
        let recipes: Option<Vec<Recipe>> = self.recipes.into_iter().collect();
        let cells = self.encoder.cells();
        let mut decoder = Decoder { cells, recipes: recipes?, order: self.order, condition: 1.0 };
        decoder.condition = condition(&decoder, self.encoder);
        Some(decoder)
    }
}
