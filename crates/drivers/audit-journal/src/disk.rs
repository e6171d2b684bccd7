//! The files of a journal, behind a trait so that tests can make them fail.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{FallocateFlags, fallocate};

use crate::frame::MAGIC;

/// A segment that is written.
pub trait Segment: Send {
    /// Writes all bytes at this offset.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Returns once what was written is on stable storage.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file here.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

/// Where segments are made.
pub trait Disk: Send {
    /// Makes the segment with this number, with its magic and its space, durable under its name.
    fn create(&mut self, number: u64, bytes: u64) -> io::Result<Box<dyn Segment>>;
}

/// The real folder.
#[derive(Debug)]
pub struct Folder(pub PathBuf);

/// The file of a segment.
pub fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:010}.audit"))
}

/// The numbers of the segments that are there, in order.
pub fn segments(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".audit"));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Takes space up to this length. Where the file system cannot, the file is only as long, and full disks show later.
pub fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, bytes.cast_signed()) {
        Ok(()) => Ok(()),
        Err(nix::errno::Errno::EOPNOTSUPP) => file.set_len(file.metadata()?.len().max(bytes)),
        Err(error) => Err(error.into()),
    }
}

/// Makes a folder's names durable.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Opens a file for us alone.
pub fn private_file(path: &Path, new: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).create_new(new).truncate(false).mode(0o600);
    options.open(path)
}

impl Disk for Folder {
    fn create(&mut self, number: u64, bytes: u64) -> io::Result<Box<dyn Segment>> {
        let path = segment_path(&self.0, number);
        let made = private_file(&path, true).and_then(|file| {
            allocate(&file, bytes)?;
            file.write_all_at(MAGIC, 0)?;
            file.sync_all()?;
            sync_folder(&self.0)?;
            Ok(file)
        });
        match made {
            Ok(file) => Ok(Box::new(file)),
            Err(error) => {
                // A file that could not be finished would stand in the way of the next try.
                if error.kind() != io::ErrorKind::AlreadyExists {
                    let _ = fs::remove_file(&path);
                }
                Err(error)
            }
        }
    }
}

impl Segment for File {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}
