//! The time line: a lane a device, when it worked at what, and what became of it.
//!
//! ```text
//!          #40         fc1     fc2          requests and stages, where they began
//! ● pi-1   ─▇▇▇▇▇▇   ─▇▇▇  │ ─▇▇▇
//! ✖ pi-2   ─▇▇▇▇▇▇▇▇ ─▇▼✖┄┄┄┄┄┄┄┄┄          asked, arrived … a fault, dead
//!         ╵12 ms      ╵14 ms      ╵16 ms
//! ```

mod lanes;
mod window;

use std::collections::BTreeSet;
use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::look::{Look, Tone};
use super::super::scene::Scene;
use super::pen::{self, Piece};
use crate::event::Record;
use crate::units::{DeviceId, Time};
use lanes::{Bar, Border, Lanes, Mark, What};
use window::Window;

/// How many records are looked at for a picture; the window is shortened to what they cover.
const LOOKED_AT: usize = 4000;

pub(super) fn draw(scene: &Scene<'_>, area: Rect, to: &mut Buffer) {
    let places = Places::of(scene, area);
    if places.lanes.is_empty() {
        return;
    }
    let records = || scene.recent.newest_first().map(|(_, record)| record).take(LOOKED_AT);
    let oldest = records().last().map_or(Time::ZERO, |record| record.at);
    let window = Window::of(scene.board, places.lanes.width, oldest);
    let mut seen: Vec<&Record> = records().take_while(|record| record.at >= window.from).collect();
    seen.reverse();
    let shown = visible(scene, usize::from(places.lanes.height));
    let lanes = Lanes::fold(scene.board, &seen, window.from);
    let drawing = Drawing { look: scene.look, window, shown };
    drawing.names(scene, places.names, to);
    drawing.borders(&lanes.borders, places.lanes, to);
    drawing.bars(lanes.bars, places.lanes, to);
    drawing.marks(&lanes.marks, places.lanes, to);
    drawing.labels(scene, &lanes.borders, places.labels, to);
    drawing.axis(places.axis, to);
    pen::write(scene.look, places.legend, 0, &legend(scene.look), to);
}

/// Where the parts go; those that there is no room for are empty.
struct Places {
    labels: Rect,
    names: Rect,
    lanes: Rect,
    axis: Rect,
    legend: Rect,
}

impl Places {
    /// Lanes first, then the axis, then labels, then the legend.
    fn of(scene: &Scene<'_>, area: Rect) -> Self {
        let devices = scene.header.devices.len().min(usize::from(u16::MAX)) as u16;
        let spare = area.height.saturating_sub(devices.min(6));
        let (axis, labels, legend) =
            (u16::from(spare > 0), u16::from(spare > 1), u16::from(spare > 2));
        let lanes = devices.min(area.height - axis - labels - legend);
        let widest = scene.header.devices.iter().map(|name| pen::width(name)).max().unwrap_or(0);
        let name = if area.width < 16 { 0 } else { (widest as u16).min(area.width / 4) + 3 };
        let right = Rect { x: area.x + name, width: area.width - name, ..area };
        Self {
            labels: pen::rows(right, 0, labels),
            names: Rect { width: name, ..pen::rows(area, labels, lanes) },
            lanes: pen::rows(right, labels, lanes),
            axis: pen::rows(right, labels + lanes, axis),
            legend: pen::rows(area, labels + lanes + axis, legend),
        }
    }
}

/// The devices that there are lanes for, the selected one among them.
fn visible(scene: &Scene<'_>, lanes: usize) -> Range<usize> {
    let devices = scene.header.devices.len();
    let lanes = lanes.min(devices);
    let first = scene.cursor.device.min(devices).saturating_sub(lanes / 2).min(devices - lanes);
    first..first + lanes
}

struct Drawing<'d> {
    look: &'d Look,
    window: Window,
    /// The devices that have a lane.
    shown: Range<usize>,
}

impl Drawing<'_> {
    fn names(&self, scene: &Scene<'_>, area: Rect, to: &mut Buffer) {
        for (row, device) in self.shown.clone().enumerate() {
            let (sign, tone) = self.look.face(scene.board.devices[device].face());
            let selected = device == scene.cursor.device;
            let name = pen::column(
                self.look,
                &scene.header.devices[device],
                usize::from(area.width).saturating_sub(3),
            );
            let name_tone = if selected { Tone::Title } else { Tone::Text };
            let pieces = [(format!("{sign} "), tone), (name, name_tone)];
            pen::write(self.look, area, row as u16, &pieces, to);
        }
    }

    /// Light lines down the lanes where requests and rounds began.
    fn borders(&self, borders: &[Border], area: Rect, to: &mut Buffer) {
        for border in borders {
            let Some(x) = self.window.column_of(border.at) else { continue };
            let sign = match border.stage {
                None => self.look.sign("│", "|"),
                Some(_) => self.look.sign("┊", ":"),
            };
            for row in 0..area.height {
                pen::dot(area, x, row, sign, self.look.style(Tone::Quiet), to);
            }
        }
    }

    fn bars(&self, mut bars: Vec<Bar>, area: Rect, to: &mut Buffer) {
        // Where several fall into one column, the gravest is seen.
        bars.sort_by_key(|bar| bar.what);
        for bar in bars {
            let Some(row) = self.row(bar.device) else { continue };
            let (sign, tone) = look(self.look, bar.what);
            let (first, last) = self.window.columns_of(bar.from, bar.to);
            for x in first..=last {
                pen::dot(area, x, row, sign, self.look.style(tone), to);
            }
        }
    }

    /// Marks of one moment stand side by side: a fault, then the death it brought.
    fn marks(&self, marks: &[Mark], area: Rect, to: &mut Buffer) {
        let mut taken = BTreeSet::new();
        for mark in marks.iter().rev() {
            let place = (self.row(mark.device), self.window.column_of(mark.at));
            let (Some(row), Some(x)) = place else { continue };
            let free = (0..=x).rev().take(3).find(|x| !taken.contains(&(row, *x)));
            if let Some(x) = free {
                taken.insert((row, x));
                let (sign, tone) = super::mark::mark(self.look, mark.event);
                pen::dot(area, x, row, sign, self.look.style(tone), to);
            }
        }
    }

    /// What began where: requests as far as there is room, then stages between them.
    fn labels(&self, scene: &Scene<'_>, borders: &[Border], area: Rect, to: &mut Buffer) {
        let mut taken = vec![false; usize::from(area.width)];
        let (requests, stages): (Vec<&Border>, Vec<&Border>) =
            borders.iter().partition(|border| border.stage.is_none());
        for border in requests.into_iter().chain(stages) {
            let Some(x) = self.window.column_of(border.at) else { continue };
            let (text, tone) = match border.stage {
                None => (format!("#{}", border.request.0), Tone::Title),
                Some(stage) => (scene.header.stage(stage).to_owned(), Tone::Quiet),
            };
            let at = usize::from(x);
            let place = at..at + pen::width(&text) + 1;
            let free = taken.get(place.clone()).is_some_and(|of| of.iter().all(|taken| !taken));
            if free {
                taken[place].fill(true);
                let text = self.look.text(&text);
                pen::put(area, x, 0, &text, self.look.style(tone), to);
            }
        }
    }

    fn axis(&self, area: Rect, to: &mut Buffer) {
        for (x, moment) in self.window.ticks() {
            let text = format!("{}{moment}", self.look.sign("╵", "|"));
            let text = self.look.text(&text);
            if usize::from(area.width.saturating_sub(x)) >= pen::width(&text) {
                pen::put(area, x, 0, &text, self.look.style(Tone::Quiet), to);
            }
        }
    }

    fn row(&self, device: DeviceId) -> Option<u16> {
        let shown = self.shown.contains(&device.0);
        shown.then(|| (device.0 - self.shown.start) as u16)
    }
}

/// Blocks are lower than a row, so that lanes do not run together.
fn look(look: &Look, what: What) -> (&'static str, Tone) {
    match what {
        What::Down => (look.sign("┄", "_"), Tone::Bad),
        What::Asked => (look.sign("─", "-"), Tone::Busy),
        What::CalledOff => (look.sign("╌", "="), Tone::Quiet),
        What::Late => (look.sign("▃", "~"), Tone::Quiet),
        What::Computing => (look.sign("▅", ">"), Tone::Busy),
        What::Arrived => (look.sign("▇", "#"), Tone::Good),
        What::Lost => (look.sign("╳", "x"), Tone::Bad),
        What::Wrong => (look.sign("‼", "!"), Tone::Wrong),
    }
}

fn legend(of: &Look) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut item = |(sign, tone): (&str, Tone), word: &str| {
        pieces.push((format!("{sign} "), tone));
        pieces.push((format!("{word}  "), Tone::Quiet));
    };
    for what in What::ALL {
        item(look(of, what), what.word());
    }
    item((of.sign("▼", "F"), Tone::Bad), "fault");
    item((of.sign("△", "f"), Tone::Good), "its end");
    item((of.sign("✖", "X"), Tone::Bad), "death");
    item((of.sign("↻", "D"), Tone::Good), "return");
    pieces
}
