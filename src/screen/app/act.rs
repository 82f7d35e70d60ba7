//! What each key does.

use super::{App, Mode, SPEEDS};
use crate::plan::Fault;
use crate::screen::keys::{Action, Key};
use crate::screen::look::{Look, Theme, Tone};
use crate::screen::panel::Panel;
use crate::screen::prompt::{Prompt, Purpose};
use crate::session::Stop;
use crate::units::DeviceId;
use crate::view::board::Face;
use crate::view::trace::StageHeader;

/// A page, in rows.
pub(super) const PAGE: isize = 10;

impl App {
    pub(super) fn key(&mut self, key: Key) -> anyhow::Result<()> {
        self.stale = true;
        let action = self.keymap.action(key);
        match &mut self.mode {
            Mode::Prompt(_) => self.type_key(key),
            Mode::Help(_) | Mode::Menu(_) | Mode::Branches(_)
                if key == LEAVE.parse().expect("a key") =>
            {
                self.over = true;
                Ok(())
            }
            Mode::Help(_) | Mode::Menu(_) | Mode::Branches(_) => self.choose(action),
            Mode::Sure { words, .. } => {
                let words = words.clone();
                self.mode = Mode::Watch;
                if matches!(action, Some(Action::Inspect)) || key == YES.parse().expect("a key") {
                    self.strike_now(&words);
                } else {
                    self.say("left alone", Tone::Quiet);
                }
                Ok(())
            }
            Mode::Watch => {
                self.note = None;
                action.map_or(Ok(()), |action| self.act(action))
            }
        }
    }

    fn act(&mut self, action: Action) -> anyhow::Result<()> {
        match action {
            Action::Pause => self.playing = !self.playing,
            Action::Faster => self.change_speed(1),
            Action::Slower => self.change_speed(-1),
            Action::StepEvent => return self.jump(Stop::Record),
            Action::StepStage => return self.jump(Stop::Stage),
            Action::StepRequest => return self.jump(Stop::Request),
            Action::NextTrouble => return self.jump(Stop::Trouble),
            Action::BackEvent => return self.back(Stop::Record),
            Action::BackStage => return self.back(Stop::Stage),
            Action::BackRequest => return self.back(Stop::Request),
            Action::Beginning => {
                self.playing = false;
                return self.session.branch_mut().look_at(0);
            }
            Action::Newest => {
                let newest = self.session.branch().playhead().len();
                return self.session.branch_mut().look_at(newest);
            }
            Action::Down => self.scroll(1),
            Action::Up => self.scroll(-1),
            Action::PageDown => self.scroll(PAGE),
            Action::PageUp => self.scroll(-PAGE),
            Action::NextPanel => self.turn(1),
            Action::LastPanel => self.turn(Panel::ALL.len() - 1),
            Action::Inspect => self.alone = true,
            Action::Back => self.back_out(),
            Action::Filter => {
                self.focus = Panel::Events;
                self.prompt(Purpose::Filter, &self.cursor.filter.clone());
            }
            Action::Mark => self.mark(),
            Action::Crash => self.strike("Crash"),
            Action::Restart => self.strike("Restart"),
            Action::Freeze => self.strike("Freeze"),
            Action::Partition => self.strike("Partition()"),
            Action::Slow => self.form("Slow"),
            Action::Delay => self.form("Delay"),
            Action::Drop => self.form("Drop"),
            Action::Corrupt => self.form("Corrupt"),
            Action::Menu => self.mode = Mode::Menu(0),
            Action::Command => self.prompt(Purpose::Fault, ""),
            Action::Repeat => match self.last_fault.clone() {
                Some(words) => self.strike(&words),
                None => self.say("nothing struck yet", Tone::Quiet),
            },
            Action::Undo => {
                let outcome = self.session.undo();
                self.after_typing(outcome);
            }
            Action::HealAll => {
                let outcome = self.session.heal_all();
                self.after_typing(outcome);
            }
            Action::Monkey => self.monkey(),
            Action::Branches => self.mode = Mode::Branches(self.session.current()),
            Action::Write => self.prompt(Purpose::Write, &self.free_name()),
            Action::ShowCommand => {
                let command = self.session.command(self.saved.as_deref());
                self.tell(command);
            }
            Action::Theme => self.next_theme(),
            Action::Help => self.mode = Mode::Help(0),
            Action::Quit => self.over = true,
        }
        Ok(())
    }

    fn change_speed(&mut self, by: isize) {
        if self.session.is_live() {
            return self.say("real time has one speed", Tone::Quiet);
        }
        let nearest = SPEEDS.partition_point(|speed| *speed < self.speed);
        let next = nearest.saturating_add_signed(by).min(SPEEDS.len() - 1);
        self.speed = SPEEDS[next];
    }

    fn jump(&mut self, to: Stop) -> anyhow::Result<()> {
        self.playing = false;
        self.session.branch_mut().jump(to)?;
        if self.is_at_the_end() {
            self.say("the run is over", Tone::Title);
        }
        Ok(())
    }

    fn back(&mut self, to: Stop) -> anyhow::Result<()> {
        self.playing = false;
        self.session.branch_mut().jump_back(to)
    }

    fn turn(&mut self, by: usize) {
        let here = Panel::ALL.iter().position(|panel| *panel == self.focus).unwrap_or(0);
        self.focus = Panel::ALL[(here + by) % Panel::ALL.len()];
    }

    fn back_out(&mut self) {
        if self.alone {
            self.alone = false;
        } else if !self.cursor.filter.is_empty() {
            self.cursor.filter.clear();
        } else {
            self.cursor.marked.clear();
        }
    }

    fn mark(&mut self) {
        let device = self.cursor.selected();
        if !self.cursor.marked.remove(&device) {
            self.cursor.marked.insert(device);
        }
        self.scroll(1);
    }

    /// Whom the next fault is for, as a plan file says it: the marked devices, else the selected one.
    pub(super) fn who(&self) -> String {
        let header = self.session.branch().playhead().header();
        let mut targets: Vec<DeviceId> = self.cursor.marked.iter().copied().collect();
        if targets.is_empty() {
            targets.push(self.cursor.selected());
        }
        targets.iter().map(|device| header.device(*device)).collect::<Vec<_>>().join(", ")
    }

    /// Strikes, or asks first if that would cost answers.
    pub(super) fn strike(&mut self, words: &str) {
        match self.would_cost(words) {
            Some(why) => self.mode = Mode::Sure { words: words.to_owned(), why },
            None => self.strike_now(words),
        }
    }

    fn strike_now(&mut self, words: &str) {
        let who = self.who();
        let outcome = self.session.strike(words, &who);
        if outcome.is_ok() {
            self.last_fault = Some(words.to_owned());
        }
        self.after_typing(outcome);
    }

    /// What was typed is not written yet, and may have made a branch.
    pub(super) fn after_typing(&mut self, outcome: Result<String, String>) {
        if outcome.is_ok() {
            self.saved = None;
        }
        let branches = self.session.branches();
        let outcome = outcome.map(|what| match branches {
            1 => what,
            _ => format!("{what} · branch {} of {branches}", self.session.current() + 1),
        });
        self.tell(outcome);
    }

    /// Why a fault would leave too few for some stage, if it would.
    pub(super) fn would_cost(&self, words: &str) -> Option<String> {
        // What cannot be read is refused where it would strike.
        let Fault { who, what, .. } = self.session.read(words, &self.who()).ok()?.fault;
        if what.only_delays() {
            return None;
        }
        let playhead = self.session.branch().playhead();
        let (header, board) = (playhead.header(), playhead.board());
        let well = |device: &DeviceId| {
            let face = board.devices[device.0].face();
            matches!(face, Face::Healthy | Face::Slow | Face::Probation)
        };
        let hit = |holders: &Vec<DeviceId>| holders.iter().any(|h| who.devices.contains(h));
        let left = |stage: &StageHeader| {
            let lives = |device: &DeviceId| well(device) && !who.devices.contains(device);
            stage.shares.iter().filter(|share| share.holders.iter().any(lives)).count()
        };
        let stages = header.stages.iter();
        let (left, stage) = stages
            .filter(|stage| stage.shares.iter().any(|share| hit(&share.holders)))
            .map(|stage| (left(stage), stage))
            .min_by_key(|(left, stage)| *left as isize - stage.needed as isize)?;
        (left < stage.needed)
            .then(|| format!("{} would be left with {left} of {} needed", stage.name, stage.needed))
    }

    fn form(&mut self, kind: &str) {
        let template = crate::plan::typed::kinds().find(|(name, _)| *name == kind);
        let template = template.map_or(kind, |(_, template)| template);
        self.prompt(Purpose::Fault, template);
    }

    pub(super) fn prompt(&mut self, purpose: Purpose, text: &str) {
        if purpose != Purpose::Filter && self.session.plan().is_none() {
            return self.say("a trace can only be watched", Tone::Bad);
        }
        self.mode = Mode::Prompt(Prompt::new(purpose, text));
    }

    fn monkey(&mut self) {
        if self.session.is_live() {
            return self
                .say("the monkey lives in virtual time: real time does not repeat", Tone::Bad);
        }
        if self.session.monkey().is_some() {
            let outcome = self.session.set_monkey(None).map(|()| "the monkey is caught".to_owned());
            return self.tell(outcome);
        }
        self.prompt(Purpose::Monkey, "20");
    }

    fn next_theme(&mut self) {
        let here = Theme::ALL.iter().position(|theme| *theme == self.theme).unwrap_or(0);
        self.theme = Theme::ALL[(here + 1) % Theme::ALL.len()];
        self.look = Look::new(self.theme, self.look.ascii);
        self.say(format!("theme: {:?}", self.theme), Tone::Title);
    }
}

/// Says that one is sure.
const YES: &str = "y";

/// Leaves from anywhere but a line of text.
const LEAVE: &str = "ctrl-c";
