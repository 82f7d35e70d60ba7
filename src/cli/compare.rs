//! `kofn compare`: other codes in the same topology, with the same faults and seed, and what each costs.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::file::write_whole;
use super::outcome::{self, Keep, Outcome};
use super::side_by_side::{cores, side_by_side};
use super::{BadInput, Exit, NumericsArg, say, shown};
use crate::drive::{Clock, Setup};
use crate::figures::Table;
use crate::figures::chart::{Axis, Chart, Series};
use crate::maths::chance::Seed;
use crate::plan::{CodeFile, FaultPlan, Plan};
use crate::view::compare::{Compared, to_text};

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// The topology file; its own codes are replaced
    topology: PathBuf,
    /// Codes, as in `Mds(5, 4), Parity(4), ShiftAdd(n: 5, k: 4, form: Mixed)`
    #[arg(long)]
    codes: String,
    /// A fault plan to play; its own topology and what it expects are not used
    #[arg(long)]
    faults: Option<PathBuf>,
    /// How many requests to send [default: the fault plan's, or the topology's]
    #[arg(long)]
    requests: Option<usize>,
    /// The seed of all chance [default: the fault plan's, or 1]
    #[arg(long)]
    seed: Option<u64>,
    /// Skip compares latencies and costs alone, without arithmetic [default: the topology's]
    #[arg(long, value_enum)]
    numerics: Option<NumericsArg>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write DIR/compare.csv and DIR/compare.svg too
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn compare(args: &CompareArgs) -> anyhow::Result<Exit> {
    if args.requests == Some(0) {
        return Err(BadInput("--requests 0 asks for nothing".to_owned()).into());
    }
    let codes = with_baselines(&parse(&args.codes)?);
    let compared = side_by_side(&codes, cores(), |(name, code)| one(args, name, *code));
    let compared: Vec<Compared> = compared.into_iter().collect::<anyhow::Result<_>>()?;
    if let Some(out) = &args.out {
        std::fs::create_dir_all(out)
            .map_err(|error| BadInput(format!("{}: {error}", shown(out))))?;
        let svg = chart(args, &compared).to_svg()?;
        write_whole(&out.join("compare.svg"), |file| file.write_all(svg.as_bytes()))?;
        let csv = table(&compared).to_csv();
        write_whole(&out.join("compare.csv"), |file| file.write_all(csv.as_bytes()))?;
    }
    match args.json {
        true => say(&serde_json::to_string_pretty(&compared)?),
        false => say(&to_text(&compared)),
    }
    Ok(Exit::AsExpected)
}

/// Runs the topology with one code.
fn one(args: &CompareArgs, name: &str, code: CodeFile) -> anyhow::Result<Compared> {
    let plan = Plan::read_with(&args.topology, code)?;
    let plan = Arc::new(NumericsArg::over(args.numerics, plan));
    let faults = args.faults.as_ref().map(|path| FaultPlan::read(path, &plan)).transpose()?;
    let requests = outcome::requests(args.requests, faults.as_ref(), &plan);
    let seed = Seed(outcome::seed(args.seed, faults.as_ref()));
    let calm = Setup::new(plan.clone(), requests, seed)?;
    // Requests that fail are what is compared: nothing is stopped early.
    let faults = faults.map(|faults| FaultPlan { abort_on_fail: false, ..faults });
    let outcome =
        Outcome::of(&calm, faults.as_ref(), None, (Clock::Virtual, Keep::Evidence), &mut |_| {})?;
    Ok(Compared::of(name, &plan, &outcome.report))
}

/// The codes of a list, each with the name it was given.
fn parse(list: &str) -> Result<Vec<(String, CodeFile)>, BadInput> {
    let mut depth = 0i32;
    let at_top = |letter: char| {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        letter == ',' && depth == 0
    };
    let words = list.split(at_top).map(str::trim).filter(|word| !word.is_empty());
    let parse = |word: &str| {
        let parsed = CodeFile::parse(word);
        let parsed = parsed.map_err(|why| BadInput(format!("\"{word}\" is no code: {why}")))?;
        Ok((word.to_owned(), parsed))
    };
    let codes: Vec<_> = words.map(parse).collect::<Result<_, BadInput>>()?;
    match codes.is_empty() {
        true => Err(BadInput("--codes names none; try --codes \"Mds(5, 4)\"".to_owned())),
        false => Ok(codes),
    }
}

/// No code and copies stand first, at the sizes of the codes that are asked for.
fn with_baselines(asked: &[(String, CodeFile)]) -> Vec<(String, CodeFile)> {
    let mut all: Vec<(String, CodeFile)> = Vec::new();
    let mut add = |name: String, code: CodeFile| {
        if all.iter().all(|(known, _)| *known != name) {
            all.push((name, code));
        }
    };
    let sizes = || asked.iter().map(|(_, code)| code.size());
    sizes().for_each(|(_, k)| add(format!("Uncoded({k})"), CodeFile::Uncoded { k }));
    for (n, k) in sizes().filter(|(n, k)| n > k) {
        add(format!("Replication({n}, {k})"), CodeFile::Replication { n, k });
    }
    asked.iter().for_each(|(name, code)| add(name.clone(), *code));
    all
}

fn table(compared: &[Compared]) -> Table {
    let mut table = Table::new(&[
        "code",
        "devices",
        "may_lose",
        "answered",
        "inexact",
        "accuracy",
        "max_abs_err",
        "p50_ms",
        "p99_ms",
        "p999_ms",
        "work",
        "encode_ms",
        "decode_ms",
        "traffic_bytes",
        "worst_condition",
    ]);
    for code in compared {
        let or_empty =
            |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        let counts = [code.devices, code.may_lose].map(|count| count.to_string());
        let answers = [Some(code.answered), Some(code.inexact), code.accuracy, code.max_abs_err];
        let answers = answers.map(or_empty);
        let costs =
            [code.p50_ms, code.p99_ms, code.p999_ms, code.work, code.encode_ms, code.decode_ms];
        let row = [code.code.clone()].into_iter().chain(counts).chain(answers);
        let row = row.chain(costs.map(|cost| cost.to_string()));
        table.push(row.chain([code.traffic.0.to_string(), code.worst_condition.to_string()]));
    }
    table
}

fn chart(args: &CompareArgs, compared: &[Compared]) -> Chart {
    let bars = |name: &str, of: fn(&Compared) -> f64| {
        let places = compared.iter().enumerate().map(|(at, code)| (at as f64, of(code)));
        Series::measured(name, places.collect())
    };
    let name = args.topology.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Chart {
        title: format!("{name}: latency of answered requests"),
        x: Axis::new(""),
        y: Axis::new("ms"),
        series: vec![
            bars("median", |code| code.p50_ms),
            bars("99 %", |code| code.p99_ms),
            bars("99.9 %", |code| code.p999_ms),
        ],
        groups: compared.iter().map(|code| code.code.clone()).collect(),
    }
}
