//! The body of a request as a plain stream: unwrapped, held to its declared hash, not slower than a client may be.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt, unfold};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame};
use http_body_util::{BodyDataStream, StreamBody};
use s3s::StdError;
use sha2::{Digest, Sha256};
use stoa_kernel::ApiError;
use stoa_sigv4::PayloadMode;

use crate::call::Call;
use crate::chunked::{ChunkKey, Decoder};

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
    let Some((key, trailing)) = decoder else { return Ok(Reading { decoder: None }) };
    let length = decoded_length(&parts.headers)?;
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    unwrap_encoding(&mut parts.headers);
    let decoder = Decoder::new(length, key, trailing, Arc::clone(&call.body.trailers));
    Ok(Reading { decoder: Some(decoder) })
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
    if body.is_end_stream() && reading.decoder.is_none() && call.body.sha256.lock().is_none() {
        return s3s::Body::empty();
    }
    let pieces = plain(body, idle);
    let pieces = match reading.decoder {
        Some(decoder) => unchunked(pieces, decoder),
        None => hashed(pieces, Arc::clone(call)),
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
