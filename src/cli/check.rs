//! `kofn check`: fault plans, or folders of them, as verdicts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::outcome::{self, Outcome};
use super::run::with_twin;
use super::{BadInput, ClockArg, Exit, Format, RunOptions, say, shown};
use crate::drive::Setup;
use crate::maths::chance::Seed;
use crate::plan::{FaultPlan, Plan, Problems};
use crate::view::text;
use crate::view::verdict::Status;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Fault-plan files, or folders of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    options: RunOptions,
}

pub(super) fn check(args: &CheckArgs) -> anyhow::Result<Exit> {
    let files = fault_plans(&args.paths)?;
    let checked = read_all(&files)?;
    let mut worst = Exit::AsExpected;
    let mut seen = Vec::new();
    for (path, plan, faults) in &checked {
        let options = &args.options;
        let requests = outcome::requests(None, Some(faults), plan);
        let seed = outcome::seed(options.seed, Some(faults));
        let calm = Setup::new(plan.clone(), requests, Seed(seed))?;
        let outcome = with_twin(&calm, Some(faults), options.clock())?;
        if options.format == Format::Text {
            say(&verdict(path, &outcome, options));
        }
        let file = shown(path);
        seen.push(json!({ "plan": file, "report": outcome.report }));
        worst = worst.max(outcome.report.status().into());
    }
    if args.options.format == Format::Json {
        say(&serde_json::to_string_pretty(&seen)?);
    }
    Ok(worst)
}

/// A plan's verdict, and if it is not a pass how to see it again.
fn verdict(path: &Path, outcome: &Outcome, options: &RunOptions) -> String {
    let checks = outcome.report.verdict.as_ref().map(text::verdict).unwrap_or_default();
    let seed = outcome.report.seed;
    let mut said = format!("{} · seed {seed} · {checks}", shown(path));
    let never = outcome.report.faults.iter().filter(|fault| fault.at_ms.is_none());
    for fault in never {
        said += &format!("\n  ? {} on {} never struck", fault.what, fault.devices.join(", "));
    }
    if outcome.report.status() != Status::Pass {
        let clock = if options.clock == ClockArg::Live { " --clock live" } else { "" };
        said += &format!("\nto see this again: kofn check {}{clock} --seed {seed}", shown(path));
    }
    said
}

/// The files named, and the `.ron` files of folders named, in order.
fn fault_plans(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let unreadable = |error| BadInput(format!("{} cannot be read: {error}", path.display()));
        let mut inside: Vec<PathBuf> = std::fs::read_dir(path)
            .map_err(unreadable)?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "ron"))
            .collect();
        inside.sort();
        if inside.is_empty() {
            return Err(BadInput(format!("{} holds no .ron files", path.display())).into());
        }
        files.extend(inside);
    }
    Ok(files)
}

type Checked = (PathBuf, Arc<Plan>, FaultPlan);

/// Reads all before running any; plans for the same topology share it.
fn read_all(files: &[PathBuf]) -> Result<Vec<Checked>, Problems> {
    let mut topologies: BTreeMap<PathBuf, Arc<Plan>> = BTreeMap::new();
    let mut read = |path: &Path| {
        let topology = FaultPlan::topology_of(path)?;
        let plan = match topologies.get(&topology) {
            Some(plan) => plan.clone(),
            None => Arc::new(Plan::read(&topology)?),
        };
        topologies.insert(topology, plan.clone());
        let faults = FaultPlan::read(path, &plan)?;
        Ok((path.to_owned(), plan, faults))
    };
    files.iter().map(|path| read(path)).collect()
}
