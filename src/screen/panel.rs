//! The panels: one file each, pure over the [`Scene`], all with the same signature.

mod answers;
mod events;
mod fleet;
mod latency;
mod margin;
mod mark;
pub(super) mod pen;
mod round;
mod timeline;

pub use fleet::Window;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::scene::Scene;

/// A part of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Panel {
    /// A row a device: how it is, what it does.
    Fleet,
    /// The request in flight, as a grid of stages × shares.
    Round,
    /// A lane a device: when it worked at what.
    Timeline,
    /// How long answers took, beside the run without faults.
    Latency,
    /// What was asked, answered, and would have been right.
    Answers,
    /// How many more devices each stage can lose now.
    Margin,
    /// What happened, newest last.
    Events,
}

impl Panel {
    pub const ALL: [Self; 7] = [
        Self::Fleet,
        Self::Round,
        Self::Timeline,
        Self::Latency,
        Self::Answers,
        Self::Margin,
        Self::Events,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::Fleet => "Fleet",
            Self::Round => "Round",
            Self::Timeline => "Timeline",
            Self::Latency => "Latency",
            Self::Answers => "Answers",
            Self::Margin => "Margin",
            Self::Events => "Events",
        }
    }

    /// Draws it into the area, whatever its size.
    pub fn draw(self, scene: &Scene<'_>, area: Rect, to: &mut Buffer) {
        let draw = match self {
            Self::Fleet => fleet::draw,
            Self::Round => round::draw,
            Self::Timeline => timeline::draw,
            Self::Latency => latency::draw,
            Self::Answers => answers::draw,
            Self::Margin => margin::draw,
            Self::Events => events::draw,
        };
        if !area.is_empty() {
            draw(scene, area, to);
        }
    }
}
