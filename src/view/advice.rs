//! Advice as text and data: how to run a model on a fleet, what it comes to, and what else was tried.

use serde::Serialize;

use super::text::{shortened, table};

/// What is proposed, beside its rivals.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Advice {
    pub model: String,
    /// In the fleet.
    pub devices: usize,
    /// How many of a stage's devices may be lost, whichever they are.
    pub tolerate: usize,
    pub requests: usize,
    pub seed: u64,
    /// How many choices were run to find it.
    pub tried: usize,
    /// The place of what is proposed among the ways.
    pub proposed: usize,
    pub ways: Vec<WayTried>,
    /// What is proposed, layer by layer.
    pub stages: Vec<StageAdvice>,
    pub target: Option<Target>,
    /// Whether copies, or no device at all, would do as well; a sentence.
    pub verdict: String,
}

/// A way to run the model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WayTried {
    pub way: String,
    #[serde(flatten)]
    pub measured: Measured,
    /// With as many devices gone as may be, those that do most; none if none may be.
    pub lost_p99_ms: Option<f64>,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    pub mean_ms: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// The share of requests that were.
    pub answered: f64,
    /// Devices that hold something.
    pub devices: usize,
    /// Of the stage that bears least; none if no stage hangs on a device.
    pub may_lose: Option<usize>,
    /// All devices' work for a request, in units of that of the layers they have.
    pub work: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageAdvice {
    pub layers: Vec<String>,
    pub how: String,
    pub devices: Vec<String>,
    /// With what the supervisor does before it, when nothing else is going on.
    pub expected_ms: f64,
}

/// A p99 that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Target {
    pub p99_ms: f64,
    pub met: bool,
}

impl Advice {
    pub fn to_text(&self) -> String {
        let Self { model, devices, tolerate, requests, seed, tried, .. } = self;
        let fleet = match devices {
            1 => "1 device".to_owned(),
            _ => format!("{devices} devices"),
        };
        let headline = format!("{model} on {fleet}, any {tolerate} of which may be lost");
        let footing = format!(
            "Each line is {requests} requests in virtual time, seed {seed}; {tried} choices were run to \
             find them."
        );
        [headline, self.way_table(), footing, self.stage_table(), self.verdict.clone()].join("\n\n")
    }

    fn way_table(&self) -> String {
        let rows =
            self.ways.iter().enumerate().map(|(at, WayTried { way, measured, lost_p99_ms })| {
                let mark = if at == self.proposed { "→" } else { " " };
                let may_lose =
                    measured.may_lose.map_or("all".to_owned(), |lost| format!("any {lost}"));
                vec![
                    format!("{mark} {way}"),
                    measured.devices.to_string(),
                    may_lose,
                    format!("{:.2}", measured.mean_ms),
                    format!("{:.2}", measured.p50_ms),
                    format!("{:.2}", measured.p99_ms),
                    lost_p99_ms.map_or("–".to_owned(), |p99| format!("{p99:.2}")),
                    format!("{:.2} ×", measured.work),
                ]
            });
        let lost = format!("p99, {} lost", self.tolerate);
        let heads = ["  way", "devices", "may lose", "mean ms", "p50", "p99", &lost, "work"];
        table(&heads, rows, &[0])
    }

    fn stage_table(&self) -> String {
        let rows = self.stages.iter().map(|stage| {
            vec![
                shortened(&stage.layers, MOST_NAMED),
                stage.how.clone(),
                format!("{:.2}", stage.expected_ms),
                stage.devices.join(" "),
            ]
        });
        table(&["layers", "how", "ms", "devices"], rows, &[0, 1, 3])
    }
}

/// More layers than these are not named one by one.
const MOST_NAMED: usize = 5;
