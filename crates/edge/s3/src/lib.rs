//! S3 framing by s3s, over the kernel's authenticate, decide and audit.
//!
//! [`S3Service::call`] reads top to bottom: authenticate (stoa-sigv4), unwrap the body (aws-chunked, payload hash), hand
//! to s3s for routing and XML, decide and begin the audit record where s3s asks for access, handle over the kernel's
//! bucket ports, then finish the error document and the audit record. S3 has no rules of its own about who may do what.

mod access;
mod answer;
mod api;
mod audit;
mod authenticate;
mod call;
mod chunked;
mod cors;
mod form;
mod host;
mod operations;
mod payload;
mod service;
mod signature_v2;

pub use service::{S3Service, S3Settings, ServerCall};
