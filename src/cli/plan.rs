//! `kofn plan`: who holds what, what it costs, and what may be lost.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Exit, say};
use crate::plan::Plan;
use crate::view::plan_table::PlanView;

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// The topology file
    topology: PathBuf,
    /// How to print it on stdout
    #[arg(long, value_enum, default_value = "text")]
    format: PlanFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PlanFormat {
    Text,
    Json,
}

pub(super) fn plan(args: &PlanArgs) -> anyhow::Result<Exit> {
    let plan = Plan::read(&args.topology)?;
    let view = PlanView::of(&plan).rehearsed(&plan);
    say(&match args.format {
        PlanFormat::Text => view.to_text(),
        PlanFormat::Json => serde_json::to_string_pretty(&view)?,
    });
    Ok(Exit::AsExpected)
}
