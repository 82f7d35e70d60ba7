//! Rateless codes (LT, Luby 2002) over rows of a layer, as in Mallick, Chaudhari, Sheth, Palanikumar and
//! Joshi, *Rateless codes for near-perfect load balancing in distributed matrix-vector multiplication*
//! (SIGMETRICS 2020, arXiv 1804.10331): partial work counts.
//!
//! A layer is cut into k · b row blocks. Each of n devices holds b coded blocks, a hand, computes one
//! after the other and sends each as it is done. A coded block is the sum of a few row blocks drawn at
//! random, so few that decoding is mostly peeling; as soon as the blocks in hand, whoever sent them, tell
//! all row blocks, the rest is called off. Nobody waits for the slowest of a chosen few.
//!
//! **Not any k of n devices**: b of each k are just as many blocks as are needed, and some more must come
//! (`kofn reproduce rateless`). Only [`Code::tolerates`] is promised. What peeling leaves is eliminated; and where
//! peeling amplifies rounding more than it may ([`Code::fitted`]), all sums in hand are read at once, by least
//! squares: of all maps back to the rows it amplifies least.
//!
//! Published is [`Form::Mixed`]: all blocks are sums. In [`Form::Systematic`] each device begins with row
//! blocks as they are, so that nothing is decoded if all is well, and its sums are only for those that
//! are missing: their degrees are drawn larger for that (Agarwal, Hagedorn, Trachtenberg, *Adaptive
//! rateless coding under partial information*, 2008). Of 256 blocks it wants 7 % more than there are
//! where the other wants hardly any; with fewer both want about as many. It answers as soon or sooner,
//! and is the default. Published is peeling alone, which of a few hundred blocks would want a quarter
//! more (all as measured by `kofn reproduce rateless`).

mod certain;
mod degrees;

use std::sync::Arc;

pub use degrees::stretched_soliton;

use super::peeling::Peeling;
use super::{Arrived, Code, Decoder, Encoder, Form, NotYet, Piece, Place, Recipe};
use crate::maths::matrix::Matrix;

/// (n, k), each share a hand of so many blocks.
#[derive(Clone, Debug)]
pub struct Lt {
    k: usize,
    blocks: usize,
    form: Form,
    encoder: Encoder,
    tolerates: usize,
    /// Peeling may amplify rounding so much, which is as much as it likes unless [`Code::fitted`] says less.
    worst: f64,
}

impl Lt {
    /// Row blocks, and with them unknowns that may have to be eliminated: a fraction of a second.
    pub const MOST_SOURCES: usize = 256;
    pub const MOST_SHARES: usize = 512;

    /// Of the codes that a few seeds give, the one that tolerates most.
    ///
    /// # Panics
    /// Unless 1 ≤ k ≤ n, with fewer sources than shares if all are sums; and beyond
    /// [`Self::MOST_SOURCES`] and [`Self::MOST_SHARES`].
    pub fn new(n: usize, k: usize, blocks: usize, form: Form) -> Self {
        assert!((1..=n).contains(&k) && blocks >= 1 && (form == Form::Systematic || k < n));
        assert!(k * blocks <= Self::MOST_SOURCES && n * blocks <= Self::MOST_SHARES);
        let mut best: Option<Self> = None;
        for seed in 0..SEEDS {
            let mut code = Self::of_seed(n, k, blocks, form, seed);
            if !certain::bears_the_loss_of(&code, 0) {
                continue;
            }
            code.tolerates =
                (1..=n - k).take_while(|lost| certain::bears_the_loss_of(&code, *lost)).count();
            let is_best = code.tolerates == n - k;
            if best.as_ref().is_none_or(|best| best.tolerates < code.tolerates) {
                best = Some(code);
            }
            if is_best || (seed >= TRIED && best.is_some()) {
                break;
            }
        }
        best.expect("of hundreds of draws some can be decoded when nothing is lost")
    }

    fn of_seed(n: usize, k: usize, blocks: usize, form: Form, seed: u64) -> Self {
        let sources = k * blocks;
        let degrees = match form {
            Form::Mixed => stretched_soliton(sources, 1.0),
            // What the sums are for is at most the n − k of n parts that some devices did not send.
            Form::Systematic => {
                stretched_soliton(sources, STRETCH * n as f64 / (n - k).max(1) as f64)
            }
        };
        let mut plain = 0..sources;
        let share = |share: usize| {
            let (holder, turn) = (share / blocks, share % blocks);
            let begins_with = match form {
                Form::Systematic => sources / n + usize::from(holder < sources % n),
                Form::Mixed => 0,
            };
            if turn < begins_with {
                return vec![Vec::from_iter(plain.next().map(|source| (source, 1.0)))];
            }
            vec![degrees.sum(seed, [n, k, blocks, share])]
        };
        let shares = (0..n * blocks).map(share).collect();
        let encoder = Encoder::of_cells(sources, 1, shares);
        Self { k, blocks, form, encoder, tolerates: 0, worst: f64::INFINITY }
    }

    /// What there is to peel, and the sums in hand.
    fn in_hand(&self, arrived: &Arrived) -> Result<(Peeling<'_>, Vec<usize>), NotYet> {
        let mut plain = vec![None; self.sources()];
        let mut sums = Vec::new();
        for share in arrived.iter().copied() {
            match self.plain(share) {
                Some(source) => plain[source] = plain[source].or(Some(share)),
                None => sums.push(share),
            }
        }
        let erased = plain.iter().filter(|share| share.is_none()).count();
        if sums.len() < erased {
            return Err(NotYet { missing: erased - sums.len() });
        }
        Ok((Peeling::new(&self.encoder, &plain, &sums), sums))
    }

    /// Peels, and finds which sums the rest can be eliminated from.
    fn solve(&self, arrived: &Arrived) -> Result<(Peeling<'_>, Rest), NotYet> {
        let (mut peeling, sums) = self.in_hand(arrived)?;
        if !peeling.unknown().is_empty() {
            peeling.run();
        }
        let rest = Rest::new(&peeling, sums, &self.encoder);
        match rest.unknown.len() - certain::rank(&self.encoder, &rest.sums, &rest.unknown) {
            0 => Ok((peeling, rest)),
            missing => Err(NotYet { missing }),
        }
    }

    /// Nothing is peeled: all that did not come plainly is the rest. `None` if rounding defeats it.
    fn at_once(&self, arrived: &Arrived) -> Option<Decoder> {
        let (peeling, sums) = self.in_hand(arrived).ok()?;
        Rest::new(&peeling, sums, &self.encoder).decoder(peeling, self)
    }
}

/// What peeling left, and the sums that tell it.
struct Rest {
    unknown: Vec<usize>,
    sums: Vec<usize>,
}

impl Rest {
    /// Of these sums those that say something of what is unknown.
    fn new(peeling: &Peeling<'_>, mut sums: Vec<usize>, encoder: &Encoder) -> Self {
        let unknown = peeling.unknown();
        let says = |share: &usize| {
            let mixture = &encoder.share(*share)[0];
            mixture.iter().any(|(at, _)| unknown.binary_search(at).is_ok())
        };
        sums.retain(says);
        Self { unknown, sums }
    }

    /// All that was peeled, and the rest; `None` if its system is singular to rounding.
    fn decoder(self, mut peeling: Peeling<'_>, code: &Lt) -> Option<Decoder> {
        if !self.unknown.is_empty() {
            self.give_to(&mut peeling, code)?;
        }
        Some(peeling.decoder().expect("what was not peeled was eliminated"))
    }

    /// By least squares: as many sums as unknowns would do, but each one more makes the system better
    /// conditioned by far.
    fn give_to(&self, peeling: &mut Peeling<'_>, code: &Lt) -> Option<()> {
        let dense = code.encoder.dense(&self.sums);
        let (rows, columns) = (self.sums.len(), self.unknown.len());
        let transposed = Matrix::from_fn(columns, rows, |i, j| dense.at(j, self.unknown[i]));
        let system = Matrix::from_fn(rows, columns, |i, j| dense.at(i, self.unknown[j]));
        let inverse = match rows == columns {
            true => system.inverse()?,
            false => transposed.times(&system).inverse()?.times(&transposed),
        };
        let others = inverse.times(&dense);
        for (row, at) in self.unknown.iter().enumerate() {
            let place = |share: &usize| Piece::Result(Place { share: *share, cell: 0 });
            let results = self.sums.iter().map(place).zip(inverse.row(row));
            let known = others.row(row).enumerate();
            let known = known.filter(|(source, _)| self.unknown.binary_search(source).is_err());
            let terms = results.chain(known.map(|(source, c)| (Piece::Decoded(source), -c)));
            peeling.give(*at, Recipe::Mix(terms.filter(|(_, c)| c.abs() > NEGLIGIBLE).collect()));
        }
        Some(())
    }
}

/// Weights below this are rounding of zero, and so are pivots.
const NEGLIGIBLE: f64 = 1e-9;

/// Draws that are tried for the best, and for one that can be decoded at all.
const TRIED: u64 = 16;
const SEEDS: u64 = 1000;

/// Twice what is needed for a sum to meet one missing block on average: more peel worse, fewer tell less.
const STRETCH: f64 = 2.0;

impl Code for Lt {
    fn name(&self) -> String {
        let (n, k, blocks) = (self.holders(), self.k, self.blocks);
        match self.form {
            Form::Systematic => format!("Lt({n}, {k}) in {blocks}"),
            Form::Mixed => format!("Lt({n}, {k}, mixed) in {blocks}"),
        }
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    fn tolerates(&self) -> usize {
        self.tolerates
    }

    fn hand(&self) -> usize {
        self.blocks
    }

    fn decoder(&self, arrived: &Arrived) -> Result<Decoder, NotYet> {
        let (peeling, rest) = self.solve(arrived)?;
        match rest.decoder(peeling, self) {
            Some(peeled) if peeled.condition <= self.worst => Ok(peeled),
            peeled => {
                let both = [peeled, self.at_once(arrived)].into_iter().flatten();
                let best = both.min_by(|a, b| a.condition.total_cmp(&b.condition));
                best.ok_or(NotYet { missing: 1 })
            }
        }
    }

    /// In no more blocks than there are rows, and none of them all padding.
    fn fitted(&self, rows: usize, worst: f64) -> Option<Arc<dyn Code>> {
        let height = rows.div_ceil(self.sources()).max(1);
        let blocks = rows.div_ceil(self.k * height).max(1);
        let cut = match blocks == self.blocks {
            true => self.clone(),
            false => Self::new(self.holders(), self.k, blocks, self.form),
        };
        Some(Arc::new(Self { worst, ..cut }))
    }
}
