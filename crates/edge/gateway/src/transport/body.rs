//! Response bodies: whole in memory (nearly all), a file, or a stream. One enum, so that the common case is not boxed.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};

use crate::transport::sendfile::FileBody;

/// Why a streamed body broke off.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A response body.
#[derive(Debug)]
pub enum ResponseBody {
    /// All of it.
    Whole(Full<Bytes>),
    /// Bytes of a file, for a plain connection.
    File(FileBody),
    /// A stream.
    Stream(UnsyncBoxBody<Bytes, BodyError>),
}

impl ResponseBody {
    /// All of it at once.
    pub fn whole(bytes: impl Into<Bytes>) -> ResponseBody {
        ResponseBody::Whole(Full::new(bytes.into()))
    }

    /// Nothing.
    pub fn empty() -> ResponseBody {
        ResponseBody::Whole(Full::default())
    }

    /// A stream of any body type.
    pub fn stream<B>(body: B) -> ResponseBody
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        ResponseBody::Stream(body.map_err(Into::into).boxed_unsync())
    }
}

fn never(error: Infallible) -> BodyError {
    match error {}
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            ResponseBody::Whole(body) => Pin::new(body).poll_frame(cx).map_err(never),
            ResponseBody::File(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            ResponseBody::Stream(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ResponseBody::Whole(body) => body.is_end_stream(),
            ResponseBody::File(body) => body.is_end_stream(),
            ResponseBody::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ResponseBody::Whole(body) => body.size_hint(),
            ResponseBody::File(body) => body.size_hint(),
            ResponseBody::Stream(body) => body.size_hint(),
        }
    }
}
