//! The authority: who a credential belongs to, and what a principal may do.
//!
//! INVARIANT: a change of policy, trust, key, user, role or account is seen by the next request, because everything
//! cached here is held to `Store::version`. A failure to read is an error, never an Allow.

mod credential;
mod rights;
mod trust;

use std::sync::Arc;

use async_trait::async_trait;
use stoa_kernel::ports::{Authority, Credential, Verdict};
use stoa_kernel::{ApiError, Principal, PrincipalIdentity};
use stoa_policy::{Context, Decision, Effect, PolicySet, PrincipalRef, Request, Slot, Slots, Values, decide};

pub(crate) use credential::CachedCredential;
pub(crate) use rights::{Policies, Rights, Sources, policy_key_of};
pub(crate) use trust::Trust;

use crate::Iam;
use crate::session::{Claims, Subject};

/// How long the session lasts that a service gets of an execution role; it asks again after that.
const SERVICE_SESSION_MILLIS: i64 = 12 * 60 * 60 * 1000;

/// Whose resources of the pseudo-account `aws` are not when the action would change them.
const NOBODYS_ACCOUNT: &str = "000000000000";

/// What bears on a request besides the principal's own policies.
#[derive(Default)]
pub(crate) struct ResourceSide {
    trust: Option<Arc<Trust>>,
    policy: Option<Arc<PolicySet>>,
}

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
        if principal.session.is_none() && !principal.access_key_id.is_empty() {
            self.note_key_use(principal, action, context);
        }
        let side = self.resource_side(action, resource).await?;
        match principal.identity {
            PrincipalIdentity::Anonymous | PrincipalIdentity::Service { .. } => {
                let who = PrincipalRef::parse(&principal.arn);
                Ok(evaluate(&who, None, &side, action, resource, context))
            }
            _ => {
                let rights = self.rights(principal).await?;
                let Some(policies) = &rights.policies else { return Ok(nobody(action)) };
                let verdict = evaluate(&policies.who, Some(policies), &side, action, resource, context);
                if verdict.effect == Effect::Allow {
                    self.note_principal_use(principal, action, context);
                }
                Ok(verdict)
            }
        }
    }

    async fn service_session(
        &self,
        role_arn: &str,
        service: &str,
        session_name: &str,
    ) -> Result<Option<Principal>, ApiError> {
        let trust = self.trust(role_arn).await?;
        let Some(role) = &trust.role else { return Ok(None) };
        let who = PrincipalRef::parse(service);
        let slots = Slots { trust: Some(&trust.policy), ..Slots::default() };
        let account = role_arn.split(':').nth(4).unwrap_or_default();
        let context = stoa_policy::MapContext::new()
            .with("aws:PrincipalServiceName", service)
            .with("aws:PrincipalIsAWSService", "true")
            .with("aws:SourceAccount", account)
            .with("sts:RoleSessionName", session_name);
        let request = Request {
            principal: &who,
            action: "sts:AssumeRole",
            resource: role_arn,
            resource_account: None,
            management_account: false,
            context: &context,
        };
        if !decide(&slots, &request).is_allowed() {
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
}

impl Iam {
    fn note_key_use(&self, principal: &Principal, action: &str, context: &dyn Context) {
        let service = action.split(':').next().unwrap_or_default();
        let region = context.get("aws:requestedregion").and_then(|values| values.single()).unwrap_or("us-east-1");
        self.uses.note(&principal.access_key_id, self.clock.now(), service, region);
    }

    /// The one place where policies of resources come in: trust policies of roles here, others by the port.
    pub(crate) async fn resource_side(&self, action: &str, resource: &str) -> Result<ResourceSide, ApiError> {
        if is_trusted_action(action) {
            return Ok(ResourceSide { trust: Some(self.trust(resource).await?), policy: None });
        }
        for source in self.resource_policies.load().iter() {
            if let Some(policy) = source.resource_policy(resource).await? {
                return Ok(ResourceSide { trust: None, policy: Some(policy) });
            }
        }
        Ok(ResourceSide::default())
    }
}

/// The actions that a role's trust policy must allow.
fn is_trusted_action(action: &str) -> bool {
    let Some((service, name)) = action.split_once(':') else { return false };
    let trusted = ["AssumeRole", "TagSession", "SetSourceIdentity"];
    service.eq_ignore_ascii_case("sts") && trusted.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Composes all slots. Synchronous, and without allocation unless there are service control policies or a denial.
fn evaluate(
    who: &PrincipalRef,
    policies: Option<&Policies>,
    side: &ResourceSide,
    action: &str,
    resource: &str,
    context: &dyn Context,
) -> Verdict {
    let request = Request {
        principal: who,
        action,
        resource,
        resource_account: resource_account(action, resource, context),
        management_account: policies.is_some_and(|policies| policies.management_account),
        context,
    };
    let trust = side.trust.as_deref().map(|trust| &trust.policy);
    let resource_policy = side.policy.as_deref();
    let Some(policies) = policies else {
        let slots = Slots { trust, resource: resource_policy, ..Slots::default() };
        return verdict(&decide(&slots, &request), action);
    };
    let scp: Vec<&PolicySet> = policies.scp.iter().collect();
    let identity = [&policies.identity];
    let session = policies.session.as_ref().map(|set| [set]);
    let slots = Slots {
        identity: &identity,
        resource: resource_policy,
        boundary: policies.boundary.as_ref(),
        session: session.as_ref().map(|sets| sets.as_slice()),
        scp: &scp,
        trust,
        ..Slots::default()
    };
    verdict(&decide(&slots, &request), action)
}

/// Whose the resource is: what `aws:ResourceAccount` says, or else the account in the ARN (which the engine looks at).
/// Everyone may read what the pseudo-account `aws` has, as far as their own policies go; nobody may change it.
fn resource_account<'a>(action: &str, resource: &'a str, context: &'a dyn Context) -> Option<&'a str> {
    let said = context.get("aws:resourceaccount").and_then(|values| match values {
        Values::One(account) => Some(account),
        Values::Many(_) => None,
    });
    let owner = said.or_else(|| resource.split(':').nth(4))?;
    if owner == "aws" {
        return (!reads_public(action)).then_some(NOBODYS_ACCOUNT).or(said);
    }
    said
}

/// Whether an action leaves the public hub, the JumpStart buckets and AWS's managed policies as they are.
fn reads_public(action: &str) -> bool {
    const NAMES: [&str; 3] = ["CreateHubContentPresignedUrls", "CreateHubContentReference", "DeployHubModel"];
    const VERBS: [&str; 5] = ["Describe", "List", "Get", "Head", "Search"];
    let name = action.split_once(':').map_or(action, |(_, name)| name);
    let begins = |verb: &&str| name.get(..verb.len()).is_some_and(|start| start.eq_ignore_ascii_case(verb));
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)) || VERBS.iter().any(begins)
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
