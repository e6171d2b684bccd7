//! Blobs as local files: temporary file, sync, rename.
//!
//! `<dir>/blobs/ab/abcd…` by digest, `<dir>/tmp` for what is being written. A crash leaves at most files in `tmp`,
//! which the next [`FsBlobs::open`] removes; `<dir>/damaged` for what a scrub put aside. The time of a file's last change
//! is the blob's age; a name under `blobs` always has all its bytes on stable storage.

mod cache;
mod list;
mod read;
mod store;
mod versions;
mod write;

pub use store::FsBlobs;
