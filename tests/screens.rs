//! The panels as people see them: at chosen moments of real runs, at many sizes, in every look.

#[path = "support/scene.rs"]
mod scene;
mod support;

use kofn::event::{Event, Worth};
use kofn::screen::cast::Cast;
use kofn::screen::look::{Look, Theme, Tone};
use kofn::screen::panel::Panel;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use scene::{Show, text};

const HERE: [Panel; 5] =
    [Panel::Timeline, Panel::Latency, Panel::Answers, Panel::Margin, Panel::Events];

/// A board has died, and a few rounds went on without it.
fn after_a_death() -> Show {
    Show::of("one-dies", 60).at(|event| matches!(event, Event::Died { .. })).later(90)
}

/// Each cell's tone as a letter: what the colours say, whatever the colours are.
fn tones(buffer: &Buffer, look: &Look) -> String {
    const TONES: [(Tone, char); 9] = [
        (Tone::Good, 'g'),
        (Tone::Busy, 'b'),
        (Tone::Warn, 'w'),
        (Tone::Bad, 'X'),
        (Tone::Wrong, '!'),
        (Tone::Rebuilt, 'R'),
        (Tone::Quiet, 'q'),
        (Tone::Title, 'T'),
        (Tone::Text, 't'),
    ];
    let tone = |style: Style| {
        let is = |tone: Tone| Style::reset().patch(look.style(tone)) == Style::reset().patch(style);
        TONES.iter().find(|(tone, _)| is(*tone)).map_or(' ', |(_, letter)| *letter)
    };
    let width = usize::from(buffer.area.width);
    let line = |cells: &[ratatui::buffer::Cell]| {
        let line: String = cells
            .iter()
            .map(|cell| if cell.symbol() == " " { ' ' } else { tone(cell.style()) })
            .collect();
        line.trim_end().to_owned()
    };
    buffer.content.chunks(width).map(line).collect::<Vec<_>>().join("\n")
}

/// The line of a text that begins so.
fn line<'t>(text: &'t str, with: &str) -> &'t str {
    let found = text.lines().find(|line| line.contains(with));
    found.unwrap_or_else(|| panic!("no \"{with}\" in\n{text}"))
}

#[test]
fn every_panel_after_a_death() {
    let show = after_a_death();
    for panel in HERE {
        for (width, height) in [(100, 16), (40, 8)] {
            let name = format!("{}_{width}x{height}", panel.title());
            insta::assert_snapshot!(name, text(&show.draw(panel, width, height)));
        }
    }
}

#[test]
fn colours_say_what_signs_say() {
    let show = after_a_death();
    for panel in [Panel::Timeline, Panel::Margin, Panel::Events] {
        let drawn = show.draw(panel, 60, 10);
        insta::assert_snapshot!(format!("{}_tones", panel.title()), tones(&drawn, &show.look));
    }
}

#[test]
fn a_dead_device_has_a_lane_of_its_own_colour() {
    let show = after_a_death();
    let drawn = show.draw(Panel::Timeline, 100, 9);
    let said = text(&drawn);
    let dead = said.lines().position(|line| line.contains("pi-3")).expect("it has a lane");
    assert!(line(&said, "pi-3").starts_with('✖'), "{said}");
    for sign in ["▼✖", "┄", "╳"] {
        assert!(line(&said, "pi-3").contains(sign), "death is seen as {sign}:\n{said}");
    }
    let tones = tones(&drawn, &show.look);
    let tones: Vec<&str> = tones.lines().collect();
    assert!(tones[dead].starts_with('X'), "the dead device's sign is in the tone of loss");
    assert!(tones[dead].ends_with('X'), "and it is down to the end");
    assert!(!tones[dead - 1].contains('X'), "its neighbour lost nothing");
}

#[test]
fn a_device_that_comes_back_works_again() {
    let back = |event: &Event| matches!(event, Event::Deployed { .. });
    let show = Show::of("rolling-restart", 60).at(back).later(60);
    let said = text(&show.draw(Panel::Timeline, 120, 9));
    assert!(said.contains("┄↻"), "down, then back:\n{said}");
}

#[test]
fn a_lie_is_seen_where_it_was_told() {
    let show = Show::of("liar", 60).at(|event| matches!(event, Event::Caught { .. })).later(2);
    let drawn = show.draw(Panel::Timeline, 120, 9);
    let said = text(&drawn);
    let liar = said.lines().position(|line| line.contains("pi-2")).expect("it has a lane");
    assert!(line(&said, "pi-2").contains("‼‼"), "{said}");
    let tones = tones(&drawn, &show.look);
    assert!(tones.lines().nth(liar).expect("as many lines").contains('!'), "{tones}");
    let log = text(&show.draw(Panel::Events, 100, 8));
    assert!(line(&log, "sent a wrong share").contains("‼"), "{log}");
}

#[test]
fn what_can_still_be_lost_is_said_in_words_and_signs() {
    let calm = Show::calm("lenet5", 3).draw(Panel::Margin, 80, 6);
    assert!(line(&text(&calm), "conv1").contains("2 more"));
    assert!(line(&text(&calm), "fc1").contains("1 more"));
    let show = after_a_death();
    let drawn = show.draw(Panel::Margin, 80, 6);
    assert!(line(&text(&drawn), "fc1").contains("◔ □  none left"), "{}", text(&drawn));
    assert!(line(&tones(&drawn, &show.look), "w").contains(" w w  wwww wwww"), "as a warning");
    let lost = Show::of("too-many", 60);
    let drawn = lost.draw(Panel::Margin, 80, 6);
    assert!(text(&drawn).contains("cannot answer"), "{}", text(&drawn));
    assert!(tones(&drawn, &lost.look).contains('X'));
}

#[test]
fn few_rows_show_the_stages_in_most_danger() {
    let said = text(&after_a_death().draw(Panel::Margin, 50, 3));
    assert!(said.contains("none left") && said.contains("and 3 more"), "{said}");
    let one = text(&after_a_death().draw(Panel::Margin, 50, 1));
    assert!(one.contains("none left"), "{one}");
}

#[test]
fn the_log_lists_what_the_filter_lets_through() {
    let mut show = after_a_death();
    let mut log = |filter: &str| {
        show.cursor.filter = filter.to_owned();
        text(&show.draw(Panel::Events, 100, 12))
    };
    let starts = log("PI-3 started");
    assert!(starts.contains("the filter \"PI-3 started\" hides all"), "{starts}");
    let starts = log("PI-3 starts");
    assert!(starts.starts_with("only: PI-3 starts"), "{starts}");
    assert!(starts.lines().skip(1).all(|line| line.contains("pi-3 starts")), "{starts}");
    let others = log("share !starts !#40 !ask");
    assert!(!others.contains("starts share") && others.contains("share 1"), "{others}");
    assert!(!log("!").contains("hides"), "a lone ! is the beginning of a word");
    assert!(log("#40").lines().skip(1).all(|line| line.contains("#40")));
}

#[test]
fn the_log_scrolls_back_to_its_beginning_and_no_further() {
    let mut show = after_a_death();
    let log = |show: &Show| text(&show.draw(Panel::Events, 100, 12));
    let now = log(&show);
    show.cursor.scroll = 5;
    let back = log(&show);
    assert!(back.contains("5 lines back"));
    assert_eq!(now.lines().nth(6), back.lines().nth(11), "five lines further down");
    show.cursor.scroll = 1_000_000;
    assert!(log(&show).lines().nth(1).expect("a line").contains("can lose 2 more"), "the first");
}

#[test]
fn latencies_are_told_however_few_there_are() {
    let first = |event: &Event| matches!(event, Event::Answered { .. });
    let none = Show::of("one-dies", 60).at(|event| matches!(event, Event::Accepted { .. }));
    let said = text(&none.draw(Panel::Latency, 80, 12));
    assert!(line(&said, "this run").contains("no answer yet"), "{said}");
    assert!(said.contains('░'), "the twin is there already:\n{said}");
    let one = Show::of("one-dies", 60).at(first);
    assert!(text(&one.draw(Panel::Latency, 80, 12)).contains('█'));
    let alone = Show::calm("lenet5", 3).at(|event| matches!(event, Event::Accepted { .. }));
    assert!(!text(&alone.draw(Panel::Latency, 80, 12)).contains('░'));
    let three = Show::of("one-dies", 60).also_beside("replication", "lenet5-2mr", 60);
    let said = text(&three.draw(Panel::Latency, 80, 12));
    assert!(line(&said, "replication").contains("60"), "{said}");
}

#[test]
fn an_answer_is_shown_with_what_was_asked() {
    let mut show = after_a_death();
    let drawn = show.draw(Panel::Answers, 80, 14);
    let said = text(&drawn);
    for what in ["#40 ", "it is ", "as the undivided network says", " %", "off by ", " agree"] {
        assert!(said.contains(what), "no \"{what}\" in\n{said}");
    }
    let greys = drawn.content.iter().filter(|cell| {
        matches!((cell.fg, cell.bg), (Color::Rgb(r, g, b), Color::Rgb(..)) if r == g && g == b)
    });
    assert!(greys.count() > 300, "28 × 28 pixels in half as many characters");
    show.with_inputs = false;
    let without = text(&show.draw(Panel::Answers, 80, 14));
    assert!(without.contains("what was asked is not in the trace"), "{without}");
    let start = Show::of("one-dies", 60).at(|event| matches!(event, Event::Started { .. }));
    let said = text(&start.draw(Panel::Answers, 80, 14));
    assert!(said.contains("#0 conv1 …"), "{said}");
}

/// Draws into a part of a larger buffer, and sees that nothing else is touched.
fn draw_inside(show: &Show, panel: Panel, width: u16, height: u16) -> Buffer {
    const EDGE: u16 = 2;
    let mut buffer = Buffer::empty(Rect::new(0, 0, width + 2 * EDGE, height + 2 * EDGE));
    let area = Rect::new(EDGE, EDGE, width, height);
    panel.draw(&show.scene(), area, &mut buffer);
    for y in 0..buffer.area.height {
        for x in 0..buffer.area.width {
            let untouched = buffer[(x, y)] == ratatui::buffer::Cell::default();
            let inside = area.contains((x, y).into());
            assert!(inside || untouched, "{panel:?} of {width}×{height} draws at {x}, {y}");
        }
    }
    buffer
}

/// Moments that look different: before all, after a loss, in the middle, and of another network.
fn moments() -> Vec<Show> {
    let mut beginning = Show::of("one-dies", 2);
    beginning.seek(0);
    let lost = Show::of("too-many", 60);
    let mut filtered = after_a_death();
    filtered.cursor.filter = "pi-3 !starts".to_owned();
    filtered.cursor.scroll = 3;
    filtered.cursor.device = 4;
    let many_stages = Show::calm("tinyvit", 2);
    vec![beginning, lost, filtered, many_stages]
}

#[test]
fn every_panel_fits_into_every_size() {
    for show in moments() {
        for panel in Panel::ALL {
            for width in (1..=45).chain((50..=200).step_by(30)).chain([200]) {
                for height in (1..=25).chain([30, 45, 60]) {
                    if width <= 45 || height % 5 == 0 {
                        draw_inside(&show, panel, width, height);
                    }
                }
            }
        }
    }
}

#[test]
fn every_look_fits_and_ascii_is_ascii() {
    for mut show in moments() {
        for (theme, ascii) in
            Theme::ALL.into_iter().flat_map(|theme| [(theme, false), (theme, true)])
        {
            show.look = Look::new(theme, ascii);
            for panel in Panel::ALL {
                for (width, height) in [(1, 1), (7, 3), (20, 5), (39, 9), (80, 24), (200, 60)] {
                    let drawn = draw_inside(&show, panel, width, height);
                    let strange = drawn.content.iter().find(|cell| !cell.symbol().is_ascii());
                    let strange = strange.filter(|_| ascii);
                    assert_eq!(strange, None, "{panel:?} in ASCII at {width}×{height}");
                }
            }
        }
    }
}

#[test]
fn without_colours_nothing_is_coloured() {
    let mut show = after_a_death();
    show.look = Look::new(Theme::Plain, false);
    for panel in Panel::ALL {
        let drawn = show.draw(panel, 100, 20);
        let coloured =
            |cell: &&ratatui::buffer::Cell| (cell.fg, cell.bg) != (Color::Reset, Color::Reset);
        assert_eq!(drawn.content.iter().find(coloured), None, "{panel:?}");
    }
}

#[test]
fn a_recording_shows_what_was_drawn() {
    // Colours are compared too, whatever the environment says of them.
    ratatui::crossterm::style::force_color_output(true);
    let (width, height) = (90, 14);
    let mut show = Show::of("one-dies", 60).at(|event| matches!(event, Event::Died { .. }));
    let mut cast = Cast::new(width, height);
    let mut last = Buffer::empty(Rect::new(0, 0, width, height));
    for frame in 0..6_u16 {
        // The last two frames are alike.
        let panel = [Panel::Timeline, Panel::Events, Panel::Answers][usize::from(frame.min(4) % 3)];
        cast.frame(f64::from(frame) * 0.25, |frame| {
            panel.draw(&show.scene(), frame.area(), frame.buffer_mut());
        });
        last = show.draw(panel, width, height);
        if frame < 4 {
            show = show.later(10);
        }
    }
    let cast = cast.into_text();
    let mut lines = cast.lines();
    assert_eq!(lines.next(), Some(r#"{"version":2,"width":90,"height":14}"#));
    let mut terminal = vt100::Parser::new(
        height.try_into().expect("not zero"),
        width.try_into().expect("not zero"),
        0,
    );
    let mut moments = Vec::new();
    for event in lines {
        let (at, kind, told): (f64, String, String) =
            serde_json::from_str(event).expect("an event");
        assert_eq!(kind, "o");
        moments.push(at);
        terminal.process(told.as_bytes());
    }
    assert_eq!(moments, [0.0, 0.25, 0.5, 0.75, 1.0, 1.25], "the still end lasts");
    for y in 0..height {
        for x in 0..width {
            let seen = terminal.screen().cell(y, x).expect("inside");
            let seen_as = if seen.contents().is_empty() { " " } else { seen.contents() };
            let drawn = &last[(x, y)];
            assert_eq!(seen_as, drawn.symbol(), "at {x}, {y}");
            if let Color::Rgb(r, g, b) = drawn.fg {
                assert_eq!(seen.fgcolor(), vt100::Color::Rgb(r, g, b), "at {x}, {y}");
            }
        }
    }
}

#[test]
fn an_answer_that_is_not_exact_says_so() {
    let answered = |event: &Event| matches!(event, Event::Judged { .. });
    let batch = Show::of("batch-one-dies", 64).at(answered);
    let drawn = text(&batch.draw(Panel::Answers, 60, 12));
    assert!(drawn.contains("≈ approximate: of a batch"), "{drawn}");
    let round = text(&batch.draw(Panel::Round, 100, 12));
    assert!(round.contains("approximately in") || round.contains("in a batch with"), "{round}");
    let guessed = |event: &Event| matches!(event, Event::Answered { worth: Worth::Estimate, .. });
    let show = Show::of("estimates", 80).at(guessed).later(1);
    let drawn = text(&show.draw(Panel::Answers, 60, 12));
    assert!(drawn.contains("≈ only an estimate"), "{drawn}");
    let round = text(&show.draw(Panel::Round, 100, 14));
    assert!(round.contains("answered with an estimate in"), "{round}");
    assert!(round.contains("guessed"), "{round}");
}
