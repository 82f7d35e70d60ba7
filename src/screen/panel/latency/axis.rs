//! The axis of the latency picture: logarithmic, over all that is to be seen.

use hdrhistogram::Histogram;

use crate::units::Span;

/// From the shortest to the longest latency.
pub(super) struct Axis {
    from: f64,
    /// The factor from one end to the other.
    ratio: f64,
    columns: u16,
    /// Columns that share a bar.
    together: u16,
}

/// A narrower axis would make rounding look like a difference.
const LEAST_RATIO: f64 = 1.3;

/// A deadline further off than this many times the longest latency would squeeze the bars.
const DEADLINE_NEAR: f64 = 3.0;

impl Axis {
    /// None if there is nothing to see.
    pub(super) fn of(
        seen: &[&Histogram<u64>],
        deadline: Option<Span>,
        columns: u16,
    ) -> Option<Self> {
        let seen: Vec<_> = seen.iter().filter(|latencies| !latencies.is_empty()).collect();
        let shortest = seen.iter().map(|latencies| latencies.min_nz()).min()?.max(1) as f64;
        let longest = seen.iter().map(|latencies| latencies.max()).max()?.max(1) as f64;
        let deadline = deadline.map(|deadline| deadline.0 as f64);
        let deadline = deadline.filter(|deadline| *deadline <= DEADLINE_NEAR * longest);
        let from = 0.95 * deadline.map_or(shortest, |deadline| deadline.min(shortest));
        let to = 1.05 * deadline.map_or(longest, |deadline| deadline.max(longest));
        let answers = seen.iter().map(|latencies| latencies.len()).max()?;
        // Few answers in many bars would look like a comb.
        let bars = (2.0 * (answers as f64).sqrt()).max(8.0);
        let together = (f64::from(columns) / bars).ceil().max(1.0) as u16;
        Some(Self { from, ratio: (to / from).max(LEAST_RATIO), columns, together })
    }

    /// For each column the share of all answers that lies in its bar.
    pub(super) fn shares(&self, latencies: &Histogram<u64>) -> Vec<f64> {
        let mut bars = vec![0; usize::from(self.columns.div_ceil(self.together))];
        for bucket in latencies.iter_recorded() {
            if let Some(x) = self.column(Span(bucket.value_iterated_to())) {
                bars[usize::from(x / self.together)] += bucket.count_at_value();
            }
        }
        let all = latencies.len().max(1) as f64;
        let share = |x: u16| bars[usize::from(x / self.together)] as f64 / all;
        (0..self.columns).map(share).collect()
    }

    pub(super) fn column(&self, at: Span) -> Option<u16> {
        let place = (at.0.max(1) as f64 / self.from).ln() / self.ratio.ln();
        let column = (place * f64::from(self.columns)).floor();
        (0.0..f64::from(self.columns)).contains(&column).then_some(column as u16)
    }

    /// Whether a column's bar begins after a latency.
    pub(super) fn begins_after(&self, column: u16, latency: Span) -> bool {
        let bar = column / self.together * self.together;
        let part = f64::from(bar) / f64::from(self.columns.max(1));
        self.from * self.ratio.powf(part) > latency.0 as f64
    }

    /// Round latencies, the roundest first.
    pub(super) fn round(&self) -> Vec<Span> {
        let (first, last) = (self.from.log10().floor() as i32, (self.from * self.ratio).log10());
        let scales = || (first..=last.floor() as i32).map(|scale| 10_f64.powi(scale));
        let tenths: [&[u32]; 3] = [&[10, 20, 50], &[15, 30, 40, 60, 70, 80, 90], &[12, 25, 35, 45]];
        let round =
            |tenth: u32| scales().map(move |scale| Span((scale * f64::from(tenth) / 10.0) as u64));
        tenths.iter().flat_map(|tenths| tenths.iter().copied().flat_map(round)).collect()
    }
}
