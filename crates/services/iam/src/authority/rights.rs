//! What a principal may do: its policies, compiled, with everything needed to know when they are no longer true.
//!
//! INVARIANT: versions are read before documents, so an entry can only be older than it says, never newer; an entry
//! whose versions are behind is checked against the generations of the documents it was made of before it is used.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stoa_kernel::{ApiError, Principal, PrincipalIdentity};
use stoa_policy::{Document, PolicySet, PrincipalRef};
use stoa_store::{Key, Store};
use stoa_types::{AccountId, Arn};

use super::gathered::Gathered;
use crate::Iam;
use crate::error::store_failed;
use crate::managed;
use crate::state::{
    AccountRecord, GroupRecord, PolicyRecord, PolicyType, RoleRecord, UserRecord, account_key, global_key, kind, load,
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
    pub(crate) policies: Option<Gathered>,
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

/// The identity side of a user or role, before it is compiled: each source of policies adds to it.
#[derive(Default)]
struct Own {
    /// Name and text.
    inline: Vec<(String, String)>,
    /// ARNs of managed policies.
    attached: Vec<String>,
    boundary: Option<String>,
}

const EVERYTHING: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

impl Iam {
    /// The rights of a principal that exists in IAM (root, user, role session), as they are now.
    pub(crate) async fn rights(&self, principal: &Principal) -> Result<Arc<Rights>, ApiError> {
        let iam_version = self.store.version("iam:");
        let organizations_version = self.store.version("organizations:");
        let limited = principal.session.as_ref().is_some_and(|session| !session.policies.is_empty());
        // Two users may each have made a federated session of one name.
        let limited = limited || matches!(principal.identity, PrincipalIdentity::FederatedUser { .. });
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

    async fn build_policies(&self, principal: &Principal, sources: &mut Sources) -> Result<Option<Gathered>, ApiError> {
        let store = &*self.store;
        let Some(account) = sources.load::<AccountRecord>(store, account_key(&principal.account)).await? else {
            return Ok(None);
        };
        if !self.account_is_active(&principal.account, sources).await? {
            return Ok(None);
        }
        let mut who = PrincipalRef::parse(&principal.arn);
        let own = match &principal.identity {
            PrincipalIdentity::Root | PrincipalIdentity::FederatedUser { user: None, .. } => Own::default(),
            PrincipalIdentity::User { name } => {
                let user = sources.load::<UserRecord>(store, user_key(&principal.account, name)).await?;
                let Some(user) = user.filter(|user| user.id == principal.principal_id) else { return Ok(None) };
                self.own_of_user(&principal.account, user, sources).await?
            }
            // That the user is still the one who asked for the session is seen to with the credential.
            PrincipalIdentity::FederatedUser { user: Some(name), .. } => {
                let user = sources.load::<UserRecord>(store, user_key(&principal.account, name)).await?;
                let Some(user) = user else { return Ok(None) };
                self.own_of_user(&principal.account, user, sources).await?
            }
            PrincipalIdentity::AssumedRole { role_arn, role_name, .. } => {
                let role = sources.load::<RoleRecord>(store, role_key(&principal.account, role_name)).await?;
                let id = principal.principal_id.split(':').next().unwrap_or_default();
                let Some(role) = role.filter(|role| role.id == id) else { return Ok(None) };
                who = who.with_role_arn(role_arn);
                Own { inline: role.inline.into_iter().collect(), attached: role.attached, boundary: role.boundary }
            }
            PrincipalIdentity::Federated { .. } | PrincipalIdentity::Service { .. } | PrincipalIdentity::Anonymous => {
                return Ok(None);
            }
        };
        let (mut identity, boundary) = self.compile_identity(&own, sources).await?;
        let mut session = self.compile_session(principal, sources).await?;
        if let PrincipalIdentity::FederatedUser { user, .. } = &principal.identity {
            // A federated session can do what its session policies and its user both allow: nothing without the
            // former. The root user's key stands for every permission.
            session = Some(session.unwrap_or_default());
            if user.is_none() {
                identity = compile([(Arc::from("root"), parse(EVERYTHING)?)].iter());
            }
        }
        let scp = self.compile_levels(PolicyType::ServiceControl, &principal.account).await?;
        Ok(Some(Gathered {
            identity: Arc::new(identity),
            boundary: boundary.map(Arc::new),
            session: session.map(Arc::new),
            scp,
            management_account: account.management,
            ..Gathered::of(Arc::new(who))
        }))
    }

    /// The policies of a user: its own, then those of its groups.
    async fn own_of_user(&self, account: &AccountId, user: UserRecord, sources: &mut Sources) -> Result<Own, ApiError> {
        let mut own =
            Own { inline: user.inline.into_iter().collect(), attached: user.attached, boundary: user.boundary };
        for id in &user.groups {
            let Some(group) = sources.load::<GroupRecord>(&*self.store, global_key(kind::GROUP, account, id)).await?
            else {
                continue;
            };
            let named = |(name, text)| (format!("{}/{name}", group.name), text);
            own.inline.extend(group.inline.into_iter().map(named));
            own.attached.extend(group.attached);
        }
        own.attached.sort_unstable();
        own.attached.dedup();
        Ok(own)
    }

    async fn compile_identity(
        &self,
        own: &Own,
        sources: &mut Sources,
    ) -> Result<(PolicySet, Option<PolicySet>), ApiError> {
        let mut documents = Vec::with_capacity(own.inline.len() + own.attached.len());
        for (name, text) in &own.inline {
            documents.push((Arc::from(&**name), parse(text)?));
        }
        for arn in &own.attached {
            // A policy that is attached exists: deletion is refused while it is.
            if let Some(text) = self.managed_document(arn, sources).await? {
                documents.push((Arc::from(&**arn), parse(&text)?));
            }
        }
        let boundary = match own.boundary.as_deref() {
            None => None,
            Some(arn) => {
                let text = self.managed_document(arn, sources).await?;
                // A boundary that cannot be found allows nothing.
                let parsed = text.as_deref().map(parse).transpose()?;
                Some(PolicySet::compile(parsed.iter().map(|document| (Arc::from(arn), document))))
            }
        };
        Ok((compile(documents.iter()), boundary))
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
        Ok(Some(compile(documents.iter())))
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
}

/// Stored documents parsed when they were saved; one that does not parse now is corrupt, and nothing is decided.
pub(crate) fn parse(text: &str) -> Result<Document, ApiError> {
    Document::parse(text).map_err(ApiError::internal)
}

fn compile<'a>(documents: impl Iterator<Item = &'a (Arc<str>, Document)>) -> PolicySet {
    PolicySet::compile(documents.map(|(name, document)| (Arc::clone(name), document)))
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
