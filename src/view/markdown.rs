//! Reports and verdicts as Markdown, for a pull request or a job's summary.

use super::check::{CheckedPlan, tally};
use super::report::Report;
use super::verdict::{Status, Verdict};
use super::worth;

/// One run.
pub fn report(headline: &str, report: &Report) -> String {
    let requests = &report.requests;
    let latency = &report.latency_ms;
    let mut parts = vec![format!("## {headline}: {}", report.status())];
    parts.push(format!(
        "{} requests, {} answered{}, {} failed, {} late; \
         latency p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms.",
        requests.sent,
        requests.answered,
        worth::of_answers(requests.approximate, requests.estimates),
        requests.failed,
        requests.late,
        latency.p50,
        latency.p99,
        latency.p999
    ));
    if !report.faults.is_empty() {
        parts.push(faults(report));
    }
    parts.extend(report.verdict.as_ref().map(checks));
    parts.join("\n\n")
}

/// All fault plans of a check: an overview, then what was not as expected in full.
pub fn checked(plans: &[CheckedPlan]) -> String {
    let rows = plans.iter().map(|plan| {
        let holding = plan.verdict().checks.iter().filter(|check| check.holds).count();
        let requests = &plan.report.requests;
        vec![
            mark(plan.status()).to_owned(),
            format!("`{}`", plan.plan),
            plan.seed(),
            format!("{holding} of {}", plan.verdict().checks.len()),
            format!(
                "{} of {}{}",
                requests.answered,
                requests.sent,
                worth::of_answers(requests.approximate, requests.estimates)
            ),
            format!("{:.2} ms", plan.report.latency_ms.p99),
        ]
    });
    let heads = ["", "fault plan", "seed", "expectations held", "answered", "p99"];
    let mut parts = vec![format!("## {}", tally(plans)), table(&heads, rows)];
    let unexpected = plans.iter().filter(|plan| plan.status() != Status::Pass);
    parts.extend(unexpected.map(in_full));
    parts.join("\n\n")
}

fn in_full(plan: &CheckedPlan) -> String {
    let mut parts = vec![format!("### `{}`: {}", plan.plan, plan.status())];
    parts.push(checks(plan.verdict()));
    let never: Vec<String> = plan.never_struck().map(|never| format!("- ❔ {never}")).collect();
    if !never.is_empty() {
        parts.push(never.join("\n"));
    }
    parts.push(format!("To see this again:\n\n```sh\n{}\n```", plan.again));
    parts.join("\n\n")
}

fn checks(verdict: &Verdict) -> String {
    let rows = verdict.checks.iter().map(|check| {
        let place = check.place.clone().zip(check.since_ms);
        let place = place.map(|(place, since)| format!("{place}, since {since:.3} ms"));
        let mark = match (check.holds, check.unknown) {
            (true, _) => "✅",
            (false, true) => "❔",
            (false, false) => "❌",
        };
        vec![mark.to_owned(), check.expect.clone(), check.seen.clone(), place.unwrap_or_default()]
    });
    table(&["", "expected", "seen", "where"], rows)
}

fn faults(report: &Report) -> String {
    let rows = report.faults.iter().map(|fault| {
        let ms = |value: Option<f64>| value.map_or("–".to_owned(), |ms| format!("{ms:+.2} ms"));
        vec![
            fault.what.clone(),
            fault.devices.join(", "),
            fault.at_ms.map_or("never".to_owned(), |at| format!("{at:.3} ms")),
            ms(fault.cost_ms),
            ms(fault.mean_cost_ms),
        ]
    });
    table(&["fault", "device", "struck at", "cost those in flight", "cost each since"], rows)
}

fn mark(status: Status) -> &'static str {
    match status {
        Status::Pass => "✅",
        Status::Fail => "❌",
        Status::Inconclusive => "❔",
    }
}

fn table(heads: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let row = |cells: Vec<String>| {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |", cells.join(" | "))
    };
    let mut lines = vec![row(heads.iter().map(ToString::to_string).collect())];
    lines.push(format!("|{}", "---|".repeat(heads.len())));
    lines.extend(rows.map(row));
    lines.join("\n")
}
