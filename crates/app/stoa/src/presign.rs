//! Presigned downloads in the name of the service: a credential of this installation, and an authority that knows it.
//!
//! The hub service has the caller's right and consent checked before it asks for a URL; the URL then reads that one
//! object, as AWS's do.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use stoa_iam::{Gathered, Iam};
use stoa_kernel::ports::{
    AccountPlace, Authority, Credential, GRANT_KEY, PRESIGNING_PRINCIPAL, PresignObject, Verdict,
};
use stoa_kernel::{ApiError, Cx, Principal, PrincipalIdentity, SessionContext};
use stoa_policy::{Context, Document, PolicyError, PolicySet, PrincipalRef};
use stoa_sigv4::{Signer, presign};
use stoa_types::{AccountId, Secret, Timestamp};

use crate::master_key::MasterKey;

/// What SigV4 leaves as it is in a path.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// How the session token of a URL with a grant begins.
const GRANT_TOKEN: &str = "stoa-grant.";

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

impl Presigner {
    fn presign(&self, cx: &Cx, bucket: &str, key: &str, expires_seconds: u32, token: Option<&Secret>) -> String {
        let base = &cx.connection.base_url;
        let host = base.split_once("://").map_or(base.as_str(), |(_, host)| host);
        let path = format!("/{bucket}/{}", utf8_percent_encode(key, IN_PATH));
        let signer = Signer {
            access_key_id: &self.access_key_id,
            secret: &self.credential.secret,
            session_token: token,
            region: cx.region.as_str(),
            service: "s3",
            now: cx.platform.clock.now(),
        };
        let query = presign(&signer, "GET", host, &path, "", expires_seconds);
        format!("{base}{path}?{query}")
    }
}

#[async_trait]
impl PresignObject for Presigner {
    async fn presign_get(&self, cx: &Cx, bucket: &str, key: &str, expires_seconds: u32) -> Result<String, ApiError> {
        Ok(self.presign(cx, bucket, key, expires_seconds, None))
    }

    async fn presign_granted(
        &self,
        cx: &Cx,
        bucket: &str,
        key: &str,
        expires_seconds: u32,
        grant: &str,
    ) -> Result<String, ApiError> {
        let token = Secret::new(format!("{GRANT_TOKEN}{grant}"));
        Ok(self.presign(cx, bucket, key, expires_seconds, Some(&token)))
    }
}

/// The credential of a URL with a grant: the same secret, whose signature covers the token, and a principal that carries
/// the grant's name. What the grant says is looked up when the object is read.
fn granted(credential: &Credential, token: &str) -> Option<Credential> {
    let grant = token.strip_prefix(GRANT_TOKEN)?;
    let plain = !grant.is_empty() && grant.len() <= 64 && grant.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain.then_some(())?;
    let mut principal = (*credential.principal).clone();
    principal.session = Some(SessionContext {
        issued_at: Timestamp::default(),
        expires_at: Timestamp::default(),
        tags: BTreeMap::new(),
        transitive_tag_keys: Vec::new(),
        policies: Vec::new(),
        source_identity: None,
        mfa_authenticated_at: None,
        federated_provider: None,
        keys: BTreeMap::from([(GRANT_KEY.to_owned(), vec![grant.to_owned()])]),
    });
    Some(Credential {
        secret: credential.secret.clone(),
        session_token: Some(Secret::new(token)),
        expires_at: None,
        principal: Arc::new(principal),
    })
}

/// IAM's authority, and beside it the service that signs URLs: it may read objects and nothing else.
pub struct ServiceAuthority {
    inner: Arc<Iam>,
    access_key_id: String,
    credential: Arc<Credential>,
    /// What it may do, as if every bucket's policy said so.
    reads: Arc<PolicySet>,
}

const READS: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}]}"#;

impl ServiceAuthority {
    /// Adds the service credential to an authority.
    pub fn new(inner: Arc<Iam>, key: &MasterKey) -> Result<ServiceAuthority, PolicyError> {
        let (access_key_id, credential) = service_credential(key);
        let reads = Arc::new(PolicySet::compile([(Arc::from("presigned"), &Document::parse(READS)?)]));
        Ok(ServiceAuthority { inner, access_key_id, credential: Arc::new(credential), reads })
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
            return Ok(match session_token {
                None => Some(Arc::clone(&self.credential)),
                Some(token) => granted(&self.credential, token).map(Arc::new),
            });
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
        // The endpoint that the download comes through and control policies over the bucket bear on it like on any call.
        let gathered = self.inner.gather(principal, action, resource, context).await?;
        let gathered = gathered.unwrap_or_else(|| Gathered::of(Arc::new(PrincipalRef::parse(&principal.arn))));
        let gathered = Gathered { resource: Some(Arc::clone(&self.reads)), ..gathered };
        Ok(gathered.verdict(action, resource, context))
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
