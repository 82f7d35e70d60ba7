//! The pictures of the README: made from the code, and held to be what the code makes.
//!
//! `KOFN_BLESS=1 cargo test --release --test pictures` makes them anew.

#[path = "support/scene.rs"]
mod scene;
mod support;
#[path = "support/svg.rs"]
mod svg;

use kofn::event::Event;
use kofn::screen::look::{Look, Theme};
use kofn::screen::panel::Panel;
use kofn::units::{RequestId, StageId};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent, KeyModifiers};
use scene::{Show, text};
use support::root;
use svg::{Ground, svg};

/// Compares with the picture that is stored, or stores it.
fn hold(name: &str, picture: &str) {
    let path = root().join(format!("tests/pictures/{name}.svg"));
    if std::env::var_os("KOFN_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("in a folder")).expect("writable");
        std::fs::write(&path, picture).expect("writable");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == picture,
        "{name}.svg is not what is drawn now; look at it, after\n  \
         KOFN_BLESS=1 cargo test --release --test pictures"
    );
}

/// The whole screen, after the layer was answered without the board that died in it.
fn whole_screen(width: u16, height: u16, keys: &[KeyCode]) -> Buffer {
    let rebuilt = |event: &Event| {
        let of = (event.request(), event.stage()) == (Some(RequestId(40)), Some(StageId(2)));
        of && matches!(event, Event::Decoded { .. })
    };
    let mut app = Show::app("one-dies", 60, rebuilt);
    for key in keys {
        let event = KeyEvent::new(*key, KeyModifiers::NONE);
        app.handle(&TerminalEvent::Key(event)).expect("in memory");
    }
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("in memory");
    let mut drawn = Ok(());
    terminal.draw(|frame| drawn = app.draw(frame)).expect("in memory");
    drawn.expect("in memory");
    terminal.backend().buffer().clone()
}

#[test]
fn the_screen_says_what_goes_on() {
    let picture = whole_screen(120, 40, &[KeyCode::Down, KeyCode::Down]);
    let title = "A board has died in the middle of fc1; the layer is answered from the other four";
    hold("screen", &svg(&picture, Ground::Dark, title));
}

#[test]
fn the_screen_is_whole_at_every_size_it_is_made_for() {
    for (width, height) in [(40, 12), (80, 24), (120, 40), (200, 60)] {
        let screen = text(&whole_screen(width, height, &[]));
        insta::assert_snapshot!(format!("{width}x{height}"), screen);
    }
    let keys = text(&whole_screen(80, 24, &[KeyCode::Char('?')]));
    insta::assert_snapshot!("keys", keys);
}

fn after_a_death() -> Show {
    Show::of("one-dies", 60).at(|event| matches!(event, Event::Died { .. })).later(90)
}

#[test]
fn a_board_dies_and_the_layer_is_answered_without_it() {
    let picture = after_a_death().draw(Panel::Timeline, 110, 8);
    let title = "Five lanes of work; one ends in a death, the others go on";
    hold("timeline", &svg(&picture, Ground::Dark, title));
}

#[test]
fn a_margin_shrinks_when_a_board_dies() {
    let picture = after_a_death().draw(Panel::Margin, 80, 5);
    hold("margin", &svg(&picture, Ground::Dark, "How many more devices each stage can lose"));
}

#[test]
fn the_log_tells_of_a_death() {
    let picture = after_a_death().draw(Panel::Events, 90, 14);
    hold("events", &svg(&picture, Ground::Dark, "What happened, newest last"));
}

#[test]
fn the_answer_is_right_though_a_board_is_dead() {
    let picture = after_a_death().draw(Panel::Answers, 70, 14);
    hold("answers", &svg(&picture, Ground::Dark, "A picture, what it is, and what was answered"));
}

#[test]
fn a_slow_board_costs_little() {
    let picture = Show::of("one-crawls", 300).draw(Panel::Latency, 90, 16);
    hold("latency", &svg(&picture, Ground::Dark, "Latencies of this run over those of its twin"));
}

#[test]
fn it_is_as_clear_on_paper() {
    let mut show = after_a_death();
    show.look = Look::new(Theme::Light, false);
    let picture = show.draw(Panel::Timeline, 110, 8);
    hold("timeline-light", &svg(&picture, Ground::Light, "The same lanes on a light ground"));
}
