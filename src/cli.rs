//! The command line: one short file a command, each joining a plan, a driver and a viewer.

mod advise;
mod cast;
mod check;
mod compare;
mod file;
mod outcome;
mod plan;
mod replay;
mod reproduce;
mod run;
mod screen;
mod shrink;
mod swarm;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::drive::{Clock, side_by_side};
use crate::plan::{Numerics, Plan, Problems};
use crate::view::verdict::Status;

/// Runs a neural network across devices that crash, crawl, hang and lie, and answers anyway.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0   as expected
  1   an expectation failed or a request was lost
  2   inconclusive: a planned fault never struck, or what is expected cannot be judged
  64  bad arguments or a bad file
  70  a bug in kofn";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a topology's requests, with or without faults, and report
    Run(run::RunArgs),
    /// Run fault plans and judge each by what it expects
    Check(check::CheckArgs),
    /// Show who holds what, what it costs, and what may be lost
    Plan(plan::PlanArgs),
    /// Try other codes in a topology, with no code and with copies beside them
    Compare(compare::CompareArgs),
    /// Propose how to run a model on a fleet: coded, copied or local, layer by layer
    Advise(advise::AdviseArgs),
    /// Read a trace again, one line an event
    Replay(replay::ReplayArgs),
    /// Measure the papers' figures anew: CSV, SVG, and what was published beside it
    Reproduce(reproduce::ReproduceArgs),
    /// Reduce a failing fault plan to the few faults that matter
    Shrink(shrink::ShrinkArgs),
}

/// How a run goes.
#[derive(Debug, Clone, Args)]
struct RunOptions {
    /// The seed of all chance [default: the fault plan's, or 1]
    #[arg(long)]
    seed: Option<u64>,
    /// Virtual time is exact and repeatable; live is real time on this machine
    #[arg(long, value_enum, default_value = "virtual")]
    clock: ClockArg,
    /// Skip runs sizes and costs without arithmetic: what happens when, and nothing about answers
    /// [default: the topology's]
    #[arg(long, value_enum)]
    numerics: Option<NumericsArg>,
    /// How to print the result on stdout
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ClockArg {
    Virtual,
    Live,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum NumericsArg {
    Full,
    Skip,
}

impl NumericsArg {
    /// The plan as it was read, or as this says.
    fn over(asked: Option<Self>, mut plan: Plan) -> Plan {
        plan.numerics = match asked {
            None => plan.numerics,
            Some(Self::Full) => Numerics::Full,
            Some(Self::Skip) => Numerics::Skip,
        };
        plan
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Md,
}

impl RunOptions {
    /// Reads a topology, to be run so.
    ///
    /// # Errors
    /// If there is something wrong with it, or it cannot be run so.
    fn read(&self, topology: &Path) -> anyhow::Result<Plan> {
        let plan = NumericsArg::over(self.numerics, Plan::read(topology)?);
        if self.clock == ClockArg::Live && !plan.computes() {
            let why = "numerics: Skip computes nothing, and in real time nothing else takes time; \
                       drop one of it and --clock live";
            return Err(BadInput(why.to_owned()).into());
        }
        Ok(plan)
    }

    /// What was said of numerics, as it would be said again.
    fn numerics_again(&self) -> Option<String> {
        self.numerics.map(|numerics| match numerics {
            NumericsArg::Full => "--numerics full".to_owned(),
            NumericsArg::Skip => "--numerics skip".to_owned(),
        })
    }

    fn clock(&self) -> Clock {
        match self.clock {
            ClockArg::Virtual => Clock::Virtual,
            ClockArg::Live => Clock::Live,
        }
    }
}

impl From<Status> for Exit {
    fn from(status: Status) -> Self {
        match status {
            Status::Pass => Self::AsExpected,
            Status::Fail => Self::Failed,
            Status::Inconclusive => Self::Inconclusive,
        }
    }
}

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    AsExpected = 0,
    Failed = 1,
    Inconclusive = 2,
    /// As expected, but some answers are estimates.
    Estimates = 3,
    BadInput = 64,
    OurBug = 70,
}

/// Reads the arguments, does what they say, and says how it went.
pub fn main() -> ExitCode {
    // Places in files must not be broken over lines.
    let handler = |_: &_| -> Box<dyn miette::ReportHandler> {
        Box::new(miette::MietteHandlerOpts::new().wrap_lines(false).build())
    };
    // Only a second call could fail, and then the first handler is there.
    let _ = miette::set_hook(Box::new(handler));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are asked for; anything else is a mistake. A closed pipe is neither.
            let _ = error.print();
            let exit = if error.use_stderr() { Exit::BadInput } else { Exit::AsExpected };
            return ExitCode::from(exit as u8);
        }
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args),
        Command::Plan(args) => plan::plan(&args),
        Command::Compare(args) => compare::compare(&args),
        Command::Advise(args) => advise::advise(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Reproduce(args) => reproduce::reproduce(&args),
        Command::Shrink(args) => shrink::shrink(&args),
    }));
    // The panic has said what it had to say.
    let Ok(outcome) = outcome else { return ExitCode::from(Exit::OurBug as u8) };
    let exit = outcome.unwrap_or_else(|error| match error.downcast::<Problems>() {
        Ok(problems) => {
            for report in problems.reports() {
                eprintln!("{report:?}");
            }
            Exit::BadInput
        }
        Err(error) => match error.downcast::<BadInput>() {
            Ok(BadInput(message)) => {
                eprintln!("error: {message}");
                Exit::BadInput
            }
            Err(error) => {
                eprintln!("kofn has a bug: {error:#}");
                Exit::OurBug
            }
        },
    });
    ExitCode::from(exit as u8)
}

/// Something wrong with what was asked, outside any file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct BadInput(String);

/// Prints data on stdout; a reader that went away is no error.
fn say(text: &str) {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{text}");
}

/// A path as it would be typed again.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
