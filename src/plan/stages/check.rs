//! Stages as they have come out: how far their codes amplify, how their results are checked, whether their
//! deadlines can be kept, and whether devices have memory for them.

use std::cmp::Reverse;

use super::Assigner;
use crate::code::{Code, tolerance, worst_condition};
use crate::maths::delay::Delay;
use crate::plan::source::To;
use crate::plan::topology::VerifyFile;
use crate::plan::{Device, Stage, StageWork, Verify, held_bytes};
use crate::units::{DeviceId, Span};

/// The share of a round's time that witnesses may cost where the policy leaves it open.
const CHEAP: f64 = 0.03;

impl Assigner<'_> {
    /// A code that is too badly conditioned even with every share in hand decodes nothing. One that is made to
    /// fit a layer is looked at when it does.
    pub(super) fn check_condition(&mut self, path: &[To<'_>], code: &dyn Code) {
        let allowed = self.file.policy.worst_condition;
        let is_fitted = code.fitted(1, allowed).is_some();
        if !is_fitted && worst_condition(code, 0) > allowed {
            let message = self.amplifies(code);
            self.problem(path, message, "choose fewer shares, or a code like Mds");
        }
    }

    /// How far a stage's code may amplify, and what that leaves of what may be lost. Of a code as it is written
    /// [`Self::check_condition`] has said already that it is nothing.
    pub(super) fn survey(&mut self, stage: &mut Stage, origin: Option<usize>, is_fitted: bool) {
        let code = stage.code.as_ref();
        stage.worst_condition = worst_condition(code, code.tolerates());
        match tolerance(code, self.file.policy.worst_condition) {
            Some(tolerates) => stage.tolerates = tolerates,
            None if is_fitted => self.refuse_fitted(stage, origin),
            None => {}
        }
    }

    fn refuse_fitted(&mut self, stage: &Stage, origin: Option<usize>) {
        let own = origin.filter(|at| self.file.stages[*at].code.is_some());
        let path = match own {
            Some(at) => vec![To::Field("stages"), To::Item(at), To::Field("code")],
            None => vec![To::Field("coding"), To::Field("code")],
        };
        let message = format!("of \"{}\", {}", stage.name, self.amplifies(stage.code.as_ref()));
        self.problem(&path, message, "choose `form: Systematic`, or raise worst_condition");
    }

    fn amplifies(&self, code: &dyn Code) -> String {
        let (name, condition) = (code.name(), worst_condition(code, 0));
        let allowed = self.file.policy.worst_condition;
        format!(
            "{name} amplifies rounding {condition:.0e} times even when every share arrives; beyond \
             worst_condition, {allowed:.0e}, nothing is decoded"
        )
    }

    /// How long the k-th fastest holder takes to answer so many requests when nothing goes wrong, with latencies
    /// picked from their distributions.
    fn round_time(&self, stage: &Stage, requests: usize, pick: fn(&Delay) -> Span) -> Span {
        let time = |(share, holders): (usize, &Vec<DeviceId>)| {
            let travels = stage.task_bytes(share) + stage.reply_bytes(share);
            let Device { machine, latency, reply_latency, bandwidth, .. } =
                &self.devices[holders[0].0];
            // Shares of a hand are computed one after the other.
            let turn = share % stage.code.hand() + 1;
            let compute = machine.speed.time_for(stage.share_work(share)) * turn as f64;
            let busy = (bandwidth.time_for(travels) + compute) * requests as f64;
            pick(latency) + pick(reply_latency) + busy
        };
        let mut times: Vec<Span> = stage.holders.iter().enumerate().map(time).collect();
        times.sort();
        times[stage.needed() - 1]
    }

    /// What `Auto` comes to for a stage: witnesses where they cost little against the round.
    pub(super) fn verify(&self, stage: &Stage) -> Verify {
        // Nor are shares of which no number suffices: many would be checked by nobody.
        let has_cells = stage.code.encoder().cells() > 1 || stage.code.hand() > 1;
        let policy = match self.file.policy.verify {
            VerifyFile::Off => return Verify::Off,
            // Shares of several cells are not compared element by element.
            VerifyFile::Surplus | VerifyFile::Auto if has_cells => return Verify::Always,
            VerifyFile::Surplus => return Verify::Surplus,
            VerifyFile::Always => return Verify::Always,
            VerifyFile::Auto => CHEAP,
        };
        // Waiting for a second copy of a whole stage costs more than the policy leaves open.
        let StageWork::Layers(layers) = &stage.work else { return Verify::Off };
        let work = layers.witness_work(0..stage.code.sources());
        let costs = self.file.supervisor.speed.time_for(work).as_secs();
        let round = self.round_time(stage, 1, Delay::middle).as_secs();
        if costs < policy * round { Verify::Always } else { Verify::Surplus }
    }

    /// A deadline must leave the k-th fastest holder time to answer when nothing goes wrong.
    pub(super) fn check_deadlines(&mut self, stages: &[Stage], origins: &[Option<usize>]) {
        for (stage, origin) in stages.iter().zip(origins) {
            let least = self.round_time(stage, stage.most_requests, Delay::least);
            if stage.deadline < least {
                let (name, deadline) = (&stage.name, stage.deadline);
                let own = origin.filter(|at| self.file.stages[*at].deadline.is_some());
                let path: &[To<'_>] = match own {
                    Some(at) => &[To::Field("stages"), To::Item(at), To::Field("deadline")],
                    None if self.file.coding.deadline.is_some() => {
                        &[To::Field("coding"), To::Field("deadline")]
                    }
                    None => &[To::Field("policy"), To::Field("deadline")],
                };
                let of = match stage.most_requests {
                    1 => String::new(),
                    requests => format!(" for {requests} requests"),
                };
                let message = format!(
                    "stage {name} has a deadline of {deadline}, but the fastest possible round{of} takes \
                     {least}"
                );
                self.problem(path, message, "allow several times that");
            }
        }
    }

    /// One problem for each entry of `devices`, however many devices it stands for.
    pub(super) fn check_memory(&mut self, stages: &[Stage]) {
        let held = held_bytes(stages, self.devices.len());
        let mut id = 0;
        for (at, entry) in self.file.devices.iter().enumerate() {
            let count = entry.count.unwrap_or(1).min(self.devices.len());
            let all = (id..id + count).map(|id| (held[id], DeviceId(id)));
            let most = all.max_by_key(|(held, device)| (*held, Reverse(*device)));
            id += count;
            if let Some((held, DeviceId(id))) = most
                && held > entry.memory
                && let Some(device) = self.devices.get(id)
            {
                let (name, memory) = (&device.name, entry.memory);
                let message =
                    format!("{name} has {memory} of memory and would hold {held} of weights");
                let path = [To::Field("devices"), To::Item(at), To::Field("memory")];
                self.problem(&path, message, "spread the stages over more devices");
            }
        }
    }
}
