//! Chaos: waits for each fault's trigger and orders the weather to change.

use std::collections::BTreeSet;

use rand::RngExt;
use rand::seq::SliceRandom;

use super::{Effect, Effects, Input, Node, Timer};
use crate::event::Event;
use crate::fault::{FaultKind, Grip};
use crate::maths::chance::{Purpose, Seed};
use crate::plan::{Fault, Trigger};
use crate::units::{DeviceId, FaultId, RequestId, Span, StageId, Time};

/// What the weather is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    pub fault: FaultId,
    pub device: DeviceId,
    /// The misfortune that begins and how it takes hold; `None` ends it.
    pub begins: Option<(FaultKind, Grip)>,
}

#[derive(Debug)]
pub struct Chaos {
    seed: Seed,
    faults: Vec<(Fault, Course)>,
}

/// How a fault has gone so far.
#[derive(Clone, Debug, Default)]
struct Course {
    /// How often it struck: tells the timers of one strike from those of the next.
    strikes: u32,
    /// Whom it has hold of; empty when it is not in force.
    victims: Vec<DeviceId>,
    /// Under whose name the round is told that it waits for, if its request shares one.
    leader: Option<RequestId>,
    /// The rounds that it struck as they began: it is not drawn again when more is asked of one.
    rounds: BTreeSet<(RequestId, StageId)>,
}

impl Chaos {
    pub fn new(faults: Vec<Fault>, seed: Seed) -> Self {
        Self { seed, faults: faults.into_iter().map(|f| (f, Course::default())).collect() }
    }

    /// Sets the timer of a fault that goes by time.
    fn plan(&self, now: Time, id: FaultId, out: &mut Effects) {
        match self.faults[id.0].0.trigger {
            Trigger::At(at) => out.wake(at, Timer::FaultBegins(id)),
            Trigger::Every(period) => {
                let from = self.faults[id.0].0.from.unwrap_or(now);
                out.wake(from + period, Timer::FaultBegins(id));
            }
            Trigger::AtStage { .. } | Trigger::OnEvent(_) | Trigger::Chance(_) => {}
        }
    }

    fn strike(&mut self, now: Time, id: FaultId, out: &mut Effects) {
        let (fault, course) = &mut self.faults[id.0];
        if !course.victims.is_empty() || fault.until.is_some_and(|until| until <= now) {
            return;
        }
        course.strikes += 1;
        course.victims = victims(self.seed, id, fault, course.strikes);
        let strike = course.strikes;
        let ends = [fault.lasts.map(|lasts| now + lasts), fault.until];
        for end in ends.into_iter().flatten() {
            out.wake(end, Timer::FaultEnds { fault: id, strike });
        }
        match fault.what.misfortune().grip() {
            Grip::Flapping { down, up } => self.turn(now, id, (down, up), true, out),
            grip @ (Grip::Weather | Grip::Down | Grip::Restart | Grip::Frozen | Grip::Away) => {
                self.order(id, Some(grip), out);
            }
        }
        let (fault, course) = &mut self.faults[id.0];
        if fault.what == FaultKind::Restart {
            course.victims.clear();
        }
    }

    /// A flapping device goes down or comes up, and the next turn is set.
    fn turn(&self, now: Time, id: FaultId, turns: (Span, Span), down: bool, out: &mut Effects) {
        let strike = self.faults[id.0].1.strikes;
        self.order(id, down.then_some(Grip::Down), out);
        let (at, down) = (now + if down { turns.0 } else { turns.1 }, !down);
        out.wake(at, Timer::FaultTurns { fault: id, strike, down });
    }

    fn order(&self, id: FaultId, grip: Option<Grip>, out: &mut Effects) {
        let (fault, course) = &self.faults[id.0];
        for device in &course.victims {
            let begins = grip.map(|grip| (fault.what.clone(), grip));
            out.0.push(Effect::Weather(Box::new(Order { fault: id, device: *device, begins })));
        }
    }

    fn end(&mut self, id: FaultId, strike: u32, out: &mut Effects) {
        if self.faults[id.0].1.strikes == strike {
            self.order(id, None, out);
            self.faults[id.0].1.victims.clear();
        }
    }

    fn wake(&mut self, now: Time, timer: Timer, out: &mut Effects) {
        match timer {
            Timer::FaultBegins(id) => {
                self.strike(now, id, out);
                if let Trigger::Every(period) = self.faults[id.0].0.trigger {
                    out.wake(now + period, timer);
                }
            }
            Timer::FaultEnds { fault, strike } => self.end(fault, strike, out),
            Timer::FaultTurns { fault, strike, down } => {
                let (planned, course) = &self.faults[fault.0];
                let grip = planned.what.misfortune().grip();
                let in_force = course.strikes == strike && !course.victims.is_empty();
                if let Grip::Flapping { down: long, up } = grip
                    && in_force
                {
                    self.turn(now, fault, (long, up), down, out);
                }
            }
            Timer::Deadline { .. }
            | Timer::Hedge(_)
            | Timer::Station { .. }
            | Timer::Batch { .. }
            | Timer::Arrival(_)
            | Timer::Hello { .. } => {}
        }
    }

    fn note_leader(&mut self, event: &Event) {
        let Event::Gathered { request: leader, stage: here, requests, .. } = event else { return };
        for (fault, course) in &mut self.faults {
            if let Trigger::AtStage { request, stage, .. } = &fault.trigger
                && stage == here
                && requests.contains(request)
            {
                course.leader = Some(*leader);
            }
        }
    }

    fn fires(&mut self, now: Time, id: usize, event: &Event) -> bool {
        let (fault, course) = &mut self.faults[id];
        if fault.from.is_some_and(|from| now < from) {
            return false;
        }
        match (&fault.trigger, event) {
            (Trigger::Chance(p), Event::Scattered { request, stage, attempt: 0, .. }) => {
                let ids = [id as u64, request.0 as u64, stage.0 as u64];
                let is_so = self.seed.stream(Purpose::Fault, &ids).random_bool(*p);
                is_so && course.rounds.insert((*request, *stage))
            }
            (trigger, _) => course.strikes == 0 && trigger.fires_on(event, course.leader),
        }
    }
}

/// All it is for, or so many of them, drawn anew for every strike.
fn victims(seed: Seed, id: FaultId, fault: &Fault, strike: u32) -> Vec<DeviceId> {
    let mut victims = fault.who.devices.clone();
    if let Some(any) = fault.who.any {
        victims.shuffle(&mut seed.stream(Purpose::Victims, &[id.0 as u64, u64::from(strike)]));
        victims.truncate(any);
        victims.sort();
    }
    victims
}

impl Node for Chaos {
    fn handle(&mut self, now: Time, input: Input, out: &mut Effects) {
        match input {
            Input::Start => {
                (0..self.faults.len()).for_each(|id| self.plan(now, FaultId(id), out));
            }
            Input::Planned(fault) => {
                self.faults.push((*fault, Course::default()));
                self.plan(now, FaultId(self.faults.len() - 1), out);
            }
            Input::CalledOff { fault, from } => {
                let (called_off, course) = &mut self.faults[fault.0];
                called_off.until = Some(from);
                out.wake(from, Timer::FaultEnds { fault, strike: course.strikes });
            }
            Input::Wake(timer) => self.wake(now, timer, out),
            Input::Saw(event) => {
                self.note_leader(&event);
                for id in 0..self.faults.len() {
                    if self.fires(now, id, &event) {
                        self.strike(now, FaultId(id), out);
                    }
                }
            }
            Input::Mail { .. } | Input::Done { .. } => {}
        }
    }
}
