//! The scene: everything a panel may look at. Panels are pure over it.

use std::collections::BTreeSet;

use hdrhistogram::Histogram;

use super::look::Look;
use crate::plan::Input;
use crate::units::{DeviceId, Span};
use crate::view::board::Board;
use crate::view::tape::Recent;
use crate::view::trace::Header;

/// What is drawn, and how.
#[derive(Debug)]
pub struct Scene<'s> {
    pub header: &'s Header,
    pub board: &'s Board,
    /// The newest records before the playhead.
    pub recent: &'s Recent,
    pub look: &'s Look,
    pub cursor: &'s Cursor,
    /// What requests asked for, if that is at hand: request i asked for input i modulo their number.
    pub inputs: &'s [Input],
    /// What classes are called, if that is known.
    pub classes: &'s [String],
    /// Runs to compare latencies with, by name, best known first: the run without faults …
    pub beside: &'s [(String, Histogram<u64>)],
    /// The longest latency that is good, if the topology says.
    pub answer_within: Option<Span>,
}

/// What the user points at.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    pub device: DeviceIndex,
    /// Devices that are marked, for faults that strike several.
    pub marked: BTreeSet<DeviceId>,
    /// Only events with these words in them are listed.
    pub filter: String,
    /// How many lines the focused list is scrolled back.
    pub scroll: usize,
}

/// The selected device's place.
pub type DeviceIndex = usize;

impl Cursor {
    pub fn selected(&self) -> DeviceId {
        DeviceId(self.device)
    }
}

impl Scene<'_> {
    /// A class as people call it.
    pub fn class(&self, class: usize) -> String {
        self.classes.get(class).cloned().unwrap_or_else(|| class.to_string())
    }
}
