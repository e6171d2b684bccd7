//! The command line's way into a running server: one JSON request and one JSON answer a line, over a Unix socket in the
//! data folder that only this user may open. Every command is in the audit journal.

mod client;
mod protocol;
mod server;
mod socket;

pub use client::{call, call_with};
pub use protocol::AdminCommand;
pub use server::{AdminParts, AdminServer};
