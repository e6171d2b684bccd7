//! The members of a zip, by its central directory, which is what loaders go by.
//!
//! Readers of zips disagree where a directory is when there are bytes before, between or after what belongs there, or when
//! its two end records differ. INVARIANT: members are given only where there is one directory to be found.

use std::io::{self, Read, SeekFrom};

use crate::ReadSeek;

/// The end record's longest comment and its own length.
const END: u64 = 22;
const LONGEST_COMMENT: u64 = 65_535;
/// The lengths of the end record of a large zip, and of what says where it is.
const LARGE_END: u64 = 56;
const LOCATOR: u64 = 20;

/// A member.
pub(crate) struct Member {
    pub name: String,
    /// Or why it is not read.
    pub deflated: Result<bool, Problem>,
    pub compressed: u64,
    pub plain: u64,
    pub header: u64,
}

/// A zip that is none.
pub(crate) type Problem = &'static str;

fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let mut value = [0_u8; 8];
    value.get_mut(..width)?.copy_from_slice(bytes.get(at..at.checked_add(width)?)?);
    Some(u64::from_le_bytes(value))
}

/// Where a zip's last record is, and what it says.
struct End {
    at: u64,
    tail: Vec<u8>,
    /// Where it is in the tail.
    within: usize,
}

impl End {
    fn number(&self, at: usize, width: usize) -> Option<u64> {
        number(&self.tail, self.within.checked_add(at)?, width)
    }
}

/// The last end record, whose comment reaches to the end of the file.
fn end_of(reader: &mut dyn ReadSeek) -> io::Result<Result<End, Problem>> {
    let size = reader.seek(SeekFrom::End(0))?;
    let start = size.saturating_sub(END + LONGEST_COMMENT);
    reader.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    (&mut *reader).take(END + LONGEST_COMMENT).read_to_end(&mut tail)?;
    let Some(within) = tail.windows(4).rposition(|window| window == b"PK\x05\x06") else {
        return Ok(Err("the zip has no directory"));
    };
    let end = End { at: start + within as u64, tail, within };
    let Some(comment) = end.number(20, 2) else { return Ok(Err("the zip's directory is cut off")) };
    if end.at + END + comment != size {
        return Ok(Err("bytes follow the zip's end"));
    }
    Ok(Ok(end))
}

/// Whether a reader that begins at the end would find a zip, whatever the file begins with.
pub(crate) fn is_at_end(reader: &mut dyn ReadSeek) -> io::Result<bool> {
    let Ok(end) = end_of(reader)? else { return Ok(false) };
    if end.number(12, 4) == Some(0) {
        return Ok(true);
    }
    let large = end.within.checked_sub(20).and_then(|at| end.tail.get(at..at + 4)) == Some(b"PK\x06\x07");
    let start = end.number(12, 4).and_then(|length| end.at.checked_sub(length));
    let Some(start) = start.filter(|_| !large) else { return Ok(large) };
    reader.seek(SeekFrom::Start(start))?;
    let mut magic = [0_u8; 4];
    let read = reader.read(&mut magic)?;
    Ok(read == 4 && magic == *b"PK\x01\x02")
}

/// Members in order; at most so many.
pub(crate) fn members(reader: &mut dyn ReadSeek, most: u64) -> io::Result<Result<Vec<Member>, Problem>> {
    let end = match end_of(reader)? {
        Ok(end) => end,
        Err(why) => return Ok(Err(why)),
    };
    let Some(place) = place_of(reader, &end)? else { return Ok(Err("the zip's directory cannot be read")) };
    let Place { count, length, offset, ends } = place;
    if length > 64 << 20 {
        return Ok(Err("the zip's directory is too long"));
    }
    // Bytes before the zip shift what its offsets say for some readers and not for others.
    if offset.checked_add(length) != Some(ends) {
        return Ok(Err("the zip's directory is not where its end says"));
    }
    reader.seek(SeekFrom::Start(offset))?;
    let mut directory = Vec::new();
    (&mut *reader).take(length).read_to_end(&mut directory)?;
    let found = entries(&directory, most);
    Ok(found.and_then(|members| match members.len() as u64 == count {
        true => Ok(members),
        false => Err("the zip's directory has another number of members than its end says"),
    }))
}

struct Place {
    count: u64,
    length: u64,
    offset: u64,
    /// Where the directory must end.
    ends: u64,
}

/// Where the directory is, by the end record, and that of a large zip where there is one: the two agree.
fn place_of(reader: &mut dyn ReadSeek, end: &End) -> io::Result<Option<Place>> {
    let small = end.number(10, 2).zip(end.number(12, 4)).zip(end.number(16, 4));
    let Some(((count, length), offset)) = small else { return Ok(None) };
    let locator = end.within.checked_sub(20).filter(|at| end.tail.get(*at..*at + 4) == Some(b"PK\x06\x07"));
    let Some(locator) = locator else { return Ok(Some(Place { count, length, offset, ends: end.at })) };
    let Some(at) = end.at.checked_sub(LOCATOR + LARGE_END) else { return Ok(None) };
    if number(&end.tail, locator + 8, 8) != Some(at) {
        return Ok(None);
    }
    reader.seek(SeekFrom::Start(at))?;
    let mut record = Vec::new();
    (&mut *reader).take(LARGE_END).read_to_end(&mut record)?;
    if !record.starts_with(b"PK\x06\x06") {
        return Ok(None);
    }
    let large = number(&record, 32, 8).zip(number(&record, 40, 8)).zip(number(&record, 48, 8));
    let Some(((large_count, large_length), large_offset)) = large else { return Ok(None) };
    let agree = (count == 0xffff || count == large_count)
        && (length == 0xffff_ffff || length == large_length)
        && (offset == 0xffff_ffff || offset == large_offset);
    let place = Place { count: large_count, length: large_length, offset: large_offset, ends: at };
    Ok(agree.then_some(place))
}

fn entries(directory: &[u8], most: u64) -> Result<Vec<Member>, Problem> {
    let (mut members, mut at) = (Vec::new(), 0_usize);
    while let Some(entry) = directory.get(at..).filter(|rest| !rest.is_empty()) {
        if members.len() as u64 >= most {
            return Err("the zip has too many members");
        }
        let (member, length) = entry_of(entry).ok_or("the zip's directory is malformed")?;
        members.push(member);
        at += length;
    }
    Ok(members)
}

/// How a member is stored: deflated or as it is.
fn method(flags: u64, method: u64) -> Result<bool, Problem> {
    match method {
        _ if flags & 1 == 1 => Err("it is encrypted, which is not looked into"),
        0 => Ok(false),
        8 => Ok(true),
        9 => Err("it is compressed by deflate64, which is not looked into"),
        12 => Err("it is compressed by bzip2, which is not looked into"),
        14 => Err("it is compressed by lzma, which is not looked into"),
        20 | 93 => Err("it is compressed by zstd, which is not looked into"),
        95 => Err("it is compressed by xz, which is not looked into"),
        _ => Err("it is compressed in a way that is not looked into"),
    }
}

fn entry_of(entry: &[u8]) -> Option<(Member, usize)> {
    if !entry.starts_with(b"PK\x01\x02") {
        return None;
    }
    let short = |at| number(entry, at, 2).and_then(|value| u16::try_from(value).ok());
    let deflated = method(number(entry, 8, 2)?, number(entry, 10, 2)?);
    let (mut compressed, mut plain, mut header) = (number(entry, 20, 4)?, number(entry, 24, 4)?, number(entry, 42, 4)?);
    let (name, extra, comment) = (usize::from(short(28)?), usize::from(short(30)?), usize::from(short(32)?));
    let text = String::from_utf8_lossy(entry.get(46..46 + name)?).into_owned();
    let mut extras = entry.get(46 + name..46 + name + extra)?;
    while extras.len() >= 4 {
        let (id, length) = (number(extras, 0, 2)?, usize::try_from(number(extras, 2, 2)?).ok()?);
        let body = extras.get(4..4 + length)?;
        if id == 1 {
            let mut at = 0;
            // In this order, and only those that did not fit above.
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
    Some((Member { name: text, deflated, compressed, plain, header }, length))
}

/// Puts the reader at a member's bytes.
pub(crate) fn seek_to(reader: &mut dyn ReadSeek, member: &Member) -> io::Result<Result<(), Problem>> {
    let size = reader.seek(SeekFrom::End(0))?;
    let end = member.header.saturating_add(member.compressed);
    if end > size {
        return Ok(Err("a member of the zip is not where the directory says"));
    }
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
