//! The verdict: is the signature the one that this secret gives for this request, at this time?
//!
//! INVARIANT: signatures are compared in constant time; an error never holds the secret or a derived key.

use hmac::Mac;
use http::HeaderMap;
use sha2::{Digest, Sha256};
use stoa_types::{Secret, Timestamp};
use subtle::ConstantTimeEq;

use crate::canonical::{CanonicalInput, Encoding, unsigned_headers, write_canonical_request};
use crate::error::SigError;
use crate::keys::{HmacSha256, KeyCache, KeyScope, derive};
use crate::parse::{ALGORITHM, Form, SignatureRequest};

const SKEW_MILLIS: i64 = 15 * 60 * 1000;
const PRESIGNED_EARLY_MILLIS: i64 = 5 * 60 * 1000;

/// The parts of a request that a signature covers, as they came over the wire.
#[derive(Debug, Clone, Copy)]
pub struct RequestParts<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, still percent-encoded.
    pub path: &'a str,
    /// The query without its question mark, still percent-encoded; empty when there is none.
    pub query: &'a str,
    /// HTTP/2's `:authority`, used where there is no `Host` header.
    pub authority: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
}

/// Checks a claimed signature. `payload_hash` is the hexadecimal SHA-256 of the body, or in S3 the declared mode's
/// text. Session tokens are the caller's to compare.
pub fn verify(
    request: &SignatureRequest<'_>,
    parts: &RequestParts<'_>,
    payload_hash: &str,
    secret: &Secret,
    now: Timestamp,
    cache: &KeyCache,
) -> Result<(), SigError> {
    check_signed_headers(request, parts.headers)?;
    check_time(request, now)?;
    let scope = request.scope();
    let cached = cache.get(scope, secret);
    let known = cached.is_some();
    let key = cached.unwrap_or_else(|| derive(scope, secret));
    let mut canonical = Vec::with_capacity(1024);
    for encoding in [Encoding::AsSent, Encoding::Again] {
        canonical.clear();
        let input = canonical_input(request, parts, payload_hash, encoding, false);
        write_canonical_request(&input, &mut canonical);
        let expected = sign_canonical(request, &canonical, key.clone());
        if bool::from(expected.ct_eq(&request.signature)) {
            if !known {
                cache.put(scope, secret, key);
            }
            return Ok(());
        }
    }
    Err(mismatch(request, parts, payload_hash))
}

/// Whether a signature (hexadecimal) is over this very text, in a scope of day, region and service: the policy of an
/// HTML form is signed so. Constant in time.
pub fn verify_text(secret: &Secret, [date, region, service]: [&str; 3], text: &str, signature: &str) -> bool {
    let mut key = derive(KeyScope { access_key_id: "", date, region, service }, secret);
    key.update(text.as_bytes());
    let expected = hex::encode(key.finalize().into_bytes());
    expected.as_bytes().ct_eq(signature.as_bytes()).into()
}

fn canonical_input<'a>(
    request: &'a SignatureRequest<'_>,
    parts: &'a RequestParts<'a>,
    payload_hash: &'a str,
    encoding: Encoding,
    redact: bool,
) -> CanonicalInput<'a> {
    let signed_headers = &request.signed_headers;
    CanonicalInput { parts, signed_headers, payload_hash, s3: request.is_s3(), encoding, redact }
}

fn sign_canonical(request: &SignatureRequest<'_>, canonical: &[u8], mut key: HmacSha256) -> [u8; 32] {
    let mut hash = [0_u8; 64];
    // Sixty-four digits for thirty-two bytes always fit.
    let _ = hex::encode_to_slice(Sha256::digest(canonical), &mut hash);
    let scope = request.scope();
    for part in [ALGORITHM, "\n", &request.amz_date, "\n", scope.date, "/", scope.region, "/", scope.service] {
        key.update(part.as_bytes());
    }
    key.update(b"/aws4_request\n");
    key.update(&hash);
    key.finalize().into_bytes().into()
}

fn mismatch(request: &SignatureRequest<'_>, parts: &RequestParts<'_>, payload_hash: &str) -> SigError {
    let render = |redact| {
        let mut canonical = Vec::with_capacity(1024);
        let input = canonical_input(request, parts, payload_hash, Encoding::Again, redact);
        write_canonical_request(&input, &mut canonical);
        canonical
    };
    let scope = request.scope();
    let string_to_sign = format!(
        "{ALGORITHM}\n{}\n{}/{}/{}/aws4_request\n{}",
        request.amz_date,
        scope.date,
        scope.region,
        scope.service,
        hex::encode(Sha256::digest(render(false)))
    );
    SigError::SignatureDoesNotMatch {
        canonical_request: String::from_utf8_lossy(&render(true)).into(),
        string_to_sign: string_to_sign.into(),
    }
}

fn check_signed_headers(request: &SignatureRequest<'_>, headers: &HeaderMap) -> Result<(), SigError> {
    let signed = &*request.signed_headers;
    if !signed.split(';').any(|name| matches!(name, "host" | ":authority")) {
        let text = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
        return Err(SigError::Scope(text.to_owned()));
    }
    let missing = unsigned_headers(headers, signed, request.is_s3());
    if missing.is_empty() { Ok(()) } else { Err(SigError::HeadersNotSigned(missing.join(", "))) }
}

fn check_time(request: &SignatureRequest<'_>, now: Timestamp) -> Result<(), SigError> {
    let signed_at = request.signed_at;
    if let (Form::Query, Some(seconds)) = (request.form, request.expires_seconds) {
        let ends = signed_at.plus_millis(i64::from(seconds) * 1000);
        if now > ends {
            return Err(SigError::RequestExpired(expired_text(ends, now, "")));
        }
        if signed_at > now.plus_millis(PRESIGNED_EARLY_MILLIS) {
            return Err(SigError::RequestNotYetValid(early_text(signed_at, now, PRESIGNED_EARLY_MILLIS)));
        }
        return Ok(());
    }
    if signed_at < now.plus_millis(-SKEW_MILLIS) {
        let limit = now.plus_millis(-SKEW_MILLIS);
        let detail = format!(" ({} - 15 min.)", now.amz_date());
        return Err(SigError::RequestTimeTooSkewed(expired_text(signed_at, limit, &detail)));
    }
    if signed_at > now.plus_millis(SKEW_MILLIS) {
        return Err(SigError::RequestTimeTooSkewed(early_text(signed_at, now, SKEW_MILLIS)));
    }
    Ok(())
}

fn expired_text(signed_at: Timestamp, limit: Timestamp, detail: &str) -> String {
    format!("Signature expired: {} is now earlier than {}{detail}", signed_at.amz_date(), limit.amz_date())
}

fn early_text(signed_at: Timestamp, now: Timestamp, tolerance: i64) -> String {
    format!(
        "Signature not yet current: {} is still later than {} ({} + {} min.)",
        signed_at.amz_date(),
        now.plus_millis(tolerance).amz_date(),
        now.amz_date(),
        tolerance / 60_000
    )
}
