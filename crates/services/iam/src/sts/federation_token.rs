//! GetFederationToken: a session for somebody whom IAM does not know, made with a user's (or the root user's) key.
//!
//! Without a session policy such a session may do nothing but what resource policies grant it by name.

use stoa_kernel::{ApiError, Authorized, Cx, Handles, PrincipalIdentity};
use stoa_models_sts::operations as op;
use stoa_models_sts::types::{FederatedUser, GetFederationTokenRequest, GetFederationTokenResponse};

use super::limits::{add_session_tags, packed};
use super::{denied, wire_credentials};
use crate::Iam;
use crate::session::{Claims, Subject, issue};

const DEFAULT_SECONDS: i64 = 43_200;
const MAX_ROOT_SECONDS: i64 = 3_600;

impl Handles<op::GetFederationToken> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetFederationTokenRequest>,
    ) -> Result<GetFederationTokenResponse, ApiError> {
        let principal = &cx.principal;
        let refusal = || denied("Cannot call GetFederationToken with session credentials");
        if principal.session.is_some() {
            return Err(refusal());
        }
        let asked = input.duration_seconds.unwrap_or(DEFAULT_SECONDS);
        let (user, seconds) = match &principal.identity {
            PrincipalIdentity::Root => (None, asked.min(MAX_ROOT_SECONDS)),
            PrincipalIdentity::User { name } => (Some((name.clone(), principal.principal_id.clone())), asked),
            _ => return Err(refusal()),
        };
        let mut tags = Default::default();
        let asked = input.tags.iter().flatten().map(|tag| (&*tag.key, &*tag.value));
        add_session_tags(&mut tags, &[], asked)?;
        let account = principal.account.as_str();
        let policies = self.session_policies(account, input.policy.as_deref(), input.policy_arns.as_deref()).await?;
        let packed_policy_size = packed(&policies, &tags)?;
        let claims = Claims {
            account: principal.account.clone(),
            subject: Subject::FederatedUser { name: input.name.clone(), user },
            issued: cx.now,
            expires: cx.now.plus_millis(seconds * 1000),
            principal_tags: principal.tags.clone(),
            tags,
            transitive: Vec::new(),
            policies,
            source_identity: None,
            mfa_at: None,
            provider: None,
            keys: Default::default(),
        };
        let session = issue(&self.key, &*self.ids, &claims)?;
        let federated = claims.principal(&session.access_key_id);
        Ok(GetFederationTokenResponse {
            credentials: Some(wire_credentials(&session)),
            federated_user: Some(FederatedUser { federated_user_id: federated.principal_id, arn: federated.arn }),
            packed_policy_size,
            session_token_utilization: None,
            session_token_size: None,
        })
    }
}
