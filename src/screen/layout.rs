//! The layout: which panels are where, for every size of the terminal.
//!
//! ```text
//!  40×12              80×24                 120×40                       180×50
//!  title              title                 title                        title
//!  ┌─ one panel ─┐    ┌Fleet─┬Round─┐       ┌─Fleet──┬─Round───┐         ┌Fleet──┬Round──┬Answers┐
//!  │             │    │      │      │       │        │         │         │       │       │       │
//!  │             │    ├──────┴──────┤       ├Timeline┴┬─Margin─┤         ├Timeline───────┬Margin─┤
//!  │  Tab: next  │    │ Timeline, or│       │         │        │         │               │       │
//!  │             │    │ the chosen  │       ├Answers┬Latency┬Events       ├Latency──┬Events───────┤
//!  └─────────────┘    └─────────────┘       └───────┴───────┴──┘         └─────────┴─────────────┘
//!  hints              hints                 hints                        hints
//! ```

use ratatui::layout::{Constraint, Layout, Rect};

use super::panel::Panel;

/// The smallest terminal there is anything to see on.
pub const LEAST: (u16, u16) = (40, 12);

/// Where the parts of the screen are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    pub title: Rect,
    pub panels: Vec<(Panel, Rect)>,
    pub hints: Rect,
}

impl Places {
    /// The panel at a place, and its area with the border.
    pub fn at(&self, column: u16, row: u16) -> Option<(Panel, Rect)> {
        let here = |(_, area): &&(Panel, Rect)| area.contains((column, row).into());
        self.panels.iter().find(here).copied()
    }
}

/// Divides the screen; `alone` fills it with the panel in focus. None if it is too small.
pub fn arrange(screen: Rect, focus: Panel, alone: bool) -> Option<Places> {
    if screen.width < LEAST.0 || screen.height < LEAST.1 {
        return None;
    }
    let title = if screen.height < 20 { 1 } else { 2 };
    let [title, body, hints] =
        Layout::vertical([Constraint::Length(title), Constraint::Fill(1), Constraint::Length(1)])
            .areas(screen);
    if alone {
        return Some(Places { title, panels: vec![(focus, body)], hints });
    }
    let panels = match (screen.width, screen.height) {
        (..80, _) | (_, ..20) => vec![(focus, body)],
        (..120, _) | (_, ..36) => medium(body, focus),
        (..180, _) | (_, ..46) => large(body),
        _ => largest(body),
    };
    Some(Places { title, panels, hints })
}

fn medium(body: Rect, focus: Panel) -> Vec<(Panel, Rect)> {
    let [above, below] =
        Layout::vertical([Constraint::Percentage(56), Constraint::Fill(1)]).areas(body);
    let [fleet, round] =
        Layout::horizontal([Constraint::Percentage(48), Constraint::Fill(1)]).areas(above);
    let third = if matches!(focus, Panel::Fleet | Panel::Round) { Panel::Timeline } else { focus };
    vec![(Panel::Fleet, fleet), (Panel::Round, round), (third, below)]
}

fn large(body: Rect) -> Vec<(Panel, Rect)> {
    let [above, middle, below] = Layout::vertical([
        Constraint::Percentage(40),
        Constraint::Percentage(25),
        Constraint::Fill(1),
    ])
    .areas(body);
    let [fleet, round] =
        Layout::horizontal([Constraint::Percentage(58), Constraint::Fill(1)]).areas(above);
    let [timeline, margin] =
        Layout::horizontal([Constraint::Percentage(65), Constraint::Fill(1)]).areas(middle);
    let [answers, latency, events] = Layout::horizontal([
        Constraint::Percentage(30),
        Constraint::Percentage(30),
        Constraint::Fill(1),
    ])
    .areas(below);
    vec![
        (Panel::Fleet, fleet),
        (Panel::Round, round),
        (Panel::Timeline, timeline),
        (Panel::Margin, margin),
        (Panel::Answers, answers),
        (Panel::Latency, latency),
        (Panel::Events, events),
    ]
}

fn largest(body: Rect) -> Vec<(Panel, Rect)> {
    let [above, middle, below] = Layout::vertical([
        Constraint::Percentage(40),
        Constraint::Percentage(30),
        Constraint::Fill(1),
    ])
    .areas(body);
    let [fleet, round, answers] = Layout::horizontal([
        Constraint::Percentage(44),
        Constraint::Percentage(30),
        Constraint::Fill(1),
    ])
    .areas(above);
    let [timeline, margin] =
        Layout::horizontal([Constraint::Percentage(70), Constraint::Fill(1)]).areas(middle);
    let [latency, events] =
        Layout::horizontal([Constraint::Percentage(42), Constraint::Fill(1)]).areas(below);
    vec![
        (Panel::Fleet, fleet),
        (Panel::Round, round),
        (Panel::Answers, answers),
        (Panel::Timeline, timeline),
        (Panel::Margin, margin),
        (Panel::Latency, latency),
        (Panel::Events, events),
    ]
}
