//! A trace as a recording for asciinema: the screen, played from one moment to another.

use std::path::Path;
use std::time::Duration;

use super::BadInput;
use super::file::write_whole;
use crate::screen::app::App;
use crate::screen::cast::Cast;
use crate::units::Time;

/// Ten frames a second: more is not seen in a recording.
const FRAME: Duration = Duration::from_millis(100);

/// A recording is not longer than this.
const LONGEST: Duration = Duration::from_secs(600);

/// How large the recorded screen is.
const SIZE: (u16, u16) = (120, 40);

/// Plays the app until a moment, and writes what is seen.
pub(super) fn write(path: &Path, mut app: App, until: Time) -> anyhow::Result<()> {
    let mut cast = Cast::new(SIZE.0, SIZE.1);
    let mut at = Duration::ZERO;
    let mut drawn = Ok(());
    app.resume();
    while at <= LONGEST {
        cast.frame(at.as_secs_f64(), |frame| drawn = app.draw(frame));
        drawn?;
        drawn = Ok(());
        if app.session().branch().moment() >= until || !app.is_playing() {
            let text = cast.into_text();
            return Ok(write_whole(path, |to| to.write_all(text.as_bytes()))?);
        }
        app.tick(FRAME)?;
        at += FRAME;
    }
    let most = LONGEST.as_secs();
    let why = format!("the recording would be longer than {most} s: give --speed, --from or --to");
    Err(BadInput(why).into())
}
