//! Tiles of a map: how large they are, where they lie, and how many are worth seeing at a time.

use crate::maths::room::CACHE_LINE;

/// How many outputs a tile gives, down and across.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Two,
    Four,
}

impl Size {
    pub fn outputs(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    /// How many inputs it looks at, down or across.
    pub fn side(self) -> usize {
        self.outputs() + 2
    }

    /// In how many output lines, from the first of a map on, what any of them sees is rounded together. In
    /// small tiles what an output does not see cancels without a rest.
    pub fn lines_mixed(self) -> usize {
        match self {
            Self::Two => 1,
            Self::Four => self.outputs(),
        }
    }

    /// How many in all.
    pub fn places(self) -> usize {
        self.side() * self.side()
    }
}

/// Where the tiles of a map lie: what all of them have at one place is a line, as in
/// [`product_of_lines`](crate::maths::lines::product_of_lines).
#[derive(Clone, Debug)]
pub struct Tiles {
    pub size: Size,
    /// Where the line of each place begins in its channel's map.
    pub starts: Vec<usize>,
    /// From one channel's map to the next one's.
    pub map: usize,
    /// Tiles below each other, and beside each other.
    pub count: [usize; 2],
    /// From one tile to the one below it: what a line shows beyond `count` is no tile.
    pub line: usize,
}

impl Tiles {
    /// How many columns their lines have, all of them together, and so many more that the next line begins on
    /// a cache line if this one does.
    pub fn columns(&self) -> usize {
        ((self.count[0] - 1) * self.line + self.count[1]).next_multiple_of(CACHE_LINE)
    }

    /// How many numbers of a map they look at, with all between.
    pub(super) fn reach(&self) -> usize {
        let last = self.starts.iter().max().copied().unwrap_or(0);
        last + (self.count[0] - 1) * self.line + self.count[1]
    }

    /// How long it takes to multiply with one number of a kernel, in multiplications.
    pub fn cost(&self) -> usize {
        self.size.places() * (self.columns() + READING)
    }

    /// Whether all of so many channels are better seen at a time, and once for all who compute.
    pub fn are_few(&self, channels: usize) -> bool {
        self.seen(channels) <= FEW
    }

    /// How many numbers are seen of them.
    pub fn seen(&self, channels: usize) -> usize {
        self.size.places() * self.place(channels)
    }

    /// How many are seen at one place, and some more: places a power of two from each other would all want
    /// the same few lines of a cache.
    pub(super) fn place(&self, channels: usize) -> usize {
        channels * self.columns() + CACHE_LINE
    }

    /// In how many parts, one below the other, they are seen.
    pub(super) fn bands(&self, channels: usize) -> usize {
        let numbers = AT_ONCE / (self.size.places() * channels * self.line);
        let most = numbers.max(LEAST_COLUMNS / self.line);
        self.count[0].div_ceil(most.clamp(1, self.count[0]))
    }
}

/// So many numbers are seen at a time: they stay in the caches while they are multiplied.
const AT_ONCE: usize = 1 << 18;

/// But so many columns at least: each time all kernels are read.
const LEAST_COLUMNS: usize = 128;

/// So many are seen once for all: of more, reading what was seen takes as long as to see it anew.
const FEW: usize = 1 << 21;

/// To bring a number of a kernel from memory takes as long as so many multiplications.
const READING: usize = 24;
