//! Drawing scenarios: a topology and a fault plan as text, from a seed.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::varied::{Own, Varied};
use crate::maths::chance::{Purpose, Seed};

/// What scenarios have in common: the words of a topology that say what is run.
#[derive(Clone, Debug)]
pub struct Base {
    /// The value of `model`.
    pub model: String,
    /// The value of `inputs`.
    pub inputs: String,
    /// A dense layer's name, for faults that strike at a stage, and how many rows it has.
    pub layer: String,
    pub rows: usize,
    /// All layers' names, in the model's order.
    pub layers: Vec<String>,
}

/// A fleet and its misfortune.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    pub topology: String,
    pub faults: String,
    /// Whether the faults together touch no more devices than may be lost.
    pub within_margin: bool,
    /// Whether all faults end.
    pub ends: bool,
}

/// What is drawn for, so far.
pub(super) struct Drawing {
    pub(super) rng: ChaCha8Rng,
    /// The devices' names; so many of the first of them may be lost.
    pub(super) devices: Vec<String>,
    pub(super) tolerates: usize,
    /// Whether lies are found out, so that they may be told.
    pub(super) verifies: bool,
    /// The stages that faults strike at.
    pub(super) layers: Vec<String>,
    /// Faults wait for one of so many first requests.
    pub(super) requests: usize,
    /// How often a fault that may strike in any round does.
    pub(super) chance: f64,
    /// By what all times are stretched.
    pub(super) pace: f64,
}

/// Faults as the items of a list, and what they leave to be expected.
pub(super) struct Faults {
    pub(super) list: String,
    /// Whether they touch no more devices than may be lost.
    pub(super) within_margin: bool,
    /// Whether all of them end.
    pub(super) end: bool,
}

impl Scenario {
    pub fn draw(seed: u64, base: &Base) -> Self {
        let rng = Seed(seed).stream(Purpose::Swarm, &[]);
        let mut drawing = Drawing {
            rng,
            devices: Vec::new(),
            tolerates: 0,
            verifies: true,
            layers: vec![base.layer.clone()],
            requests: 15,
            chance: 0.02,
            pace: 1.0,
        };
        let varied = Varied::draw(seed);
        let topology = drawing.topology(base, &varied);
        let Faults { list, within_margin, end: ends } = drawing.faults();
        let faults = format!(
            "FaultPlan(\n    topology: \"-\",\n    seed: {seed},\n    faults: [\n{list}    ],\n)\n"
        );
        Self { topology, faults, within_margin, ends }
    }
}

impl Drawing {
    fn one_of<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of.choose(&mut self.rng).expect("something to choose from")
    }

    fn ms(&mut self, low: u64, high: u64) -> String {
        let drawn = self.rng.random_range(low..=high);
        if self.pace == 1.0 {
            return format!("\"{drawn}ms\"");
        }
        format!("\"{}us\"", (drawn as f64 * 1000.0 * self.pace).ceil())
    }

    fn topology(&mut self, base: &Base, varied: &Varied) -> String {
        let n: usize = self.rng.random_range(2..=8);
        self.devices = (1..=n).map(|at| format!("d-{at}")).collect();
        let code = match self.rng.random_range(0..4) {
            0 => format!("Uncoded(k: {n})"),
            1 => format!("Parity(k: {})", n - 1),
            2 => format!("Replication(n: {n}, k: {})", n.div_ceil(2)),
            _ => {
                let k = self.rng.random_range(n.saturating_sub(3).max(1)..=n);
                self.tolerates = n - k;
                format!("Mds(n: {n}, k: {k})")
            }
        };
        self.tolerates = match &code[..4] {
            "Unco" => 0,
            "Pari" => 1,
            "Repl" => n / n.div_ceil(2) - 1,
            _ => self.tolerates,
        };
        let verify = self.one_of(&["Always", "Always", "Always", "Auto", "Off"]);
        self.verifies = verify == "Always";
        let wait = self.one_of(&["KthReply", "KthReply", "KthReply", "Everyone"]);
        let hedge = self.one_of(&["None", "None", "3.0"]);
        let learn = self.one_of(&["None", "(quantile: 0.99)", "(quantile: 0.9, factor: 3.0)"]);
        let latency = self.one_of(&[
            "Constant(\"0.3ms\")",
            "LogNormal(median: \"0.3ms\", sigma: 0.5)",
            "Exponential(mean: \"0.5ms\")",
            "Uniform(low: \"0.1ms\", high: \"1ms\")",
        ]);
        let jitter = self.one_of(&["0.0", "0.1", "0.4"]);
        let retries = self.rng.random_range(1..=3);
        let crowd = varied.crowd();
        let (rate, requests) = (crowd * self.rng.random_range(30..=60), crowd * 50);
        let (split, policy) = (varied.split(), varied.policy());
        let stages = varied.stages(base, n);
        match &stages {
            None => {}
            Some(Own { only: None, tolerates, .. }) => {
                self.tolerates = self.tolerates.min(*tolerates);
            }
            Some(Own { only: Some(stage), tolerates, .. }) => {
                (self.tolerates, self.layers) = (*tolerates, vec![stage.clone()]);
                // What is read off a curve is not held against witnesses.
                self.verifies = false;
            }
        }
        let stages = stages.map_or(String::new(), |own| own.entry);
        let Base { model, inputs, .. } = base;
        format!(
            "Topology(
    model: {model},
    supervisor: (speed: \"3GFLOP/s\"),
    devices: [
        (name: \"d\", count: {n}, speed: \"3GFLOP/s\", memory: \"1GB\", latency: {latency},
         bandwidth: \"94.1Mbit/s\", jitter: {jitter}),
    ],
    coding: (code: {code}, on: [\"d\"]{split}),
    stages: [{stages}],
    inputs: {inputs},
    arrivals: Poisson(per_second: {rate}.0),
    requests: {requests},
    policy: (
        wait: {wait}, deadline: \"60ms\", retries: {retries}, learn: {learn}, hedge: {hedge},
        verify: {verify}, health: (exile: \"20ms\"){policy},
    ),
)
"
        )
    }

    pub(super) fn faults(&mut self) -> Faults {
        let count = self.rng.random_range(0..=6);
        let gentle = self.rng.random_bool(0.5);
        let pool = if gentle { self.tolerates } else { self.devices.len() };
        let mut end = true;
        let mut list = String::new();
        for _ in 0..if pool == 0 { 0 } else { count } {
            let who = self.rng.random_range(1..=pool) - 1;
            let (at, again) = self.trigger();
            end &= !again;
            let (what, lasts) = self.kind();
            let lasts = if lasts { format!(", lasts: {}", self.ms(5, 150)) } else { String::new() };
            let who = &self.devices[who];
            list += &format!("        (at: {at}, who: {who:?}, what: {what}{lasts}),\n");
        }
        // A reply that everybody is waited for makes every fault felt, but loses nothing.
        Faults { list, within_margin: gentle, end }
    }

    /// A trigger, and whether it strikes again and again.
    fn trigger(&mut self) -> (String, bool) {
        let request = self.rng.random_range(0..self.requests);
        let phase = self.one_of(&["Scattered", "FirstReply", "Decoding"]);
        match self.rng.random_range(0..10) {
            0 => (format!("Every({})", self.ms(20, 200)), true),
            1 => (format!("Chance({})", self.chance), true),
            2 | 3 => {
                let layer = self.layer();
                (format!("AtStage(request: {request}, stage: {layer:?}, phase: {phase})"), false)
            }
            4 => (format!("OnEvent(Ended({request}))"), false),
            _ => (format!("At({})", self.ms(0, 400)), false),
        }
    }

    fn layer(&mut self) -> String {
        match &self.layers[..] {
            // What needs no chance draws none: seeds keep their meaning.
            [only] => only.clone(),
            layers => layers.choose(&mut self.rng).expect("some stage is coded").clone(),
        }
    }

    /// A kind, and whether it can last.
    fn kind(&mut self) -> (String, bool) {
        let kinds = if self.verifies { 18 } else { 12 };
        let kind = match self.rng.random_range(0..kinds) {
            0 => "Crash".to_owned(),
            1 => return ("Restart".to_owned(), false),
            2 => "Freeze".to_owned(),
            3 => "Leave".to_owned(),
            4 => format!("Slow(by: {}.0)", self.rng.random_range(2..=50)),
            5 => format!("Delay(Exponential(mean: {}))", self.ms(1, 30)),
            6 => format!("Drop(probability: 0.{})", self.rng.random_range(1..=9)),
            7 => format!("Duplicate(probability: 0.5, within: {})", self.ms(1, 10)),
            8 => format!("Reorder(probability: 0.5, within: {})", self.ms(1, 10)),
            9 => {
                let way = self.one_of(&["", "way: ToDevice", "way: FromDevice"]);
                format!("Partition({way})")
            }
            10 => format!("Flap(down: {}, up: {})", self.ms(2, 20), self.ms(2, 40)),
            11 => format!("Overload(load: 0.5, each: {})", self.ms(1, 10)),
            _ => {
                let how =
                    self.one_of(&["BitFlip", "Scale(1.5)", "Noise(0.5)", "Nan", "Stale", "Swap"]);
                format!("Corrupt(how: {how}, probability: 0.5)")
            }
        };
        (kind, true)
    }
}
