//! The window of the time line: which moments are seen, and in which column.

use std::fmt::Write;

use crate::units::{Span, Time};
use crate::view::board::Board;

/// The moments that are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) from: Time,
    /// The nanoseconds of a column; never zero.
    column: u64,
    columns: u16,
}

/// A request as the median takes it gets about so many columns, so that its rounds can be told apart.
const COLUMNS_OF_A_REQUEST: u16 = 45;
const MOST_REQUESTS: u16 = 4;

/// Labels of the axis are at least so many columns apart.
const COLUMNS_OF_A_LABEL: u64 = 12;

/// What a window may last, times a power of ten: few enough that it seldom jumps.
const LENGTHS: [u64; 6] = [10, 15, 20, 30, 50, 70];

impl Window {
    /// The last few requests' worth of time, but nothing before `oldest`.
    pub(super) fn of(board: &Board, columns: u16, oldest: Time) -> Self {
        let requests = (columns / COLUMNS_OF_A_REQUEST).clamp(1, MOST_REQUESTS);
        let age = board.flight().map_or(Span::ZERO, |flight| board.now - flight.accepted);
        let usual = board.latency(0.5).unwrap_or(age);
        let length = round_up((usual * f64::from(requests) * 1.1).0.max(1000));
        let length = length.min((board.now - oldest).0.max(1000));
        let column = length.div_ceil(u64::from(columns.max(1))).max(1);
        // Whole columns, so that a bar does not flicker as time goes on.
        let last = board.now.0 / column;
        let first = (last + 1).saturating_sub(u64::from(columns)).max(oldest.0 / column);
        Self { from: Time(first * column), column, columns }
    }

    pub(super) fn column_of(&self, at: Time) -> Option<u16> {
        let column = at.0.checked_sub(self.from.0)? / self.column;
        u16::try_from(column).ok().filter(|column| *column < self.columns)
    }

    /// The first and the last column of a span that ends in the window; at least one.
    pub(super) fn columns_of(&self, from: Time, to: Time) -> (u16, u16) {
        let last = self.columns.saturating_sub(1);
        let column = |at: Time| (at - self.from).0 / self.column;
        let column = |at: Time| u16::try_from(column(at)).map_or(last, |at| at.min(last));
        (column(from), column(to))
    }

    /// Columns and what to write there: round moments, with their unit.
    pub(super) fn ticks(&self) -> Vec<(u16, String)> {
        let step = step(self.column.saturating_mul(COLUMNS_OF_A_LABEL));
        let first = self.from.0.div_ceil(step);
        let ticks = (first..).map(|tick| Time(tick.saturating_mul(step)));
        let ticks = ticks.map_while(|at| Some((self.column_of(at)?, moment(at, step))));
        ticks.take(usize::from(self.columns)).collect()
    }
}

/// The next of the [`LENGTHS`].
fn round_up(length: u64) -> u64 {
    let mut scale = 1;
    loop {
        if let Some(round) = LENGTHS.iter().map(|round| round * scale).find(|l| *l >= length) {
            return round;
        }
        scale *= 10;
        if scale > u64::MAX / 1000 {
            return length;
        }
    }
}

/// The next of 1, 2 and 5 times a power of ten.
fn step(least: u64) -> u64 {
    let mut scale = 1_u64;
    loop {
        for round in [1, 2, 5] {
            if scale.saturating_mul(round) >= least {
                return scale.saturating_mul(round);
            }
        }
        scale = scale.saturating_mul(10);
    }
}

/// A moment in the unit of its step, without digits that are all zero.
fn moment(at: Time, step: u64) -> String {
    let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1000, "µs"), (1, "ns")];
    // Half a millisecond is read more easily than five hundred microseconds, but not five of them.
    let (unit, name) = units.into_iter().find(|(unit, _)| step * 20 >= *unit).unwrap_or((1, "ns"));
    let digits = (0..3).find(|digits| (step * 10_u64.pow(*digits)).is_multiple_of(unit));
    let digits = digits.unwrap_or(3) as usize;
    let mut text = String::new();
    write!(text, "{:.digits$} {name}", at.0 as f64 / unit as f64).expect("a string takes all");
    text
}
