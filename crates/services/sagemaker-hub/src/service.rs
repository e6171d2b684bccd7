//! The service: its ports, and what every operation needs of them.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use stoa_kernel::ports::{ObjectAccess, ObjectSource, PresignObject, SharedResources, Signatures};
use stoa_kernel::{ApiError, Cx};
use stoa_sagemaker_common::store_error;
use stoa_store::{Document, Expect, Key, PageTokens, Store, StoreError, Transaction};
use stoa_work::Nudge;
use tokio::sync::Semaphore;

use crate::admission::AT_ONCE;
use crate::catalog::{Catalog, CatalogIndex};
use crate::hub;
use crate::names::{HubName, PUBLIC_HUB};
use crate::provenance::VerifiedBlobs;

/// How often a write is tried again when what it stands on was changed meanwhile.
pub(crate) const ATTEMPTS: usize = 8;
/// How much goes on at once of the work that is done aside.
const ASIDE: usize = 2;

/// What the service is made of.
#[derive(Clone)]
pub struct HubsParts {
    /// Hubs, contents, references.
    pub store: Arc<dyn Store>,
    /// The installation's page tokens.
    pub tokens: PageTokens,
    /// The public hub.
    pub catalog: Arc<Catalog>,
    /// Makes download URLs.
    pub presign: Arc<dyn PresignObject>,
    /// A folder for what is unpacked while files are looked at; it need not exist.
    pub spool: PathBuf,
}

/// Hubs and their contents.
pub struct Hubs {
    pub(crate) parts: HubsParts,
    /// Every bucket there is. Those of S3 stand on this service's, so they come later.
    objects: OnceLock<Arc<dyn ObjectSource>>,
    access: OnceLock<Arc<dyn ObjectAccess>>,
    signatures: OnceLock<Arc<dyn Signatures>>,
    /// What other accounts share. It stands on this service, so it comes later.
    shared: OnceLock<Arc<dyn SharedResources>>,
    /// Wakes whoever judges what is being imported.
    pub(crate) nudge: Nudge,
    pub(crate) verified: VerifiedBlobs,
    /// Turns for [`Hubs::aside`].
    turns: Arc<Semaphore>,
    /// Of those who look into files.
    pub(crate) scanning: Semaphore,
}

impl fmt::Debug for Hubs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hubs")
    }
}

/// A hub that is there.
pub(crate) struct Hub {
    pub name: HubName,
    pub source: HubSource,
}

/// Where a hub's contents are.
pub(crate) enum HubSource {
    Public(Arc<CatalogIndex>),
    Private(Arc<Document>),
}

impl Hubs {
    /// The service over its ports.
    pub fn new(parts: HubsParts) -> Hubs {
        Hubs {
            parts,
            objects: OnceLock::new(),
            access: OnceLock::new(),
            signatures: OnceLock::new(),
            shared: OnceLock::new(),
            nudge: Nudge::new(),
            verified: VerifiedBlobs::default(),
            turns: Arc::new(Semaphore::new(ASIDE)),
            scanning: Semaphore::new(AT_ONCE),
        }
    }

    /// Gives the service the buckets that imported models' files are in. Once, before it is called.
    pub fn set_objects(&self, objects: Arc<dyn ObjectSource>) {
        // A second call would be a mistake of the composition; the first stays.
        let _ = self.objects.set(objects);
    }

    /// Gives the service the answer to who may read what is in those buckets. Once, before it is called.
    pub fn set_object_access(&self, access: Arc<dyn ObjectAccess>) {
        let _ = self.access.set(access);
    }

    /// Gives the service the keys that manifests are signed with. Once, before it is called.
    pub fn set_signatures(&self, signatures: Arc<dyn Signatures>) {
        let _ = self.signatures.set(signatures);
    }

    /// Gives the service what accounts share with one another. Once, before it is called.
    pub fn set_shared(&self, shared: Arc<dyn SharedResources>) {
        let _ = self.shared.set(shared);
    }

    /// The ARNs of the hubs that other accounts share with the caller's.
    pub(crate) async fn shared_with(&self, cx: &Cx) -> Result<Vec<String>, ApiError> {
        match self.shared.get() {
            Some(shared) => shared.shared_with(cx, "sagemaker:Hub").await,
            None => Err(ApiError::internal("no shares were given")),
        }
    }

    pub(crate) fn signatures(&self) -> Result<&dyn Signatures, ApiError> {
        self.signatures.get().map(|signatures| &**signatures).ok_or_else(|| ApiError::internal("no keys were given"))
    }

    pub(crate) fn objects(&self) -> Result<&dyn ObjectSource, ApiError> {
        self.objects.get().map(|objects| &**objects).ok_or_else(|| ApiError::internal("no buckets were given"))
    }

    pub(crate) fn access(&self) -> Result<&dyn ObjectAccess, ApiError> {
        self.access.get().map(|access| &**access).ok_or_else(|| ApiError::internal("nobody knows who may read"))
    }

    /// The hub that a name or an ARN in a request means.
    pub(crate) async fn hub(&self, cx: &Cx, text: &str) -> Result<Hub, ApiError> {
        let name = HubName::parse(cx, text)
            .ok_or_else(|| ApiError::validation(format!("`{text}` is neither the name nor the ARN of a hub")))?;
        self.find_hub(cx, name).await
    }

    pub(crate) async fn find_hub(&self, cx: &Cx, name: HubName) -> Result<Hub, ApiError> {
        if name.region != cx.region {
            return Err(ApiError::validation(format!(
                "hub {} is in region {}, the request was sent to {}: send it to the hub's region",
                name.arn(),
                name.region,
                cx.region
            )));
        }
        if name.is_public() {
            return Ok(Hub { name, source: HubSource::Public(self.parts.catalog.index().await?) });
        }
        // INVARIANT: another account's hub was decided as a target before this: only a share (RAM) lets a caller through.
        match self.parts.store.get(&hub::key(&name)).await.map_err(store_error)? {
            Some(document) => Ok(Hub { source: HubSource::Private(document), name }),
            None => Err(no_such_hub(&name)),
        }
    }

    /// A hub to be written to: the caller's own, or one that was shared for that.
    pub(crate) async fn own_hub(&self, cx: &Cx, text: &str) -> Result<(HubName, Arc<Document>), ApiError> {
        match self.hub(cx, text).await? {
            Hub { name, source: HubSource::Private(document) } => Ok((name, document)),
            Hub { source: HubSource::Public(_), .. } => Err(ApiError::access_denied(format!(
                "{PUBLIC_HUB} can only be read; an operator of this site adds models with `stoa catalog import`"
            ))),
        }
    }

    /// The same, and not being deleted.
    pub(crate) async fn open_hub(&self, cx: &Cx, text: &str) -> Result<(HubName, Arc<Document>), ApiError> {
        let (hub, document) = self.own_hub(cx, text).await?;
        if document.status == hub::DELETING {
            return Err(ApiError::resource_in_use(format!("hub {} is being deleted", hub.arn())));
        }
        Ok((hub, document))
    }

    /// Writes what was decided over a hub as it was read; not the hub itself. False when the hub, or anything else that the transaction is
    /// held to, was changed meanwhile: then all of it is to be read and decided again, up to [`ATTEMPTS`] times.
    pub(crate) async fn commit_held(&self, hub: &Document, transaction: Transaction) -> Result<bool, ApiError> {
        let held = transaction.require(hub.key.clone(), Expect::Generation(hub.generation));
        match self.parts.store.commit(held).await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(store_error(error)),
        }
    }

    /// Work on the processor that would hold up others: on a thread of its own, and little of it at once.
    pub(crate) async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(ApiError::internal)?;
        let work = move || {
            let _turn = turn;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)
    }

    /// All children of a parent in a hub, page after page.
    pub(crate) async fn all(&self, query: stoa_store::Query) -> Result<Vec<Arc<Document>>, ApiError> {
        const PAGE: usize = 1000;
        let mut query = query.limit(PAGE);
        let mut found = Vec::new();
        loop {
            let page = self.parts.store.query(&query).await.map_err(store_error)?;
            found.extend(page.documents);
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(found),
            }
        }
    }
}

/// The key of something that belongs to a hub's account and region.
pub(crate) fn key_in(hub: &HubName, kind: &'static str, id: String) -> Key {
    Key { kind, account: hub.account.clone(), region: Some(hub.region.clone()), id }
}

pub(crate) fn changed_by_many(hub: &HubName) -> ApiError {
    ApiError::new("ConflictException", 409, format!("hub {} is changed by many at once, try again", hub.name))
}

pub(crate) fn no_such_hub(hub: &HubName) -> ApiError {
    ApiError::resource_not_found(format!(
        "hub {} does not exist in account {} and region {}; ListHubs names those that do",
        hub.name, hub.account, hub.region
    ))
}
