//! How fast replies come: the latest of a stage, and the mean of what a device is known for.

use std::collections::VecDeque;

use crate::units::Span;

/// The latest reply times, as they came and in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    came: VecDeque<Span>,
    sorted: Vec<Span>,
}

impl Recent {
    pub(super) fn take(&mut self, took: Span) {
        self.came.push_back(took);
        self.sorted.insert(self.sorted.partition_point(|other| *other < took), took);
        if self.came.len() > REMEMBERED
            && let Some(oldest) = self.came.pop_front()
        {
            self.sorted.remove(self.sorted.partition_point(|other| *other < oldest));
        }
    }

    /// If there are enough of them.
    pub(super) fn quantile(&self, quantile: f64) -> Option<Span> {
        let last = self.sorted.len().checked_sub(1).filter(|last| *last + 1 >= ENOUGH)?;
        Some(self.sorted[(last as f64 * quantile).round() as usize])
    }
}

/// Mean and variance of a stream that forgets (exponentially weighted).
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    pub(super) mean: f64,
    pub(super) variance: f64,
}

impl Running {
    pub(super) fn take(&mut self, x: f64) {
        let off = x - self.mean;
        self.mean += FORGETS * off;
        self.variance = (1.0 - FORGETS) * (self.variance + FORGETS * off * off);
    }
}

/// The weight of a new reply: what is older than some twenty replies hardly counts.
const FORGETS: f64 = 0.1;
/// Replies of a stage that are remembered.
const REMEMBERED: usize = 64;
/// Replies of a stage before its deadline is learned from them.
const ENOUGH: usize = 16;
