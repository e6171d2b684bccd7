//! Blobs as objects of an S3-compatible store, with a local cache for containers.
//!
//! ```text
//! <prefix>/owner              whose blobs these are: one data folder of one Stoa has a prefix, and no other may open it
//! <prefix>/blobs/<digest>     a blob
//! <prefix>/touched/<digest>   empty: the blob was put again at this object's date
//! <prefix>/removing/<digest>  a collector removes the blob just now; which one is in it
//! <prefix>/damaged/<digest>   what a scrub put aside
//! ```
//!
//! A blob's name is known only when its last byte is. Bytes are therefore hashed into a local spool first (small ones in
//! memory) and uploaded under their name after that: bytes that are there already are not sent at all, nothing is ever
//! under a temporary key, and no server-side copy is needed, which S3 limits to 5 GiB. The price is local space for
//! the puts that are under way.
//!
//! A crash leaves at most an unfinished multipart upload at the store: a lifecycle rule there removes those.

mod cache;
mod connector;
mod owner;
mod settings;
mod spool;
mod store;
mod upload;

pub use owner::{Claim, Owner};
pub use settings::S3Settings;
pub use store::{OpenError, S3Blobs};
