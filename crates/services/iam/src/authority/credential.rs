//! From an access key id (and a session token) to a credential.
//!
//! INVARIANT: a cached credential is used only at the `iam:` version it was made or checked at; at another, the
//! documents it was made of are looked at again. Opened secrets live in this bounded cache and nowhere else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stoa_kernel::ports::Credential;
use stoa_kernel::{ApiError, Principal, PrincipalIdentity};
use stoa_store::{Key, Store};
use stoa_types::{AccountId, Secret};

use super::rights::Sources;
use crate::Iam;
use crate::error::store_failed;
use crate::seal::Purpose;
use crate::session::{Claims, Subject, open, root_arn};
use crate::state::{AccessKeyRecord, RoleRecord, UserRecord, account_key, key_key, role_key, user_key};

/// A credential and what it was made of.
pub(crate) struct CachedCredential {
    iam_version: AtomicU64,
    sources: Sources,
    credential: Arc<Credential>,
}

impl CachedCredential {
    /// The token that its session's requests bring.
    pub(crate) fn session_token(&self) -> Option<String> {
        self.credential.session_token.as_ref().map(|token| token.expose().to_owned())
    }
}

impl Iam {
    pub(super) async fn find_credential(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
    ) -> Result<Option<Arc<Credential>>, ApiError> {
        let token = session_token.filter(|token| !token.is_empty());
        let iam_version = self.store.version("iam:");
        if let Some(cached) = self.credentials.get(access_key_id)
            && same_token(&cached.credential, token)
        {
            if cached.iam_version.load(Ordering::Acquire) == iam_version {
                return Ok(Some(Arc::clone(&cached.credential)));
            }
            if cached.sources.unchanged(&*self.store).await? {
                cached.iam_version.store(iam_version, Ordering::Release);
                return Ok(Some(Arc::clone(&cached.credential)));
            }
        }
        let mut sources = Sources::default();
        let made = match token {
            Some(token) => self.session_credential(access_key_id, token, &mut sources).await?,
            None => self.long_term_credential(access_key_id, &mut sources).await?,
        };
        let Some(credential) = made.map(Arc::new) else { return Ok(None) };
        let iam_version = AtomicU64::new(iam_version);
        let cached = Arc::new(CachedCredential { iam_version, sources, credential });
        self.credentials.put(access_key_id, Arc::clone(&cached));
        Ok(Some(Arc::clone(&cached.credential)))
    }

    async fn long_term_credential(
        &self,
        access_key_id: &str,
        sources: &mut Sources,
    ) -> Result<Option<Credential>, ApiError> {
        let store = &*self.store;
        let key = sources.load::<AccessKeyRecord>(store, key_key(access_key_id)).await?;
        let Some(key) = key.filter(|key| key.active) else { return Ok(None) };
        if !self.account_is_active(&key.account, sources).await? {
            return Ok(None);
        }
        let (arn, principal_id, identity, tags) = match &key.user {
            None => {
                (root_arn(&key.account), key.account.as_str().to_owned(), PrincipalIdentity::Root, Default::default())
            }
            Some(name) => {
                let Some(user) = sources.load::<UserRecord>(store, user_key(&key.account, name)).await? else {
                    return Ok(None);
                };
                (user.arn, user.id, PrincipalIdentity::User { name: user.name }, user.tags)
            }
        };
        let secret =
            self.key.open(Purpose::AccessKey, access_key_id, &key.sealed_secret).map_err(ApiError::internal)?;
        let secret = std::str::from_utf8(&secret).map_err(ApiError::internal)?;
        let principal = Principal {
            account: key.account,
            arn,
            principal_id,
            identity,
            access_key_id: access_key_id.to_owned(),
            tags,
            session: None,
        };
        Ok(Some(Credential {
            secret: Secret::new(secret),
            session_token: None,
            expires_at: None,
            principal: Arc::new(principal),
        }))
    }

    async fn session_credential(
        &self,
        access_key_id: &str,
        token: &str,
        sources: &mut Sources,
    ) -> Result<Option<Credential>, ApiError> {
        let Ok((secret, claims)) = open(&self.key, access_key_id, token) else { return Ok(None) };
        if !self.subject_exists(&claims, sources).await? {
            return Ok(None);
        }
        Ok(Some(Credential {
            secret,
            session_token: Some(Secret::new(token)),
            expires_at: Some(claims.expires),
            principal: Arc::new(claims.principal(access_key_id)),
        }))
    }

    async fn subject_exists(&self, claims: &Claims, sources: &mut Sources) -> Result<bool, ApiError> {
        let store: &dyn Store = &*self.store;
        if !self.account_is_active(&claims.account, sources).await? {
            return Ok(false);
        }
        Ok(match &claims.subject {
            Subject::Root | Subject::FederatedUser { user: None, .. } => true,
            Subject::User { name, id, .. } | Subject::FederatedUser { user: Some((name, id)), .. } => {
                let user = sources.load::<UserRecord>(store, user_key(&claims.account, name)).await?;
                user.is_some_and(|user| user.id == *id)
            }
            Subject::Role { name, id, .. } => {
                let role = sources.load::<RoleRecord>(store, role_key(&claims.account, name)).await?;
                role.is_some_and(|role| role.id == *id)
            }
        })
    }

    /// Whether the account exists and is not being deleted.
    pub(super) async fn account_is_active(&self, account: &AccountId, sources: &mut Sources) -> Result<bool, ApiError> {
        let key: Key = account_key(account);
        let document = self.store.get(&key).await.map_err(store_failed)?;
        sources.note(key, document.as_ref().map(|document| document.generation));
        Ok(document.is_some_and(|document| document.status == "Active"))
    }
}

/// Whether the request came with the token of this credential, or with none for a long-term one. Compared in constant
/// time: `Secret`'s own comparison is.
fn same_token(credential: &Credential, token: Option<&str>) -> bool {
    match (&credential.session_token, token) {
        (None, None) => true,
        (Some(own), Some(given)) => *own == Secret::new(given),
        _ => false,
    }
}
