//! Listener, TLS, front door and the one request pipeline.
//!
//! [`Server`] owns the socket, [`Gateway`] what is behind it: it hands S3 to an [`S3Front`] and everything else to the
//! pipeline (`pipeline.rs`), which reads top to bottom and has no private way around it.

mod audit;
mod authenticate;
mod config;
mod errors;
mod gateway;
mod hosts;
mod identify;
mod metrics;
mod pipeline;
mod s3_front;
mod transport;

pub use config::{GatewayConfig, Limits};
pub use gateway::Gateway;
pub use metrics::Metrics;
pub use s3_front::{S3Call, S3Front};
pub use transport::body::{BodyError, ResponseBody};
pub use transport::ca::{CaError, CertificateAuthority};
pub use transport::sendfile::FileBody;
pub use transport::server::Server;
