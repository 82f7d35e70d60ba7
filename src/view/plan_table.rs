//! A plan as a table: who holds what, what it costs, what may be lost, and what stays local.

use serde::Serialize;

use super::batches::{RehearsalView, approximate, rehearsal_notes};
use super::splits::{SplitView, split_table, split_views};
use super::text::table;
use crate::plan::{CodedLayer, Plan, Stage, StageWork, StepWork, Verify};
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
            StepWork::Stage(stage) => plan.stages[stage.0].mix_work(),
        });
        let inputs = plan.stages.iter().map(Stage::input_encode_work);
        Self {
            topology: plan.name.clone(),
            model: plan.network.name.clone(),
            stages: plan.stages.iter().map(|stage| stage_view(plan, stage)).collect(),
            splits: plan.stages.iter().flat_map(split_views).collect(),
            devices: (0..plan.devices.len()).map(|id| device_view(plan, DeviceId(id))).collect(),
            local: local
                .map(|(layer, why)| LocalView { layer: layer.clone(), why: why.clone() })
                .collect(),
            notes: plan.stages.iter().flat_map(|stage| notes(plan, stage)).collect(),
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
                format!("{}{spares}", first.join(" ")),
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

/// What a reader of the table should know and does not see.
fn notes(plan: &Plan, stage: &Stage) -> Vec<String> {
    if let Some(batch) = &stage.batch {
        return vec![approximate(stage, batch)];
    }
    let StageWork::Layer(layer) = &stage.work else { return Vec::new() };
    [
        streaming(stage, layer),
        padding(stage, layer),
        overhang(stage, layer),
        amplification(plan, stage),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Devices hold hands of shares, of which no number is sure to suffice.
fn streaming(stage: &Stage, layer: &CodedLayer) -> Option<String> {
    let (name, code, hand) = (&stage.name, stage.code.name(), stage.code.hand());
    let (rows, shares) = (layer.rows_per_source(), stage.code.shares());
    let checked = match stage.verify {
        Verify::Always => "each is held against a witness of its own",
        Verify::Off | Verify::Surplus | Verify::Auto => "lies are not looked for",
    };
    let of = if rows == 1 { "one row".to_owned() } else { format!("{rows} rows") };
    (hand > 1).then(|| {
        format!(
            "{name}: each device sends {hand} blocks of {of}, each as it is done. {code} needs at \
             least {} of the {shares}, whoever sends them; {checked}",
            stage.needed()
        )
    })
}

/// Some source is nothing but padding: its device computes zeros.
fn padding(stage: &Stage, layer: &CodedLayer) -> Option<String> {
    let (rows, k) = (layer.rows_in_all(), stage.code.sources());
    let real = rows.div_ceil(layer.rows_per_source());
    let hint = match stage.code.hand() {
        1 => format!("; k = {real} costs the same"),
        // The code has made its blocks as few as it can.
        _ => String::new(),
    };
    (real < k).then(|| format!("{}: {rows} rows fill only {real} of {k} sources{hint}", stage.name))
}

/// Shares of shifted sources are higher than a source.
fn overhang(stage: &Stage, layer: &CodedLayer) -> Option<String> {
    let rows = layer.rows_in_all().div_ceil(stage.code.sources());
    let highest = (0..stage.code.shares()).map(|share| layer.rows_of(share)).max()?;
    (stage.code.encoder().cells() > 1 && highest > rows).then(|| {
        let (name, more) = (&stage.name, 100 * (highest - rows) / rows);
        format!(
            "{name}: its largest share has {highest} rows for {rows} of a source, {more} % more"
        )
    })
}

/// Some sets of shares amplify rounding, so much perhaps that they are not decoded from.
fn amplification(plan: &Plan, stage: &Stage) -> Option<String> {
    let (name, code, lost) = (&stage.name, stage.code.name(), stage.code.tolerates());
    let (worst, allowed) = (stage.worst_condition, plan.policy.worst_condition);
    let lost = match stage.code.hand() {
        1 => format!("{lost} shares"),
        _ => format!("{lost} devices"),
    };
    if worst > allowed {
        let left = stage.tolerates;
        return Some(format!(
            "{name}: with {lost} lost {code} may amplify rounding {worst:.0e} times; beyond \
             worst_condition, {allowed:.0e}, nothing is decoded, so only any {left} may be lost"
        ));
    }
    (worst > WORTH_A_NOTE).then(|| {
        format!("{name}: with {lost} lost {code} amplifies rounding up to {worst:.0e} times")
    })
}

/// `f32` has seven digits; three of them are worth a word.
const WORTH_A_NOTE: f64 = 1e3;

fn device_view(plan: &Plan, device: DeviceId) -> DeviceView {
    let mut view = DeviceView {
        name: plan.devices[device.0].name.clone(),
        shares: 0,
        weights: Bytes(0),
        work: Flops(0),
        traffic: Bytes(0),
    };
    for stage in &plan.stages {
        view.weights = view.weights + stage.held_bytes(device);
        let shares = stage.holders.iter().enumerate();
        for (share, holders) in shares.filter(|(_, holders)| holders.contains(&device)) {
            view.shares += 1;
            if holders[0] == device {
                let Flops(work) = stage.share_work(share);
                view.work = view.work + Flops(work / stage.requests_a_round() as u64);
                let traffic = stage.task_bytes(share) + stage.reply_bytes(share);
                view.traffic = view.traffic + a_request(traffic, stage);
            }
        }
    }
    view
}
