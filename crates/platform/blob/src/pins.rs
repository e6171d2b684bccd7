//! Pins: which blobs this process is about to name, so that none of them is collected meanwhile.
//!
//! A writer pins a digest before it looks whether the blob is there, and keeps the pin until the document that names
//! it is committed. A collector may remove only what nobody pins, and while it removes, pins of that digest wait: they
//! then find the blob gone, and write it. Pins die with the process; a document that was not committed then names
//! nothing.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::Digest;

/// The pins of one store in this process. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Pins(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    held: Mutex<HashMap<Digest, Held>>,
    removed: Notify,
}

#[derive(Debug, Clone, Copy)]
enum Held {
    /// So many pins.
    Pinned(usize),
    /// A collector removes it just now.
    Removing,
}

/// Keeps a blob from being collected until the last clone is dropped.
#[derive(Debug, Clone, Default)]
pub struct Pin(#[expect(dead_code, reason = "held for its drop")] Option<Arc<Kept>>);

/// Equal always: a pin is no part of what was written.
impl PartialEq for Pin {
    fn eq(&self, _: &Pin) -> bool {
        true
    }
}

impl Eq for Pin {}

impl Pin {
    /// One that keeps nothing, for stores that are never collected.
    pub fn none() -> Pin {
        Pin(None)
    }
}

#[derive(Debug)]
struct Kept {
    digest: Digest,
    pins: Pins,
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut held = self.pins.0.held.lock();
        match held.get_mut(&self.digest) {
            Some(Held::Pinned(count)) if *count > 1 => *count -= 1,
            _ => drop(held.remove(&self.digest)),
        }
    }
}

/// The right to remove a blob: nobody pins it, and whoever wants to waits until this is dropped.
#[derive(Debug)]
pub struct Removal {
    digest: Digest,
    pins: Pins,
}

impl Removal {
    /// What may be removed.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        self.pins.0.held.lock().remove(&self.digest);
        self.pins.0.removed.notify_waiters();
    }
}

impl Pins {
    /// Pins the digest, whether or not there is such a blob; waits for a removal that is under way.
    pub async fn pin(&self, digest: &Digest) -> Pin {
        loop {
            let mut removed = std::pin::pin!(self.0.removed.notified());
            // Before the look: a removal that ends between the two is heard.
            removed.as_mut().enable();
            if let Some(pin) = self.try_pin(digest) {
                return pin;
            }
            removed.await;
        }
    }

    fn try_pin(&self, digest: &Digest) -> Option<Pin> {
        let mut held = self.0.held.lock();
        match held.entry(digest.clone()).or_insert(Held::Pinned(0)) {
            Held::Pinned(count) => *count += 1,
            Held::Removing => return None,
        }
        Some(Pin(Some(Arc::new(Kept { digest: digest.clone(), pins: self.clone() }))))
    }

    /// The right to remove the blob; none while somebody pins it.
    pub fn removal(&self, digest: &Digest) -> Option<Removal> {
        let mut held = self.0.held.lock();
        if held.contains_key(digest) {
            return None;
        }
        held.insert(digest.clone(), Held::Removing);
        Some(Removal { digest: digest.clone(), pins: self.clone() })
    }

    /// Whether somebody pins it or removes it.
    pub fn busy(&self, digest: &Digest) -> bool {
        self.0.held.lock().contains_key(digest)
    }
}

#[cfg(test)]
mod tests {
    //! Pins and removals keep each other out.

    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[tokio::test]
    async fn a_pinned_blob_is_not_removed_and_a_removal_keeps_pins_waiting() {
        let (pins, digest) = (Pins::default(), Digest::from_bytes([1; 32]));
        let first = pins.pin(&digest).await;
        let second = pins.pin(&digest).await;
        let copy = second.clone();
        drop((first, second));
        assert!(pins.removal(&digest).is_none(), "a clone pins it still");
        drop(copy);
        let removal = pins.removal(&digest).unwrap();
        assert!(pins.removal(&digest).is_none(), "one at a time");
        let mut waiting = std::pin::pin!(pins.pin(&digest));
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        assert!(pins.removal(&Digest::from_bytes([2; 32])).is_some(), "others are not held up");
        drop(removal);
        assert!(matches!(waiting.as_mut().poll(&mut context), Poll::Ready(_)));
    }
}
