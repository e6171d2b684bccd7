//! The audit journal as pre-allocated segment files with group commit.
//!
//! A record is on stable storage when `append` returns. What a crash tears off was never answered; it is cut on the
//! next open, and calls that began and never ended are marked unknown there.

mod disk;
mod error;
mod frame;
mod journal;
mod reader;
mod recovery;
mod scan;
mod writer;

#[cfg(test)]
mod tests;

pub use error::OpenError;
pub use journal::{SegmentJournal, Settings};
pub use reader::JournalReader;
pub use recovery::Recovered;
