//! Codes: how k sources become n shares, and how results of shares become results of sources.
//!
//! A code knows nothing of what its blocks mean. It answers two questions, [`Code::encoder`] and
//! [`Code::decoder`]; mixing blocks by the answer ([`crate::maths::mix`]) is the same for all.
//!
//! # Write a code
//!
//! **One file.** Here is a whole code, the parity of `parity.rs`: k sources and their sum.
//!
//! ```
//! use kofn::code::{Arrived, Code, Decoder, Encoder, NotYet, solve};
//! use kofn::maths::matrix::Matrix;
//!
//! #[derive(Debug)]
//! struct Parity {
//!     encoder: Encoder,
//! }
//!
//! impl Parity {
//!     fn new(k: usize) -> Self {
//!         // Row i says how share i mixes the sources: itself, and in the last row all of them.
//!         let entry = |share, source| if share == k || share == source { 1.0 } else { 0.0 };
//!         Self { encoder: Encoder::of_matrix(&Matrix::from_fn(k + 1, k, entry)) }
//!     }
//! }
//!
//! impl Code for Parity {
//!     fn name(&self) -> String {
//!         format!("Parity({}, {})", self.shares(), self.sources())
//!     }
//!     fn encoder(&self) -> &Encoder {
//!         &self.encoder
//!     }
//!     // What is promised: any one share may be missing.
//!     fn tolerates(&self) -> usize {
//!         1
//!     }
//!     // Any code can be decoded by elimination; write your own where there is a better way.
//!     fn decoder(&self, arrived: &Arrived) -> Result<Decoder, NotYet> {
//!         solve(self, arrived)
//!     }
//! }
//!
//! let code = Parity::new(2);
//! let (a, b, sum) = ([1.0f32, 2.0], [10.0, 20.0], [11.0, 22.0]);
//! let decoder = code.decoder(&[0, 2].into()).expect("two of three");
//! assert_eq!(decoder.decode(|place| [&a, &b, &sum][place.share])[1][..], b);
//! assert!(code.decoder(&[2].into()).is_err(), "one is too few");
//! ```
//!
//! **One line in the topology reader** (`codes!` in `plan/codes.rs`): its word, n and k, how many
//! shares it may have. Now `code: Parity(k: 2)` can be written in every topology, `kofn plan` shows
//! what it costs and what it may lose, and the supervisor decodes with it.
//!
//! **One section in the laws** (`codes` in `tests/laws.rs`), which then hold for it, from every set of
//! shares up to n = 10 and from samples beyond:
//! 1. `decoder` succeeds exactly on the sets the code promises;
//! 2. decoding what was encoded gives the sources back, to within its condition number;
//! 3. both commute with every linear map, so results of shares decode to results of sources;
//! 4. any [`Code::tolerates`] shares, or hands of shares, may be lost, and not always one more.
//!
//! What cannot be kept must not be promised: a set of shares whose condition number is beyond the
//! policy's is not decoded from, and [`tolerance`] says what that leaves.

mod amplify;
mod any_k;
mod berrut;
mod cache;
mod chebyshev;
mod curve;
mod decoder;
mod encoder;
mod estimator;
mod gaussian;
mod least_squares;
mod locate;
mod lt;
mod mds;
mod outliers;
mod parity;
mod peeling;
mod polar;
mod replication;
mod rotation;
mod shift_add;
mod solve;
mod spline;
mod survey;
mod uncoded;
mod vandermonde;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use least_squares::least_squares;

pub use berrut::Berrut;
pub use cache::DecoderCache;
pub use chebyshev::Chebyshev;
pub use curve::{Curve, Order, Placement};
pub use decoder::{Decoder, Piece, Place, Recipe};
pub use encoder::{Encoder, Mixture};
pub use estimator::Estimator;
pub use gaussian::Gaussian;
pub use locate::{Audit, MOST_CANDIDATES, audit};
pub use lt::{Lt, stretched_soliton};
pub use mds::Mds;
pub use outliers::outliers;
pub use parity::Parity;
pub use polar::Polar;
pub use replication::Replication;
pub use rotation::Rotation;
pub use shift_add::{Form, ShiftAdd};
pub use solve::solve;
pub use spline::{Smoothing, Spline};
pub use survey::{tolerance, worst_condition};
pub use uncoded::Uncoded;
pub use vandermonde::Vandermonde;

/// The shares in hand, by index.
pub type Arrived = BTreeSet<usize>;

/// A linear code over real blocks. Laws: the module's page.
pub trait Code: Debug + Send + Sync {
    /// What people call it, with its parameters: `Mds(6, 4)`.
    fn name(&self) -> String;

    /// How shares mix the sources.
    fn encoder(&self) -> &Encoder;

    /// How the results of the arrived shares mix back to those of the sources.
    fn decoder(&self, arrived: &Arrived) -> Result<Decoder, NotYet>;

    /// How many holders may be missing, whichever they are; which is how many shares, unless
    /// [`Self::hand`] says otherwise.
    fn tolerates(&self) -> usize;

    /// How many shares one device holds. If they are several, it computes them one after the other and
    /// sends each as it is done: what a straggler has finished counts. The hand of holder i are shares
    /// `i · hand .. (i + 1) · hand`.
    fn hand(&self) -> usize {
        1
    }

    /// How many devices the shares are for.
    fn holders(&self) -> usize {
        self.shares() / self.hand()
    }

    /// What results decoded by [`Self::decoder`] are worth.
    fn fidelity(&self) -> Fidelity {
        Fidelity::Exact
    }

    /// Whether a share may bring shares in hand nearer to sufficing; not if it is the copy of one of them.
    fn is_news(&self, share: usize, in_hand: &dyn Fn(usize) -> bool) -> bool {
        let _ = (share, in_hand);
        true
    }

    /// The best guess from shares that do not suffice; `None` if they say nothing at all.
    fn estimate(&self, arrived: &Arrived) -> Option<Decoder> {
        least_squares(self, arrived)
    }

    /// The same code made to fit a layer of so many rows, if what it is depends on that; with a
    /// condition number up to `worst` if it can be had.
    fn fitted(&self, rows: usize, worst: f64) -> Option<Arc<dyn Code>> {
        let _ = (rows, worst);
        None
    }

    /// k.
    fn sources(&self) -> usize {
        self.encoder().sources()
    }

    /// n.
    fn shares(&self) -> usize {
        self.encoder().shares()
    }

    /// The source a share is a plain copy of, if it is one.
    fn plain(&self, share: usize) -> Option<usize> {
        self.encoder().plain(share)
    }
}

/// Whether decoding gives the sources or something like them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fidelity {
    /// To rounding.
    Exact,
    /// The better, the more shares arrive; no bound holds for every function.
    Approximate,
}

/// The arrived shares do not suffice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotYet {
    /// At least so many more are needed that are news ([`Code::is_news`]).
    pub missing: usize,
}
