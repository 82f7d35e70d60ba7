//! Decoders depend on the arrival set alone, so each is solved once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Arrived, Code, Decoder, NotYet};

/// The decoders of one code, by arrival set.
#[derive(Debug)]
pub struct DecoderCache {
    code: Arc<dyn Code>,
    known: BTreeMap<Arrived, Result<Arc<Decoder>, NotYet>>,
}

impl DecoderCache {
    pub fn new(code: Arc<dyn Code>) -> Self {
        Self { code, known: BTreeMap::new() }
    }

    pub fn code(&self) -> &Arc<dyn Code> {
        &self.code
    }

    pub fn decoder(&mut self, arrived: &Arrived) -> Result<Arc<Decoder>, NotYet> {
        if let Some(known) = self.known.get(arrived) {
            return known.clone();
        }
        let solved = self.code.decoder(arrived).map(Arc::new);
        if self.known.len() < MOST_KNOWN.min(MOST_RECIPES / self.code.shares().max(1)) {
            self.known.insert(arrived.clone(), solved.clone());
        }
        solved
    }
}

/// Enough for every set of an (8, 6) code many times over; an (32, 16) code has 600 million.
const MOST_KNOWN: usize = 4096;
/// Sets of thousands of shares hardly ever come twice, and their decoders are large.
const MOST_RECIPES: usize = 1 << 18;
