//! The two ways to split a convolution side by side: what each costs devices, links and supervisor.

use serde::Serialize;

use super::text::table;
use crate::plan::{CodedLayer, Stage, StageWork};
use crate::units::{Bytes, Flops};

/// What a way to split a convolution costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitView {
    pub layer: String,
    /// As a topology says it.
    pub split: &'static str,
    /// Whether it does.
    pub chosen: bool,
    /// Of the largest share.
    pub share_work: Flops,
    pub share_weights: Bytes,
    /// Sent to its holder for a request, and back.
    pub task: Bytes,
    pub reply: Bytes,
    /// To all holders and back.
    pub traffic: Bytes,
    /// By the supervisor, for a request.
    pub encode_work: Flops,
}

/// The ways that a stage's layers can be split, where they are convolutions.
pub(super) fn split_views(stage: &Stage) -> Vec<SplitView> {
    let StageWork::Layers(layers) = &stage.work else { return Vec::new() };
    layers.iter().flat_map(|layer| views_of(layer)).collect()
}

fn views_of(layer: &CodedLayer) -> Vec<SplitView> {
    let other = layer.split_otherwise();
    if layer.strips().is_none() && other.is_none() {
        return Vec::new();
    }
    let view = |coded: &CodedLayer, chosen| split_view(&layer.layer().name, coded, chosen);
    let mut views = vec![view(layer, true)];
    views.extend(other.map(|other| view(&other, false)));
    views.sort_by_key(|view| view.split);
    views
}

fn split_view(name: &str, layer: &CodedLayer, chosen: bool) -> SplitView {
    let shares = || 0..layer.code().shares();
    let most = |of: &dyn Fn(usize) -> u64| shares().map(of).max().unwrap_or(0);
    let traffic = shares().map(|share| layer.task_bytes(share).0 + layer.reply_bytes(share).0);
    SplitView {
        layer: name.to_owned(),
        split: if layer.strips().is_some() { "Spatial" } else { "Output" },
        chosen,
        share_work: Flops(most(&|share| layer.share_work(share).0)),
        share_weights: Bytes(most(&|share| layer.share_bytes(share).0)),
        task: Bytes(most(&|share| layer.task_bytes(share).0)),
        reply: Bytes(most(&|share| layer.reply_bytes(share).0)),
        traffic: Bytes(traffic.sum()),
        encode_work: layer.input_encode_work(),
    }
}

pub(super) fn split_table(views: &[SplitView]) -> String {
    let rows = views.iter().map(|view| {
        vec![
            view.layer.clone(),
            format!("{}{}", view.split, if view.chosen { " ✓" } else { "" }),
            view.share_work.to_string(),
            view.share_weights.to_string(),
            view.task.to_string(),
            view.reply.to_string(),
            view.traffic.to_string(),
            view.encode_work.to_string(),
        ]
    });
    let heads = [
        "split of",
        "",
        "work/share",
        "weights/share",
        "sent/share",
        "back/share",
        "traffic",
        "encode/request",
    ];
    table(&heads, rows, &[0, 1])
}
