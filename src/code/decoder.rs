//! How results of shares become results of sources: recipes, one a cell, and their cooking.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::maths::mix::mix;

/// How to rebuild every source from one set of arrived shares.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoder {
    /// How many cells a source has.
    pub cells: usize,
    /// One a cell: those of source 0, then those of source 1, …
    pub recipes: Vec<Recipe>,
    /// The order in which they can be followed: a recipe may need what an earlier one gave.
    pub order: Vec<usize>,
    /// The 2-norm condition number of the system that was solved; 1 when nothing was.
    pub condition: f64,
}

/// Where the result of one cell of a source comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Recipe {
    /// It is this cell of a share's result as it came: no arithmetic, no copy.
    Take(Place),
    /// `Σ coefficient · piece`.
    Mix(Vec<(Piece, f64)>),
}

/// A cell of a share's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub share: usize,
    pub cell: usize,
}

/// What a recipe reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    Result(Place),
    /// A cell of a source, by its number, that an earlier recipe gave.
    Decoded(usize),
}

impl Decoder {
    /// Of recipes that read nothing but results.
    pub(super) fn direct(cells: usize, recipes: Vec<Recipe>, condition: f64) -> Self {
        let order = (0..recipes.len()).collect();
        Self { cells, recipes, order, condition }
    }

    /// Every source is there plainly: source j is what share `plain[j]` gave.
    pub(super) fn plain(cells: usize, plain: impl Iterator<Item = usize>) -> Self {
        let take = |share| (0..cells).map(move |cell| Recipe::Take(Place { share, cell }));
        Self::direct(cells, plain.flat_map(take).collect(), 1.0)
    }

    /// The sources that were not in hand and are computed.
    pub fn rebuilt(&self) -> impl Iterator<Item = usize> + '_ {
        let sources = self.recipes.chunks(self.cells).enumerate();
        let is_mixed = |recipe: &Recipe| matches!(recipe, Recipe::Mix(_));
        sources.filter(move |(_, cells)| cells.iter().any(is_mixed)).map(|(source, _)| source)
    }

    /// The shares whose results are used.
    pub fn used(&self) -> BTreeSet<usize> {
        let mut used: Vec<usize> = Vec::with_capacity(self.recipes.len());
        for recipe in &self.recipes {
            match recipe {
                Recipe::Take(place) => used.push(place.share),
                Recipe::Mix(_) => used.extend(recipe.reads().iter().map(|place| place.share)),
            }
        }
        used.into_iter().collect()
    }

    /// How many blocks of one cell are read and added up.
    pub fn terms(&self) -> usize {
        let terms = |recipe: &Recipe| match recipe {
            Recipe::Take(_) => 0,
            Recipe::Mix(terms) => terms.len(),
        };
        self.recipes.iter().map(terms).sum()
    }

    /// The results of all cells of all sources. Those that came plainly are not copied.
    pub fn decode<'r>(&self, results: impl Fn(Place) -> &'r [f32]) -> Vec<Cow<'r, [f32]>> {
        let mut decoded: Vec<Cow<'r, [f32]>> = vec![Cow::Borrowed(&[]); self.recipes.len()];
        for at in &self.order {
            decoded[*at] = match &self.recipes[*at] {
                Recipe::Take(place) => Cow::Borrowed(results(*place)),
                Recipe::Mix(terms) => {
                    let block = |piece: &Piece| match piece {
                        Piece::Result(place) => results(*place),
                        Piece::Decoded(cell) => &decoded[*cell],
                    };
                    let terms: Vec<(f64, &[f32])> =
                        terms.iter().map(|(piece, c)| (*c, block(piece))).collect();
                    Cow::Owned(mix(&terms))
                }
            };
        }
        decoded
    }
}

impl Recipe {
    /// The results it reads.
    pub fn reads(&self) -> Vec<Place> {
        let of_result = |(piece, _): &(Piece, f64)| match piece {
            Piece::Result(place) => Some(*place),
            Piece::Decoded(_) => None,
        };
        match self {
            Self::Take(place) => vec![*place],
            Self::Mix(terms) => terms.iter().filter_map(of_result).collect(),
        }
    }
}
