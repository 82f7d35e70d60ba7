//! What a topology says of the curves of a batch: `Berrut` and `Spline`, with what stands in them.

use std::fmt;

use ron::value::RawValue;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::code::{Berrut, Curve, Estimator, Placement, Smoothing, Spline};
use crate::plan::codes::{CodeFile, Refused};

/// Where on the curve devices stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename = "Placement")]
pub enum PlacementFile {
    /// One at each input, whose result then needs no estimate.
    #[default]
    AtInputs,
    /// As published: none.
    Spread,
}

/// λ: a number, or `CrossValidated`.
#[derive(Clone, Copy, PartialEq)]
pub enum SmoothingFile {
    Given(f64),
    /// Of the results: by which they are best foretold from each other, batch by batch. Of the inputs: the
    /// one with which sample inputs are answered best.
    CrossValidated,
}

impl Default for SmoothingFile {
    fn default() -> Self {
        Self::Given(0.0)
    }
}

impl fmt::Debug for SmoothingFile {
    /// As a topology writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(lambda) => write!(f, "{lambda:?}"),
            Self::CrossValidated => write!(f, "CrossValidated"),
        }
    }
}

impl<'de> Deserialize<'de> for SmoothingFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        enum Word {
            CrossValidated,
        }
        let written = Box::<RawValue>::deserialize(deserializer)?;
        if let Ok(Word::CrossValidated) = written.into_rust() {
            return Ok(Self::CrossValidated);
        }
        let refuse = |_| {
            let written = written.get_ron().trim();
            D::Error::custom(format!("`{written}` is neither a number nor `CrossValidated`"))
        };
        written.into_rust().map(Self::Given).map_err(refuse)
    }
}

/// The codes that one entry stands for: of the same kind and devices, for batches of any size up to k.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::plan) struct Curves {
    pub(super) n: usize,
    pub(super) k: usize,
    /// How many are not waited for, and whether that was left open.
    pub(super) silent: usize,
    pub(super) silent_by_default: bool,
    lies: usize,
    placement: Placement,
    /// λ_enc and λ_dec, of splines.
    pub(super) spline: Option<[SmoothingFile; 2]>,
}

impl Curves {
    pub(in crate::plan) fn new(
        (n, k): (usize, usize),
        silent: Option<usize>,
        lies: usize,
        devices: PlacementFile,
        spline: Option<[SmoothingFile; 2]>,
    ) -> Self {
        let placement = match devices {
            PlacementFile::AtInputs => Placement::AtInputs,
            PlacementFile::Spread => Placement::Spread,
        };
        let silent_by_default = silent.is_none();
        let silent = silent.unwrap_or(n.saturating_sub(k.saturating_add(lies)));
        Self { n, k, silent, silent_by_default, lies, placement, spline }
    }

    /// Whether there can be such codes: what is wrong with the entry, and in which field.
    pub(in crate::plan) fn check(&self) -> Result<(), Refused> {
        let Self { n, silent, lies, .. } = *self;
        let left = n.saturating_sub(silent.saturating_add(lies));
        let field = if self.silent_by_default { "lies" } else { "silent" };
        if left == 0 {
            let message =
                format!("with {silent} silent and {lies} lying, none of {n} replies is left");
            return Err(Refused::field(field, message, "leave replies enough: silent + lies < n"));
        }
        if lies > 0 && left < 3 {
            let message =
                format!("with {silent} silent and {lies} lying, {left} of {n} replies are left");
            let fix = "leave 3 replies: fewer cannot say that another lies";
            return Err(Refused::field(field, message, fix));
        }
        let fields = ["before", "after"].into_iter().zip(self.spline.into_iter().flatten());
        fields.into_iter().try_for_each(|(field, smoothing)| match smoothing {
            SmoothingFile::Given(lambda) if !(0.0..=MOST_SMOOTHING).contains(&lambda) => {
                let fix = format!("give a number from 0 to {MOST_SMOOTHING}, or CrossValidated");
                Err(Refused::field(field, format!("no curve is smoothed by {lambda:?}"), fix))
            }
            SmoothingFile::Given(_) | SmoothingFile::CrossValidated => Ok(()),
        })
    }

    /// The code for a full batch.
    ///
    /// # Panics
    /// If there can be none.
    pub(in crate::plan) fn full(&self) -> Estimator {
        self.estimator(self.k)
    }

    /// The code for so many requests.
    ///
    /// # Panics
    /// Like [`Self::full`]; or if they are none, or more than k.
    pub(super) fn estimator(&self, requests: usize) -> Estimator {
        assert!((1..=self.k).contains(&requests), "a batch of 1 to k requests");
        let (n, placement) = (self.n, self.placement);
        let curve: Box<dyn Curve> = match self.spline {
            None => Box::new(Berrut::new(n, requests, placement)),
            Some([before, after]) => {
                let before = match before {
                    SmoothingFile::Given(lambda) => lambda,
                    // Nothing is known yet of what is to be computed.
                    SmoothingFile::CrossValidated => 0.0,
                };
                let after = match after {
                    SmoothingFile::Given(lambda) => Smoothing::Given(lambda),
                    SmoothingFile::CrossValidated => Smoothing::CrossValidated,
                };
                Box::new(Spline::new(n, requests, placement, before, after))
            }
        };
        Estimator::new(curve, self.silent, self.lies)
    }

    /// What λ_enc and λ_dec are, for people.
    pub(super) fn smoothing(&self) -> Option<String> {
        let [before, after] = self.spline?;
        let zero = SmoothingFile::Given(0.0);
        ([before, after] != [zero; 2]).then(|| {
            let after = match after {
                SmoothingFile::Given(lambda) => format!("λ_dec is {lambda:?}"),
                SmoothingFile::CrossValidated => {
                    "λ_dec is chosen for each batch, by foretelling its results from each other"
                        .to_owned()
                }
            };
            format!("λ_enc is {before:?}, {after}")
        })
    }
}

/// From about 1 on a curve from −1 to 1 is a line, and far beyond numbers lose their digits.
const MOST_SMOOTHING: f64 = 1000.0;

impl CodeFile {
    /// Whether it codes the inputs of a batch, and not weights.
    pub fn is_for_batches(self) -> bool {
        self.curves().is_some()
    }
}
