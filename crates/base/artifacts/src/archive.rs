//! From a file to its members and theirs, each looked at by its bytes.

use std::collections::BTreeSet;
use std::io::{self, Read, SeekFrom};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::budget::{Budget, EXHAUSTED, Metered};
use crate::format::{Format, sniff};
use crate::tarball::{Stop, Tape, padding};
use crate::{Limits, ReadSeek, Scan, Spool, is_of_system, numpy, pickle, zip};

/// Where bytes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Whole,
    /// Numbers of a tensor: any two bytes may be at their start.
    Tensor,
}

pub(crate) struct Scanner<'s> {
    spool: &'s dyn Spool,
    depth: u8,
    budget: Budget,
    cut_short: bool,
    inner: BTreeSet<Format>,
    imports: BTreeSet<String>,
    problems: BTreeSet<String>,
}

impl<'s> Scanner<'s> {
    pub fn new(spool: &'s dyn Spool, limits: Limits) -> Scanner<'s> {
        Scanner {
            spool,
            depth: limits.depth,
            budget: Budget { bytes: limits.expanded_bytes, members: limits.members },
            cut_short: false,
            inner: BTreeSet::new(),
            imports: BTreeSet::new(),
            problems: BTreeSet::new(),
        }
    }

    /// What was found out, of a file of this format.
    pub fn found(self, format: Format) -> Scan {
        let Scanner { inner, imports, problems, cut_short, .. } = self;
        Scan { format, inner, imports, problems, cut_short }
    }

    /// The format of a file, whose members' formats, imports and problems are noted.
    pub fn file(&mut self, reader: &mut dyn ReadSeek, path: &str, depth: u8, origin: Origin) -> io::Result<Format> {
        let sniffed = sniff(reader)?;
        let found = sniffed.format;
        if let Some(second) = sniffed.second {
            self.unseen(path, &format!("it is a Tar and a {second} at once"));
        }
        if let Some(name) = sniffed.compressed {
            self.unseen(path, &format!("it is compressed by {name}, which is not looked into"));
        }
        // Whatever the bytes look like: a loader of pickles would take them for one, so they are read as one too.
        reader.seek(SeekFrom::Start(0))?;
        let is_pickle = self.pickle_at_start(reader, path, origin)?;
        if found != Format::Zip && zip::is_at_end(reader)? {
            self.unseen(path, "a zip is at its end, which is not looked into");
        }
        reader.seek(SeekFrom::Start(0))?;
        match found {
            Format::Zip => self.zip(reader, path, depth),
            Format::Tar => self.tar(reader, path, depth).map(|()| Format::Tar),
            Format::Gzip => self.gzip(reader, path, depth),
            Format::NumPy => self.numpy(reader, path).map(|()| Format::NumPy),
            Format::Text | Format::Json | Format::Unknown if is_pickle => Ok(Format::Pickle),
            other => self.zlib(reader, path, depth).map(|()| other),
        }
    }

    fn problem(&mut self, path: &str, why: &str) {
        // A hostile archive makes no endless report.
        if self.problems.len() < 100 {
            let path: String = path.chars().take(200).flat_map(char::escape_debug).collect();
            self.problems.insert(if path.is_empty() { why.to_owned() } else { format!("{path}: {why}") });
        }
    }

    /// Something that was not looked into may be anything.
    fn unseen(&mut self, path: &str, why: &str) {
        self.problem(path, why);
        self.inner.insert(Format::Unknown);
    }

    /// An error while unpacking: of the bytes, which is a problem, or of the disk, which is an error.
    fn not_unpacked(&mut self, path: &str, error: io::Error) -> io::Result<()> {
        if is_of_system(&error) {
            return Err(error);
        }
        self.cut_short |= error.to_string() == EXHAUSTED;
        self.unseen(path, &format!("it cannot be unpacked: {error}"));
        Ok(())
    }

    fn pickle_at_start(&mut self, reader: &mut dyn Read, path: &str, origin: Origin) -> io::Result<bool> {
        let mut first = Vec::new();
        reader.take(2).read_to_end(&mut first)?;
        let proto = matches!(first.as_slice(), [0x80, 0..=5]);
        let found = pickle::read(&mut io::Cursor::new(first).chain(reader))?;
        if !found.is_pickle(proto) && (!proto || origin == Origin::Tensor) {
            return Ok(false);
        }
        self.take(found, path);
        Ok(true)
    }

    fn take(&mut self, found: pickle::Found, path: &str) {
        for import in found.imports {
            if self.imports.len() >= pickle::MOST_IMPORTS && !self.imports.contains(&import) {
                self.problem("", "it imports more than is listed here");
                break;
            }
            self.imports.insert(import);
        }
        for problem in found.problems {
            self.problem(path, &problem);
        }
    }

    /// Room for a member at this depth.
    fn has_room(&mut self, path: &str, depth: u8) -> bool {
        if depth >= self.depth {
            self.unseen(path, "archives within archives are not followed so deep");
            return false;
        }
        match self.budget.members.checked_sub(1) {
            Some(left) => {
                self.budget.members = left;
                true
            }
            None => {
                self.unseen(path, "the archive has more members than are looked into");
                false
            }
        }
    }

    /// A member: kept aside, so that it can be read from anywhere, and looked at. Gives its format and size.
    fn member(
        &mut self,
        reader: &mut dyn Read,
        path: &str,
        depth: u8,
        origin: Origin,
    ) -> io::Result<Option<(Format, u64)>> {
        if !self.has_room(path, depth) {
            return Ok(None);
        }
        match self.spool.spool(&mut Metered { inner: reader, budget: &mut self.budget }) {
            Ok(mut kept) => {
                let size = kept.seek(SeekFrom::End(0))?;
                Ok(Some((self.file(&mut *kept, path, depth + 1, origin)?, size)))
            }
            Err(error) => self.not_unpacked(path, error).map(|()| None),
        }
    }

    fn zip(&mut self, reader: &mut dyn ReadSeek, path: &str, depth: u8) -> io::Result<Format> {
        let members = match zip::members(reader, self.budget.members)? {
            Ok(members) => members,
            Err(why) => {
                self.unseen(path, why);
                return Ok(Format::Zip);
            }
        };
        let torch = members.iter().find_map(|member| {
            let folder = member.name.strip_suffix("data.pkl")?;
            (folder.is_empty() || folder.ends_with('/')).then(|| format!("{folder}data/"))
        });
        for member in &members {
            if member.name.ends_with('/') && member.compressed == 0 {
                continue;
            }
            let inside = format!("{path}{}{}", if path.is_empty() { "" } else { "!" }, member.name);
            let is_tensor = torch.as_ref().is_some_and(|folder| member.name.starts_with(folder));
            let origin = if is_tensor { Origin::Tensor } else { Origin::Whole };
            let Some(format) = self.zip_member(reader, member, &inside, depth, origin)? else { continue };
            // What torch's own container holds is no format of its own.
            let is_torch = matches!(format, Format::Pickle | Format::Text | Format::Json | Format::Unknown);
            if torch.is_none() || !(is_tensor || is_torch) {
                self.inner.insert(format);
            }
        }
        Ok(if torch.is_some() { Format::PyTorch } else { Format::Zip })
    }

    fn zip_member(
        &mut self,
        reader: &mut dyn ReadSeek,
        member: &zip::Member,
        path: &str,
        depth: u8,
        origin: Origin,
    ) -> io::Result<Option<Format>> {
        let deflated = match zip::seek_to(reader, member)?.and(member.deflated) {
            Ok(deflated) => deflated,
            Err(why) => {
                self.unseen(path, why);
                return Ok(None);
            }
        };
        let mut stored = (&mut *reader).take(member.compressed);
        let found = if deflated {
            self.member(&mut DeflateDecoder::new(stored), path, depth, origin)?
        } else {
            self.member(&mut stored, path, depth, origin)?
        };
        if found.is_some_and(|(_, size)| size != member.plain) {
            self.unseen(path, "it has another size than the zip's directory says");
        }
        Ok(found.map(|(format, _)| format))
    }

    fn tar(&mut self, reader: &mut dyn Read, path: &str, depth: u8) -> io::Result<()> {
        let mut tape = Tape::default();
        loop {
            let entry = match tape.next(reader) {
                Ok(entry) => entry,
                Err(Stop::End) => return Ok(()),
                Err(Stop::Broken(why)) => {
                    self.unseen(path, why);
                    return Ok(());
                }
                Err(Stop::Io(error)) => return self.not_unpacked(path, error),
            };
            let inside = format!("{path}{}{}", if path.is_empty() { "" } else { "!" }, entry.path);
            if let Some(why) = entry.odd {
                self.unseen(&inside, why);
            }
            let mut bytes = (&mut *reader).take(entry.size);
            if entry.is_file {
                let found = self.member(&mut bytes, &inside, depth, Origin::Whole)?;
                self.inner.extend(found.map(|(format, _)| format));
                if found.is_none() && (self.budget.bytes == 0 || self.budget.members == 0) {
                    return Ok(());
                }
            }
            let left = bytes.limit() + padding(entry.size);
            match io::copy(&mut (&mut *reader).take(left), &mut io::sink()) {
                Ok(skipped) if skipped == left => {}
                Ok(_) => {
                    self.unseen(&inside, "the tar is cut off");
                    return Ok(());
                }
                Err(error) => return self.not_unpacked(&inside, error),
            }
        }
    }

    /// A tar is read as it comes; anything else is kept aside as the one member.
    fn gzip(&mut self, reader: &mut dyn ReadSeek, path: &str, depth: u8) -> io::Result<Format> {
        let mut head = Vec::new();
        if let Err(error) = MultiGzDecoder::new(&mut *reader).take(512).read_to_end(&mut head) {
            return self.not_unpacked(path, error).map(|()| Format::Gzip);
        }
        let head = sniff(&mut io::Cursor::new(head))?;
        reader.seek(SeekFrom::Start(0))?;
        if head.format != Format::Tar || head.second.is_some() {
            let found = self.member(&mut MultiGzDecoder::new(reader), path, depth, Origin::Whole)?;
            self.inner.extend(found.map(|(format, _)| format));
            return Ok(Format::Gzip);
        }
        // What a tar skips is expanded too, so the whole stream is metered; members count once more.
        let most = self.budget.bytes;
        self.pickle_at_start(&mut unzipped(&mut *reader, most), path, Origin::Whole)?;
        reader.seek(SeekFrom::Start(0))?;
        self.tar(&mut unzipped(reader, most), path, depth)?;
        Ok(Format::Tar)
    }

    /// joblib compresses by zlib, which has no magic to speak of: what comes out is looked at up to where no more does.
    fn zlib(&mut self, reader: &mut dyn ReadSeek, path: &str, depth: u8) -> io::Result<()> {
        let mut first = [0_u8; 2];
        let read = reader.read(&mut first)?;
        let [one, two] = first;
        reader.seek(SeekFrom::Start(0))?;
        if read < 2 || one != 0x78 || (u16::from(one) * 256 + u16::from(two)) % 31 != 0 {
            return Ok(());
        }
        let mut byte = [0_u8; 1];
        if !matches!(ZlibDecoder::new(&mut *reader).read(&mut byte), Ok(1)) {
            return Ok(());
        }
        reader.seek(SeekFrom::Start(0))?;
        if !self.has_room(path, depth) {
            return Ok(());
        }
        let mut stream = Lenient { inner: ZlibDecoder::new(reader), broken: false };
        match self.spool.spool(&mut Metered { inner: &mut stream, budget: &mut self.budget }) {
            Err(error) => self.not_unpacked(path, error),
            Ok(mut kept) if stream.broken => {
                // No such stream; but who reads it piece by piece would have had these.
                self.pickle_at_start(&mut kept, path, Origin::Tensor).map(|_| ())
            }
            Ok(mut kept) => {
                let format = self.file(&mut *kept, path, depth + 1, Origin::Whole)?;
                self.inner.insert(format);
                Ok(())
            }
        }
    }

    fn numpy(&mut self, reader: &mut dyn ReadSeek, path: &str) -> io::Result<()> {
        match numpy::header(reader)? {
            (numpy::After::Elements(wanted), left) if wanted == left => {}
            (numpy::After::Elements(_), _) => {
                self.unseen(path, "more or fewer bytes than its elements follow the array")
            }
            (numpy::After::Unreadable, _) => self.unseen(path, "the array's header cannot be read"),
            (numpy::After::MaybePickle, _) => {
                let found = pickle::read(reader)?;
                if !found.complete {
                    self.problem(path, "the array's elements are neither plain numbers nor a pickle that can be read");
                }
                self.take(found, path);
            }
        }
        Ok(())
    }
}

/// What comes out of a gzip, at most so much.
fn unzipped<R: Read>(reader: R, most: u64) -> Metered<MultiGzDecoder<R>, Budget> {
    Metered { inner: MultiGzDecoder::new(reader), budget: Budget { bytes: most, members: 0 } }
}

/// Ends where its bytes are no stream any more.
struct Lenient<R> {
    inner: R,
    broken: bool,
}

impl<R: Read> Read for Lenient<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Err(error) if !is_of_system(&error) => {
                self.broken = true;
                Ok(0)
            }
            other => other,
        }
    }
}
