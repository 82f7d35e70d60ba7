//! `kofn plan`: who holds what, what it costs, and what may be lost.

use std::path::PathBuf;

use clap::Args;

use super::{Exit, Format, say};
use crate::plan::Plan;
use crate::view::plan_table::PlanView;

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// The topology file
    topology: PathBuf,
    /// How to print it on stdout
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn plan(args: &PlanArgs) -> anyhow::Result<Exit> {
    let view = PlanView::of(&Plan::read(&args.topology)?);
    say(&match args.format {
        Format::Text => view.to_text(),
        Format::Json => serde_json::to_string_pretty(&view)?,
    });
    Ok(Exit::AsExpected)
}
