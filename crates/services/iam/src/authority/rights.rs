//! What a principal may do: its policies, compiled, with everything needed to know when they are no longer true.
//!
//! INVARIANT: versions are read before documents, so an entry can only be older than it says, never newer; an entry
//! whose versions are behind is checked against the generations of the documents it was made of before it is used.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stoa_kernel::{ApiError, Principal, PrincipalIdentity};
use stoa_policy::{Document, PolicySet, PrincipalRef};
use stoa_store::{Key, Query, Store};
use stoa_types::{AccountId, Arn};

use crate::Iam;
use crate::error::store_failed;
use crate::managed;
use crate::state::{
    AccountRecord, GroupRecord, PolicyRecord, RoleRecord, ScpRecord, UserRecord, account_key, group_key, kind, load,
    policy_key, role_key, user_key,
};

/// The policies of one principal.
pub(crate) struct Rights {
    /// The `iam:` version this was last seen to be true at.
    iam_version: AtomicU64,
    organizations_version: u64,
    sources: Sources,
    principal_id: String,
    /// None when the principal is gone: then nothing is allowed.
    pub(crate) policies: Option<Policies>,
}

/// The compiled policies.
pub(crate) struct Policies {
    pub(crate) who: PrincipalRef,
    pub(crate) identity: PolicySet,
    pub(crate) boundary: Option<PolicySet>,
    pub(crate) session: Option<PolicySet>,
    pub(crate) scp: Vec<PolicySet>,
    pub(crate) management_account: bool,
}

/// The documents something was made of, each with its generation then.
#[derive(Default)]
pub(crate) struct Sources(Vec<(Key, Option<u64>)>);

impl Sources {
    /// Reads a document and remembers its generation.
    pub(crate) async fn load<T: serde::Serialize + serde::de::DeserializeOwned>(
        &mut self,
        store: &dyn Store,
        key: Key,
    ) -> Result<Option<T>, ApiError> {
        let loaded = load::<T>(store, &key).await?;
        self.0.push((key, loaded.as_ref().map(|loaded| loaded.document.generation)));
        Ok(loaded.map(|loaded| loaded.record))
    }

    /// Remembers the generation of a document that was read otherwise.
    pub(crate) fn note(&mut self, key: Key, generation: Option<u64>) {
        self.0.push((key, generation));
    }

    /// Whether all documents are as they were.
    pub(crate) async fn unchanged(&self, store: &dyn Store) -> Result<bool, ApiError> {
        for (key, generation) in &self.0 {
            let now = store.get(key).await.map_err(store_failed)?.map(|document| document.generation);
            if now != *generation {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The identity side of a user or role, before it is compiled.
struct Identity<'a> {
    inline: &'a std::collections::BTreeMap<String, String>,
    attached: &'a [String],
    /// A user's groups, whose policies count as its own.
    groups: &'a [GroupRecord],
    boundary: Option<&'a str>,
}

impl Iam {
    /// The rights of a principal that exists in IAM (root, user, role session), as they are now.
    pub(crate) async fn rights(&self, principal: &Principal) -> Result<Arc<Rights>, ApiError> {
        let iam_version = self.store.version("iam:");
        let organizations_version = self.store.version("organizations:");
        let limited = principal.session.as_ref().is_some_and(|session| !session.policies.is_empty());
        let cache_key = if limited { &principal.access_key_id } else { &principal.arn };
        if let Some(rights) = self.rights.get(cache_key)
            && rights.organizations_version == organizations_version
            && rights.principal_id == principal.principal_id
        {
            if rights.iam_version.load(Ordering::Acquire) == iam_version {
                return Ok(rights);
            }
            if rights.sources.unchanged(&*self.store).await? {
                rights.iam_version.store(iam_version, Ordering::Release);
                return Ok(rights);
            }
        }
        let mut sources = Sources::default();
        let policies = self.build_policies(principal, &mut sources).await?;
        let rights = Arc::new(Rights {
            iam_version: AtomicU64::new(iam_version),
            organizations_version,
            sources,
            principal_id: principal.principal_id.clone(),
            policies,
        });
        if !cache_key.is_empty() {
            self.rights.put(cache_key, Arc::clone(&rights));
        }
        Ok(rights)
    }

    async fn build_policies(&self, principal: &Principal, sources: &mut Sources) -> Result<Option<Policies>, ApiError> {
        let store = &*self.store;
        let Some(account) = sources.load::<AccountRecord>(store, account_key(&principal.account)).await? else {
            return Ok(None);
        };
        if !self.account_is_active(&principal.account, sources).await? {
            return Ok(None);
        }
        let mut who = PrincipalRef::parse(&principal.arn);
        let (identity, boundary) = match &principal.identity {
            PrincipalIdentity::Root => (PolicySet::default(), None),
            PrincipalIdentity::User { name } => {
                let user = sources.load::<UserRecord>(store, user_key(&principal.account, name)).await?;
                let Some(user) = user.filter(|user| user.id == principal.principal_id) else { return Ok(None) };
                let groups = self.load_groups(&principal.account, &user.groups, sources).await?;
                let own = Identity {
                    inline: &user.inline,
                    attached: &user.attached,
                    groups: &groups,
                    boundary: user.boundary.as_deref(),
                };
                self.compile_identity(&own, sources).await?
            }
            PrincipalIdentity::AssumedRole { role_arn, role_name, .. } => {
                let role = sources.load::<RoleRecord>(store, role_key(&principal.account, role_name)).await?;
                let id = principal.principal_id.split(':').next().unwrap_or_default();
                let Some(role) = role.filter(|role| role.id == id) else { return Ok(None) };
                who = who.with_role_arn(role_arn);
                let own = Identity {
                    inline: &role.inline,
                    attached: &role.attached,
                    groups: &[],
                    boundary: role.boundary.as_deref(),
                };
                self.compile_identity(&own, sources).await?
            }
            // GetFederationToken is not here yet: nobody holds such a session.
            PrincipalIdentity::FederatedUser { .. }
            | PrincipalIdentity::Federated { .. }
            | PrincipalIdentity::Service { .. }
            | PrincipalIdentity::Anonymous => return Ok(None),
        };
        let session = self.compile_session(principal, sources).await?;
        let scp = if account.management { Vec::new() } else { self.compile_scps(&account).await? };
        Ok(Some(Policies { who, identity, boundary, session, scp, management_account: account.management }))
    }

    async fn load_groups(
        &self,
        account: &AccountId,
        ids: &[String],
        sources: &mut Sources,
    ) -> Result<Vec<GroupRecord>, ApiError> {
        let mut groups = Vec::with_capacity(ids.len());
        for id in ids {
            groups.extend(sources.load::<GroupRecord>(&*self.store, group_key(account, id)).await?);
        }
        Ok(groups)
    }

    async fn compile_identity(
        &self,
        own: &Identity<'_>,
        sources: &mut Sources,
    ) -> Result<(PolicySet, Option<PolicySet>), ApiError> {
        let mut documents = Vec::with_capacity(own.inline.len() + own.attached.len());
        for (name, text) in own.inline {
            documents.push((Arc::from(&**name), parse(text)?));
        }
        for group in own.groups {
            for (name, text) in &group.inline {
                documents.push((Arc::from(format!("{}/{name}", group.name)), parse(text)?));
            }
        }
        let mut attached: Vec<&String> = own.attached.iter().collect();
        attached.extend(own.groups.iter().flat_map(|group| &group.attached));
        attached.sort_unstable();
        attached.dedup();
        for arn in attached {
            // A policy that is attached exists: deletion is refused while it is.
            if let Some(text) = self.managed_document(arn, sources).await? {
                documents.push((Arc::from(&**arn), parse(&text)?));
            }
        }
        let boundary = match own.boundary {
            None => None,
            Some(arn) => {
                let text = self.managed_document(arn, sources).await?;
                // A boundary that cannot be found allows nothing.
                let parsed = text.as_deref().map(parse).transpose()?;
                Some(compile(parsed.iter().map(|document| (Arc::from(arn), document))))
            }
        };
        Ok((compile(documents.iter().map(|(name, document)| (Arc::clone(name), document))), boundary))
    }

    async fn compile_session(
        &self,
        principal: &Principal,
        sources: &mut Sources,
    ) -> Result<Option<PolicySet>, ApiError> {
        let Some(session) = principal.session.as_ref().filter(|session| !session.policies.is_empty()) else {
            return Ok(None);
        };
        let mut documents: Vec<(Arc<str>, Document)> = Vec::with_capacity(session.policies.len());
        for policy in &session.policies {
            if !policy.starts_with("arn:") {
                documents.push((Arc::from("session-policy"), parse(policy)?));
            } else if let Some(text) = self.managed_document(policy, sources).await? {
                documents.push((Arc::from(&**policy), parse(&text)?));
            }
        }
        Ok(Some(compile(documents.iter().map(|(name, document)| (Arc::clone(name), document)))))
    }

    /// The default version of a managed policy, AWS's or a customer's.
    pub(crate) async fn managed_document(&self, arn: &str, sources: &mut Sources) -> Result<Option<String>, ApiError> {
        if let Some(policy) = managed::find(arn) {
            return Ok(Some(policy.document.to_owned()));
        }
        let Some(key) = policy_key_of(arn) else { return Ok(None) };
        let policy = sources.load::<PolicyRecord>(&*self.store, key).await?.filter(|policy| policy.arn == arn);
        Ok(policy.and_then(|policy| policy.default_document().map(str::to_owned)))
    }

    /// One set for each target on the way from the root to the account that has any policy. A target without one
    /// stands for AWS's default, which allows everything.
    async fn compile_scps(&self, account: &AccountRecord) -> Result<Vec<PolicySet>, ApiError> {
        let mut levels = Vec::new();
        for target in &account.path {
            let query = Query::of(kind::SCP).children_of(target);
            let page = self.store.query(&query).await.map_err(store_failed)?;
            let mut documents: Vec<(Arc<str>, Document)> = Vec::with_capacity(page.documents.len());
            for document in &page.documents {
                let scp: ScpRecord = document.decode().map_err(store_failed)?;
                documents.push((Arc::from(scp.name), parse(&scp.document)?));
            }
            if !documents.is_empty() {
                levels.push(compile(documents.iter().map(|(name, document)| (Arc::clone(name), document))));
            }
        }
        Ok(levels)
    }
}

/// Stored documents parsed when they were saved; one that does not parse now is corrupt, and nothing is decided.
pub(crate) fn parse(text: &str) -> Result<Document, ApiError> {
    Document::parse(text).map_err(ApiError::internal)
}

fn compile<'a>(documents: impl Iterator<Item = (Arc<str>, &'a Document)>) -> PolicySet {
    PolicySet::compile(documents)
}

/// The key of the customer managed policy with this ARN.
pub(crate) fn policy_key_of(arn: &str) -> Option<Key> {
    let arn: Arn = arn.parse().ok()?;
    if arn.service() != "iam" || arn.resource_type() != "policy" {
        return None;
    }
    let name = arn.resource_id().rsplit('/').next()?;
    Some(policy_key(&arn.account().parse().ok()?, name))
}
