//! Everything that bears on one request, gathered before it is decided.
//!
//! The one place where slots are put together: decisions, explanations and rehearsals of draft policies all go through
//! [`Gathered`], so they cannot differ. Each slot is an `Arc` of its own: to see what another policy in one of them
//! would do, clone and replace that field. Pure once gathered; nothing is kept beyond the call but the caches it came of.

use std::sync::Arc;

use stoa_kernel::ports::Verdict;
use stoa_kernel::{ApiError, Principal, PrincipalIdentity};
use stoa_policy::{Context, Decision, Explanation, PolicySet, PrincipalRef, Request, Slots, Values, decide, explain};

use super::{is_trusted_action, verdict};
use crate::Iam;

/// Whose resources of the pseudo-account `aws` are not when the action would change them.
const NOBODYS_ACCOUNT: &str = "000000000000";

/// The policies of every slot, and who asks.
#[derive(Debug, Clone)]
pub struct Gathered {
    /// Who asks.
    pub who: Arc<PrincipalRef>,
    /// The principal's own policies, of its groups too, as one set.
    pub identity: Arc<PolicySet>,
    /// Its permissions boundary.
    pub boundary: Option<Arc<PolicySet>>,
    /// Its session policies as one set; none when the session was made without any.
    pub session: Option<Arc<PolicySet>>,
    /// Service control policies, a set a level, from the root down.
    pub scp: Arc<[Arc<PolicySet>]>,
    /// Resource control policies of the resource's account, likewise.
    pub rcp: Arc<[Arc<PolicySet>]>,
    /// The policy of the resource.
    pub resource: Option<Arc<PolicySet>>,
    /// The trust policy, for the actions that assume a role.
    pub trust: Option<Arc<PolicySet>>,
    /// The policy of the VPC endpoint that the request came through.
    pub endpoint: Option<Arc<PolicySet>>,
    /// Whether the principal belongs to the management account.
    pub management_account: bool,
}

impl Gathered {
    /// Nothing but the principal.
    pub fn of(who: Arc<PrincipalRef>) -> Gathered {
        Gathered {
            who,
            identity: Arc::default(),
            boundary: None,
            session: None,
            scp: Arc::default(),
            rcp: Arc::default(),
            resource: None,
            trust: None,
            endpoint: None,
            management_account: false,
        }
    }

    /// Calls with the slots as the engine takes them. Allocates only where there are control policies.
    pub fn with_slots<'s, T>(&'s self, use_them: impl for<'l> FnOnce(&Slots<'l>) -> T + 's) -> T {
        let identity = [&*self.identity];
        let session = self.session.as_ref().map(|set| [&**set]);
        let scp: Vec<&PolicySet> = self.scp.iter().map(|level| &**level).collect();
        let rcp: Vec<&PolicySet> = self.rcp.iter().map(|level| &**level).collect();
        use_them(&Slots {
            identity: &identity,
            resource: self.resource.as_deref(),
            boundary: self.boundary.as_deref(),
            session: session.as_ref().map(|sets| sets.as_slice()),
            scp: &scp,
            rcp: &rcp,
            endpoint: self.endpoint.as_deref(),
            trust: self.trust.as_deref(),
        })
    }

    /// The request as the engine takes it.
    pub fn request<'r>(&'r self, action: &'r str, resource: &'r str, context: &'r dyn Context) -> Request<'r> {
        Request {
            principal: &self.who,
            action,
            resource,
            resource_account: resource_account(action, resource, context),
            management_account: self.management_account,
            context,
        }
    }

    /// Decides one action on one resource, and calls with the decision.
    pub fn decide<T>(
        &self,
        action: &str,
        resource: &str,
        context: &dyn Context,
        told: impl FnOnce(&Decision<'_>) -> T,
    ) -> T {
        let request = self.request(action, resource, context);
        self.with_slots(|slots| told(&decide(slots, &request)))
    }

    /// Decides it, in the words of AWS where it is denied.
    pub fn verdict(&self, action: &str, resource: &str, context: &dyn Context) -> Verdict {
        self.decide(action, resource, context, |decision| verdict(decision, action))
    }

    /// Explains it.
    pub fn explain(&self, action: &str, resource: &str, context: &dyn Context) -> Explanation {
        let request = self.request(action, resource, context);
        self.with_slots(|slots| explain(slots, &request))
    }
}

impl Iam {
    /// Gathers what bears on a request. None when the principal is not there any more.
    ///
    /// The context says which VPC endpoint the request came through (`aws:SourceVpce`) and, for ARNs without an
    /// account, whose the resource is (`aws:ResourceAccount`).
    ///
    /// # Errors
    /// The store's.
    pub async fn gather(
        &self,
        principal: &Principal,
        action: &str,
        resource: &str,
        context: &(dyn Context + Sync),
    ) -> Result<Option<Gathered>, ApiError> {
        let mut gathered = match principal.identity {
            PrincipalIdentity::Anonymous | PrincipalIdentity::Service { .. } | PrincipalIdentity::Federated { .. } => {
                Gathered::of(Arc::new(PrincipalRef::parse(&principal.arn)))
            }
            _ => {
                let rights = self.rights(principal).await?;
                let Some(policies) = &rights.policies else { return Ok(None) };
                policies.clone()
            }
        };
        if is_trusted_action(action, resource) {
            gathered.trust = Some(self.trust(resource).await?.policy.clone());
        } else {
            gathered.resource = self.resource_policy(resource).await?;
        }
        if !gathered.who.is_service_linked_role() {
            gathered.rcp = self.rcp_levels(action, resource, context).await?;
        }
        if let Some(id) = context.get("aws:sourcevpce").and_then(|values| values.single()) {
            gathered.endpoint = self.endpoint_policy(id);
        }
        Ok(Some(gathered))
    }

    /// The policy that lives on a resource, by the port of whoever owns it.
    async fn resource_policy(&self, resource: &str) -> Result<Option<Arc<PolicySet>>, ApiError> {
        for source in self.resource_policies.load().iter() {
            if let Some(policy) = source.resource_policy(resource).await? {
                return Ok(Some(policy));
            }
        }
        Ok(None)
    }

    fn endpoint_policy(&self, id: &str) -> Option<Arc<PolicySet>> {
        self.vpc_endpoints.load().get(id)?.policy.clone()
    }
}

/// Whose the resource is: what `aws:ResourceAccount` says, or else the account in the ARN (which the engine looks at).
/// Everyone may read what the pseudo-account `aws` has, as far as their own policies go; nobody may change it.
fn resource_account<'a>(action: &str, resource: &'a str, context: &'a dyn Context) -> Option<&'a str> {
    let said = granted_to(action, context).or_else(|| said_account(context));
    let owner = said.or_else(|| resource.split(':').nth(4))?;
    if owner == "aws" {
        return (!reads_public(action)).then_some(NOBODYS_ACCOUNT).or(said);
    }
    said
}

/// The caller's account, where KMS found a grant for the caller itself: such a grant is enough, as in AWS, also for a key
/// of another account, so the engine is to ask no policy of the caller's account beside it. What denies still denies.
fn granted_to<'a>(action: &str, context: &'a dyn Context) -> Option<&'a str> {
    let service = action.split(':').next()?;
    let granted = context.get("stoa:granted").filter(|_| service.eq_ignore_ascii_case("kms"))?;
    granted.single().filter(|account| !account.is_empty())
}

/// The owner that the context names.
pub(super) fn said_account(context: &dyn Context) -> Option<&str> {
    context.get("aws:resourceaccount").and_then(|values| match values {
        Values::One(account) => Some(account),
        Values::Many(_) => None,
    })
}

/// Whether an action leaves the public hub, the JumpStart buckets and AWS's managed policies as they are.
fn reads_public(action: &str) -> bool {
    const NAMES: [&str; 4] =
        ["CreateHubContentPresignedUrls", "CreateHubContentReference", "DeployHubModel", "TrainHubModel"];
    const VERBS: [&str; 5] = ["Describe", "List", "Get", "Head", "Search"];
    let name = action.split_once(':').map_or(action, |(_, name)| name);
    let begins = |verb: &&str| name.get(..verb.len()).is_some_and(|start| start.eq_ignore_ascii_case(verb));
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)) || VERBS.iter().any(begins)
}
