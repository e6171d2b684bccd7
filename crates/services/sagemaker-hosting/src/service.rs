//! The service: its ports, and what its handlers share.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use stoa_blob::BlobStore;
use stoa_kernel::ports::{Authority, HubAccess, ObjectAccess, ObjectSource, ReadObject, ResolveImage};
use stoa_kernel::{ApiError, Cx, Platform};
use stoa_runtime::Runtime;
use stoa_sagemaker_common::store_error;
use stoa_store::{Document, Key, PageTokens, Store};
use stoa_work::Nudge;

use crate::data::OpenedFolder;
use crate::endpoint::Serving;

/// What serves now: endpoint key to its running containers. Written by the reconciler, read by every invocation.
pub type SharedServing = Arc<ArcSwap<HashMap<Key, Arc<Serving>>>>;

/// What the service is made of.
#[derive(Clone)]
pub struct HostingParts {
    /// State.
    pub store: Arc<dyn Store>,
    /// Page tokens of this installation.
    pub tokens: PageTokens,
    /// Model bytes.
    pub blobs: Arc<dyn BlobStore>,
    /// Buckets, derived ones included.
    pub objects: Arc<dyn ObjectSource>,
    /// Who may read what is in them.
    pub access: Arc<dyn ObjectAccess>,
    /// The bytes of objects.
    pub bytes: Arc<dyn ReadObject>,
    /// What a context of the reconciler's own is made of.
    pub platform: Arc<Platform>,
    /// Where sealed model data is opened for containers.
    pub opened: Arc<OpenedFolder>,
    /// Rules of hubs.
    pub hubs: Arc<dyn HubAccess>,
    /// The image map.
    pub images: Arc<dyn ResolveImage>,
    /// Containers.
    pub runtime: Arc<dyn Runtime>,
    /// Who may do what.
    pub authority: Arc<dyn Authority>,
    /// Wakes the reconciler.
    pub nudge: Nudge,
    /// What serves now.
    pub serving: SharedServing,
}

/// Models, endpoint configurations, endpoints, invocation, tags.
pub struct Hosting {
    pub(crate) parts: HostingParts,
    /// Changing tags is reading and replacing all of them: one change at a time.
    pub(crate) tagging: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Hosting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hosting")
    }
}

impl Hosting {
    /// The service over its ports.
    pub fn new(parts: HostingParts) -> Hosting {
        Hosting { parts, tagging: tokio::sync::Mutex::new(()) }
    }

    /// The caller's resource of this kind and name.
    pub(crate) async fn find(
        &self,
        cx: &Cx,
        kind: &'static str,
        name: &str,
    ) -> Result<Option<Arc<Document>>, ApiError> {
        self.parts.store.get(&own_key(cx, kind, name)).await.map_err(store_error)
    }
}

/// The key of a resource in the caller's account and region.
pub(crate) fn own_key(cx: &Cx, kind: &'static str, name: &str) -> Key {
    Key { kind, account: cx.principal.account.clone(), region: Some(cx.region.clone()), id: name.to_owned() }
}
