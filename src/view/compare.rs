//! Codes side by side: the same model, devices, faults and seed, another code in every layer.

use serde::Serialize;

use super::plan_table::PlanView;
use super::report::Report;
use super::text::table;
use crate::plan::{Plan, Stage};
use crate::units::{Bytes, Flops};

/// What one code came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    pub code: String,
    /// Devices that hold a share.
    pub devices: usize,
    /// How many of each stage's devices may be lost, whichever they are; of the stage that bears least.
    pub may_lose: usize,
    pub answered: f64,
    pub accuracy: Option<f64>,
    pub top1_agreement: Option<f64>,
    pub max_abs_err: Option<f64>,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    /// All devices' work for a request, in units of the layers' own.
    pub work: f64,
    /// Once, by the supervisor.
    pub encode_ms: f64,
    /// For a request, all stages together.
    pub decode_ms: f64,
    /// For a request, to all devices and back.
    pub traffic: Bytes,
    /// Of any round that was decoded.
    pub worst_condition: f64,
}

impl Compared {
    pub fn of(code: &str, plan: &Plan, report: &Report) -> Self {
        let view = PlanView::of(plan);
        let holders = view.devices.iter().filter(|device| device.shares > 0);
        let stages = &plan.stages;
        let all = stages
            .iter()
            .flat_map(|stage| (0..stage.code.shares()).map(|share| a_request(stage, share)));
        let Flops(all) = all.fold(Flops(0), |sum, work| sum + work);
        let own: u64 = stages.iter().map(|stage| stage.undivided_work().0).sum();
        let encode = plan.supervisor.speed.time_for(view.encode_work);
        Self {
            code: code.to_owned(),
            devices: holders.count(),
            may_lose: stages.iter().map(|stage| stage.tolerates).min().unwrap_or(0),
            answered: report.requests.answered as f64 / report.requests.sent.max(1) as f64,
            accuracy: report.accuracy,
            top1_agreement: report.top1_agreement,
            max_abs_err: report.max_abs_err,
            p50_ms: report.latency_ms.p50,
            p99_ms: report.latency_ms.p99,
            p999_ms: report.latency_ms.p999,
            work: all as f64 / own.max(1) as f64,
            encode_ms: encode.as_millis(),
            decode_ms: report.stages.iter().map(|stage| stage.decode_ms_mean).sum(),
            traffic: view.stages.iter().fold(Bytes(0), |sum, stage| sum + stage.traffic),
            worst_condition: report.stages.iter().map(|s| s.worst_condition).fold(1.0, f64::max),
        }
    }
}

/// The work of a share for one request.
fn a_request(stage: &Stage, share: usize) -> Flops {
    Flops(stage.share_work(share).0 / stage.requests_a_round() as u64)
}

/// One line a code.
pub fn to_text(compared: &[Compared]) -> String {
    let percent =
        |part: Option<f64>| part.map_or("–".into(), |part| format!("{:.1} %", 100.0 * part));
    let rows = compared.iter().map(|code| {
        vec![
            code.code.clone(),
            code.devices.to_string(),
            format!("any {}", code.may_lose),
            percent(Some(code.answered)),
            percent(code.accuracy),
            code.max_abs_err.map_or("–".into(), |error| format!("{error:.1e}")),
            format!("{:.2}", code.p50_ms),
            format!("{:.2}", code.p99_ms),
            format!("{:.2}", code.p999_ms),
            format!("{:.2} ×", code.work),
            format!("{:.2}", code.encode_ms),
            format!("{:.3}", code.decode_ms),
            code.traffic.to_string(),
            format!("{:.1}", code.worst_condition),
        ]
    });
    let heads = [
        "code",
        "devices",
        "may lose",
        "answered",
        "right",
        "error",
        "p50 ms",
        "p99",
        "p99.9",
        "work",
        "encode ms",
        "decode ms",
        "traffic",
        "condition",
    ];
    table(&heads, rows, &[0])
}
