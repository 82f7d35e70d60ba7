//! The monkey: faults at random moments on random devices, each for a while.

use rand::RngExt;
use rand_distr::{Distribution, Exp1};

use super::Session;
use crate::maths::chance::{Purpose, Seed};
use crate::plan::Plan;
use crate::units::{Span, Time};

/// Strikes at random, so many times a second on average.
#[derive(Clone, Debug)]
pub struct Monkey {
    seed: Seed,
    /// Faults a second of the run's time.
    rate: f64,
    strikes: u64,
    next: Time,
}

/// What it does, and for how long at most, in milliseconds.
const TRICKS: [(&str, f64); 6] = [
    ("Crash", 60.0),
    ("Freeze", 40.0),
    ("Slow(by: 8)", 80.0),
    ("Drop(probability: 0.5)", 60.0),
    ("Partition()", 40.0),
    ("Corrupt(how: Scale(1.5))", 40.0),
];

impl Monkey {
    fn new(seed: Seed, rate: f64, now: Time) -> Self {
        let mut monkey = Self { seed, rate, strikes: now.0, next: now };
        monkey.wait();
        monkey
    }

    /// Faults a second of the run's time.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Draws when it strikes next: a Poisson process.
    fn wait(&mut self) {
        self.strikes += 1;
        let mut rng = self.seed.stream(Purpose::Monkey, &[0, self.strikes]);
        let gap: f64 = Exp1.sample(&mut rng);
        self.next = self.next + Span::from_secs(gap / self.rate);
    }

    /// The fault it strikes with, as it would be typed, and whom.
    fn trick(&self, plan: &Plan) -> (String, String) {
        let mut rng = self.seed.stream(Purpose::Monkey, &[1, self.strikes]);
        // The last is about numbers.
        let tricks = if plan.computes() { &TRICKS[..] } else { &TRICKS[..TRICKS.len() - 1] };
        let (what, longest) = tricks[rng.random_range(0..tricks.len())];
        let who = plan.devices[rng.random_range(0..plan.devices.len())].name.clone();
        let lasts = (longest * 1e3 * rng.random_range(0.2..1.0)) as u64;
        (format!("(what: {what}, lasts: \"{lasts}us\")"), who)
    }
}

impl Session {
    /// The monkey, if it is loose.
    pub fn monkey(&self) -> Option<&Monkey> {
        self.monkey.as_ref()
    }

    /// Lets the monkey loose, or catches it. Real time has none: it would not be repeatable.
    ///
    /// # Errors
    /// If there is nothing for it to do.
    pub fn set_monkey(&mut self, rate: Option<f64>) -> Result<(), String> {
        let stage = self.stage.as_ref().ok_or(super::ONLY_WATCHED)?;
        let (seed, now) = (stage.setup.seed, self.branch().newest_stamp());
        self.monkey = rate.map(|rate| Monkey::new(seed, rate, now));
        Ok(())
    }

    /// When the monkey strikes next: not before the last moment that is known.
    pub(super) fn monkey_due(&mut self) -> Option<Time> {
        let next = self.monkey.as_ref()?.next;
        let newest = self.branch_mut().newest();
        (!self.branch().is_over()).then(|| next.max(newest))
    }

    /// What the monkey does now, as it would be typed, and to whom.
    pub(super) fn monkey_trick(&mut self) -> Option<(String, String)> {
        let plan = self.plan()?.clone();
        let monkey = self.monkey.as_mut()?;
        let trick = monkey.trick(&plan);
        monkey.wait();
        Some(trick)
    }
}
