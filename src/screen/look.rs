//! The look: what each thing is drawn with. A sign, a word and a colour, so that no one of them is
//! needed to tell things apart.

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

use crate::view::board::{CellState, Face};

/// Colours by what they mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    pub palette: Palette,
    /// Whether only ASCII is drawn.
    pub ascii: bool,
}

/// The themes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Theme {
    #[default]
    Dark,
    Light,
    /// White on black, and bold where it matters.
    HighContrast,
    /// Blue, orange and yellow of Okabe and Ito, which red-green colour-blind people tell apart.
    ColourBlind,
    /// No colours at all.
    Plain,
}

impl Theme {
    pub const ALL: [Self; 5] =
        [Self::Dark, Self::Light, Self::HighContrast, Self::ColourBlind, Self::Plain];
}

/// What a colour can mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Under way.
    Busy,
    /// Not as it should be.
    Warn,
    /// Lost.
    Bad,
    /// Wrong: worse than lost.
    Wrong,
    /// Computed from others: what kofn is for.
    Rebuilt,
    /// Of no importance now.
    Quiet,
    /// Headings.
    Title,
    Text,
}

/// One colour a tone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette {
    good: Style,
    busy: Style,
    warn: Style,
    bad: Style,
    wrong: Style,
    rebuilt: Style,
    quiet: Style,
    title: Style,
    text: Style,
}

impl Palette {
    pub fn of(theme: Theme) -> Self {
        let fg = |color: Color| Style::new().fg(color);
        let rgb = |r, g, b| fg(Color::Rgb(r, g, b));
        let plain = Style::new();
        match theme {
            Theme::Dark => Self {
                good: fg(Color::Green),
                busy: fg(Color::Cyan),
                warn: fg(Color::Yellow),
                bad: fg(Color::Red),
                wrong: fg(Color::LightMagenta).add_modifier(Modifier::BOLD),
                rebuilt: fg(Color::LightBlue).add_modifier(Modifier::BOLD),
                quiet: fg(Color::DarkGray),
                title: fg(Color::White).add_modifier(Modifier::BOLD),
                text: fg(Color::Gray),
            },
            Theme::Light => Self {
                good: rgb(0, 110, 40),
                busy: rgb(0, 95, 135),
                warn: rgb(150, 90, 0),
                bad: rgb(190, 0, 0),
                wrong: rgb(150, 0, 150).add_modifier(Modifier::BOLD),
                rebuilt: rgb(0, 60, 190).add_modifier(Modifier::BOLD),
                quiet: rgb(130, 130, 130),
                title: rgb(0, 0, 0).add_modifier(Modifier::BOLD),
                text: rgb(40, 40, 40),
            },
            Theme::HighContrast => Self {
                good: fg(Color::White),
                busy: fg(Color::White),
                warn: fg(Color::LightYellow).add_modifier(Modifier::BOLD),
                bad: fg(Color::LightRed).add_modifier(Modifier::BOLD | Modifier::REVERSED),
                wrong: fg(Color::LightMagenta).add_modifier(Modifier::BOLD | Modifier::REVERSED),
                rebuilt: fg(Color::LightCyan).add_modifier(Modifier::BOLD),
                quiet: fg(Color::Gray),
                title: fg(Color::White).add_modifier(Modifier::BOLD),
                text: fg(Color::White),
            },
            Theme::ColourBlind => Self {
                good: rgb(86, 180, 233),
                busy: rgb(0, 158, 215),
                warn: rgb(240, 228, 66),
                bad: rgb(230, 159, 0),
                wrong: rgb(213, 94, 0).add_modifier(Modifier::BOLD),
                rebuilt: rgb(240, 240, 255).add_modifier(Modifier::BOLD),
                ..Self::of(Theme::Dark)
            },
            Theme::Plain => Self {
                good: plain,
                busy: plain,
                warn: plain.add_modifier(Modifier::BOLD),
                bad: plain.add_modifier(Modifier::BOLD),
                wrong: plain.add_modifier(Modifier::BOLD | Modifier::REVERSED),
                rebuilt: plain.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
                quiet: plain.add_modifier(Modifier::DIM),
                title: plain.add_modifier(Modifier::BOLD),
                text: plain,
            },
        }
    }
}

impl Look {
    pub fn new(theme: Theme, ascii: bool) -> Self {
        Self { palette: Palette::of(theme), ascii }
    }

    pub fn style(&self, tone: Tone) -> Style {
        let palette = &self.palette;
        match tone {
            Tone::Good => palette.good,
            Tone::Busy => palette.busy,
            Tone::Warn => palette.warn,
            Tone::Bad => palette.bad,
            Tone::Wrong => palette.wrong,
            Tone::Rebuilt => palette.rebuilt,
            Tone::Quiet => palette.quiet,
            Tone::Title => palette.title,
            Tone::Text => palette.text,
        }
    }

    /// The first sign, or in ASCII the second.
    pub fn sign<'s>(&self, unicode: &'s str, ascii: &'s str) -> &'s str {
        if self.ascii { ascii } else { unicode }
    }

    /// Text without what is not ASCII, if only that is drawn.
    pub fn text(&self, text: &str) -> String {
        if !self.ascii {
            return text.to_owned();
        }
        let plain = |c: char| match c {
            'µ' => 'u',
            '×' => 'x',
            '·' => '-',
            '…' => '~',
            '≤' => '<',
            c if c.is_ascii() => c,
            _ => '?',
        };
        text.chars().map(plain).collect()
    }

    /// How a device's face is drawn: its sign and its tone. The word is [`Face::word`].
    pub fn face(&self, face: Face) -> (&'static str, Tone) {
        match face {
            Face::Healthy => (self.sign("●", "+"), Tone::Good),
            Face::Probation => (self.sign("◌", "o"), Tone::Warn),
            Face::Slow => (self.sign("◐", "~"), Tone::Warn),
            Face::Suspect => (self.sign("◔", "?"), Tone::Warn),
            Face::Excluded => (self.sign("⊘", "/"), Tone::Bad),
            Face::Lying => (self.sign("‼", "!"), Tone::Wrong),
            Face::Frozen => (self.sign("■", "#"), Tone::Bad),
            Face::Dead => (self.sign("✖", "X"), Tone::Bad),
        }
    }

    /// How a share's cell is drawn. The word is [`CellState::word`].
    pub fn cell(&self, state: CellState) -> (&'static str, Tone) {
        match state {
            CellState::Idle => (self.sign("·", "."), Tone::Quiet),
            CellState::Asked => (self.sign("○", "o"), Tone::Busy),
            CellState::Computing => (self.sign("◍", ">"), Tone::Busy),
            CellState::Arrived => (self.sign("●", "+"), Tone::Good),
            CellState::Used => (self.sign("◆", "*"), Tone::Good),
            CellState::Late => (self.sign("◷", "-"), Tone::Quiet),
            CellState::CalledOff => (self.sign("⊝", "="), Tone::Quiet),
            CellState::Refused => (self.sign("⊘", "/"), Tone::Bad),
            CellState::Lost => (self.sign("✖", "X"), Tone::Bad),
            CellState::Wrong => (self.sign("‼", "!"), Tone::Wrong),
        }
    }

    /// The sign of a source that was computed from others.
    pub fn rebuilt(&self) -> (&'static str, Tone) {
        (self.sign("✚", "R"), Tone::Rebuilt)
    }
}
