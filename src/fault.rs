//! Faults: every way to fail, each in a file of its own.
//!
//! The taxonomy of distributed systems: crash, omission, timing, value. A fault says what it does to a
//! device's messages, jobs and results while it is in force; the weather asks it. Nothing here
//! knows nodes, drivers or files, and no device knows a fault.
//!
//! # Add a kind
//! One file beside `slow.rs`, the smallest, with its words, its check, what it does, and its test;
//! and one line in the list below.

mod corrupt;
mod crash;
mod delay;
mod drop;
mod duplicate;
mod flap;
mod freeze;
mod leave;
mod overload;
mod partition;
mod reorder;
mod restart;
mod slow;

pub use self::drop::Drop;
pub use corrupt::{Corrupt, How};
pub use delay::Delay;
pub use duplicate::Duplicate;
pub use flap::Flap;
pub use overload::Overload;
pub use partition::Partition;
pub use reorder::Reorder;
pub use slow::Slow;

use std::collections::BTreeMap;
use std::fmt;

use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use crate::maths::Tensor;
use crate::maths::delay::Refusal;
use crate::units::{Span, StageId};

/// What a fault does while it is in force; by default nothing.
pub trait Misfortune: fmt::Debug {
    /// Checks the parameters, and reads the files they name.
    ///
    /// # Errors
    /// If a parameter has no meaning.
    fn load(&mut self, read: Read<'_>) -> Result<(), Refusal> {
        let _ = read;
        Ok(())
    }

    /// What it does to the device itself when it strikes.
    fn grip(&self) -> Grip {
        Grip::Weather
    }

    /// What becomes of a message.
    fn message(&self, way: Way, rng: &mut ChaCha8Rng, fate: &mut Fate) {
        let _ = (way, rng, fate);
    }

    /// What a job costs.
    fn job(&self, rng: &mut ChaCha8Rng, cost: &mut Cost) {
        let _ = (rng, cost);
    }

    /// Whether it answers with results of the past, which then must be kept.
    fn needs_the_past(&self) -> bool {
        false
    }

    /// What becomes of a job's result.
    fn result(&self, past: &Past, ids: ResultOf, rng: &mut ChaCha8Rng, result: &mut Vec<Tensor>) {
        let _ = (past, ids, rng, result);
    }
}

/// Gives the text of a file that a plan names.
pub type Read<'r> = &'r dyn Fn(&str) -> Result<String, String>;

/// How a fault takes hold of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grip {
    /// Only through the weather around it.
    Weather,
    /// It is down until the fault ends, and comes back empty.
    Down,
    /// It goes down and comes back at once, empty.
    Restart,
    /// It stands still until the fault ends; nothing is lost.
    Frozen,
    /// It is down and up again by turns.
    Flapping { down: Span, up: Span },
    /// It says goodbye and takes no more tasks; when the fault ends it joins anew, empty.
    Away,
}

/// Which way a message goes over a device's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Way {
    ToDevice = 0,
    FromDevice = 1,
}

/// What becomes of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    pub lost: bool,
    /// How much later than without faults it arrives.
    pub extra: Span,
    /// Copies of it that arrive so much later than it.
    pub copies: Vec<Span>,
}

/// What a job costs: `factor` times as long, and `extra` before it begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    pub factor: f64,
    pub extra: Span,
}

impl Cost {
    pub const PLAIN: Self = Self { factor: 1.0, extra: Span::ZERO };
}

/// Whose result it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResultOf {
    pub stage: StageId,
    pub share: usize,
}

/// Results of the past, for devices that answer with them: the last two of each share.
#[derive(Debug, Default)]
pub struct Past(BTreeMap<ResultOf, Vec<Tensor>>);

impl Past {
    /// The result that was last recorded for a share.
    pub fn last(&self, of: ResultOf) -> Option<&Vec<Tensor>> {
        self.0.get(&of)
    }

    /// The last result of another share of the same stage.
    pub fn other(&self, than: ResultOf) -> Option<&Vec<Tensor>> {
        let ResultOf { stage, .. } = than;
        let stage = ResultOf { stage, share: 0 }..=ResultOf { stage, share: usize::MAX };
        self.0.range(stage).find(|(of, _)| **of != than).map(|(_, result)| result)
    }

    pub fn record(&mut self, of: ResultOf, result: Vec<Tensor>) {
        self.0.insert(of, result);
    }
}

/// The kinds, as they are written in a fault plan. Kinds without parameters come first.
macro_rules! kinds {
    ({ $($plain:ident in $plain_file:ident,)+ } { $($kind:ident in $file:ident,)+ }) => {
        /// A misfortune, as it is written in a fault plan.
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        pub enum FaultKind {
            $($plain,)+
            $($kind($file::$kind),)+
        }

        impl FaultKind {
            /// Every kind's name.
            pub const NAMES: &'static [&'static str] =
                &[$(stringify!($plain),)+ $(stringify!($kind),)+];

            pub fn misfortune(&self) -> &dyn Misfortune {
                match self {
                    $(Self::$plain => &$plain_file::$plain,)+
                    $(Self::$kind(kind) => kind,)+
                }
            }

            /// Checks the parameters, and reads the files they name.
            ///
            /// # Errors
            /// If a parameter has no meaning.
            pub fn load(&mut self, read: Read<'_>) -> Result<(), Refusal> {
                match self {
                    $(Self::$plain => Ok(()),)+
                    $(Self::$kind(kind) => kind.load(read),)+
                }
            }
        }

        impl fmt::Display for FaultKind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$plain => f.write_str(stringify!($plain)),)+
                    $(Self::$kind(kind) => write!(f, "{kind}"),)+
                }
            }
        }
    };
}

kinds! {
    {
        Crash in crash,
        Freeze in freeze,
        Leave in leave,
        Restart in restart,
    }
    {
        Corrupt in corrupt,
        Delay in delay,
        Drop in drop,
        Duplicate in duplicate,
        Flap in flap,
        Overload in overload,
        Partition in partition,
        Reorder in reorder,
        Slow in slow,
    }
}

impl FaultKind {
    /// Whether everything that is asked under it is answered rightly, if late.
    pub fn only_delays(&self) -> bool {
        use FaultKind::{Delay, Duplicate, Overload, Reorder, Slow};
        matches!(self, Delay(_) | Duplicate(_) | Overload(_) | Reorder(_) | Slow(_))
    }
}

/// Refuses what is not a probability.
fn probability(p: f64) -> Result<(), Refusal> {
    if (0.0..=1.0).contains(&p) {
        return Ok(());
    }
    Err(Refusal::new(format!("{p} is not a probability"), "give a number from 0 to 1"))
}

/// Always, if a plan does not say how often.
fn always() -> f64 {
    1.0
}
