//! The margin panel.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::scene::Scene;

pub(super) fn draw(_: &Scene<'_>, _: Rect, _: &mut Buffer) {}
