//! Where the pointer is, and what is selected.

use ratatui::crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;
use ratatui::widgets::Block;

use super::App;
use crate::screen::layout::{Places, arrange};
use crate::screen::panel::{Panel, Window};

impl App {
    #[expect(clippy::wildcard_enum_match_arm, reason = "of the mouse only this is used")]
    pub(super) fn mouse(&mut self, mouse: MouseEvent) -> anyhow::Result<()> {
        let places = self.places();
        let Some((panel, area)) = places.and_then(|places| places.at(mouse.column, mouse.row))
        else {
            return Ok(());
        };
        match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                self.focus = panel;
                let inside = Block::bordered().inner(area);
                if panel == Panel::Fleet && inside.contains((mouse.column, mouse.row).into()) {
                    let window = Window::new(self.cursor.device, self.devices(), inside.height);
                    let row = usize::from(mouse.row - inside.y);
                    if let Some(row) = row.checked_sub(window.heading) {
                        self.select(window.first + row);
                    }
                }
            }
            MouseEventKind::ScrollDown => self.scroll(1),
            MouseEventKind::ScrollUp => self.scroll(-1),
            _ => return Ok(()),
        }
        self.stale = true;
        Ok(())
    }

    pub(super) fn places(&self) -> Option<Places> {
        arrange((Position::ORIGIN, self.size).into(), self.focus, self.alone)
    }

    pub(super) fn devices(&self) -> usize {
        self.session.branch().playhead().board().devices.len()
    }

    pub(super) fn select(&mut self, device: usize) {
        self.cursor.device = device.min(self.devices().saturating_sub(1));
    }

    /// Moves the selection, or the list in focus.
    pub(super) fn scroll(&mut self, by: isize) {
        if self.focus == Panel::Events {
            // Up is back in time.
            self.cursor.scroll = self.cursor.scroll.saturating_add_signed(-by);
        } else {
            self.select(self.cursor.device.saturating_add_signed(by));
        }
    }
}
