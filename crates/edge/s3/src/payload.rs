//! The body of a request as a plain stream: unwrapped, held to its declared hash, not slower than a client may be.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt, unfold};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};
use http_body::{Body, Frame};
use http_body_util::{BodyDataStream, StreamBody};
use md5::Md5;
use s3s::StdError;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use stoa_kernel::ApiError;
use stoa_kernel::ports::ChecksumAlgorithm;
use stoa_sigv4::PayloadMode;

use crate::api::convert::{ALGORITHMS, declared_checksum, declared_md5};
use crate::call::Call;
use crate::chunked::{ChunkKey, Decoder};
use crate::operations::Operation;

pub(crate) type Pieces = BoxStream<'static, Result<Bytes, StdError>>;

/// A body as it comes, given so long between two pieces.
pub(crate) fn plain<B>(body: B, idle: Duration) -> Pieces
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<StdError>,
{
    patient(BodyDataStream::new(body).map_err(Into::into).boxed(), idle)
}

/// How a body is to be read.
pub(crate) struct Reading {
    decoder: Option<Decoder>,
    digests: Digests,
}

/// What the head says that the body is.
#[derive(Default)]
struct Digests {
    md5: Option<[u8; 16]>,
    checksums: Vec<(ChecksumAlgorithm, String)>,
    /// One of them is none. Told when the body is read, since the operation is known then.
    invalid: Option<ApiError>,
}

impl Digests {
    fn of(parts: &Parts) -> Digests {
        // What completes an upload tells the checksum of the object, not of the document.
        let query = parts.uri.query().unwrap_or("");
        let completes = parts.method == Method::POST && query.split('&').any(|pair| pair.starts_with("uploadId="));
        Digests::read(&parts.headers, !completes)
            .unwrap_or_else(|error| Digests { invalid: Some(error), ..Digests::default() })
    }

    fn read(headers: &HeaderMap, checksums: bool) -> Result<Digests, ApiError> {
        let mut digests = Digests { md5: declared_md5(headers)?, ..Digests::default() };
        for (algorithm, name) in ALGORITHMS.into_iter().filter(|_| checksums) {
            if let Some(value) = declared_checksum(headers, algorithm, name)? {
                digests.checksums.push((algorithm, value));
            }
        }
        Ok(digests)
    }

    fn is_empty(&self) -> bool {
        self.md5.is_none() && self.checksums.is_empty() && self.invalid.is_none()
    }

    fn check(&mut self, body: &[u8]) -> Result<(), ApiError> {
        if let Some(error) = self.invalid.take() {
            return Err(error);
        }
        if self.md5.is_some_and(|declared| Md5::digest(body).as_slice() != declared) {
            let text = "The Content-MD5 you specified did not match what we received.";
            return Err(ApiError::new("BadDigest", 400, text));
        }
        match self.checksums.iter().find(|(algorithm, declared)| checksum(*algorithm, body) != *declared) {
            Some((algorithm, _)) => {
                let text = format!("The {} you specified did not match the calculated checksum.", algorithm.name());
                Err(ApiError::new("BadDigest", 400, text))
            }
            None => Ok(()),
        }
    }
}

fn checksum(algorithm: ChecksumAlgorithm, body: &[u8]) -> String {
    let crc = |kind| crc_fast::checksum(kind, body);
    match algorithm {
        ChecksumAlgorithm::Crc32 => STANDARD.encode((crc(CrcAlgorithm::Crc32IsoHdlc) as u32).to_be_bytes()),
        ChecksumAlgorithm::Crc32c => STANDARD.encode((crc(CrcAlgorithm::Crc32Iscsi) as u32).to_be_bytes()),
        ChecksumAlgorithm::Crc64Nvme => STANDARD.encode(crc(CrcAlgorithm::Crc64Nvme).to_be_bytes()),
        ChecksumAlgorithm::Sha1 => STANDARD.encode(Sha1::digest(body)),
        ChecksumAlgorithm::Sha256 => STANDARD.encode(Sha256::digest(body)),
    }
}

/// Whether the head says by a digest what the body is, or that a trailer will.
pub(crate) fn has_digest(headers: &HeaderMap) -> bool {
    let names = ALGORITHMS.iter().map(|(_, name)| *name);
    names.chain(["content-md5", "x-amz-trailer"]).any(|name| headers.contains_key(name))
}

/// Prepares to read the body and removes from the head what was for the signature and the framing alone.
pub(crate) fn prepare(
    parts: &mut Parts,
    payload: (PayloadMode, Option<ChunkKey>),
    call: &Call,
) -> Result<Reading, ApiError> {
    let (mode, key) = payload;
    let decoder = match mode {
        PayloadMode::Unsigned => None,
        PayloadMode::Hash(hash) => {
            *call.body.sha256.lock() = Some(hash);
            None
        }
        PayloadMode::StreamingUnsignedTrailer => Some((None, true)),
        PayloadMode::StreamingSigned => Some((key, false)),
        PayloadMode::StreamingSignedTrailer => Some((key, true)),
    };
    let digests = Digests::of(parts);
    let Some((key, trailing)) = decoder else { return Ok(Reading { decoder: None, digests }) };
    let length = decoded_length(&parts.headers)?;
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    unwrap_encoding(&mut parts.headers);
    let decoder = Decoder::new(length, key, trailing, Arc::clone(&call.body.trailers));
    Ok(Reading { decoder: Some(decoder), digests })
}

fn decoded_length(headers: &HeaderMap) -> Result<u64, ApiError> {
    let text = headers.get("x-amz-decoded-content-length").and_then(|value| value.to_str().ok());
    text.and_then(|text| text.parse().ok()).ok_or_else(|| {
        ApiError::new("MissingContentLength", 411, "You must provide the x-amz-decoded-content-length HTTP header.")
    })
}

/// `aws-chunked` describes the transfer, not the object.
fn unwrap_encoding(headers: &mut HeaderMap) {
    let Some(value) = headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok()) else { return };
    let rest: Vec<&str> = value.split(',').map(str::trim).filter(|name| *name != "aws-chunked").collect();
    let rest = rest.join(",");
    match HeaderValue::from_str(&rest) {
        Ok(value) if !rest.is_empty() => drop(headers.insert(CONTENT_ENCODING, value)),
        _ => drop(headers.remove(CONTENT_ENCODING)),
    }
}

/// The body for s3s. Its errors are also noted in the call.
pub(crate) fn body<B>(body: B, reading: Reading, call: &Arc<Call>, idle: Duration) -> s3s::Body
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<StdError>,
{
    let as_sent = reading.decoder.is_none() && reading.digests.is_empty();
    if body.is_end_stream() && as_sent && call.body.sha256.lock().is_none() {
        return s3s::Body::empty();
    }
    let pieces = plain(body, idle);
    let pieces = match reading.decoder {
        Some(decoder) => unchunked(pieces, decoder),
        None => hashed(pieces, Arc::clone(call)),
    };
    let pieces = match reading.digests.is_empty() {
        true => pieces,
        false => digested(pieces, reading.digests, Arc::clone(call)),
    };
    let noted = Arc::clone(call);
    let pieces = pieces.inspect_err(move |error| {
        if let Some(error) = error.downcast_ref::<ApiError>() {
            *noted.body.error.lock() = Some(ApiError::new(error.code().to_owned(), error.status(), error.message()));
        }
    });
    s3s::Body::http_body_unsync(StreamBody::new(pieces.map_ok(Frame::data)))
}

/// Gives a client so long between two pieces.
fn patient(pieces: Pieces, idle: Duration) -> Pieces {
    let waiting = unfold(Some(pieces), move |pieces| async move {
        let mut pieces = pieces?;
        match tokio::time::timeout(idle, pieces.next()).await {
            Ok(Some(Ok(piece))) => Some((Ok(piece), Some(pieces))),
            Ok(Some(Err(error))) => Some((Err(error), None)),
            Ok(None) => None,
            Err(_) => {
                let text = "Your socket connection to the server was not read from or written to within the timeout \
                            period. Idle connections will be closed.";
                let error: StdError = Box::new(ApiError::new("RequestTimeout", 400, text));
                Some((Err(error), None))
            }
        }
    });
    waiting.fuse().boxed()
}

fn unchunked(pieces: Pieces, decoder: Decoder) -> Pieces {
    let decoded = unfold(Some((pieces, decoder, Bytes::new())), |state| async move {
        let (mut pieces, mut decoder, mut input) = state?;
        loop {
            match decoder.next(&mut input) {
                Ok(Some(data)) => return Some((Ok(data), Some((pieces, decoder, input)))),
                Ok(None) => {}
                Err(error) => return Some((Err(Box::new(error) as StdError), None)),
            }
            input = match pieces.next().await {
                Some(Ok(piece)) => piece,
                Some(Err(error)) => return Some((Err(error), None)),
                None => return decoder.finish().err().map(|error| (Err(Box::new(error) as StdError), None)),
            };
        }
    });
    decoded.boxed()
}

/// Holds a document to the digests in the head; s3s reads it whole and looks at none of them. Where a handler reads the
/// body, that checks it. By the first piece the operation is known.
fn digested(pieces: Pieces, digests: Digests, call: Arc<Call>) -> Pieces {
    let checked = unfold((pieces, digests, call, Vec::new()), |(mut pieces, mut digests, call, mut read)| async move {
        let document = call.operation.get().is_some_and(Operation::takes_document);
        match pieces.next().await {
            Some(Ok(piece)) => {
                if document {
                    read.extend_from_slice(&piece);
                }
                Some((Ok(piece), (pieces, digests, call, read)))
            }
            Some(Err(error)) => Some((Err(error), (pieces, Digests::default(), call, Vec::new()))),
            None if document => {
                let error: StdError = Box::new(digests.check(&read).err()?);
                Some((Err(error), (pieces, Digests::default(), call, Vec::new())))
            }
            None => None,
        }
    });
    checked.boxed()
}

/// Holds a body to the hash its signature declares, unless a handler took that over before the first piece.
fn hashed(pieces: Pieces, call: Arc<Call>) -> Pieces {
    let checked = unfold((pieces, call, None::<Option<([u8; 32], Sha256)>>), |(mut pieces, call, check)| async move {
        let mut check = match check {
            Some(check) => check,
            None => call.body.sha256.lock().take().map(|declared| (declared, Sha256::new())),
        };
        match pieces.next().await {
            Some(Ok(piece)) => {
                if let Some((_, hash)) = &mut check {
                    hash.update(&piece);
                }
                Some((Ok(piece), (pieces, call, Some(check))))
            }
            Some(Err(error)) => Some((Err(error), (pieces, call, Some(None)))),
            None => {
                let (declared, hash) = check?;
                if hash.finalize().as_slice() == declared {
                    return None;
                }
                let text = "The provided 'x-amz-content-sha256' header does not match what was computed.";
                let error: StdError = Box::new(ApiError::new("XAmzContentSHA256Mismatch", 400, text));
                Some((Err(error), (pieces, call, Some(None))))
            }
        }
    });
    checked.boxed()
}
