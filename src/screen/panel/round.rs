//! Round: the request in flight as a grid of stages × shares, and what its round waits for.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span as Text};
use ratatui::widgets::{Paragraph, Widget, Wrap};

use super::super::look::Tone;
use super::super::scene::Scene;
use crate::event::Worth;
use crate::units::StageId;
use crate::view::board::{Cell, CellState, End, Enough, Flight, RoundBoard};
use crate::view::worth::how;

pub(super) fn draw(scene: &Scene<'_>, area: Rect, to: &mut Buffer) {
    let Some(flight) = scene.board.flight() else {
        return Line::styled("no request yet", scene.look.style(Tone::Quiet)).render(area, to);
    };
    let stages = scene.header.stages.len() as u16;
    let legend = u16::from(area.height >= stages.min(8) + 6) * legend_height(area.width);
    let words = match area.height {
        12.. => 4,
        8.. => 3,
        4.. => 1,
        _ => 0,
    };
    let [title, grid, said, key] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(words),
        Constraint::Length(legend),
    ])
    .areas(area);
    headline(scene, flight).render(title, to);
    draw_grid(scene, flight, grid, to);
    let explained = Paragraph::new(explanation(scene, flight)).wrap(Wrap { trim: true });
    explained.render(said, to);
    if legend > 0 {
        Paragraph::new(self::legend(scene)).wrap(Wrap { trim: true }).render(key, to);
    }
}

/// Which request, and how far it is.
fn headline(scene: &Scene<'_>, flight: &Flight) -> Line<'static> {
    let look = scene.look;
    let (text, tone) = match (&flight.end, flight.round()) {
        (Some(End::Answered { latency, worth }), _) => {
            let off = match &flight.judged {
                Some(judged) => format!(", off by {:.1e}", judged.error),
                None => String::new(),
            };
            (format!("answered{} in {latency}{off}", how(*worth)), answered(*worth))
        }
        (Some(End::Failed { latency, reason }), _) => {
            (format!("failed after {latency}: {reason}"), Tone::Bad)
        }
        (None, round) => match (flight.with, round) {
            (Some(first), _) => (format!("in a round with #{}", first.0), Tone::Busy),
            (None, Some((stage, round))) => (progress(scene, stage, round), Tone::Busy),
            (None, None) => ("was taken on".to_owned(), Tone::Busy),
        },
    };
    Line::from(vec![
        Text::styled(format!("#{} ", flight.request.0), look.style(Tone::Title)),
        Text::styled(look.text(&text), look.style(tone)),
    ])
}

/// The tone of an answer.
pub(super) fn answered(worth: Worth) -> Tone {
    if worth.is_exact() { Tone::Good } else { Tone::Warn }
}

fn progress(scene: &Scene<'_>, stage: StageId, round: &RoundBoard) -> String {
    let stage = &scene.header.stages[stage.0];
    let since = scene.board.now - round.began;
    let again =
        if round.attempt > 0 { format!(", try {}", round.attempt + 1) } else { String::new() };
    match (&round.decoded, &round.enough) {
        (Some(_), _) => format!("{} is done", stage.name),
        (None, Some(_)) => format!("{}: decoding", stage.name),
        (None, None) => format!(
            "{}: {} of {} needed, {since}{again}",
            stage.name,
            round.arrived(),
            stage.needed
        ),
    }
}

/// One row a stage; if there are too many, those around the one under way.
fn draw_grid(scene: &Scene<'_>, flight: &Flight, area: Rect, to: &mut Buffer) {
    let stages = &scene.header.stages;
    let rows = usize::from(area.height);
    let current = flight.stage.map_or(0, |stage| stage.0);
    let first = current.saturating_sub(rows / 2).min(stages.len().saturating_sub(rows));
    let names = stages.iter().map(|stage| stage.name.chars().count()).max().unwrap_or(0);
    let names = names.clamp(4, 12);
    for (row, (id, stage)) in stages.iter().enumerate().skip(first).take(rows).enumerate() {
        let line = Rect { y: area.y + row as u16, height: 1, ..area };
        let under_way = id == current && flight.end.is_none();
        let tone = if under_way { Tone::Title } else { Tone::Quiet };
        let name: String = stage.name.chars().take(names).collect();
        let mut parts = vec![Text::styled(format!("{name:names$} "), scene.look.style(tone))];
        let round = flight.rounds[id].as_ref();
        let room = usize::from(area.width).saturating_sub(names + 1);
        parts.extend(cells(scene, round, stage.shares.len(), room));
        parts.push(outcome(scene, round, stage.needed));
        Line::from(parts).render(line, to);
    }
}

/// The shares of a stage, as many as there is room for.
fn cells(
    scene: &Scene<'_>,
    round: Option<&RoundBoard>,
    shares: usize,
    room: usize,
) -> Vec<Text<'static>> {
    let gap = if shares * 2 <= room { " " } else { "" };
    let idle = Cell::default();
    let cell = |share: usize| {
        let cell = round.map_or(&idle, |round| &round.cells[share]);
        let (sign, tone) = sign(scene, cell);
        Text::styled(format!("{sign}{gap}"), scene.look.style(tone))
    };
    (0..shares.min(room)).map(cell).collect()
}

/// A source that was rebuilt is what matters most.
fn sign(scene: &Scene<'_>, cell: &Cell) -> (&'static str, Tone) {
    if cell.rebuilt { scene.look.rebuilt() } else { scene.look.cell(cell.state) }
}

/// How a stage's round ended, in a few words.
fn outcome(scene: &Scene<'_>, round: Option<&RoundBoard>, needed: usize) -> Text<'static> {
    let look = scene.look;
    let Some(round) = round else { return Text::default() };
    let (text, tone) = match (&round.decoded, &round.enough) {
        (Some(decoded), Some(enough)) if decoded.rebuilt.is_empty() => {
            (format!(" {}", enough.after), Tone::Quiet)
        }
        (Some(decoded), Some(enough)) => {
            let (rebuilt, what) = (decoded.rebuilt.len(), what_became(decoded.worth));
            let tone = if decoded.worth.is_exact() { Tone::Rebuilt } else { Tone::Warn };
            (format!(" {} {rebuilt} {what} in {}", enough.after, decoded.took), tone)
        }
        (None, None) if round.doubted => (" some share is wrong".to_owned(), Tone::Wrong),
        (None, None) if round.deadlines > 0 => (" the deadline passed".to_owned(), Tone::Bad),
        (None, None) => (format!(" {} of {needed}", round.arrived()), Tone::Busy),
        _ => (String::new(), Tone::Quiet),
    };
    Text::styled(look.text(&text), look.style(tone))
}

/// What became of sources that did not come.
fn what_became(worth: Worth) -> &'static str {
    match worth {
        Worth::Exact => "rebuilt",
        Worth::Approximate => "read off",
        Worth::Estimate => "guessed",
    }
}

/// Why the last decided round stopped waiting, and what decoding it cost.
fn explanation(scene: &Scene<'_>, flight: &Flight) -> Vec<Line<'static>> {
    let look = scene.look;
    let stages = flight.rounds.iter().enumerate().rev();
    let decided = stages.filter_map(|(id, round)| Some((id, round.as_ref()?)));
    // A round that rebuilt something says more than the last one, once the request has ended.
    let rebuilt = |(_, round): &(usize, &RoundBoard)| {
        round.decoded.as_ref().is_some_and(|decoded| !decoded.rebuilt.is_empty())
    };
    let mut decided = decided.filter(|(_, round)| round.enough.is_some()).peekable();
    let last = decided.peek().copied();
    let told = if flight.end.is_some() { decided.find(rebuilt).or(last) } else { last };
    let Some((id, round)) = told else { return Vec::new() };
    let stage = &scene.header.stages[id];
    let mut lines = Vec::new();
    if let Some(enough) = &round.enough {
        let text = format!("{}: {}", stage.name, reason(scene, enough, stage.needed));
        lines.push(Line::styled(look.text(&text), look.style(Tone::Text)));
    }
    if let Some(decoded) = &round.decoded
        && !decoded.rebuilt.is_empty()
    {
        let sources: Vec<String> = decoded.rebuilt.iter().map(usize::to_string).collect();
        let what = what_became(decoded.worth);
        let text = format!(
            "source {} {what} from shares {} in {}, condition {:.1}",
            sources.join(" "),
            decoded.used.iter().map(usize::to_string).collect::<Vec<_>>().join(" "),
            decoded.took,
            decoded.condition
        );
        lines.push(Line::styled(look.text(&text), look.style(Tone::Rebuilt)));
    }
    lines
}

/// `4 of 4 at 11 ms, pi-2 expected at 48 ms: decoded without it`.
fn reason(scene: &Scene<'_>, enough: &Enough, needed: usize) -> String {
    let who = enough.without.iter().map(|(device, expected)| {
        let name = scene.header.device(*device);
        expected.map_or_else(|| name.to_owned(), |at| format!("{name} expected at {at}"))
    });
    let who: Vec<String> = who.collect();
    let came = format!("{} came, {needed} needed, {}", enough.arrived, enough.after);
    match who.len() {
        0 => came,
        1 => format!("{came}; {}: decoded without it", who[0]),
        _ => format!("{came}; {}: decoded without them", who.join(", ")),
    }
}

fn legend_height(width: u16) -> u16 {
    if width >= 76 { 1 } else { 2 }
}

fn legend(scene: &Scene<'_>) -> Line<'static> {
    let look = scene.look;
    let states = [
        CellState::Asked,
        CellState::Computing,
        CellState::Arrived,
        CellState::Used,
        CellState::Late,
        CellState::Lost,
        CellState::Wrong,
    ];
    let mut parts = Vec::new();
    for state in states {
        let (sign, tone) = look.cell(state);
        parts.push(Text::styled(sign, look.style(tone)));
        parts.push(Text::styled(format!(" {}  ", state.word()), look.style(Tone::Quiet)));
    }
    let (sign, tone) = look.rebuilt();
    parts.push(Text::styled(sign, look.style(tone)));
    parts.push(Text::styled(" rebuilt", look.style(Tone::Quiet)));
    Line::from(parts)
}
