//! Quantities and names every room shares: moments, spans, sizes, speeds and ids.
//!
//! They are read from text as people write them ("20ms", "94Mbit/s") and print the same way.
//! Nothing here knows what a device or a layer is.

mod written;

use std::ops::{Add, AddAssign, Mul, Sub};

use serde::{Deserialize, Serialize};

/// A moment: nanoseconds since the run began, when the fleet was deployed and ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Time(pub u64);

/// A length of time, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Span(pub u64);

/// A size in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Bytes(pub u64);

/// Work in floating-point operations; a multiply-add counts as two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Flops(pub u64);

/// Computing speed in floating-point operations a second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Speed(pub f64);

/// A transfer rate in bytes a second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Bandwidth(pub f64);

impl Span {
    pub const ZERO: Self = Self(0);

    /// The span of so many seconds, rounded to the nanosecond; negative or NaN counts as zero.
    pub fn from_secs(seconds: f64) -> Self {
        Self(nearest(seconds * 1e9))
    }

    pub fn from_millis(milliseconds: f64) -> Self {
        Self::from_secs(milliseconds / 1e3)
    }

    pub fn as_secs(self) -> f64 {
        self.0 as f64 / 1e9
    }

    pub fn as_millis(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

/// The nearest whole number, halves up; below zero and NaN it is zero. `f64::round` calls the C library.
fn nearest(x: f64) -> u64 {
    let whole = x as u64;
    whole.saturating_add(u64::from(x - whole as f64 >= 0.5))
}

impl Time {
    pub const ZERO: Self = Self(0);

    pub fn as_millis(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl Add<Span> for Time {
    type Output = Self;
    /// Saturates: no run lasts 584 years.
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub for Time {
    type Output = Span;
    /// The span since an earlier moment; zero if that moment is later.
    fn sub(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Span {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Mul<f64> for Span {
    type Output = Self;
    fn mul(self, factor: f64) -> Self {
        Self(nearest(self.0 as f64 * factor))
    }
}

impl Add for Bytes {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Add for Flops {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Speed {
    /// How long so much work takes.
    pub fn time_for(self, work: Flops) -> Span {
        Span::from_secs(work.0 as f64 / self.0)
    }
}

impl Bandwidth {
    /// How long so many bytes take.
    pub fn time_for(self, size: Bytes) -> Span {
        Span::from_secs(size.0 as f64 / self.0)
    }
}

/// An index that cannot be mistaken for another kind of index.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub usize);
    };
}
id!(
    /// A device, by its place in the topology.
    DeviceId
);
id!(
    /// A request, by its place in the order of arrival.
    RequestId
);
id!(
    /// A stage, by its place in the plan.
    StageId
);
id!(
    /// A fault, by its place in the fault plan.
    FaultId
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_nearest_whole_number_is_what_rounding_gives(bits: u64, x in 0.0..1e17) {
            let any = f64::from_bits(bits);
            prop_assert_eq!(nearest(any), any.round() as u64, "{}", any);
            prop_assert_eq!(nearest(x), x.round() as u64, "{}", x);
            let half = x.floor() + 0.5;
            prop_assert_eq!(nearest(half), half.round() as u64, "{}", half);
        }
    }
}
