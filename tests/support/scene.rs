//! Scenes for the screen's tests: real runs, looked at from chosen moments.
#![allow(dead_code, reason = "each test uses a part of this")]

use std::sync::Arc;

use hdrhistogram::Histogram;
use kofn::drive::Trace;
use kofn::event::{Event, Record};
use kofn::plan::Plan;
use kofn::screen::app::{App, Options};
use kofn::screen::keys::Keymap;
use kofn::screen::look::{Look, Theme};
use kofn::screen::panel::Panel;
use kofn::screen::scene::{Cursor, Scene};
use kofn::session::Session;
use kofn::view::playhead::Playhead;
use kofn::view::tape::Recent;
use kofn::view::trace::Header;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::support::{fault_plan, plan, root, setup, simulate};

/// A run that is looked at.
pub(crate) struct Show {
    plan: Arc<Plan>,
    playhead: Playhead,
    recent: Recent,
    beside: Vec<(String, Histogram<u64>)>,
    pub(crate) look: Look,
    pub(crate) cursor: Cursor,
    pub(crate) with_inputs: bool,
}

/// How many records before the playhead a scene has at hand.
const RECENT: usize = 20_000;

impl Show {
    /// A shipped fault plan's run, seen from its end.
    pub(crate) fn of(faults: &str, requests: usize) -> Self {
        let path = root().join(format!("fault-plans/{faults}.ron"));
        let (plan, fault_plan) = fault_plan(&path);
        let calm = setup(&plan, requests);
        let run = simulate(&calm.with_faults(fault_plan.faults));
        let beside = vec![("without faults".to_owned(), latencies(&simulate(&calm)))];
        let header = Header::of(&plan, Some(faults), 1, requests);
        Self::new(plan, header, run, beside)
    }

    /// A shipped fault plan's run on the whole screen, paused where the run of one request has come.
    pub(crate) fn app(faults: &str, requests: usize, at: impl Fn(&Event) -> bool) -> App {
        let path = root().join(format!("fault-plans/{faults}.ron"));
        let (plan, fault_plan) = fault_plan(&path);
        let calm = setup(&plan, requests);
        let run = simulate(&calm.with_faults(fault_plan.faults));
        let place = run.iter().position(|record| at(&record.event)).expect("it happens") + 1;
        let header = Header::of(&plan, Some(faults), 1, requests);
        let run = run.into_iter().map(settled).collect();
        let mut session = Session::of_trace(header, run, Some(plan)).expect("it is short");
        session.branch_mut().look_at(place).expect("in memory");
        let options = Options {
            theme: Theme::Dark,
            ascii: false,
            keymap: Keymap::default(),
            speed: 0.01,
            at: Some(session.branch().moment()),
        };
        let mut app = App::new(session, options).expect("in memory");
        app.compare_with("without faults", latencies(&simulate(&calm)));
        app
    }

    /// A shipped topology's run without faults, and without anything to compare it with.
    pub(crate) fn calm(topology: &str, requests: usize) -> Self {
        let plan = plan(topology);
        let run = simulate(&setup(&plan, requests));
        let header = Header::of(&plan, None, 1, requests);
        Self::new(plan, header, run, Vec::new())
    }

    fn new(
        plan: Arc<Plan>,
        header: Header,
        run: Trace,
        beside: Vec<(String, Histogram<u64>)>,
    ) -> Self {
        let mut playhead = Playhead::new(header);
        run.into_iter().map(settled).for_each(|record| playhead.push(record).expect("in memory"));
        let mut show = Self {
            plan,
            playhead,
            recent: Recent::default(),
            beside,
            look: Look::new(Theme::Dark, false),
            cursor: Cursor::default(),
            with_inputs: true,
        };
        show.seek(usize::MAX);
        show
    }

    pub(crate) fn seek(&mut self, at: usize) {
        self.playhead.seek(at).expect("in memory");
        self.recent = self.playhead.recent(RECENT).expect("in memory");
    }

    /// Goes to just after the first event like that.
    pub(crate) fn at(mut self, wanted: impl Fn(&Event) -> bool) -> Self {
        for at in 0..self.playhead.len() {
            let record = self.playhead.record(at).expect("in memory").expect("not at its end");
            if wanted(&record.event) {
                self.seek(at + 1);
                return self;
            }
        }
        panic!("nothing like that happens in this run");
    }

    /// Goes on by so many records.
    pub(crate) fn later(mut self, records: usize) -> Self {
        let at = self.playhead.at() + records;
        self.seek(at);
        self
    }

    pub(crate) fn also_beside(mut self, name: &str, topology: &str, requests: usize) -> Self {
        let trace = simulate(&setup(&plan(topology), requests));
        self.beside.push((name.to_owned(), latencies(&trace)));
        self
    }

    pub(crate) fn scene(&self) -> Scene<'_> {
        Scene {
            header: self.playhead.header(),
            board: self.playhead.board(),
            recent: &self.recent,
            look: &self.look,
            cursor: &self.cursor,
            inputs: if self.with_inputs { &self.plan.inputs } else { &[] },
            classes: &self.plan.classes,
            beside: &self.beside,
            answer_within: self.plan.policy.answer_within,
        }
    }

    pub(crate) fn draw(&self, panel: Panel, width: u16, height: u16) -> Buffer {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        panel.draw(&self.scene(), area, &mut buffer);
        buffer
    }
}

/// Rounding errors depend on the processor's instructions; everything else does not.
fn settled(mut record: Record) -> Record {
    if let Event::Judged { error, .. } = &mut record.event {
        *error = 2.5e-7;
    }
    record
}

fn latencies(trace: &Trace) -> Histogram<u64> {
    let mut latencies = Histogram::new(3).expect("three digits are allowed");
    for record in trace {
        if let Event::Answered { latency, .. } = &record.event {
            latencies.record(latency.0).expect("the histogram grows as needed");
        }
    }
    latencies
}

/// What stands in a buffer, line by line, without the spaces at their ends.
pub(crate) fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width).max(1);
    let line = |cells: &[ratatui::buffer::Cell]| {
        let line: String = cells.iter().map(|cell| cell.symbol()).collect();
        line.trim_end().to_owned()
    };
    buffer.content.chunks(width).map(line).collect::<Vec<_>>().join("\n")
}
