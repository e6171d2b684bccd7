//! The entries of a tar, and where readers of tar disagree about them.
//!
//! Python's `tarfile`, GNU tar and others take some headers in different ways: whether bytes follow a link, which of two
//! sizes counts, whether a file has holes. INVARIANT: an entry that is not odd is seen alike by all of them, and is written
//! where the archive is unpacked, nowhere else. Headers are small: what describes an entry is bounded before it is read.

use std::collections::BTreeSet;
use std::io::{self, Read};

use crate::format::{is_tar, octal};

const BLOCK: usize = 512;
/// Sizes below this have room in a header of its own.
const LARGE: u64 = 1 << 33;
/// Of a long name, or a PAX header.
const LONGEST_DESCRIPTION: u64 = 1 << 20;

/// An entry, as far as it matters.
pub(crate) struct Entry {
    pub path: String,
    pub size: u64,
    /// Whether a reader may make a file of its bytes.
    pub is_file: bool,
    /// Why it was not, or not surely, understood.
    pub odd: Option<&'static str>,
}

/// Why there is no next entry.
pub(crate) enum Stop {
    End,
    Broken(&'static str),
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Stop::Broken("the tar is cut off"),
            _ => Stop::Io(error),
        }
    }
}

/// What the headers before an entry say of it.
#[derive(Default)]
struct Described {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    odd: Option<&'static str>,
}

/// A tar being read, with the symbolic links that were seen in it.
#[derive(Default)]
pub(crate) struct Tape {
    links: BTreeSet<Vec<u8>>,
}

impl Tape {
    /// The next entry; its bytes come next, and then [`padding`].
    pub fn next(&mut self, reader: &mut dyn Read) -> Result<Entry, Stop> {
        let mut described = Described::default();
        loop {
            let Some(header) = header(reader)? else {
                let nothing = described.path.is_none() && described.link.is_none() && described.size.is_none();
                return Err(if nothing { ended(reader)? } else { Stop::Broken("the tar ends before an entry") });
            };
            let size = size(&header)?;
            match header.get(156) {
                Some(b'L' | b'K' | b'x' | b'g') if size > LONGEST_DESCRIPTION => {
                    return Err(Stop::Broken("a header of the tar is too long"));
                }
                Some(kind @ (b'L' | b'K' | b'x' | b'g')) => described.take(*kind, &description(reader, size)?),
                _ => return Ok(self.entry(&header, size, described)),
            }
        }
    }

    fn entry(&mut self, header: &[u8; BLOCK], size: u64, described: Described) -> Entry {
        let kind = header.get(156).copied().unwrap_or_default();
        let size = described.size.unwrap_or(size);
        let paths = match described.path {
            Some(path) => vec![path],
            None => paths(header),
        };
        let link = described.link.unwrap_or_else(|| text(header, 157, 100).to_vec());
        let odd = described.odd.or_else(|| paths.iter().find_map(|path| self.odd(kind, size, path, &link)));
        if kind == b'2' {
            self.links.extend(paths.iter().map(|path| normal(path)));
        }
        let path = paths.last().map(|path| String::from_utf8_lossy(path).into_owned()).unwrap_or_default();
        Entry { path, size, is_file: !matches!(kind, b'1'..=b'6'), odd }
    }

    fn odd(&self, kind: u8, size: u64, path: &[u8], link: &[u8]) -> Option<&'static str> {
        if climbs(path, 0) || self.is_through_link(path) {
            return Some("its path leads out of the archive");
        }
        match kind {
            // A name that ends so is a folder to some, whatever its type.
            0 | b'0' | b'7' => (path.ends_with(b"/") && size > 0).then_some("it is a folder with bytes"),
            b'1' | b'2' | b'5' if size > 0 => Some("it is a link or folder with bytes"),
            b'1' => climbs(link, 0).then_some("it is a link that leads out of the archive"),
            b'2' => {
                let depth = parts(path).count().saturating_sub(1);
                climbs(link, depth).then_some("it is a link that leads out of the archive")
            }
            b'5' => None,
            b'3' | b'4' | b'6' => Some("it is a device"),
            b'S' => Some("it is a file with holes, which is not looked into"),
            _ => Some("it is an entry of an unknown type"),
        }
    }

    /// Whether a folder on the way is a link of this archive.
    fn is_through_link(&self, path: &[u8]) -> bool {
        let path = normal(path);
        let mut ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        !self.links.is_empty() && ends.any(|end| path.get(..end).is_some_and(|folder| self.links.contains(folder)))
    }
}

impl Described {
    fn take(&mut self, kind: u8, bytes: &[u8]) {
        let name = || bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
        match kind {
            b'L' if self.path.is_none() => self.path = Some(name()),
            b'K' if self.link.is_none() => self.link = Some(name()),
            b'x' if self.size.is_none() && self.path.is_none() => match records(bytes) {
                Some(records) => self.take_records(&records),
                None => self.odd = Some("its PAX header is malformed"),
            },
            // Git writes a comment; nothing else is of use to a model.
            b'g' => {
                let comments = records(bytes).is_some_and(|all| all.iter().all(|(key, _)| *key == b"comment"));
                self.odd = self.odd.or((!comments).then_some("a PAX header is about all entries"));
            }
            _ => self.odd = Some("it is described twice"),
        }
    }

    fn take_records(&mut self, records: &[(&[u8], &[u8])]) {
        for (number, (key, value)) in records.iter().enumerate() {
            let again = records.iter().take(number).any(|(before, _)| before == key);
            match *key {
                b"size" => {
                    // Where there is room in the header, readers differ about which of the two counts.
                    self.size = decimal(value).filter(|size| *size >= LARGE && !again);
                    if self.size.is_none() {
                        self.odd = Some("its PAX header has an unusual size");
                    }
                }
                b"path" | b"linkpath" if again => self.odd = Some("it is described twice"),
                b"path" => self.path = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                key if key.starts_with(b"GNU.sparse") => {
                    self.odd = Some("it is a file with holes, which is not looked into");
                }
                _ => {}
            }
        }
    }
}

/// Zeros up to the next block.
pub(crate) fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

/// A header; none at the end.
fn header(reader: &mut dyn Read) -> Result<Option<[u8; BLOCK]>, Stop> {
    let mut header = [0_u8; BLOCK];
    let mut first = Vec::new();
    reader.take(1).read_to_end(&mut first)?;
    let (Some(byte), Some((start, rest))) = (first.first(), header.split_first_mut()) else { return Ok(None) };
    *start = *byte;
    reader.read_exact(rest)?;
    if header.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    if is_tar(&header) { Ok(Some(header)) } else { Err(Stop::Broken("a header of the tar is damaged")) }
}

/// Nothing but zeros may follow the end.
fn ended(reader: &mut dyn Read) -> Result<Stop, Stop> {
    let mut buffer = vec![0_u8; 64 << 10];
    loop {
        let read = reader.read(&mut buffer)?;
        if read == 0 {
            return Ok(Stop::End);
        }
        if buffer.iter().take(read).any(|byte| *byte != 0) {
            return Ok(Stop::Broken("bytes follow the tar's end"));
        }
    }
}

fn description(reader: &mut dyn Read, size: u64) -> Result<Vec<u8>, Stop> {
    let mut bytes = Vec::new();
    let whole = size + padding(size);
    if reader.take(whole).read_to_end(&mut bytes)? as u64 != whole {
        return Err(Stop::Broken("the tar is cut off"));
    }
    bytes.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    Ok(bytes)
}

/// A size is octal digits, or a number of eight bytes behind a mark; readers differ about anything else.
fn size(header: &[u8; BLOCK]) -> Result<u64, Stop> {
    let unusual = Stop::Broken("a size in the tar is written in an unusual way");
    let field = header.get(124..136).unwrap_or_default();
    let size = match field {
        [0x80, 0, 0, 0, large @ ..] => large.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte)),
        field if field.iter().all(|byte| matches!(byte, b'0'..=b'7' | b' ' | 0)) => {
            octal(field).and_then(|size| u64::try_from(size).ok()).ok_or(unusual)?
        }
        _ => return Err(unusual),
    };
    if size > 1 << 62 { Err(Stop::Broken("the tar is cut off")) } else { Ok(size) }
}

fn text(header: &[u8; BLOCK], at: usize, length: usize) -> &[u8] {
    let field = header.get(at..at + length).unwrap_or_default();
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The name, and the name below the prefix where there may be one.
fn paths(header: &[u8; BLOCK]) -> Vec<Vec<u8>> {
    let (name, prefix) = (text(header, 0, 100), text(header, 345, 155));
    let long = (!prefix.is_empty()).then(|| [prefix, b"/", name].concat());
    std::iter::once(name.to_vec()).chain(long).collect()
}

/// The records of a PAX header: a length, a key, a value.
fn records(mut bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ')?;
        let length = usize::try_from(decimal(bytes.get(..space)?)?).ok()?;
        let (record, rest) = bytes.split_at_checked(length)?;
        let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        found.push((record.get(..equals)?, record.get(equals + 1..)?));
        bytes = rest;
        if found.len() > 1000 {
            return None;
        }
    }
    Some(found)
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".")
}

fn normal(path: &[u8]) -> Vec<u8> {
    parts(path).collect::<Vec<_>>().join(&b'/')
}

/// Whether a path from so many folders down leads out, or goes up again after it went down.
fn climbs(path: &[u8], depth: usize) -> bool {
    let ups = parts(path).take_while(|part| *part == b"..").count();
    path.starts_with(b"/") || ups > depth || parts(path).skip(ups).any(|part| part == b"..")
}
