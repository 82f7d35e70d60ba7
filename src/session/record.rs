//! Recording: a session as a fault plan, and the command that shows a moment again.

use std::ops::ControlFlow;
use std::path::Path;

use super::{ONLY_WATCHED, Origin, Session, Stage};
use crate::drive::Clock;
use crate::plan::FaultPlan;
use crate::units::{DeviceId, Span};
use crate::view::report::Report;

impl Session {
    /// This branch as a fault plan that could stand at `path`: its faults at their moments, and what
    /// was seen as what is expected. It is run once, so that what it says is what it does.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub fn as_fault_plan(&self, path: &Path) -> Result<String, String> {
        let stage = self.stage.as_ref().ok_or(ONLY_WATCHED)?;
        let requests = self.branch().playhead().board().tally.accepted;
        if requests == 0 {
            return Err("nothing was asked yet: let it run a little".to_owned());
        }
        let bare = self.text(stage, path, requests, "");
        let report = stage.report(path, bare, requests)?;
        Ok(self.text(stage, path, requests, &seen(&report)))
    }

    fn text(&self, stage: &Stage, path: &Path, requests: usize, expect: &str) -> String {
        let words = self.branch().script().words();
        let line = |(words, during): (String, &str)| match during {
            "" => format!("        {words},\n"),
            during => format!("        // {during}\n        {words},\n"),
        };
        let faults: String = words.map(line).collect();
        let topology = from(path, Path::new(&stage.origin.topology));
        let seed = stage.setup.seed.0;
        let clock = match stage.clock {
            Clock::Virtual => "It is the same run, record for record.",
            Clock::Live => {
                "It was recorded in real time: here it is the same faults, not the same run."
            }
        };
        format!(
            "// Recorded from a session in the terminal. {clock}\n\
             FaultPlan(\n    topology: \"{topology}\",\n    requests: {requests},\n    \
             seed: {seed},\n    faults: [\n{faults}    ],\n    expect: [\n{expect}    ],\n)\n"
        )
    }

    /// The command that shows this very moment again; `saved` is where the session was written.
    pub fn command(&self, saved: Option<&str>) -> Result<String, String> {
        let stage = self.stage.as_ref().ok_or(ONLY_WATCHED)?;
        let Origin { topology, faults, requests } = &stage.origin;
        let typed = self.branch().script().was_typed();
        if typed && saved.is_none() {
            return Err("write the session first (w): then a command can repeat it".to_owned());
        }
        let mut words = vec![format!("kofn run {topology}")];
        let plan = saved.filter(|_| typed).or(faults.as_deref());
        words.extend(plan.map(|plan| format!("--faults {plan}")));
        // A recorded plan says how many it ran; the rest of the topology's are to follow here, too.
        let requests = requests.or(typed.then_some(stage.setup.requests));
        words.extend(requests.map(|requests| format!("--requests {requests}")));
        if stage.clock == Clock::Live {
            words.push("--clock live".to_owned());
        } else {
            words.push(format!("--at {}ns", self.branch().moment().0));
        }
        words.push(format!("--seed {}", stage.setup.seed.0));
        Ok(words.join(" "))
    }
}

impl Stage {
    /// What a plan comes to.
    fn report(&self, path: &Path, text: String, requests: usize) -> Result<Report, String> {
        let plan = &self.setup.plan;
        let parsed = FaultPlan::parse(path, text, plan);
        let faults = parsed.map_err(|problems| problems.to_string().trim_end().to_owned())?.faults;
        let mut setup = self.setup.with_faults(faults);
        setup.requests = requests;
        let trace = setup.run(Clock::Virtual, &mut |_| ControlFlow::Continue(()));
        let trace = trace.map_err(|error| format!("{error:#}"))?;
        let faults: Vec<(String, Vec<DeviceId>)> =
            setup.faults.iter().map(|f| (f.what.to_string(), f.who.devices.clone())).collect();
        Ok(Report::new(plan, setup.seed.0, &faults, &trace, None))
    }
}

/// What was seen, as what is expected.
fn seen(report: &Report) -> String {
    let ended = report.requests.answered + report.requests.failed;
    let mut lines = vec![if report.requests.failed == 0 {
        "NoRequestLost".to_owned()
    } else {
        format!("Answered({})", report.requests.answered as f64 / ended.max(1) as f64)
    }];
    if report.requests.estimates > 0 {
        let share = report.requests.estimates as f64 / report.requests.sent.max(1) as f64;
        lines.push(format!("Estimates(at_most: {share})"));
    }
    if let Some(error) = report.max_abs_err {
        // Rounded up in its fifth digit: another machine may round its sums otherwise.
        lines.push(format!("MaxAbsError({:.4e})", error * 1.0001));
        let p99 = Span((report.latency_ms.p99 * 1e6).ceil() as u64);
        lines.push(format!("LatencyP99(AtMost(\"{}ns\"))", p99.0));
    }
    lines.iter().map(|line| format!("        {line},\n")).collect()
}

/// How the topology is named in a file at `path`: as seen from that file's folder.
fn from(path: &Path, topology: &Path) -> String {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = absolute(path).parent().map(Path::to_owned).unwrap_or_default();
    let topology = absolute(topology);
    let common = folder.components().zip(topology.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(common).map(|_| "..".to_owned());
    let down = topology.components().skip(common);
    let down = down.map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}
