//! Codes: how k sources become n shares, and how results of shares become results of sources.
//!
//! A code knows nothing of what its blocks mean. It answers two questions, [`Code::encoder`] and
//! [`Code::decoder`]; mixing blocks by the answer ([`crate::maths::mix`]) is the same for all.
//!
//! # Write a code
//! One file beside `uncoded.rs`, the smallest; its words in `plan/topology.rs`'s `CodeFile`, and what
//! they mean in `plan/build.rs`; one line in `tests/laws.rs`, which then holds it to the laws:
//! 1. `decoder` succeeds exactly on the sets the code promises;
//! 2. decoding what was encoded gives the sources back, whatever set arrived;
//! 3. both commute with every linear map, so results of shares decode to results of sources.

mod cache;
mod locate;
mod mds;
mod parity;
mod replication;
mod uncoded;

use std::collections::BTreeSet;
use std::fmt::Debug;

pub use cache::DecoderCache;
pub use locate::{Audit, MOST_CANDIDATES, audit};
pub use mds::Mds;
pub use parity::Parity;
pub use replication::Replication;
pub use uncoded::Uncoded;

use crate::maths::matrix::Matrix;

/// The shares in hand, by index.
pub type Arrived = BTreeSet<usize>;

/// A linear code over real blocks. Laws: the module's page.
pub trait Code: Debug + Send + Sync {
    /// What people call it, with its parameters: `Mds(6, 4)`.
    fn name(&self) -> String;

    /// n × k: row i says how share i mixes the sources. Its entries are exact in `f32`.
    fn encoder(&self) -> &Matrix;

    /// How the results of the arrived shares mix back to those of the sources.
    fn decoder(&self, arrived: &Arrived) -> Result<Decoder, NotYet>;

    /// How many shares may be missing, whichever they are.
    fn tolerates(&self) -> usize;

    /// k.
    fn sources(&self) -> usize {
        self.encoder().columns()
    }

    /// n.
    fn shares(&self) -> usize {
        self.encoder().rows()
    }

    /// The source a share is a plain copy of, if it is one.
    fn plain(&self, share: usize) -> Option<usize> {
        let mut nonzero = self.encoder().row(share).enumerate().filter(|(_, entry)| *entry != 0.0);
        match (nonzero.next(), nonzero.next()) {
            (Some((source, 1.0)), None) => Some(source),
            _ => None,
        }
    }
}

/// How to rebuild every source from one set of arrived shares.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoder {
    /// One recipe a source, in order.
    pub recipes: Vec<Recipe>,
    /// The 2-norm condition number of the system that was solved; 1 when nothing was.
    pub condition: f64,
}

/// Where one source's result comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Recipe {
    /// It is this share's result as it came: no arithmetic, no copy.
    Take(usize),
    /// `Σ coefficient · result of share`.
    Mix(Vec<(usize, f64)>),
}

impl Decoder {
    /// The sources that were not in hand and are computed.
    pub fn rebuilt(&self) -> impl Iterator<Item = usize> + '_ {
        self.recipes.iter().enumerate().filter_map(|(source, recipe)| match recipe {
            Recipe::Take(_) => None,
            Recipe::Mix(_) => Some(source),
        })
    }

    /// The shares whose results are used.
    pub fn used(&self) -> BTreeSet<usize> {
        let shares = self.recipes.iter().flat_map(|recipe| match recipe {
            Recipe::Take(share) => vec![*share],
            Recipe::Mix(terms) => terms.iter().map(|(share, _)| *share).collect(),
        });
        shares.collect()
    }
}

/// The arrived shares do not suffice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotYet {
    /// At least so many more are needed.
    pub missing: usize,
}

/// Decodes a systematic code by elimination: plain shares are taken, and the erased sources are
/// solved for from as many of the arrived coded shares.
///
/// With E the erased sources and P the chosen shares, `x_E = (G_PE)⁻¹ (y_P − G_PA x_A)`; substituting
/// gives one row of coefficients over the arrived shares for each erased source.
fn solve_systematic(code: &dyn Code, arrived: &Arrived) -> Result<Decoder, NotYet> {
    let mut plain = vec![None; code.sources()];
    let mut coded = Vec::new();
    for share in arrived.iter().copied() {
        match code.plain(share) {
            Some(source) => plain[source] = plain[source].or(Some(share)),
            None => coded.push(share),
        }
    }
    let erased: Vec<usize> = (0..code.sources()).filter(|s| plain[*s].is_none()).collect();
    if coded.len() < erased.len() {
        return Err(NotYet { missing: erased.len() - coded.len() });
    }
    if erased.is_empty() {
        let recipes = plain.into_iter().flatten().map(Recipe::Take).collect();
        return Ok(Decoder { recipes, condition: 1.0 });
    }
    let chosen = &coded[..erased.len()];
    let encoder = code.encoder();
    let system =
        Matrix::from_fn(erased.len(), erased.len(), |i, j| encoder.at(chosen[i], erased[j]));
    let Some(inverse) = system.inverse() else {
        return Err(NotYet { missing: 1 });
    };
    let survivors: Vec<usize> = plain.iter().flatten().chain(chosen).copied().collect();
    let condition = encoder.select_rows(&survivors).condition();
    let solve = |row: usize| {
        let mut terms: Vec<(usize, f64)> =
            chosen.iter().enumerate().map(|(p, share)| (*share, inverse.at(row, p))).collect();
        for (source, share) in plain.iter().enumerate() {
            let Some(share) = share else { continue };
            let coefficient: f64 =
                (0..chosen.len()).map(|p| inverse.at(row, p) * encoder.at(chosen[p], source)).sum();
            if coefficient != 0.0 {
                terms.push((*share, -coefficient));
            }
        }
        terms
    };
    let recipes = (0..code.sources())
        .map(|source| match (plain[source], erased.binary_search(&source)) {
            (Some(share), _) => Recipe::Take(share),
            (None, Ok(row)) => Recipe::Mix(solve(row)),
            (None, Err(_)) => unreachable!("a source is plain or erased"),
        })
        .collect();
    Ok(Decoder { recipes, condition })
}
