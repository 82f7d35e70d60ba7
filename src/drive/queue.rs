//! The queue of things to come.
//!
//! A heap of thousands costs more than what happens. So time is cut in slots, and what is due in each of the
//! next ones lies there as it came (R. Brown, *Calendar Queues*, 1988); a slot is sorted when time comes to
//! it. What is due later than all slots, such as deadlines, is little and lies in a heap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::maths::fetch::fetch;
use crate::units::Time;

/// What is to come, by time and then by cause. What is sorted is small; what happens lies still beside it.
pub(super) struct Queue<T> {
    /// The slot that time is in.
    slot: u64,
    /// What is due in it or before, last first.
    due: Vec<Entry>,
    /// What is due in each of the next slots, by their number modulo that of slots.
    next: Vec<Vec<Entry>>,
    /// A bit for each of them that is not empty.
    taken: [u64; SLOTS as usize / 64],
    /// Room of slots that are over, for others: what was written last is nearest to the processor.
    spare: Vec<Vec<Entry>>,
    /// What is due later than that.
    later: BinaryHeap<Reverse<Entry>>,
    what: Vec<Option<T>>,
    free: Vec<usize>,
}

/// What is so far ahead is sent for, and is there when it is looked at, a little later.
const FAR: usize = 12;
const SOON: usize = 6;

/// When, why, and where what happens lies.
type Entry = (Time, u64, usize);

/// A slot is 2¹³ ns long, and there are so many: 17 ms lie in slots.
const SLOT_BITS: u32 = 13;
const SLOTS: u64 = 2048;

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self {
            slot: 0,
            due: Vec::new(),
            next: (0..SLOTS).map(|_| Vec::new()).collect(),
            taken: [0; SLOTS as usize / 64],
            spare: Vec::new(),
            later: BinaryHeap::new(),
            what: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, at: Time, cause: u64, what: T) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.what.push(None);
            self.what.len() - 1
        });
        self.what[place] = Some(what);
        let (entry, slot) = ((at, cause, place), slot(at));
        if slot <= self.slot {
            let before = self.due.partition_point(|other| *other > entry);
            self.due.insert(before, entry);
        } else if slot - self.slot < SLOTS {
            let at = (slot % SLOTS) as usize;
            if self.next[at].capacity() == 0 {
                self.next[at] = self.spare.pop().unwrap_or_default();
            }
            self.next[at].push(entry);
            self.taken[at / 64] |= 1 << (at % 64);
        } else {
            self.later.push(Reverse(entry));
        }
    }

    pub(super) fn next_due(&self) -> Option<Time> {
        let first_of = |slot| self.next[(slot % SLOTS) as usize].iter().min();
        let first = self.due.last().or_else(|| self.next_taken().and_then(first_of));
        let later = self.later.peek().map(|Reverse(entry)| entry);
        first.into_iter().chain(later).min().map(|(at, ..)| *at)
    }

    pub(super) fn pop(&mut self) -> Option<(Time, T)> {
        if self.due.is_empty() {
            self.turn();
        }
        let (at, _, place) = self.due.pop()?;
        self.free.push(place);
        if let Some(place) = self.due_after(FAR) {
            fetch(&self.what, place);
        }
        self.what[place].take().map(|what| (at, what))
    }

    /// What will happen soon, but not next; none if that is not sorted yet.
    pub(super) fn soon(&self) -> Option<&T> {
        self.what[self.due_after(SOON)?].as_ref()
    }

    /// Where what is due after so many others lies.
    fn due_after(&self, others: usize) -> Option<usize> {
        let at = self.due.len().checked_sub(others + 1)?;
        Some(self.due[at].2)
    }

    /// Goes on to the next slot in which something is due.
    fn turn(&mut self) {
        let later = self.later.peek().map(|Reverse((at, ..))| slot(*at));
        let Some(next) = self.next_taken().into_iter().chain(later).min() else { return };
        self.slot = next;
        let at = (next % SLOTS) as usize;
        self.taken[at / 64] &= !(1 << (at % 64));
        let due = std::mem::take(&mut self.next[at]);
        // Only what a slot gave up takes the place of what is used up: else spare ones would pile up.
        if due.capacity() > 0 {
            self.spare.push(std::mem::replace(&mut self.due, due));
        }
        while let Some(Reverse(entry)) = self.later.peek()
            && slot(entry.0) == next
        {
            self.due.push(*entry);
            self.later.pop();
        }
        self.due.sort_unstable_by(|a, b| b.cmp(a));
    }

    /// The next of the slots that is not empty.
    fn next_taken(&self) -> Option<u64> {
        let (words, at) = (self.taken.len(), (self.slot % SLOTS) as usize);
        // The word that time is in comes first and last: what is behind time there is a turn ahead.
        let ahead = self.taken[at / 64] & !(u64::MAX >> (63 - at % 64));
        let others = (1..=words).map(|on| (on, self.taken[(at / 64 + on) % words]));
        let (on, word) = std::iter::once((0, ahead)).chain(others).find(|(_, word)| *word != 0)?;
        let first = self.slot - (at % 64) as u64;
        Some(first + 64 * on as u64 + u64::from(word.trailing_zeros()))
    }
}

fn slot(at: Time) -> u64 {
    at.0 >> SLOT_BITS
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Something is pushed so long after what was popped last, or popped.
    fn steps() -> impl Strategy<Value = Vec<Option<u64>>> {
        let after = prop_oneof![
            Just(0),
            0..1_u64 << SLOT_BITS,
            0..SLOTS << SLOT_BITS,
            0..(4 * SLOTS) << SLOT_BITS
        ];
        prop::collection::vec(prop::option::weighted(0.6, after), 0..400)
    }

    proptest! {
        #[test]
        fn what_is_due_first_comes_first(steps in steps(), first_cause in 0..4_u64) {
            let (mut queue, mut sorted, mut now) = (Queue::new(), BTreeMap::new(), Time::ZERO);
            for (cause, step) in steps.into_iter().enumerate() {
                // Causes mostly rise; a fault's come before all others.
                let cause = if cause as u64 % 4 == first_cause { cause } else { 1000 + cause } as u64;
                match step {
                    Some(after) => {
                        let at = Time(now.0 + after);
                        queue.push(at, cause, cause);
                        sorted.insert((at, cause), cause);
                    }
                    None => {
                        let want = sorted.pop_first().map(|((at, _), cause)| (at, cause));
                        prop_assert_eq!(queue.next_due(), want.map(|(at, _)| at));
                        prop_assert_eq!(queue.pop(), want);
                        now = want.map_or(now, |(at, _)| at);
                    }
                }
            }
            while let Some(((at, _), cause)) = sorted.pop_first() {
                prop_assert_eq!(queue.pop(), Some((at, cause)));
            }
            prop_assert_eq!(queue.pop(), None);
        }
    }
}
