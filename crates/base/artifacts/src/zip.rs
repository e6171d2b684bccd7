//! The members of a zip, by its central directory, which is what loaders go by.

use std::io::{self, Read, SeekFrom};

use crate::ReadSeek;

/// The end record's longest comment and its own length.
const END: u64 = 22;
const LONGEST_COMMENT: u64 = 65_535;
const DEFLATED: u16 = 8;

/// A member.
pub(crate) struct Member {
    pub name: String,
    pub deflated: bool,
    pub compressed: u64,
    pub header: u64,
}

/// A zip that is none.
pub(crate) type Problem = &'static str;

fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let mut value = [0_u8; 8];
    value.get_mut(..width)?.copy_from_slice(bytes.get(at..at.checked_add(width)?)?);
    Some(u64::from_le_bytes(value))
}

/// Members in order; at most so many.
pub(crate) fn members(reader: &mut dyn ReadSeek, most: u64) -> io::Result<Result<Vec<Member>, Problem>> {
    let size = reader.seek(SeekFrom::End(0))?;
    let start = size.saturating_sub(END + LONGEST_COMMENT);
    reader.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    (&mut *reader).take(END + LONGEST_COMMENT).read_to_end(&mut tail)?;
    let Some(end) = tail.windows(4).rposition(|window| window == b"PK\x05\x06") else {
        return Ok(Err("the zip has no directory"));
    };
    let whole = || number(&tail, end + 20, 2).and(Some((number(&tail, end + 12, 4)?, number(&tail, end + 16, 4)?)));
    let Some((mut length, mut offset)) = whole() else { return Ok(Err("the zip's directory is cut off")) };
    if offset == 0xffff_ffff || length == 0xffff_ffff {
        match large_end(reader, &tail, end)? {
            Some(found) => (length, offset) = found,
            None => return Ok(Err("the zip's directory cannot be read")),
        }
    }
    if length > 64 << 20 || offset.saturating_add(length) > size {
        return Ok(Err("the zip's directory lies outside the file or is too long"));
    }
    // Bytes before the zip shift what its offsets say for some readers and not for others.
    let at_end = start + end as u64;
    if offset + length > at_end {
        return Ok(Err("the zip's directory overlaps its end"));
    }
    reader.seek(SeekFrom::Start(offset))?;
    let mut directory = Vec::new();
    (&mut *reader).take(length).read_to_end(&mut directory)?;
    Ok(entries(&directory, most))
}

/// Length and offset in a ZIP64's end record.
fn large_end(reader: &mut dyn ReadSeek, tail: &[u8], end: usize) -> io::Result<Option<(u64, u64)>> {
    let Some(locator) = end.checked_sub(20).filter(|at| tail.get(*at..*at + 4) == Some(b"PK\x06\x07")) else {
        return Ok(None);
    };
    let Some(offset) = number(tail, locator + 8, 8) else { return Ok(None) };
    reader.seek(SeekFrom::Start(offset))?;
    let mut record = Vec::new();
    (&mut *reader).take(56).read_to_end(&mut record)?;
    if !record.starts_with(b"PK\x06\x06") {
        return Ok(None);
    }
    Ok(number(&record, 40, 8).zip(number(&record, 48, 8)))
}

fn entries(directory: &[u8], most: u64) -> Result<Vec<Member>, Problem> {
    let (mut members, mut at) = (Vec::new(), 0_usize);
    while let Some(entry) = directory.get(at..).filter(|rest| !rest.is_empty()) {
        if members.len() as u64 >= most {
            return Err("the zip has too many members");
        }
        let (member, length) = entry_of(entry).ok_or("the zip's directory is malformed")?;
        if !matches!(member.1, 0 | DEFLATED) {
            return Err("a member of the zip is encrypted or compressed in a way that is not read");
        }
        members.push(member.0);
        at += length;
    }
    Ok(members)
}

fn entry_of(entry: &[u8]) -> Option<((Member, u16), usize)> {
    if !entry.starts_with(b"PK\x01\x02") {
        return None;
    }
    let short = |at| number(entry, at, 2).and_then(|value| u16::try_from(value).ok());
    let encrypted = short(8)? & 1 == 1;
    let method = if encrypted { u16::MAX } else { short(10)? };
    let (mut compressed, plain, mut header) = (number(entry, 20, 4)?, number(entry, 24, 4)?, number(entry, 42, 4)?);
    let (name, extra, comment) = (usize::from(short(28)?), usize::from(short(30)?), usize::from(short(32)?));
    let text = String::from_utf8_lossy(entry.get(46..46 + name)?).into_owned();
    let mut extras = entry.get(46 + name..46 + name + extra)?;
    while extras.len() >= 4 {
        let (id, length) = (number(extras, 0, 2)?, usize::try_from(number(extras, 2, 2)?).ok()?);
        let body = extras.get(4..4 + length)?;
        if id == 1 {
            let mut at = 0;
            // In this order, and only those that did not fit above.
            let mut plain = plain;
            for value in [&mut plain, &mut compressed, &mut header] {
                if *value == 0xffff_ffff {
                    *value = number(body, at, 8)?;
                    at += 8;
                }
            }
        }
        extras = extras.get(4 + length..)?;
    }
    let length = 46 + name + extra + comment;
    entry.get(..length)?;
    Some(((Member { name: text, deflated: method == DEFLATED, compressed, header }, method), length))
}

/// Puts the reader at a member's bytes.
pub(crate) fn seek_to(reader: &mut dyn ReadSeek, member: &Member) -> io::Result<Result<(), Problem>> {
    reader.seek(SeekFrom::Start(member.header))?;
    let mut header = Vec::new();
    (&mut *reader).take(30).read_to_end(&mut header)?;
    let lengths = number(&header, 26, 2).zip(number(&header, 28, 2));
    let (true, Some((name, extra))) = (header.starts_with(b"PK\x03\x04"), lengths) else {
        return Ok(Err("a member of the zip is not where the directory says"));
    };
    reader.seek(SeekFrom::Start(member.header.saturating_add(30 + name + extra)))?;
    Ok(Ok(()))
}
