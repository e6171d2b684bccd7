//! Blobs and who names them: the collector, the scrub, the account of what is used.
//!
//! A blob is anybody's as long as a document has its digest (see `Document::blobs`). Nothing here knows what the
//! documents are for, but for the words in which they are told to people.

mod collect;
mod keeper;
mod names;
mod usage;
mod verify;

pub use collect::{BlobCollector, Collected};
pub use keeper::{BlobKeeper, KeeperError, KeeperParts};
pub use usage::Usage;
pub use verify::{Finding, Progress, Trouble, Verified, Verify};
