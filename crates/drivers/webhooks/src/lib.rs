//! Events of the outbox, posted to the webhooks of the configuration: in order and at least once to each of them.
//!
//! How far a webhook has come is a document, written after what it tells: a crash in between posts some events again
//! (receivers know them by their id), never leaves one out. What all have is forgotten, and so is everything where there
//! are no webhooks. A webhook that is slow or does not answer holds up nobody but itself, until the outbox has grown too
//! long; after a failure it waits, longer each time, which is in the document too and holds over a restart.

mod dispatch;
mod post;
#[cfg(test)]
mod tests;

pub use dispatch::Dispatcher;
pub use post::{Webhook, WebhookError};
