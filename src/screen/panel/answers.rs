//! The answers panel: the picture that was asked about, what the fleet says it shows, and whether
//! that is what the undivided network says.

mod picture;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::look::{Look, Tone};
use super::super::scene::Scene;
use super::pen::{self, Piece};
use crate::event::Worth;
use crate::plan::Input;
use crate::view::board::{End, Flight, Judged};
use picture::Picture;

pub(super) fn draw(scene: &Scene<'_>, area: Rect, to: &mut Buffer) {
    let Some(flight) = scene.board.landed.back().or(scene.board.flight()) else {
        let said = "nothing was asked yet".to_owned();
        return pen::write(scene.look, area, 0, &[(said, Tone::Quiet)], to);
    };
    let input = input(scene, flight);
    let picture = input.and_then(Picture::of);
    let text = match &picture {
        Some(picture) => beside(scene.look, picture, area, to),
        None => area,
    };
    let mut words = words(scene, flight, text.width);
    if let Some(why) = no_picture(input, picture.as_ref()) {
        words.push(vec![(why, Tone::Quiet)]);
    }
    for (row, pieces) in words.iter().enumerate() {
        pen::write(scene.look, text, row as u16, pieces, to);
    }
}

/// What the request asked about.
fn input<'s>(scene: &Scene<'s>, flight: &Flight) -> Option<&'s Input> {
    let at = flight.request.0.checked_rem(scene.inputs.len())?;
    scene.inputs.get(at)
}

fn no_picture(input: Option<&Input>, picture: Option<&Picture>) -> Option<String> {
    match (input, picture) {
        (_, Some(_)) => None,
        (None, _) => Some("what was asked is not in the trace".to_owned()),
        (Some(input), None) => {
            let shapes: Vec<String> =
                input.tensors.iter().map(|tensor| format!("{:?}", tensor.shape())).collect();
            Some(format!("no picture: the input is {}", shapes.join(", ")))
        }
    }
}

/// The words need so many columns beside the picture, or so many rows below it.
const WORDS_COLUMNS: u16 = 24;
const WORDS_ROWS: u16 = 5;

/// Draws the picture and leaves the place for the words: beside it, below it, or all of it.
fn beside(look: &Look, picture: &Picture, area: Rect, to: &mut Buffer) -> Rect {
    let (columns, rows) = picture.size(area.width.saturating_sub(WORDS_COLUMNS), area.height);
    if columns >= LEAST_COLUMNS {
        picture.draw(look, Rect { width: columns, height: rows, ..area }, to);
        let taken = (columns + 2).min(area.width);
        return Rect { x: area.x + taken, width: area.width - taken, ..area };
    }
    let (columns, rows) = picture.size(area.width, area.height.saturating_sub(WORDS_ROWS));
    if columns >= LEAST_COLUMNS {
        picture.draw(look, Rect { width: columns, height: rows, ..area }, to);
        return pen::rows(area, rows, area.height - rows);
    }
    area
}

/// Less shows nothing.
const LEAST_COLUMNS: u16 = 8;

/// The lines of words, the most important first.
fn words(scene: &Scene<'_>, flight: &Flight, width: u16) -> Vec<Vec<Piece>> {
    let mut lines = Vec::new();
    let request = (format!("#{} ", flight.request.0), Tone::Title);
    let label = flight.judged.as_ref().and_then(|judged| judged.label);
    let label = label.or(input(scene, flight).and_then(|input| input.label));
    match (&flight.judged, &flight.end) {
        (Some(judged), _) => {
            lines.push([vec![request], verdict(scene, judged)].concat());
            lines.push(vec![agreement(scene, judged, width)]);
            lines.extend(inexact(scene, flight));
            lines.extend(bars(scene, judged, width));
            lines.push(vec![(format!("off by {:.1e}", judged.error), Tone::Quiet)]);
        }
        (None, Some(End::Failed { reason, .. })) => {
            lines.push(vec![request, ("no answer".to_owned(), Tone::Bad)]);
            lines.push(vec![(reason.clone(), Tone::Bad)]);
        }
        (None, _) => {
            let stage = flight.round().map(|(stage, _)| scene.header.stage(stage).to_owned());
            let said = format!("{} …", stage.unwrap_or("accepted".to_owned()));
            lines.push(vec![request, (said, Tone::Busy)]);
        }
    }
    if let Some(label) = label {
        let it = vec![("it is   ".to_owned(), Tone::Quiet), (scene.class(label), Tone::Text)];
        lines.insert(1, it);
    }
    lines.extend(score(scene));
    lines.extend(under_way(scene, flight));
    lines
}

/// The answer, and whether it is right.
fn verdict(scene: &Scene<'_>, judged: &Judged) -> Vec<Piece> {
    let look = scene.look;
    let (sign, tone) = match judged.label {
        None => ("", Tone::Text),
        Some(label) if label == judged.top1 => (look.sign(" ✔", " +"), Tone::Good),
        Some(_) => (look.sign(" ✗", " x"), Tone::Warn),
    };
    vec![(scene.class(judged.top1), Tone::Title), (sign.to_owned(), tone)]
}

fn agreement(scene: &Scene<'_>, judged: &Judged, width: u16) -> Piece {
    let narrow = usize::from(width) < "● as the undivided network says".chars().count();
    if judged.top1 == judged.top1_of_whole {
        let sign = scene.look.sign("●", "+");
        let said = if narrow { "agrees" } else { "as the undivided network says" };
        return (format!("{sign} {said}"), Tone::Good);
    }
    let sign = scene.look.sign("‼", "!");
    let who = if narrow { "undivided:" } else { "the undivided network says" };
    (format!("{sign} {who} {}", scene.class(judged.top1_of_whole)), Tone::Wrong)
}

/// That the answer is not the undivided network's to rounding, if so.
fn inexact(scene: &Scene<'_>, flight: &Flight) -> Option<Vec<Piece>> {
    let Some(End::Answered { worth, .. }) = flight.end else { return None };
    let said = match worth {
        Worth::Exact => return None,
        Worth::Approximate => "approximate: of a batch",
        Worth::Estimate => "only an estimate",
    };
    let sign = scene.look.sign("≈", "~");
    Some(vec![(format!("{sign} {said}"), Tone::Warn)])
}

/// The best classes as bars.
fn bars(scene: &Scene<'_>, judged: &Judged, width: u16) -> Vec<Vec<Piece>> {
    let best: Vec<(String, f32)> =
        judged.best.iter().take(3).map(|(class, part)| (scene.class(*class), *part)).collect();
    let name = best.iter().map(|(name, _)| pen::width(name)).max().unwrap_or(0).min(12);
    let full = usize::from(width).saturating_sub(name + 1 + PERCENT).min(LONGEST_BAR);
    let bar = |(class, part): (String, f32)| {
        vec![
            (pen::column(scene.look, &class, name) + " ", Tone::Text),
            (blocks(scene.look, part, full), Tone::Busy),
            (format!("{:>6.1} %", part * 100.0), Tone::Text),
        ]
    };
    best.into_iter().map(bar).collect()
}

const PERCENT: usize = " 100.0 %".len();
const LONGEST_BAR: usize = 20;
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// A part of a bar, filled up with spaces to the whole of it.
fn blocks(look: &Look, part: f32, full: usize) -> String {
    let eighths = ((part * full as f32 * 8.0).round().max(0.0) as usize).min(full * 8);
    let mut bar = look.sign("█", "#").repeat(eighths / 8);
    if !look.ascii {
        bar += EIGHTHS[eighths % 8];
    }
    pen::column(look, &bar, full)
}

/// How all answers did so far.
fn score(scene: &Scene<'_>) -> Option<Vec<Piece>> {
    let tally = &scene.board.tally;
    if tally.judged == 0 {
        return None;
    }
    let right =
        (tally.labelled > 0).then(|| format!("{} of {} right", tally.right, tally.labelled));
    let agree = format!("{} of {} agree", tally.agreeing, tally.judged);
    let said: Vec<String> = right.into_iter().chain([agree]).collect();
    Some(vec![(said.join(" · "), Tone::Quiet)])
}

/// The request in flight, if it is not the one that is shown.
fn under_way(scene: &Scene<'_>, shown: &Flight) -> Option<Vec<Piece>> {
    let next = scene.board.flight().filter(|next| next.request != shown.request)?;
    let stage = next.round().map_or("accepted", |(stage, _)| scene.header.stage(stage));
    Some(vec![(format!("#{} {stage} …", next.request.0), Tone::Busy)])
}
