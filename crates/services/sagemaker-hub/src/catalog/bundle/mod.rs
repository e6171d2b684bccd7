//! Bundles: models of the public hub in one file, to be carried where no network goes.
//!
//! A bundle is an uncompressed tar (weights do not compress): `stoa-bundle.json` (which models, with the digest and size
//! of everything that follows), `stoa-bundle.sig` (an Ed25519 signature over the bytes of the former, where there is
//! one), then for each model the blobs that were not there before and its document. Entries are named by their digests,
//! and only the entry that the manifest has next is ever accepted: a path, a link, a device, a second entry of a name or
//! one byte more than declared has no way in.
//!
//! INVARIANT: a document or blob is used only when its bytes have the digest that the manifest names. A model becomes
//! visible in one transaction, after all its blobs are durable; an import that breaks off goes on from the blobs there
//! are.

mod export;
mod format;
mod import;
mod key;
mod read;
mod tape;
mod verify;

pub use export::Exported;
pub use import::BundleImported;
pub use key::{SecretKey, TrustedKey};
pub use read::Signer;
pub use verify::{BundleReport, verify_bundle};
