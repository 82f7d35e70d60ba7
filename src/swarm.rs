//! The swarm: from a seed draw misfortune, and hold the run to what must always be true.
//!
//! A [`Scenario`] draws the fleet, its code and its policy too, so that shapes nobody would write down
//! are tried: the idea is TigerBeetle's. A [`Field`] takes them from a topology as it is, and draws
//! what befalls it. What is drawn is text, as a person would write it, and enters by the same door.

mod draw;
mod field;
mod laws;
mod varied;

use std::path::Path;
use std::sync::Arc;

use crate::drive::Setup;
use crate::maths::chance::Seed;
use crate::plan::{FaultPlan, Plan};
use crate::units::Span;

pub use draw::{Base, Scenario};
pub use field::{Field, Ordeal, Unsuited};
use field::{ROUGH, largest};
pub use laws::{Broken, Law, Laws, Seen};

/// An answer further from the whole model's than this is wrong.
const WRONG: f64 = 1e-3;
/// After the last fault's end, how long until a drawn fleet must be whole: the longest exile that is
/// drawn, and half as long again.
const HEALS_WITHIN: Span = Span(500_000_000);

impl Scenario {
    /// Parses, runs and checks what was drawn.
    ///
    /// # Errors
    /// If what was drawn is no sound file, which is our own bug.
    pub fn run(&self, base: &Path) -> anyhow::Result<Result<Seen, Broken>> {
        let plan = Arc::new(Plan::parse(base, self.topology.clone())?);
        let faults = FaultPlan::parse(base, self.faults.clone(), &plan)?;
        let requests = faults.requests.unwrap_or(plan.requests);
        let calm = Setup::new(plan, requests, Seed(faults.seed.unwrap_or(0)))?;
        let Self { within_margin, ends, .. } = *self;
        let laws = Laws {
            wrong: WRONG,
            rough: ROUGH * largest(&calm),
            approximate: calm.plan.stages.iter().any(|stage| stage.batch.is_some()),
            heals_within: HEALS_WITHIN,
            within_margin,
            ends,
        };
        Ok(laws.hold(&calm, &faults))
    }
}
