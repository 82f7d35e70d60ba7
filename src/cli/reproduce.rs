//! `kofn reproduce`: the papers' figures as CSV and SVG, and what was published beside what is measured.

use std::path::PathBuf;

use clap::Args;

use super::file::write_whole;
use super::side_by_side::{cores, side_by_side};
use super::{BadInput, Exit, say, shown};
use crate::figures::{ALL, Figure, Finding, Scope};
use crate::view::text::table;

#[derive(Debug, Args)]
pub(super) struct ReproduceArgs {
    /// Figures by their ids, or `all`; without any they are listed
    figures: Vec<String>,
    /// The folder for FIGURE.csv and FIGURE.svg
    #[arg(long, value_name = "DIR", default_value = "figures")]
    out: PathBuf,
    /// Fewer trials: enough to see that everything works
    #[arg(long)]
    quick: bool,
    /// The folder of kofn's topologies
    #[arg(long, value_name = "DIR", default_value = "topologies")]
    topologies: PathBuf,
}

pub(super) fn reproduce(args: &ReproduceArgs) -> anyhow::Result<Exit> {
    let chosen = chosen(&args.figures)?;
    if chosen.is_empty() {
        let rows = ALL.iter().map(|figure| vec![figure.id.to_owned(), figure.source.to_owned()]);
        say(&table(&["figure", "published"], rows, &[0, 1]));
        return Ok(Exit::AsExpected);
    }
    if !args.topologies.is_dir() {
        let there = shown(&args.topologies);
        let message = format!("there is no folder {there}; name kofn's own with --topologies");
        return Err(BadInput(message).into());
    }
    std::fs::create_dir_all(&args.out)
        .map_err(|error| BadInput(format!("{}: {error}", shown(&args.out))))?;
    let scope = Scope { topologies: args.topologies.clone(), quick: args.quick };
    let findings = side_by_side(&chosen, cores(), |figure| figure.reproduce(&scope));
    let (mut rows, mut remarks) = (Vec::new(), Vec::new());
    for (figure, finding) in chosen.iter().zip(findings) {
        let finding = finding?;
        write(args, figure, &finding)?;
        rows.extend(finding.claims.iter().map(|claim| {
            let holds = if claim.holds { "yes" } else { "NO" };
            [figure.id, &claim.what, &claim.published, &claim.measured, holds]
                .map(str::to_owned)
                .to_vec()
        }));
        remarks.extend(finding.remarks.iter().map(|remark| format!("{}: {remark}", figure.id)));
    }
    say(&table(&["figure", "claim", "published", "measured", "holds?"], rows, &[0, 1, 2, 3, 4]));
    say(&format!("\n{}", remarks.join("\n")));
    say(&format!("\nTables and charts are in {}.", shown(&args.out)));
    Ok(Exit::AsExpected)
}

/// The figures of these ids, each once, in the order of the papers.
fn chosen(ids: &[String]) -> Result<Vec<Figure>, BadInput> {
    if let Some(unknown) = ids.iter().find(|id| *id != "all" && ALL.iter().all(|f| f.id != **id)) {
        let known: Vec<&str> = ALL.iter().map(|figure| figure.id).collect();
        let known = known.join(", ");
        return Err(BadInput(format!("there is no figure {unknown}; there are {known}, and all")));
    }
    let is_chosen = |figure: &&Figure| ids.iter().any(|id| id == "all" || id == figure.id);
    Ok(ALL.iter().filter(is_chosen).copied().collect())
}

fn write(args: &ReproduceArgs, figure: &Figure, finding: &Finding) -> anyhow::Result<()> {
    let to = |extension: &str| args.out.join(format!("{}.{extension}", figure.id));
    let svg = finding.chart.to_svg()?;
    write_whole(&to("csv"), |file| file.write_all(finding.table.to_csv().as_bytes()))?;
    write_whole(&to("svg"), |file| file.write_all(svg.as_bytes()))?;
    Ok(())
}
