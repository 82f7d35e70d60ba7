//! What lies over the panels: help, menus, questions.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span as Text};
use ratatui::widgets::{Block, Clear, Paragraph, Widget};

use super::act::PAGE;
use super::{App, Mode};
use crate::plan::typed;
use crate::screen::keys::{Action, TABLE};
use crate::screen::look::Tone;
use crate::screen::panel::pen::column;
use crate::screen::prompt::Purpose;
use crate::units::Span;

impl App {
    /// What lies over the panels.
    pub(super) fn draw_over(&mut self, screen: Rect, to: &mut Buffer) -> anyhow::Result<()> {
        let (title, lines, at) = match &self.mode {
            Mode::Watch | Mode::Prompt(_) => return Ok(()),
            Mode::Help(at) => ("Keys", self.help(), *at),
            Mode::Menu(at) => ("Faults", self.menu(*at), at.saturating_sub(4)),
            Mode::Sure { why, .. } => ("Sure?", self.question(&why.clone()), 0),
            Mode::Branches(at) => {
                let at = *at;
                // The chosen one is in sight, under the heading.
                let scrolled = (at + 4).saturating_sub(screen.height.into());
                ("Branches", self.branch_table(at, screen.width.into())?, scrolled)
            }
        };
        let width = lines.iter().map(Line::width).max().unwrap_or(0) as u16 + 4;
        let area = screen.centered(
            Constraint::Length(width.min(screen.width)),
            Constraint::Length((lines.len() as u16 + 2).min(screen.height)),
        );
        let most = lines.len().saturating_sub(usize::from(area.height.saturating_sub(2)));
        let at = at.min(most);
        if let Mode::Help(scrolled) = &mut self.mode {
            *scrolled = at;
        }
        Clear.render(area, to);
        let border = self.look.style(Tone::Title);
        let block = Block::bordered().border_style(border).title(format!(" {title} "));
        Paragraph::new(lines).block(block).scroll((at as u16, 0)).render(area, to);
        Ok(())
    }

    /// A key in a list that lies over the screen.
    pub(super) fn choose(&mut self, action: Option<Action>) -> anyhow::Result<()> {
        let last = match &self.mode {
            Mode::Menu(_) => typed::kinds().count() - 1,
            Mode::Branches(_) => self.session.branches() - 1,
            Mode::Help(_) | Mode::Watch | Mode::Prompt(_) | Mode::Sure { .. } => usize::MAX,
        };
        let (Mode::Help(at) | Mode::Menu(at) | Mode::Branches(at)) = &mut self.mode else {
            return Ok(());
        };
        match action {
            Some(Action::Down) => *at = at.saturating_add(1).min(last),
            Some(Action::Up) => *at = at.saturating_sub(1),
            Some(Action::PageDown) => *at = at.saturating_add(PAGE as usize).min(last),
            Some(Action::PageUp) => *at = at.saturating_sub(PAGE as usize),
            Some(Action::Inspect) => {
                let at = *at;
                match std::mem::replace(&mut self.mode, Mode::Watch) {
                    Mode::Menu(_) => {
                        let template = typed::kinds().nth(at);
                        self.prompt(Purpose::Fault, template.map_or("", |(_, template)| template));
                    }
                    Mode::Branches(_) => {
                        self.playing = false;
                        self.session.switch(at);
                        self.saved = None;
                    }
                    Mode::Help(_) | Mode::Watch | Mode::Prompt(_) | Mode::Sure { .. } => {}
                }
            }
            None => {}
            Some(_) => self.mode = Mode::Watch,
        }
        Ok(())
    }

    fn help(&self) -> Vec<Line<'static>> {
        let look = &self.look;
        let mut lines = Vec::new();
        let mut about = "";
        for binding in TABLE {
            if binding.about != about {
                about = binding.about;
                lines.push(Line::styled(about, look.style(Tone::Title)));
            }
            let keys = self.keymap.keys(binding.action);
            lines.push(Line::from(vec![
                Text::styled(format!(" {keys:14}"), look.style(Tone::Busy)),
                Text::styled(look.text(binding.does), look.style(Tone::Text)),
            ]));
        }
        lines
    }

    fn menu(&self, at: usize) -> Vec<Line<'static>> {
        let row = |(row, (_, template)): (usize, (&str, &str))| {
            let style = self.look.style(Tone::Text).add_modifier(if row == at {
                Modifier::REVERSED
            } else {
                Modifier::empty()
            });
            Line::styled(format!(" {template} "), style)
        };
        typed::kinds().enumerate().map(row).collect()
    }

    fn question(&self, why: &str) -> Vec<Line<'static>> {
        vec![
            Line::styled(self.look.text(why), self.look.style(Tone::Bad)),
            Line::styled(
                "y or Enter: do it   any other key: leave it",
                self.look.style(Tone::Text),
            ),
        ]
    }

    fn branch_table(&mut self, at: usize, columns: usize) -> anyhow::Result<Vec<Line<'static>>> {
        let (reached, standings) = self.session.compare()?;
        let look = &self.look;
        // What was typed is given what the numbers and the border leave.
        let room = columns.saturating_sub(66).min(24);
        let typed = |what: &str| column(look, what, room);
        let heading = format!(
            "  {:8} {:>9} {} {:>9} {:>6} {:>8} {:>8} {:>7}",
            "up to",
            "left at",
            typed("last typed"),
            "answered",
            "failed",
            "p50",
            "p99",
            "off by"
        );
        let mut lines = vec![Line::styled(heading, look.style(Tone::Quiet))];
        let span = |span: Option<Span>| span.map_or("-".to_owned(), |s| s.to_string());
        for (row, standing) in standings.iter().enumerate() {
            let here = if row == self.session.current() { look.sign("▸", ">") } else { " " };
            let left =
                standing.forked.map_or("-".to_owned(), |at| format!("{:.1} ms", at.as_millis()));
            let typed = typed(standing.last_typed.as_deref().unwrap_or("-"));
            let text = format!(
                "{here} {:8} {left:>9} {typed} {:>4} {:>4} {:>6} {:>8} {:>8} {:>7.1e}",
                format!("{:.0} ms", reached.as_millis()),
                standing.answered,
                format!("/{}", standing.accepted),
                standing.failed,
                span(standing.p50),
                span(standing.p99),
                standing.max_error,
            );
            let chosen = if row == at { Modifier::REVERSED } else { Modifier::empty() };
            let style = look.style(Tone::Text).add_modifier(chosen);
            lines.push(Line::styled(look.text(&text), style));
        }
        Ok(lines)
    }
}
