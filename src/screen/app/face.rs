//! The face: the frame around the panels, and what lies over them.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span as Text};
use ratatui::widgets::{Block, Paragraph, Widget, Wrap};

use super::{App, Mode};
use crate::screen::keys::Action;
use crate::screen::layout::{LEAST, arrange};
use crate::screen::look::Tone;
use crate::screen::panel::Panel;
use crate::screen::prompt::Prompt;
use crate::screen::scene::Scene;
use crate::view::worth;

/// How many records panels look back on.
const RECENT: usize = 4000;

impl App {
    /// Draws everything.
    ///
    /// # Errors
    /// If old records cannot be read back.
    pub fn draw(&mut self, frame: &mut Frame<'_>) -> anyhow::Result<()> {
        let screen = frame.area();
        (self.size, self.stale) = (screen.as_size(), false);
        let to = frame.buffer_mut();
        let Some(places) = arrange(screen, self.focus, self.alone) else {
            let (width, height) = LEAST;
            let (w, h) = (screen.width, screen.height);
            let text = format!("too small: need {width}×{height}, have {w}×{h}");
            Paragraph::new(self.look.text(&text)).wrap(Wrap { trim: true }).render(screen, to);
            return Ok(());
        };
        let recent = self.session.branch_mut().recent(RECENT)?;
        self.draw_title(places.title, to);
        let scene = self.scene(&recent);
        for (panel, area) in &places.panels {
            let inner = self.draw_border(*panel, *area, to);
            panel.draw(&scene, inner, to);
        }
        self.draw_hints(places.hints, to);
        self.draw_over(screen, to)?;
        if let (Mode::Prompt(prompt), hints) = (&self.mode, places.hints) {
            let column = prompt.label().chars().count() + prompt.cursor();
            frame.set_cursor_position((hints.x + (column as u16).min(hints.width - 1), hints.y));
        }
        Ok(())
    }

    fn scene<'s>(&'s self, recent: &'s crate::view::tape::Recent) -> Scene<'s> {
        let playhead = self.session.branch().playhead();
        let plan = self.session.background();
        Scene {
            header: playhead.header(),
            board: playhead.board(),
            recent,
            look: &self.look,
            cursor: &self.cursor,
            inputs: plan.map_or(&[], |plan| &plan.inputs),
            classes: plan.map_or(&[], |plan| &plan.classes),
            beside: &self.beside,
            answer_within: plan.and_then(|plan| plan.policy.answer_within),
        }
    }

    fn draw_border(&self, panel: Panel, area: Rect, to: &mut Buffer) -> Rect {
        let focused = panel == self.focus;
        let tone = if focused { Tone::Title } else { Tone::Quiet };
        let mut block = Block::bordered()
            .border_style(self.look.style(tone))
            .title(Text::styled(format!(" {} ", panel.title()), self.look.style(Tone::Title)));
        if self.look.ascii {
            block = block.border_set(ratatui::symbols::border::Set {
                top_left: "+",
                top_right: "+",
                bottom_left: "+",
                bottom_right: "+",
                vertical_left: "|",
                vertical_right: "|",
                horizontal_top: "-",
                horizontal_bottom: "-",
            });
        }
        let inner = block.inner(area);
        block.render(area, to);
        inner
    }

    fn draw_title(&self, area: Rect, to: &mut Buffer) {
        let branch = self.session.branch();
        let look = &self.look;
        let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(28)])
            .areas(Rect { height: 1, ..area });
        let mut headline = format!("kofn · {}", branch.playhead().header().headline());
        if branch.script().was_typed() {
            headline += " · typed faults";
        }
        Line::styled(look.text(&headline), look.style(Tone::Title)).render(left, to);
        let clock = format!("{} {:.3} ms", self.pace(), branch.moment().as_millis());
        let tone = if self.is_playing() { Tone::Busy } else { Tone::Warn };
        Line::styled(look.text(&clock), look.style(tone)).right_aligned().render(right, to);
        if area.height > 1 {
            let below = Rect { y: area.y + 1, height: 1, ..area };
            self.tally().render(below, to);
        }
    }

    /// Whether and how fast time goes.
    fn pace(&self) -> String {
        let sign = |unicode, ascii| self.look.sign(unicode, ascii);
        if self.is_at_the_end() {
            return format!("{} over", sign("■", "#"));
        }
        if !self.playing {
            return format!("{} paused", sign("‖", "||"));
        }
        match (self.session.is_live(), self.speed) {
            (true, _) => "live".to_owned(),
            (false, speed) if speed.is_infinite() => format!("{} max", sign("▶", ">")),
            (false, speed) => format!("{} {speed}×", sign("▶", ">")),
        }
    }

    /// What came of the run so far, in a line.
    fn tally(&self) -> Line<'static> {
        let board = self.session.branch().playhead().board();
        let look = &self.look;
        let tally = &board.tally;
        let inexact = worth::of_answers(tally.approximate, tally.estimates);
        let mut parts = vec![Text::styled(
            format!("answered {} of {}{inexact}", tally.answered, tally.accepted),
            look.style(Tone::Good),
        )];
        let mut add = |text: String, tone| {
            parts.push(Text::styled(look.text(&format!(" · {text}")), look.style(tone)));
        };
        let failed = if tally.failed > 0 { Tone::Bad } else { Tone::Quiet };
        add(format!("failed {}", tally.failed), failed);
        if tally.rebuilt > 0 {
            add(format!("rebuilt {}", tally.rebuilt), Tone::Rebuilt);
        }
        if tally.caught > 0 {
            add(format!("lies caught {}", tally.caught), Tone::Wrong);
        }
        if let Some(p99) = board.latency(0.99) {
            let p50 = board.latency(0.5).unwrap_or(p99);
            add(format!("p50 {p50}, p99 {p99}"), Tone::Text);
            add(format!("off by {:.1e} at most", tally.max_error), Tone::Text);
        }
        if let Some(monkey) = self.session.monkey() {
            add(format!("monkey {}/s", monkey.rate()), Tone::Warn);
        }
        if self.session.branches() > 1 {
            let (here, all) = (self.session.current() + 1, self.session.branches());
            add(format!("branch {here} of {all}"), Tone::Title);
        }
        Line::from(parts)
    }

    /// The last line: what is typed, what was done, or which keys there are.
    fn draw_hints(&self, area: Rect, to: &mut Buffer) {
        let look = &self.look;
        if let Mode::Prompt(prompt) = &self.mode {
            return self.draw_prompt(prompt, area, to);
        }
        if let Some((note, tone)) = &self.note {
            return Line::styled(look.text(note), look.style(*tone)).render(area, to);
        }
        let mut parts = Vec::new();
        let mut room = usize::from(area.width);
        for (action, does) in HINTS {
            let key = self.keymap.key(*action);
            let length = key.chars().count() + does.chars().count() + 3;
            if length > room {
                break;
            }
            room -= length;
            parts.push(Text::styled(key, look.style(Tone::Title)));
            parts.push(Text::styled(format!(" {does}  "), look.style(Tone::Quiet)));
        }
        Line::from(parts).render(area, to);
    }

    fn draw_prompt(&self, prompt: &Prompt, area: Rect, to: &mut Buffer) {
        let look = &self.look;
        let mut parts = vec![
            Text::styled(prompt.label(), look.style(Tone::Title)),
            Text::styled(look.text(prompt.text()), look.style(Tone::Text)),
        ];
        if let Some(refusal) = &prompt.refusal {
            parts.push(Text::styled(look.text(&format!("  {refusal}")), look.style(Tone::Bad)));
        } else if prompt.purpose == crate::screen::prompt::Purpose::Fault {
            let who = self.who();
            let hint = format!("  on {who}; Enter strikes, Tab completes, Esc leaves it");
            parts.push(Text::styled(look.text(&hint), look.style(Tone::Quiet)));
        }
        Line::from(parts).render(area, to);
    }
}

/// The keys that are told without being asked, most needed first.
const HINTS: &[(Action, &str)] = &[
    (Action::Crash, "crash"),
    (Action::Freeze, "freeze"),
    (Action::Slow, "slow"),
    (Action::Corrupt, "lie"),
    (Action::Menu, "faults"),
    (Action::Pause, "pause"),
    (Action::NextPanel, "panel"),
    (Action::Help, "help"),
    (Action::Quit, "quit"),
    (Action::Undo, "undo"),
    (Action::StepStage, "next stage"),
    (Action::NextTrouble, "next trouble"),
    (Action::Faster, "faster"),
    (Action::Slower, "slower"),
    (Action::Write, "write plan"),
    (Action::Branches, "branches"),
    (Action::Filter, "filter"),
    (Action::Inspect, "fill screen"),
];
