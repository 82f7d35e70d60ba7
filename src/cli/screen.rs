//! The terminal screen, for the commands that open it.

use std::io::IsTerminal;
use std::str::FromStr;

use clap::Args;

use super::Exit;
use crate::screen::app::{App, Options};
use crate::screen::config::Config;
use crate::screen::look::Theme;
use crate::screen::terminal;
use crate::session::Session;
use crate::units::Time;

/// How to look at a run.
#[derive(Debug, Clone, Args)]
pub(super) struct ScreenArgs {
    /// Print text even on a terminal
    #[arg(long)]
    pub(super) no_tui: bool,
    /// How fast virtual time goes on the screen: 0.01 to 1000 times real time, or max
    #[arg(long, value_name = "X", default_value = "0.01")]
    speed: Pace,
    /// Begin on the screen at this moment, paused, as in 150ms
    #[arg(long, value_name = "MOMENT")]
    at: Option<Time>,
    /// Draw with ASCII only
    #[arg(long)]
    ascii: bool,
}

/// The run's seconds a second.
#[derive(Debug, Clone, Copy)]
struct Pace(f64);

impl FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self(f64::INFINITY));
        }
        let number = text.trim_end_matches(['x', '×']).parse().ok();
        let number = number.filter(|speed| (0.01..=1000.0).contains(speed));
        number.map(Self).ok_or_else(|| "give 0.01 to 1000, or max".to_owned())
    }
}

impl ScreenArgs {
    /// Whether there is a screen and a keyboard, and nobody wants text.
    pub(super) fn wants_screen(&self) -> bool {
        !self.no_tui && std::io::stdout().is_terminal() && std::io::stdin().is_terminal()
    }

    /// Why these arguments need a screen that is not there, if they do.
    pub(super) fn needs_screen(&self) -> Option<&'static str> {
        (self.at.is_some()).then_some("--at shows a moment on the screen, which needs a terminal")
    }

    /// The app that shows a session.
    pub(super) fn app(
        &self,
        session: Session,
        at: Option<Time>,
        config: Config,
    ) -> anyhow::Result<App> {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let options = Options {
            theme: if no_color { Theme::Plain } else { config.theme },
            ascii: config.ascii || self.ascii,
            keymap: config.keymap,
            speed: self.speed.0,
            at,
        };
        App::new(session, options)
    }

    /// Shows a session until the user leaves it.
    pub(super) fn show(&self, session: Session) -> anyhow::Result<Exit> {
        let config = Config::load()?;
        let mouse = config.mouse;
        let mut app = self.app(session, self.at, config)?;
        terminal::show(&mut app, mouse)?;
        super::say(&app.closing());
        Ok(Exit::AsExpected)
    }
}
