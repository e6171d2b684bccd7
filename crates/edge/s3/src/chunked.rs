//! The aws-chunked form of a body: sizes, data, optional chunk signatures, trailing headers. Pure: bytes in, bytes out.
//!
//! INVARIANT: holds at most one line (16 KiB) of framing; data is passed on as it comes, whatever size a chunk says.
//! Data of a signed chunk is passed on before its signature is known to hold: the end of the stream is what counts.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use stoa_kernel::ApiError;
use stoa_sigv4::SignatureRequest;
use stoa_types::Secret;
use subtle::ConstantTimeEq;

const LONGEST_LINE: usize = 16 << 10;
const MOST_TRAILERS: usize = 32;

/// What chunk signatures are made with.
#[derive(Clone)]
pub(crate) struct ChunkKey {
    key: [u8; 32],
    /// Time and scope, as they stand in every string to sign.
    scope: String,
    previous: String,
}

impl std::fmt::Debug for ChunkKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ChunkKey").field("scope", &self.scope).finish_non_exhaustive()
    }
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length, so this never fails")]
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.chain_update(text).finalize().into_bytes().into()
}

impl ChunkKey {
    /// The key of a request's own scope, seeded with its signature.
    pub fn new(secret: &Secret, request: &SignatureRequest<'_>) -> ChunkKey {
        let seed = Secret::new(["AWS4", secret.expose()].concat());
        let date = hmac(seed.expose().as_bytes(), request.date.as_bytes());
        let region = hmac(&date, request.region.as_bytes());
        let service = hmac(&region, request.service.as_bytes());
        let time = request.signed_at.amz_date();
        let scope = format!("{time}\n{}/{}/{}/aws4_request", request.date, request.region, request.service);
        ChunkKey { key: hmac(&service, b"aws4_request"), scope, previous: request.signature_hex() }
    }

    fn advance(&mut self, text: String, claimed: &[u8]) -> Result<(), ApiError> {
        let signature = hex::encode(hmac(&self.key, text.as_bytes()));
        if !bool::from(signature.as_bytes().ct_eq(claimed)) {
            let text = "The request signature we calculated does not match the signature you provided for a chunk.";
            return Err(ApiError::new("SignatureDoesNotMatch", 403, text));
        }
        self.previous = signature;
        Ok(())
    }

    fn chunk(&mut self, hash: &[u8], claimed: &[u8]) -> Result<(), ApiError> {
        let empty = hex::encode(Sha256::digest(b""));
        let text =
            format!("AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{empty}\n{}", self.scope, self.previous, hex::encode(hash));
        self.advance(text, claimed)
    }

    fn trailer(&mut self, canonical: &str, claimed: &[u8]) -> Result<(), ApiError> {
        let hash = hex::encode(Sha256::digest(canonical.as_bytes()));
        let text = format!("AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{hash}", self.scope, self.previous);
        self.advance(text, claimed)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size,
    Data,
    DataEnd,
    Trailers,
    Done,
}

/// Takes a body in aws-chunked form apart.
pub(crate) struct Decoder {
    state: State,
    line: Vec<u8>,
    /// Bytes of the current chunk that are still to come.
    left: u64,
    /// Bytes of all chunks that are still to come.
    missing: u64,
    signed: Option<Signed>,
    trailing: bool,
    lines: Vec<(String, String)>,
    trailers: Arc<Mutex<Option<HeaderMap>>>,
}

struct Signed {
    key: ChunkKey,
    hash: Sha256,
    claimed: Vec<u8>,
}

fn malformed() -> ApiError {
    ApiError::new("InvalidRequest", 400, "The body is not in the aws-chunked form")
}

fn incomplete() -> ApiError {
    let text = "The request body terminated unexpectedly or does not have the decoded length it declares";
    ApiError::new("IncompleteBody", 400, text)
}

fn malformed_trailer() -> ApiError {
    let text =
        "The request contained trailing data that was not well-formed or did not conform to our published schema.";
    ApiError::new("MalformedTrailerError", 400, text)
}

impl Decoder {
    /// A decoder of a body that declares this decoded length. `key`: its chunks are signed. `trailing`: it ends with
    /// trailing headers.
    pub fn new(length: u64, key: Option<ChunkKey>, trailing: bool, trailers: Arc<Mutex<Option<HeaderMap>>>) -> Decoder {
        let signed = key.map(|key| Signed { key, hash: Sha256::new(), claimed: Vec::new() });
        Decoder {
            state: State::Size,
            line: Vec::new(),
            left: 0,
            missing: length,
            signed,
            trailing,
            lines: Vec::new(),
            trailers,
        }
    }

    /// The next data in the input, which is consumed as far as it was read. None: more input is needed.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, ApiError> {
        while !input.is_empty() {
            match self.state {
                State::Data => return self.data(input).map(Some),
                State::Done => return Err(malformed()),
                State::Size | State::DataEnd | State::Trailers => {
                    if let Some(line) = self.line(input)? {
                        self.take_line(&line)?;
                    }
                }
            }
        }
        Ok(None)
    }

    /// The body is at its end.
    pub fn finish(&mut self) -> Result<(), ApiError> {
        // Some clients leave the empty line after the last chunk out when there are no trailers.
        if self.state == State::Trailers && self.line.is_empty() && !self.trailing {
            self.end()?;
        }
        if self.state != State::Done || self.missing > 0 { Err(incomplete()) } else { Ok(()) }
    }

    fn data(&mut self, input: &mut Bytes) -> Result<Bytes, ApiError> {
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len());
        let data = input.split_to(count);
        self.left -= count as u64;
        self.missing = self.missing.checked_sub(count as u64).ok_or_else(incomplete)?;
        if let Some(signed) = &mut self.signed {
            signed.hash.update(&data);
        }
        if self.left == 0 {
            self.chunk_ends()?;
            self.state = State::DataEnd;
        }
        Ok(data)
    }

    fn chunk_ends(&mut self) -> Result<(), ApiError> {
        match &mut self.signed {
            Some(signed) => signed.key.chunk(&signed.hash.finalize_reset(), &signed.claimed),
            None => Ok(()),
        }
    }

    /// A line without its end, once it is whole.
    fn line(&mut self, input: &mut Bytes) -> Result<Option<Vec<u8>>, ApiError> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let count = end.map_or(input.len(), |end| end + 1);
        self.line.extend_from_slice(input.get(..count).unwrap_or_default());
        input.advance(count);
        if self.line.len() > LONGEST_LINE {
            return Err(malformed());
        }
        if end.is_none() {
            return Ok(None);
        }
        let mut line = std::mem::take(&mut self.line);
        while line.last().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
            line.pop();
        }
        Ok(Some(line))
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), ApiError> {
        match self.state {
            State::DataEnd if line.is_empty() => self.state = State::Size,
            State::Size => return self.size_line(line),
            State::Trailers if line.is_empty() => return self.end(),
            State::Trailers => return self.trailer_line(line),
            _ => return Err(malformed()),
        }
        Ok(())
    }

    fn size_line(&mut self, line: &[u8]) -> Result<(), ApiError> {
        let text = std::str::from_utf8(line).map_err(|_| malformed())?;
        let (size, extension) = text.split_once(';').unwrap_or((text, ""));
        if size.is_empty() || !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(malformed());
        }
        self.left = u64::from_str_radix(size, 16).map_err(|_| malformed())?;
        if let Some(signed) = &mut self.signed {
            let claimed = extension.strip_prefix("chunk-signature=").ok_or_else(malformed)?;
            signed.claimed = claimed.as_bytes().to_vec();
        }
        if self.left > 0 {
            self.state = State::Data;
            return Ok(());
        }
        self.chunk_ends()?;
        self.state = State::Trailers;
        Ok(())
    }

    fn trailer_line(&mut self, line: &[u8]) -> Result<(), ApiError> {
        let text = std::str::from_utf8(line).map_err(|_| malformed_trailer())?;
        let (name, value) = text.split_once(':').ok_or_else(malformed_trailer)?;
        if !self.trailing || self.lines.len() == MOST_TRAILERS {
            return Err(malformed_trailer());
        }
        self.lines.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        Ok(())
    }

    fn end(&mut self) -> Result<(), ApiError> {
        let mut lines = std::mem::take(&mut self.lines);
        lines.sort();
        let mut claimed = None;
        let (mut canonical, mut headers) = (String::new(), HeaderMap::new());
        for (name, value) in lines {
            if name == "x-amz-trailer-signature" {
                claimed = Some(value);
                continue;
            }
            canonical.push_str(&format!("{name}:{value}\n"));
            let name = HeaderName::try_from(name).map_err(|_| malformed_trailer())?;
            headers.append(name, HeaderValue::try_from(value).map_err(|_| malformed_trailer())?);
        }
        if let Some(signed) = &mut self.signed
            && self.trailing
        {
            let claimed = claimed.ok_or_else(malformed_trailer)?;
            signed.key.trailer(&canonical, claimed.as_bytes())?;
        }
        *self.trailers.lock() = Some(headers);
        self.state = State::Done;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
