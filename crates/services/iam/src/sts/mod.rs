//! STS: who one is, and temporary credentials. Each kind of session but GetSessionToken's has a file of its own.

mod assume_role;
mod authorization_message;
mod federated;
mod federation_token;
mod limits;
mod saml;
mod web_identity;

use stoa_kernel::{ApiError, Authorized, Cx, Handles, PrincipalIdentity};
use stoa_models_sts::operations as op;
use stoa_models_sts::types::{
    Credentials, GetAccessKeyInfoRequest, GetAccessKeyInfoResponse, GetCallerIdentityRequest,
    GetCallerIdentityResponse, GetSessionTokenRequest, GetSessionTokenResponse,
};

pub(crate) use limits::refuse_session;

use crate::Iam;
use crate::mfa::GivenCode;
use crate::session::{Claims, SessionCredentials, Subject, account_of_session_key, issue};
use crate::state::{AccessKeyRecord, account_key, key_key, load};

const DEFAULT_USER_SECONDS: i64 = 43_200;
const MAX_ROOT_SECONDS: i64 = 3_600;

fn wire_credentials(session: &SessionCredentials) -> Credentials {
    Credentials {
        access_key_id: session.access_key_id.clone(),
        secret_access_key: session.secret_access_key.expose().to_owned(),
        session_token: session.session_token.expose().to_owned(),
        expiration: session.expires_at,
    }
}

fn denied(message: &str) -> ApiError {
    ApiError::access_denied(message)
}

impl Handles<op::GetCallerIdentity> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        _input: Authorized<GetCallerIdentityRequest>,
    ) -> Result<GetCallerIdentityResponse, ApiError> {
        let principal = &cx.principal;
        Ok(GetCallerIdentityResponse {
            user_id: Some(principal.principal_id.clone()),
            account: Some(principal.account.to_string()),
            arn: Some(principal.arn.clone()),
        })
    }
}

impl Handles<op::GetSessionToken> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetSessionTokenRequest>,
    ) -> Result<GetSessionTokenResponse, ApiError> {
        let principal = &cx.principal;
        if principal.session.is_some() {
            return Err(denied("Cannot call GetSessionToken with session credentials"));
        }
        let asked = input.duration_seconds.unwrap_or(DEFAULT_USER_SECONDS);
        let (subject, seconds) = match &principal.identity {
            PrincipalIdentity::Root => (Subject::Root, asked.min(MAX_ROOT_SECONDS)),
            PrincipalIdentity::User { name } => {
                let (arn, id) = (principal.arn.clone(), principal.principal_id.clone());
                (Subject::User { arn, name: name.clone(), id }, asked)
            }
            _ => return Err(denied("Cannot call GetSessionToken with session credentials")),
        };
        let given = GivenCode { serial: input.serial_number.as_deref(), code: input.token_code.as_deref() };
        let mfa_at = self.take_code(cx, given).await?;
        let claims = Claims {
            account: principal.account.clone(),
            subject,
            issued: cx.now,
            expires: cx.now.plus_millis(seconds * 1000),
            principal_tags: principal.tags.clone(),
            tags: Default::default(),
            transitive: Vec::new(),
            policies: Vec::new(),
            source_identity: None,
            mfa_at,
            provider: None,
            keys: Default::default(),
        };
        let session = issue(&self.key, &*self.ids, &claims)?;
        Ok(GetSessionTokenResponse {
            credentials: Some(wire_credentials(&session)),
            session_token_utilization: None,
            session_token_size: None,
        })
    }
}

impl Handles<op::GetAccessKeyInfo> for Iam {
    async fn handle(
        &self,
        _cx: &Cx,
        input: Authorized<GetAccessKeyInfoRequest>,
    ) -> Result<GetAccessKeyInfoResponse, ApiError> {
        let id = &input.access_key_id;
        let account = match account_of_session_key(id) {
            Some(account) => {
                self.store.get(&account_key(&account)).await.map_err(crate::error::store_failed)?.map(|_| account)
            }
            None => load::<AccessKeyRecord>(&*self.store, &key_key(id)).await?.map(|key| key.record.account),
        };
        let account = account.ok_or_else(|| ApiError::validation(format!("the access key id {id} is not known")))?;
        Ok(GetAccessKeyInfoResponse { account: Some(account.to_string()) })
    }
}
