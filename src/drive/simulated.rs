//! Virtual time: one queue ordered by (time, cause), exact to the nanosecond.
//!
//! Jobs run at once, on this thread, and are charged for by the topology's machines. Not tokio's paused
//! clock: it rounds timers up to a millisecond.

use std::collections::BTreeMap;

use super::Setup;
use super::coming::{Finished, Life, Pace};
use super::helm::{Leave, Rudder, obey};
use super::physics::{Kinds, Links, duration};
use super::run::{Run, Watch};
use crate::fault::{Cost, Way};
use crate::maths::Tensor;
use crate::maths::chance::Seed;
use crate::node::{Blanks, Job, NodeId, Output};
use crate::plan::Machine;
use crate::units::{Bytes, DeviceId, Time};

/// Runs in virtual time. Same build, setup and seed: same trace, byte for byte.
///
/// # Errors
/// If some request never ends, which is our own bug.
pub(super) fn simulated(
    setup: &Setup,
    rudder: Option<Rudder>,
    watch: Watch<'_>,
) -> anyhow::Result<()> {
    keep_time(setup, rudder, Virtual::new(setup, Numbers::Computed), watch)
}

/// Runs in virtual time and computes each job once for every input.
///
/// # Errors
/// Like [`simulated`].
pub(super) fn rehearsed(setup: &Setup, watch: Watch<'_>) -> anyhow::Result<()> {
    keep_time(setup, None, Virtual::new(setup, Numbers::Once(BTreeMap::new())), watch)
}

fn keep_time(
    setup: &Setup,
    rudder: Option<Rudder>,
    pace: Virtual,
    watch: Watch<'_>,
) -> anyhow::Result<()> {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a thread's runtime needs nothing")
    };
    actix::System::with_tokio_rt(runtime).block_on(async {
        let mut run = Run::start(setup, pace, false, rudder.is_some(), watch);
        let mut now = Time::ZERO;
        let mut leave = Leave::Until(if rudder.is_none() { Time(u64::MAX) } else { now });
        let mut commands = rudder.map(|Rudder(commands)| commands);
        let mut obeyed = 0;
        while !run.is_over() {
            if let Some(commands) = &mut commands
                && !leave.lets(&run, now)
            {
                run.rest(obeyed, leave.until(now));
                let Some(command) = commands.recv().await else { break };
                leave = obey(&mut run, now, command, leave).await;
                obeyed += 1;
                continue;
            }
            let Some((due, what)) = run.pop() else {
                anyhow::bail!("the simulation ran dry with requests in flight");
            };
            now = due;
            run.happen(now, what).await;
        }
        Ok(())
    })
}

struct Virtual {
    /// Of the devices.
    machines: Kinds<Machine>,
    supervisor: Machine,
    seed: Seed,
    /// How many different ones are asked for.
    inputs: u64,
    links: Links,
    /// When the supervisor's processor is done with the jobs it was given.
    supervisor_free: Time,
    numbers: Numbers,
}

/// Where what jobs give comes from. Times hang on sizes alone: they are the same.
enum Numbers {
    Computed,
    /// What each gave the first time, for every input.
    Once(BTreeMap<[u64; 4], Vec<Tensor>>),
    Skipped(Blanks),
}

impl Virtual {
    fn new(setup: &Setup, numbers: Numbers) -> Self {
        let numbers =
            if setup.plan.computes() { numbers } else { Numbers::Skipped(Blanks::default()) };
        let Setup { plan, seed, cases, .. } = setup;
        let links = Links::new(*seed, plan);
        let machines = plan.devices.iter().map(|device| device.machine.clone()).collect();
        let (supervisor_free, inputs) = (Time::ZERO, cases.len() as u64);
        let supervisor = plan.supervisor.clone();
        Self { machines, supervisor, seed: *seed, inputs, links, supervisor_free, numbers }
    }

    fn output(&mut self, job: Job) -> Output {
        let known = match &mut self.numbers {
            Numbers::Computed => return job.run(),
            Numbers::Skipped(blanks) => return blanks.output(job),
            Numbers::Once(known) => known,
        };
        let Some((request, what)) = job.of_request() else { return job.run() };
        let key = [request % self.inputs.max(1), what[0], what[1], what[2]];
        if let Some(tensors) = known.get(&key) {
            return job.that_gave(tensors.clone());
        }
        let output = job.run();
        if let Some(tensors) = output.tensors() {
            known.insert(key, tensors);
        }
        output
    }
}

impl Pace for Virtual {
    fn arrival(
        &mut self,
        now: Time,
        link: (DeviceId, Way),
        size: Bytes,
        identity: &[u64; 6],
    ) -> Time {
        self.links.carry(now, link, size, identity)
    }

    fn went_down(&mut self, now: Time, device: DeviceId) {
        self.links.clear(now, device);
    }

    fn begin(&mut self, now: Time, life: Life, job: Job, cost: Cost) -> Option<Finished> {
        let (machine, who) = match life.node {
            NodeId::Device(device) => (&self.machines[device], 1 + device.0 as u64),
            NodeId::Client | NodeId::Supervisor | NodeId::Chaos => (&self.supervisor, 0),
        };
        let [a, b, c, d, e] = job.identity();
        let ids = [who, a, b, c, d, e];
        let took = duration(self.seed, machine, &job, &ids, cost);
        // A device asks for one job at a time; the supervisor may ask for several.
        let begins = if who == 0 { self.supervisor_free.max(now) } else { now };
        let at = begins + took;
        if who == 0 {
            self.supervisor_free = at;
        }
        Some(Finished { at, output: self.output(job), took })
    }
}
