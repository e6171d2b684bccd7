//! Presigned downloads in the name of the service: a credential of this installation, and an authority that knows it.
//!
//! The hub service has the caller's right and consent checked before it asks for a URL; the URL then reads that one
//! object, as AWS's do.

use std::sync::Arc;

use async_trait::async_trait;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use stoa_kernel::ports::{AccountPlace, Authority, Credential, PRESIGNING_PRINCIPAL, PresignObject, Verdict};
use stoa_kernel::{ApiError, Cx, Principal, PrincipalIdentity};
use stoa_policy::{Context, Effect, Slot};
use stoa_sigv4::{Signer, presign};
use stoa_types::{AccountId, Secret};

use crate::data_dir::MasterKey;

/// What SigV4 leaves as it is in a path.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// The service's own credential: derived, so that URLs outlive a restart.
fn service_credential(key: &MasterKey) -> (String, Credential) {
    const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letters = key.derive("stoa/presign/access-key-id/v1");
    let id: String = letters.iter().take(16).map(|byte| char::from(BASE32[usize::from(byte % 32)])).collect();
    let mut principal = Principal::service(PRESIGNING_PRINCIPAL, AccountId::aws());
    principal.access_key_id = format!("AKIA{id}");
    let credential = Credential {
        secret: Secret::new(hex::encode(key.derive("stoa/presign/secret/v1"))),
        session_token: None,
        expires_at: None,
        principal: Arc::new(principal),
    };
    (credential.principal.access_key_id.clone(), credential)
}

/// Makes the URLs.
pub struct Presigner {
    access_key_id: String,
    credential: Arc<Credential>,
}

impl Presigner {
    /// With this installation's service credential.
    pub fn new(key: &MasterKey) -> Presigner {
        let (access_key_id, credential) = service_credential(key);
        Presigner { access_key_id, credential: Arc::new(credential) }
    }
}

#[async_trait]
impl PresignObject for Presigner {
    async fn presign_get(&self, cx: &Cx, bucket: &str, key: &str, expires_seconds: u32) -> Result<String, ApiError> {
        let base = &cx.connection.base_url;
        let host = base.split_once("://").map_or(base.as_str(), |(_, host)| host);
        let path = format!("/{bucket}/{}", utf8_percent_encode(key, IN_PATH));
        let signer = Signer {
            access_key_id: &self.access_key_id,
            secret: &self.credential.secret,
            session_token: None,
            region: cx.region.as_str(),
            service: "s3",
            now: cx.platform.clock.now(),
        };
        let query = presign(&signer, "GET", host, &path, "", expires_seconds);
        Ok(format!("{base}{path}?{query}"))
    }
}

/// IAM's authority, and beside it the service that signs URLs: it may read objects and nothing else.
pub struct ServiceAuthority {
    inner: Arc<dyn Authority>,
    access_key_id: String,
    credential: Arc<Credential>,
}

impl ServiceAuthority {
    /// Adds the service credential to an authority.
    pub fn new(inner: Arc<dyn Authority>, key: &MasterKey) -> ServiceAuthority {
        let (access_key_id, credential) = service_credential(key);
        ServiceAuthority { inner, access_key_id, credential: Arc::new(credential) }
    }

    fn is_presigning(&self, principal: &Principal) -> bool {
        principal.access_key_id == self.access_key_id && matches!(principal.identity, PrincipalIdentity::Service { .. })
    }
}

#[async_trait]
impl Authority for ServiceAuthority {
    async fn credential(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
    ) -> Result<Option<Arc<Credential>>, ApiError> {
        if access_key_id == self.access_key_id {
            return Ok(Some(Arc::clone(&self.credential)));
        }
        self.inner.credential(access_key_id, session_token).await
    }

    async fn decide(
        &self,
        principal: &Principal,
        action: &str,
        resource: &str,
        context: &(dyn Context + Sync),
    ) -> Result<Verdict, ApiError> {
        if !self.is_presigning(principal) {
            return self.inner.decide(principal, action, resource, context).await;
        }
        let reads = action == "s3:GetObject";
        Ok(Verdict {
            effect: if reads { Effect::Allow } else { Effect::ImplicitDeny },
            slot: Slot::Identity,
            matched: None,
            reason: (!reads).then(|| "because presigned downloads only read objects".to_owned()),
        })
    }

    async fn service_session(
        &self,
        role_arn: &str,
        service: &str,
        session_name: &str,
    ) -> Result<Option<Principal>, ApiError> {
        self.inner.service_session(role_arn, service, session_name).await
    }

    async fn account_place(&self, account: &str) -> Result<Option<Arc<AccountPlace>>, ApiError> {
        self.inner.account_place(account).await
    }

    fn encode_refusal(&self, account: &AccountId, message: &str) -> Option<String> {
        self.inner.encode_refusal(account, message)
    }
}
