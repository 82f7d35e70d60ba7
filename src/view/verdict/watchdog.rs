//! Stops a run that can only fail.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::with_implied;
use crate::event::{Event, Record};
use crate::plan::{Expectation, Expected, Plan};
use crate::units::{RequestId, Time};

/// Watches a run, and stops it as soon as it can only fail.
#[derive(Debug)]
pub struct Watchdog {
    expectations: Vec<Expectation>,
    /// When each request was accepted.
    accepted: BTreeMap<RequestId, Time>,
}

impl Watchdog {
    pub fn new(expectations: &[Expectation], plan: &Plan) -> Self {
        let mut expectations = with_implied(expectations, plan);
        expectations.retain(|expectation| is_final(&expectation.what));
        Self { expectations, accepted: BTreeMap::new() }
    }

    /// Takes a record in, and breaks if it makes some expectation unfulfillable.
    pub fn see(&mut self, record: &Record) -> ControlFlow<()> {
        if let Event::Accepted { request } = record.event {
            self.accepted.insert(request, record.at);
            return ControlFlow::Continue(());
        }
        let (Event::Failed { request, .. } | Event::Judged { request, .. }) = &record.event else {
            return ControlFlow::Continue(());
        };
        let Some(accepted) = self.accepted.remove(request) else {
            return ControlFlow::Continue(());
        };
        let hopeless = self.expectations.iter().any(|expectation| {
            expectation.during.is_none_or(|window| window.contains(accepted))
                && breaks(&record.event, &expectation.what)
        });
        if hopeless { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Whether an expectation, once broken, is broken for good, so that a run may be stopped.
pub(super) fn is_final(expected: &Expected) -> bool {
    matches!(expected, Expected::NoRequestLost | Expected::MaxAbsError(_) | Expected::Top1Equal)
}

/// Whether an event about some request breaks an expectation for good.
fn breaks(event: &Event, expected: &Expected) -> bool {
    match (expected, event) {
        (Expected::NoRequestLost, Event::Failed { .. }) => true,
        (Expected::MaxAbsError(most), Event::Judged { error, .. }) => error > most,
        (Expected::Top1Equal, Event::Judged { top1, top1_of_whole, .. }) => top1 != top1_of_whole,
        _ => false,
    }
}
