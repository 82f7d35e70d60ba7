//! Virtual time: one queue ordered by (time, cause), exact to the nanosecond.
//!
//! Jobs run at once, on this thread, and are charged for by the topology's machines. Not tokio's paused
//! clock: it rounds timers up to a millisecond.

use super::Setup;
use super::helm::{Leave, Rudder, obey};
use super::physics::{Links, duration};
use super::run::{Finished, Life, Pace, Run, Watch};
use crate::fault::{Cost, Way};
use crate::maths::chance::Seed;
use crate::node::{Job, NodeId};
use crate::plan::Plan;
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
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a thread's runtime needs nothing")
    };
    actix::System::with_tokio_rt(runtime).block_on(async {
        let mut run = Run::start(setup, Virtual::new(setup), rudder.is_some(), watch);
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

struct Virtual<'s> {
    plan: &'s Plan,
    seed: Seed,
    links: Links,
    /// When the supervisor's processor is done with the jobs it was given.
    supervisor_free: Time,
}

impl<'s> Virtual<'s> {
    fn new(setup: &'s Setup) -> Self {
        let links = Links::new(setup.seed, setup.plan.devices.len());
        Self { plan: &setup.plan, seed: setup.seed, links, supervisor_free: Time::ZERO }
    }
}

impl Pace for Virtual<'_> {
    fn arrival(&mut self, now: Time, link: (DeviceId, Way), size: Bytes, identity: &[u64]) -> Time {
        self.links.carry(now, self.plan, link, size, identity)
    }

    fn begin(&mut self, now: Time, life: Life, job: Job, cost: Cost) -> Option<Finished> {
        let (machine, who) = match life.node {
            NodeId::Device(device) => (&self.plan.devices[device.0].machine, 1 + device.0 as u64),
            NodeId::Client | NodeId::Supervisor | NodeId::Chaos => (&self.plan.supervisor, 0),
        };
        let ids = [&[who], &job.identity()[..]].concat();
        let took = duration(self.seed, machine, &job, &ids, cost);
        // A device asks for one job at a time; the supervisor may ask for several.
        let begins = if who == 0 { self.supervisor_free.max(now) } else { now };
        let at = begins + took;
        if who == 0 {
            self.supervisor_free = at;
        }
        Some(Finished { at, output: job.run(), took })
    }
}
