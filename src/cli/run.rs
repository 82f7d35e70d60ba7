//! `kofn run`: a topology's requests, with or without faults, and the report.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::file::write_whole;
use super::outcome::{self, Keep, Outcome};
use super::screen::ScreenArgs;
use super::{BadInput, ClockArg, Exit, Format, NumericsArg, RunOptions, say, shown};
use crate::drive::{Clock, Setup, Trace};
use crate::event::{Event, Record};
use crate::maths::chance::Seed;
use crate::plan::{CodeFile, FaultPlan, Plan};
use crate::session::{Origin, Session};
use crate::view::trace::Header;
use crate::view::{markdown, perfetto, text, trace};

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
    /// On the screen: show the latencies of another code beside, as in "Replication(5, 4)"
    #[arg(long, value_name = "CODE")]
    beside: Option<String>,
    #[command(flatten)]
    screen: ScreenArgs,
}

pub(super) fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    if args.requests == Some(0) {
        return Err(BadInput("--requests 0 asks for nothing".to_owned()).into());
    }
    let plan = Arc::new(args.options.read(&args.topology)?);
    let faults = args.faults.as_ref().map(|path| FaultPlan::read(path, &plan)).transpose()?;
    let faults = faults.as_ref();
    let requests = outcome::requests(args.requests, faults, &plan);
    let seed = outcome::seed(args.options.seed, faults);
    let calm = Setup::new(plan.clone(), requests, Seed(seed))?;
    if wants_screen(args)? {
        return args.screen.show(session(args, &calm, faults)?);
    }
    let keep = if args.trace.is_some() { Keep::Everything } else { Keep::Evidence };
    let outcome = with_twin(&calm, faults, (args.options.clock(), keep))?;
    let header = Header::of(&plan, faults.map(|plan| plan.name.as_str()), seed, requests);
    if let Some(path) = &args.trace {
        write_trace(path, &header, &outcome.trace)?;
    }
    tell(args, &header, &outcome)
}

/// On a terminal a run is watched, unless something is to be written of it.
fn wants_screen(args: &RunArgs) -> Result<bool, BadInput> {
    let text = args.options.format == Format::Text && args.trace.is_none();
    let wants = text && args.screen.wants_screen();
    let beside = args
        .beside
        .as_ref()
        .map(|_| "--beside shows latencies on the screen, which needs a terminal");
    match args.screen.needs_screen().or(beside).filter(|_| !wants) {
        Some(why) => Err(BadInput(why.to_owned())),
        None => Ok(wants),
    }
}

fn session(args: &RunArgs, calm: &Setup, faults: Option<&FaultPlan>) -> anyhow::Result<Session> {
    let origin = Origin {
        topology: shown(&args.topology),
        faults: args.faults.as_deref().map(shown),
        requests: args.requests,
    };
    let mut session = Session::start(calm, args.options.clock(), faults, origin)?;
    if let Some(code) = &args.beside {
        let file = CodeFile::parse(code);
        let file = file.map_err(|why| BadInput(format!("\"{code}\" is no code: {why}")))?;
        let plan = Plan::read_with(&args.topology, file)?;
        let plan = Arc::new(NumericsArg::over(args.options.numerics, plan));
        let other = Setup::new(plan, calm.requests, calm.seed)?;
        let planned = faults.map_or_else(Vec::new, |plan| plan.faults.clone());
        session.run_beside(code, other.with_faults(planned))?;
    }
    Ok(session)
}

/// Prints the report, and if it is not as expected how to see it again.
fn tell(args: &RunArgs, header: &Header, outcome: &Outcome) -> anyhow::Result<Exit> {
    let report = &outcome.report;
    let format = args.options.format;
    match format {
        Format::Json => say(&serde_json::to_string_pretty(report)?),
        Format::Text => say(&text::report(&header.headline(), report)),
        Format::Md => say(&markdown::report(&header.headline(), report)),
    }
    let status = Exit::from(report.status());
    let guessed = status == Exit::AsExpected && report.requests.estimates > 0;
    let exit = if guessed { Exit::Estimates } else { status };
    if exit != Exit::AsExpected {
        let again = format!("to see this again: {}", command_again(args, report.seed));
        match format {
            Format::Json => eprintln!("{again}"),
            Format::Text | Format::Md => say(&format!("\n{again}")),
        }
    }
    Ok(exit)
}

/// The command that repeats a run.
fn command_again(args: &RunArgs, seed: u64) -> String {
    let mut words = vec!["kofn run".to_owned(), shown(&args.topology)];
    words.extend(args.faults.as_ref().map(|path| format!("--faults {}", shown(path))));
    words.extend(args.requests.map(|requests| format!("--requests {requests}")));
    if args.options.clock == ClockArg::Live {
        words.push("--clock live".to_owned());
    }
    words.extend(args.options.numerics_again());
    words.push(format!("--seed {seed}"));
    words.join(" ")
}

/// Runs a plan after its twin, if there are faults, with a progress bar for each.
fn with_twin(
    calm: &Setup,
    faults: Option<&FaultPlan>,
    how: (Clock, Keep),
) -> anyhow::Result<Outcome> {
    let has_faults = faults.is_some_and(|plan| !plan.faults.is_empty());
    let twin = has_faults
        .then(|| watched(calm, "first without faults", |seen| outcome::twin(calm, how.0, seen)));
    let twin = twin.transpose()?;
    watched(calm, "running", |seen| Outcome::of(calm, faults, twin.as_ref(), how, seen))
}

/// Shows a progress bar on stderr while something runs, if that is a terminal.
fn watched<R>(
    setup: &Setup,
    what: &str,
    run: impl FnOnce(&mut (dyn FnMut(&Record) + Send)) -> R,
) -> R {
    if !std::io::stderr().is_terminal() {
        return run(&mut |_| {});
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} requests");
    let style = style.expect("the template is well formed");
    let bar =
        ProgressBar::new(setup.requests as u64).with_style(style).with_message(what.to_owned());
    let outcome = run(&mut |record| {
        if matches!(record.event, Event::Answered { .. } | Event::Failed { .. }) {
            bar.inc(1);
        }
    });
    bar.finish_and_clear();
    outcome
}

fn write_trace(path: &Path, header: &Header, records: &Trace) -> Result<(), BadInput> {
    let for_perfetto = path.as_os_str().to_string_lossy().ends_with(".perfetto.json");
    write_whole(path, |to| {
        if for_perfetto {
            perfetto::write(to, header, records)
        } else {
            trace::write(to, header, records)
        }
    })
}
