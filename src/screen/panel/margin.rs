//! The margin panel: a gauge a stage, how many more devices it can lose now and still answer.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::look::{Look, Tone};
use super::super::scene::Scene;
use super::mark;
use super::pen::{self, Piece};
use crate::view::board::StageBoard;
use crate::view::trace::StageHeader;

pub(super) fn draw(scene: &Scene<'_>, area: Rect, to: &mut Buffer) {
    let stages: Vec<Row<'_>> = scene.header.stages.iter().zip(&scene.board.stages).collect();
    let (shown, rest) = fitting(stages, usize::from(area.height));
    let columns = Columns::of(scene, &shown, usize::from(area.width));
    for (at, row) in shown.iter().enumerate() {
        pen::write(scene.look, area, at as u16, &columns.pieces(scene.look, *row), to);
    }
    if rest > 0 && area.height > 1 {
        let said = format!("and {rest} more that can lose as many or more");
        pen::write(scene.look, area, area.height - 1, &[(said, Tone::Quiet)], to);
    }
}

/// A stage, and how its rounds went.
type Row<'s> = (&'s StageHeader, &'s StageBoard);

/// All stages in the plan's order, or if they do not fit, those with the smallest margin first; and
/// how many are left out.
fn fitting(mut stages: Vec<Row<'_>>, room: usize) -> (Vec<Row<'_>>, usize) {
    if stages.len() > room {
        stages.sort_by_key(|(_, stage)| stage.margin.unwrap_or(i64::MAX));
        let shown = room.saturating_sub(1).max(1);
        let rest = stages.len() - shown;
        stages.truncate(shown);
        return (stages, rest);
    }
    (stages, 0)
}

/// What a row has room for.
struct Columns {
    name: usize,
    gauge: usize,
    words: bool,
    rounds: bool,
    condition: bool,
}

/// The widest of [`words`].
const WORDS: usize = "cannot answer".len();
const ROUNDS: usize = "  9999 rebuilt of 9999".len();
const CONDITION: usize = "  condition up to 1.2e10".len();
/// A longer gauge tells nothing that its words do not.
const LONGEST_GAUGE: usize = 16;

impl Columns {
    fn of(scene: &Scene<'_>, rows: &[Row<'_>], width: usize) -> Self {
        let name = rows.iter().map(|(stage, _)| pen::width(&stage.name)).max().unwrap_or(0);
        let name = name.min(width / 3).min(24);
        let gauge = scene.header.stages.iter().map(StageHeader::spares).max().unwrap_or(0);
        let gauge = gauge.clamp(1, LONGEST_GAUGE);
        let mut used = name + 3;
        let mut fits = |more: usize| {
            let fits = used + more <= width;
            used += if fits { more } else { 0 };
            fits
        };
        let words = fits(WORDS + 1);
        let gauge = if fits(gauge + 1) { gauge } else { 0 };
        Self { name, gauge, words, rounds: fits(ROUNDS), condition: fits(CONDITION) }
    }

    fn pieces(&self, look: &Look, (header, stage): Row<'_>) -> Vec<Piece> {
        let tone = stage.margin.map_or(Tone::Quiet, mark::margin);
        let mut pieces = vec![(pen::column(look, &header.name, self.name) + " ", Tone::Text)];
        pieces.push((sign(look, stage.margin).to_owned() + " ", tone));
        if self.gauge > 0 {
            pieces.extend(self.gauge(look, header, stage.margin, tone));
        }
        if self.words {
            pieces.push((format!("{:<WORDS$}", words(stage.margin)), tone));
        } else {
            let left = stage.margin.map_or("?".to_owned(), |left| left.to_string());
            pieces.push((left, tone));
        }
        let quiet = if stage.rebuilt > 0 { Tone::Rebuilt } else { Tone::Quiet };
        if self.rounds && stage.rounds > 0 {
            pieces.push((format!("  {:>4} rebuilt", stage.rebuilt), quiet));
            pieces.push((format!(" of {:<4}", stage.rounds), Tone::Quiet));
        }
        if self.condition && stage.rounds > 0 {
            let said = format!("  condition up to {}", number(stage.worst_condition));
            pieces.push((said, Tone::Quiet));
        }
        pieces
    }

    /// A dot for each device that may be lost; empty where it is lost already.
    fn gauge(
        &self,
        look: &Look,
        header: &StageHeader,
        margin: Option<i64>,
        tone: Tone,
    ) -> Vec<Piece> {
        let spares = header.spares().min(self.gauge);
        let left = usize::try_from(margin.unwrap_or(0)).unwrap_or(0).min(self.gauge);
        let gone = spares.saturating_sub(left);
        let rest = self.gauge + 1 - left.max(spares);
        vec![
            (look.sign("■", "#").repeat(left), tone),
            (look.sign("□", "_").repeat(gone), tone),
            (" ".repeat(rest), Tone::Quiet),
        ]
    }
}

fn sign(look: &Look, margin: Option<i64>) -> &'static str {
    match margin {
        None => look.sign("·", "."),
        Some(1..) => look.sign("●", "+"),
        Some(0) => look.sign("◔", "!"),
        Some(_) => look.sign("✖", "X"),
    }
}

fn words(margin: Option<i64>) -> String {
    match margin {
        None => "not said yet".to_owned(),
        Some(0) => "none left".to_owned(),
        Some(left @ 1..) => format!("{left} more"),
        Some(_) => "cannot answer".to_owned(),
    }
}

/// A condition number: large ones matter by their magnitude only.
fn number(condition: f64) -> String {
    if condition < 1000.0 { format!("{condition:.1}") } else { format!("{condition:.1e}") }
}
