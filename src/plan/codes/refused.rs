//! Why a code that is written down is none, and what to write instead.

use std::fmt;

use super::FormFile;
use crate::code::Lt;

/// Why there is no such code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What of it is at fault, if one field alone is.
    pub field: Option<&'static str>,
    pub message: String,
    pub fix: String,
}

impl Refused {
    pub(in crate::plan) fn field(
        field: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { field: Some(field), message: message.into(), fix: fix.into() }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.fix)
    }
}

pub(super) fn check_cells(cells: Option<usize>) -> Result<(), Refused> {
    match cells {
        Some(cells) if !(1..=1024).contains(&cells) => {
            let message = format!("no source is cut in {cells} cells");
            Err(Refused::field("cells", message, "choose 1 ≤ cells ≤ 1024"))
        }
        _ => Ok(()),
    }
}

pub(super) fn check_lt(
    (n, k): (usize, usize),
    blocks: usize,
    form: FormFile,
) -> Result<(), Refused> {
    let most = (Lt::MOST_SOURCES / k).min(Lt::MOST_SHARES / n);
    if blocks == 0 || blocks > most {
        let message = format!("no device sends {blocks} blocks where n = {n} and k = {k}");
        let fix = match most {
            0 => "choose smaller n and k: k · blocks ≤ 256 and n · blocks ≤ 512".to_owned(),
            _ => format!("choose 1 ≤ blocks ≤ {most}: k · blocks ≤ 256 and n · blocks ≤ 512"),
        };
        return Err(Refused::field("blocks", message, fix));
    }
    if form == FormFile::Mixed && n == k {
        let message = format!("{n} hands of sums alone may not tell {k} sources");
        return Err(Refused::field("form", message, "choose n > k, or form: Systematic"));
    }
    Ok(())
}

pub(super) fn check_power_of_two(n: usize) -> Result<(), Refused> {
    match n.is_power_of_two() {
        true => Ok(()),
        false => {
            let message = format!("n = {n} is no power of two");
            Err(Refused::field("n", message, format!("choose n = {}", n.next_power_of_two())))
        }
    }
}
