//! Room to compute in, kept from before: fresh memory is filled with zeros by the system, a page at a time,
//! which takes longer than many a layer.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Tensor;

thread_local! {
    static KEPT: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Lends room for so many numbers. What they are is left from before.
///
/// Within `work` there is another room.
pub fn with_room<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut room = KEPT.take();
    if room.len() < len {
        room = vec![0.0; len];
    }
    let result = work(&mut room[..len]);
    KEPT.set(room);
    result
}

/// Like [`with_room`], room that begins where a cache line does.
pub fn with_line<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    with_room(len + CACHE_LINE, |room| {
        let lead = lead(room);
        work(&mut room[lead..lead + len])
    })
}

/// An empty buffer for so many numbers, one that was given back if there is any.
pub fn empty(len: usize) -> Vec<f32> {
    let mut buffer = kept(len).unwrap_or_else(|| Vec::with_capacity(len));
    buffer.clear();
    buffer
}

/// Like [`empty`], filled. What the numbers are is left from before.
pub fn buffer(len: usize) -> Vec<f32> {
    let mut buffer = kept(len).unwrap_or_default();
    buffer.resize(len, 0.0);
    if cfg!(any(test, debug_assertions)) {
        // Who reads what was not written is found out.
        buffer.fill(f32::NAN);
    }
    buffer
}

fn kept(len: usize) -> Option<Vec<f32>> {
    if len < LEAST { None } else { spare().take(len) }
}

/// Keeps a buffer for those to come.
pub fn give_back(buffer: Vec<f32>) {
    if buffer.capacity() >= LEAST {
        spare().put(buffer);
    }
}

/// Keeps a tensor's buffer for those to come, if nobody else holds it.
pub fn give_back_tensor(tensor: Tensor) {
    if tensor.len() >= LEAST
        && let Ok(owned) = tensor.try_into_owned_nocopy()
    {
        give_back(owned.into_raw_vec_and_offset().0);
    }
}

/// A buffer, new ones from the beginning of a cache line on, that is given back when it is dropped.
#[derive(Debug)]
pub struct Lined {
    buffer: Vec<f32>,
    lead: usize,
}

/// Of numbers.
pub const CACHE_LINE: usize = 16;

/// So many numbers of these lie before the first cache line that is all theirs.
pub fn lead(numbers: &[f32]) -> usize {
    (numbers.as_ptr().addr() / size_of::<f32>()).wrapping_neg() % CACHE_LINE
}

impl Lined {
    /// For so many numbers. What they are is left from before.
    pub fn new(len: usize) -> Self {
        let mut buffer = buffer(len + CACHE_LINE);
        let lead = lead(&buffer);
        buffer.truncate(lead + len);
        Self { buffer, lead }
    }
}

impl From<Vec<f32>> for Lined {
    /// These, wherever they begin.
    fn from(buffer: Vec<f32>) -> Self {
        Self { buffer, lead: 0 }
    }
}

impl Deref for Lined {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.buffer[self.lead..]
    }
}

impl DerefMut for Lined {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[self.lead..]
    }
}

impl Drop for Lined {
    fn drop(&mut self) {
        give_back(mem::take(&mut self.buffer));
    }
}

/// Buffers that nobody holds, by their capacity.
struct Spare {
    buffers: BTreeMap<usize, Vec<Vec<f32>>>,
    /// Of all together.
    capacity: usize,
}

static SPARE: Mutex<Spare> = Mutex::new(Spare::NONE);

fn spare() -> MutexGuard<'static, Spare> {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Spare {
    const NONE: Self = Self { buffers: BTreeMap::new(), capacity: 0 };

    /// The shortest that is long enough, unless much of it would not be used.
    fn take(&mut self, len: usize) -> Option<Vec<f32>> {
        let mut fitting = self.buffers.range_mut(len..=2 * len);
        let buffer = fitting.find_map(|(_, buffers)| buffers.pop())?;
        self.capacity -= buffer.capacity();
        Some(buffer)
    }

    /// If there are too many, those from before go: some may be of lengths that nobody asks for.
    fn put(&mut self, buffer: Vec<f32>) {
        if self.capacity + buffer.capacity() > MOST {
            *self = Self::NONE;
        }
        if buffer.capacity() <= MOST {
            self.capacity += buffer.capacity();
            self.buffers.entry(buffer.capacity()).or_default().push(buffer);
        }
    }
}

/// Of numbers: shorter buffers are quickly had from the allocator, which keeps such itself.
const LEAST: usize = 1 << 14;

/// So many numbers are kept together, 64 MiB: as much as the largest layers of today's models use at a time.
const MOST: usize = 1 << 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_back_is_lent_to_who_needs_nearly_as_much() {
        let mut spare = Spare::NONE;
        spare.put(Vec::with_capacity(1000));
        assert!(spare.take(499).is_none(), "most of it would not be used");
        assert!(spare.take(1001).is_none(), "it is too short");
        assert!(spare.take(500).is_some_and(|buffer| buffer.capacity() == 1000));
        assert!(spare.take(500).is_none(), "it is lent");
    }

    #[test]
    fn there_are_never_more_than_so_many_and_old_ones_make_room() {
        let mut spare = Spare::NONE;
        for _ in 0..10 {
            spare.put(Vec::with_capacity(MOST / 4));
            assert!(spare.capacity <= MOST);
        }
        spare.put(Vec::with_capacity(MOST / 2));
        assert!(spare.take(MOST / 2).is_some());
        spare.put(Vec::with_capacity(MOST + 1));
        assert_eq!((spare.capacity, spare.take(MOST).is_some()), (0, false));
    }

    #[test]
    fn a_lined_buffer_begins_on_a_cache_line() {
        for len in [0, 1, 1000, LEAST, LEAST + 5] {
            let lined = Lined::new(len);
            assert_eq!((lined.len(), lead(&lined)), (len, 0));
        }
    }

    #[test]
    fn a_tensor_that_somebody_holds_is_left_to_them() {
        let tensor = Tensor::from_elem(ndarray::IxDyn(&[LEAST]), 7.0);
        give_back_tensor(tensor.clone());
        buffer(LEAST).fill(1.0);
        assert_eq!(tensor, Tensor::from_elem(ndarray::IxDyn(&[LEAST]), 7.0));
    }
}
