//! The seam to the S3 edge: requests that are S3's, with what the socket knows of them.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::{Request, Response};
use stoa_kernel::Connection;
use stoa_types::Timestamp;

use crate::transport::body::ResponseBody;

/// What the gateway knows of a request that it hands over.
#[derive(Debug, Clone)]
pub struct S3Call {
    /// Goes out as `x-amz-request-id` and into the audit journal.
    pub request_id: String,
    /// When it was accepted.
    pub now: Timestamp,
    /// How it came in.
    pub connection: Arc<Connection>,
    /// Whether an answer may have a [`stoa_blob::FileSlice`] as an extension in place of its body.
    pub takes_files: bool,
}

/// Serves S3. It authenticates, decides and audits by the kernel itself; the gateway adds the request id header.
pub trait S3Front: Send + Sync {
    /// Answers one request; its body may be as long as it likes.
    fn call(&self, request: Request<Incoming>, call: S3Call) -> BoxFuture<'_, Response<ResponseBody>>;
}
