//! The app, key by key, without a terminal: what is pressed, what is seen.

mod support;

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use kofn::drive::Clock;
use kofn::plan::Plan;
use kofn::screen::app::{App, Options};
use kofn::screen::keys::Keymap;
use kofn::screen::look::Theme;
use kofn::session::{Origin, Session};
use kofn::view::board::Face;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{
    Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use support::{plan, root, setup};

static LENET: LazyLock<Arc<Plan>> = LazyLock::new(|| plan("lenet5"));

/// A user in front of a screen.
struct User {
    app: App,
    terminal: Terminal<TestBackend>,
}

impl User {
    fn before(width: u16, height: u16) -> Self {
        Self::before_a_run(width, height, Clock::Virtual, 40)
    }

    fn before_a_run(width: u16, height: u16, clock: Clock, requests: usize) -> Self {
        let topology = root().join("topologies/lenet5.ron").display().to_string();
        let origin = Origin { topology, ..Origin::default() };
        let setup = setup(&LENET, requests);
        let session = Session::start(&setup, clock, None, origin).expect("it starts");
        let options = Options {
            theme: Theme::Dark,
            ascii: false,
            keymap: Keymap::default(),
            speed: 0.01,
            at: None,
        };
        let app = App::new(session, options).expect("it starts");
        let terminal = Terminal::new(TestBackend::new(width, height)).expect("it is in memory");
        Self { app, terminal }
    }

    /// Presses keys by name, or types the letters of what is no key.
    fn press(&mut self, keys: &[&str]) -> &mut Self {
        for key in keys {
            match key.parse::<kofn::screen::keys::Key>() {
                Ok(key) => self.key(key.code(), key.control()),
                Err(_) => key.chars().for_each(|letter| self.key(KeyCode::Char(letter), false)),
            }
        }
        self
    }

    fn key(&mut self, code: KeyCode, control: bool) {
        let modifiers = if control { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
        let event = Event::Key(KeyEvent::new(code, modifiers));
        self.app.handle(&event).expect("the run goes on");
    }

    fn click(&mut self, column: u16, row: u16) {
        let kind = MouseEventKind::Down(MouseButton::Left);
        let modifiers = KeyModifiers::NONE;
        let event = Event::Mouse(MouseEvent { kind, column, row, modifiers });
        self.app.handle(&event).expect("the run goes on");
    }

    /// Lets so many frames of real time pass.
    fn watch(&mut self, frames: usize) -> &mut Self {
        for _ in 0..frames {
            self.app.tick(Duration::from_millis(33)).expect("the run goes on");
        }
        self
    }

    fn screen(&mut self) -> String {
        let mut drawn = Ok(());
        self.terminal.draw(|frame| drawn = self.app.draw(frame)).expect("it is in memory");
        drawn.expect("the run goes on");
        self.terminal.backend().to_string()
    }

    fn sees(&mut self, words: &str) {
        let screen = self.screen();
        assert!(screen.contains(words), "\"{words}\" is not on the screen:\n{screen}");
    }

    fn misses(&mut self, words: &str) {
        let screen = self.screen();
        assert!(!screen.contains(words), "\"{words}\" is on the screen:\n{screen}");
    }

    fn face(&self, device: usize) -> Face {
        self.app.session().branch().playhead().board().devices[device].face()
    }
}

#[test]
fn a_key_kills_the_selected_device_and_the_request_in_flight_is_rebuilt() {
    let mut user = User::before(120, 40);
    user.press(&["space"]).press(&["}", "}", "]", "]", "]"]);
    user.sees("#1");
    user.press(&["j", "j", "x"]);
    assert_eq!(user.face(2), Face::Dead, "in the same frame");
    user.sees("dead");
    user.press(&["}"]);
    user.sees("rebuilt");
    user.press(&["u"]).watch(1);
    user.sees("Crash is called off");
}

#[test]
fn k_moves_and_kills_nothing() {
    let mut user = User::before(80, 24);
    user.press(&["j", "k", "k", "k"]).watch(3);
    assert!((0..5).all(|device| user.face(device) == Face::Healthy));
    assert!(!user.app.session().branch().script().was_typed());
}

#[test]
fn the_last_margin_is_asked_for_once() {
    let mut user = User::before(80, 24);
    user.press(&["space", "}", "x", "j", "x"]);
    user.sees("would be left with 3 of 4 needed");
    assert_eq!(user.face(1), Face::Healthy, "nothing struck yet");
    user.press(&["j"]);
    user.sees("left alone");
    user.press(&[":", "Drop(probability: 1)", "enter"]);
    user.sees("would be left with 3 of 4 needed");
    user.press(&["n", ":", "Slow(by: 2)", "enter"]);
    user.misses("would be left");
    user.press(&["x", "y"]);
    assert_eq!(user.face(1), Face::Dead);
}

#[test]
fn time_passes_unless_it_is_paused_and_a_still_screen_is_not_drawn_again() {
    let mut user = User::before(80, 24);
    user.screen();
    user.watch(10);
    assert!(user.app.is_stale(), "something happened");
    let moment = user.app.session().branch().moment();
    let ms = moment.as_millis();
    assert!(ms > 0.0 && ms < 3.4, "at most a third of a second at 0.01: {moment}");
    user.press(&["space"]).screen();
    // The twin, which is run beside, is told of once.
    while user.app.is_stale() || !user.screen().contains("paused") {
        user.watch(1).screen();
    }
    user.watch(1).screen();
    user.watch(10);
    assert_eq!(user.app.session().branch().moment(), moment);
    assert!(!user.app.is_playing());
}

#[test]
fn a_live_run_goes_on_behind_a_paused_screen() {
    // More records than a run may be ahead of who listens.
    let mut user = User::before_a_run(80, 24, Clock::Live, 400);
    user.press(&["space"]);
    let before = user.screen();
    while user.app.is_awake() {
        user.watch(1);
    }
    assert_eq!(user.screen(), before, "it is paused");
    user.press(&["space"]).watch(1);
    user.sees("answered 400 of 400");
}

#[test]
fn steps_go_on_and_back_to_the_same_screen() {
    let mut user = User::before(120, 40);
    user.press(&["space", "}", "]"]);
    // Wait for the twin, so that it does not come in between.
    while user.app.session().branch().playhead().at() == 0 {
        user.watch(1);
    }
    let mut seen = vec![user.screen()];
    for _ in 0..12 {
        user.press(&["right"]);
        seen.push(user.screen());
    }
    let without_latency = |screen: &str| {
        // The run beside may end at any moment; all else is the playhead's.
        screen.lines().take(24).map(str::to_owned).collect::<Vec<_>>()
    };
    for before in seen.iter().rev().skip(1) {
        user.press(&["left"]);
        assert_eq!(without_latency(&user.screen()), without_latency(before));
    }
}

#[test]
fn a_fault_is_typed_as_in_a_plan_and_mistakes_are_told_where_they_are_made() {
    let mut user = User::before(120, 40);
    user.press(&["space", "}", ":", "Sl", "tab"]);
    user.sees("fault: Slow(by: 4)");
    user.press(&["backspace", "backspace", "0)", "enter"]);
    user.sees("give a factor of at least 1");
    user.press(&["left", "left", "2", "enter"]);
    user.sees("Slow(20");
    user.press(&["j", "."]);
    user.sees("on pi-2");
    user.press(&["H"]);
    user.sees("2 called off");
    user.press(&[":", "Crash", "esc"]);
    assert_eq!(user.face(1), Face::Healthy, "what is given up does not strike");
}

#[test]
fn a_filter_leaves_the_events_that_have_its_words() {
    let mut user = User::before(80, 24);
    user.press(&["space", "}", "}", "x", "}", "/"]);
    user.sees("Events");
    user.press(&["died", "enter"]);
    user.sees("pi-1 died: crash");
    user.misses("starts share");
    user.press(&["esc"]);
    user.sees("share");
}

#[test]
fn a_device_is_told_of_where_there_is_room() {
    let mut user = User::before(80, 24);
    user.press(&["space", "}", "}", "j", "enter"]);
    user.sees("its shares: conv1.1 conv2.1 fc1.1 fc2.1 fc3.1");
    user.sees("the supervisor holds it healthy");
}

#[test]
fn a_form_is_filled_in_with_what_is_usual() {
    let mut user = User::before(120, 40);
    user.press(&["space", "}", "c"]);
    user.sees("Corrupt(how: Scale(1.5), probability: 1.0)");
    user.press(&["enter"]);
    assert_eq!(user.face(0), Face::Lying);
    user.press(&["f"]);
    user.sees("Overload");
    user.press(&["j", "j", "j", "enter"]);
    user.sees("fault: Restart");
}

#[test]
fn marked_devices_are_struck_together() {
    let mut user = User::before(120, 40);
    user.press(&["space", "}", "v", "v", ":", "Freeze", "enter", "y"]);
    assert_eq!(
        (user.face(0), user.face(1), user.face(2)),
        (Face::Frozen, Face::Frozen, Face::Healthy)
    );
}

#[test]
fn a_fault_in_the_past_makes_a_branch_and_both_can_be_compared() {
    let mut user = User::before(80, 24);
    user.press(&["space", "}", "}", "}", "}", "{", "{", "z"]);
    user.sees("branch 2 of 2");
    user.press(&["}", "}", "b"]);
    user.sees("last typed");
    user.sees("off by");
    user.sees("Freeze");
    user.press(&["k", "enter"]);
    assert_eq!(user.app.session().current(), 0);
}

#[test]
fn a_session_is_written_as_a_plan_and_the_command_repeats_the_moment() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("mine.ron");
    let name = path.display().to_string();
    let mut user = User::before(200, 50);
    user.press(&["space", "}", "x", "}", "}", "y"]);
    user.sees("write the session first");
    user.press(&["w", "ctrl-u", &name, "enter"]);
    user.sees("written: kofn check");
    assert!(Path::new(&name).exists());
    user.press(&["y"]);
    user.sees("--faults");
    user.press(&["w", "ctrl-u", &name, "enter"]);
    user.sees("is there already");
}

#[test]
fn the_mouse_selects_a_device_and_a_panel() {
    let mut user = User::before(80, 24);
    user.screen();
    user.click(5, 2 + 2 + 3);
    // Neither the border nor the line below it is a device.
    user.click(5, 2);
    user.click(5, 3);
    user.press(&["space", "}", "x"]);
    assert_eq!(user.face(3), Face::Dead, "the fourth row was clicked");
}

#[test]
fn every_panel_has_its_turn_and_can_fill_the_screen() {
    let mut user = User::before(60, 14);
    for panel in ["Fleet", "Round", "Timeline", "Latency", "Answers", "Margin", "Events"] {
        user.sees(panel);
        user.press(&["tab"]);
    }
    user.sees("Fleet");
    let mut user = User::before(120, 40);
    user.press(&["enter"]);
    user.sees("Fleet");
    user.misses("Round");
    user.press(&["esc"]);
    user.sees("Round");
}

#[test]
fn help_tells_every_key_and_is_left_with_any() {
    let mut user = User::before(120, 60);
    user.press(&["?"]);
    for binding in kofn::screen::keys::TABLE {
        user.sees(binding.does);
    }
    user.press(&["esc"]);
    user.misses("random faults, at a rate");
    user.press(&["?", "ctrl-c"]);
    assert!(user.app.is_over());
}

#[test]
fn a_small_terminal_says_what_it_needs() {
    let mut user = User::before(30, 9);
    user.sees("too small: need 40×12");
    user.sees("30×9");
}

#[test]
fn no_size_and_no_state_makes_it_panic() {
    let states: [&[&str]; 7] = [
        &["}"],
        &["}", "?"],
        &["}", "f"],
        &["}", "x", "j", "x"],
        &["}", ":", "Sl"],
        &["}", "b"],
        &["}", "/", "pi"],
    ];
    for keys in states {
        let mut user = User::before(200, 60);
        user.press(&["space"]).press(keys);
        let sizes = (1..=90).step_by(7).flat_map(|w| (1..=40).step_by(3).map(move |h| (w, h)));
        for (width, height) in sizes.chain([(40, 12), (39, 12), (80, 24), (120, 40), (200, 60)]) {
            user.terminal.backend_mut().resize(width, height);
            user.screen();
        }
    }
}

#[test]
fn q_leaves_and_says_how_to_come_back() {
    let mut user = User::before(80, 24);
    user.press(&["space", "}", "}", "q"]);
    assert!(user.app.is_over());
    let closing = user.app.closing();
    assert!(closing.contains("answered 1 of 2") && closing.contains("--at "), "{closing}");
}

#[test]
fn the_monkey_is_let_loose_and_caught() {
    let mut user = User::before(120, 40);
    user.press(&["space", "}", "m", "ctrl-u", "wild", "enter"]);
    user.sees("is no rate");
    user.press(&["ctrl-u", "500", "enter"]);
    user.sees("monkey 500/s");
    user.press(&["space", "+", "+", "+"]).watch(10);
    assert!(!user.app.session().branch().playhead().board().faults.is_empty());
    user.press(&["m"]);
    user.sees("the monkey is caught");
}

#[test]
fn the_readme_has_every_key_there_is() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("it is there");
    for binding in kofn::screen::keys::TABLE {
        let keys: Vec<String> = binding.keys.iter().map(|key| format!("`{key}`")).collect();
        let row = format!("| {} | {} | `{}` |", keys.join(" "), binding.does, binding.name);
        assert!(readme.contains(&row), "the README lacks this row:\n{row}");
    }
    let rows = readme.lines().filter(|line| line.starts_with("| `") && line.ends_with("-event` |"));
    assert_eq!(rows.count(), 2, "and has none that is not");
}
