//! The store on SQLite: one writer thread with group commit, reads on the calling thread, a cache for the hot path.
//!
//! A commit is durable when it returns (WAL, `synchronous=FULL`); a crash at any point leaves whole transactions only.

mod apply;
mod cache;
mod error;
mod lock;
mod plan;
mod rows;
mod schema;
mod store;
mod writer;

#[cfg(test)]
mod tests;

pub use error::OpenError;
pub use store::{Settings, SqliteStore};
