//! Between the gateway and the Hugging Face edge, which do not know each other.

use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::{Request, Response};
use stoa_gateway::{ResponseBody, S3Call, S3Front};
use stoa_hf::{HfService, ServerCall};

/// The Hugging Face edge as the gateway wants it.
pub struct HfFrontage(pub HfService);

impl S3Front for HfFrontage {
    fn call(&self, request: Request<Incoming>, call: S3Call) -> BoxFuture<'_, Response<ResponseBody>> {
        let S3Call { request_id, now, connection, takes_files: _ } = call;
        Box::pin(async move {
            let answer = self.0.call(request, ServerCall { request_id, now, connection }).await;
            answer.map(ResponseBody::stream)
        })
    }
}
