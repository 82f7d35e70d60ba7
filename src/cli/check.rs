//! `kofn check`: fault plans, or folders of them, as verdicts.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::file::write_whole;
use super::outcome::{self, Keep, Outcome};
use super::side_by_side::{cores, side_by_side};
use super::swarm::swarm;
use super::{BadInput, ClockArg, Exit, Format, RunOptions, say, shown};
use crate::drive::{Clock, Setup, Trace};
use crate::maths::chance::Seed;
use crate::plan::{FaultPlan, Plan};
use crate::view::check::{CheckedPlan, closing};
use crate::view::report::Report;
use crate::view::verdict::Status;
use crate::view::{github, junit, markdown};

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Fault-plan files, or folders of them; with --swarm a topology
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Run each plan so often, each time with the next seed, and report the worst run
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// Draw N schedules of misfortune for a topology, and hold it to what must always be true
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..),
          conflicts_with_all = ["runs", "junit", "seed", "clock", "numerics"])]
    swarm: Option<u64>,
    /// The first schedule's seed
    #[arg(long, value_name = "SEED", default_value = "1", requires = "swarm")]
    pub(super) swarm_from: u64,
    #[command(flatten)]
    pub(super) options: RunOptions,
    /// Write the verdicts as JUnit XML too
    #[arg(long, value_name = "OUT")]
    junit: Option<PathBuf>,
}

pub(super) fn check(args: &CheckArgs) -> anyhow::Result<Exit> {
    if let Some(schedules) = args.swarm {
        return swarm(args, schedules);
    }
    let checked = judge_all(args)?;
    if let Some(path) = &args.junit {
        write_whole(path, |to| to.write_all(junit::junit(&checked).as_bytes()))?;
    }
    match args.options.format {
        Format::Json => say(&serde_json::to_string_pretty(&checked)?),
        Format::Md => say(&markdown::checked(&checked)),
        Format::Text => {
            checked.iter().for_each(|plan| say(&plan.to_text()));
            let annotations = github::annotations(&checked);
            if !annotations.is_empty() && on_github() {
                say(&annotations);
            }
            if let Some(closing) = closing(&checked) {
                say(&closing);
            }
        }
    }
    Ok(checked.iter().map(CheckedPlan::status).max().unwrap_or(Status::Pass).into())
}

fn on_github() -> bool {
    std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true")
}

/// Runs all plans, each as often as asked, on all cores; the worst run of each.
fn judge_all(args: &CheckArgs) -> anyhow::Result<Vec<CheckedPlan>> {
    let plans = read_all(&fault_plans(&args.paths)?, &args.options)?;
    let (clock, asked) = (args.options.clock(), args.options.seed);
    // In real time, runs would slow each other down.
    let threads = if clock == Clock::Live { 1 } else { cores() };
    let setups = setups(&plans)?;
    let bar = bar(plans.len() as u64 * args.runs);
    let mut verdicts: Vec<Runs> = plans.iter().map(|_| Runs::default()).collect();
    // A batch at a time, so that no more twins are held than are made use of.
    for first in (0..args.runs).step_by(threads) {
        let batch = first..args.runs.min(first + threads as u64);
        let mut tasks: Vec<Task> = Vec::new();
        for run in batch {
            for (at, plan) in plans.iter().enumerate() {
                let seed = outcome::seed(asked, Some(&plan.faults)).wrapping_add(run);
                tasks.push(Task { at, plan, seed });
            }
        }
        let twins = twins(&tasks, &setups, clock, threads)?;
        let reports = side_by_side(&tasks, threads, |task| {
            let report = task.run(&setups, &twins, clock);
            bar.inc(1);
            report
        });
        for (task, report) in tasks.iter().zip(reports) {
            verdicts[task.at].take(report?);
        }
    }
    bar.finish_and_clear();
    Ok(plans.iter().zip(verdicts).map(|(plan, runs)| runs.checked(plan, args)).collect())
}

/// Plans × runs on stderr, if that is a terminal.
pub(super) fn bar(runs: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("checking {wide_bar} {pos}/{len} runs");
    ProgressBar::new(runs).with_style(style.expect("the template is well formed"))
}

/// A fault plan that was read.
struct Read {
    path: PathBuf,
    topology: PathBuf,
    plan: Arc<Plan>,
    faults: FaultPlan,
}

/// What plans for the same topology share: all that does not depend on the seed.
type SetupKey = (PathBuf, usize);

impl Read {
    fn setup(&self) -> SetupKey {
        (self.topology.clone(), outcome::requests(None, Some(&self.faults), &self.plan))
    }
}

fn setups(plans: &[Read]) -> anyhow::Result<BTreeMap<SetupKey, Setup>> {
    let mut setups = BTreeMap::new();
    for plan in plans {
        let key = plan.setup();
        if !setups.contains_key(&key) {
            setups.insert(key.clone(), Setup::new(plan.plan.clone(), key.1, Seed(0))?);
        }
    }
    Ok(setups)
}

/// One run of one plan.
struct Task<'t> {
    /// Which plan.
    at: usize,
    plan: &'t Read,
    seed: u64,
}

type Twins = BTreeMap<(SetupKey, u64), Trace>;

/// The runs without faults, each once for all plans that it is the twin of.
fn twins(
    tasks: &[Task<'_>],
    setups: &BTreeMap<SetupKey, Setup>,
    clock: Clock,
    threads: usize,
) -> anyhow::Result<Twins> {
    let with_faults = tasks.iter().filter(|task| !task.plan.faults.faults.is_empty());
    let mut keys: Vec<(SetupKey, u64)> =
        with_faults.map(|task| (task.plan.setup(), task.seed)).collect();
    keys.sort();
    keys.dedup();
    let traces = side_by_side(&keys, threads, |(key, seed)| {
        let calm = Setup { seed: Seed(*seed), ..setups[key].clone() };
        outcome::twin(&calm, clock, &mut |_| {})
    });
    keys.into_iter().zip(traces).map(|(key, trace)| Ok((key, trace?))).collect()
}

impl Task<'_> {
    fn run(
        &self,
        setups: &BTreeMap<SetupKey, Setup>,
        twins: &Twins,
        clock: Clock,
    ) -> anyhow::Result<Report> {
        let key = self.plan.setup();
        let calm = Setup { seed: Seed(self.seed), ..setups[&key].clone() };
        let twin = twins.get(&(key, self.seed));
        Ok(Outcome::of(&calm, Some(&self.plan.faults), twin, (clock, Keep::Evidence), &mut |_| {})?
            .report)
    }
}

/// The runs of one plan so far.
#[derive(Default)]
struct Runs {
    runs: usize,
    failed_seeds: Vec<u64>,
    worst: Option<Report>,
}

impl Runs {
    fn take(&mut self, report: Report) {
        self.runs += 1;
        if report.status() == Status::Fail {
            self.failed_seeds.push(report.seed);
        }
        if self.worst.as_ref().is_none_or(|worst| badness(&report, worst).is_gt()) {
            self.worst = Some(report);
        }
    }

    fn checked(self, read: &Read, args: &CheckArgs) -> CheckedPlan {
        let report = self.worst.expect("every plan runs at least once");
        let clock = if args.options.clock == ClockArg::Live { " --clock live" } else { "" };
        let plan = shown(&read.path);
        let numerics =
            args.options.numerics_again().map_or(String::new(), |word| format!(" {word}"));
        let again = format!("kofn check {plan}{clock}{numerics} --seed {}", report.seed);
        CheckedPlan { plan, runs: self.runs, failed_seeds: self.failed_seeds, report, again }
    }
}

/// First by status, then by how slow the slow ones are.
fn badness(one: &Report, other: &Report) -> Ordering {
    let slow = one.latency_ms.p99.total_cmp(&other.latency_ms.p99);
    one.status().cmp(&other.status()).then(slow)
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

/// Reads all before running any; plans for the same topology share it.
fn read_all(files: &[PathBuf], options: &RunOptions) -> anyhow::Result<Vec<Read>> {
    let mut topologies: BTreeMap<PathBuf, Arc<Plan>> = BTreeMap::new();
    let mut read = |path: &Path| {
        let topology = FaultPlan::topology_of(path)?;
        let plan = match topologies.get(&topology) {
            Some(plan) => plan.clone(),
            None => Arc::new(options.read(&topology)?),
        };
        topologies.insert(topology.clone(), plan.clone());
        let faults = FaultPlan::read(path, &plan)?;
        Ok(Read { path: path.to_owned(), topology, plan, faults })
    };
    files.iter().map(|path| read(path)).collect()
}
