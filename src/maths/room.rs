//! Room to compute in, kept by each thread: fresh memory would be filled with zeros first.

use std::cell::Cell;

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
