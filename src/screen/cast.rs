//! Recordings: frames written as an asciinema cast, version 2: a header line, then a line a frame with
//! what changed since the one before, as a terminal is told.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};

/// A recording under way.
pub struct Cast {
    terminal: Terminal<CrosstermBackend<Told>>,
    told: Told,
    shown: Option<Buffer>,
    /// The moment of the last frame, and whether anything changed in it.
    last: Option<(f64, bool)>,
    lines: String,
}

impl Cast {
    pub fn new(width: u16, height: u16) -> Self {
        let told = Told::default();
        let viewport = Viewport::Fixed(Rect::new(0, 0, width, height));
        let backend = CrosstermBackend::new(told.clone());
        let terminal = Terminal::with_options(backend, TerminalOptions { viewport });
        // What was in the player's terminal before is none of the recording.
        told.0.borrow_mut().extend_from_slice(b"\x1b[2J\x1b[H");
        Self {
            terminal: terminal.expect("nothing is asked of a fixed terminal"),
            told,
            shown: None,
            last: None,
            lines: format!("{{\"version\":2,\"width\":{width},\"height\":{height}}}\n"),
        }
    }

    /// Shows a frame so many seconds after the beginning.
    pub fn frame(&mut self, at_seconds: f64, draw: impl FnOnce(&mut Frame<'_>)) {
        let drawn = self.terminal.draw(draw).expect("memory takes all");
        let changed = self.shown.as_ref() != Some(drawn.buffer);
        if changed {
            self.shown = Some(drawn.buffer.clone());
        }
        let told = std::mem::take(&mut *self.told.0.borrow_mut());
        if changed {
            self.say(at_seconds, &told);
        }
        self.last = Some((at_seconds, changed));
    }

    /// The whole recording.
    pub fn into_text(mut self) -> String {
        // A still end lasts as long as it was shown.
        if let Some((at, false)) = self.last {
            self.say(at, b"");
        }
        self.lines
    }

    fn say(&mut self, at_seconds: f64, told: &[u8]) {
        let told = String::from_utf8_lossy(told);
        let line = serde_json::to_string(&(at_seconds, "o", told));
        self.lines += &line.expect("numbers and text are JSON");
        self.lines.push('\n');
    }
}

/// What the terminal was told since the last frame.
#[derive(Clone, Default)]
struct Told(Rc<RefCell<Vec<u8>>>);

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
