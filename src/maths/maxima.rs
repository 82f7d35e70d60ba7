//! Maxima over windows of a map: down its columns first, then along the line that gives.

use std::ops::Range;

use super::fetch::fetch;
use super::registers::{load, store};
use pulp::{Arch, Simd, WithSimd};

/// Windows along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub input: usize,
    pub output: usize,
    pub kernel: usize,
    pub stride: usize,
    /// Before the first input.
    pub pad: usize,
}

impl Window {
    /// What the window of an output position sees.
    fn range(&self, output: usize) -> Range<usize> {
        let start = output * self.stride;
        start.saturating_sub(self.pad)
            ..(start + self.kernel).saturating_sub(self.pad).min(self.input)
    }

    /// Whether no window is in padding alone.
    pub fn sees_something(&self) -> bool {
        (0..self.output).all(|output| !self.range(output).is_empty())
    }
}

/// Windows over maps of so many lines and places a line, and room to look through them.
#[derive(Clone, Debug)]
pub struct Maxima {
    lines: Window,
    places: Window,
    /// The maxima of columns, with the padding of the line, below every number.
    tallest: Vec<f32>,
    /// Those of windows, at all places.
    widest: Vec<f32>,
}

impl Maxima {
    pub fn new(lines: Window, places: Window) -> Self {
        let reach = (places.output.max(1) - 1) * places.stride + places.kernel;
        let len = reach.max(places.pad + places.input) + MOST_LANES;
        let line = |len| vec![f32::NEG_INFINITY; len];
        let (tallest, widest) = (line(len + places.kernel + MOST_LANES), line(len));
        Self { lines, places, tallest, widest }
    }

    /// Puts the maxima of one map into `y`. Whether NaN counts as nothing is the machine's: on x86 it does.
    ///
    /// # Panics
    /// If `x` is no map of these lines and places, or `y` has not as many as there are windows.
    pub fn put(&mut self, x: &[f32], y: &mut [f32]) {
        assert_eq!(x.len(), self.lines.input * self.places.input, "a map");
        assert_eq!(y.len(), self.lines.output * self.places.output, "a number a window");
        Arch::new().dispatch(Map { maxima: self, x, y });
    }
}

struct Map<'x> {
    maxima: &'x mut Maxima,
    x: &'x [f32],
    y: &'x mut [f32],
}

impl WithSimd for Map<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { maxima, x, y } = self;
        let Maxima { lines, places, tallest, widest } = maxima;
        for (output, y) in y.chunks_exact_mut(places.output.max(1)).enumerate() {
            let seen = lines.range(output);
            let after = &x[places.input * lines.input.min(seen.start + 2 * lines.stride)..];
            let seen = &x[seen.start * places.input..seen.end * places.input];
            down(simd, seen, after, &mut tallest[places.pad..][..places.input]);
            along(simd, tallest, places.kernel, widest);
            if places.stride == 1 {
                y.copy_from_slice(&widest[..places.output]);
            } else {
                pick(widest, places.stride, y);
            }
        }
    }
}

/// The maxima of each column of some lines. Has the memory bring what follows: lines are too short for it to
/// guess that several are read side by side.
#[inline(always)]
fn down<S: Simd>(simd: S, lines: &[f32], after: &[f32], tallest: &mut [f32]) {
    let width = tallest.len();
    for at in (0..width).step_by(S::F32_LANES) {
        let mut most = simd.splat_f32s(f32::NEG_INFINITY);
        let mut place = at;
        while place < lines.len() {
            let end = place - at + width;
            most = simd.max_f32s(load(simd, &lines[place..end]), most);
            fetch(after, place);
            place += width;
        }
        store(simd, &mut tallest[at..], most);
    }
}

/// The maxima of so many neighbours, wherever they begin.
#[inline(always)]
fn along<S: Simd>(simd: S, line: &[f32], neighbours: usize, widest: &mut [f32]) {
    let (widest, _) = S::as_mut_simd_f32s(widest);
    for (at, to) in widest.iter_mut().enumerate() {
        let line = &line[at * S::F32_LANES..];
        let mut most = load(simd, line);
        for offset in 1..neighbours {
            most = simd.max_f32s(load(simd, &line[offset..]), most);
        }
        *to = most;
    }
}

/// One of so many.
#[inline(always)]
fn pick(widest: &[f32], stride: usize, picked: &mut [f32]) {
    if stride == 2 {
        // As nearly everybody has it: then they are picked side by side.
        let (pairs, _) = widest.as_chunks::<2>();
        for (y, [x, _]) in picked.iter_mut().zip(pairs) {
            *y = *x;
        }
    } else {
        let windows = widest.iter().step_by(stride);
        picked.iter_mut().zip(windows).for_each(|(y, x)| *y = *x);
    }
}

/// Of any machine.
const MOST_LANES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window() -> impl Strategy<Value = Window> {
        (1usize..5, 1usize..4, 0usize..4, 1usize..60).prop_flat_map(
            |(kernel, stride, pad, input)| {
                let most = (input + 2 * pad).saturating_sub(kernel) / stride + 1;
                (1..=most).prop_map(move |output| Window { input, output, kernel, stride, pad })
            },
        )
    }

    proptest! {
        #[test]
        fn each_output_is_the_largest_that_its_window_sees(
            lines in window(), places in window(),
            numbers in proptest::collection::vec(-9.0f32..9.0, 3600),
        ) {
            prop_assume!(lines.sees_something() && places.sees_something());
            let x = &numbers[..lines.input * places.input];
            let mut y = vec![f32::NAN; lines.output * places.output];
            Maxima::new(lines, places).put(x, &mut y);
            for (at, y) in y.iter().enumerate() {
                let (line, place) = (at / places.output, at % places.output);
                let seen = lines.range(line).flat_map(|line| {
                    places.range(place).map(move |place| x[line * places.input + place])
                });
                prop_assert_eq!(Some(*y), seen.max_by(f32::total_cmp));
            }
        }
    }
}
