//! The one place where a decision is made and where a refusal gets its words.

use std::sync::Arc;

use stoa_policy::{Context, Effect, MapContext, Values};
use stoa_types::AccountId;

use crate::keys::{Seen, resource_account};
use crate::ports::{AccountPlace, Verdict};
use crate::record::{CallPlaces, DecidedTarget};
use crate::{ApiError, Cx, Principal, PrincipalIdentity as Identity, Refusal, Target};

/// Proof that every target of a call was allowed. Only [`Cx::decide`] and [`Cx::decide_nothing`] make one.
#[derive(Debug)]
pub struct Permit(());

impl Cx {
    /// Allows the call when every target is allowed; the first that is not becomes AWS's refusal.
    pub async fn decide(&self, targets: &[Target]) -> Result<Permit, ApiError> {
        for target in targets {
            let decision = self.decide_as(&self.principal, target).await?;
            if decision.effect != Effect::Allow {
                return Err(self.refused(&self.principal, target, &decision));
            }
        }
        Ok(Permit(()))
    }

    /// For operations whose table says that every authenticated caller may call them, with the reason there.
    pub fn decide_nothing(&self, reason: &'static str) -> Permit {
        debug_assert!(!reason.is_empty());
        Permit(())
    }

    /// Decides one more target for the caller, inside a handler.
    pub async fn authorize(&self, target: &Target) -> Result<(), ApiError> {
        self.decide(std::slice::from_ref(target)).await.map(|_| ())
    }

    /// Decides one more target for the caller as a service asks it in the caller's name; the chain of services ends
    /// with the one that asks.
    pub async fn authorize_via(&self, services: &[&str], target: &Target) -> Result<(), ApiError> {
        let keys = self.forwarded_keys(services);
        let decision = self.decide_with(&self.principal, target, &keys, true).await?;
        if decision.effect == Effect::Allow { Ok(()) } else { Err(self.refused(&self.principal, target, &decision)) }
    }

    /// Decides one more target for the caller, or for a principal that a service acts as; the refusal names that one.
    pub async fn authorize_as(&self, principal: &Principal, target: &Target) -> Result<(), ApiError> {
        let decision = self.decide_as(principal, target).await?;
        if decision.effect == Effect::Allow { Ok(()) } else { Err(self.refused(principal, target, &decision)) }
    }

    /// The decision for an AWS service that acts by itself for a resource of somebody (a trail that delivers to a
    /// bucket): `source_arn` is what it acts for.
    pub async fn decide_for_service(
        &self,
        service: &str,
        source_arn: &str,
        target: &Target,
    ) -> Result<Verdict, ApiError> {
        let principal = Principal::service(service, self.principal.account.clone());
        let mut keys = Cx::service_keys(&principal, &self.region, self.now);
        let account = source_arn.split(':').nth(4).unwrap_or_default();
        let place = self.place_of(account, self.places().await?).await?;
        Cx::source_keys(&mut keys, source_arn, place.as_deref());
        self.decide_with(&principal, target, &keys, true).await
    }

    /// Decides for whom a verified assertion speaks: the request is its own, from where it came. A refusal does not name
    /// the resource, since the caller belongs to no account.
    pub async fn authorize_federated(&self, principal: &Principal, targets: &[Target]) -> Result<(), ApiError> {
        let mut keys = Cx::global_keys(principal, &self.region, self.now, &self.connection);
        for key in ["aws:UserAgent", "aws:referer"] {
            if let Some(Values::One(value)) = self.global_keys.get(&key.to_ascii_lowercase()) {
                keys.set(key, value);
            }
        }
        for target in targets {
            let verdict = self.decide_with(principal, target, &keys, true).await?;
            if verdict.effect != Effect::Allow {
                let message = format!("Not authorized to perform {}", target.action);
                let refused = self.refused(principal, target, &verdict);
                let denied = ApiError::access_denied(message);
                return Err(match refused.refusal() {
                    Some(refusal) => denied.with_refusal(refusal.clone()),
                    None => denied,
                });
            }
        }
        Ok(())
    }

    /// Whether some principal (an execution role, say) may do this.
    pub async fn allows(&self, principal: &Principal, target: &Target) -> Result<bool, ApiError> {
        Ok(self.decide_as(principal, target).await?.effect == Effect::Allow)
    }

    /// Whether the caller may do this, asked of each item that a list could show: not recorded, since nothing is done.
    pub async fn may(&self, target: &Target) -> Result<bool, ApiError> {
        let verdict = self.judge(&self.principal, target, &self.global_keys, false, false).await?;
        Ok(verdict.effect == Effect::Allow)
    }

    /// The decision itself, for one principal and target. Another principal than the caller is one that a service
    /// acts as: its requests come from the service.
    pub async fn decide_as(&self, principal: &Principal, target: &Target) -> Result<Verdict, ApiError> {
        if std::ptr::eq(principal, &*self.principal) {
            return self.decide_with(principal, target, &self.global_keys, false).await;
        }
        let keys = Cx::service_keys(principal, &self.region, self.now);
        self.decide_with(principal, target, &keys, true).await
    }

    async fn decide_with(
        &self,
        principal: &Principal,
        target: &Target,
        global: &MapContext,
        other: bool,
    ) -> Result<Verdict, ApiError> {
        self.judge(principal, target, global, other, true).await
    }

    async fn judge(
        &self,
        principal: &Principal,
        target: &Target,
        global: &MapContext,
        other: bool,
        recorded: bool,
    ) -> Result<Verdict, ApiError> {
        let tags = self.resource_tag_keys(target).await?;
        let own = std::ptr::eq(principal, &*self.principal);
        let places = self.places().await?;
        let principal_place = match principal.identity {
            Identity::Service { .. } | Identity::Federated { .. } | Identity::Anonymous => None,
            _ if own => places.principal.clone(),
            _ => self.place_of(principal.account.as_str(), places).await?,
        };
        let resource_account = resource_account(target);
        let resource_place = match resource_account {
            Some(account) => self.place_of(account, places).await?,
            None => None,
        };
        let seen = Seen {
            target: &target.keys,
            tags: &tags,
            resource_account,
            resource_place: resource_place.as_deref(),
            principal_place: principal_place.as_deref(),
            endpoint_place: places.endpoint.as_deref().filter(|_| !other),
            global,
        };
        let verdict = self.platform.authority.decide(principal, &target.action, &target.resource, &seen).await?;
        if recorded {
            self.note_decision(target, &seen, &verdict, other.then_some(principal));
        }
        Ok(verdict)
    }

    /// Where caller and endpoint are in the organization: asked for once.
    async fn places(&self) -> Result<&CallPlaces, ApiError> {
        if let Some(places) = self.trace.places.get() {
            return Ok(places);
        }
        let authority = &self.platform.authority;
        let endpoint = match &self.connection.vpc_endpoint {
            Some(endpoint) => authority.account_place(endpoint.account.as_str()).await?,
            None => None,
        };
        let principal = match self.principal.identity {
            Identity::Service { .. } | Identity::Federated { .. } | Identity::Anonymous => None,
            _ => authority.account_place(self.principal.account.as_str()).await?,
        };
        // Two decisions at once may both have asked: the answer is the same.
        Ok(self.trace.places.get_or_init(|| CallPlaces { principal, endpoint }))
    }

    async fn place_of(&self, account: &str, known: &CallPlaces) -> Result<Option<Arc<AccountPlace>>, ApiError> {
        if known.principal.is_some() && account == self.principal.account.as_str() {
            return Ok(known.principal.clone());
        }
        self.platform.authority.account_place(account).await
    }

    fn note_decision(&self, target: &Target, seen: &Seen<'_>, verdict: &Verdict, other: Option<&Principal>) {
        let mut keys = target.keys.clone();
        let about = ["aws:resourceaccount", "aws:resourceorgid", "aws:resourceorgpaths"];
        let about = about.into_iter().filter_map(|key| Some((key, seen.get(key)?)));
        for (key, values) in seen.tags.iter().chain(about) {
            match values {
                Values::One(value) => keys.set(key, value),
                Values::Many(values) => keys.set_many(key, values.iter().map(String::as_str)),
            };
        }
        let other = other.map(|principal| {
            let mut global = seen.global.clone();
            if let Some(place) = seen.principal_place {
                global.set("aws:PrincipalOrgID", place.organization.as_str());
                global.set_many("aws:PrincipalOrgPaths", place.paths.iter().map(String::as_str));
            }
            (principal.arn.clone(), global)
        });
        self.trace.decided(DecidedTarget {
            action: target.action.clone(),
            resource: target.resource.clone(),
            keys,
            owner: self.other_account(target, seen.resource_account),
            effect: verdict.effect,
            slot: verdict.slot,
            matched: verdict.matched.clone(),
            dependent: false,
            other,
        });
    }

    /// Whose a resource is, where it is neither the caller's nor AWS's.
    fn other_account(&self, target: &Target, account: Option<&str>) -> Option<AccountId> {
        let own = self.principal.account.as_str();
        if let Some(other) = &target.shared_by {
            return Some(other.clone()).filter(|other| other.as_str() != own);
        }
        account.filter(|account| *account != own)?.parse().ok().filter(|other: &AccountId| !other.is_aws())
    }

    async fn resource_tag_keys(&self, target: &Target) -> Result<MapContext, ApiError> {
        let mut keys = MapContext::new();
        if target.resource.contains('*') {
            return Ok(keys);
        }
        let tags = self.platform.tags.resource_tags(&target.resource).await?;
        let service = target.action.split(':').next().unwrap_or_default();
        for (name, value) in tags {
            keys.set(&format!("aws:ResourceTag/{name}"), value.as_str());
            keys.set(&format!("{service}:ResourceTag/{name}"), value);
        }
        Ok(keys)
    }

    fn refused(&self, principal: &Principal, target: &Target, verdict: &Verdict) -> ApiError {
        let reason = verdict.reason.as_deref().unwrap_or("because no policy allows it");
        let mut message = format!(
            "User: {} is not authorized to perform: {} on resource: {}",
            principal.arn, target.action, target.resource
        );
        // As AWS: the reason would tell whether a role is there and whom it trusts.
        if !matches!(&*target.action, "sts:AssumeRole" | "sts:TagSession" | "sts:SetSourceIdentity") {
            message = format!("{message} {reason}");
        }
        self.trace.refused();
        let own = self.trace.own_action().filter(|own| !own.eq_ignore_ascii_case(&target.action));
        ApiError::access_denied(message).with_refusal(Refusal {
            action: target.action.to_string(),
            resource: target.resource.clone(),
            slot: verdict.slot.name().to_owned(),
            effect: verdict.effect.to_string(),
            matched: verdict.matched.clone(),
            requested_by: own.map(|own| own.into_owned()),
        })
    }
}
