//! When a fault strikes and whom: the words of the file and their meaning.

use serde::Deserialize;

use super::Plan;
use crate::event::{Event, Standing};
use crate::maths::delay::Refusal;
use crate::units::{DeviceId, RequestId, Span, StageId, Time};

/// When a fault strikes.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    At(Time),
    /// Again and again.
    Every(Span),
    AtStage {
        request: RequestId,
        stage: StageId,
        phase: Phase,
    },
    /// When something is seen to happen, the first time.
    OnEvent(Seen),
    /// At the beginning of each round with this probability.
    Chance(f64),
}

/// A moment of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Phase {
    /// Its tasks have been sent.
    Scattered,
    /// A reply came in.
    FirstReply,
    /// Enough replies are in, and decoding begins.
    Decoding,
}

/// Something to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The device went down.
    Died(DeviceId),
    /// The device came back and was given its shares.
    Deployed(DeviceId),
    /// The supervisor stopped asking the device.
    Excluded(DeviceId),
    /// The supervisor thinks well of the device again.
    Healed(DeviceId),
    /// A lie of the device was found out.
    Caught(DeviceId),
    /// The request ended, well or not.
    Ended(RequestId),
}

/// A trigger as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename = "Trigger", deny_unknown_fields)]
pub(super) enum TriggerFile {
    At(Time),
    Every(Span),
    AtStage { request: usize, stage: String, phase: Phase },
    OnEvent(SeenFile),
    Chance(f64),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename = "Event", deny_unknown_fields)]
pub(super) enum SeenFile {
    Died(String),
    Deployed(String),
    Excluded(String),
    Healed(String),
    Caught(String),
    Ended(usize),
}

/// Whom a fault strikes: all of the devices, or some number of them drawn anew each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    pub devices: Vec<DeviceId>,
    pub any: Option<usize>,
}

impl From<Vec<DeviceId>> for Who {
    fn from(devices: Vec<DeviceId>) -> Self {
        Self { devices, any: None }
    }
}

impl Who {
    /// `pi-3`, `pi` (a tag), `pi-1, pi-2`, `any 2`, `any 2 of pi`.
    pub(super) fn parse(text: &str, plan: &Plan) -> Result<Self, Refusal> {
        let (any, names) = match text.strip_prefix("any ") {
            None => (None, text),
            Some(rest) => {
                let (count, names) = rest.split_once(" of ").unwrap_or((rest, ""));
                let count = count.trim().parse().map_err(|_| {
                    let message = format!("\"{text}\" names no number of devices");
                    Refusal::new(message, "write \"any 2\" or \"any 2 of TAG\"")
                })?;
                (Some(count), names)
            }
        };
        let mut devices = Vec::new();
        if any.is_some() && names.is_empty() {
            devices.extend((0..plan.devices.len()).map(DeviceId));
        }
        if text.trim().is_empty() {
            called("", plan)?;
        }
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            devices.extend(called(name, plan)?);
        }
        devices.sort();
        devices.dedup();
        if devices.is_empty() || any.is_some_and(|any| any == 0 || any > devices.len()) {
            let message = format!("\"{text}\" asks for devices that are not there");
            let fix = format!("there are {} to choose from", devices.len());
            return Err(Refusal::new(message, fix));
        }
        Ok(Self { devices, any })
    }
}

/// The devices of that name or tag.
fn called(name: &str, plan: &Plan) -> Result<Vec<DeviceId>, Refusal> {
    let found = plan.devices_called(name);
    if found.is_empty() {
        let names: Vec<&str> = plan.devices.iter().map(|d| d.name.as_str()).collect();
        let message = format!("there is no device or tag \"{name}\"");
        return Err(Refusal::new(message, format!("name one of {}", names.join(", "))));
    }
    Ok(found)
}

impl TriggerFile {
    pub(super) fn load(&self, plan: &Plan, requests: usize) -> Result<Trigger, Refusal> {
        let request = |request: usize| {
            if request < requests {
                return Ok(RequestId(request));
            }
            let message = format!("request {request} is never sent: there are {requests}");
            Err(Refusal::new(message, "requests count from 0"))
        };
        let device = |name: &String| match called(name, plan)?[..] {
            [device] => Ok(device),
            _ => Err(Refusal::new(format!("\"{name}\" is several devices"), "name one")),
        };
        Ok(match self {
            Self::At(at) => Trigger::At(*at),
            Self::Every(period) if *period < Span(1000) => {
                let message = format!("a period of {period} is too short");
                return Err(Refusal::new(message, "give at least 1us"));
            }
            Self::Every(period) => Trigger::Every(*period),
            Self::Chance(p) if !(0.0..=1.0).contains(p) => {
                let message = format!("{p} is not a probability");
                return Err(Refusal::new(message, "give a number from 0 to 1"));
            }
            Self::Chance(p) => Trigger::Chance(*p),
            Self::AtStage { request: at, stage, phase } => {
                let request = request(*at)?;
                let found = plan.stage(stage).ok_or_else(|| {
                    let names: Vec<&str> = plan.stages.iter().map(|s| s.name.as_str()).collect();
                    let message = format!("there is no stage \"{stage}\"");
                    Refusal::new(message, format!("name one of {}", names.join(", ")))
                })?;
                Trigger::AtStage { request, stage: found, phase: *phase }
            }
            Self::OnEvent(seen) => Trigger::OnEvent(match seen {
                SeenFile::Died(name) => Seen::Died(device(name)?),
                SeenFile::Deployed(name) => Seen::Deployed(device(name)?),
                SeenFile::Excluded(name) => Seen::Excluded(device(name)?),
                SeenFile::Healed(name) => Seen::Healed(device(name)?),
                SeenFile::Caught(name) => Seen::Caught(device(name)?),
                SeenFile::Ended(at) => Seen::Ended(request(*at)?),
            }),
        })
    }
}

impl Trigger {
    /// Whether it waits for something to be seen.
    pub fn watches(&self) -> bool {
        match self {
            Self::At(_) | Self::Every(_) => false,
            Self::AtStage { .. } | Self::OnEvent(_) | Self::Chance(_) => true,
        }
    }

    /// Whether what was seen is what it waits for; chance is drawn elsewhere. The round of a request that
    /// shares one is told under the name of its leader.
    pub fn fires_on(&self, event: &Event, leader: Option<RequestId>) -> bool {
        match self {
            Self::AtStage { request, stage, phase } => {
                phase.is(event, leader.unwrap_or(*request), *stage)
            }
            Self::OnEvent(seen) => seen.is(event),
            Self::At(_) | Self::Every(_) | Self::Chance(_) => false,
        }
    }
}

impl Phase {
    fn is(self, event: &Event, of: RequestId, at: StageId) -> bool {
        let about = match (self, event) {
            (Self::Scattered, Event::Scattered { request, stage, attempt: 0, .. })
            | (Self::FirstReply, Event::Arrived { request, stage, .. })
            | (Self::Decoding, Event::Enough { request, stage, .. }) => (*request, *stage),
            (Self::Scattered | Self::FirstReply | Self::Decoding, _) => return false,
        };
        about == (of, at)
    }
}

impl Seen {
    fn is(self, event: &Event) -> bool {
        match (self, event) {
            (Self::Died(of), Event::Died { device, .. })
            | (Self::Deployed(of), Event::Deployed { device, .. })
            | (Self::Excluded(of), Event::Judgement { device, to: Standing::Excluded, .. })
            | (Self::Healed(of), Event::Judgement { device, to: Standing::Healthy, .. })
            | (Self::Caught(of), Event::Caught { device, .. }) => of == *device,
            (Self::Ended(of), Event::Answered { request, .. } | Event::Failed { request, .. }) => {
                of == *request
            }
            (
                Self::Died(_)
                | Self::Deployed(_)
                | Self::Excluded(_)
                | Self::Healed(_)
                | Self::Caught(_)
                | Self::Ended(_),
                _,
            ) => false,
        }
    }
}
