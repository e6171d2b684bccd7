//! From a file to its members and theirs, each looked at by its bytes.

use std::collections::BTreeSet;
use std::io::{self, Read, SeekFrom};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::budget::{Budget, Metered};
use crate::format::{Format, sniff};
use crate::{Limits, ReadSeek, Spool, numpy, pickle, zip};

pub(crate) struct Scanner<'s> {
    spool: &'s dyn Spool,
    depth: u8,
    budget: Budget,
    pub inner: BTreeSet<Format>,
    pub imports: BTreeSet<String>,
    pub problems: BTreeSet<String>,
}

impl<'s> Scanner<'s> {
    pub fn new(spool: &'s dyn Spool, limits: Limits) -> Scanner<'s> {
        Scanner {
            spool,
            depth: limits.depth,
            budget: Budget { bytes: limits.expanded_bytes, members: limits.members },
            inner: BTreeSet::new(),
            imports: BTreeSet::new(),
            problems: BTreeSet::new(),
        }
    }

    /// The format of a file, whose members' formats, imports and problems are noted.
    pub fn file(&mut self, reader: &mut dyn ReadSeek, path: &str, depth: u8) -> io::Result<Format> {
        let found = sniff(reader)?;
        // Whatever the bytes look like: a loader of pickles would take them for one, so they are read as one too.
        if self.pickle_at_start(reader, path)? && matches!(found, Format::Text | Format::Json | Format::Unknown) {
            return Ok(Format::Pickle);
        }
        reader.seek(SeekFrom::Start(0))?;
        match found {
            Format::Zip => self.zip(reader, path, depth),
            Format::Tar => {
                self.tar(reader, path, depth)?;
                Ok(Format::Tar)
            }
            Format::Gzip => self.gzip(reader, path, depth),
            Format::NumPy => {
                self.numpy(reader, path)?;
                Ok(Format::NumPy)
            }
            Format::Unknown => self.zlib(reader, path, depth),
            other => Ok(other),
        }
    }

    fn problem(&mut self, path: &str, why: &str) {
        // A hostile archive makes no endless report.
        if self.problems.len() < 100 {
            let path: String = path.chars().take(200).flat_map(char::escape_debug).collect();
            self.problems.insert(if path.is_empty() { why.to_owned() } else { format!("{path}: {why}") });
        }
    }

    fn pickle_at_start(&mut self, reader: &mut dyn ReadSeek, path: &str) -> io::Result<bool> {
        reader.seek(SeekFrom::Start(0))?;
        let mut first = [0_u8; 2];
        let read = reader.read(&mut first)?;
        let [one, two] = first;
        let proto = read == 2 && one == 0x80 && two <= 5;
        reader.seek(SeekFrom::Start(0))?;
        let found = pickle::read(reader)?;
        if !found.is_pickle(proto) && !proto {
            return Ok(false);
        }
        self.take(found, path);
        Ok(true)
    }

    fn take(&mut self, found: pickle::Found, path: &str) {
        self.imports.extend(found.imports);
        for problem in found.problems {
            self.problem(path, &problem);
        }
    }

    /// A member: kept aside, so that it can be read from anywhere, and looked at.
    fn member(&mut self, reader: &mut dyn Read, path: &str, depth: u8) -> io::Result<Option<Format>> {
        if depth >= self.depth {
            self.problem(path, "archives within archives are not followed so deep");
            return Ok(None);
        }
        match self.budget.members.checked_sub(1) {
            Some(left) => self.budget.members = left,
            None => {
                self.problem(path, "the archive has more members than are looked into");
                return Ok(None);
            }
        }
        let spooled = self.spool.spool(&mut Metered { inner: reader, budget: &mut self.budget });
        match spooled {
            Ok(mut kept) => self.file(&mut *kept, path, depth + 1).map(Some),
            Err(error) => {
                self.problem(path, &format!("it cannot be unpacked: {error}"));
                Ok(None)
            }
        }
    }

    fn zip(&mut self, reader: &mut dyn ReadSeek, path: &str, depth: u8) -> io::Result<Format> {
        let members = match zip::members(reader, self.budget.members)? {
            Ok(members) => members,
            Err(why) => {
                self.problem(path, why);
                return Ok(Format::Zip);
            }
        };
        let is_torch = members.iter().any(|member| member.name == "data.pkl" || member.name.ends_with("/data.pkl"));
        let before = self.inner.clone();
        for member in &members {
            if member.name.ends_with('/') && member.compressed == 0 {
                continue;
            }
            let inside = format!("{path}{}{}", if path.is_empty() { "" } else { "!" }, member.name);
            if let Err(why) = zip::seek_to(reader, member)? {
                self.problem(&inside, why);
                continue;
            }
            let mut stored = (&mut *reader).take(member.compressed);
            let format = if member.deflated {
                self.member(&mut DeflateDecoder::new(stored), &inside, depth)?
            } else {
                self.member(&mut stored, &inside, depth)?
            };
            self.inner.extend(format);
        }
        if !is_torch {
            return Ok(Format::Zip);
        }
        // What torch's own container holds is no format of its own.
        self.inner = before;
        Ok(Format::PyTorch)
    }

    fn tar(&mut self, reader: &mut dyn Read, path: &str, depth: u8) -> io::Result<()> {
        let mut archive = tar::Archive::new(reader);
        let entries = match archive.entries() {
            Ok(entries) => entries,
            Err(error) => {
                self.problem(path, &format!("the tar cannot be read: {error}"));
                return Ok(());
            }
        };
        for entry in entries {
            let mut entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.problem(path, &format!("the tar cannot be read to its end: {error}"));
                    return Ok(());
                }
            };
            if !entry.header().entry_type().is_file() && !entry.header().entry_type().is_contiguous() {
                continue;
            }
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let inside = format!("{path}{}{name}", if path.is_empty() { "" } else { "!" });
            let format = self.member(&mut entry, &inside, depth)?;
            self.inner.extend(format);
            if self.budget.bytes == 0 || (self.budget.members == 0 && format.is_none()) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// A tar is read as it comes; anything else is kept aside as the one member.
    fn gzip(&mut self, reader: &mut dyn ReadSeek, path: &str, depth: u8) -> io::Result<Format> {
        let mut head = Vec::new();
        let mut decoder = MultiGzDecoder::new(&mut *reader);
        if let Err(error) = (&mut decoder).take(512).read_to_end(&mut head) {
            self.problem(path, &format!("it cannot be unpacked: {error}"));
            return Ok(Format::Gzip);
        }
        let is_tar = sniff(&mut io::Cursor::new(head))? == Format::Tar;
        reader.seek(SeekFrom::Start(0))?;
        if !is_tar {
            let format = self.member(&mut MultiGzDecoder::new(reader), path, depth)?;
            self.inner.extend(format);
            return Ok(Format::Gzip);
        }
        // What a tar skips is expanded too, so the whole stream is metered; members count once more.
        let mut budget = Budget { bytes: self.budget.bytes, members: 0 };
        let mut metered = Metered { inner: MultiGzDecoder::new(reader), budget: &mut budget };
        self.tar(&mut metered, path, depth)?;
        Ok(Format::Tar)
    }

    /// joblib compresses by zlib, which has no magic to speak of.
    fn zlib(&mut self, reader: &mut dyn ReadSeek, path: &str, depth: u8) -> io::Result<Format> {
        let mut first = [0_u8; 2];
        let read = reader.read(&mut first)?;
        let [one, two] = first;
        reader.seek(SeekFrom::Start(0))?;
        if read < 2 || one != 0x78 || (u16::from(one) * 256 + u16::from(two)) % 31 != 0 {
            return Ok(Format::Unknown);
        }
        let mut byte = [0_u8; 1];
        if !matches!(ZlibDecoder::new(&mut *reader).read(&mut byte), Ok(1)) {
            return Ok(Format::Unknown);
        }
        reader.seek(SeekFrom::Start(0))?;
        let format = self.member(&mut ZlibDecoder::new(reader), path, depth)?;
        self.inner.extend(format);
        Ok(Format::Unknown)
    }

    fn numpy(&mut self, reader: &mut dyn ReadSeek, path: &str) -> io::Result<()> {
        match numpy::header(reader)? {
            numpy::After::Numbers => {}
            numpy::After::Unreadable => self.problem(path, "the array's header cannot be read"),
            numpy::After::Pickle => {
                let found = pickle::read(reader)?;
                self.take(found, path);
            }
        }
        Ok(())
    }
}
