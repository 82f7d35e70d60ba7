//! The events panel: what happened, newest at the bottom, as far as the filter lets it through.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::look::Tone;
use super::super::scene::Scene;
use super::mark::mark;
use super::pen::{self, Piece};
use crate::event::Record;
use crate::view::replay::words;

/// How many records a filter looks through for a screenful: each costs about a microsecond.
const LOOKED_THROUGH: usize = 8000;

pub(super) fn draw(scene: &Scene<'_>, area: Rect, to: &mut Buffer) {
    let filter = Filter::new(&scene.cursor.filter);
    let status = status(scene, &filter);
    let head = u16::from(status.is_some() && area.height > 2);
    let list = pen::rows(area, head, area.height - head);
    let lines = lines(scene, &filter, usize::from(list.height));
    if let Some(status) = status.filter(|_| head > 0) {
        pen::write(scene.look, area, 0, &[(status, Tone::Quiet)], to);
    }
    if lines.is_empty() {
        pen::write(scene.look, list, 0, &[(nothing(scene, &filter), Tone::Quiet)], to);
    }
    let top = usize::from(list.height) - lines.len();
    for (at, record) in lines.into_iter().rev().enumerate() {
        let row = (top + at) as u16;
        pen::write(scene.look, list, row, &pieces(scene, record, list.width), to);
    }
}

/// The records to list, newest first: as many as there is room for, so many further back.
fn lines<'s>(scene: &'s Scene<'_>, filter: &Filter, room: usize) -> Vec<&'s Record> {
    let back = scene.cursor.scroll;
    let all = scene.recent.newest_first().map(|(_, record)| record);
    let mut lines: Vec<&Record> = if filter.is_empty() {
        all.take(back.saturating_add(room)).collect()
    } else {
        let looked = all.take(LOOKED_THROUGH.saturating_add(back));
        looked
            .filter(|record| filter.lets_through(scene, record))
            .take(back.saturating_add(room))
            .collect()
    };
    // Whoever scrolls too far back sees the oldest, not nothing.
    let back = back.min(lines.len().saturating_sub(room));
    lines.drain(..back);
    lines
}

/// What the list does not show by itself.
fn status(scene: &Scene<'_>, filter: &Filter) -> Option<String> {
    let filtered = (!filter.is_empty()).then(|| format!("only: {}", scene.cursor.filter.trim()));
    let scrolled = scene.cursor.scroll;
    let scrolled = (scrolled > 0).then(|| format!("{scrolled} lines back"));
    let said: Vec<String> = [filtered, scrolled].into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join(" · "))
}

fn nothing(scene: &Scene<'_>, filter: &Filter) -> String {
    match scene.recent.newest_first().next() {
        Some((last, _)) if !filter.is_empty() => {
            let shown = scene.cursor.filter.trim();
            let all = if last < LOOKED_THROUGH { "all" } else { "the last 8000 events" };
            format!("the filter \"{shown}\" hides {all}")
        }
        _ => "nothing has happened yet".to_owned(),
    }
}

/// A record as a line: the narrower, the fewer columns.
fn pieces(scene: &Scene<'_>, record: &Record, width: u16) -> Vec<Piece> {
    let (sign, tone) = mark(scene.look, &record.event);
    let mut pieces = Vec::new();
    if width >= 40 {
        let unit = if width >= 60 { " ms" } else { "" };
        pieces.push((format!("{:>10.3}{unit} ", record.at.as_millis()), Tone::Quiet));
    }
    if width >= 24 {
        pieces.push((format!("{:<5} ", request(record)), Tone::Text));
    }
    pieces.push((format!("{sign} "), tone));
    pieces.push((words(scene.header, &record.event), tone));
    pieces
}

fn request(record: &Record) -> String {
    record.event.request().map_or(String::new(), |request| format!("#{}", request.0))
}

/// Words that a line must have, and words it must not have.
struct Filter {
    with: Vec<String>,
    without: Vec<String>,
}

impl Filter {
    /// Reads `pi-3 !started`.
    fn new(text: &str) -> Self {
        let text = text.to_lowercase();
        let (without, with) = text.split_whitespace().partition::<Vec<&str>, _>(is_inverted);
        let without = without.into_iter().map(|word| word[1..].to_owned());
        Self {
            with: with.into_iter().map(str::to_owned).collect(),
            // Somebody who has typed "!" is about to type a word.
            without: without.filter(|word| !word.is_empty()).collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.with.is_empty() && self.without.is_empty()
    }

    fn lets_through(&self, scene: &Scene<'_>, record: &Record) -> bool {
        let line = format!("{} {}", request(record), words(scene.header, &record.event));
        let line = line.to_lowercase();
        let has = |word: &String| line.contains(word.as_str());
        self.with.iter().all(has) && !self.without.iter().any(has)
    }
}

fn is_inverted(word: &&str) -> bool {
    word.starts_with('!')
}
