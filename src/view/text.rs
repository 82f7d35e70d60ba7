//! The report as text for people.

use std::cmp::Reverse;

use comfy_table::{CellAlignment, Table, presets};

use super::report::{DeviceReport, FaultReport, Report};
use super::verdict::Verdict;
use super::worth;

/// The whole report, headed by a line that says what it is of.
pub fn report(headline: &str, report: &Report) -> String {
    let mut parts = vec![headline.to_owned(), summary(report)];
    if !report.faults.is_empty() {
        parts.push(faults(&report.faults));
    }
    parts.extend([stages(report), devices(report)]);
    parts.extend(report.verdict.as_ref().map(verdict));
    parts.join("\n\n")
}

fn summary(report: &Report) -> String {
    let requests = &report.requests;
    let latency = &report.latency_ms;
    let mut lines = vec![format!(
        "requests  {} sent, {} answered{}, {} failed, {} late",
        requests.sent,
        requests.answered,
        worth::of_answers(requests.approximate, requests.estimates),
        requests.failed,
        requests.late
    )];
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let agreement = report.top1_agreement.map(percent).unwrap_or_else(|| "–".to_owned());
    let error = report.max_abs_err.map_or("–".to_owned(), |error| format!("{error:.1e}"));
    let right =
        report.accuracy.map_or(String::new(), |share| format!(", {} right", percent(share)));
    let answers = match requests.not_computed {
        0 => format!(
            "answers   {agreement} name the whole model's class{right}; largest error {error}"
        ),
        blank => {
            format!("answers   {blank} not computed (numerics: Skip): only their times are known")
        }
    };
    lines.push(answers);
    lines.push(format!(
        "latency   mean {:.2} ms, p50 {:.2}, p90 {:.2}, p99 {:.2}, p99.9 {:.2}",
        latency.mean, latency.p50, latency.p90, latency.p99, latency.p999
    ));
    let reasons = requests.reasons.iter();
    let shown = 3;
    lines
        .extend(reasons.take(shown).map(|(reason, times)| format!("failed    {times} × {reason}")));
    if requests.reasons.len() > shown {
        lines.push(format!("          and {} other reasons", requests.reasons.len() - shown));
    }
    lines.join("\n")
}

/// Names that follow each other: all of them, or of more than so many the first and the last.
pub(super) fn shortened(names: &[impl AsRef<str>], most: usize) -> String {
    match names {
        [first, .., last] if names.len() > most => {
            format!("{} … {} ({})", first.as_ref(), last.as_ref(), names.len())
        }
        names => names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" "),
    }
}

/// A table without frames whose columns from the second on are aligned to the right.
pub(crate) fn table(
    heads: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
    left: &[usize],
) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(heads.to_vec());
    table.add_rows(rows);
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if !left.contains(&at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn faults(faults: &[FaultReport]) -> String {
    let ms = |value: Option<f64>| value.map_or("–".to_owned(), |ms| format!("{ms:+.2} ms"));
    let rows = faults.iter().map(|fault| {
        let hit: Vec<String> =
            fault.hit.iter().take(4).map(|request| format!("#{request}")).collect();
        let more = if fault.hit.len() > 4 { " …" } else { "" };
        vec![
            fault.what.clone(),
            fault.devices.join(", "),
            fault.at_ms.map_or("never".to_owned(), |at| format!("{at:.3} ms")),
            format!("{}{more}", hit.join(" ")),
            ms(fault.cost_ms),
            ms(fault.mean_cost_ms),
        ]
    });
    let heads = ["fault", "device", "struck at", "in flight", "cost it", "cost each since"];
    table(&heads, rows, &[0, 1, 3])
}

fn stages(report: &Report) -> String {
    let encodes = report.stages.iter().any(|stage| stage.encode_ms_mean > 0.0);
    let with = |mut cells: Vec<String>, encoding: String| {
        // Most fleets code weights, and nothing while they run.
        if encodes {
            cells.insert(ENCODING, encoding);
        }
        cells
    };
    let rows = report.stages.iter().map(|stage| {
        let cells = vec![
            stage.name.clone(),
            stage.code.clone(),
            stage.rounds.to_string(),
            stage.rebuilt.to_string(),
            stage.retried.to_string(),
            format!("{:.1} µs", 1e3 * stage.decode_ms_mean),
            format!("{:.1}", stage.worst_condition),
        ];
        with(cells, format!("{:.1} µs", 1e3 * stage.encode_ms_mean))
    });
    let heads = ["stage", "code", "rounds", "rebuilt", "retried", "decoding", "condition"];
    let heads = with(heads.map(str::to_owned).to_vec(), "encoding".to_owned());
    table(&heads.iter().map(String::as_str).collect::<Vec<_>>(), rows, &[0, 1])
}

/// Where the column stands.
const ENCODING: usize = 5;

fn devices(report: &Report) -> String {
    let mut devices: Vec<&DeviceReport> = report.devices.iter().collect();
    if devices.len() > MOST_DEVICES {
        // Those that fared worst; all stand in the JSON.
        devices.sort_by_key(|device| Reverse((device.lost, device.late)));
        devices.truncate(WORST);
    }
    let left_out = report.devices.len() - devices.len();
    let rows = devices.into_iter().map(|device| {
        let numbers = [device.tasks, device.used, device.late, device.lost];
        std::iter::once(device.name.clone()).chain(numbers.map(|n| n.to_string())).collect()
    });
    let table = table(&["device", "tasks", "used", "late", "lost"], rows, &[0]);
    match left_out {
        0 => table,
        others => format!("{table}\nand {others} others that lost no more"),
    }
}

/// More are not listed …
const MOST_DEVICES: usize = 200;
/// … but so many.
const WORST: usize = 10;

/// Each expectation with a mark, and the verdict.
pub fn verdict(verdict: &Verdict) -> String {
    let aborted = verdict.aborted_at_ms.map_or(String::new(), |at| {
        format!(", aborted at {at:.3} ms: what else is expected was not judged")
    });
    let mut lines = vec![format!("{}{aborted}", verdict.status)];
    lines.extend(verdict.checks.iter().map(|check| {
        let mark = match (check.holds, check.unknown) {
            (true, _) => "✓",
            (false, true) => "?",
            (false, false) => "✗",
        };
        format!("  {mark} {check}")
    }));
    lines.join("\n")
}
