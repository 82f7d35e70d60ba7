//! The queue of things to come.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::units::Time;

/// What is to come, by time and then by cause. What is sorted is small; what happens lies still beside it.
pub(super) struct Queue<T> {
    order: BinaryHeap<Reverse<(Time, u64, usize)>>,
    what: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self { order: BinaryHeap::new(), what: Vec::new(), free: Vec::new() }
    }

    pub(super) fn push(&mut self, at: Time, cause: u64, what: T) {
        let place = match self.free.pop() {
            Some(place) => {
                self.what[place] = Some(what);
                place
            }
            None => {
                self.what.push(Some(what));
                self.what.len() - 1
            }
        };
        self.order.push(Reverse((at, cause, place)));
    }

    pub(super) fn next_due(&self) -> Option<Time> {
        self.order.peek().map(|Reverse((at, ..))| *at)
    }

    pub(super) fn pop(&mut self) -> Option<(Time, T)> {
        let Reverse((at, _, place)) = self.order.pop()?;
        self.free.push(place);
        self.what[place].take().map(|what| (at, what))
    }
}
