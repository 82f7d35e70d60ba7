//! How requests end badly: their client is told why, and nobody works for them any more.

use std::collections::BTreeSet;

use super::Supervisor;
use crate::event::Event;
use crate::node::round::Round;
use crate::node::{Effects, Message, NodeId, RoundId};
use crate::units::{RequestId, Time};

impl Supervisor {
    /// Ends a request badly.
    pub(super) fn fail(
        &mut self,
        now: Time,
        request: RequestId,
        reason: String,
        out: &mut Effects,
    ) {
        self.fail_all(now, &[request], &reason, out);
    }

    /// Ends requests badly, and the rounds that are for nobody any more.
    pub(super) fn fail_all(
        &mut self,
        now: Time,
        requests: &[RequestId],
        reason: &str,
        out: &mut Effects,
    ) {
        let remove = |request: &RequestId| Some((*request, self.requests.remove(request)?));
        let failed: Vec<_> = requests.iter().filter_map(remove).collect();
        for (request, _) in &failed {
            self.leave_batches(*request);
            self.leave_stations(*request);
        }
        let is_here = |request: &RequestId| self.requests.contains_key(request);
        let is_for_nobody = |_: &RoundId, round: &mut Round| {
            round.requests.iter().any(|request| requests.contains(request))
                && !round.requests.iter().any(is_here)
        };
        let given_up: Vec<_> = self.rounds.extract_if(.., is_for_nobody).collect();
        given_up.iter().for_each(|(id, round)| call_off(*id, round, out));
        for (request, progress) in failed {
            let (latency, reason) = (now - progress.accepted, reason.to_owned());
            out.note(Event::Failed { request, reason: reason.clone(), latency });
            out.send(NodeId::Client, Message::Answer(request, Err(reason)));
        }
        for (id, round) in given_up {
            self.free_station(now, id.stage, round.began, out);
        }
    }

    /// A round ended badly for every request that it was for.
    pub(super) fn fail_round(&mut self, now: Time, id: RoundId, reason: &str, out: &mut Effects) {
        let Some(round) = self.rounds.remove(&id) else { return };
        call_off(id, &round, out);
        self.fail_all(now, &round.requests, reason, out);
        self.free_station(now, id.stage, round.began, out);
    }
}

/// Nobody waits any more for those who have not replied.
pub(super) fn call_off(id: RoundId, round: &Round, out: &mut Effects) {
    for device in round.awaited().iter().map(|(_, device)| *device).collect::<BTreeSet<_>>() {
        out.send(NodeId::Device(device), Message::Cancel(id));
    }
}
