//! The end of a round: when the replies suffice, what is decoded from them, and where that goes.

use std::sync::Arc;

use super::Supervisor;
use super::failing::call_off;
use crate::code::{Arrived, Code, Decoder, Fidelity, NotYet};
use crate::event::{Event, Worth};
use crate::maths::Tensor;
use crate::node::{Check, Decode, Effects, Job, RoundId};
use crate::plan::StageWork;
use crate::units::{DeviceId, Span, Time};

/// Whether a round may still wait for a reply more than it needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    Left,
    Spent,
}

impl Supervisor {
    /// Begins to decode if the shares in hand suffice; says whether they do.
    pub(super) fn decode_if_enough(
        &mut self,
        now: Time,
        id: RoundId,
        patience: Patience,
        out: &mut Effects,
    ) -> bool {
        let stage = id.stage;
        let Some(round) = self.round(id) else { return false };
        if round.news < round.decodes_from {
            return false;
        }
        let arrived = round.arrived();
        let decoder = match self.decoder(id, &arrived) {
            Ok(decoder) => decoder,
            Err(NotYet { missing }) => {
                let Some(round) = self.round(id) else { return false };
                round.decodes_from = round.news + missing;
                return false;
            }
        };
        let plan = self.plan.clone();
        if decoder.condition > plan.policy.worst_condition {
            return false;
        }
        let wants_surplus = arrived.len() < plan.stages[stage.0].awaited();
        if wants_surplus && patience == Patience::Left {
            let awaited = self.round(id).map(|round| round.awaited()).unwrap_or_default();
            if awaited.iter().any(|(_, device)| self.health.is_good(*device)) {
                return false;
            }
        }
        let worth = match plan.stages[stage.0].code.fidelity() {
            Fidelity::Exact => Worth::Exact,
            Fidelity::Approximate => Worth::Approximate,
        };
        self.decode(now, id, decoder, worth, out);
        true
    }

    /// How what has arrived is decoded: batches that did not fill have codes of their own.
    pub(super) fn decoder(
        &mut self,
        id: RoundId,
        arrived: &Arrived,
    ) -> Result<Arc<Decoder>, NotYet> {
        let own = self.round(id).and_then(|round| round.estimator.clone());
        match own.filter(|own| own.sources() < self.plan.stages[id.stage.0].code.sources()) {
            Some(own) => own.decoder(arrived).map(Arc::new),
            None => self.decoders[id.stage.0].decoder(arrived),
        }
    }

    /// Decides a round: nobody else is waited for.
    pub(super) fn decode(
        &mut self,
        now: Time,
        id: RoundId,
        decoder: Arc<Decoder>,
        worth: Worth,
        out: &mut Effects,
    ) {
        let plan = self.plan.clone();
        let RoundId { request, stage } = id;
        let Some(round) = self.round(id) else { return };
        (round.decoder, round.worth) = (Some(decoder.clone()), worth);
        let (arrived, awaited) = (round.results.shares().collect(), round.awaited());
        let (after, size) = (now - round.began, round.size());
        call_off(id, round, out);
        // Where nothing is computed nothing is found wrong, and no round is opened again.
        let results = match plan.computes() {
            true => round.results.clone(),
            false => std::mem::take(&mut round.results),
        };
        let (tasks, places) = (round.tasks.clone(), round.places.clone());
        let (estimator, lies) = (round.estimator.clone(), round.lies);
        let (requests, pace) = (round.requests.clone(), self.health.pace(stage, size));
        let expected = |device| self.health.expected(device, pace).map(|span| span.0);
        let mut without: Vec<_> =
            awaited.iter().map(|(_, device)| (*device, expected(*device))).collect();
        // Of a hand several shares are awaited.
        without.dedup();
        out.note(Event::Enough { request, stage, arrived, after, without });
        if let Some(code) = estimator {
            let result_len = plan.stages[stage.0].reply_bytes(0).0 as usize / size_of::<f32>();
            let lies_left = code.lies().saturating_sub(lies);
            out.work(Job::ReadOff {
                round: id,
                code,
                decoder,
                results,
                places,
                result_len,
                lies_left,
            });
            return;
        }
        match &plan.stages[stage.0].work {
            StageWork::Layers(layers) => {
                let check = self.deployment.check(stage, &plan.stages[stage.0], &tasks);
                let layers = layers.clone();
                let addends = |request| {
                    let progress = self.requests.get(request)?;
                    Some(progress.addends.get(&stage).cloned().unwrap_or_default())
                };
                let addends = requests.iter().map(addends).collect();
                let decode = Box::new(Decode { layers, decoder, results, check, addends });
                out.work(Job::Decode { round: id, decode });
            }
            StageWork::Function(_) => {
                if plan.computes()
                    && let Err(undecoded) = Check::copies(&results)
                {
                    return self.reopen(now, id, undecoded, out);
                }
                let used = decoder.used();
                let outputs = results.iter().find(|(share, _)| used.contains(share));
                let outputs = outputs.expect("the decoder uses what arrived").1.to_vec();
                self.finish_round(now, id, vec![outputs], Span::ZERO, out);
            }
        }
    }

    /// Ends a round well, with the outputs of each request that it was for.
    pub(super) fn finish_round(
        &mut self,
        now: Time,
        id: RoundId,
        outputs: Vec<Vec<Tensor>>,
        took: Span,
        out: &mut Effects,
    ) {
        let Some(round) = self.round(id) else { return };
        let Some(decoder) = round.decoder.clone() else { return };
        let (worth, requests, began) = (round.worth, round.requests.clone(), round.began);
        let used: Vec<usize> = decoder.used().into_iter().collect();
        let mut proved: Vec<DeviceId> =
            used.iter().filter_map(|share| round.sender(*share)).collect();
        // A hand is proved once a round, however many of its shares were used.
        proved.dedup();
        let mut judgements = Vec::new();
        proved.iter().for_each(|device| self.health.proved(*device, &mut judgements));
        self.note_judgements(judgements, out);
        let RoundId { request, stage } = id;
        out.note(Event::Decoded {
            request,
            stage,
            used,
            rebuilt: decoder.rebuilt().collect(),
            condition: decoder.condition,
            took,
            worth,
        });
        self.rounds.remove(&id);
        self.free_station(now, stage, began, out);
        let step = self.steps[stage.0];
        self.stations.board();
        for (request, outputs) in requests.into_iter().zip(outputs) {
            if let Some(progress) = self.requests.get_mut(&request) {
                progress.worth = progress.worth.max(worth);
            }
            self.finish_step(now, request, step, outputs, out);
        }
        self.depart(now, out);
    }
}
