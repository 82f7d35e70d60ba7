//! Quantities as text: read as people write them, printed the same way, and counted in traces.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::{Bandwidth, Bytes, Flops, Span, Speed, Time};

const SPANS: &[(&str, f64)] =
    &[("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("min", 60e9), ("h", 3600e9)];
const SIZES: &[(&str, f64)] = &[
    ("B", 1.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
];
const WORKS: &[(&str, f64)] = &[("FLOP", 1.0), ("kFLOP", 1e3), ("MFLOP", 1e6), ("GFLOP", 1e9)];
const SPEEDS: &[(&str, f64)] =
    &[("kFLOP/s", 1e3), ("MFLOP/s", 1e6), ("GFLOP/s", 1e9), ("TFLOP/s", 1e12)];
const RATES: &[(&str, f64)] = &[
    ("bit/s", 0.125),
    ("kbit/s", 125.0),
    ("Mbit/s", 125e3),
    ("Gbit/s", 125e6),
    ("B/s", 1.0),
    ("kB/s", 1e3),
    ("MB/s", 1e6),
    ("GB/s", 1e9),
];

/// Reads `"20ms"` against a table of units; the value in the table's base unit.
fn quantity(text: &str, what: &str, units: &[(&str, f64)]) -> Result<f64, String> {
    let text = text.trim();
    let split = text
        .char_indices()
        .find(|(_, c)| !c.is_ascii_digit() && *c != '.')
        .map_or(text.len(), |(at, _)| at);
    let (number, unit) = (&text[..split], text[split..].trim());
    let shown: String = text.chars().take(40).flat_map(char::escape_debug).collect();
    let known = || units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let factor =
        units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor).ok_or_else(
            || format!("\"{shown}\" is not {what}: write a number and one of {}", known()),
        )?;
    let number: f64 = number.parse().map_err(|_| {
        format!("\"{shown}\" is not {what}: write a number before the unit, as in \"20{unit}\"")
    })?;
    Ok(number * factor)
}

/// A quantity that is written as text: how it is read, and the units it knows.
macro_rules! written {
    ($type:ident, $what:literal, $units:expr, $make:expr) => {
        impl std::str::FromStr for $type {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                #[allow(clippy::redundant_closure_call)]
                quantity(text, $what, $units).map($make)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    };
}
written!(Time, "a moment", SPANS, |v| Self(v.round() as u64));
written!(Span, "a length of time", SPANS, |v| Self(v.round() as u64));
written!(Bytes, "a size", SIZES, |v| Self(v.round() as u64));
written!(Flops, "an amount of work", WORKS, |v| Self(v.round() as u64));
written!(Speed, "a computing speed", SPEEDS, Self);
written!(Bandwidth, "a transfer rate", RATES, Self);

/// A quantity that a trace says as a bare number, for `#[serde(deserialize_with)]`.
macro_rules! counted {
    ($($type:ident)*) => {$(
        impl $type {
            /// Reads what its `Serialize` writes.
            pub fn counted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                u64::deserialize(deserializer).map(Self)
            }

            /// The same, where there may be none.
            pub fn counted_if_any<'de, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Option<Self>, D::Error> {
                Option::<u64>::deserialize(deserializer).map(|count| count.map(Self))
            }
        }
    )*};
}
counted!(Time Span Bytes);

/// Prints three significant digits in the largest unit that leaves at least one before the point.
fn scaled(f: &mut fmt::Formatter<'_>, value: f64, units: &[(f64, &str)]) -> fmt::Result {
    let (factor, unit) =
        units.iter().copied().find(|(factor, _)| value >= *factor).unwrap_or((1.0, ""));
    let unit = if unit.is_empty() { units.last().map_or("", |last| last.1) } else { unit };
    let value = value / factor;
    let digits = if value >= 100.0 || value.fract() == 0.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    write!(f, "{value:.digits$} {unit}")
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scaled(f, self.0 as f64, &[(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")])
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} ms", self.as_millis())
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scaled(f, self.0 as f64, &[(1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")])
    }
}

impl fmt::Display for Flops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1e9, "GFLOP"), (1e6, "MFLOP"), (1e3, "kFLOP"), (1.0, "FLOP")];
        scaled(f, self.0 as f64, &units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_people_write_them() {
        assert_eq!("20ms".parse(), Ok(Span(20_000_000)));
        assert_eq!("1.5 s".parse(), Ok(Span(1_500_000_000)));
        assert_eq!("94.1Mbit/s".parse(), Ok(Bandwidth(11_762_500.0)));
        assert_eq!("1GiB".parse(), Ok(Bytes(1 << 30)));
        assert_eq!("5GFLOP/s".parse(), Ok(Speed(5e9)));
    }

    #[test]
    fn a_quantity_without_a_unit_is_refused_and_the_units_are_named() {
        let refusal = "20".parse::<Span>().expect_err("20 of what?");
        assert!(refusal.contains("a length of time") && refusal.contains("ms"), "{refusal}");
        assert!("ms".parse::<Span>().is_err(), "a unit alone is no span");
        assert!("-3ms".parse::<Span>().is_err(), "time does not run backwards");
    }

    #[test]
    fn quantities_print_with_three_digits_and_a_unit() {
        assert_eq!(Span(1_234_567).to_string(), "1.23 ms");
        assert_eq!(Span(0).to_string(), "0 ns");
        assert_eq!(Bytes(248_444).to_string(), "248 kB");
        assert_eq!(Flops(12_000_000).to_string(), "12 MFLOP");
    }
}
