//! What `kofn check` says of fault plans: as text and as data. JUnit, Markdown and annotations have
//! files of their own.

use std::collections::BTreeMap;

use serde::Serialize;

use super::report::Report;
use super::text;
use super::verdict::{Status, Verdict};

/// A fault plan and how it went; of several runs, the worst.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckedPlan {
    /// Its file, as it would be typed.
    pub plan: String,
    /// How many runs there were, each with the next seed.
    pub runs: usize,
    pub failed_seeds: Vec<u64>,
    pub report: Report,
    /// The command that repeats this run.
    pub again: String,
}

impl CheckedPlan {
    pub fn status(&self) -> Status {
        self.report.status()
    }

    pub fn verdict(&self) -> &Verdict {
        self.report.verdict.as_ref().expect("a checked plan was judged")
    }

    /// `seed 7, the worst of 20`.
    pub fn seed(&self) -> String {
        let worst = (self.runs > 1).then(|| format!(", the worst of {}", self.runs));
        format!("seed {}{}", self.report.seed, worst.unwrap_or_default())
    }

    /// Each fault that never struck, in words.
    pub fn never_struck(&self) -> impl Iterator<Item = String> + '_ {
        let never = self.report.faults.iter().filter(|fault| fault.at_ms.is_none());
        never.map(|fault| format!("{} on {} never struck", fault.what, fault.devices.join(", ")))
    }

    /// The verdict, and what led to it.
    pub fn to_text(&self) -> String {
        let mut lines =
            vec![format!("{} · {} · {}", self.plan, self.seed(), text::verdict(self.verdict()))];
        lines.extend(self.never_struck().map(|never| format!("  ? {never}")));
        if self.runs > 1 && !self.failed_seeds.is_empty() {
            let seeds: Vec<String> = self.failed_seeds.iter().map(u64::to_string).collect();
            let failed = self.failed_seeds.len();
            lines.push(format!("  {failed} of {} runs failed: {}", self.runs, seeds.join(", ")));
        }
        lines.join("\n")
    }
}

/// What stands below the verdicts: a tally, and how to see again what was not as expected.
pub fn closing(checked: &[CheckedPlan]) -> Option<String> {
    let mut lines = Vec::new();
    if checked.len() > 1 {
        lines.push(format!("\n{}", tally(checked)));
    }
    let unexpected = checked.iter().filter(|plan| plan.status() != Status::Pass);
    lines.extend(unexpected.map(|plan| format!("to see this again: {}", plan.again)));
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// `8 plans: 7 PASS, 1 FAIL`.
pub(super) fn tally(checked: &[CheckedPlan]) -> String {
    let mut counts: BTreeMap<Status, usize> = BTreeMap::new();
    for plan in checked {
        *counts.entry(plan.status()).or_default() += 1;
    }
    let counts: Vec<String> =
        counts.into_iter().map(|(status, count)| format!("{count} {status}")).collect();
    format!("{} plans: {}", checked.len(), counts.join(", "))
}
