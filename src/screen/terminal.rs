//! The terminal: taken when the app starts, given back however it ends.
//!
//! Only the thread that took it gives it back. Another thread's panic, a device's for one, is kept
//! and told when the screen is gone, instead of being written over it.

use std::cell::Cell;
use std::io::{self, Stdout, stdout};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{
    self, DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::app::App;

/// Thirty frames a second while time passes.
const FRAME: Duration = Duration::from_millis(33);

/// The shell's number for a program that ended with its terminal.
const HUNG_UP: i32 = 129;

/// How long nothing need happen before signals are looked for.
const IDLE: Duration = Duration::from_millis(200);

/// Shows the app until the user leaves it, or the system asks for an end.
///
/// # Errors
/// If the terminal cannot be used, or the run broke down. The terminal is given back before.
pub fn show(app: &mut App, mouse: bool) -> anyhow::Result<()> {
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        // Whoever asks twice does not want to wait.
        signal_hook::flag::register_conditional_shutdown(signal, 1, ended.clone())?;
        signal_hook::flag::register(signal, ended.clone())?;
    }
    // When it hangs up there is no terminal to give back, and reading from it would never end.
    let always = Arc::new(AtomicBool::new(true));
    signal_hook::flag::register_conditional_shutdown(SIGHUP, HUNG_UP, always)?;
    let taken = Taken::take(mouse)?;
    let shown = watch(app, &ended);
    drop(taken);
    shown
}

fn watch(app: &mut App, ended: &AtomicBool) -> anyhow::Result<()> {
    let mut terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
    let mut clock = Clock::start();
    while !app.is_over() && !ended.load(Ordering::Relaxed) {
        if app.is_stale() {
            let mut drawn = Ok(());
            terminal.draw(|frame| drawn = app.draw(frame))?;
            drawn?;
        }
        if event::poll(if app.is_awake() { FRAME } else { IDLE })? {
            app.handle(&event::read()?)?;
            // A burst of keys is one frame.
            while event::poll(Duration::ZERO)? {
                app.handle(&event::read()?)?;
            }
        }
        app.tick(clock.lap())?;
    }
    Ok(())
}

/// Real time, in which the run's time is shown.
struct Clock(std::time::Instant);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the pace at which a run is shown is real")]
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// The time since the last lap; not more than a frame's after a pause.
    fn lap(&mut self) -> Duration {
        let lap = self.0.elapsed();
        *self = Self::start();
        lap.min(2 * FRAME)
    }
}

thread_local! {
    /// Whether this thread has taken the terminal.
    static OWNER: Cell<bool> = const { Cell::new(false) };
}

/// What other threads' panics said meanwhile.
static KEPT: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The terminal is ours until this is dropped.
struct Taken;

impl Taken {
    fn take(mouse: bool) -> io::Result<Self> {
        OWNER.set(true);
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if OWNER.get() {
                give_back();
                before(info);
            } else {
                KEPT.lock().unwrap_or_else(PoisonError::into_inner).push(info.to_string());
            }
        }));
        // From here on it is given back, even if only half of it was taken.
        let taken = Self;
        enable_raw_mode()?;
        execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste)?;
        if mouse {
            execute!(stdout(), EnableMouseCapture)?;
        }
        Ok(taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
        // A panicking thread may not change the hook; the program ends then anyway.
        if !std::thread::panicking() {
            let _ = panic::take_hook();
        }
        for said in KEPT.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            eprintln!("{said}");
        }
    }
}

/// Gives the terminal back, once.
fn give_back() {
    if !OWNER.replace(false) {
        return;
    }
    // If that fails there is no terminal any more.
    let restore = |mut to: Stdout| {
        execute!(to, DisableMouseCapture, DisableBracketedPaste, LeaveAlternateScreen)?;
        execute!(to, ratatui::crossterm::cursor::Show)?;
        disable_raw_mode()
    };
    let _ = restore(stdout());
}
