//! What the supervisor thinks of each device, from how it replies.
//!
//! ```text
//!             replies late                silent            silent for long
//!   healthy ◄─────────────► slow   any ───────────► suspect ───────────────► excluded
//!      ▲                              ◄── replies ──              │ lies ──────▲   │
//!      └── replies well, again and again ── probation ◄───────────┼────────────┼───┘
//!                                               └── silent ───────┴────────────┘ after its exile,
//!                                                                                or when it replies
//! ```
//!
//! Suspicion accrues with silence (Hayashibara et al., *The φ accrual failure detector*, 2004): φ is
//! how unlikely it is, in powers of ten, that a reply still comes, given how this device used to
//! reply relative to what is typical for the stage. Slow is not dead: a device that answers returns.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::{RoundId, Ticket};
use crate::event::{Event, Proof, Standing};
use crate::plan::HealthRule;
use crate::units::{DeviceId, Span, StageId, Time};

#[derive(Debug)]
pub(super) struct Health {
    rule: HealthRule,
    devices: Vec<Record>,
    /// Recent reply times of each stage, from all devices.
    stages: Vec<Recent>,
    /// How long a stage's reply is taken to need until replies have shown it.
    prior: Vec<Span>,
    /// The devices of which something is awaited.
    awaited: Flags,
    /// Whose standing may be another than when margins were last told.
    changed: Vec<DeviceId>,
}

/// The latest reply times, as they came and in order.
#[derive(Clone, Debug, Default)]
struct Recent {
    came: VecDeque<Span>,
    sorted: Vec<Span>,
}

impl Recent {
    fn take(&mut self, took: Span) {
        self.came.push_back(took);
        self.sorted.insert(self.sorted.partition_point(|other| *other < took), took);
        if self.came.len() > REMEMBERED
            && let Some(oldest) = self.came.pop_front()
        {
            self.sorted.remove(self.sorted.partition_point(|other| *other < oldest));
        }
    }
}

/// A set of devices that is looked through often, and changed at every message.
#[derive(Debug, Default)]
struct Flags(Vec<u64>);

impl Flags {
    fn set(&mut self, DeviceId(device): DeviceId, to: bool) {
        if self.0.len() <= device / 64 {
            self.0.resize(device / 64 + 1, 0);
        }
        let bit = 1 << (device % 64);
        if to { self.0[device / 64] |= bit } else { self.0[device / 64] &= !bit }
    }

    /// Those that are set, in order.
    fn all(&self) -> Vec<DeviceId> {
        let words = self.0.iter().enumerate().filter(|(_, word)| **word != 0);
        let bits = |(at, word): (usize, &u64)| {
            let (word, first) = (*word, 64 * at);
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| DeviceId(first + bit))
        };
        words.flat_map(bits).collect()
    }
}

/// In one piece of memory each: a fleet of thousands is larger than caches.
#[derive(Debug)]
#[repr(align(128))]
struct Record {
    standing: Standing,
    /// It said goodbye.
    away: bool,
    /// Logarithm of its reply times in units of what is typical for the stage.
    log_ratio: Running,
    /// What it was asked for and has said nothing about, in order: a few at most, and mostly one.
    open: SmallVec<[((RoundId, usize), Time); 1]>,
    /// When it last let hear of itself.
    heard: Time,
    /// Replies in a row on probation.
    good: u32,
    /// How many it needs to be trusted again.
    needs: u32,
    /// When its exile ends, and how long the next will be.
    until: Time,
    exile: Span,
}

/// Mean and variance of a stream that forgets (exponentially weighted).
#[derive(Clone, Copy, Debug)]
struct Running {
    mean: f64,
    variance: f64,
}

impl Running {
    fn take(&mut self, x: f64) {
        let off = x - self.mean;
        self.mean += FORGETS * off;
        self.variance = (1.0 - FORGETS) * (self.variance + FORGETS * off * off);
    }
}

/// The weight of a new reply: what is older than some twenty replies hardly counts.
const FORGETS: f64 = 0.1;
/// Replies of a stage that are remembered.
const REMEMBERED: usize = 64;
/// Replies of a stage before its deadline is learned from them.
const ENOUGH: usize = 16;
/// Good replies in a row that end probation; a liar must show more.
const GOOD_IN_A_ROW: u32 = 3;
const GOOD_OF_A_LIAR: u32 = 12;
/// Slower than typical by this factor is slow; faster than by the second it is not any more.
const SLOW: f64 = 3.0;
const NOT_SLOW: f64 = 2.0;
/// A stage that has hardly replied is taken to need this part of its deadline, so that whoever says
/// nothing for as long as that is suspect by default. The deadline is the one time that the topology
/// promises by any clock: its speeds and links are not those of the machine in real time.
const PRIOR: f64 = 0.2;
/// The least standard deviation of the logarithm: even a steady device may take half as long again.
const LEAST_SD: f64 = 0.5;

impl Health {
    /// For so many devices, and stages with these deadlines.
    pub(super) fn new(rule: HealthRule, devices: usize, deadlines: &[Span]) -> Self {
        let fresh = || Record {
            standing: Standing::Healthy,
            away: false,
            log_ratio: Running { mean: 0.0, variance: LEAST_SD * LEAST_SD },
            open: SmallVec::new(),
            heard: Time::ZERO,
            good: 0,
            needs: GOOD_IN_A_ROW,
            until: Time::ZERO,
            exile: rule.exile,
        };
        let devices = (0..devices).map(|_| fresh()).collect();
        let prior = deadlines.iter().map(|deadline| *deadline * PRIOR).collect();
        let stages = vec![Recent::default(); deadlines.len()];
        Self { rule, devices, stages, prior, awaited: Flags::default(), changed: Vec::new() }
    }

    /// Whether the device is one to rely on.
    pub(super) fn is_good(&self, device: DeviceId) -> bool {
        let Record { standing, away, .. } = &self.devices[device.0];
        !away && !matches!(standing, Standing::Suspect | Standing::Excluded)
    }

    pub(super) fn is_away(&self, device: DeviceId) -> bool {
        self.devices[device.0].away
    }

    /// Whether to ask the device. One whose exile is over is put on probation.
    pub(super) fn may_ask(&mut self, now: Time, device: DeviceId, out: &mut Vec<Event>) -> bool {
        let record = &self.devices[device.0];
        if record.away {
            return false;
        }
        if record.standing == Standing::Excluded && now >= record.until {
            // What it was asked in exile, for want of others, says nothing about now.
            self.forget(device);
            self.judge(device, Standing::Probation, "its exile is over".to_owned(), out);
        }
        self.devices[device.0].standing != Standing::Excluded
    }

    pub(super) fn asked(&mut self, now: Time, device: DeviceId, ticket: Ticket) {
        let open = &mut self.devices[device.0].open;
        let what = (ticket.round, ticket.share);
        if let Err(at) = open.binary_search_by_key(&what, |(what, _)| *what) {
            open.insert(at, (what, now));
        }
        self.awaited.set(device, true);
    }

    /// Whatever it was asked for is not awaited any more.
    fn forget(&mut self, device: DeviceId) {
        self.devices[device.0].open.clear();
        self.awaited.set(device, false);
    }

    /// The device let hear of itself about a task; with a result, its time counts.
    pub(super) fn heard(
        &mut self,
        now: Time,
        device: DeviceId,
        ticket: Ticket,
        has_result: bool,
        out: &mut Vec<Event>,
    ) {
        let stage = ticket.round.stage;
        let record = &mut self.devices[device.0];
        record.heard = now;
        let what = (ticket.round, ticket.share);
        let Ok(at) = record.open.binary_search_by_key(&what, |(what, _)| *what) else { return };
        let (_, asked) = record.open.remove(at);
        // What it was asked before that is lost or will be late: it says nothing about now.
        record.open.retain(|(_, at)| *at >= asked);
        let is_awaited = !record.open.is_empty();
        self.awaited.set(device, is_awaited);
        if has_result {
            let took = now - asked;
            if let Some(typical) = self.typical(stage) {
                let ratio = took.as_secs().max(1e-9) / typical.as_secs().max(1e-9);
                self.devices[device.0].log_ratio.take(ratio.ln().clamp(-3.0, 5.0));
            }
            self.stages[stage.0].take(took);
        }
        let record = &mut self.devices[device.0];
        record.good += u32::from(record.needs == GOOD_IN_A_ROW);
        self.reconsider(device, out);
    }

    /// A result of the device was checked and used: what a liar must show again and again.
    pub(super) fn proved(&mut self, device: DeviceId, out: &mut Vec<Event>) {
        let record = &mut self.devices[device.0];
        record.good += u32::from(record.needs != GOOD_IN_A_ROW);
        self.reconsider(device, out);
    }

    /// A device that was heard of is not silent; how good is it?
    fn reconsider(&mut self, device: DeviceId, out: &mut Vec<Event>) {
        let record = &self.devices[device.0];
        let factor = record.log_ratio.mean.exp();
        let by_pace = if factor > SLOW { Standing::Slow } else { Standing::Healthy };
        let times = || format!("it takes {factor:.1} × the typical time");
        match record.standing {
            Standing::Healthy if factor > SLOW => self.judge(device, by_pace, times(), out),
            Standing::Slow if factor < NOT_SLOW => self.judge(device, by_pace, times(), out),
            Standing::Suspect => self.judge(device, by_pace, "it let hear of itself".into(), out),
            Standing::Excluded if record.needs == GOOD_IN_A_ROW => {
                self.judge(device, Standing::Probation, "it let hear of itself".into(), out);
            }
            Standing::Probation if record.good >= record.needs => {
                let record = &mut self.devices[device.0];
                record.exile = self.rule.exile;
                record.needs = GOOD_IN_A_ROW;
                let why = format!("{} good replies in a row", record.good);
                self.judge(device, by_pace, why, out);
            }
            Standing::Healthy | Standing::Slow | Standing::Excluded | Standing::Probation => {}
        }
    }

    /// Looks at a device's silence.
    pub(super) fn review(&mut self, now: Time, device: DeviceId, out: &mut Vec<Event>) {
        let record = &self.devices[device.0];
        let oldest = record.open.iter().min_by_key(|(_, at)| *at);
        let Some(((round, _), asked)) = oldest else { return };
        // It does one job at a time: what it was asked meanwhile had to wait.
        let (stage, silence) = (round.stage, now - (*asked).max(record.heard));
        let phi = self.suspicion(device, stage, silence);
        let why = || format!("nothing from it for {silence} (φ = {phi:.1})");
        let standing = self.devices[device.0].standing;
        match standing {
            Standing::Excluded => {}
            Standing::Probation if phi >= self.rule.suspect => {
                self.exclude(now, device, why(), out)
            }
            _ if phi >= self.rule.exclude => self.exclude(now, device, why(), out),
            Standing::Healthy | Standing::Slow if phi >= self.rule.suspect => {
                self.judge(device, Standing::Suspect, why(), out);
            }
            Standing::Healthy | Standing::Slow | Standing::Suspect | Standing::Probation => {}
        }
    }

    /// φ = −log₁₀ P(a reply comes after a silence this long), for a lognormal reply time; the normal
    /// tail is approximated by a logistic function, as is usual for this detector.
    fn suspicion(&self, device: DeviceId, stage: StageId, silence: Span) -> f64 {
        let typical = self.typical(stage).unwrap_or(self.prior[stage.0]).as_secs().max(1e-9);
        let Running { mean, variance } = self.devices[device.0].log_ratio;
        let sd = variance.sqrt().max(LEAST_SD);
        let y = ((silence.as_secs() / typical).max(1e-9).ln() - mean) / sd;
        let e = (-y * (1.5976 + 0.070_566 * y * y)).exp();
        if y > 0.0 { -(e / (1.0 + e)).log10() } else { -(1.0 - 1.0 / (1.0 + e)).log10() }
    }

    fn exclude(&mut self, now: Time, device: DeviceId, why: String, out: &mut Vec<Event>) {
        let most = self.rule.exile * MOST_EXILES;
        let record = &mut self.devices[device.0];
        record.until = now + record.exile;
        record.exile = (record.exile * 2.0).min(most);
        self.forget(device);
        self.judge(device, Standing::Excluded, why, out);
    }

    /// A lie was found out.
    pub(super) fn lied(&mut self, now: Time, device: DeviceId, how: Proof, out: &mut Vec<Event>) {
        self.devices[device.0].needs = GOOD_OF_A_LIAR;
        self.exclude(now, device, format!("it lied ({how:?})"), out);
    }

    pub(super) fn left(&mut self, device: DeviceId, out: &mut Vec<Event>) {
        self.devices[device.0].away = true;
        self.changed.push(device);
        self.forget(device);
        self.judge(device, Standing::Excluded, "it left the fleet".to_owned(), out);
    }

    /// It came up anew: what was known of it is about its former life.
    pub(super) fn joined(&mut self, device: DeviceId, out: &mut Vec<Event>) {
        let record = &mut self.devices[device.0];
        record.away = false;
        self.changed.push(device);
        self.forget(device);
        self.judge(device, Standing::Probation, "it came up anew".to_owned(), out);
    }

    fn judge(&mut self, device: DeviceId, to: Standing, why: String, out: &mut Vec<Event>) {
        let record = &mut self.devices[device.0];
        let from = std::mem::replace(&mut record.standing, to);
        if from != to {
            record.good = 0;
            self.changed.push(device);
            out.push(Event::Judgement { device, from, to, why });
        }
    }

    /// The median of a stage's recent reply times.
    fn typical(&self, stage: StageId) -> Option<Span> {
        self.quantile(stage, 0.5)
    }

    fn quantile(&self, stage: StageId, quantile: f64) -> Option<Span> {
        let sorted = &self.stages[stage.0].sorted;
        if sorted.len() < ENOUGH {
            return None;
        }
        Some(sorted[((sorted.len() - 1) as f64 * quantile).round() as usize])
    }

    /// How long to wait for a stage, if enough is known of it.
    pub(super) fn learned(&self, stage: StageId, quantile: f64, factor: f64) -> Option<Span> {
        self.quantile(stage, quantile).map(|span| span * factor)
    }

    /// When a device's reply is expected, after asking.
    pub(super) fn expected(&self, device: DeviceId, stage: StageId) -> Option<Span> {
        self.typical(stage).map(|typical| typical * self.devices[device.0].log_ratio.mean.exp())
    }

    /// The devices of which something is awaited.
    pub(super) fn awaited(&self) -> Vec<DeviceId> {
        self.awaited.all()
    }

    /// Whose standing may have changed since this was last asked.
    pub(super) fn changed(&mut self) -> Vec<DeviceId> {
        std::mem::take(&mut self.changed)
    }
}

/// An exile doubles up to this.
const MOST_EXILES: f64 = 16.0;
