//! The authority: who a credential belongs to, and what a principal may do.
//!
//! INVARIANT: a change of policy, trust, key, user, role or account is seen by the next request, because everything
//! cached here is held to `Store::version`. A failure to read is an error, never an Allow.

mod credential;
mod gathered;
mod organization;
mod rights;
mod trust;

use std::sync::Arc;

use async_trait::async_trait;
use stoa_kernel::ports::{AccountPlace, Authority, Credential, Verdict};
use stoa_kernel::{ApiError, Principal};
use stoa_policy::{Context, Decision, Effect, PrincipalRef, Slot};
use stoa_types::AccountId;

pub(crate) use credential::CachedCredential;
pub use gathered::Gathered;
pub(crate) use organization::{Levels, Member, takes_control_policies};
pub(crate) use rights::{Rights, Sources, policy_key_of};
pub(crate) use trust::{Trust, role_key_of};

use crate::Iam;
use crate::seal::Purpose;
use crate::session::{Claims, Subject};
use crate::sts::refuse_session;

/// How long the session lasts that a service gets of an execution role; it asks again after that.
const SERVICE_SESSION_MILLIS: i64 = 12 * 60 * 60 * 1000;

#[async_trait]
impl Authority for Iam {
    async fn credential(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
    ) -> Result<Option<Arc<Credential>>, ApiError> {
        self.find_credential(access_key_id, session_token).await
    }

    async fn decide(
        &self,
        principal: &Principal,
        action: &str,
        resource: &str,
        context: &(dyn Context + Sync),
    ) -> Result<Verdict, ApiError> {
        refuse_session(principal, action)?;
        if principal.session.is_none() && !principal.access_key_id.is_empty() {
            self.note_key_use(principal, action, context);
        }
        let Some(gathered) = self.gather(principal, action, resource, context).await? else {
            return Ok(nobody(action));
        };
        let verdict = gathered.verdict(action, resource, context);
        if verdict.effect == Effect::Allow {
            self.note_principal_use(principal, action, context);
        }
        Ok(verdict)
    }

    async fn service_session(
        &self,
        role_arn: &str,
        service: &str,
        session_name: &str,
    ) -> Result<Option<Principal>, ApiError> {
        let trust = self.trust(role_arn).await?;
        let Some(role) = &trust.role else { return Ok(None) };
        let who = Arc::new(PrincipalRef::parse(service));
        let account = role_arn.split(':').nth(4).unwrap_or_default();
        let mut context = stoa_policy::MapContext::new()
            .with("aws:PrincipalServiceName", service)
            .with_many("aws:PrincipalServiceNamesList", [service])
            .with("aws:PrincipalIsAWSService", "true")
            .with("aws:PrincipalType", "Service")
            .with("aws:SourceAccount", account)
            .with("aws:ResourceAccount", account)
            .with("sts:RoleSessionName", session_name);
        if let Some(place) = self.place_of_account(account).await? {
            for owner in ["aws:Source", "aws:Resource"] {
                context.set(&format!("{owner}OrgID"), place.organization.as_str());
                context.set_many(&format!("{owner}OrgPaths"), place.paths.iter().map(String::as_str));
            }
        }
        let rcp = self.rcp_levels("sts:AssumeRole", role_arn, &context).await?;
        let gathered = Gathered { trust: Some(Arc::clone(&trust.policy)), rcp, ..Gathered::of(who) };
        if !gathered.decide("sts:AssumeRole", role_arn, &context, |decision| decision.is_allowed()) {
            return Ok(None);
        }
        let now = self.clock.now();
        let claims = Claims {
            account: account.parse().map_err(ApiError::internal)?,
            subject: Subject::Role {
                arn: role.arn.clone(),
                name: role.name.clone(),
                id: role.id.clone(),
                session: session_name.to_owned(),
            },
            issued: now,
            expires: now.plus_millis(SERVICE_SESSION_MILLIS),
            principal_tags: role.tags.clone(),
            tags: Default::default(),
            transitive: Vec::new(),
            policies: Vec::new(),
            source_identity: None,
            mfa_at: None,
            provider: None,
            keys: Default::default(),
        };
        Ok(Some(claims.principal("")))
    }

    async fn account_place(&self, account: &str) -> Result<Option<Arc<AccountPlace>>, ApiError> {
        self.place_of_account(account).await
    }

    fn encode_refusal(&self, account: &AccountId, message: &str) -> Option<String> {
        self.key.seal(Purpose::Refusal, account.as_str(), message.as_bytes(), &*self.ids).ok()
    }
}

impl Iam {
    fn note_key_use(&self, principal: &Principal, action: &str, context: &dyn Context) {
        let service = action.split(':').next().unwrap_or_default();
        let region = context.get("aws:requestedregion").and_then(|values| values.single()).unwrap_or("us-east-1");
        self.uses.note(&principal.access_key_id, self.clock.now(), service, region);
    }

    /// Opens what [`Authority::encode_refusal`] made for a caller of this account; none for anything else.
    pub fn decode_refusal(&self, account: &AccountId, encoded: &str) -> Option<String> {
        let text = self.key.open(Purpose::Refusal, account.as_str(), encoded).ok()?;
        std::str::from_utf8(&text).ok().map(str::to_owned)
    }
}

/// The actions that a role's trust policy must allow. Federated users' sessions are tagged without a role.
fn is_trusted_action(action: &str, resource: &str) -> bool {
    let Some((service, name)) = action.split_once(':') else { return false };
    let trusted = ["AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "TagSession", "SetSourceIdentity"];
    let federated_user = resource.contains(":federated-user/");
    service.eq_ignore_ascii_case("sts")
        && !federated_user
        && trusted.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The verdict over a principal that is not there any more.
fn nobody(action: &str) -> Verdict {
    verdict(&Decision { effect: Effect::ImplicitDeny, slot: Slot::Identity, matched: None }, action)
}

fn verdict(decision: &Decision<'_>, action: &str) -> Verdict {
    if decision.is_allowed() {
        return Verdict { effect: decision.effect, slot: decision.slot, matched: None, reason: None };
    }
    let matched = decision.matched.map(|statement| match statement.sid {
        Some(sid) => format!("{}#{sid}", statement.policy),
        None => format!("{}#{}", statement.policy, statement.index),
    });
    let joint = if decision.effect == Effect::ExplicitDeny { "" } else { "because " };
    let reason = Some(format!("{joint}{}", decision.reason_text(action)));
    Verdict { effect: decision.effect, slot: decision.slot, matched, reason }
}
