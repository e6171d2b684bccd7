//! What the signature says about the body: S3's payload modes, and the plain hash of everything else.

use http::HeaderMap;
use sha2::{Digest, Sha256};

use crate::error::SigError;
use crate::parse::{Form, SignatureRequest};

/// The literal that stands for a body which is not signed.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// The lower-case hexadecimal SHA-256 of a whole body.
pub fn payload_hash(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

/// How an S3 request's body is bound to its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadMode {
    /// `UNSIGNED-PAYLOAD`: the body is not bound.
    Unsigned,
    /// The hash of the whole body; whoever reads the body must compare.
    Hash([u8; 32]),
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`: aws-chunked, not bound, with trailing checksums.
    StreamingUnsignedTrailer,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`: aws-chunked; each chunk is signed, seeded by the request's signature.
    StreamingSigned,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`: as above, the trailer is signed too.
    StreamingSignedTrailer,
}

impl PayloadMode {
    /// The mode an S3 request declares. A presigned request without a declaration is unsigned; a request signed by
    /// header must declare one.
    pub fn of(request: &SignatureRequest<'_>, headers: &HeaderMap, query: &str) -> Result<PayloadMode, SigError> {
        let in_query = || query.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Content-Sha256="));
        let declared = match headers.get("x-amz-content-sha256") {
            Some(value) => value.to_str().unwrap_or(""),
            None if request.form == Form::Query && in_query().is_some() => in_query().unwrap_or(""),
            None if request.form == Form::Query => UNSIGNED_PAYLOAD,
            None => {
                let text = "Missing required header for this request: x-amz-content-sha256";
                return Err(SigError::IncompleteSignature(text.to_owned()));
            }
        };
        PayloadMode::parse(declared).ok_or_else(|| {
            let text = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
                        STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid \
                        sha256 value.";
            SigError::IncompleteSignature(text.to_owned())
        })
    }

    /// Parses the value of `x-amz-content-sha256`.
    pub fn parse(text: &str) -> Option<PayloadMode> {
        Some(match text {
            UNSIGNED_PAYLOAD => PayloadMode::Unsigned,
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => PayloadMode::StreamingUnsignedTrailer,
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => PayloadMode::StreamingSigned,
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => PayloadMode::StreamingSignedTrailer,
            hash => {
                let mut bytes = [0_u8; 32];
                hex::decode_to_slice(hash, &mut bytes).ok()?;
                PayloadMode::Hash(bytes)
            }
        })
    }

    /// The text that stands for the body in the canonical request.
    pub fn canonical_text(&self) -> String {
        match self {
            PayloadMode::Unsigned => UNSIGNED_PAYLOAD.to_owned(),
            PayloadMode::Hash(hash) => hex::encode(hash),
            PayloadMode::StreamingUnsignedTrailer => "STREAMING-UNSIGNED-PAYLOAD-TRAILER".to_owned(),
            PayloadMode::StreamingSigned => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD".to_owned(),
            PayloadMode::StreamingSignedTrailer => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER".to_owned(),
        }
    }

    /// Compares a whole body with the declared hash; other modes bind nothing here.
    pub fn check_body(&self, body: &[u8]) -> Result<(), SigError> {
        match self {
            PayloadMode::Hash(declared) if Sha256::digest(body).as_slice() != declared => {
                Err(SigError::PayloadHashMismatch)
            }
            _ => Ok(()),
        }
    }
}
