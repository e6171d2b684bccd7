//! Presigned URLs of Signature Version 2: what boto3 makes by default in AWS's older regions. Only this form of it;
//! the header form is refused. Pure.
//!
//! INVARIANT: the signature covers method, path, expiry, `x-amz-*` headers and the parameters that choose an operation
//! or change its answer, as AWS has it; it is compared in constant time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::request::Parts;
use percent_encoding::percent_decode_str;
use sha1::Sha1;
use stoa_kernel::ApiError;
use stoa_types::{Secret, Timestamp};
use subtle::ConstantTimeEq;

/// Parameters that are part of what is signed.
const SIGNED: [&str; 38] = [
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "encryption",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "retention",
    "select",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// A claimed signature of this version.
pub(crate) struct Presigned {
    pub access_key_id: String,
    pub session_token: Option<String>,
    signature: Vec<u8>,
    expires: i64,
    pairs: Vec<(String, String)>,
}

/// Finds the claim in a query that has all three of its parameters, and no other kind of signature.
pub(crate) fn find(parts: &Parts) -> Option<Presigned> {
    if parts.headers.contains_key("authorization") {
        return None;
    }
    let query = parts.uri.query()?;
    if query.split('&').any(|pair| pair.starts_with("X-Amz-")) {
        return None;
    }
    let pairs: Vec<(String, String)> = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect();
    if pairs.iter().any(|(name, _)| name.starts_with("X-Amz-")) {
        return None;
    }
    // Each stands once; a second one of its name is no claim.
    let one = |wanted: &str| {
        let mut found = pairs.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        found.next().filter(|_| found.next().is_none())
    };
    Some(Presigned {
        access_key_id: one("AWSAccessKeyId")?,
        signature: STANDARD.decode(one("Signature")?).ok()?,
        expires: one("Expires")?.parse().ok()?,
        session_token: one("x-amz-security-token"),
        pairs,
    })
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// Whether a signature is this secret's over a text.
pub(crate) fn signs(secret: &Secret, text: &[u8], signature: &[u8]) -> bool {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length, so this never fails")]
    let mac = Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes()).expect("a key of any length");
    let expected = mac.chain_update(text).finalize().into_bytes();
    expected.as_slice().ct_eq(signature).into()
}

impl Presigned {
    /// Checks the claim. `bucket`: the one in the host name.
    pub fn verify(&self, parts: &Parts, bucket: Option<&str>, secret: &Secret, now: Timestamp) -> Result<(), ApiError> {
        if now.seconds() > self.expires {
            return Err(ApiError::access_denied("Request has expired"));
        }
        if signs(secret, self.string_to_sign(parts, bucket).as_bytes(), &self.signature) {
            return Ok(());
        }
        let text = "The request signature we calculated does not match the signature you provided. Check your key and \
                    signing method.";
        Err(ApiError::new("SignatureDoesNotMatch", 403, text))
    }

    fn string_to_sign(&self, parts: &Parts, bucket: Option<&str>) -> String {
        let header = |name: &str| {
            let sent = parts.headers.get(name).and_then(|value| value.to_str().ok());
            let in_query = || self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
            sent.or_else(in_query).unwrap_or("").trim().to_owned()
        };
        let bucket = bucket.map(|bucket| format!("/{bucket}")).unwrap_or_default();
        format!(
            "{}\n{}\n{}\n{}\n{}{bucket}{}{}",
            parts.method,
            header("content-md5"),
            header("content-type"),
            self.expires,
            self.amz_headers(parts),
            parts.uri.path(),
            self.resource()
        )
    }

    /// Headers and parameters called `x-amz-…`: a client may move the ones into the others when it presigns.
    fn amz_headers(&self, parts: &Parts) -> String {
        let sent = parts.headers.iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
        });
        let all = sent.chain(self.pairs.iter().cloned());
        let mut all: Vec<(String, String)> = all.filter(|(name, _)| name.starts_with("x-amz-")).collect();
        all.sort();
        all.into_iter().map(|(name, value)| format!("{name}:{value}\n")).collect()
    }

    fn resource(&self) -> String {
        let mut signed: Vec<&(String, String)> =
            self.pairs.iter().filter(|(name, _)| SIGNED.contains(&name.as_str())).collect();
        signed.sort();
        let mut text = String::new();
        for (name, value) in signed {
            text.push(if text.is_empty() { '?' } else { '&' });
            text.push_str(name);
            if !value.is_empty() {
                text.push('=');
                text.push_str(value);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(method: &str, target: &str) -> Parts {
        http::Request::builder().method(method).uri(target).body(()).unwrap().into_parts().0
    }

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn check(method: &str, target: &str, bucket: Option<&str>, now: Timestamp) -> Result<(), String> {
        let parts = parts(method, target);
        let claim = find(&parts).ok_or("no claim")?;
        let secret = Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        claim.verify(&parts, bucket, &secret, now).map_err(|error| error.code().to_owned())
    }

    #[test]
    fn urls_made_by_botocore() {
        for line in include_str!("signature_v2.txt").lines() {
            let mut words = line.split(' ');
            let (method, bucket, target) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            let bucket = Some(bucket).filter(|bucket| *bucket != "-");
            assert_eq!(check(method, target, bucket, NOW), Ok(()), "{line}");
            let wrong = if method == "GET" { "PUT" } else { "GET" };
            assert_eq!(check(wrong, target, bucket, NOW).unwrap_err(), "SignatureDoesNotMatch");
            let path = target.replacen("key", "kex", 1);
            assert_eq!(check(method, &path, bucket, NOW).unwrap_err(), "SignatureDoesNotMatch");
            assert_eq!(check(method, target, Some("other"), NOW).unwrap_err(), "SignatureDoesNotMatch");
            let late = NOW.plus_millis(3_601_000);
            assert_eq!(check(method, target, bucket, late).unwrap_err(), "AccessDeniedException");
            let longer = target.replace("Expires=1790003600", "Expires=1790009999");
            assert_eq!(check(method, &longer, bucket, late).unwrap_err(), "SignatureDoesNotMatch");
        }
    }

    #[test]
    fn no_claims() {
        for target in [
            "/k",
            "/k?Signature=x",
            "/k?AWSAccessKeyId=A&Signature=eA==",
            "/k?AWSAccessKeyId=A&AWSAccessKeyId=B&Signature=eA==&Expires=1",
            "/k?AWSAccessKeyId=A&Signature=eA==&Expires=1&X-Amz-Signature=x",
        ] {
            assert!(find(&parts("GET", target)).is_none(), "{target}");
        }
    }
}
