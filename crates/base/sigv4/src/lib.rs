//! AWS Signature Version 4: bytes in, verdict out.
//!
//! Pure: no socket, no clock. A caller first asks [`parse_credential`] who claims to have signed, looks the secret up,
//! then asks [`verify`]. Nothing here holds state but [`KeyCache`], which may be dropped at any time.

mod canonical;
mod error;
mod keys;
mod parse;
mod payload;
mod sign;
mod verify;

pub use error::{Dialect, SigError, WireError};
pub use keys::KeyCache;
pub use parse::{Form, SignatureRequest, parse_credential};
pub use payload::{PayloadMode, UNSIGNED_PAYLOAD, payload_hash};
pub use sign::{Signer, presign, sign_headers};
pub use verify::{RequestParts, verify, verify_text};
