//! The service: its store, its key, its caches. Handlers and the authority are implemented on it.
//!
//! Nothing but caches and unflushed notes of key use is held in memory: after a crash the latter are older by minutes.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use stoa_kernel::ports::{DeleteAccountData, IssuerKeys, Licences, ResourcePolicies};
use stoa_kernel::{ApiError, Cx, VpcEndpoint};
use stoa_store::{Key, PageTokens, Store, StoreError, Transaction};
use stoa_types::{AccountId, Clock, IdSource};

use crate::SealingKey;
use crate::authority::{CachedCredential, Member, Rights, Trust};
use crate::cache::Cache;
use crate::error::store_failed;
use crate::organizations::{At, Delegation, Level, Place};
use crate::usage::{KeyUses, PrincipalUses};

/// IAM and STS of one installation.
pub struct Iam {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) key: SealingKey,
    pub(crate) credentials: Cache<Arc<CachedCredential>>,
    pub(crate) rights: Cache<Arc<Rights>>,
    pub(crate) trusts: Cache<Arc<Trust>>,
    pub(crate) members: Cache<Arc<Member>>,
    pub(crate) places: Cache<Arc<At<Arc<Place>>>>,
    pub(crate) levels: Cache<Arc<At<Arc<Vec<Level>>>>>,
    pub(crate) uses: KeyUses,
    pub(crate) principal_uses: PrincipalUses,
    pub(crate) page_tokens: PageTokens,
    pub(crate) resource_policies: ArcSwap<Vec<Arc<dyn ResourcePolicies>>>,
    pub(crate) vpc_endpoints: ArcSwap<HashMap<String, Arc<VpcEndpoint>>>,
    pub(crate) account_data: ArcSwap<Vec<Arc<dyn DeleteAccountData>>>,
    issuer_keys: ArcSwap<Option<Arc<dyn IssuerKeys>>>,
    licences: ArcSwap<Option<Arc<dyn Licences>>>,
}

impl fmt::Debug for Iam {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Iam")
    }
}

impl Iam {
    /// The service over this store, with the master key that seals its secrets.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>, key: SealingKey) -> Arc<Iam> {
        let delegation = Delegation::new(Arc::clone(&store));
        let page_tokens = PageTokens::new(key.derive(b"stoa/iam/page-tokens/v1"));
        Arc::new(Iam {
            store,
            clock,
            ids,
            key,
            credentials: Cache::new(16_384),
            rights: Cache::new(16_384),
            trusts: Cache::new(4_096),
            members: Cache::new(4_096),
            places: Cache::new(4_096),
            levels: Cache::new(4_096),
            uses: KeyUses::default(),
            principal_uses: PrincipalUses::default(),
            page_tokens,
            resource_policies: ArcSwap::from_pointee(vec![Arc::new(delegation) as Arc<dyn ResourcePolicies>]),
            vpc_endpoints: ArcSwap::default(),
            account_data: ArcSwap::default(),
            issuer_keys: ArcSwap::default(),
            licences: ArcSwap::default(),
        })
    }

    /// Sets where the keys of OpenID Connect issuers come from. Called once by `app`, before the first request; without
    /// it no web identity token can be verified.
    pub fn set_issuer_keys(&self, source: Arc<dyn IssuerKeys>) {
        self.issuer_keys.store(Arc::new(Some(source)));
    }

    /// Where the keys of issuers come from.
    pub(crate) fn issuer_keys(&self) -> Option<Arc<dyn IssuerKeys>> {
        (**self.issuer_keys.load()).clone()
    }

    /// Sets who knows the licences of gated models. Called once by `app`, before the first request.
    pub fn set_licences(&self, source: Arc<dyn Licences>) {
        self.licences.store(Arc::new(Some(source)));
    }

    pub(crate) fn licences(&self) -> Option<Arc<dyn Licences>> {
        (**self.licences.load()).clone()
    }

    /// Sets who knows the policies of resources, besides this service itself. Called once by `app`, before the first request.
    pub fn set_resource_policies(&self, mut sources: Vec<Arc<dyn ResourcePolicies>>) {
        sources.push(Arc::new(Delegation::new(Arc::clone(&self.store))));
        self.resource_policies.store(Arc::new(sources));
    }

    /// Sets the VPC endpoints, whose policies bear on what comes through them.
    pub fn set_vpc_endpoints(&self, endpoints: impl IntoIterator<Item = Arc<VpcEndpoint>>) {
        let by_id = endpoints.into_iter().map(|endpoint| (endpoint.id.clone(), endpoint));
        self.vpc_endpoints.store(Arc::new(by_id.collect()));
    }

    /// Sets who else forgets an account that is deleted. Called once by `app`, before the first request.
    pub fn set_account_data(&self, owners: Vec<Arc<dyn DeleteAccountData>>) {
        self.account_data.store(Arc::new(owners));
    }

    /// The caller's account.
    pub(crate) fn account<'c>(&self, cx: &'c Cx) -> &'c AccountId {
        &cx.principal.account
    }

    /// Commits; a conflict becomes what the handler says it means.
    pub(crate) async fn commit_or(
        &self,
        transaction: Transaction,
        conflict: impl FnOnce() -> ApiError,
    ) -> Result<(), ApiError> {
        match self.store.commit(transaction).await {
            Ok(()) => Ok(()),
            Err(StoreError::Conflict { .. }) => Err(conflict()),
            Err(other) => Err(store_failed(other)),
        }
    }

    /// Commits the creation of an entity; a conflict over its own key means that the name is taken, any other that
    /// something else was changed meanwhile.
    pub(crate) async fn create_entity(
        &self,
        transaction: Transaction,
        key: &Key,
        taken: impl FnOnce() -> ApiError,
    ) -> Result<(), ApiError> {
        match self.store.commit(transaction).await {
            Ok(()) => Ok(()),
            Err(StoreError::Conflict { key: conflict, .. }) if *conflict == *key => Err(taken()),
            Err(other) => Err(store_failed(other)),
        }
    }

    /// Commits; a conflict is a concurrent modification, which clients retry.
    pub(crate) async fn commit(&self, transaction: Transaction) -> Result<(), ApiError> {
        self.store.commit(transaction).await.map_err(store_failed)
    }
}
