//! Draft policies over calls of the past: where a candidate bears on a decision, and what it would make of it.
//!
//! INVARIANT: a candidate is put in by replacing one field of what [`Iam::gather`] found, so nothing else differs.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use stoa_kernel::ApiError;
use stoa_kernel::ports::{Candidate, PastPrincipal, PastTarget, Rehearsal, Rehearsed};
use stoa_policy::{Context, Decision, Document, PolicyKind, PolicySet, PrincipalKind, PrincipalRef, Slot};
use stoa_schema::Value;

use super::access::everything;
use super::statement_place;
use crate::Iam;
use crate::authority::{Gathered, Levels, takes_control_policies};
use crate::state::PolicyType;

/// Sets with the candidate in them that are kept.
const MOST_SETS: usize = 4096;
/// What decisions call the candidate.
const NAME: &str = "candidate";

/// A compiled candidate.
pub(super) struct Draft {
    iam: Arc<Iam>,
    candidate: Candidate,
    document: Document,
    alone: Arc<PolicySet>,
    /// By the address of the set they were made of, which is kept so that no other set gets its address.
    made: Mutex<HashMap<usize, Made>>,
    /// Control policies with the candidate among them, by account; none where it is not on the way.
    levels: Mutex<HashMap<String, Option<Levels>>>,
}

struct Made {
    _of: Arc<PolicySet>,
    set: Option<Arc<PolicySet>>,
}

impl Draft {
    pub fn new(iam: Arc<Iam>, candidate: Candidate) -> Result<Draft, ApiError> {
        let kind = match candidate.slot {
            Slot::Identity | Slot::Boundary | Slot::Session => PolicyKind::Identity,
            Slot::Scp => PolicyKind::Scp,
            Slot::Trust => PolicyKind::Trust,
            Slot::Resource | Slot::Rcp | Slot::Endpoint => PolicyKind::Resource,
        };
        let document = Document::parse_as(&candidate.document, kind).map_err(|error| {
            ApiError::new("MalformedPolicyDocumentException", 400, error.to_string())
                .with_field("Path", Value::String(error.path().to_owned()))
        })?;
        let name = candidate.replaces.clone().unwrap_or_else(|| NAME.to_owned());
        let alone = Arc::new(PolicySet::compile([(Arc::from(name), &document)]));
        Ok(Draft { iam, candidate, document, alone, made: Mutex::default(), levels: Mutex::default() })
    }

    /// What was gathered with the candidate among it; none where it does not bear on this decision.
    async fn with_candidate(&self, gathered: &Gathered, target: &PastTarget) -> Result<Option<Gathered>, ApiError> {
        let mut with = gathered.clone();
        let there = match self.candidate.slot {
            Slot::Identity => self.on_principal(gathered, &mut with.identity, |draft, old| draft.put(Some(old))),
            Slot::Boundary => self.on_principal(gathered, &mut with.boundary, |draft, old| draft.only(old).map(Some)),
            Slot::Session => {
                self.on_principal(gathered, &mut with.session, |draft, old| draft.put(old.as_ref()).map(Some))
            }
            Slot::Resource if gathered.trust.is_none() && self.names_resource(&target.resource) => {
                replace(&mut with.resource, self.put(gathered.resource.as_ref()).map(Some))
            }
            Slot::Trust if gathered.trust.is_some() && self.names_resource(&target.resource) => {
                replace(&mut with.trust, self.only(&gathered.trust).map(Some))
            }
            Slot::Endpoint if self.names_endpoint(target) => {
                replace(&mut with.endpoint, self.only(&gathered.endpoint).map(Some))
            }
            Slot::Scp if !gathered.management_account => {
                replace(&mut with.scp, self.put_in_levels(PolicyType::ServiceControl, gathered.who.account()).await?)
            }
            Slot::Rcp if takes_control_policies(&target.action) => {
                replace(&mut with.rcp, self.put_in_levels(PolicyType::ResourceControl, owner(target)).await?)
            }
            Slot::Resource | Slot::Trust | Slot::Endpoint | Slot::Scp | Slot::Rcp => false,
        };
        Ok(there.then_some(with))
    }

    /// Puts the candidate in a slot of the principal's, where it may be attached to this one.
    fn on_principal<T>(&self, gathered: &Gathered, slot: &mut T, put: impl FnOnce(&Draft, &T) -> Option<T>) -> bool {
        let new = if self.names_principal(&gathered.who) { put(self, slot) } else { None };
        replace(slot, new)
    }

    fn names_principal(&self, who: &PrincipalRef) -> bool {
        use PrincipalKind::{AssumedRole, FederatedUser, Role, User};
        if !matches!(who.kind(), User | Role | AssumedRole | FederatedUser) {
            return false;
        }
        let names = |target: &String| [Some(who.arn()), who.role_arn(), who.account()].contains(&Some(target.as_str()));
        self.candidate.targets.is_empty() || self.candidate.targets.iter().any(names)
    }

    /// A bucket's policy is also its objects'; a target may end in `*`.
    fn names_resource(&self, resource: &str) -> bool {
        self.candidate.targets.iter().any(|target| {
            let start = target.strip_suffix('*');
            let object = || {
                target.starts_with("arn:aws:s3:")
                    && resource.strip_prefix(target.as_str()).is_some_and(|rest| rest.starts_with('/'))
            };
            start.is_some_and(|start| resource.starts_with(start)) || resource == target || object()
        })
    }

    /// Without targets, every call that came through an endpoint; `*` stands for every call.
    fn names_endpoint(&self, target: &PastTarget) -> bool {
        let endpoint = target.keys.get("aws:sourcevpce").and_then(|values| values.single());
        let targets = &self.candidate.targets;
        let named = |target: &String| target == "*" || endpoint == Some(target.as_str());
        targets.iter().any(named) || targets.is_empty() && endpoint.is_some()
    }

    /// A set with the candidate in it: added, or in the place of the policy it replaces, where that is there.
    fn put(&self, old: Option<&Arc<PolicySet>>) -> Option<Arc<PolicySet>> {
        let replaces = self.candidate.replaces.as_deref();
        let Some(old) = old else { return replaces.is_none().then(|| Arc::clone(&self.alone)) };
        let address = Arc::as_ptr(old) as usize;
        let mut made = self.made.lock();
        if let Some(known) = made.get(&address) {
            return known.set.clone();
        }
        if made.len() >= MOST_SETS {
            made.clear();
        }
        let set = old.with(Arc::from(replaces.unwrap_or(NAME)), &self.document, replaces).map(Arc::new);
        made.insert(address, Made { _of: Arc::clone(old), set: set.clone() });
        set
    }

    /// The candidate in a slot that has room for one policy.
    fn only(&self, old: &Option<Arc<PolicySet>>) -> Option<Arc<PolicySet>> {
        match (&self.candidate.replaces, old) {
            (None, _) => Some(Arc::clone(&self.alone)),
            (Some(_), Some(old)) => self.put(Some(old)),
            (Some(_), None) => None,
        }
    }

    /// The levels of an account with the candidate at its targets; none where none of them is on the way.
    async fn put_in_levels(&self, kind: PolicyType, account: Option<&str>) -> Result<Option<Levels>, ApiError> {
        let Some(account) = account else { return Ok(None) };
        if let Some(known) = self.levels.lock().get(account) {
            return Ok(known.clone());
        }
        let targets = &self.candidate.targets;
        let (mut levels, mut there) = (Vec::new(), false);
        for (target, set) in self.iam.levels_of(kind, account).await? {
            // A target without a policy stands for AWS's default, which allows everything.
            let here = targets.is_empty() && target == account || targets.contains(&target);
            let new = match (here, &set) {
                (false, _) => None,
                (true, Some(set)) => self.put(Some(set)),
                (true, None) if self.candidate.replaces.is_none() => self.put(Some(&everything()?)),
                (true, None) => None,
            };
            there |= new.is_some();
            levels.extend(new.or(set));
        }
        let levels: Option<Levels> = there.then(|| levels.into());
        self.levels.lock().insert(account.to_owned(), levels.clone());
        Ok(levels)
    }
}

/// Sets the slot where there is something to set.
fn replace<T>(slot: &mut T, new: Option<T>) -> bool {
    new.map(|new| *slot = new).is_some()
}

/// Whose the resource is.
fn owner(target: &PastTarget) -> Option<&str> {
    let said = target.keys.get("aws:resourceaccount").and_then(|values| values.single());
    said.or_else(|| target.resource.split(':').nth(4)).filter(|owner| !owner.is_empty())
}

#[async_trait]
impl Rehearsal for Draft {
    async fn judge(&self, principal: &PastPrincipal, target: &PastTarget) -> Result<Option<Rehearsed>, ApiError> {
        let Some(gathered) = self.iam.gather_past(principal, target).await? else { return Ok(None) };
        let (action, resource, keys) = (&target.action, &target.resource, &target.keys);
        let told =
            |decision: &Decision<'_>| (decision.effect, decision.slot, decision.matched.as_ref().map(statement_place));
        let (now, slot, matched) = gathered.decide(action, resource, keys, told);
        let Some(with) = self.with_candidate(&gathered, target).await? else {
            return Ok(Some(Rehearsed { in_scope: false, now, then: now, slot, matched }));
        };
        let (then, slot, matched) = with.decide(action, resource, keys, told);
        Ok(Some(Rehearsed { in_scope: true, now, then, slot, matched }))
    }
}
