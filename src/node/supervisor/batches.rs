//! Batches: requests that come to the same stage are gathered, and run in one round.
//!
//! The round is that of the request that came first: tasks, replies and events name it. The others wait
//! at the same step until it ends, well or badly, for all of them. A batch that did not fill in time is
//! coded as the small batch it is: the devices are as many, and each request has more of them.

use std::sync::Arc;

use super::Supervisor;
use crate::code::Estimator;
use crate::event::Event;
use crate::maths::Tensor;
use crate::node::round::{Round, Tasks};
use crate::node::{Effects, Job, RoundId, Timer};
use crate::plan::Mixed;
use crate::units::{RequestId, Span, StageId, Time};

/// The requests that wait at a stage.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Tells this batch from those before.
    number: u32,
    since: Time,
    requests: Vec<(RequestId, Vec<Tensor>)>,
}

/// A batch whose inputs are being mixed.
#[derive(Debug)]
pub(super) struct Gathered {
    requests: Vec<RequestId>,
    code: Arc<Estimator>,
    /// How long the first of them waited for the others.
    waited: Span,
}

impl Supervisor {
    /// A request comes to a stage that gathers; the batch begins if it is full.
    pub(super) fn join(
        &mut self,
        now: Time,
        request: RequestId,
        stage: StageId,
        inputs: Vec<Tensor>,
        out: &mut Effects,
    ) {
        let Some(batch) = &self.plan.stages[stage.0].batch else { return };
        let (size, within) = (self.plan.stages[stage.0].code.sources(), batch.within);
        let waiting = self.waiting.entry(stage).or_default();
        if waiting.requests.is_empty() {
            waiting.since = now;
            out.wake(now + within, Timer::Batch { stage, number: waiting.number });
        }
        waiting.requests.push((request, inputs));
        if waiting.requests.len() == size {
            self.begin_batch(now, stage, out);
        }
    }

    /// A request that has failed elsewhere waits for no batch.
    pub(super) fn leave_batches(&mut self, request: RequestId) {
        for waiting in self.waiting.values_mut() {
            waiting.requests.retain(|(other, _)| *other != request);
        }
    }

    /// Those that wait have waited long enough.
    pub(super) fn stop_gathering(
        &mut self,
        now: Time,
        stage: StageId,
        number: u32,
        out: &mut Effects,
    ) {
        let waiting = self.waiting.get(&stage);
        if waiting.is_some_and(|w| w.number == number && !w.requests.is_empty()) {
            self.begin_batch(now, stage, out);
        }
    }

    fn begin_batch(&mut self, now: Time, stage: StageId, out: &mut Effects) {
        let Some(batch) = self.plan.stages[stage.0].batch.clone() else { return };
        let Some(waiting) = self.waiting.get_mut(&stage) else { return };
        waiting.number += 1;
        let waited = now - waiting.since;
        let gathered = std::mem::take(&mut waiting.requests);
        let (requests, inputs): (Vec<RequestId>, Vec<Vec<Tensor>>) = gathered.into_iter().unzip();
        let Some(first) = requests.first().copied() else { return };
        let round = RoundId { request: first, stage };
        let code = batch.estimator_for(requests.len());
        self.mixing.insert(round, Gathered { requests, code: code.clone(), waited });
        out.work(Job::Mix { round, batch, code, inputs });
    }

    /// The inputs are mixed: the round begins.
    pub(super) fn scatter_batch(
        &mut self,
        now: Time,
        id: RoundId,
        mixed: Result<Mixed, String>,
        took: Span,
        out: &mut Effects,
    ) {
        let Some(Gathered { requests, code, waited }) = self.mixing.remove(&id) else { return };
        let Mixed { tasks, places } = match mixed {
            Ok(mixed) => mixed,
            Err(reason) => {
                return requests.into_iter().for_each(|r| self.fail(now, r, reason.clone(), out));
            }
        };
        let RoundId { request, stage } = id;
        let (of, took) = (requests.clone(), Some(took));
        out.note(Event::Gathered { request, stage, requests: of, waited, took });
        let tasks = Tasks::Own(tasks.into_iter().map(Into::into).collect());
        let mut round = Round::new(id, now, tasks, &self.plan);
        (round.requests, round.places, round.estimator) = (requests, places, Some(code));
        self.begin_round(now, round, out);
    }
}
