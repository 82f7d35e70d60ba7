//! What an event is about: its request and stage, and the shares and devices it names.

use super::Event;
use crate::units::{DeviceId, RequestId, StageId};

/// What an event is about.
#[derive(Clone, Copy, Debug, Default)]
struct About<'e> {
    request: Option<RequestId>,
    stage: Option<StageId>,
    share: Option<usize>,
    device: Option<DeviceId>,
    /// If there are several, whoever has them …
    shares: &'e [usize],
    /// … or each with its device.
    asked: &'e [(usize, DeviceId)],
}

impl Event {
    /// The request it is about.
    pub fn request(&self) -> Option<RequestId> {
        self.about().request
    }

    /// The stage it is about.
    pub fn stage(&self) -> Option<StageId> {
        self.about().stage
    }

    /// The shares it is about.
    pub fn shares(&self) -> Vec<usize> {
        let About { share, shares, asked, .. } = self.about();
        let asked = asked.iter().map(|(share, _)| *share);
        share.into_iter().chain(shares.iter().copied()).chain(asked).collect()
    }

    /// The devices it is about.
    pub fn devices(&self) -> Vec<DeviceId> {
        let About { device, asked, .. } = self.about();
        device.into_iter().chain(asked.iter().map(|(_, device)| *device)).collect()
    }

    fn about(&self) -> About<'_> {
        let of = |request: &RequestId| About { request: Some(*request), ..About::default() };
        let round = |request, stage: &StageId| About { stage: Some(*stage), ..of(request) };
        let on = |device: &DeviceId| About { device: Some(*device), ..About::default() };
        match self {
            Self::Accepted { request }
            | Self::LocalRan { request, .. }
            | Self::Answered { request, .. }
            | Self::Failed { request, .. }
            | Self::Judged { request, .. }
            | Self::NotComputed { request } => of(request),
            Self::Encoded { request, stage, .. } | Self::Gathered { request, stage, .. } => {
                round(request, stage)
            }
            Self::Scattered { request, stage, asked, .. } => {
                About { asked, ..round(request, stage) }
            }
            Self::Started { request, stage, share, device }
            | Self::Arrived { request, stage, share, device, .. }
            | Self::Late { request, stage, share, device }
            | Self::Skipped { request, stage, share, device }
            | Self::Refused { request, stage, share, device, .. }
            | Self::Caught { request, stage, share, device, .. } => {
                let (share, device) = (Some(*share), Some(*device));
                About { share, device, ..round(request, stage) }
            }
            Self::Enough { request, stage, arrived: shares, .. }
            | Self::Decoded { request, stage, used: shares, .. }
            | Self::DeadlinePassed { request, stage, missing: shares, .. }
            | Self::Doubted { request, stage, arrived: shares } => {
                About { shares, ..round(request, stage) }
            }
            Self::Deployed { device, .. }
            | Self::FaultBegan { device, .. }
            | Self::FaultEnded { device, .. }
            | Self::Died { device, .. }
            | Self::Judgement { device, .. } => on(device),
            Self::Lost { device, request, .. } => About { request: *request, ..on(device) },
            Self::MarginChanged { stage, .. } => About { stage: Some(*stage), ..About::default() },
        }
    }
}
