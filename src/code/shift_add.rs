//! Shift-and-add codes with zigzag decoding ("SAZD"): Dai, Zheng, Zhang, Wang, Lin, *SAZD: a low
//! computational load coded distributed computing framework for IoT systems* (IEEE IoT-J 2020); the
//! code is Sung and Gong's (*A ZigZag-decodable code with the MDS property*, 2013).
//!
//! A share is a sum of sources shifted against each other by different numbers of cells:
//! `Y_n[i] = Σ_k X_k[i − t_nk]`, additions only. The ends of a share stick out, so some cell of some
//! share holds one unknown alone; taking that out of all shares leaves the next one alone, and so on.
//!
//! **What this costs.** Each cell carries the rounding errors of those before it: the condition number
//! grows as a power of the number of cells, the faster the more sources are erased. A source cut in
//! fewer, higher cells is safer, but its shares stick out by more rows. [`Code::fitted`] cuts as finely
//! as the policy's worst condition number allows. The systematic form is benign, for only erased
//! sources take part; prefer it.

use std::sync::Arc;

use super::peeling::Peeling;
use super::survey::worst_condition;
use super::{Arrived, Code, Decoder, Encoder, Mixture, NotYet};

/// (n, k) with sources of so many cells.
#[derive(Debug)]
pub struct ShiftAdd {
    form: Form,
    encoder: Encoder,
    /// Whether the number of cells is to be chosen by [`Code::fitted`].
    is_free: bool,
}

/// Whether the sources themselves are among the shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Systematic,
    /// All shares are sums.
    Mixed,
}

impl ShiftAdd {
    /// With `cells` of `None` as many as [`Code::fitted`] finds safe.
    pub fn new(n: usize, k: usize, cells: Option<usize>, form: Form) -> Self {
        let (is_free, cells) = (cells.is_none(), cells.unwrap_or(DEFAULT_CELLS));
        let copy = |source: usize| (0..cells).map(|c| vec![(source * cells + c, 1.0)]).collect();
        let mut shares: Vec<Vec<Mixture>> = match form {
            Form::Systematic => (0..k).map(copy).collect(),
            Form::Mixed => Vec::new(),
        };
        let sums = n - shares.len();
        shares.extend((0..sums).map(|sum| shifted(slope(sum, sums), k, cells)));
        Self { form, encoder: Encoder::of_cells(k, cells, shares), is_free }
    }
}

/// More cells are never chosen: what the ends of the shares cost is little by then.
const MOST_CELLS: usize = 64;

const DEFAULT_CELLS: usize = 16;

/// By how many cells each source is shifted against the one before. Differences of slopes are what makes
/// any k shares decodable (the increasing difference property); centred on 0 the ends are shortest.
fn slope(sum: usize, sums: usize) -> isize {
    sum as isize - (sums / 2) as isize
}

/// The cells of one sum: source j shifted by `slope · j`, the least shift being none.
fn shifted(slope: isize, k: usize, cells: usize) -> Vec<Mixture> {
    let steps = slope.unsigned_abs();
    let mut share = vec![Vec::new(); cells + steps * (k - 1)];
    for source in 0..k {
        let shift = steps * if slope < 0 { k - 1 - source } else { source };
        (0..cells).for_each(|c| share[shift + c].push((source * cells + c, 1.0)));
    }
    share
}

impl Code for ShiftAdd {
    fn name(&self) -> String {
        let (n, k, cells) = (self.shares(), self.sources(), self.encoder.cells());
        match self.form {
            Form::Systematic => format!("ShiftAdd({n}, {k}) in {cells}"),
            Form::Mixed => format!("ShiftAdd({n}, {k}, mixed) in {cells}"),
        }
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    fn tolerates(&self) -> usize {
        self.shares() - self.sources()
    }

    fn decoder(&self, arrived: &Arrived) -> Result<Decoder, NotYet> {
        let mut plain = vec![None; self.sources()];
        let mut sums = Vec::new();
        for share in arrived.iter().copied() {
            match self.plain(share) {
                Some(source) => plain[source] = Some(share),
                None => sums.push(share),
            }
        }
        let erased = plain.iter().filter(|share| share.is_none()).count();
        if sums.len() < erased {
            return Err(NotYet { missing: erased - sums.len() });
        }
        if erased == 0 {
            return Ok(Decoder::plain(self.encoder.cells(), plain.into_iter().flatten()));
        }
        let mut peeling = Peeling::new(&self.encoder, &plain, &sums[..erased]);
        peeling.run();
        Ok(peeling.decoder().expect("sums of increasing differences leave some cell alone"))
    }

    /// As many cells as are safe when all n − k shares are lost, of one row at least; as many as
    /// were asked for, if a number was.
    fn fitted(&self, rows: usize, worst: f64) -> Option<Arc<dyn Code>> {
        let (n, k, form) = (self.shares(), self.sources(), self.form);
        let rows = rows.div_ceil(k);
        if !self.is_free {
            let cells = self.encoder.cells().min(rows);
            return Some(Arc::new(Self::new(n, k, Some(cells), form)));
        }
        let finer = std::iter::successors(Some(rows.min(MOST_CELLS)), |cells| Some(cells / 2));
        let with = |cells| Self::new(n, k, Some(cells), form);
        let safe = |code: &Self| worst_condition(code, n - k) <= worst;
        let mut codes = finer.take_while(|cells| *cells > 0).map(with);
        let code = codes.find(safe).unwrap_or_else(|| with(1));
        Some(Arc::new(code))
    }
}
