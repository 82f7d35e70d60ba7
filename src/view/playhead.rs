//! The playhead: a place in a trace, and the board as it was there. It goes both ways, and is exact.

use std::collections::BTreeMap;
use std::io;

use super::board::Board;
use super::tape::{Recent, Tape};
use super::trace::Header;
use crate::event::Record;
use crate::units::Time;

/// A place in a trace that may still grow.
#[derive(Debug)]
pub struct Playhead {
    header: Header,
    tape: Tape,
    board: Board,
    /// Boards at some earlier places, so that going back need not begin at the beginning.
    marks: BTreeMap<usize, Board>,
    /// How many records lie between two marks.
    spacing: usize,
}

/// How many marks are kept; then every second one goes.
const MARKS: usize = 64;

impl Playhead {
    pub fn new(header: Header) -> Self {
        let board = Board::new(&header);
        Self { header, tape: Tape::default(), board, marks: BTreeMap::new(), spacing: 2048 }
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Everything as it was here.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// How many records precede this place.
    pub fn at(&self) -> usize {
        self.board.records
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.tape.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tape.is_empty()
    }

    /// Whether there is nothing after this place yet.
    pub fn is_at_head(&self) -> bool {
        self.at() == self.len()
    }

    /// Adds a record to the end of the trace; the place stays.
    ///
    /// # Errors
    /// If old records cannot be written to a temporary file.
    pub fn push(&mut self, record: Record) -> io::Result<()> {
        self.tape.push(record)
    }

    /// Goes to a place, or to the end if there is no such place yet.
    ///
    /// # Errors
    /// If old records cannot be read back.
    pub fn seek(&mut self, at: usize) -> io::Result<()> {
        let at = at.min(self.tape.len());
        if at < self.board.records {
            let mark = self.marks.range(..=at).next_back();
            self.board = mark.map_or_else(|| Board::new(&self.header), |(_, board)| board.clone());
        }
        let Self { header, tape, board, marks, spacing } = self;
        tape.each(board.records..at, |record| {
            board.take(header, record);
            if board.records.is_multiple_of(*spacing) {
                marks.entry(board.records).or_insert_with(|| board.clone());
            }
        })?;
        while self.marks.len() > MARKS {
            self.spacing *= 2;
            let spacing = self.spacing;
            self.marks.retain(|at, _| at.is_multiple_of(spacing));
        }
        Ok(())
    }

    /// Goes to the end of a moment.
    ///
    /// # Errors
    /// If old records cannot be read back.
    pub fn seek_moment(&mut self, moment: Time) -> io::Result<()> {
        let at = self.tape.until(moment)?;
        self.seek(at)
    }

    /// The record before this place, or so many places further on.
    ///
    /// # Errors
    /// If old records cannot be read back.
    pub fn record(&mut self, at: usize) -> io::Result<Option<Record>> {
        self.tape.get(at)
    }

    /// The last so many records before this place.
    ///
    /// # Errors
    /// If old records cannot be read back.
    pub fn recent(&mut self, most: usize) -> io::Result<Recent> {
        let at = self.at();
        self.tape.before(at, most)
    }

    /// The board at another place; this one stays.
    ///
    /// # Errors
    /// If old records cannot be read back.
    pub fn board_at(&mut self, at: usize) -> io::Result<Board> {
        let here = self.at();
        self.seek(at)?;
        let board = self.board.clone();
        self.seek(here)?;
        Ok(board)
    }
}
