//! A screen as a picture: a buffer's cells as SVG, colours and all.
//!
//! Text is set run by run; blocks and lines, which fonts draw with gaps between them, are drawn.
#![allow(dead_code, reason = "each test uses a part of this")]

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

/// What a cell is drawn on and with where it says nothing itself.
#[derive(Clone, Copy)]
pub(crate) enum Ground {
    Dark,
    Light,
}

/// A cell of the picture.
const WIDTH: f64 = 9.0;
const HEIGHT: f64 = 19.0;
const BASELINE: f64 = 14.5;
const EDGE: f64 = 10.0;
const FONT: &str = "ui-monospace,'DejaVu Sans Mono','Cascadia Mono',Menlo,Consolas,monospace";

pub(crate) fn svg(buffer: &Buffer, ground: Ground, title: &str) -> String {
    let (columns, rows) = (buffer.area.width, buffer.area.height);
    let width = f64::from(columns) * WIDTH + 2.0 * EDGE;
    let height = f64::from(rows) * HEIGHT + 2.0 * EDGE;
    let (ink, paper) = (ground.ink(), ground.paper());
    let title = escaped(title);
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{title}\" \
         font-family=\"{FONT}\" font-size=\"15\" fill=\"{ink}\" xml:space=\"preserve\">\n\
         <title>{title}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{paper}\"/>\n\
         <g transform=\"translate({EDGE} {EDGE})\">\n"
    );
    let lines = buffer.content.chunks(usize::from(columns.max(1)));
    for (row, cells) in lines.enumerate() {
        let row = Row { cells, top: row as f64 * HEIGHT, ground };
        row.grounds(&mut picture);
        row.shapes(&mut picture);
        row.texts(&mut picture);
    }
    picture + "</g>\n</svg>\n"
}

struct Row<'r> {
    cells: &'r [Cell],
    top: f64,
    ground: Ground,
}

impl Row<'_> {
    fn grounds(&self, to: &mut String) {
        let colour = |cell: &Cell| self.ground.colours(cell).1;
        for (first, last) in runs(self.cells, |a, b| colour(a) == colour(b)) {
            if let Some(colour) = colour(&self.cells[first]) {
                rect(to, (first as f64 * WIDTH, self.top), span(first, last), &colour, 1.0);
            }
        }
    }

    /// Blocks and lines; neighbours that look alike are drawn as one where that changes nothing.
    fn shapes(&self, to: &mut String) {
        let alike = |a: &Cell, b: &Cell| {
            let full = shapes(a.symbol()).iter().all(|shape| shape.0 == 0.0 && shape.2 == 1.0);
            full && a.symbol() == b.symbol() && self.style(a) == self.style(b)
        };
        for (first, last) in runs(self.cells, alike) {
            let cell = &self.cells[first];
            let (width, _) = span(first, last);
            for (x, y, w, h, opacity) in shapes(cell.symbol()) {
                let left = first as f64 * WIDTH + x * WIDTH;
                let w = if first == last { w * WIDTH } else { width };
                let place = (left, self.top + y * HEIGHT);
                rect(to, place, (w, h * HEIGHT), &self.ink(cell), opacity);
            }
        }
    }

    fn texts(&self, to: &mut String) {
        let plain = |cell: &Cell| cell.symbol().is_ascii();
        let alike = |a: &Cell, b: &Cell| plain(a) && plain(b) && self.style(a) == self.style(b);
        for (first, last) in runs(self.cells, alike) {
            let cells = &self.cells[first..=last];
            let text: String = cells.iter().map(Cell::symbol).collect();
            if text.trim().is_empty() || !shapes(&text).is_empty() {
                continue;
            }
            let blank = text.len() - text.trim_start().len();
            self.text(to, first + blank, text.trim(), &self.cells[first]);
        }
    }

    fn text(&self, to: &mut String, at: usize, text: &str, cell: &Cell) {
        let y = self.top + BASELINE;
        let look = self.style(cell);
        let text = escaped(text);
        if text.is_ascii() {
            // Whatever the font, letters stay in their columns.
            let length = text_columns(&text) * WIDTH;
            let x = at as f64 * WIDTH;
            writeln!(to, "<text x=\"{x}\" y=\"{y}\" textLength=\"{length}\"{look}>{text}</text>")
        } else {
            let x = (at as f64 + 0.5) * WIDTH;
            writeln!(to, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\"{look}>{text}</text>")
        }
        .expect("a string takes all");
    }

    fn ink(&self, cell: &Cell) -> String {
        self.ground.colours(cell).0
    }

    fn style(&self, cell: &Cell) -> String {
        let mut look = format!(" fill=\"{}\"", self.ink(cell));
        let with = |modifier| cell.modifier.contains(modifier);
        for (modifier, attribute) in [
            (Modifier::BOLD, " font-weight=\"bold\""),
            (Modifier::ITALIC, " font-style=\"italic\""),
            (Modifier::UNDERLINED, " text-decoration=\"underline\""),
            (Modifier::CROSSED_OUT, " text-decoration=\"line-through\""),
            (Modifier::DIM, " opacity=\"0.6\""),
        ] {
            look += if with(modifier) { attribute } else { "" };
        }
        look
    }
}

/// Places of neighbours that look alike: first and last.
fn runs(cells: &[Cell], alike: impl Fn(&Cell, &Cell) -> bool) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (at, cell) in cells.iter().enumerate() {
        match runs.last_mut() {
            Some((_, last)) if alike(&cells[*last], cell) => *last = at,
            _ => runs.push((at, at)),
        }
    }
    runs
}

fn span(first: usize, last: usize) -> (f64, f64) {
    ((last + 1 - first) as f64 * WIDTH, HEIGHT)
}

fn rect(to: &mut String, (x, y): (f64, f64), (w, h): (f64, f64), fill: &str, opacity: f64) {
    let [x, y, w, h] = [x, y, w, h].map(|length| (length * 100.0).round() / 100.0);
    let see_through = if opacity < 1.0 { format!(" opacity=\"{opacity}\"") } else { String::new() };
    writeln!(
        to,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" fill=\"{fill}\"{see_through} \
         shape-rendering=\"crispEdges\"/>"
    )
    .expect("a string takes all");
}

/// A shape in parts of a cell: left, top, width, height, opacity.
type Shape = (f64, f64, f64, f64, f64);

/// How a symbol is drawn, if not by a font.
fn shapes(symbol: &str) -> Vec<Shape> {
    let mut letters = symbol.chars();
    let (Some(c), None) = (letters.next(), letters.next()) else { return Vec::new() };
    let eighths = |from: char| f64::from(c as u32 - from as u32 + 1) / 8.0;
    match c {
        '▀' => vec![(0.0, 0.0, 1.0, 0.5, 1.0)],
        '▁'..='█' => vec![(0.0, 1.0 - eighths('▁'), 1.0, eighths('▁'), 1.0)],
        '▉'..='▏' => vec![(0.0, 0.0, 1.0 - eighths('▉'), 1.0, 1.0)],
        '▐' => vec![(0.5, 0.0, 0.5, 1.0, 1.0)],
        '░' => vec![(0.0, 0.0, 1.0, 1.0, 0.3)],
        '▒' => vec![(0.0, 0.0, 1.0, 1.0, 0.55)],
        '▓' => vec![(0.0, 0.0, 1.0, 1.0, 0.8)],
        '┄' | '╌' => dashes(true),
        '┆' | '┊' => dashes(false),
        _ => arms(c).map_or(Vec::new(), lines),
    }
}

/// The thickness of a line, in parts of a cell's width and height.
const THIN: (f64, f64) = (1.2 / WIDTH, 1.2 / HEIGHT);

fn dashes(across: bool) -> Vec<Shape> {
    let (w, h) = THIN;
    let dash = |at: f64| {
        if across {
            (at + 0.08, 0.5 - h / 2.0, 0.3, h, 1.0)
        } else {
            (0.5 - w / 2.0, at + 0.08, w, 0.3, 1.0)
        }
    };
    vec![dash(0.0), dash(0.5)]
}

/// Whether a line goes left, right, up and down from the middle.
fn arms(c: char) -> Option<[bool; 4]> {
    let arms = match c {
        '─' => "lr",
        '│' => "ud",
        '┌' | '╭' => "rd",
        '┐' | '╮' => "ld",
        '└' | '╰' => "ru",
        '┘' | '╯' => "lu",
        '├' => "rud",
        '┤' => "lud",
        '┬' => "lrd",
        '┴' => "lru",
        '┼' => "lrud",
        '╵' => "u",
        '╷' => "d",
        '╴' => "l",
        '╶' => "r",
        _ => return None,
    };
    Some(['l', 'r', 'u', 'd'].map(|arm| arms.contains(arm)))
}

fn lines([left, right, up, down]: [bool; 4]) -> Vec<Shape> {
    let (w, h) = THIN;
    let (x, y) = (0.5 - w / 2.0, 0.5 - h / 2.0);
    let mut lines = Vec::new();
    if left || right {
        let (from, to) = (if left { 0.0 } else { x }, if right { 1.0 } else { x + w });
        lines.push((from, y, to - from, h, 1.0));
    }
    if up || down {
        let (from, to) = (if up { 0.0 } else { y }, if down { 1.0 } else { y + h });
        lines.push((x, from, w, to - from, 1.0));
    }
    lines
}

impl Ground {
    fn ink(self) -> &'static str {
        match self {
            Self::Dark => "#c8ccd4",
            Self::Light => "#24292f",
        }
    }

    fn paper(self) -> &'static str {
        match self {
            Self::Dark => "#15181e",
            Self::Light => "#fbfbfa",
        }
    }

    /// What a cell is drawn with, and on, if that is not the paper.
    fn colours(self, cell: &Cell) -> (String, Option<String>) {
        let ink = colour(cell.fg).unwrap_or(self.ink().to_owned());
        let paper = colour(cell.bg);
        if cell.modifier.contains(Modifier::REVERSED) {
            return (paper.unwrap_or(self.paper().to_owned()), Some(ink));
        }
        (ink, paper)
    }
}

fn colour(colour: Color) -> Option<String> {
    let named = match colour {
        Color::Reset => return None,
        Color::Rgb(red, green, blue) => return Some(format!("#{red:02x}{green:02x}{blue:02x}")),
        Color::Black => "#1e2127",
        Color::Red => "#ef5b6b",
        Color::Green => "#7fc36b",
        Color::Yellow => "#e5b454",
        Color::Blue => "#4f9cf0",
        Color::Magenta => "#c678dd",
        Color::Cyan => "#4fb8c4",
        Color::Gray => "#b4bac4",
        Color::DarkGray => "#6b7280",
        Color::LightRed => "#ff7b88",
        Color::LightGreen => "#a5e08e",
        Color::LightYellow => "#ffd479",
        Color::LightBlue => "#6cb6ff",
        Color::LightMagenta => "#f08be0",
        Color::LightCyan => "#7fe3ee",
        Color::White => "#f2f4f8",
        Color::Indexed(_) => panic!("no theme counts colours"),
    };
    Some(named.to_owned())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// How many letters an escaped text has.
fn text_columns(escaped: &str) -> f64 {
    let text = escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&amp;", "&").chars().count() as f64
}
