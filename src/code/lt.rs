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
//! (`kofn reproduce rateless`). Only [`Code::tolerates`] is promised. What peeling leaves is eliminated.
//!
//! Published is [`Form::Mixed`]: all blocks are sums. In [`Form::Systematic`] each device begins with row
//! blocks as they are, so that nothing is decoded if all is well, and its sums are only for those that
//! are missing: their degrees are drawn larger for that (Agarwal, Hagedorn, Trachtenberg, *Adaptive
//! rateless coding under partial information*, 2008). Of 256 blocks it wants 7 % more than there are
//! where the other wants hardly any; with fewer both want about as many. It answers as soon or sooner,
//! and is the default. Published is peeling alone, which of a few hundred blocks would want a quarter
//! more (all as measured by `kofn reproduce rateless`).

use std::sync::Arc;

use rand::RngExt;
use rand::seq::index::sample;

use super::peeling::Peeling;
use super::survey::{ALL_UP_TO, all, choices, hands};
use super::{Arrived, Code, Decoder, Encoder, Form, Mixture, NotYet, Piece, Place, Recipe};
use crate::maths::chance::{Purpose, Seed};
use crate::maths::matrix::Matrix;

/// (n, k), each share a hand of so many blocks.
#[derive(Debug)]
pub struct Lt {
    k: usize,
    blocks: usize,
    form: Form,
    encoder: Encoder,
    tolerates: usize,
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
            if !code.bears_the_loss_of(0) {
                continue;
            }
            code.tolerates = (1..=n - k).take_while(|lost| code.bears_the_loss_of(*lost)).count();
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
            vec![sum(&degrees, seed, [n, k, blocks, share])]
        };
        let shares = (0..n * blocks).map(share).collect();
        Self { k, blocks, form, encoder: Encoder::of_cells(sources, 1, shares), tolerates: 0 }
    }

    /// Whether any so many devices may be missing. Where that would be too much to find out it is not
    /// promised.
    fn bears_the_loss_of(&self, lost: usize) -> bool {
        let (n, work) = (self.holders(), self.sources() * self.sources());
        let determines = |holders: &Arrived| self.solve(&hands(holders, self.blocks)).is_ok();
        let sets = choices(n, lost);
        let is_little = sets <= ALL_UP_TO && sets * work <= MOST_WORK;
        is_little && all(n, n - lost).iter().all(determines)
    }

    /// Peels, and finds which sums the rest can be eliminated from.
    fn solve(&self, arrived: &Arrived) -> Result<(Peeling<'_>, Rest), NotYet> {
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
        let mut peeling = Peeling::new(&self.encoder, &plain, &sums);
        if erased > 0 {
            peeling.run();
        }
        let unknown = peeling.unknown();
        let says = |share: &usize| {
            let mixture = &self.encoder.share(*share)[0];
            mixture.iter().any(|(at, _)| unknown.binary_search(at).is_ok())
        };
        sums.retain(says);
        match unknown.len() - rank(&self.encoder, &sums, &unknown) {
            0 => Ok((peeling, Rest { unknown, sums })),
            missing => Err(NotYet { missing }),
        }
    }
}

/// What peeling left, and the sums that tell it.
struct Rest {
    unknown: Vec<usize>,
    sums: Vec<usize>,
}

impl Rest {
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

/// Sets times squares of sources: a topology should be read within a second or two.
const MOST_WORK: usize = 1 << 20;

/// Twice what is needed for a sum to meet one missing block on average: more peel worse, fewer tell less.
const STRETCH: f64 = 2.0;

/// The robust soliton distribution over degrees 1 … K (Luby 2002, Definition 11), as cumulated
/// probabilities, and a factor that its draws are multiplied by.
#[derive(Clone, Debug)]
pub struct Degrees {
    cumulated: Vec<f64>,
    stretch: f64,
}

/// With c = 0.03 and δ = 0.5, as is usual: `R = c ln(K/δ) √K`, `ρ(1) = 1/K`, `ρ(d) = 1/d(d−1)`,
/// `τ(d) = R/dK` below K/R, `τ(K/R) = R ln(R/δ)/K`; degrees are drawn from ρ + τ, normed.
pub fn stretched_soliton(sources: usize, stretch: f64) -> Degrees {
    let (c, delta, k) = (0.03, 0.5, sources as f64);
    let r = c * (k / delta).ln() * k.sqrt();
    let spike = (k / r).round().clamp(1.0, k) as usize;
    let weight = |degree: usize| {
        let d = degree as f64;
        let rho = if degree == 1 { 1.0 / k } else { 1.0 / (d * (d - 1.0)) };
        let tau = match degree.cmp(&spike) {
            std::cmp::Ordering::Less => r / (d * k),
            std::cmp::Ordering::Equal => r * (r / delta).ln().max(0.0) / k,
            std::cmp::Ordering::Greater => 0.0,
        };
        rho + tau
    };
    let total: f64 = (1..=sources).map(weight).sum();
    let cumulated = (1..=sources).scan(0.0, |sum, degree| {
        *sum += weight(degree) / total;
        Some(*sum)
    });
    Degrees { cumulated: cumulated.collect(), stretch }
}

impl Degrees {
    /// The degree that a number in [0, 1) draws.
    pub fn draw(&self, chance: f64) -> usize {
        let sources = self.cumulated.len();
        let degree = self.cumulated.partition_point(|sum| *sum <= chance).min(sources - 1) + 1;
        ((degree as f64 * self.stretch).round() as usize).clamp(1, sources)
    }
}

/// A sum of sources drawn at random, each with a random sign: sums of one sign are alike, which
/// amplifies rounding where they are told from each other.
fn sum(degrees: &Degrees, seed: u64, what: [usize; 4]) -> Mixture {
    let mut rng = Seed(seed).stream(Purpose::Code, &what.map(|id| id as u64));
    let degree = degrees.draw(rng.random_range(0.0..1.0));
    let mut sources = sample(&mut rng, degrees.cumulated.len(), degree).into_vec();
    sources.sort_unstable();
    sources.into_iter().map(|at| (at, if rng.random_bool(0.5) { 1.0 } else { -1.0 })).collect()
}

/// How many independent things these shares say of the unknown sources.
fn rank(encoder: &Encoder, shares: &[usize], unknown: &[usize]) -> usize {
    let of = |share: &usize| {
        let mut row = vec![0.0; unknown.len()];
        for (at, c) in &encoder.share(*share)[0] {
            unknown.binary_search(at).into_iter().for_each(|column| row[column] = *c);
        }
        row
    };
    let mut rows: Vec<Vec<f64>> = shares.iter().map(of).collect();
    let mut rank = 0;
    for column in 0..unknown.len() {
        let size = |row: &usize| rows[*row][column].abs();
        let largest = (0..rows.len()).max_by(|a, b| size(a).total_cmp(&size(b)));
        let Some(at) = largest.filter(|at| size(at) > NEGLIGIBLE) else { continue };
        let pivot = rows.swap_remove(at);
        rank += 1;
        for row in rows.iter_mut().filter(|row| row[column] != 0.0) {
            let factor = row[column] / pivot[column];
            row[column..].iter_mut().zip(&pivot[column..]).for_each(|(x, p)| *x -= factor * p);
        }
    }
    rank
}

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
        let (mut peeling, rest) = self.solve(arrived)?;
        if !rest.unknown.is_empty() {
            rest.give_to(&mut peeling, self).ok_or(NotYet { missing: 1 })?;
        }
        Ok(peeling.decoder().expect("what was not peeled was eliminated"))
    }

    /// In no more blocks than there are rows, and none of them all padding.
    fn fitted(&self, rows: usize, _: f64) -> Option<Arc<dyn Code>> {
        let height = rows.div_ceil(self.sources()).max(1);
        let blocks = rows.div_ceil(self.k * height).max(1);
        if blocks == self.blocks {
            return None;
        }
        Some(Arc::new(Self::new(self.holders(), self.k, blocks, self.form)))
    }
}
