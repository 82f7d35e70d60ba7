//! How a device's standing changes: by what it did, and by what it is.

use super::Health;
use crate::event::{Event, Proof, Standing};
use crate::units::{DeviceId, Time};

/// Slower than typical by this factor is slow; faster than by the second it is not any more.
const SLOW: f64 = 3.0;
const NOT_SLOW: f64 = 2.0;

/// An exile doubles up to this.
const MOST_EXILES: f64 = 16.0;

impl Health {
    /// A device that was heard of is not silent; how good is it?
    pub(super) fn reconsider(&mut self, device: DeviceId, out: &mut Vec<Event>) {
        let record = &self.devices[device.0];
        let factor = record.log_ratio.mean.exp();
        let by_pace = if factor > SLOW { Standing::Slow } else { Standing::Healthy };
        let times = || format!("it takes {factor:.1} × the typical time");
        match record.standing {
            Standing::Healthy if factor > SLOW => self.judge(device, by_pace, times(), out),
            Standing::Slow if factor < NOT_SLOW => self.judge(device, by_pace, times(), out),
            Standing::Suspect => self.judge(device, by_pace, "it let hear of itself".into(), out),
            Standing::Excluded if !record.lied => {
                self.judge(device, Standing::Probation, "it let hear of itself".into(), out);
            }
            Standing::Probation if record.good >= record.needs() => {
                let record = &mut self.devices[device.0];
                record.lied = false;
                self.exiles[device.0].next = self.rule.exile;
                let why = format!("{} good replies in a row", record.good);
                self.judge(device, by_pace, why, out);
            }
            Standing::Healthy | Standing::Slow | Standing::Excluded | Standing::Probation => {}
        }
    }

    pub(super) fn exclude(
        &mut self,
        now: Time,
        device: DeviceId,
        why: String,
        out: &mut Vec<Event>,
    ) {
        let most = self.rule.exile * MOST_EXILES;
        let exile = &mut self.exiles[device.0];
        exile.until = now + exile.next;
        exile.next = (exile.next * 2.0).min(most);
        self.forget(device);
        self.judge(device, Standing::Excluded, why, out);
    }

    /// It let hear of itself, about no task.
    pub(in crate::node) fn spoke(&mut self, now: Time, device: DeviceId, out: &mut Vec<Event>) {
        self.devices[device.0].heard = now;
        self.reconsider(device, out);
    }

    /// A lie was found out.
    pub(in crate::node) fn lied(
        &mut self,
        now: Time,
        device: DeviceId,
        how: Proof,
        out: &mut Vec<Event>,
    ) {
        self.devices[device.0].lied = true;
        self.exclude(now, device, format!("it lied ({how:?})"), out);
    }

    pub(in crate::node) fn left(&mut self, device: DeviceId, out: &mut Vec<Event>) {
        self.devices[device.0].away = true;
        self.changed.push(device);
        self.forget(device);
        self.judge(device, Standing::Excluded, "it left the fleet".to_owned(), out);
    }

    /// It came up anew: what was known of it is about its former life.
    pub(in crate::node) fn joined(&mut self, device: DeviceId, out: &mut Vec<Event>) {
        let record = &mut self.devices[device.0];
        record.away = false;
        self.changed.push(device);
        self.forget(device);
        self.judge(device, Standing::Probation, "it came up anew".to_owned(), out);
    }

    pub(super) fn judge(
        &mut self,
        device: DeviceId,
        to: Standing,
        why: String,
        out: &mut Vec<Event>,
    ) {
        let record = &mut self.devices[device.0];
        let from = std::mem::replace(&mut record.standing, to);
        if from != to {
            record.good = 0;
            self.changed.push(device);
            out.push(Event::Judgement { device, from, to, why });
        }
    }
}
