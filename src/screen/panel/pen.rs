//! The pen: text into a part of the screen, cut with "…" where it does not fit.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use super::super::look::{Look, Tone};

/// A piece of a line.
pub(super) type Piece = (String, Tone);

/// How many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { Span::raw(text).width() }
}

/// The text, cut and ended with "…" if it is wider than so many columns.
pub(super) fn cut(look: &Look, text: &str, columns: usize) -> String {
    let text = look.text(text);
    if width(&text) <= columns {
        return text;
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if width(&kept) + 1 > columns {
            kept.pop();
            break;
        }
    }
    if columns > 0 {
        kept.push_str(look.sign("…", "~"));
    }
    kept
}

/// The text in exactly so many columns: cut, or filled up with spaces.
pub(in crate::screen) fn column(look: &Look, text: &str, columns: usize) -> String {
    let text = cut(look, text, columns);
    let rest = columns.saturating_sub(width(&text));
    text + &" ".repeat(rest)
}

/// Writes pieces one after the other on a row of the area.
pub(super) fn write(look: &Look, area: Rect, row: u16, pieces: &[Piece], to: &mut Buffer) {
    let mut x = 0;
    for (text, tone) in pieces {
        let text = cut(look, text, usize::from(area.width.saturating_sub(x)));
        put(area, x, row, &text, look.style(*tone), to);
        x += width(&text) as u16;
    }
}

/// Puts text at a place in the area; what lies outside is left out.
pub(super) fn put(area: Rect, x: u16, row: u16, text: &str, style: Style, to: &mut Buffer) {
    let area = area.intersection(to.area);
    if row < area.height && x < area.width {
        to.set_stringn(area.x + x, area.y + row, text, usize::from(area.width - x), style);
    }
}

/// Puts a sign of one column at a place in the area: quicker than text.
pub(super) fn dot(area: Rect, x: u16, row: u16, sign: &str, style: Style, to: &mut Buffer) {
    let inside = row < area.height && x < area.width;
    if inside && let Some(cell) = to.cell_mut((area.x + x, area.y + row)) {
        cell.set_symbol(sign).set_style(style);
    }
}

/// So many of the area's rows, from one on.
pub(super) fn rows(area: Rect, from: u16, height: u16) -> Rect {
    let y = area.y.saturating_add(from.min(area.height));
    Rect { y, height: height.min(area.bottom().saturating_sub(y)), ..area }
}
