//! What an operator may set about the front: limits, time, the tunnel's list.

use std::time::Duration;

/// Limits on what one client can cost.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For a whole request head, and for an idle connection to bring the next one.
    pub header_read: Duration,
    /// For a TLS handshake.
    pub handshake: Duration,
    /// Between two pieces of a request body, and for a whole buffered one.
    pub body_read: Duration,
    /// For an operation once its body is there.
    pub request: Duration,
    /// Size of a request head.
    pub header_bytes: usize,
    /// Number of headers; hyper keeps up to 100 without an allocation.
    pub header_count: usize,
    /// Body of the control-plane protocols.
    pub control_body_bytes: usize,
    /// Body of an invocation: AWS's 6 MiB and a quarter.
    pub invocation_body_bytes: usize,
    /// Connections at the same time; more wait in the backlog.
    pub connections: usize,
    /// Concurrent HTTP/2 streams of one connection.
    pub http2_streams: u32,
    /// For requests in flight when the server stops.
    pub shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            header_read: Duration::from_secs(60),
            handshake: Duration::from_secs(10),
            body_read: Duration::from_secs(30),
            request: Duration::from_secs(75),
            header_bytes: 64 * 1024,
            header_count: 100,
            control_body_bytes: 2 * 1024 * 1024,
            invocation_body_bytes: 6 * 1024 * 1024 * 5 / 4,
            connections: 10_000,
            http2_streams: 256,
            shutdown: Duration::from_secs(20),
        }
    }
}

/// What the front needs beside the registry and the ports.
#[derive(Debug, Clone, Default)]
pub struct GatewayConfig {
    /// Limits.
    pub limits: Limits,
    /// Hosts that are not AWS's to which `CONNECT` may tunnel: `host`, `*.domain`, either with `:port` (443 otherwise).
    pub allow_tunnel: Vec<String>,
    /// The regions served; the first is the one of requests that name none. Empty: any.
    pub regions: Vec<stoa_types::Region>,
}
