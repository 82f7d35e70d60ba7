//! A plan as a table: who holds what, what it costs, what may be lost, and what stays local.

mod notes;

use notes::{notes, nothing_shared};
use serde::Serialize;

use super::batches::{RehearsalView, rehearsal_notes};
use super::splits::{SplitView, split_table, split_views};
use super::text::{shortened, table};
use crate::plan::{Device, Plan, Stage, StepWork};
use crate::units::{Bytes, DeviceId, Flops, StageId};

/// What `kofn plan` says, as data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanView {
    pub topology: String,
    pub model: String,
    pub stages: Vec<StageView>,
    /// Of convolutions, the ways to split them.
    pub splits: Vec<SplitView>,
    pub devices: Vec<DeviceView>,
    pub local: Vec<LocalView>,
    /// What could be done better.
    pub notes: Vec<String>,
    /// Encoding all shares, once, before the first request.
    pub encode_work: Flops,
    /// What the supervisor runs for each request besides decoding, strips that it codes among it.
    pub local_work: Flops,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageView {
    pub name: String,
    pub kind: String,
    pub code: String,
    /// For each share the devices that hold it; the first is asked first.
    pub holders: Vec<Vec<String>>,
    /// How many holders may be lost, whichever they are.
    pub tolerates: usize,
    /// Of the largest share.
    pub share_work: Flops,
    pub share_weights: Bytes,
    /// Sent to all holders and back, for one request.
    pub traffic: Bytes,
    pub deadline_ms: f64,
    /// What batches came to when they were tried; nothing if it runs on none, or nobody tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<RehearsalView>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceView {
    pub name: String,
    pub shares: usize,
    pub weights: Bytes,
    /// For one request, when it is asked first.
    pub work: Flops,
    pub traffic: Bytes,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LocalView {
    pub layer: String,
    pub why: String,
}

impl PlanView {
    pub fn of(plan: &Plan) -> Self {
        let local = plan.locals.iter();
        let steps = plan.steps.iter().map(|step| match &step.work {
            StepWork::Local(segment) => segment.work,
            StepWork::Stage(stage) => plan.stages[stage.0].local_work(),
        });
        let inputs = plan.stages.iter().map(Stage::input_encode_work);
        Self {
            topology: plan.name.clone(),
            model: plan.network.name.clone(),
            stages: plan.stages.iter().map(|stage| stage_view(plan, stage)).collect(),
            splits: plan.stages.iter().flat_map(split_views).collect(),
            devices: device_views(plan),
            local: local
                .map(|(layer, why)| LocalView { layer: layer.clone(), why: why.clone() })
                .collect(),
            notes: plan
                .stages
                .iter()
                .flat_map(|stage| notes(plan, stage))
                .chain(nothing_shared(plan))
                .collect(),
            encode_work: plan.stages.iter().fold(Flops(0), |sum, s| sum + s.encode_work()),
            local_work: steps.chain(inputs).fold(Flops(0), |sum, work| sum + work),
        }
    }

    /// Tries the stages that run on batches, and says what came of it.
    pub fn rehearsed(mut self, plan: &Plan) -> Self {
        for (id, stage) in self.stages.iter_mut().enumerate() {
            stage.rehearsal = RehearsalView::of(plan, StageId(id));
            self.notes.extend(rehearsal_notes(plan, StageId(id), stage.rehearsal.as_ref()));
        }
        self
    }

    pub fn to_text(&self) -> String {
        let mut parts = vec![format!("{} running {}", self.topology, self.model)];
        parts.push(self.stage_table());
        if !self.splits.is_empty() {
            parts.push(split_table(&self.splits));
        }
        parts.push(self.device_table());
        if !self.local.is_empty() {
            let lines = self.local.iter().map(|l| format!("  {} stays local: {}", l.layer, l.why));
            parts.push(lines.collect::<Vec<_>>().join("\n"));
        }
        parts.extend(self.notes.iter().map(|note| format!("note: {note}")));
        let (once, each) = (self.encode_work, self.local_work);
        parts.push(format!(
            "The supervisor computes {once} once to encode the shares, and {each} a request."
        ));
        parts.join("\n\n")
    }

    fn stage_table(&self) -> String {
        let rows = self.stages.iter().map(|stage| {
            let mut first: Vec<&str> =
                stage.holders.iter().map(|holders| holders[0].as_str()).collect();
            // Who holds a hand of shares is named once.
            first.dedup();
            let spares = stage.holders.iter().map(|holders| holders.len() - 1).max().unwrap_or(0);
            let spares = if spares > 0 { format!(" (+{spares} spare)") } else { String::new() };
            vec![
                stage.name.clone(),
                stage.kind.clone(),
                stage.code.clone(),
                format!("any {}", stage.tolerates),
                stage.share_work.to_string(),
                stage.share_weights.to_string(),
                stage.traffic.to_string(),
                format!("{}{spares}", shortened(&first, MOST_NAMED)),
            ]
        });
        let heads = [
            "stage",
            "kind",
            "code",
            "may lose",
            "work/share",
            "weights/share",
            "traffic",
            "holders",
        ];
        table(&heads, rows, &[0, 1, 2, 7])
    }

    fn device_table(&self) -> String {
        let rows = self.devices.iter().map(|device| {
            vec![
                device.name.clone(),
                device.shares.to_string(),
                device.weights.to_string(),
                device.work.to_string(),
                device.traffic.to_string(),
            ]
        });
        table(&["device", "shares", "weights", "work/request", "traffic/request"], rows, &[0])
    }
}

fn stage_view(plan: &Plan, stage: &Stage) -> StageView {
    let name = |device: &DeviceId| plan.devices[device.0].name.clone();
    let shares = || 0..stage.code.shares();
    let most = |of: &dyn Fn(usize) -> u64| shares().map(of).max();
    StageView {
        name: stage.name.clone(),
        kind: stage.kind(),
        code: stage.code.name(),
        holders: stage.holders.iter().map(|h| h.iter().map(name).collect()).collect(),
        tolerates: stage.tolerates,
        share_work: most(&|share| stage.share_work(share).0).map_or(Flops(0), Flops),
        share_weights: most(&|share| stage.share_bytes(share).0).map_or(Bytes(0), Bytes),
        traffic: a_request(
            shares().fold(Bytes(0), |sum, share| {
                sum + stage.task_bytes(share) + stage.reply_bytes(share)
            }),
            stage,
        ),
        deadline_ms: stage.deadline.as_millis(),
        rehearsal: None,
    }
}

/// The part of a round's traffic that is for one request of a full batch.
fn a_request(traffic: Bytes, stage: &Stage) -> Bytes {
    Bytes(traffic.0 / stage.requests_a_round() as u64)
}

/// More holders than these are not named one by one.
const MOST_NAMED: usize = 32;

/// All devices, in one walk over all shares: a fleet may have thousands of either.
fn device_views(plan: &Plan) -> Vec<DeviceView> {
    let held = plan.devices.iter().zip(plan.held_bytes());
    let bare = |(device, weights): (&Device, Bytes)| DeviceView {
        name: device.name.clone(),
        shares: 0,
        weights,
        work: Flops(0),
        traffic: Bytes(0),
    };
    let mut views: Vec<DeviceView> = held.map(bare).collect();
    for stage in &plan.stages {
        for (share, holders) in stage.holders.iter().enumerate() {
            holders.iter().for_each(|holder| views[holder.0].shares += 1);
            let first = &mut views[holders[0].0];
            let Flops(work) = stage.share_work(share);
            first.work = first.work + Flops(work / stage.requests_a_round() as u64);
            let traffic = stage.task_bytes(share) + stage.reply_bytes(share);
            first.traffic = first.traffic + a_request(traffic, stage);
        }
    }
    views
}
