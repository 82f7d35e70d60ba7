//! How long a round waits: its deadlines, and what is done before and after them.

use super::Supervisor;
use super::decoding::Patience;
use crate::event::{Event, Worth};
use crate::node::health::Pace;
use crate::node::{Effects, RoundId};
use crate::units::{DeviceId, Span, StageId, Time};

impl Supervisor {
    /// What the fleet has shown, doubled with each attempt; the last attempt is given all the time
    /// there is, for slow is not dead.
    pub(super) fn deadline(&self, stage: StageId, pace: Pace, attempt: u32) -> Span {
        let most = self.plan.stages[stage.0].deadline;
        let learned = self.plan.policy.learn.and_then(|learn| {
            let learned = self.health.learned(pace, learn.quantile, learn.factor)?;
            Some(learned.max(learn.floor) * f64::from(1u32 << attempt.min(16)))
        });
        match learned {
            Some(learned) if attempt < self.plan.policy.retries => learned.min(most),
            _ => most,
        }
    }

    /// A deadline passed: decode what suffices, ask again, or give the request up.
    pub(super) fn pass_deadline(
        &mut self,
        now: Time,
        id: RoundId,
        attempt: u32,
        out: &mut Effects,
    ) {
        let Some(round) = self.round(id) else { return };
        if round.decoder.is_some() || round.attempt != attempt {
            return;
        }
        let RoundId { request, stage } = id;
        let missing = round.missing();
        out.note(Event::DeadlinePassed { request, stage, attempt, missing });
        self.review(now, out);
        if !self.decode_if_enough(now, id, Patience::Spent, out) {
            self.ask_again_or_fail(now, id, self.plan.policy.retries, out);
        }
    }

    /// Asks again unless that was done so many times.
    pub(super) fn ask_again_or_fail(
        &mut self,
        now: Time,
        id: RoundId,
        tries: u32,
        out: &mut Effects,
    ) {
        let Some(round) = self.round(id) else { return };
        if round.attempt < tries {
            round.attempt += 1;
            return self.scatter(now, id, out);
        }
        if let Some(decoder) = self.best_guess(id) {
            return self.decode(now, id, decoder, Worth::Estimate, out);
        }
        self.give_up(now, id, out);
    }

    /// A round takes longer than usual: ask spare holders of what is missing.
    pub(super) fn hedge(&mut self, now: Time, id: RoundId, out: &mut Effects) {
        let plan = self.plan.clone();
        let Some(round) = self.round(id) else { return };
        if round.decoder.is_some() || round.hedged {
            return;
        }
        round.hedged = true;
        let missing = round.missing();
        let already: Vec<(usize, DeviceId)> = round.awaited();
        let mut judgements = Vec::new();
        let mut asked = Vec::new();
        for share in missing {
            let holders = plan.stages[id.stage.0].holders[share].iter().copied();
            let fresh = holders.filter(|device| !already.contains(&(share, *device)));
            let spare = fresh.clone().find(|d| self.health.may_ask(now, *d, &mut judgements));
            asked.extend(spare.map(|device| (share, device)));
        }
        self.note_judgements(judgements, out);
        if !asked.is_empty() {
            self.ask(now, id, asked, 0, out);
        }
    }
}
