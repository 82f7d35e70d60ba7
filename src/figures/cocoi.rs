//! VGG-16's convolutions over ten boards, their input coded in strips, against no code and against
//! copies on as many boards, while messages straggle and boards fail.

use std::ops::ControlFlow;

use super::chart::{Axis, Chart, Series};
use super::trial::{dead, everywhere};
use super::{Claim, Finding, Scope, Table};
use crate::drive::{Clock, Setup};
use crate::event::Event;
use crate::fault::{Delay, FaultKind};
use crate::maths::chance::Seed;
use crate::maths::delay;
use crate::plan::{Plan, Stage};
use crate::units::{RequestId, Span};

/// A tenth of the work each; half the work twice; and so much more work each that any k suffice.
const FLEETS: [(&str, &str); 6] = [
    ("uncoded", "Uncoded(k: 10)"),
    ("replicated", "Replication(n: 10, k: 5)"),
    ("MDS, any 9", "Mds(n: 10, k: 9)"),
    ("MDS, any 8", "Mds(n: 10, k: 8)"),
    ("MDS, any 7", "Mds(n: 10, k: 7)"),
    ("MDS, any 6", "Mds(n: 10, k: 6)"),
];

/// The fleets from here on are coded.
const CODED: usize = 2;

/// The mean of what a message is late by, in units of the time that a strip is on its way.
const DELAYS: [f64; 6] = [0.0, 0.25, 0.5, 1.0, 2.0, 4.0];

/// In per cent, at best.
const PUBLISHED: f64 = -34.2;

/// Until it is learned who is dead.
const WARM_UP: usize = 2;

/// Ten Raspberry Pi 4s: 10 GFLOP/s and 100 Mbit/s. With a sixteenth of the channels a strip takes a
/// sixteenth of the bytes and of the encoding, and a convolution takes a 256th of the work: so much
/// slower boards and links take the time of the full width.
fn topology(code: &str) -> String {
    format!(
        r#"Topology(
    model: Synthetic(Vgg16Narrow, 1),
    supervisor: (speed: "625MFLOP/s", memory_bandwidth: "2Gbit/s"),
    devices: [(
        name: "pi", count: 10, speed: "39MFLOP/s", memory: "1GB", jitter: 0.1,
        latency: Constant("0.3ms"), bandwidth: "6.25Mbit/s",
    )],
    coding: (code: {code}, split: Spatial, on: ["pi"], spares: ["pi"]),
    stages: [(layers: ["conv5_1", "conv5_2", "conv5_3", "fc1", "fc2", "fc3"], run: Local)],
    inputs: Random(count: 1),
    requests: 20,
    policy: (deadline: "20s", retries: 3, verify: Off, health: (exile: "60s")),
)"#
    )
}

/// What goes wrong.
#[derive(Clone, Copy)]
struct Trouble {
    /// Of [`DELAYS`].
    delay: f64,
    /// Boards that are dead from the start.
    dead: usize,
}

/// What came of one fleet in one trouble.
struct Outcome {
    /// Of a request.
    mean_ms: f64,
    /// The part of it that encoding and decoding took.
    coding: f64,
    failed: usize,
}

/// Every fleet in every trouble.
struct Measured {
    troubles: Vec<Trouble>,
    /// In the order of [`FLEETS`], then of the troubles.
    outcomes: Vec<Vec<Outcome>>,
}

impl Trouble {
    fn run(self, calm: &Setup, strip: Span) -> anyhow::Result<Outcome> {
        let mean = strip * self.delay;
        let late = FaultKind::Delay(Delay::of(delay::Delay::Exponential { mean }));
        let late = (self.delay > 0.0).then(|| everywhere(&calm.plan, late));
        let dead = (0..self.dead).map(|board| dead(&calm.plan, &format!("pi-{}", 3 * board + 2)));
        let faults = late.into_iter().map(Ok).chain(dead).collect::<anyhow::Result<_>>()?;
        let trace =
            calm.with_faults(faults).run(Clock::Virtual, &mut |_| ControlFlow::Continue(()))?;
        let (mut all, mut answered, mut coding, mut failed) = (Span::ZERO, 0, Span::ZERO, 0);
        let is_warm = |request: &RequestId| request.0 >= WARM_UP;
        for record in &trace {
            if let Event::Answered { request, latency, .. } = &record.event
                && is_warm(request)
            {
                all += *latency;
                answered += 1;
            } else if let Event::Encoded { request, took, .. }
            | Event::Decoded { request, took, .. } = &record.event
                && is_warm(request)
            {
                coding += *took;
            } else if let Event::Failed { .. } = &record.event {
                failed += 1;
            }
        }
        let mean_ms = all.as_millis() / f64::from(answered.max(1));
        Ok(Outcome { mean_ms, coding: coding.as_secs() / all.as_secs(), failed })
    }
}

impl Measured {
    fn new(scope: &Scope) -> anyhow::Result<Self> {
        let requests = WARM_UP + scope.trials(10, 1);
        let (delays, dead, fleets) = match scope.quick {
            true => (&DELAYS[5..], 0..2, &FLEETS[..4]),
            false => (&DELAYS[..], 0..3, &FLEETS[..]),
        };
        let with = |dead| delays.iter().map(move |delay| Trouble { delay: *delay, dead });
        let troubles: Vec<Trouble> = dead.flat_map(with).collect();
        let strip = strip_time(&*scope.plan("lenet5", |_| topology(FLEETS[0].1))?);
        let fleet = |(_, code): &(&str, &str)| {
            let plan = scope.plan("lenet5", |_| topology(code))?;
            let calm = Setup::new(plan, requests, Seed(1))?;
            troubles.iter().map(|trouble| trouble.run(&calm, strip)).collect()
        };
        let outcomes = fleets.iter().map(fleet).collect::<anyhow::Result<_>>()?;
        Ok(Self { troubles, outcomes })
    }

    fn mean(&self, fleet: usize, trouble: usize) -> f64 {
        self.outcomes[fleet][trouble].mean_ms
    }

    /// The coded fleet that is fastest in a trouble: the paper too chooses k for what is to be expected.
    fn best(&self, trouble: usize) -> usize {
        let coded = CODED..self.outcomes.len();
        let faster =
            |a: &usize, b: &usize| self.mean(*a, trouble).total_cmp(&self.mean(*b, trouble));
        coded.min_by(faster).expect("some fleets are coded")
    }

    /// What the best coded fleet takes more than another, in per cent.
    fn against(&self, fleet: usize, trouble: usize) -> f64 {
        100.0 * (self.mean(self.best(trouble), trouble) / self.mean(fleet, trouble) - 1.0)
    }

    /// Where coding gains most against the uncoded fleet, among troubles of a kind.
    fn most(&self, kind: impl Fn(&Trouble) -> bool) -> Option<usize> {
        let of_kind = (0..self.troubles.len()).filter(|at| kind(&self.troubles[*at]));
        of_kind.min_by(|a, b| self.against(0, *a).total_cmp(&self.against(0, *b)))
    }

    fn said(&self, trouble: usize) -> String {
        let Trouble { delay, dead } = self.troubles[trouble];
        let (change, coded) = (self.against(0, trouble), FLEETS[self.best(trouble)].0);
        format!("{change:+.1} % ({coded}; delays of {delay}, {dead} dead)")
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[
            "delay_in_strips",
            "dead",
            "fleet",
            "latency_ms",
            "against_uncoded_percent",
            "coding_percent",
            "failed",
        ]);
        for (at, Trouble { delay, dead }) in self.troubles.iter().enumerate() {
            for (outcomes, (name, _)) in self.outcomes.iter().zip(FLEETS) {
                let Outcome { mean_ms, coding, failed } = &outcomes[at];
                let change = 100.0 * (mean_ms / self.mean(0, at) - 1.0);
                let numbers = [*mean_ms, change, 100.0 * coding].map(|x| format!("{x:.1}"));
                let place = [delay.to_string(), dead.to_string(), name.to_owned()];
                table.push(place.into_iter().chain(numbers).chain([failed.to_string()]));
            }
        }
        table
    }

    fn chart(&self) -> Chart {
        let line = |name: String, dead: usize, of: &dyn Fn(usize) -> f64| {
            let troubles = self.troubles.iter().enumerate().filter(|(_, t)| t.dead == dead);
            Series::measured(name, troubles.map(|(at, t)| (t.delay, of(at) / 1e3)).collect())
        };
        let mut series = Vec::new();
        for (dead, with) in [(0, ""), (1, ", one dead")] {
            series.push(line(format!("uncoded{with}"), dead, &|at| self.mean(0, at)));
            series.push(line(format!("replicated{with}"), dead, &|at| self.mean(1, at)));
            series.push(line(format!("MDS{with}"), dead, &|at| self.mean(self.best(at), at)));
        }
        Chart {
            title: "VGG-16's convolutions on ten boards".to_owned(),
            x: Axis::new("mean delay of a message, in times that a strip is on its way"),
            y: Axis::new("latency, s"),
            series,
            groups: Vec::new(),
        }
    }
}

/// How long a strip is on its way to a board, on average over the stages.
fn strip_time(plan: &Plan) -> Span {
    let time = |stage: &Stage| plan.devices[0].bandwidth.time_for(stage.task_bytes(0)).0;
    Span(plan.stages.iter().map(time).sum::<u64>() / plan.stages.len().max(1) as u64)
}

pub(super) fn run(scope: &Scope) -> anyhow::Result<Finding> {
    let measured = Measured::new(scope)?;
    let most = measured.most(|t| t.delay > 0.0 && t.dead > 0).expect("there is such trouble");
    let mut claims = vec![Claim::new(
        "latency of coded strips against uncoded, with stragglers and failures, at best",
        "−34.2 %",
        measured.said(most),
        measured.against(0, most) <= PUBLISHED,
    )];
    let coding: Vec<f64> = (0..measured.troubles.len())
        .map(|at| 100.0 * measured.outcomes[measured.best(at)][at].coding)
        .collect();
    let (least, most) =
        coding.iter().fold((f64::INFINITY, 0.0f64), |(a, b), c| (a.min(*c), b.max(*c)));
    claims.push(Claim::new(
        "encoding and decoding, of a request's latency",
        "2 to 9 %",
        format!("{least:.1} to {most:.1} %"),
        most <= 9.0,
    ));
    let remarks = remarks(&measured);
    Ok(Finding { claims, table: measured.table(), chart: measured.chart(), remarks })
}

fn remarks(measured: &Measured) -> Vec<String> {
    let all = 0..measured.troubles.len();
    let gains = all.map(|at| measured.against(1, at));
    let (least, most) =
        gains.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), gain| (a.min(gain), b.max(gain)));
    let with = |kind: &str, at: Option<usize>| at.map(|at| format!("{kind} {}", measured.said(at)));
    let alone = [
        with("with neither", measured.most(|t| t.delay == 0.0 && t.dead == 0)),
        with("at best with failures alone", measured.most(|t| t.delay == 0.0 && t.dead > 0)),
        with("at best with stragglers alone", measured.most(|t| t.delay > 0.0 && t.dead == 0)),
    ];
    let alone: Vec<String> = alone.into_iter().flatten().collect();
    vec![
        "Beyond its abstract the paper's setting is not known here: ten boards of 10 GFLOP/s on links of \
         100 Mbit/s run the convolutions of blocks 1 to 4 of VGG-16 (with a sixteenth of its channels, \
         and all speeds as much lower); every message is late by an exponential time, its mean given in \
         times that a strip is on its way; dead boards are known after two requests, and without a code \
         others compute their strips. The rest runs on the supervisor, whatever the fleet."
            .to_owned(),
        format!("What is gained is a matter of what goes wrong: {}.", alone.join(", ")),
        format!(
            "Against every strip on two of as many boards, coded strips change the latency by \
             {least:+.1} to {most:+.1} %."
        ),
    ]
}
