//! How a record stands in a segment: length, CRC-32 and bytes. A length of zero is the end: pre-allocated space is
//! zeros. What follows the first frame that is not whole is a torn tail.

use std::io::{self, Read};

use crc_fast::{CrcAlgorithm, checksum};

/// What every segment begins with.
pub const MAGIC: &[u8; 8] = b"STOAAUD1";
/// The largest record: a length beyond it is damage.
pub const LARGEST: usize = 16 << 20;
const HEADER: usize = 8;

/// The CRC-32 (ISO-HDLC) of a record.
pub fn crc(record: &[u8]) -> u32 {
    checksum(CrcAlgorithm::Crc32IsoHdlc, record) as u32
}

/// Appends the frame of a record, whose CRC was computed outside of the lock that guards the buffer.
pub fn push(buffer: &mut Vec<u8>, record: &[u8], crc: u32) {
    buffer.reserve(HEADER + record.len());
    buffer.extend_from_slice(&(record.len() as u32).to_le_bytes());
    buffer.extend_from_slice(&crc.to_le_bytes());
    buffer.extend_from_slice(record);
}

/// Reads records one after the other, up to the end or the first frame that is not whole.
pub struct Frames<R> {
    from: R,
    record: Vec<u8>,
    /// Where the last whole frame ends.
    pub end: u64,
    /// Whether something other than the end follows there.
    pub torn: bool,
}

impl<R: Read> Frames<R> {
    /// The frames after a segment's magic. A segment without it has none: it was never finished being made.
    pub fn new(mut from: R) -> io::Result<Frames<R>> {
        let mut magic = [0; MAGIC.len()];
        let read = fill(&mut from, &mut magic)?;
        let whole = &magic == MAGIC;
        let torn = !whole && magic[..read].iter().any(|byte| *byte != 0);
        let end = if whole { MAGIC.len() as u64 } else { 0 };
        Ok(Frames { from, record: Vec::new(), end, torn })
    }
    /// The next record.
    pub fn next_record(&mut self) -> io::Result<Option<&[u8]>> {
        if self.end == 0 || self.torn {
            return Ok(None);
        }
        let mut header = [0; HEADER];
        let read = fill(&mut self.from, &mut header)?;
        let [a, b, c, d, e, f, g, h] = header;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if header.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        self.torn = true;
        if read < HEADER || length == 0 || length > LARGEST {
            return Ok(None);
        }
        self.record.resize(length, 0);
        if fill(&mut self.from, &mut self.record)? < length || crc(&self.record) != u32::from_le_bytes([e, f, g, h]) {
            return Ok(None);
        }
        self.torn = false;
        self.end += (HEADER + length) as u64;
        Ok(Some(&self.record))
    }
}

/// Reads until the buffer is full or the file ends; says how much.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}
