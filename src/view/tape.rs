//! The tape: a trace that still grows, and of which only the newest part is kept in memory.
//!
//! Records are cut into segments. When there are too many, the oldest are written to an unnamed
//! temporary file as compressed JSON lines, and read back when someone looks at them.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::Arc;

use crate::event::Record;
use crate::units::Time;

/// Records in a segment.
pub const SEGMENT: usize = 4096;

/// How many segments stay in memory: about a quarter of a million records.
const WARM: usize = 64;

/// A trace that still grows.
#[derive(Debug, Default)]
pub struct Tape {
    /// Each full but the last.
    segments: Vec<Segment>,
    file: Option<File>,
    /// Cold segments that were looked at last.
    thawed: Vec<(usize, Arc<Vec<Record>>)>,
}

#[derive(Debug)]
struct Segment {
    /// The moment of its first record.
    begins: Time,
    records: Place,
}

#[derive(Debug)]
enum Place {
    Warm(Arc<Vec<Record>>),
    Cold { offset: u64, bytes: usize },
}

/// The part of a trace that ends where one looks, newest first.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    /// Oldest first, each with the place of its first record.
    segments: Vec<(usize, Arc<Vec<Record>>)>,
    range: Range<usize>,
}

impl Recent {
    /// The records with their places, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = (usize, &Record)> {
        let all = self.segments.iter().rev().flat_map(|(first, records)| {
            records.iter().enumerate().rev().map(move |(at, record)| (first + at, record))
        });
        let Range { start, end } = self.range;
        all.skip_while(move |(at, _)| *at >= end).take_while(move |(at, _)| *at >= start)
    }

    /// How many records precede the end of this part, those that are not in it too.
    pub fn end(&self) -> usize {
        self.range.end
    }
}

impl Tape {
    pub fn len(&self) -> usize {
        let Some(last) = self.segments.last() else { return 0 };
        let Place::Warm(records) = &last.records else { unreachable!("the last one grows") };
        (self.segments.len() - 1) * SEGMENT + records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Adds a record.
    ///
    /// # Errors
    /// If old records cannot be written to a temporary file.
    pub fn push(&mut self, record: Record) -> io::Result<()> {
        if self.len().is_multiple_of(SEGMENT) {
            let records = Place::Warm(Arc::new(Vec::with_capacity(SEGMENT)));
            self.segments.push(Segment { begins: record.at, records });
            self.cool()?;
        }
        let last = self.segments.last_mut().expect("one was just made");
        let Place::Warm(records) = &mut last.records else { unreachable!("the last one grows") };
        // A viewer may still hold the unfinished segment; then it keeps the copy of that moment.
        Arc::make_mut(records).push(record);
        Ok(())
    }

    /// The last so many records before a place.
    ///
    /// # Errors
    /// If old records cannot be read back.
    pub fn before(&mut self, end: usize, most: usize) -> io::Result<Recent> {
        let end = end.min(self.len());
        let range = end.saturating_sub(most)..end;
        let mut segments = Vec::new();
        if !range.is_empty() {
            for at in range.start / SEGMENT..=(range.end - 1) / SEGMENT {
                segments.push((at * SEGMENT, self.segment(at)?));
            }
        }
        Ok(Recent { segments, range })
    }

    /// Shows a range of records to somebody, in order.
    ///
    /// # Errors
    /// If old records cannot be read back.
    pub fn each(&mut self, range: Range<usize>, mut show: impl FnMut(&Record)) -> io::Result<()> {
        let mut at = range.start;
        while at < range.end.min(self.len()) {
            let segment = self.segment(at / SEGMENT)?;
            let end = range.end - at / SEGMENT * SEGMENT;
            segment[at % SEGMENT..end.min(segment.len())].iter().for_each(&mut show);
            at = (at / SEGMENT + 1) * SEGMENT;
        }
        Ok(())
    }

    /// One record.
    ///
    /// # Errors
    /// If old records cannot be read back.
    pub fn get(&mut self, at: usize) -> io::Result<Option<Record>> {
        if at >= self.len() {
            return Ok(None);
        }
        Ok(self.segment(at / SEGMENT)?.get(at % SEGMENT).cloned())
    }

    /// How many records there are up to and including a moment.
    ///
    /// # Errors
    /// If old records cannot be read back.
    pub fn until(&mut self, moment: Time) -> io::Result<usize> {
        let begun = self.segments.partition_point(|segment| segment.begins <= moment);
        let Some(last) = begun.checked_sub(1) else { return Ok(0) };
        let records = self.segment(last)?;
        Ok(last * SEGMENT + records.partition_point(|record| record.at <= moment))
    }

    fn segment(&mut self, at: usize) -> io::Result<Arc<Vec<Record>>> {
        let (offset, bytes) = match &self.segments[at].records {
            Place::Warm(records) => return Ok(records.clone()),
            Place::Cold { offset, bytes } => (*offset, *bytes),
        };
        if let Some((_, records)) = self.thawed.iter().find(|(of, _)| *of == at) {
            return Ok(records.clone());
        }
        let file = self.file.as_mut().expect("cold segments are in it");
        let mut packed = vec![0; bytes];
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(&mut packed)?;
        let records = Arc::new(unpack(&packed)?);
        if self.thawed.len() == 4 {
            self.thawed.remove(0);
        }
        self.thawed.push((at, records.clone()));
        Ok(records)
    }

    /// Writes the oldest segment in memory to the file, if there are too many.
    fn cool(&mut self) -> io::Result<()> {
        let Some(at) = self.segments.len().checked_sub(WARM + 1) else { return Ok(()) };
        let Place::Warm(records) = &self.segments[at].records else { return Ok(()) };
        let packed = pack(records)?;
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        let offset = file.seek(SeekFrom::End(0))?;
        file.write_all(&packed)?;
        self.segments[at].records = Place::Cold { offset, bytes: packed.len() };
        Ok(())
    }
}

fn pack(records: &[Record]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for record in records {
        serde_json::to_writer(&mut text, record)?;
        text.push(b'\n');
    }
    Ok(lz4_flex::compress_prepend_size(&text))
}

fn unpack(packed: &[u8]) -> io::Result<Vec<Record>> {
    let text = lz4_flex::decompress_size_prepended(packed).map_err(io::Error::other)?;
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).map_err(io::Error::other)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::units::RequestId;

    fn record(at: usize) -> Record {
        Record { at: Time(10 * at as u64), event: Event::Accepted { request: RequestId(at) } }
    }

    #[test]
    fn what_was_written_to_disk_is_read_back_as_it_was() {
        let many = (WARM + 3) * SEGMENT + 5;
        let mut tape = Tape::default();
        (0..many).for_each(|at| tape.push(record(at)).expect("room on the disk"));
        assert_eq!(tape.len(), many);
        assert!(tape.file.is_some(), "the oldest went to the disk");
        for at in [0, 1, SEGMENT - 1, SEGMENT, 2 * SEGMENT + 7, many - 1] {
            assert_eq!(tape.get(at).expect("readable"), Some(record(at)));
        }
        assert_eq!(tape.get(many).expect("readable"), None);
        let recent = tape.before(SEGMENT + 2, 4).expect("readable");
        let places: Vec<usize> = recent.newest_first().map(|(at, _)| at).collect();
        assert_eq!(places, [SEGMENT + 1, SEGMENT, SEGMENT - 1, SEGMENT - 2]);
        assert!(recent.newest_first().all(|(at, seen)| *seen == record(at)));
        let mut seen = 0;
        tape.each(3..2 * SEGMENT + 1, |record| {
            assert_eq!(record.at, Time(10 * (3 + seen)));
            seen += 1;
        })
        .expect("readable");
        assert_eq!(seen as usize, 2 * SEGMENT - 2);
    }

    #[test]
    fn a_moment_is_found_with_all_that_happened_in_it() {
        let mut tape = Tape::default();
        for at in [0, 10, 10, 10, 20] {
            let event = Event::Accepted { request: RequestId(0) };
            tape.push(Record { at: Time(at), event }).expect("in memory");
        }
        let until = |tape: &mut Tape, at| tape.until(Time(at)).expect("in memory");
        assert_eq!(until(&mut tape, 9), 1);
        assert_eq!(until(&mut tape, 10), 4);
        assert_eq!(until(&mut tape, 100), 5);
    }
}
