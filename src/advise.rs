//! Advice: how to run a model on a fleet so that some devices may be lost and answers come soon.
//!
//! For every layer, or run of layers, there are offers: the supervisor, copies, a code of each size, on
//! the devices that are done first. A round is over with its k-th reply, so an offer's time is an order
//! statistic of what each device may take; such estimates add up over layers and put ways through the
//! model in an order. The first of them are then run in virtual time, and what is told comes from there:
//! runs know what estimates do not, for instance who is still busy with what nobody waits for.

mod choose;
mod climb;
mod draws;
mod fleet;
mod offer;
mod round;
mod search;
mod sight;
mod trial;
mod words;

use choose::Asked;
use draws::Draws;
use fleet::Fleet;
pub use search::Aim;
use trial::Trials;

use crate::maths::chance::Seed;
use crate::plan::{Draft, Part};
use crate::units::Span;
use crate::view::advice::Advice;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// How many devices, whichever they are, any stage must be able to lose.
    pub tolerate: usize,
    /// What is to be small, unless there is a target.
    pub aim: Aim,
    /// With this, the cheapest choice that meets it.
    pub p99: Option<Span>,
    /// Whether the supervisor may compute layers.
    pub local: bool,
    /// How many requests each way that is told of is run with.
    pub requests: usize,
    pub seed: u64,
}

/// What is proposed, and all that is to be told of it.
#[derive(Clone, Debug)]
pub struct Advised {
    pub parts: Vec<Part>,
    pub advice: Advice,
}

/// Why there is nothing to propose.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Impossible(String);

/// Looks for the best way to run a topology's model on its devices. Deterministic.
///
/// # Errors
/// [`Impossible`] if nothing can be proposed, [`Problems`](crate::plan::Problems) if the model cannot be cut; or if kofn itself
/// breaks down.
pub fn advise(draft: &Draft, wish: &Wish) -> anyhow::Result<Advised> {
    let count = draft.devices().len();
    if wish.tolerate >= count {
        let tolerate = wish.tolerate;
        let why =
            format!("of {count} devices {tolerate} cannot be lost; add some, or tolerate fewer");
        return Err(Impossible(why).into());
    }
    let fleet = Fleet::new(draft)?;
    let draws = Draws::new(draft, fleet.layers.len(), Seed(wish.seed));
    // Choices are searched with one seed and told of with another: the luckiest is not the best.
    let search = wish.requests.min(SEARCHED_WITH);
    let trials = Trials::new(draft, search, Seed(wish.seed ^ SEARCHES));
    let asked = Asked { draft, wish, fleet: &fleet, draws: &draws };
    match wish.p99 {
        None => asked.best(trials),
        Some(target) => asked.cheapest(trials, target),
    }
}

/// Enough to tell choices apart that differ by a few per cent, and their p99 roughly.
const SEARCHED_WITH: usize = 300;
const SEARCHES: u64 = 0x5EA7_C4E5;
