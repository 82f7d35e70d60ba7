//! Keyed random directions in which a layer's results are looked at.
//!
//! A result `Y = W X` is dealt out in parts, by columns or, where there are too few, by rows. Each
//! part is projected, `rᵀ Y s`, and must equal `(rᵀ W)(X s)`: Freivalds' check (1977), at the cost of
//! one look at every element. `rᵀ W` is a share's [`Witness`](super::witness::Witness); `X s`, the
//! same for all shares, is a round's [`Sketch`](super::sketch::Sketch).

use std::ops::Range;
use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::linear::{LinearOp, Lowering, Patches};
use crate::maths::chance::{Purpose, Seed};

/// The directions for one layer, and for shares of so many rows. Who knows them can lie unseen.
#[derive(Debug)]
pub struct Probe {
    pub(super) op: Arc<LinearOp>,
    /// Rows of a share in each group.
    pub(super) rows: usize,
    pub(super) parts: Vec<Part>,
    pub(super) views: Vec<View>,
    /// s, one a column: the coefficient of its line times that of its place in the line. The columns
    /// of a line lie side by side: outputs along the last axis of a convolution.
    pub(super) columns: Vec<f64>,
    pub(super) places: Vec<f64>,
}

/// A part of each group's rows, seen in one view.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) view: usize,
    pub(super) rows: Range<usize>,
    /// r: (groups, rows of the part).
    pub(super) coefficients: Vec<f64>,
}

/// A part of the columns: whole lines of them.
#[derive(Debug)]
pub(super) struct View {
    pub(super) columns: Range<usize>,
    /// For patches, what is looked at in a map of each image.
    pub(super) looks: Vec<Look>,
}

/// Where the columns of a view look in a map.
#[derive(Debug)]
pub(super) struct Look {
    /// What offsets of the kernel across lines see at each output line.
    pub(super) glances: Vec<Glance>,
    /// `Σ s²` over the columns that look at a position, from the first that any does.
    pub(super) usage: Vec<f64>,
    pub(super) first: usize,
}

/// One line of the input, as one offset of the kernel sees it at one output line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glance {
    /// Of the output line.
    pub(super) coefficient: f64,
    /// k0 · kernel\[1\] + k1.
    pub(super) offset: usize,
    /// Where the input line begins in its map.
    pub(super) at: usize,
}

/// Parts a result is dealt out in. A lie about a whole result passes only if it passes in every
/// part; one about a single element is in one part and never passes if it is above its tolerance.
pub const PARTS: usize = 3;

impl Probe {
    /// Directions drawn for what `ids` say, for shares of `rows` rows in each group.
    pub fn new(op: Arc<LinearOp>, rows: usize, seed: Seed, ids: &[u64]) -> Self {
        let mut rng = seed.stream(Purpose::Probe, ids);
        let width = match &op.lowering {
            Lowering::Permute { .. } => 1,
            Lowering::Patches(patches) => patches.output[2],
        };
        let lines = directions(&mut rng, op.columns / width.max(1));
        let places = directions(&mut rng, width);
        let bands = bands(&op, rows, lines.len());
        let by_columns = bands.len() > PARTS;
        let (column_parts, row_parts) = if by_columns { (PARTS, 1) } else { (1, PARTS) };
        let views: Vec<View> = deal(bands.len() - 1, column_parts)
            .map(|range| view(&op, &lines, &places, bands[range.start]..bands[range.end]))
            .collect();
        let mut parts = Vec::new();
        for view in 0..views.len() {
            for rows in deal(rows, row_parts) {
                let coefficients = draw(&mut rng, op.groups * rows.len());
                parts.push(Part { view, rows, coefficients });
            }
        }
        let columns = products(&lines, &places);
        Self { op, rows, parts, views, columns, places }
    }
}

/// Where the output lines may be dealt out, and their end: lines that a share mixes stay together, for
/// rounding carries what one of them sees into the others.
fn bands(op: &Arc<LinearOp>, rows: usize, lines: usize) -> Vec<usize> {
    let mixed = op.tiling(rows).map_or(1, |tiling| tiling.size().lines_mixed());
    let height = match &op.lowering {
        Lowering::Permute { .. } => 1,
        Lowering::Patches(patches) => patches.output[1].max(1),
    };
    (0..lines).filter(|line| line % height % mixed == 0).chain([lines]).collect()
}

/// The parts of `len` things, none empty, as equal as can be.
fn deal(len: usize, parts: usize) -> impl Iterator<Item = Range<usize>> {
    let parts = parts.min(len);
    (0..parts).map(move |part| part * len / parts..(part + 1) * len / parts)
}

/// Coefficients; a single one only scales the result, so it may as well be 1.
fn directions(rng: &mut ChaCha8Rng, count: usize) -> Vec<f64> {
    if count == 1 { vec![1.0] } else { draw(rng, count) }
}

/// Random signs with magnitudes in 1..1.25.
///
/// With magnitudes of 1 alone, equal errors in two places, or in every place of a small share,
/// would cancel half the time. A magnitude below 1 would look away from its element.
fn draw(rng: &mut ChaCha8Rng, count: usize) -> Vec<f64> {
    let coefficient = |_| {
        let magnitude = rng.random_range(1.0..1.25);
        if rng.random() { magnitude } else { -magnitude }
    };
    (0..count).map(coefficient).collect()
}

fn products(lines: &[f64], places: &[f64]) -> Vec<f64> {
    lines.iter().flat_map(|line| places.iter().map(move |place| line * place)).collect()
}

fn view(op: &LinearOp, lines: &[f64], places: &[f64], range: Range<usize>) -> View {
    let looks = match &op.lowering {
        Lowering::Permute { .. } => Vec::new(),
        Lowering::Patches(patches) => {
            (0..patches.batch).map(|image| look(patches, lines, places, image, &range)).collect()
        }
    };
    let columns = range.start * places.len()..range.end * places.len();
    View { columns, looks }
}

fn look(
    patches: &Patches,
    lines: &[f64],
    places: &[f64],
    image: usize,
    range: &Range<usize>,
) -> Look {
    let width = patches.input[2];
    let glances = patches.glances(lines, image, range);
    // The squares of s fall apart into axes as s does.
    let mut across = vec![0.0; width];
    for (o2, place) in places.iter().enumerate() {
        let seen = (0..patches.kernel[2]).filter_map(|k2| patches.source(2, o2, k2));
        seen.for_each(|i2| across[i2] += place * place);
    }
    let mut usage = vec![0.0; patches.input.iter().product()];
    for Glance { coefficient, at, .. } in &glances {
        let line = usage[*at..at + width].iter_mut().zip(&across);
        line.for_each(|(usage, across)| *usage += coefficient * coefficient * across);
    }
    let first = usage.iter().position(|w| *w != 0.0).unwrap_or(usage.len());
    let last = usage.iter().rposition(|w| *w != 0.0).map_or(first, |last| last + 1);
    Look { glances, usage: usage[first..last].to_vec(), first }
}

impl Patches {
    /// The glances of the output lines in `range` that are of one image.
    fn glances(&self, lines: &[f64], image: usize, range: &Range<usize>) -> Vec<Glance> {
        let [across0, across1, _] = self.output;
        let first = image * across0 * across1;
        let mut glances = Vec::new();
        let end = range.end.min(first + across0 * across1);
        let ours = range.start.max(first).min(end)..end;
        for (line, coefficient) in ours.clone().zip(&lines[ours]) {
            let (o0, o1) = ((line - first) / across1, (line - first) % across1);
            for offset in 0..self.kernel[0] * self.kernel[1] {
                let (k0, k1) = (offset / self.kernel[1], offset % self.kernel[1]);
                let source = self.source(0, o0, k0).zip(self.source(1, o1, k1));
                glances.extend(source.map(|(i0, i1)| Glance {
                    coefficient: *coefficient,
                    offset,
                    at: (i0 * self.input[1] + i1) * self.input[2],
                }));
            }
        }
        glances
    }
}
