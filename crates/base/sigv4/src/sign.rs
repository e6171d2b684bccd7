//! The client's half: signs headers and URLs. Used for presigned answers, the command line and tests.

use hmac::Mac;
use http::header::{AUTHORIZATION, InvalidHeaderValue};
use http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};
use stoa_types::{Secret, Timestamp};

use crate::canonical::{CanonicalInput, Encoding, encoded, write_canonical_request};
use crate::keys::{KeyScope, derive};
use crate::parse::{ALGORITHM, is_s3};
use crate::payload::{UNSIGNED_PAYLOAD, payload_hash};
use crate::verify::RequestParts;

/// Whose key signs, for which service and region, and when.
#[derive(Debug, Clone)]
pub struct Signer<'a> {
    /// The access key id.
    pub access_key_id: &'a str,
    /// Its secret.
    pub secret: &'a Secret,
    /// The session token, for temporary credentials.
    pub session_token: Option<&'a Secret>,
    /// The region of the credential scope.
    pub region: &'a str,
    /// The service of the credential scope.
    pub service: &'a str,
    /// The time of signing.
    pub now: Timestamp,
}

impl Signer<'_> {
    fn signature(&self, amz_date: &str, canonical: &[u8]) -> String {
        let date = amz_date.get(..8).unwrap_or("");
        let scope = KeyScope { access_key_id: self.access_key_id, date, region: self.region, service: self.service };
        let hash = hex::encode(Sha256::digest(canonical));
        let text = format!("{ALGORITHM}\n{amz_date}\n{date}/{}/{}/aws4_request\n{hash}", self.region, self.service);
        hex::encode(derive(scope, self.secret).chain_update(text.as_bytes()).finalize().into_bytes())
    }

    fn credential(&self, amz_date: &str) -> String {
        let date = amz_date.get(..8).unwrap_or("");
        format!("{}/{date}/{}/{}/aws4_request", self.access_key_id, self.region, self.service)
    }
}

/// Adds `x-amz-date`, the session token, for S3 `x-amz-content-sha256`, and `Authorization`. `headers` must hold
/// `Host`; `path` and `query` are as they go on the wire. `payload` is the body's hash or a literal mode.
pub fn sign_headers(
    signer: &Signer<'_>,
    method: &str,
    path: &str,
    query: &str,
    headers: &mut HeaderMap,
    payload: &str,
) -> Result<(), InvalidHeaderValue> {
    let amz_date = signer.now.amz_date();
    headers.insert("x-amz-date", HeaderValue::from_str(&amz_date)?);
    if let Some(token) = signer.session_token {
        headers.insert("x-amz-security-token", HeaderValue::from_str(token.expose())?);
    }
    if is_s3(signer.service) {
        headers.insert("x-amz-content-sha256", HeaderValue::from_str(payload)?);
    }
    let unsignable = ["authorization", "user-agent", "expect", "transfer-encoding", "connection", "x-amzn-trace-id"];
    let mut names: Vec<&str> =
        headers.keys().map(|name| name.as_str()).filter(|name| !unsignable.contains(name)).collect();
    names.sort_unstable();
    let signed_headers = names.join(";");
    let parts = RequestParts { method, path, query, authority: None, headers };
    let signature = signature_of(signer, &amz_date, &parts, &signed_headers, payload);
    let credential = signer.credential(&amz_date);
    let value = format!("{ALGORITHM} Credential={credential}, SignedHeaders={signed_headers}, Signature={signature}");
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&value)?);
    Ok(())
}

/// The signed query of a presigned request to `host`: the given query (wire form, may be empty) and all `X-Amz-`
/// parameters. S3's payload is unsigned, that of other services is empty.
pub fn presign(signer: &Signer<'_>, method: &str, host: &str, path: &str, query: &str, expires_seconds: u32) -> String {
    let amz_date = signer.now.amz_date();
    let mut pairs = vec![
        format!("X-Amz-Algorithm={ALGORITHM}"),
        format!("X-Amz-Credential={}", encoded(&signer.credential(&amz_date))),
        format!("X-Amz-Date={amz_date}"),
        format!("X-Amz-Expires={expires_seconds}"),
        "X-Amz-SignedHeaders=host".to_owned(),
    ];
    if let Some(token) = signer.session_token {
        pairs.push(format!("X-Amz-Security-Token={}", encoded(token.expose())));
    }
    if !query.is_empty() {
        pairs.insert(0, query.to_owned());
    }
    let mut signed = pairs.join("&");
    let payload = if is_s3(signer.service) { UNSIGNED_PAYLOAD.to_owned() } else { payload_hash(b"") };
    let headers = HeaderMap::new();
    let parts = RequestParts { method, path, query: &signed, authority: Some(host), headers: &headers };
    let signature = signature_of(signer, &amz_date, &parts, "host", &payload);
    signed.push_str("&X-Amz-Signature=");
    signed.push_str(&signature);
    signed
}

fn signature_of(
    signer: &Signer<'_>,
    amz_date: &str,
    parts: &RequestParts<'_>,
    signed_headers: &str,
    payload_hash: &str,
) -> String {
    let s3 = is_s3(signer.service);
    let input = CanonicalInput { parts, signed_headers, payload_hash, s3, encoding: Encoding::Again, redact: false };
    let mut canonical = Vec::with_capacity(1024);
    write_canonical_request(&input, &mut canonical);
    signer.signature(amz_date, &canonical)
}
