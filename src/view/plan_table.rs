//! A plan as a table: who holds what, what it costs, what may be lost, and what stays local.

use serde::Serialize;

use super::splits::{SplitView, split_table, split_views};
use super::text::{shortened, table};
use crate::plan::{Batch, CodedLayer, Device, Plan, Stage, StageWork, StepWork, Verify};
use crate::units::{Bytes, DeviceId, Flops};

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
            devices: device_views(plan),
            local: local
                .map(|(layer, why)| LocalView { layer: layer.clone(), why: why.clone() })
                .collect(),
            notes: plan.stages.iter().flat_map(|stage| notes(plan, stage)).collect(),
            encode_work: plan.stages.iter().fold(Flops(0), |sum, s| sum + s.encode_work()),
            local_work: steps.chain(inputs).fold(Flops(0), |sum, work| sum + work),
        }
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

/// What is known of the error of a stage that runs on batches.
fn approximate(stage: &Stage, batch: &Batch) -> String {
    let (name, code, needed) = (&stage.name, stage.code.name(), stage.needed());
    let (n, k) = (stage.code.shares(), stage.code.sources());
    let plain = (0..n).filter(|share| stage.code.plain(*share).is_some()).count();
    let own = match plain {
        0 => "every output is an estimate".to_owned(),
        _ => format!("outputs of the {plain} shares that are plain inputs are not estimated"),
    };
    let lies = match batch.estimator.lies() {
        0 => "lies are not looked for".to_owned(),
        lies => format!("gross lies of up to {lies} are found in full batches"),
    };
    format!(
        "{name}: its answers are approximate: {code} mixes {k} requests, gathered within {}, and reads \
         {k} outputs off any {needed} of {n} results; {own}. No bound holds for every model: the error \
         falls as results are added, and a run measures it; {lies}",
        batch.within
    )
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
    let certain = match stage.code.tolerates() {
        0 => "That the loss of any one is borne could not be shown".to_owned(),
        1 => "That the loss of any one is borne is shown".to_owned(),
        lost => format!("That the loss of any {lost} is borne is shown"),
    };
    (hand > 1).then(|| {
        format!(
            "{name}: each device sends {hand} blocks of {of}, each as it is done. {code} needs at \
             least {} of the {shares}, whoever sends them; {checked}. {certain}",
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
        let so = match left {
            0 => "no loss is promised, though what comes may amplify less".to_owned(),
            left => format!("only any {left} may be lost"),
        };
        return Some(format!(
            "{name}: with {lost} lost {code} may amplify rounding {worst:.0e} times; beyond \
             worst_condition, {allowed:.0e}, nothing is decoded, so {so}"
        ));
    }
    (worst > WORTH_A_NOTE).then(|| {
        format!("{name}: with {lost} lost {code} amplifies rounding up to {worst:.0e} times")
    })
}

/// More holders than these are not named one by one.
const MOST_NAMED: usize = 32;

/// `f32` has seven digits; three of them are worth a word.
const WORTH_A_NOTE: f64 = 1e3;

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
