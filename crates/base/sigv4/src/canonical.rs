//! The canonical request: one rendering of method, path, query, headers and payload that both sides must agree on.
//!
//! INVARIANT: total over any bytes; at most one pass over the input plus one sort of the query.

use std::borrow::Cow;

use http::HeaderMap;

use crate::verify::RequestParts;

/// How path and query are brought to one form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Decoded and encoded again, as AWS does.
    Again,
    /// Exactly as on the wire, as botocore's signer does; the same for requests that are already canonical.
    AsSent,
}

/// What the canonical request is made from, beside the request itself.
pub(crate) struct CanonicalInput<'a> {
    pub parts: &'a RequestParts<'a>,
    pub signed_headers: &'a str,
    pub payload_hash: &'a str,
    /// S3 encodes the path once and never normalises it.
    pub s3: bool,
    pub encoding: Encoding,
    /// Replace the session token, for messages.
    pub redact: bool,
}

/// Writes the canonical request.
pub(crate) fn write_canonical_request(input: &CanonicalInput<'_>, out: &mut Vec<u8>) {
    let parts = input.parts;
    out.extend_from_slice(parts.method.as_bytes());
    out.push(b'\n');
    write_path(parts.path, input.s3, input.encoding, out);
    out.push(b'\n');
    write_query(parts.query, input.encoding, input.redact, out);
    out.push(b'\n');
    for name in input.signed_headers.split(';') {
        write_header(parts, name, input.redact, out);
    }
    out.push(b'\n');
    out.extend_from_slice(input.signed_headers.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(input.payload_hash.as_bytes());
}

fn write_header(parts: &RequestParts<'_>, name: &str, redact: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    if redact && name == "x-amz-security-token" {
        out.extend_from_slice(b"(redacted)\n");
        return;
    }
    let mut first = true;
    for value in parts.headers.get_all(name) {
        if !first {
            out.push(b',');
        }
        first = false;
        write_trimmed(value.as_bytes(), out);
    }
    // HTTP/2 carries the host as `:authority`.
    if first && name == "host" {
        out.extend_from_slice(parts.authority.unwrap_or("").as_bytes());
    }
    out.push(b'\n');
}

/// Without white space at both ends; each run of it inside becomes one space.
fn write_trimmed(value: &[u8], out: &mut Vec<u8>) {
    let value = value.trim_ascii();
    let mut in_space = false;
    for byte in value {
        if byte.is_ascii_whitespace() {
            in_space = true;
            continue;
        }
        if in_space {
            out.push(b' ');
            in_space = false;
        }
        out.push(*byte);
    }
}

fn write_path(path: &str, s3: bool, encoding: Encoding, out: &mut Vec<u8>) {
    if path.is_empty() || path == "/" {
        out.push(b'/');
        return;
    }
    match (s3, encoding) {
        (true, Encoding::AsSent) => out.extend_from_slice(path.as_bytes()),
        (true, Encoding::Again) => {
            for segment in path.split('/').enumerate().map(|(index, segment)| (index > 0, segment)) {
                if segment.0 {
                    out.push(b'/');
                }
                out.extend_from_slice(encode_again(segment.1, false).as_bytes());
            }
        }
        (false, _) => write_normalised(path, out),
    }
}

/// Dot segments and doubled slashes removed, then encoded (a second time, since the wire form is encoded once).
fn write_normalised(path: &str, out: &mut Vec<u8>) {
    let mut segments: Vec<&str> = Vec::with_capacity(8);
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    for segment in &segments {
        out.push(b'/');
        encode(segment.as_bytes(), out);
    }
    if path.ends_with('/') || segments.is_empty() {
        out.push(b'/');
    }
}

fn write_query(query: &str, encoding: Encoding, redact: bool, out: &mut Vec<u8>) {
    if query.is_empty() {
        return;
    }
    let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::with_capacity(8);
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if name == "X-Amz-Signature" || (pair.is_empty() && encoding == Encoding::Again) {
            continue;
        }
        if redact && name == "X-Amz-Security-Token" {
            pairs.push((Cow::Borrowed(name), Cow::Borrowed("(redacted)")));
            continue;
        }
        pairs.push(match encoding {
            Encoding::AsSent => (Cow::Borrowed(name), Cow::Borrowed(value)),
            Encoding::Again => (encode_again(name, true), encode_again(value, true)),
        });
    }
    pairs.sort_unstable();
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        out.extend_from_slice(value.as_bytes());
    }
}

fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Percent-encodes everything but unreserved characters.
pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        if unreserved(*byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
}

/// Percent-encodes a text, borrowing it where nothing changes.
pub(crate) fn encoded(text: &str) -> Cow<'_, str> {
    if text.bytes().all(unreserved) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len() + 16);
    encode(text.as_bytes(), &mut out);
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

fn encode_again(text: &str, plus_is_space: bool) -> Cow<'_, str> {
    if text.bytes().all(unreserved) {
        return Cow::Borrowed(text);
    }
    let decoded = decode(text, plus_is_space);
    let mut out = Vec::with_capacity(text.len() + 16);
    encode(&decoded, &mut out);
    // Only ASCII was written.
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

/// Percent-decodes; a `%` that is no escape stays as it is.
pub(crate) fn decode(text: &str, plus_is_space: bool) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) => match (hex_digit(*high), hex_digit(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    rest = after;
                }
                _ => out.push(b'%'),
            },
            (b'+', _) if plus_is_space => out.push(b' '),
            _ => out.push(*first),
        }
    }
    out
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Names of headers that must be signed and are not, in the order they were sent.
pub(crate) fn unsigned_headers<'a>(headers: &'a HeaderMap, signed: &str, s3: bool) -> Vec<&'a str> {
    let mut missing = Vec::new();
    for name in headers.keys() {
        let name = name.as_str();
        let Some(suffix) = name.strip_prefix("x-amz-") else { continue };
        let exempt = match suffix {
            // Browsers' stand-in for User-Agent; it decides nothing.
            "user-agent" => true,
            // Bound otherwise: by the key looked up, the string to sign, the payload hash.
            "security-token" | "date" | "content-sha256" => !s3,
            _ => false,
        };
        if !exempt && !signed.split(';').any(|each| each == name) {
            missing.push(name);
        }
    }
    missing
}
