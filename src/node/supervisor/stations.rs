//! Stations: stages at which requests share rounds, because reading weights is what takes the time and
//! devices read them once for all.
//!
//! A request that finds no round of the stage under way begins one at once. Others wait until that is over,
//! until there are as many as may go together, or until the first of them has waited long enough: a round
//! that is stuck holds nobody up for longer. Then they begin one round, told under the name of the first.

use std::collections::BTreeMap;

use super::Supervisor;
use crate::event::Event;
use crate::maths::Tensor;
use crate::model::lowered::Inputs;
use crate::node::round::{Round, Tasks};
use crate::node::{Effects, RoundId, Timer};
use crate::plan::StageWork;
use crate::units::{RequestId, StageId, Time};

/// Who waits where.
#[derive(Debug, Default)]
pub(super) struct Stations {
    by_stage: BTreeMap<StageId, Station>,
    /// Whether others may come at this very moment: those whose round just ended go on together.
    boarding: bool,
}

impl Stations {
    fn has_somebody_at(&self, stage: StageId) -> bool {
        self.by_stage.get(&stage).is_some_and(|station| !station.waiting.is_empty())
    }

    /// Nobody begins a round until [`Supervisor::depart`].
    pub(super) fn board(&mut self) {
        self.boarding = true;
    }
}

/// Who waits at a stage, and with what.
#[derive(Debug, Default)]
struct Station {
    /// Tells these from those before.
    number: u32,
    waiting: Vec<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    request: RequestId,
    since: Time,
    inputs: Vec<Tensor>,
}

impl Supervisor {
    /// A request comes to a stage of coded layers, and waits there or begins a round.
    pub(super) fn come(
        &mut self,
        now: Time,
        stage: StageId,
        request: RequestId,
        inputs: Vec<Tensor>,
        out: &mut Effects,
    ) {
        let most = self.plan.stages[stage.0].most_requests;
        let Some(gather) = self.plan.policy.gather.filter(|_| most > 1) else {
            return self.begin_shared(
                now,
                stage,
                vec![Waiter { request, since: now, inputs }],
                out,
            );
        };
        let is_free = !self.is_under_way(stage, |_| true);
        let boarding = self.stations.boarding;
        let station = self.stations.by_stage.entry(stage).or_default();
        if station.waiting.is_empty() && !is_free {
            out.wake(now + gather.within, Timer::Station { stage, number: station.number });
        }
        station.waiting.push(Waiter { request, since: now, inputs });
        if (is_free && !boarding) || station.waiting.len() == most {
            self.share_round(now, stage, out);
        }
    }

    /// The first who waits there has waited long enough.
    pub(super) fn leave_station(
        &mut self,
        now: Time,
        stage: StageId,
        number: u32,
        out: &mut Effects,
    ) {
        let station = self.stations.by_stage.get(&stage);
        if station.is_some_and(|station| station.number == number) {
            self.share_round(now, stage, out);
        }
    }

    /// A round of the stage that began then is over. Older ones that are stuck hold nobody up.
    pub(super) fn free_station(
        &mut self,
        now: Time,
        stage: StageId,
        began: Time,
        out: &mut Effects,
    ) {
        let is_younger = |round: &Round| round.began > began;
        if self.stations.has_somebody_at(stage) && !self.is_under_way(stage, is_younger) {
            self.share_round(now, stage, out);
        }
    }

    /// Whether such a round of the stage is under way.
    fn is_under_way(&self, stage: StageId, such: impl Fn(&Round) -> bool) -> bool {
        self.rounds.values().any(|round| round.id.stage == stage && such(round))
    }

    /// All who come at this moment have come.
    pub(super) fn depart(&mut self, now: Time, out: &mut Effects) {
        self.stations.boarding = false;
        let stages: Vec<StageId> = self.stations.by_stage.keys().copied().collect();
        for stage in stages {
            if self.stations.has_somebody_at(stage) && !self.is_under_way(stage, |_| true) {
                self.share_round(now, stage, out);
            }
        }
    }

    /// A request that has failed elsewhere waits nowhere.
    pub(super) fn leave_stations(&mut self, request: RequestId) {
        for station in self.stations.by_stage.values_mut() {
            let waited = station.waiting.len();
            station.waiting.retain(|waiter| waiter.request != request);
            // Whoever comes next waits for as long as anybody.
            station.number += u32::from(waited > 0 && station.waiting.is_empty());
        }
    }

    fn share_round(&mut self, now: Time, stage: StageId, out: &mut Effects) {
        let Some(station) = self.stations.by_stage.get_mut(&stage) else { return };
        station.number += 1;
        let waiting = std::mem::take(&mut station.waiting);
        if let [Waiter { request, since, .. }, _, ..] = waiting[..] {
            let requests = waiting.iter().map(|waiter| waiter.request).collect();
            let waited = now - since;
            out.note(Event::Gathered { request, stage, requests, waited, took: None });
        }
        self.begin_shared(now, stage, waiting, out);
    }

    /// Begins a round of coded layers for all of these.
    fn begin_shared(&mut self, now: Time, stage: StageId, with: Vec<Waiter>, out: &mut Effects) {
        let with = with.into_iter().map(|Waiter { request, inputs, .. }| (request, inputs));
        let (requests, inputs): (Vec<RequestId>, Vec<_>) = with.unzip();
        let Some(request) = requests.first().copied() else { return };
        let plan = self.plan.clone();
        let StageWork::Layers(layers) = &plan.stages[stage.0].work else { return };
        let tasks = Tasks::Alike(Inputs::laid_out(inputs, layers.ways()));
        let mut round = Round::new(RoundId { request, stage }, now, tasks, &plan);
        round.requests = requests;
        self.begin_round(now, round, out);
    }
}
