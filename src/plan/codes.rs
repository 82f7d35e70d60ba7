//! The codes that a topology can name: one line each.

mod refused;

use std::fmt;
use std::sync::Arc;

pub use refused::Refused;
use refused::{check_cells, check_lt, check_power_of_two};
use ron::extensions::Extensions;
use serde::Deserialize;

use super::batch::{Curves, MOST_DEVICES, PlacementFile, SmoothingFile};
use crate::code::{
    Chebyshev, Code, Form, Gaussian, Lt, Mds, Parity, Polar, Replication, Rotation, ShiftAdd,
    Uncoded, Vandermonde,
};

/// The codes of the file, a line each: its words, its n and k, the most shares it may have, and what it
/// is; what else must hold is after `checked by`.
macro_rules! codes {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* }
        is ($n:expr, $k:expr) up to $most:expr $(, checked by $check:expr)? => $code:expr;
    )*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
        #[serde(rename = "Code", deny_unknown_fields)]
        pub enum CodeFile {
            $($(#[$doc])* $name { $($(#[$field_doc])* $field: $type),* },)*
        }

        impl CodeFile {
            /// n and k as they are written: they need not make sense.
            pub fn size(self) -> (usize, usize) {
                #[allow(unused_variables, reason = "not every field is about the size")]
                match self {
                    $(Self::$name { $($field),* } => ($n, $k),)*
                }
            }

            /// What the words mean.
            ///
            /// # Errors
            /// If there is no such code.
            pub fn code(self) -> Result<Arc<dyn Code>, Refused> {
                let (n, k) = self.size();
                match self {
                    $(Self::$name { $($field),* } => {
                        if k == 0 || k > n || n > $most {
                            let message = format!("no code has n = {n} shares of k = {k} sources");
                            let fix = format!("choose 1 ≤ k ≤ n ≤ {}", $most);
                            return Err(Refused { field: None, message, fix });
                        }
                        $($check?;)?
                        Ok(Arc::new($code))
                    })*
                }
            }
        }

        impl fmt::Display for CodeFile {
            /// As a topology writes it.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {
                    $(Self::$name { $($field),* } => {
                        let fields = [$(format!("{}: {:?}", stringify!($field), $field)),*];
                        write!(f, "{}({})", stringify!($name), fields.join(", "))
                    })*
                }
            }
        }
    };
}

/// The codes, and behind them the curves through the inputs of a batch, which have all but their smoothing in
/// common.
macro_rules! codes_and_curves {
    (
        { $($codes:tt)* }
        $(
            $(#[$doc:meta])*
            $name:ident { $($(#[$own_doc:meta])* $own:ident: $type:ty),* }
            smoothed by $smoothing:expr;
        )*
    ) => {
        codes! {
            $($codes)*
            $(
                $(#[$doc])*
                $name {
                    n: usize,
                    k: usize,
                    /// So many devices are not waited for; as many as leave k replies if nothing is said.
                    #[serde(default)]
                    silent: Option<usize>,
                    /// Up to so many lies are looked for in each round.
                    #[serde(default)]
                    lies: usize,
                    #[serde(default)]
                    devices: PlacementFile
                    $(, $(#[$own_doc])* $own: $type)*
                } is (n, k) up to MOST_DEVICES,
                    checked by Curves::new((n, k), silent, lies, devices, $smoothing).check()
                    => Curves::new((n, k), silent, lies, devices, $smoothing).full();
            )*
        }

        impl CodeFile {
            /// What it is, if it is over inputs; it need not make sense.
            pub(super) fn curves(self) -> Option<Curves> {
                $(if let Self::$name { n, k, silent, lies, devices $(, $own)* } = self {
                    return Some(Curves::new((n, k), silent, lies, devices, $smoothing));
                })*
                None
            }
        }
    };
}

codes_and_curves! {
    {
        /// k sources, no redundancy.
        Uncoded { k: usize } is (k, k) up to MOST_COPIES => Uncoded::new(k);
        /// Copies: share i is source i mod k.
        Replication { n: usize, k: usize } is (n, k) up to MOST_COPIES => Replication::new(n, k);
        /// k sources and their sum.
        Parity { k: usize } is (k.saturating_add(1), k) up to MOST_SHARES => Parity::new(k);
        /// Any k of n.
        Mds { n: usize, k: usize } is (n, k) up to Mds::MOST_SHARES => Mds::new(n, k);
        /// Polynomials at Chebyshev points.
        Chebyshev { n: usize, k: usize } is (n, k) up to 64 => Chebyshev::new(n, k);
        /// Polynomials at roots of unity, as rotations.
        Rotation { n: usize, k: usize } is (n, k) up to 64 => Rotation::new(n, k);
        /// The sources and random sums of them.
        Gaussian { n: usize, k: usize } is (n, k) up to 64 => Gaussian::new(n, k);
        /// Polynomials at 1 … n: the baseline that is badly conditioned.
        Vandermonde { n: usize, k: usize } is (n, k) up to Vandermonde::MOST_SHARES
            => Vandermonde::new(n, k);
        /// Sums of shifted sources, decoded by peeling.
        ShiftAdd {
            n: usize,
            k: usize,
            /// Into how many cells a source is cut; as many as are safe if nothing is said.
            #[serde(default)]
            cells: Option<usize>,
            #[serde(default)]
            form: FormFile
        } is (n, k) up to 32, checked by check_cells(cells)
            => ShiftAdd::new(n, k, cells, form.into());
        /// Rateless: what a straggler has finished counts; not any k of n.
        Lt {
            n: usize,
            k: usize,
            /// Into how many row blocks a share is cut, each sent as it is done; fewer where a layer has
            /// too few rows.
            #[serde(default = "blocks")]
            blocks: usize,
            /// Whether devices begin with row blocks as they are.
            #[serde(default)]
            form: FormFile
        } is (n, k) up to Lt::MOST_SHARES, checked by check_lt((n, k), blocks, form)
            => Lt::new(n, k, blocks, form.into());
        /// Butterflies of sums; not any k of n.
        Polar { n: usize, k: usize } is (n, k) up to Polar::MOST_SHARES,
            checked by check_power_of_two(n) => Polar::new(n, k);
    }
    /// The inputs of a batch on a rational curve: approximate.
    Berrut {} smoothed by None;
    /// The inputs of a batch on a cubic smoothing spline: approximate.
    Spline {
        /// λ_enc and λ_dec: how much the curves are smoothed.
        #[serde(default)]
        before: SmoothingFile,
        #[serde(default)]
        after: SmoothingFile
    } smoothed by Some([before, after]);
}

impl CodeFile {
    /// A code as it is written in a topology, or for short `Mds(5, 4)`: n and k, or k alone.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let options = ron::Options::default().with_default_extension(Extensions::IMPLICIT_SOME);
        let named =
            |text: &str| options.from_str::<Self>(text).map_err(|error| error.code.to_string());
        let Some((name, sizes)) = text.trim_end_matches(')').split_once('(') else {
            return named(text);
        };
        let sizes: Vec<&str> = sizes.split(',').map(str::trim).collect();
        let is_short = sizes.iter().all(|size| size.parse::<usize>().is_ok());
        let code = match sizes[..] {
            [k] if is_short => named(&format!("{name}(k: {k})")),
            [n, k] if is_short => named(&format!("{name}(n: {n}, k: {k})")),
            _ => named(text),
        }?;
        code.code().map(|_| code).map_err(|refused| refused.to_string())
    }
}

/// Each costs a message of its own; with fewer there are more left over to wait for.
fn blocks() -> usize {
    16
}

/// A typing error should not fill the memory.
const MOST_SHARES: usize = 1024;
/// Nothing is solved for copies, and fleets may be as large.
const MOST_COPIES: usize = 100_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename = "Form")]
pub enum FormFile {
    #[default]
    Systematic,
    Mixed,
}

impl From<FormFile> for Form {
    fn from(form: FormFile) -> Self {
        match form {
            FormFile::Systematic => Self::Systematic,
            FormFile::Mixed => Self::Mixed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_it_is_written() {
        let (n, k) = (8, 4);
        let shift_add = |cells, form| CodeFile::ShiftAdd { n, k, cells, form };
        let (silent, lies, devices) = (Some(2), 1, PlacementFile::Spread);
        let spline =
            |before, after| CodeFile::Spline { n, k, silent, lies, devices, before, after };
        let codes = [
            CodeFile::Uncoded { k },
            CodeFile::Replication { n, k },
            CodeFile::Parity { k },
            CodeFile::Mds { n, k },
            CodeFile::Gaussian { n, k },
            shift_add(None, FormFile::Systematic),
            shift_add(Some(16), FormFile::Mixed),
            CodeFile::Polar { n, k },
            CodeFile::Lt { n, k, blocks: 8, form: FormFile::Mixed },
            spline(SmoothingFile::Given(0.0), SmoothingFile::Given(1e-6)),
            spline(SmoothingFile::CrossValidated, SmoothingFile::CrossValidated),
        ];
        for code in codes {
            assert_eq!(CodeFile::parse(&code.to_string()), Ok(code));
        }
        assert_eq!(CodeFile::Mds { n, k }.to_string(), "Mds(n: 8, k: 4)");
    }
}
