//! Between the gateway and the S3 edge, which do not know each other.

use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::{Request, Response};
use stoa_gateway::{ResponseBody, S3Call, S3Front};
use stoa_s3::{S3Service, ServerCall};

/// The S3 edge as the gateway wants it.
pub struct S3Frontage(pub S3Service);

impl S3Front for S3Frontage {
    fn call(&self, request: Request<Incoming>, call: S3Call) -> BoxFuture<'_, Response<ResponseBody>> {
        let S3Call { request_id, now, connection, takes_files } = call;
        Box::pin(async move {
            let answer = self.0.call(request, ServerCall { request_id, now, connection, takes_files }).await;
            answer.map(ResponseBody::stream)
        })
    }
}
