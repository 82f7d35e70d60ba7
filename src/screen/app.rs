//! The app: what the user sees and does, without a terminal. Keys go in, a drawn frame comes out.

mod act;
mod face;
mod over;
mod pointing;
mod typing;

use std::time::Duration;

use hdrhistogram::Histogram;
use ratatui::crossterm::event::{Event, KeyEventKind};
use ratatui::layout::Size;

use super::keys::{Key, Keymap};
use super::look::{Look, Theme, Tone};
use super::panel::Panel;
use super::prompt::Prompt;
use super::scene::Cursor;
use crate::session::{Session, Stop};
use crate::units::{Span, Time};
use crate::view::worth;

/// How it is to look and go on.
#[derive(Clone, Debug)]
pub struct Options {
    pub theme: Theme,
    pub ascii: bool,
    pub keymap: Keymap,
    /// The run's seconds a second; infinite for as fast as can be.
    pub speed: f64,
    /// Where to begin, if not at the beginning; it is paused there.
    pub at: Option<Time>,
}

/// Everything between keys and frames.
#[derive(Debug)]
pub struct App {
    session: Session,
    keymap: Keymap,
    theme: Theme,
    look: Look,
    cursor: Cursor,
    focus: Panel,
    /// Whether the panel in focus fills the screen.
    alone: bool,
    mode: Mode,
    playing: bool,
    speed: f64,
    beside: Vec<(String, Histogram<u64>)>,
    /// What was done or refused last.
    note: Option<(String, Tone)>,
    /// What struck last, for doing it again.
    last_fault: Option<String>,
    /// Where the session was written, while nothing was typed since.
    saved: Option<String>,
    size: Size,
    /// Whether something changed since the last frame.
    stale: bool,
    over: bool,
}

/// What keys mean now.
#[derive(Clone, Debug, PartialEq)]
enum Mode {
    Watch,
    /// How many lines it is scrolled.
    Help(usize),
    /// The fault under the pointer.
    Menu(usize),
    /// The branch under the pointer.
    Branches(usize),
    Prompt(Prompt),
    /// A fault that would cost an answer, and why.
    Sure {
        words: String,
        why: String,
    },
}

/// The speeds that keys step through: the run's seconds a second.
const SPEEDS: [f64; 17] = [
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1.0,
    2.0,
    5.0,
    10.0,
    20.0,
    50.0,
    100.0,
    200.0,
    500.0,
    1000.0,
    f64::INFINITY,
];

/// With no limit to its speed a run may go on so far between two frames.
const AT_MOST: Span = Span(2_000_000_000);

impl App {
    pub fn new(session: Session, options: Options) -> anyhow::Result<Self> {
        let Options { theme, ascii, keymap, speed, at } = options;
        let mut app = Self {
            session,
            keymap,
            theme,
            look: Look::new(theme, ascii),
            cursor: Cursor::default(),
            focus: Panel::Fleet,
            alone: false,
            mode: Mode::Watch,
            playing: at.is_none(),
            speed,
            beside: Vec::new(),
            note: None,
            last_fault: None,
            saved: None,
            size: Size::ZERO,
            stale: true,
            over: false,
        };
        if let Some(at) = at {
            app.go_to(at)?;
        }
        Ok(app)
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Whether the user wants to leave.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Whether the screen must be drawn anew.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// Shows the latencies of another run beside this one's.
    pub fn compare_with(&mut self, name: &str, latencies: Histogram<u64>) {
        self.beside.push((name.to_owned(), latencies));
        // The run without faults is the one to be measured by.
        self.beside.sort_by_key(|(name, _)| name != "without faults");
        self.stale = true;
    }

    /// Lets time pass.
    pub fn resume(&mut self) {
        self.playing = true;
    }

    /// Whether time passes on its own.
    pub fn is_playing(&self) -> bool {
        self.playing && !self.is_at_the_end()
    }

    /// Whether something may happen without a key.
    pub fn is_awake(&self) -> bool {
        self.is_playing() || (self.session.is_live() && !self.session.branch().is_over())
    }

    fn is_at_the_end(&self) -> bool {
        let branch = self.session.branch();
        branch.is_over() && branch.playhead().is_at_head()
    }

    /// What came of it, in a line or two, for when the screen is gone.
    pub fn closing(&self) -> String {
        let tally = &self.session.branch().playhead().board().tally;
        let came = format!(
            "answered {} of {}{}, failed {}, off by {:.1e} at most",
            tally.answered,
            tally.accepted,
            worth::of_answers(tally.approximate, tally.estimates),
            tally.failed,
            tally.max_error
        );
        match self.session.command(self.saved.as_deref()) {
            Ok(command) => format!("{came}\nto see this again: {command}"),
            Err(_) => came,
        }
    }

    /// Lets real time pass.
    ///
    /// # Errors
    /// If the run broke down.
    pub fn tick(&mut self, passed: Duration) -> anyhow::Result<()> {
        for (name, latencies) in self.session.ended_beside() {
            self.compare_with(&name, latencies);
        }
        if !self.is_playing() {
            // Real time does not wait for who looks: what it says is kept, so that it can go on.
            return if self.session.is_live() {
                self.session.branch_mut().listen()
            } else {
                Ok(())
            };
        }
        let before = (self.session.branch().moment(), self.session.branch().playhead().at());
        if self.session.is_live() {
            self.session.branch_mut().follow()?;
        } else {
            let span = passed.as_secs_f64() * self.speed;
            let span = if span.is_finite() { Span::from_secs(span) } else { AT_MOST };
            self.session.advance(span.min(AT_MOST))?;
        }
        let after = (self.session.branch().moment(), self.session.branch().playhead().at());
        if self.is_at_the_end() {
            self.say("the run is over: q quits, g goes back to the beginning", Tone::Title);
        }
        self.stale |= before != after;
        Ok(())
    }

    /// Takes in what the terminal says.
    ///
    /// # Errors
    /// If the run broke down.
    pub fn handle(&mut self, event: &Event) -> anyhow::Result<()> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(Key::of(*key)),
            Event::Mouse(mouse) => self.mouse(*mouse),
            Event::Paste(text) => {
                if let Mode::Prompt(prompt) = &mut self.mode {
                    prompt.insert(text);
                    self.stale = true;
                }
                Ok(())
            }
            Event::Resize(..) => {
                self.stale = true;
                Ok(())
            }
            Event::Key(_) | Event::FocusGained | Event::FocusLost => Ok(()),
        }
    }

    fn say(&mut self, what: impl Into<String>, tone: Tone) {
        self.note = Some((what.into(), tone));
        self.stale = true;
    }

    /// Tells how something went.
    fn tell(&mut self, outcome: Result<String, String>) {
        match outcome {
            Ok(what) => self.say(what, Tone::Good),
            Err(why) => self.say(why, Tone::Bad),
        }
    }

    /// Goes to a moment, running there if need be, and pauses.
    fn go_to(&mut self, moment: Time) -> anyhow::Result<()> {
        self.playing = false;
        let branch = self.session.branch_mut();
        while branch.playhead().board().now <= moment && !branch.is_over() {
            branch.jump(Stop::Request)?;
        }
        branch.look_at_moment(moment)
    }
}
