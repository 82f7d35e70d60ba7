//! `kofn shrink`: the few faults that matter in a failing plan.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::outcome::{self, Keep, Outcome};
use super::{BadInput, Exit, say};
use crate::drive::{Clock, Setup};
use crate::maths::chance::Seed;
use crate::plan::shrink::shrink as smaller;
use crate::plan::{FaultPlan, Plan};
use crate::view::verdict::Status;

#[derive(Debug, Args)]
pub(super) struct ShrinkArgs {
    /// The fault plan
    plan: PathBuf,
    /// The seed it fails with [default: the fault plan's, or 1]
    #[arg(long)]
    seed: Option<u64>,
}

pub(super) fn shrink(args: &ShrinkArgs) -> anyhow::Result<Exit> {
    let shown = args.plan.display();
    let topology = FaultPlan::topology_of(&args.plan)?;
    let plan = Arc::new(Plan::read(&topology)?);
    let faults = FaultPlan::read(&args.plan, &plan)?;
    let text = std::fs::read_to_string(&args.plan)
        .map_err(|error| BadInput(format!("{shown} cannot be read: {error}")))?;
    let seed = outcome::seed(args.seed, Some(&faults));
    let trial = Trial { plan: &plan, seed };
    let broken = trial.broken(&faults)?;
    if broken.is_empty() {
        return Err(BadInput(format!("{shown} does not fail with seed {seed}")).into());
    }
    let mut tries = 0;
    let small = smaller(&text, outcome::requests(None, Some(&faults), &plan), &mut |text| {
        tries += 1;
        let parsed = FaultPlan::parse(&args.plan, text.to_owned(), &plan);
        let still = parsed.ok().and_then(|faults| trial.broken(&faults).ok());
        still.is_some_and(|still| broken.iter().all(|what| still.contains(what)))
    });
    eprintln!("shrunk in {tries} tries; it still breaks: {}", broken.join("; "));
    say(&format!(
        "// Shrunk from {shown}, seed {seed}. It breaks: {}.\n{}",
        broken.join("; "),
        small.trim_end()
    ));
    Ok(Exit::AsExpected)
}

struct Trial<'t> {
    plan: &'t Arc<Plan>,
    seed: u64,
}

impl Trial<'_> {
    /// The expectations that a run of the plan breaks, by the line of the file they stand on: what is
    /// measured against the twin may change its words, but not its place among the others.
    fn broken(&self, faults: &FaultPlan) -> anyhow::Result<Vec<String>> {
        let requests = outcome::requests(None, Some(faults), self.plan);
        let calm = Setup::new(self.plan.clone(), requests, Seed(self.seed))?;
        let twin = outcome::twin(&calm, Clock::Virtual, &mut |_| {})?;
        let how = (Clock::Virtual, Keep::Evidence);
        let outcome = Outcome::of(&calm, Some(faults), Some(&twin), how, &mut |_| {})?;
        let verdict = outcome.report.verdict.filter(|verdict| verdict.status == Status::Fail);
        let checks = verdict.into_iter().flat_map(|verdict| verdict.checks);
        Ok(checks.filter(|check| check.is_broken()).map(|check| kind(&check.expect)).collect())
    }
}

/// An expectation without its numbers: they may depend on the twin.
fn kind(expect: &str) -> String {
    let is_number = |word: &str| word.contains(|c: char| c.is_ascii_digit());
    let words = expect.split(' ').map(|word| if is_number(word) { "…" } else { word });
    words.collect::<Vec<_>>().join(" ")
}
