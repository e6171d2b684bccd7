//! The one place where a decision is made and where a refusal gets its words.

use stoa_policy::{Context, Effect, MapContext, Values};

use crate::ports::Verdict;
use crate::{ApiError, Cx, Principal, Refusal, Target};

/// Proof that every target of a call was allowed. Only [`Cx::decide`] and [`Cx::decide_nothing`] make one.
#[derive(Debug)]
pub struct Permit(());

/// Global keys and a target's own keys, without copying either.
struct Layered<'a> {
    target: &'a MapContext,
    tags: &'a MapContext,
    global: &'a MapContext,
}

impl Context for Layered<'_> {
    fn get(&self, key: &str) -> Option<Values<'_>> {
        self.target.get(key).or_else(|| self.tags.get(key)).or_else(|| self.global.get(key))
    }
}

impl Cx {
    /// Allows the call when every target is allowed; the first that is not becomes AWS's refusal.
    pub async fn decide(&self, targets: &[Target]) -> Result<Permit, ApiError> {
        for target in targets {
            let decision = self.decide_as(&self.principal, target).await?;
            if decision.effect != Effect::Allow {
                return Err(refused(&self.principal, target, &decision));
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

    /// Whether some principal (an execution role, say) may do this; the caller's own network keys apply.
    pub async fn allows(&self, principal: &Principal, target: &Target) -> Result<bool, ApiError> {
        Ok(self.decide_as(principal, target).await?.effect == Effect::Allow)
    }

    /// The decision itself, for one principal and target.
    pub async fn decide_as(&self, principal: &Principal, target: &Target) -> Result<Verdict, ApiError> {
        let tags = self.resource_tag_keys(target).await?;
        let own_keys;
        let global = if std::ptr::eq(principal, &*self.principal) {
            &self.global_keys
        } else {
            own_keys = Cx::global_keys(principal, &self.region, self.now, &self.connection);
            &own_keys
        };
        let context = Layered { target: &target.keys, tags: &tags, global };
        self.platform.authority.decide(principal, &target.action, &target.resource, &context).await
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
}

fn refused(principal: &Principal, target: &Target, verdict: &Verdict) -> ApiError {
    let reason = verdict.reason.as_deref().unwrap_or("because no policy allows it");
    let message = format!(
        "User: {} is not authorized to perform: {} on resource: {} {reason}",
        principal.arn, target.action, target.resource
    );
    ApiError::access_denied(message).with_refusal(Refusal {
        action: target.action.to_string(),
        resource: target.resource.clone(),
        slot: verdict.slot.name().to_owned(),
        effect: verdict.effect.to_string(),
        matched: verdict.matched.clone(),
    })
}
