//! Sockets, TLS, HTTP framing and the front door: everything below the pipeline. Knows no service and no operation.

pub(crate) mod body;
pub(crate) mod ca;
pub(crate) mod connection;
pub(crate) mod front_door;
pub(crate) mod sendfile;
pub(crate) mod server;
