//! Lies: what becomes of a round whose replies were found wrong, and of those who sent them.

use super::Supervisor;
use super::decoding::Patience;
use crate::event::{Event, Proof};
use crate::node::job::Undecoded;
use crate::node::{Effects, RoundId};
use crate::units::Time;

impl Supervisor {
    /// What was in hand turned out not to do: go on without what was wrong.
    pub(super) fn reopen(
        &mut self,
        now: Time,
        id: RoundId,
        undecoded: Undecoded,
        out: &mut Effects,
    ) {
        let RoundId { request, stage } = id;
        let mut tries = self.plan.policy.retries;
        let Some(round) = self.round(id) else { return };
        round.decoder = None;
        match undecoded {
            Undecoded::Broken(reason) => return self.fail_round(now, id, &reason, out),
            Undecoded::Doubtful => {
                let arrived = round.arrived().into_iter().collect();
                round.doubted = true;
                if round.missing().is_empty() {
                    // Nobody else can be asked: let all speak again.
                    round.drop_all_results();
                }
                out.note(Event::Doubted { request, stage, arrived });
            }
            Undecoded::Lies(lies) => {
                self.catch(now, id, lies, out);
                if self.decode_if_enough(now, id, Patience::Left, out) {
                    return;
                }
                // The others were told to stop when it seemed enough. Lies, and copies of lies, must
                // not take from them the time that they were given.
                tries = self.tries_after_a_lie(now, id);
            }
        }
        self.ask_again_or_fail(now, id, tries, out);
    }

    /// Shares are wrong: they count as some that never came, and whoever sent them loses standing; once,
    /// if several of a hand are.
    fn catch(&mut self, now: Time, id: RoundId, lies: Vec<(usize, Proof)>, out: &mut Effects) {
        let RoundId { request, stage } = id;
        let mut last = None;
        for (share, how) in lies {
            let Some(round) = self.round(id) else { return };
            round.drop_result(share);
            round.lies += 1;
            let Some(device) = round.sender(share) else { continue };
            out.note(Event::Caught { device, request, stage, share, how });
            if last.replace(device) == Some(device) {
                continue;
            }
            let mut judgements = Vec::new();
            self.health.lied(now, device, how, &mut judgements);
            self.note_judgements(judgements, out);
        }
    }

    /// One more than there were, until the last of the policy's tries is over.
    fn tries_after_a_lie(&mut self, now: Time, id: RoundId) -> u32 {
        let retries = self.plan.policy.retries;
        let in_time = self.round(id).filter(|round| now < round.until);
        in_time.map_or(retries, |round| retries.max(round.attempt + 1))
    }
}
