//! What `kofn check --swarm` says: as text and as data.

use std::collections::BTreeMap;

use serde::Serialize;

use super::text::table;
use super::verdict::Status;

/// A topology, and how it fared under drawn misfortune.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckedSwarm {
    /// The topology's file, as it would be typed.
    pub topology: String,
    pub schedules: usize,
    /// The first seed.
    pub from: u64,
    /// Of the schedules that broke no law.
    pub answered: usize,
    pub failed: usize,
    /// Of the answers given as exact.
    pub largest_error: f64,
    /// Answers that were not, and the largest error of those read off a curve.
    pub inexact: usize,
    pub roughest: f64,
    pub laws: Vec<HeldLaw>,
    /// How often each kind of fault struck.
    pub struck: BTreeMap<String, usize>,
    /// Why no device was made to lie, if none was.
    pub no_lies: Option<String>,
    /// The first schedule that broke a law.
    pub failure: Option<Failure>,
}

/// A law, and what it was held against.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeldLaw {
    pub law: String,
    /// The schedules that it holds for.
    pub schedules: usize,
    pub broken_seeds: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    pub seed: u64,
    pub expected: String,
    pub seen: String,
    pub place: String,
    pub since_ms: f64,
    /// The smallest fault plan found that breaks the same law, and how many faults it was before.
    pub plan: String,
    pub faults: usize,
    pub faults_before: usize,
    pub tries: usize,
    /// The command that repeats it.
    pub again: String,
}

impl CheckedSwarm {
    /// That nothing struck shows nothing.
    pub fn status(&self) -> Status {
        match (&self.failure, self.struck.is_empty()) {
            (Some(_), _) => Status::Fail,
            (None, true) => Status::Inconclusive,
            (None, false) => Status::Pass,
        }
    }

    /// How far answers were off, by what they say of themselves.
    fn errors(&self) -> String {
        let Self { answered, inexact, largest_error, roughest, .. } = self;
        let exact = (inexact < answered || *inexact == 0)
            .then(|| format!("largest error {largest_error:.1e}"));
        let not = (*inexact > 0).then(|| match *roughest {
            0.0 => format!("{inexact} estimates"),
            roughest => format!("{inexact} not exact, off by up to {roughest:.1e}"),
        });
        exact.into_iter().chain(not).collect::<Vec<_>>().join("; ")
    }

    pub fn to_text(&self) -> String {
        let Self { topology, schedules, from, .. } = self;
        let schedules = counted(*schedules);
        let mut lines =
            vec![format!("{topology} · {schedules} from seed {from} · {}", self.status())];
        lines.extend(self.laws.iter().map(HeldLaw::to_text));
        lines.push(format!(
            "\nrequests  {} answered, {} failed; {}",
            self.answered,
            self.failed,
            self.errors()
        ));
        if self.struck.is_empty() {
            lines.push("faults    none struck: try more schedules".to_owned());
        } else {
            let rows =
                self.struck.iter().map(|(kind, times)| vec![kind.clone(), times.to_string()]);
            lines.push(format!("\n{}", table(&["fault", "struck"], rows, &[0])));
        }
        lines.extend(self.no_lies.iter().map(|why| format!("\nno device was made to lie: {why}")));
        lines.extend(self.failure.iter().map(Failure::to_text));
        lines.join("\n")
    }
}

impl HeldLaw {
    fn to_text(&self) -> String {
        let Self { law, schedules, broken_seeds } = self;
        let schedules = counted(*schedules);
        if broken_seeds.is_empty() {
            return format!("  ✓ {law}: {schedules}");
        }
        let seeds: Vec<String> = broken_seeds.iter().take(SHOWN).map(u64::to_string).collect();
        let more = if broken_seeds.len() > SHOWN { ", …" } else { "" };
        let broken = broken_seeds.len();
        format!("  ✗ {law}: broken by {broken} of {schedules}, seeds {}{more}", seeds.join(", "))
    }
}

impl Failure {
    fn to_text(&self) -> String {
        let Self { seed, expected, seen, place, since_ms, plan, .. } = self;
        let Self { faults, faults_before, tries, again, .. } = self;
        format!(
            "\nseed {seed} breaks: {expected}\n  seen: {seen}; {place}, since {since_ms:.3} ms\n  \
             shrunk in {tries} tries to {faults} of {faults_before} faults, written to {plan}\n\
             to see this again: {again}"
        )
    }
}

fn counted(schedules: usize) -> String {
    format!("{schedules} schedule{}", if schedules == 1 { "" } else { "s" })
}

/// Seeds that are told; the rest are in the JSON.
const SHOWN: usize = 10;
