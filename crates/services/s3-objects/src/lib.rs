//! Buckets and objects: state and rules behind the S3 edge. Knows nothing of HTTP.
//!
//! A bucket, an object, an upload and a part are documents; bytes are blobs that were written before the document
//! that names them. A crash in between leaves a blob without a name, never a name without its bytes. Blobs of encrypted
//! objects hold sealed bytes; whoever reads objects does it through [`stoa_kernel::ports::ReadObject`].

mod access;
mod account_data;
mod body;
mod buckets;
mod documents;
mod encryption;
mod events;
mod held;
mod lifecycle;
mod listing;
mod names;
mod objects;
mod policy;
mod read;
mod service;
mod settings;
mod source;
mod uploads;
mod version_listing;
mod versions;

pub use encryption::Encryption;
pub use lifecycle::LifecycleReconciler;
pub use service::S3Objects;
pub use source::CombinedSource;
