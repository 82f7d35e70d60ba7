//! Fleet: a row a device.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span as Text};
use ratatui::widgets::{Paragraph, Widget, Wrap};

use super::super::look::Tone;
use super::super::scene::Scene;
use crate::units::{DeviceId, Span};
use crate::view::board::{DeviceBoard, Face};
use crate::view::replay::standing;
use crate::view::trace::StageHeader;

/// From which width on each column is shown.
const WITH_JOB: u16 = 34;
const WITH_REPLIES: u16 = 46;
const WITH_SHARES: u16 = 58;
const WITH_FAULT: u16 = 66;

pub(super) fn draw(scene: &Scene<'_>, area: Rect, to: &mut Buffer) {
    let devices = scene.board.devices.len();
    let Window { heading, first, rows } = Window::new(scene.cursor.device, devices, area.height);
    let shown = scene.board.devices.iter().enumerate().skip(first).take(rows);
    let measure = Measure::of(scene, shown.clone().map(|(_, device)| device));
    if heading == 1 {
        self::heading(scene, measure, area).render(area, to);
    }
    for (row, (id, device)) in shown.enumerate() {
        let line = Rect { y: area.y + (row + heading) as u16, height: 1, ..area };
        self::row(scene, measure, DeviceId(id), device, area.width).render(line, to);
    }
    let used = heading + devices;
    if usize::from(area.height) > used + 1 {
        let skip = (used + 1) as u16;
        let below = Rect { y: area.y + skip, height: area.height - skip, ..area };
        let lines = details(scene, scene.cursor.selected());
        Paragraph::new(lines).wrap(Wrap { trim: true }).render(below, to);
    }
}

/// What more there is to know of the selected device, where there is room for it.
fn details(scene: &Scene<'_>, id: DeviceId) -> Vec<Line<'static>> {
    let look = scene.look;
    let Some(device) = scene.board.devices.get(id.0) else { return Vec::new() };
    let quiet = |text: String| Line::styled(look.text(&text), look.style(Tone::Quiet));
    let mut lines = vec![
        Line::styled(scene.header.device(id).to_owned(), look.style(Tone::Title)),
        quiet(format!(
            "asked {} times: {} in time, {} late, {} lost",
            device.tasks, device.arrived, device.late, device.lost
        )),
        quiet(format!("the supervisor holds it {}", standing(device.standing))),
    ];
    if let Some((at, what)) = &device.last_fault {
        lines.push(quiet(format!("last fault: {what}, at {at}")));
    }
    if let Some(at) = device.caught {
        lines.push(quiet(format!("last caught with a wrong share at {at}")));
    }
    lines.push(quiet(format!("its shares: {}", held(scene, id))));
    lines
}

/// The shares a device is to hold, by stage.
fn held(scene: &Scene<'_>, id: DeviceId) -> String {
    let of = |stage: &StageHeader| {
        let shares = stage.shares.iter().enumerate();
        let mine = shares.filter(|(_, share)| share.holders.contains(&id));
        let mine: Vec<String> = mine.map(|(share, _)| format!("{}.{share}", stage.name)).collect();
        mine
    };
    scene.header.stages.iter().flat_map(of).collect::<Vec<_>>().join(" ")
}

/// Which devices are in sight, below how many lines of heading.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub heading: usize,
    pub first: usize,
    pub rows: usize,
}

impl Window {
    /// The selected device is in sight.
    pub fn new(selected: usize, devices: usize, height: u16) -> Self {
        let heading = usize::from(height > 4);
        let rows = usize::from(height) - heading;
        let first = selected.saturating_sub(rows / 2).min(devices.saturating_sub(rows));
        Self { heading, first, rows }
    }
}

/// What all rows are drawn by.
#[derive(Clone, Copy)]
struct Measure {
    /// The width of names.
    name: usize,
    /// The slowest of the replies in sight.
    slowest: Span,
}

impl Measure {
    fn of<'d>(scene: &Scene<'_>, shown: impl Iterator<Item = &'d DeviceBoard>) -> Self {
        let longest = scene.header.devices.iter().map(|name| name.chars().count()).max();
        let slowest = shown.flat_map(|device| &device.replies).max();
        let name = longest.unwrap_or(0).clamp(4, 12);
        Self { name, slowest: slowest.copied().unwrap_or_default().max(Span(1)) }
    }
}

fn heading(scene: &Scene<'_>, measure: Measure, area: Rect) -> Line<'static> {
    let mut text = format!("    {:name$} {:9}", "name", "is", name = measure.name);
    for (from, column) in [
        (WITH_JOB, " works at    "),
        (WITH_REPLIES, " replies     "),
        (WITH_SHARES, " holds  "),
        (WITH_FAULT, " faults"),
    ] {
        if area.width >= from {
            text += column;
        }
    }
    Line::styled(text, scene.look.style(Tone::Quiet))
}

fn row(
    scene: &Scene<'_>,
    measure: Measure,
    id: DeviceId,
    device: &DeviceBoard,
    width: u16,
) -> Line<'static> {
    let (look, cursor) = (scene.look, scene.cursor);
    let face = device.face();
    let (sign, tone) = look.face(face);
    let quiet = look.style(Tone::Quiet);
    let selected = cursor.selected() == id;
    let pointer = if selected { look.sign("▸", ">") } else { " " };
    let mark = if cursor.marked.contains(&id) { "*" } else { " " };
    let name: String = scene.header.device(id).chars().take(12).collect();
    let named = look.style(Tone::Text).add_modifier(emphasis(selected));
    let mut parts = vec![
        Text::styled(format!("{pointer}{mark}"), look.style(Tone::Title)),
        Text::styled(format!("{sign} "), look.style(tone)),
        Text::styled(format!("{name:width$} ", width = measure.name), named),
        Text::styled(format!("{:9}", face.word()), look.style(tone)),
    ];
    if width >= WITH_JOB {
        // Where there is no room for both, what is the matter says more.
        let troubled = width < WITH_FAULT && device.faults().next().is_some();
        parts.push(if troubled {
            let fault = fault(scene, device);
            Text::styled(format!(" {:.12}", fault.content), fault.style)
        } else {
            Text::styled(job(scene, device), look.style(Tone::Busy))
        });
    }
    if width >= WITH_REPLIES {
        parts.push(Text::styled(format!(" {:12}", replies(scene, measure, device)), quiet));
    }
    if width >= WITH_SHARES {
        parts.push(Text::styled(format!(" {:6} ", shares(device)), quiet));
    }
    if width >= WITH_FAULT {
        parts.push(fault(scene, device));
    }
    Line::from(parts)
}

fn emphasis(selected: bool) -> Modifier {
    if selected { Modifier::REVERSED } else { Modifier::empty() }
}

/// The stage and share in hand, and how many tasks wait.
fn job(scene: &Scene<'_>, device: &DeviceBoard) -> String {
    let waiting = match device.queue.len() {
        0 => String::new(),
        some => format!("+{some}"),
    };
    let text = match device.in_hand {
        Some(job) => {
            let stage: String = scene.header.stage(job.stage).chars().take(7).collect();
            format!("{stage}.{}{waiting}", job.share)
        }
        None => waiting,
    };
    format!(" {text:12}")
}

/// The last reply times, against the slowest of them in the fleet, and the last of all.
fn replies(scene: &Scene<'_>, measure: Measure, device: &DeviceBoard) -> String {
    let Some(last) = device.replies.back() else { return String::new() };
    let bar = |reply: &Span| {
        let level = (reply.0 * 7).div_ceil(measure.slowest.0).min(7) as usize;
        let signs = if scene.look.ascii { ASCII_BARS } else { BARS };
        signs[level]
    };
    let shown = device.replies.iter().skip(device.replies.len().saturating_sub(5));
    format!("{} {}", shown.map(bar).collect::<String>(), short(*last))
}

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII_BARS: [char; 8] = ['_', '.', '-', '-', '=', '=', '#', '#'];

/// A span in milliseconds, short.
fn short(span: Span) -> String {
    let ms = span.as_millis();
    let digits = usize::from(ms < 10.0);
    format!("{ms:.digits$}ms")
}

/// How many shares it holds, and how many it should.
fn shares(device: &DeviceBoard) -> String {
    format!("{}/{}", device.holds, device.of)
}

/// The faults in force, else the last one and when it was.
fn fault(scene: &Scene<'_>, device: &DeviceBoard) -> Text<'static> {
    let look = scene.look;
    let (text, tone): (String, Tone) = match (device.faults().last(), &device.last_fault) {
        (Some(_), _) => {
            let all: Vec<&str> = device.faults().collect();
            (all.join(", "), worst(device.face()))
        }
        (None, Some((at, what))) => (format!("{what}, {:.0} ms", at.as_millis()), Tone::Quiet),
        (None, None) => (String::new(), Tone::Quiet),
    };
    Text::styled(look.text(&text), look.style(tone))
}

/// A fault that does not show in the face is still one.
fn worst(face: Face) -> Tone {
    match face {
        Face::Lying => Tone::Wrong,
        Face::Dead | Face::Frozen | Face::Excluded => Tone::Bad,
        Face::Healthy | Face::Probation | Face::Slow | Face::Suspect => Tone::Warn,
    }
}
