//! Threads that help each other: who has nothing to do takes a part of what another one is at.
//!
//! Who is not of a crew does everything by itself, and nothing here changes a bit of what is computed: parts
//! are rows and columns of outputs. What is at work is cut only when somebody is idle, for what begins anew
//! finds nothing in its caches.

mod once;

use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::{hint, thread};

pub use once::Once;

/// Whether what is computed is still wanted.
pub type Asked<'w> = &'w (dyn Fn() -> bool + Sync);

/// So many numbers to read and to write are worth another thread's while.
pub const PART: usize = 1 << 14;

/// Threads that have nothing to do.
static IDLE: AtomicIsize = AtomicIsize::new(0);

/// Until it is dropped so many more of them.
struct Idle(isize);

impl Idle {
    fn more(threads: isize) -> Self {
        IDLE.fetch_add(threads, Ordering::Relaxed);
        Self(threads)
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        IDLE.fetch_sub(self.0, Ordering::Relaxed);
    }
}

thread_local! {
    static IS_OF_CREW: Cell<bool> = const { Cell::new(false) };
}

/// Does the work as one of a crew: a worker of a pool of rayon's in which nothing is to be taken but parts.
pub fn as_one_of_crew<R>(work: impl FnOnce() -> R) -> R {
    IS_OF_CREW.set(true);
    let done = work();
    IS_OF_CREW.set(false);
    done
}

/// Whether somebody could take a part now.
pub(super) fn is_wanted() -> bool {
    IS_OF_CREW.get() && IDLE.load(Ordering::Relaxed) > 0
}

/// Does both, the second on another thread if one has nothing to do meanwhile.
pub(super) fn both(
    one: impl FnOnce() -> Option<()> + Send,
    other: impl FnOnce() -> Option<()> + Send,
) -> Option<()> {
    // Who has done the first is idle, and who does the second is not.
    let one = || (one(), Idle::more(1));
    let other = || {
        let _at_work = Idle::more(-1);
        other()
    };
    let ((one, _idle), other) = rayon::join(one, other);
    one.and(other)
}

/// Has `work` fill `out`, whose rows are so long: it is given the number of the first and so many rows,
/// `least` or more. `None` if any part of it gave that.
pub fn by_rows(
    out: &mut [f32],
    len: usize,
    least: usize,
    work: impl Fn(usize, &mut [f32]) -> Option<()> + Sync,
) -> Option<()> {
    side_by_side(vec![out], len, least, |first, outs| work(first, outs[0]))
}

/// Like [`by_rows`], of several buffers at a time: of each the same rows.
pub fn side_by_side(
    outs: Vec<&mut [f32]>,
    len: usize,
    least: usize,
    work: impl Fn(usize, &mut [&mut [f32]]) -> Option<()> + Sync,
) -> Option<()> {
    parted(0, outs, (len, least.max(1)), &work)
}

/// As long as nobody wants a part, so many rows after the other.
fn parted(
    mut first: usize,
    mut outs: Vec<&mut [f32]>,
    (len, least): (usize, usize),
    work: &(impl Fn(usize, &mut [&mut [f32]]) -> Option<()> + Sync),
) -> Option<()> {
    loop {
        let rows = outs.first().map_or(0, |out| out.len() / len.max(1));
        if !IS_OF_CREW.get() || rows < 2 * least {
            return work(first, &mut outs);
        }
        let is_wanted = is_wanted();
        let taken = if is_wanted { rows / 2 } else { least };
        let split = outs.iter_mut().map(|out| out.split_off_mut(..taken * len).expect("so many"));
        let mut upper: Vec<&mut [f32]> = split.collect();
        if is_wanted {
            return both(
                || parted(first, upper, (len, least), work),
                || parted(first + taken, outs, (len, least), work),
            );
        }
        work(first, &mut upper)?;
        first += taken;
    }
}

/// Looks so often whether something has come, and takes a part of what others are at meanwhile; says whether
/// it has.
pub fn wait_awake(looks: usize, has_come: impl Fn() -> bool) -> bool {
    let _idle = Idle::more(1);
    let mut look = 0;
    while look < looks {
        look += 1;
        if help() {
            look = 0;
        } else {
            (0..PAUSES).for_each(|_| hint::spin_loop());
            thread::yield_now();
        }
        if has_come() {
            return true;
        }
    }
    false
}

/// Between two looks.
const PAUSES: usize = 50;

/// Takes a part of what another one is at, if there is any; says whether it did.
fn help() -> bool {
    IS_OF_CREW.get() && matches!(rayon::yield_now(), Some(rayon::Yield::Executed))
}

/// Does the work as one of a crew in which somebody always has nothing to do.
#[cfg(test)]
pub(crate) fn among_idle<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let crew = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("three threads");
    let _idle = Idle::more(1);
    crew.install(|| as_one_of_crew(work))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicUsize;

    fn numbered(rows: usize, len: usize, least: usize) -> Vec<f32> {
        let mut out = vec![f32::NAN; rows * len];
        let done = by_rows(&mut out, len, least, |first, rows| {
            assert!(rows.len() >= least * len, "so many at least");
            rows.chunks_mut(len).zip(first..).for_each(|(row, at)| row.fill(at as f32));
            Some(())
        });
        assert_eq!(done, Some(()));
        out
    }

    fn crew() -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("three threads")
    }

    #[test]
    fn rows_are_done_once_each_by_a_crew_as_by_one_alone() {
        for (rows, len, least) in [(0, 3, 1), (1, 3, 1), (17, 3, 2), (17, 2, 17), (5, 2, 40)] {
            let least = least.min(rows);
            let want: Vec<f32> = (0..rows * len).map(|at| (at / len) as f32).collect();
            assert_eq!(numbered(rows, len, least), want);
            let by_crew = || crew().install(|| as_one_of_crew(|| numbered(rows, len, least)));
            assert_eq!(by_crew(), want);
            assert_eq!(among_idle(|| numbered(rows, len, least)), want);
        }
    }

    #[test]
    fn parts_of_buffers_side_by_side_are_done_once_each() {
        for (rows, len, least) in [(0, 3, 1), (1, 3, 1), (17, 3, 2), (17, 2, 17), (5, 2, 40)] {
            let numbered = || {
                let mut outs = vec![vec![f32::NAN; rows * len]; 3];
                let slices = outs.iter_mut().map(|out| &mut out[..]).collect();
                let done = side_by_side(slices, len, least, |first, outs| {
                    for (number, out) in outs.iter_mut().enumerate() {
                        let rows = out.chunks_mut(len).zip(first..);
                        rows.for_each(|(row, at)| row.fill((100 * number + at) as f32));
                    }
                    Some(())
                });
                assert_eq!(done, Some(()));
                outs
            };
            let row = |number: usize, at: usize| (100 * number + at / len) as f32;
            let want = |number: usize| (0..rows * len).map(|at| row(number, at)).collect();
            let want: Vec<Vec<f32>> = (0..3).map(want).collect();
            assert_eq!(numbered(), want);
            assert_eq!(crew().install(|| as_one_of_crew(numbered)), want);
            assert_eq!(among_idle(numbered), want);
        }
    }

    #[test]
    fn what_any_part_is_called_off_for_is_not_done() {
        let work = |first: usize, _: &mut [f32]| (first != 5).then_some(());
        let done = || by_rows(&mut [0.0; 8], 1, 1, work);
        assert_eq!(crew().install(|| as_one_of_crew(done)), None);
        assert_eq!(among_idle(done), None);
    }

    #[test]
    fn who_has_nothing_to_do_takes_a_part() {
        let crew = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("two threads");
        let is_done = AtomicUsize::new(0);
        let by = Mutex::new(BTreeSet::new());
        let leads = || {
            let has_other = || by.lock().expect("nobody breaks down").len() > 1;
            while !has_other() {
                by_rows(&mut [0.0; 2], 1, 1, |_, _| {
                    by.lock().expect("nobody breaks down").insert(rayon::current_thread_index());
                    Some(())
                });
            }
            is_done.store(1, Ordering::Release);
        };
        let helps = || while !wait_awake(1, || is_done.load(Ordering::Acquire) > 0) {};
        crew.broadcast(|thread| match thread.index() {
            0 => as_one_of_crew(leads),
            _ => as_one_of_crew(helps),
        });
        assert_eq!(by.into_inner().expect("nobody broke down").len(), 2);
    }
}
