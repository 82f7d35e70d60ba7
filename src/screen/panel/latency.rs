//! The latency panel: how long answers took, over how long they took in the run without faults.
//!
//! ```text
//!                  answers      p50      p99    p99.9
//! █ this run            60  5.73 ms  8.10 ms  8.31 ms
//! ░ without faults      60  5.70 ms  7.92 ms  7.99 ms
//!     ░█▇░                                    shares of all answers, both to one scale
//!    ▂███░▁     ▁
//! ╵4 ms  ╵5 ms  ╵6 ms  ╵8 ms                  a logarithmic axis: tails are what it is about
//! ```

mod axis;

use hdrhistogram::Histogram;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::look::{Look, Tone};
use super::super::scene::Scene;
use super::pen::{self, Piece};
use crate::units::Span;
use axis::Axis;

pub(super) fn draw(scene: &Scene<'_>, area: Rect, to: &mut Buffer) {
    let lines = lines(scene);
    let table = area.height.min(lines.len() as u16 + 1);
    // Bars of a single row say nothing.
    let bars = area.height.saturating_sub(table + 1);
    write_table(scene, &lines, pen::rows(area, 0, table), to);
    if bars >= 2 {
        let seen: Vec<&Histogram<u64>> = lines.iter().take(2).map(|line| line.latencies).collect();
        let Some(axis) = Axis::of(&seen, scene.answer_within, area.width) else { return };
        let picture = Picture { look: scene.look, axis, deadline: scene.answer_within };
        picture.bars(&seen, pen::rows(area, table, bars), to);
        picture.deadline(pen::rows(area, table, bars), to);
        picture.labels(pen::rows(area, table + bars, 1), to);
    }
}

/// A run and its latencies.
struct Line<'s> {
    name: &'s str,
    latencies: &'s Histogram<u64>,
}

/// This run first.
fn lines<'s>(scene: &'s Scene<'_>) -> Vec<Line<'s>> {
    let beside = scene.beside.iter().map(|(name, latencies)| Line { name, latencies });
    let this = Line { name: "this run", latencies: &scene.board.latencies };
    std::iter::once(this).chain(beside).collect()
}

/// A percentile is only known when there are so many answers that one lies beyond it.
const PERCENTILES: [(&str, f64, u64); 3] =
    [("p50", 0.5, 2), ("p99", 0.99, 100), ("p99.9", 0.999, 1000)];
const COLUMN: usize = 9;

fn write_table(scene: &Scene<'_>, lines: &[Line<'_>], area: Rect, to: &mut Buffer) {
    let width = usize::from(area.width);
    let name = lines.iter().map(|line| pen::width(line.name)).max().unwrap_or(0);
    let name = name.min(width.saturating_sub(2 + COLUMN)).max(4);
    let columns = width.saturating_sub(name + 2) / COLUMN;
    // With a single row it is this run's; else the first says what the columns are.
    let head = u16::from(area.height > 1);
    if head > 0 {
        pen::write(scene.look, area, 0, &[(heading(name, columns), Tone::Quiet)], to);
        let used = (name + 2 + columns.min(4) * COLUMN) as u16;
        let right = Rect { x: area.x + used, width: area.width.saturating_sub(used), ..area };
        pen::write(scene.look, right, 0, &deadline(scene, right.width), to);
    }
    for (at, line) in lines.iter().enumerate() {
        let pieces = row(scene.look, at, line, name, columns);
        pen::write(scene.look, area, head + at as u16, &pieces, to);
    }
}

/// With little room the percentiles come first.
fn heading(name: usize, columns: usize) -> String {
    let mut text = " ".repeat(name + 2);
    if columns > 3 {
        text += &format!("{:>COLUMN$}", "answers");
    }
    for (percentile, ..) in PERCENTILES.iter().take(columns) {
        text += &format!("{percentile:>COLUMN$}");
    }
    text
}

fn row(look: &Look, at: usize, line: &Line<'_>, name: usize, columns: usize) -> Vec<Piece> {
    let (sign, tone) = match at {
        0 => (look.sign("█", "#"), Tone::Good),
        1 => (look.sign("░", "."), Tone::Quiet),
        _ => (" ", Tone::Quiet),
    };
    let label = if at == 0 { Tone::Title } else { Tone::Text };
    let mut pieces = vec![(format!("{sign} "), tone), (pen::column(look, line.name, name), label)];
    let answers = line.latencies.len();
    if columns > 3 {
        pieces.push((format!("{answers:>COLUMN$}"), Tone::Text));
    }
    if answers == 0 {
        pieces.push(("  no answer yet".to_owned(), Tone::Quiet));
        return pieces;
    }
    for (_, quantile, known_from) in PERCENTILES.iter().take(columns) {
        let value = Span(line.latencies.value_at_quantile(*quantile)).to_string();
        let tone = if answers < *known_from { Tone::Quiet } else { Tone::Text };
        pieces.push((format!("{value:>COLUMN$}"), tone));
    }
    pieces
}

/// How many answers came too late to be good, in as many words as fit.
fn deadline(scene: &Scene<'_>, width: u16) -> Vec<Piece> {
    let Some(within) = scene.answer_within else { return Vec::new() };
    let latencies = &scene.board.latencies;
    let beyond = latencies.iter_recorded().filter(|bucket| bucket.value_iterated_to() > within.0);
    let late: u64 = beyond.map(|bucket| bucket.count_at_value()).sum();
    let (said, tone) = match late {
        _ if latencies.is_empty() => (String::new(), Tone::Quiet),
        0 => ("none later".to_owned(), Tone::Good),
        some => (format!("{some} later"), Tone::Bad),
    };
    let due = [format!("   deadline {within}: "), format!("  {within}: ")];
    let fits = |due: &String| pen::width(due) + pen::width(&said) <= usize::from(width);
    match due.into_iter().find(fits) {
        Some(due) => vec![(due, Tone::Quiet), (said, tone)],
        None => Vec::new(),
    }
}

struct Picture<'p> {
    look: &'p Look,
    axis: Axis,
    deadline: Option<Span>,
}

/// Eighths of a row.
const EIGHTHS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

impl Picture<'_> {
    /// This run's bars, and behind them the other's.
    fn bars(&self, seen: &[&Histogram<u64>], area: Rect, to: &mut Buffer) {
        let shares: Vec<Vec<f64>> = seen.iter().map(|of| self.axis.shares(of)).collect();
        let highest = shares.iter().flatten().copied().fold(0.0, f64::max);
        let full = f64::from(area.height) * 8.0;
        let eighths = |share: f64| match share {
            0.0 => 0,
            // What there is is seen, however little.
            some => ((some / highest * full).round() as u16).max(1),
        };
        for x in 0..area.width {
            let of = |run: usize| shares.get(run).map_or(0, |of| eighths(of[usize::from(x)]));
            let (this, other) = (of(0), of(1));
            for up in 0..this.max(other).div_ceil(8).min(area.height) {
                let fill = this.saturating_sub(up * 8).min(8);
                let behind = other.saturating_sub(up * 8).min(8);
                let (sign, tone) = self.cell(fill, behind, x);
                pen::dot(area, x, area.height - 1 - up, sign, self.look.style(tone), to);
            }
        }
    }

    fn cell(&self, fill: u16, behind: u16, x: u16) -> (&'static str, Tone) {
        let late = self.deadline.is_some_and(|deadline| self.axis.begins_after(x, deadline));
        let tone = if late { Tone::Bad } else { Tone::Good };
        match (fill, behind) {
            (0, 0) => (" ", Tone::Text),
            (0, _) => (self.look.sign("░", "."), Tone::Quiet),
            (1..4, _) => (self.look.sign(EIGHTHS[usize::from(fill) - 1], ","), tone),
            _ => (self.look.sign(EIGHTHS[usize::from(fill) - 1], "#"), tone),
        }
    }

    fn deadline(&self, area: Rect, to: &mut Buffer) {
        let Some(x) = self.deadline.and_then(|deadline| self.axis.column(deadline)) else { return };
        for row in 0..area.height {
            let place = (area.x + x, area.y + row);
            if to.cell(place).is_some_and(|cell| cell.symbol() == " ") {
                let sign = self.look.sign("┆", "|");
                pen::dot(area, x, row, sign, self.look.style(Tone::Warn), to);
            }
        }
    }

    fn labels(&self, area: Rect, to: &mut Buffer) {
        let mut taken = vec![false; usize::from(area.width)];
        let mut write = |x: u16, text: &str, tone: Tone| {
            let text = self.look.text(text);
            let place = usize::from(x)..usize::from(x) + pen::width(&text);
            // One column more, so that labels do not touch.
            let around = place.start..(place.end + 1).min(taken.len());
            if taken.get(place).is_some_and(|of| of.iter().all(|taken| !taken)) {
                taken[around].fill(true);
                pen::put(area, x, 0, &text, self.look.style(tone), to);
            }
        };
        let tick = self.look.sign("╵", "|");
        if let Some(deadline) = self.deadline
            && let Some(x) = self.axis.column(deadline)
        {
            write(x, &format!("{tick}deadline"), Tone::Warn);
        }
        for at in self.axis.round() {
            if let Some(x) = self.axis.column(at) {
                write(x, &format!("{tick}{at}"), Tone::Quiet);
            }
        }
    }
}
