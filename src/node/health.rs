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

mod flags;
mod pace;
mod record;
mod standing;

use flags::Flags;
use pace::{Recent, Running};
pub(super) use record::Pace;
use record::{Exile, Open, Record, What, what};
use smallvec::SmallVec;

use super::Ticket;
use crate::event::{Event, Standing};
use crate::maths::fetch::fetch;
use crate::plan::HealthRule;
use crate::units::{DeviceId, Span, StageId, Time};

#[derive(Debug)]
pub(super) struct Health {
    rule: HealthRule,
    devices: Vec<Record>,
    exiles: Vec<Exile>,
    /// Recent reply times of each [`Pace`], from all devices.
    paces: Vec<Recent>,
    /// How many requests a round may be for.
    sizes: usize,
    /// How long a stage's reply is taken to need until replies have shown it.
    prior: Vec<Span>,
    /// The devices of which something is awaited.
    awaited: Flags,
    /// Whose standing may be another than when margins were last told.
    changed: Vec<DeviceId>,
}

/// A stage that has hardly replied is taken to need this part of its deadline, so that whoever says
/// nothing for as long as that is suspect by default. The deadline is the one time that the topology
/// promises by any clock: its speeds and links are not those of the machine in real time.
const PRIOR: f64 = 0.2;
/// The least standard deviation of the logarithm: even a steady device may take half as long again.
const LEAST_SD: f64 = 0.5;

impl Health {
    /// For so many devices, and stages with these deadlines, whose rounds are for so many requests at most.
    pub(super) fn new(rule: HealthRule, devices: usize, deadlines: &[Span], sizes: usize) -> Self {
        let fresh = || Record {
            standing: Standing::Healthy,
            away: false,
            lied: false,
            good: 0,
            log_ratio: Running { mean: 0.0, variance: LEAST_SD * LEAST_SD },
            heard: Time::ZERO,
            open: SmallVec::new(),
        };
        let exiles = vec![Exile { until: Time::ZERO, next: rule.exile }; devices];
        let devices = (0..devices).map(|_| fresh()).collect();
        let prior = deadlines.iter().map(|deadline| *deadline * PRIOR).collect();
        let paces = vec![Recent::default(); deadlines.len() * sizes];
        let (awaited, changed) = Default::default();
        Self { rule, devices, exiles, paces, sizes, prior, awaited, changed }
    }

    /// That of a stage's rounds for so many requests.
    pub(super) fn pace(&self, StageId(stage): StageId, requests: usize) -> Pace {
        Pace((stage * self.sizes + requests.clamp(1, self.sizes) - 1) as u32)
    }

    fn stage(&self, Pace(pace): Pace) -> usize {
        pace as usize / self.sizes
    }

    /// By what a device's open tasks are in order.
    fn key(&self) -> impl Fn(&Open) -> What + use<> {
        let sizes = self.sizes as u32;
        move |open| (open.request, open.pace.0 / sizes, open.share)
    }

    /// Has the memory bring what is known of a device.
    pub(super) fn fetch(&self, device: DeviceId) {
        fetch(&self.devices, device.0);
    }

    /// Whether the device is one to rely on.
    pub(super) fn is_good(&self, device: DeviceId) -> bool {
        let Record { standing, away, .. } = &self.devices[device.0];
        !away && !matches!(standing, Standing::Suspect | Standing::Excluded)
    }

    pub(super) fn is_away(&self, device: DeviceId) -> bool {
        self.devices[device.0].away
    }

    /// Whether it was found out in a lie, and has not made up for it.
    pub(super) fn has_lied(&self, device: DeviceId) -> bool {
        self.devices[device.0].lied
    }

    /// Whether to ask the device. One whose exile is over is put on probation.
    pub(super) fn may_ask(&mut self, now: Time, device: DeviceId, out: &mut Vec<Event>) -> bool {
        let record = &self.devices[device.0];
        if record.away {
            return false;
        }
        if record.standing == Standing::Excluded && now >= self.exiles[device.0].until {
            // What it was asked in exile, for want of others, says nothing about now.
            self.forget(device);
            self.judge(device, Standing::Probation, "its exile is over".to_owned(), out);
        }
        self.devices[device.0].standing != Standing::Excluded
    }

    /// Whether a device was asked for a share and has not been heard of about it.
    pub(super) fn owes(&self, device: DeviceId, ticket: Ticket) -> bool {
        self.devices[device.0].open.binary_search_by_key(&what(ticket), self.key()).is_ok()
    }

    pub(super) fn asked(&mut self, now: Time, device: DeviceId, ticket: Ticket, pace: Pace) {
        let key = self.key();
        let open = &mut self.devices[device.0].open;
        if let Err(at) = open.binary_search_by_key(&what(ticket), key) {
            let (request, share) = (ticket.round.request, ticket.share as u32);
            open.insert(at, Open { request, pace, share, asked: now });
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
        let key = self.key();
        let record = &mut self.devices[device.0];
        record.heard = now;
        let Ok(at) = record.open.binary_search_by_key(&what(ticket), key) else { return };
        let Open { asked, pace, .. } = record.open.remove(at);
        // What it was asked before that is lost or will be late: it says nothing about now.
        record.open.retain(|open| open.asked >= asked);
        let is_awaited = !record.open.is_empty();
        self.awaited.set(device, is_awaited);
        if has_result {
            let took = now - asked;
            if let Some(typical) = self.typical(pace) {
                let ratio = took.as_secs().max(1e-9) / typical.as_secs().max(1e-9);
                self.devices[device.0].log_ratio.take(ratio.ln().clamp(-3.0, 5.0));
            }
            self.paces[pace.0 as usize].take(took);
        }
        let record = &mut self.devices[device.0];
        record.good += u32::from(!record.lied);
        self.reconsider(device, out);
    }

    /// A result of the device was checked and used: what a liar must show again and again.
    pub(super) fn proved(&mut self, device: DeviceId, out: &mut Vec<Event>) {
        let record = &mut self.devices[device.0];
        record.good += u32::from(record.lied);
        self.reconsider(device, out);
    }

    /// Looks at a device's silence.
    pub(super) fn review(&mut self, now: Time, device: DeviceId, out: &mut Vec<Event>) {
        let record = &self.devices[device.0];
        let oldest = record.open.iter().min_by_key(|open| open.asked);
        let Some(Open { pace, asked, .. }) = oldest else { return };
        // It does one job at a time: what it was asked meanwhile had to wait.
        let (pace, silence) = (*pace, now - (*asked).max(record.heard));
        let phi = self.suspicion(device, pace, silence);
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
    fn suspicion(&self, device: DeviceId, pace: Pace, silence: Span) -> f64 {
        let typical = self.typical(pace).unwrap_or(self.prior[self.stage(pace)]);
        let typical = typical.as_secs().max(1e-9);
        let Running { mean, variance } = self.devices[device.0].log_ratio;
        let sd = variance.sqrt().max(LEAST_SD);
        let y = ((silence.as_secs() / typical).max(1e-9).ln() - mean) / sd;
        let e = (-y * (1.5976 + 0.070_566 * y * y)).exp();
        if y > 0.0 { -(e / (1.0 + e)).log10() } else { -(1.0 - 1.0 / (1.0 + e)).log10() }
    }

    /// The median of recent reply times.
    fn typical(&self, pace: Pace) -> Option<Span> {
        self.quantile(pace, 0.5)
    }

    /// Of rounds for as many requests; until enough is known of them, of those for the fewest more.
    fn quantile(&self, pace: Pace, quantile: f64) -> Option<Span> {
        let next_stage = (self.stage(pace) + 1) * self.sizes;
        let mut known = self.paces[pace.0 as usize..next_stage].iter();
        known.find_map(|recent| recent.quantile(quantile))
    }

    /// How long to wait for a round, if enough is known of its like.
    pub(super) fn learned(&self, pace: Pace, quantile: f64, factor: f64) -> Option<Span> {
        self.quantile(pace, quantile).map(|span| span * factor)
    }

    /// When a device's reply is expected, after asking.
    pub(super) fn expected(&self, device: DeviceId, pace: Pace) -> Option<Span> {
        self.typical(pace).map(|typical| typical * self.devices[device.0].log_ratio.mean.exp())
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
