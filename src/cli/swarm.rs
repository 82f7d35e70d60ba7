//! `kofn check --swarm`: drawn misfortune over a topology, and the smallest plan that shows what broke.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check::{CheckArgs, bar};
use super::file::write_whole;
use super::outcome::{Keep, Outcome};
use super::side_by_side::{cores, side_by_side};
use super::{BadInput, Exit, Format, say, shown};
use crate::drive::{Clock, Setup};
use crate::maths::chance::Seed;
use crate::plan::shrink::shrink;
use crate::plan::{FaultPlan, Plan, Problems};
use crate::swarm::{Broken, Field, Law, Laws, Ordeal, Seen, Unsuited};
use crate::view::swarm::{CheckedSwarm, Failure, HeldLaw};
use crate::view::verdict::Status;

pub(super) fn swarm(args: &CheckArgs, schedules: u64) -> anyhow::Result<Exit> {
    let [topology] = &args.paths[..] else {
        let given = args.paths.len();
        return Err(BadInput(format!("--swarm takes one topology, and {given} are given")).into());
    };
    let ground = Ground::new(topology)?;
    let from = args.swarm_from;
    let last = from.checked_add(schedules - 1).ok_or_else(|| {
        BadInput(format!("there are no {schedules} seeds from {from} on; begin lower"))
    })?;
    let seeds: Vec<u64> = (from..=last).collect();
    let bar = bar(schedules);
    let outcomes = side_by_side(&seeds, cores(), |seed| {
        let tried = ground.try_out(*seed);
        bar.inc(1);
        tried
    });
    bar.finish_and_clear();
    let tried: Vec<Tried> = outcomes.into_iter().collect::<Result<_, _>>()?;
    let mut checked = ground.summed_up(from, &tried);
    if let Some((tried, broken)) = tried.iter().find_map(|t| Some((t, t.outcome.as_ref().err()?))) {
        checked.failure = Some(ground.reduce(tried, broken)?);
    }
    match args.options.format {
        Format::Json => say(&serde_json::to_string_pretty(&checked)?),
        Format::Md => say(&format!("```text\n{}\n```", checked.to_text())),
        Format::Text => say(&checked.to_text()),
    }
    Ok(checked.status().into())
}

/// A topology in fair weather, and where its misfortune is drawn.
struct Ground {
    /// As it was typed, and as it is called.
    topology: PathBuf,
    name: String,
    field: Field,
    calm: Setup,
}

/// A schedule that was run.
struct Tried {
    seed: u64,
    ordeal: Ordeal,
    outcome: Result<Seen, Broken>,
}

impl Ground {
    fn new(topology: &Path) -> anyhow::Result<Self> {
        let plan = Arc::new(Plan::read(topology)?);
        let shown = shown(topology);
        if !plan.computes() {
            let why = "a swarm holds answers to the whole model's: let numerics be Full";
            return Err(BadInput(format!("{shown}: {why}")).into());
        }
        let field =
            Field::new(&plan, &shown).map_err(|error| match error.downcast::<Unsuited>() {
                Ok(unsuited) => BadInput(format!("{shown}: {unsuited}")).into(),
                Err(error) => error,
            })?;
        // The same for all seeds, as it is for `kofn check` of the plan that comes of it.
        let calm = Setup::new(plan.clone(), field.requests, Seed(0))?;
        Ok(Self { topology: topology.to_owned(), name: plan.name.clone(), field, calm })
    }

    /// Where the plan of a failing seed is written: here, for it names the topology as it was typed.
    fn plan_path(&self, seed: u64) -> PathBuf {
        PathBuf::from(format!("{}-swarm-{seed}.ron", self.name))
    }

    fn parse(&self, seed: u64, text: &str) -> Result<FaultPlan, Problems> {
        FaultPlan::parse(&self.plan_path(seed), text.to_owned(), &self.calm.plan)
    }

    fn try_out(&self, seed: u64) -> Result<Tried, Problems> {
        let ordeal = self.field.draw(seed);
        let faults = self.parse(seed, &ordeal.faults)?;
        let outcome = ordeal.laws.hold(&self.calm, &faults);
        Ok(Tried { seed, ordeal, outcome })
    }

    fn summed_up(&self, from: u64, tried: &[Tried]) -> CheckedSwarm {
        let mut checked = CheckedSwarm {
            topology: shown(&self.topology),
            schedules: tried.len(),
            from,
            answered: 0,
            failed: 0,
            largest_error: 0.0,
            inexact: 0,
            roughest: 0.0,
            laws: Law::ALL.iter().map(|law| held(*law, &self.field.laws(), tried)).collect(),
            struck: Default::default(),
            no_lies: self.field.spares_lies(),
            failure: None,
        };
        for seen in tried.iter().filter_map(|tried| tried.outcome.as_ref().ok()) {
            checked.answered += seen.answered;
            checked.failed += seen.failed;
            checked.largest_error = checked.largest_error.max(seen.largest_error);
            checked.inexact += seen.inexact;
            checked.roughest = checked.roughest.max(seen.roughest);
            for (kind, times) in &seen.struck {
                *checked.struck.entry(kind.clone()).or_default() += times;
            }
        }
        checked
    }

    /// Shrinks a schedule that broke a law to the faults that matter, and writes them as a plan that
    /// expects what was broken.
    fn reduce(&self, tried: &Tried, first: &Broken) -> anyhow::Result<Failure> {
        let Tried { seed, ordeal: Ordeal { faults, laws }, .. } = tried;
        let breaks = |text: &str| {
            let broken = laws.hold(&self.calm, &self.parse(*seed, text).ok()?).err()?;
            (broken.law == first.law).then_some(broken)
        };
        let mut tries = 0;
        let small = shrink(faults, self.field.requests, &mut |text| {
            tries += 1;
            breaks(text).is_some()
        });
        let broken = breaks(&small).unwrap_or_else(|| first.clone());
        let text = expecting(&small, &broken, laws, *seed);
        let plan = self.parse(*seed, &text)?;
        self.confirm(&plan)?;
        let path = self.plan_path(*seed);
        write_whole(&path, |to| to.write_all(text.as_bytes()))?;
        let path = shown(&path);
        Ok(Failure {
            seed: *seed,
            expected: broken.expected,
            seen: broken.seen,
            place: broken.place,
            since_ms: broken.since.as_millis(),
            faults: plan.faults.len(),
            faults_before: faults.matches("what:").count(),
            tries,
            again: format!("kofn check {path}"),
            plan: path,
        })
    }

    /// A plan that is handed out must fail for whoever runs it.
    fn confirm(&self, plan: &FaultPlan) -> anyhow::Result<()> {
        let requests = plan.requests.unwrap_or(self.calm.requests);
        let seed = Seed(plan.seed.unwrap_or_default());
        let calm = Setup { requests, seed, ..self.calm.clone() };
        let how = (Clock::Virtual, Keep::Evidence);
        let outcome = Outcome::of(&calm, Some(plan), None, how, &mut |_| {})?;
        anyhow::ensure!(outcome.report.status() == Status::Fail, "the plan found does not fail");
        Ok(())
    }
}

/// How one law was kept.
fn held(law: Law, laws: &Laws, tried: &[Tried]) -> HeldLaw {
    let breaks = |tried: &&Tried| tried.outcome.as_ref().is_err_and(|broken| broken.law == law);
    HeldLaw {
        law: laws.expected(law),
        schedules: tried.iter().filter(|tried| tried.ordeal.laws.include(law)).count(),
        broken_seeds: tried.iter().filter(breaks).map(|tried| tried.seed).collect(),
    }
}

/// The plan with what it is expected to keep and does not, and with its story.
fn expecting(text: &str, broken: &Broken, laws: &Laws, seed: u64) -> String {
    let body = text.trim_end().trim_end_matches(')');
    let expect = laws.expectation(broken);
    let Broken { expected, seen, place, .. } = broken;
    format!(
        "// Drawn by `kofn check --swarm` from seed {seed}, and shrunk. It breaks:\n// {expected}.\n\
         // Seen: {seen}; {place}.\n{body}    expect: {expect},\n)\n"
    )
}
