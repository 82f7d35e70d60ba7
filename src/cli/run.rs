//! `kofn run`: a topology's requests, with or without faults, and the report.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::file::write_whole;
use super::{BadInput, ClockArg, Exit, Format, RunOptions, say, shown};
use crate::drive::{Clock, Setup, Trace};
use crate::event::{Event, Record};
use crate::maths::chance::Seed;
use crate::plan::{FaultPlan, Plan};
use crate::units::DeviceId;
use crate::view::report::Report;
use crate::view::trace::Header;
use crate::view::verdict::{Status, Verdict};
use crate::view::{perfetto, text, trace};

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The topology file
    topology: PathBuf,
    /// A fault plan to play; its own topology is not used
    #[arg(long)]
    faults: Option<PathBuf>,
    /// How many requests to send [default: the fault plan's, or the topology's]
    #[arg(long)]
    requests: Option<usize>,
    #[command(flatten)]
    options: RunOptions,
    /// Write what happened as JSON lines, or for ui.perfetto.dev if OUT ends in .perfetto.json
    #[arg(long, value_name = "OUT")]
    trace: Option<PathBuf>,
}

pub(super) fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    if args.requests == Some(0) {
        return Err(BadInput("--requests 0 asks for nothing".to_owned()).into());
    }
    let plan = Arc::new(Plan::read(&args.topology)?);
    let faults = args.faults.as_ref().map(|path| FaultPlan::read(path, &plan)).transpose()?;
    let clock = args.options.clock();
    let outcome = Outcome::of(&plan, faults.as_ref(), args.requests, args.options.seed, clock)?;
    if let Some(path) = &args.trace {
        outcome.write_trace(path)?;
    }
    let Outcome { report, .. } = &outcome;
    match args.options.format {
        Format::Json => say(&serde_json::to_string_pretty(report)?),
        Format::Text => say(&text::report(&outcome.headline(), report)),
    }
    if outcome.exit() != Exit::AsExpected {
        let again = command_again(args, report.seed);
        match args.options.format {
            Format::Json => eprintln!("to see this again: {again}"),
            Format::Text => say(&format!("\nto see this again: {again}")),
        }
    }
    Ok(outcome.exit())
}

/// The command that repeats a run.
fn command_again(args: &RunArgs, seed: u64) -> String {
    let mut words = vec!["kofn run".to_owned(), shown(&args.topology)];
    words.extend(args.faults.as_ref().map(|path| format!("--faults {}", shown(path))));
    words.extend(args.requests.map(|requests| format!("--requests {requests}")));
    if args.options.clock == ClockArg::Live {
        words.push("--clock live".to_owned());
    }
    words.push(format!("--seed {seed}"));
    words.join(" ")
}

/// What a run came to.
pub(super) struct Outcome {
    plan: Arc<Plan>,
    fault_plan: Option<String>,
    requests: usize,
    pub(super) report: Report,
    trace: Trace,
}

impl Outcome {
    /// Runs a plan, its twin if there are faults, and judges.
    pub(super) fn of(
        plan: &Arc<Plan>,
        faults: Option<&FaultPlan>,
        requests: Option<usize>,
        seed: Option<u64>,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let requests = requests.or(faults.and_then(|f| f.requests)).unwrap_or(plan.requests);
        let seed = seed.or(faults.and_then(|f| f.seed)).unwrap_or(DEFAULT_SEED);
        let calm = Setup::new(plan.clone(), requests, Seed(seed))?;
        let planned = faults.map_or(&[][..], |plan| &plan.faults);
        let setup = calm.with_faults(planned.to_vec());
        let trace = watched(&setup, clock, "running")?;
        let names: Vec<(String, Vec<DeviceId>)> =
            planned.iter().map(|fault| (format!("{:?}", fault.what), fault.who.clone())).collect();
        let (twin_trace, twin) = if planned.is_empty() {
            (None, None)
        } else {
            let twin = watched(&calm, clock, "the same without faults")?;
            let report = Report::new(plan, seed, &[], &twin, None);
            (Some(twin), Some(report))
        };
        let mut report = Report::new(plan, seed, &names, &trace, twin_trace.as_deref());
        let expectations = faults.map_or(&[][..], |plan| &plan.expect);
        report.verdict = Some(Verdict::of(&report, twin.as_ref(), expectations));
        let fault_plan = faults.map(|plan| plan.name.clone());
        Ok(Self { plan: plan.clone(), fault_plan, requests, report, trace })
    }

    pub(super) fn status(&self) -> Status {
        self.report.verdict.as_ref().map_or(Status::Pass, |verdict| verdict.status)
    }

    pub(super) fn exit(&self) -> Exit {
        match self.status() {
            Status::Pass => Exit::AsExpected,
            Status::Fail => Exit::Failed,
            Status::Inconclusive => Exit::Inconclusive,
        }
    }

    fn headline(&self) -> String {
        let faults = self.fault_plan.as_ref().map_or("no faults", |name| name);
        let Self { plan, report, .. } = self;
        format!("{} · {} · {faults} · seed {}", plan.name, plan.network.name, report.seed)
    }

    fn write_trace(&self, path: &Path) -> Result<(), BadInput> {
        let for_perfetto = path.as_os_str().to_string_lossy().ends_with(".perfetto.json");
        let faults = self.fault_plan.as_deref();
        let header = Header::of(&self.plan, faults, self.report.seed, self.requests);
        write_whole(path, |to| {
            if for_perfetto {
                perfetto::write(to, &header, &self.trace)
            } else {
                trace::write(to, &header, &self.trace)
            }
        })
    }
}

/// Used when nobody says otherwise, so that two people see the same.
const DEFAULT_SEED: u64 = 1;

/// Runs with a progress bar on stderr, if that is a terminal.
fn watched(setup: &Setup, clock: Clock, what: &str) -> anyhow::Result<Trace> {
    if !std::io::stderr().is_terminal() {
        return setup.run(clock, &mut |_| ControlFlow::Continue(()));
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} requests")?;
    let bar =
        ProgressBar::new(setup.requests as u64).with_style(style).with_message(what.to_owned());
    let trace = setup.run(clock, &mut |record: &Record| {
        if matches!(record.event, Event::Answered { .. } | Event::Failed { .. }) {
            bar.inc(1);
        }
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    trace
}
