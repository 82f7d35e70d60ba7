//! The program in a real terminal, from its start to a terminal that is as it was.

mod support;

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use support::root;

/// Longer than anything takes on a busy machine, and more frames than are needed for it.
const PATIENCE: Duration = Duration::from_secs(30);
const MOST_READS: usize = 1500;

const ROWS: NonZeroU16 = NonZeroU16::new(40).expect("more than none");
const COLUMNS: NonZeroU16 = NonZeroU16::new(120).expect("more than none");

/// A terminal with the program in it.
struct Pty {
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    program: Box<dyn Child + Send + Sync>,
}

impl Pty {
    fn with(args: &[&str], environment: &[(&str, &str)]) -> Self {
        let size = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_kofn"));
        command.args(args);
        command.cwd(root());
        command.env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        let nowhere = std::env::temp_dir().join("kofn-without-configuration");
        command.env("XDG_CONFIG_HOME", nowhere);
        environment.iter().for_each(|(name, value)| command.env(name, value));
        let program = pair.slave.spawn_command(command).expect("the program starts");
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let (heard, output) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 65_536];
            while let Ok(count) = reader.read(&mut bytes) {
                if count == 0 || heard.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        let keyboard = pair.master.take_writer().expect("a keyboard");
        let screen = vt100::Parser::new(ROWS, COLUMNS, 0);
        Self { master: pair.master, keyboard, output, screen, program }
    }

    /// Reads until the screen is as is waited for.
    fn until(&mut self, what: &str, is: impl Fn(&vt100::Screen) -> bool) {
        for _ in 0..MOST_READS {
            if is(self.screen.screen()) {
                return;
            }
            let Ok(bytes) = self.output.recv_timeout(PATIENCE) else { break };
            self.screen.process(&bytes);
        }
        let _ = self.program.kill();
        panic!("never {what}:\n{}", self.screen.screen().contents());
    }

    fn shows(&mut self, words: &str) {
        self.until(words, |screen| screen.contents().contains(words));
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the program listens");
        self.keyboard.flush().expect("the program listens");
    }

    /// Waits for its end; the terminal must be as it was before.
    fn ends(mut self) -> u32 {
        self.until("out of the alternate screen", |screen| !screen.alternate_screen());
        let exit = self.program.wait().expect("it ends");
        // What it said last may still be on its way.
        while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(200)) {
            self.screen.process(&bytes);
        }
        let screen = self.screen.screen();
        assert!(!screen.alternate_screen(), "the screen from before is back");
        assert!(!screen.hide_cursor(), "and the cursor");
        assert!(!screen.bracketed_paste(), "paste is plain again");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        drop(self.master);
        exit.exit_code()
    }
}

const LENET: &str = "topologies/lenet5.ron";

#[test]
fn a_device_is_killed_by_a_key_the_session_is_written_and_passes_its_check() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plan = folder.path().join("mine.ron").display().to_string();
    let mut pty = Pty::with(&["run", LENET, "--speed", "0.05"], &[]);
    pty.shows("Fleet");
    pty.shows("answered 2 of");
    pty.press("jjx");
    pty.shows("dead");
    pty.shows("rebuilt");
    pty.press(" ");
    pty.shows("paused");
    pty.press("w\u{15}");
    pty.press(&plan);
    pty.press("\r");
    pty.shows("written: kofn check");
    pty.press("q");
    assert_eq!(pty.ends(), 0);
    let check = assert_cmd::Command::new(env!("CARGO_BIN_EXE_kofn"))
        .args(["check", &plan])
        .output()
        .expect("the program starts");
    let told = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.status.success(), "{told}");
    let text = std::fs::read_to_string(Path::new(&plan)).expect("it was written");
    assert!(text.contains("who: \"pi-3\", what: Crash"), "{text}");
}

#[test]
fn a_request_to_end_gives_the_terminal_back() {
    let mut pty = Pty::with(&["run", LENET], &[]);
    pty.shows("Fleet");
    let process = pty.program.process_id().expect("it runs").to_string();
    let killed = std::process::Command::new("kill").args(["-TERM", &process]).status();
    assert!(killed.expect("kill is there").success());
    assert_eq!(pty.ends(), 0);
}

#[test]
fn without_colour_nothing_is_coloured_and_an_empty_wish_is_none() {
    let coloured = |value: &str| {
        let mut pty = Pty::with(&["run", LENET], &[("NO_COLOR", value)]);
        pty.shows("healthy");
        let screen = pty.screen.screen();
        let cells = (0..40).flat_map(|row| (0..120).map(move |column| (row, column)));
        let colour = |(row, column)| {
            let cell = screen.cell(row, column).expect("within the screen");
            cell.fgcolor() != vt100::Color::Default
        };
        let any = cells.into_iter().any(colour);
        pty.press("q");
        pty.ends();
        any
    };
    assert!(!coloured("1"));
    assert!(coloured(""), "an empty NO_COLOR does not count");
}

#[test]
fn a_moment_is_shown_again_and_a_trace_is_watched() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let trace = folder.path().join("trace.jsonl").display().to_string();
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_kofn"))
        .current_dir(root())
        .args(["run", LENET, "--faults", "fault-plans/one-dies.ron", "--trace", &trace])
        .assert()
        .success();
    let mut pty = Pty::with(&["replay", &trace, "--at", "231ms"], &[]);
    pty.shows("paused 231.000 ms");
    pty.shows("one-dies");
    pty.press("n");
    pty.shows("rebuilt");
    pty.press("x");
    pty.shows("can only be watched");
    pty.press("q");
    assert_eq!(pty.ends(), 0);
}

#[test]
fn a_key_file_changes_keys_and_its_mistakes_are_told_before_the_screen_is_taken() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let home = folder.path().join("kofn");
    std::fs::create_dir(&home).expect("room on the disk");
    let write = |text: &str| std::fs::write(home.join("screen.ron"), text).expect("room");
    let home = folder.path().display().to_string();
    write("Screen(theme: Light, ascii: true, keys: {\"crash\": [\"K\"]})");
    let mut pty = Pty::with(&["run", LENET], &[("XDG_CONFIG_HOME", &home)]);
    pty.shows("+ Fleet ---");
    pty.press("K");
    pty.shows("dead");
    pty.press("q");
    assert_eq!(pty.ends(), 0);
    write("Screen(keys: {\n  \"crash\": [\"q\"],\n  \"explode\": [\"e\"],\n})");
    let mut pty = Pty::with(&["run", LENET], &[("XDG_CONFIG_HOME", &home)]);
    pty.shows("screen.ron:2:12: the key q is meant twice");
    pty.shows("screen.ron:3:14: nothing is called \"explode\"");
    assert_eq!(pty.ends(), 64);
}
