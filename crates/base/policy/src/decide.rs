//! The decision: AWS's evaluation logic over the slots of a request.
//!
//! An explicit deny anywhere wins. Else service and resource control policies (each level) and the endpoint policy must
//! allow. In one account an identity policy or the resource's policy grants; across accounts both must. KMS key policies
//! and trust policies must grant always. Boundary and session policies limit what identity policies grant, and what a
//! resource policy grants to the role, but not what it grants to the user or session itself.
//!
//! INVARIANT: total and pure; the time is bounded by the statements offered by the index. Nothing is kept.

use crate::keys::Prepared;
use crate::principal::PrincipalKind;
use crate::statement::{Grant, Unnamed};
use crate::{Decision, Effect, PolicySet, Request, Slot, Slots, StatementRef};

/// Decides a request.
pub fn decide<'a>(slots: &Slots<'a>, request: &Request<'_>) -> Decision<'a> {
    let limits = Limits::of(slots, request);
    let prepared = Prepared::new(request, limits.bounded);
    match look(slots, &limits, &prepared) {
        Ok(found) => compose(slots, request, prepared.action(), &found),
        Err(denied) => denied,
    }
}

/// Which of the slots bear on this principal at all.
struct Limits {
    scp: bool,
    rcp: bool,
    /// Identity policies, boundary and session belong to users and roles only.
    own: bool,
    /// The principal has a boundary.
    bounded: bool,
}

impl Limits {
    fn of(slots: &Slots<'_>, request: &Request<'_>) -> Limits {
        let principal = request.principal;
        let own = has_own_policies(principal.kind());
        // Neither kind of an organization's policies reaches service-linked roles.
        let linked = principal.is_service_linked_role();
        let scp = !slots.scp.is_empty() && own && !request.management_account && !linked;
        Limits { scp, rcp: !linked, own, bounded: own && slots.boundary.is_some() }
    }
}

pub(crate) fn has_own_policies(kind: PrincipalKind) -> bool {
    !matches!(kind, PrincipalKind::Service | PrincipalKind::Federated | PrincipalKind::Anonymous)
}

/// Whether SCPs and RCPs reach the principal, and whether it has a boundary, for explanations.
pub(crate) fn limits(slots: &Slots<'_>, request: &Request<'_>) -> (bool, bool, bool) {
    let limits = Limits::of(slots, request);
    (limits.scp, limits.rcp, limits.bounded)
}

/// An Allow that was found.
type Allow<'a> = Option<(StatementRef<'a>, Grant)>;

/// What each slot says, when none denies.
#[derive(Default)]
struct Found<'a> {
    scp: bool,
    rcp: bool,
    endpoint: bool,
    resource: Allow<'a>,
    trust: Allow<'a>,
    identity: Allow<'a>,
    boundary: bool,
    session: bool,
}

/// Looks through every slot, in the order in which AWS reports explicit denies.
fn look<'a>(slots: &Slots<'a>, limits: &Limits, prepared: &Prepared<'_>) -> Result<Found<'a>, Decision<'a>> {
    let mut found = Found { scp: true, rcp: true, ..Found::default() };
    if limits.scp {
        for level in slots.scp {
            found.scp &= search(level, Slot::Scp, prepared)?.is_some();
        }
    }
    for level in slots.rcp.iter().filter(|_| limits.rcp) {
        found.rcp &= search(level, Slot::Rcp, prepared)?.is_some();
    }
    found.endpoint = all_in(slots.endpoint, Slot::Endpoint, prepared)?;
    if let Some(set) = slots.resource {
        found.resource = search(set, Slot::Resource, prepared)?;
    }
    if let Some(set) = slots.trust {
        found.trust = search(set, Slot::Trust, prepared)?;
    }
    if limits.own {
        for set in slots.identity {
            let allow = search(set, Slot::Identity, prepared)?;
            found.identity = found.identity.or(allow);
        }
        found.boundary = all_in(slots.boundary, Slot::Boundary, prepared)?;
        found.session = slots.session.is_none();
        for set in slots.session.unwrap_or(&[]) {
            found.session |= search(set, Slot::Session, prepared)?.is_some();
        }
    }
    Ok(found)
}

/// Whether a slot that only limits lets the request through; an empty one does.
fn all_in<'a>(set: Option<&'a PolicySet>, slot: Slot, prepared: &Prepared<'_>) -> Result<bool, Decision<'a>> {
    match set {
        None => Ok(true),
        Some(set) => Ok(search(set, slot, prepared)?.is_some()),
    }
}

/// What a statement without `Principal` means in a slot.
pub(crate) fn unnamed_in(slot: Slot) -> Unnamed {
    match slot {
        Slot::Resource | Slot::Trust => Unnamed::OnlyDenies,
        Slot::Identity | Slot::Boundary | Slot::Session | Slot::Scp | Slot::Rcp | Slot::Endpoint => Unnamed::Applies,
    }
}

/// The strongest Allow of a set; an explicit deny ends everything.
fn search<'a>(set: &'a PolicySet, slot: Slot, prepared: &Prepared<'_>) -> Result<Allow<'a>, Decision<'a>> {
    let unnamed = unnamed_in(slot);
    let mut best: Option<(u32, Grant)> = None;
    let mut denied = None;
    set.candidates(prepared, |id, statement| {
        if !statement.deny && best.is_some_and(|(_, grant)| grant == Grant::Direct) {
            return true;
        }
        let Some(grant) = statement.matches(prepared, unnamed) else { return true };
        if statement.deny {
            denied = Some(id);
            return false;
        }
        if best.is_none_or(|(_, had)| grant > had) {
            best = Some((id, grant));
        }
        true
    });
    if let Some(id) = denied {
        return Err(Decision { effect: Effect::ExplicitDeny, slot, matched: set.reference(id) });
    }
    Ok(best.and_then(|(id, grant)| Some((set.reference(id)?, grant))))
}

/// The policy on the resource's side.
struct Gate<'a> {
    slot: Slot,
    allow: Allow<'a>,
    /// It must grant, whatever the identity policies say.
    needed: bool,
}

impl<'a> Gate<'a> {
    fn of(slots: &Slots<'a>, request: &Request<'_>, action: &[u8], found: &Found<'a>) -> Gate<'a> {
        let assumes = action.starts_with(b"sts:assumerole");
        if assumes || slots.trust.is_some() {
            return Gate { slot: Slot::Trust, allow: found.trust, needed: true };
        }
        let key_policy = slots.resource.is_some() && action.starts_with(b"kms:") && is_kms_key(request.resource);
        Gate { slot: Slot::Resource, allow: found.resource, needed: key_policy }
    }
}

fn is_kms_key(resource: &str) -> bool {
    resource.split(':').nth(2) == Some("kms")
}

/// Whether the resource belongs to the principal's account. Resources of a pseudo-account such as `aws` are everyone's:
/// their owner grants by not having a policy.
fn same_account(request: &Request<'_>) -> bool {
    let named = request.resource_account.or_else(|| request.resource.split(':').nth(4));
    match (named, request.principal.account()) {
        (Some(owner), Some(own)) => owner == own || !is_account_id(owner),
        _ => true,
    }
}

fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn lacks<'a>(slot: Slot) -> Decision<'a> {
    Decision { effect: Effect::ImplicitDeny, slot, matched: None }
}

fn allowed<'a>(slot: Slot, allow: Allow<'a>) -> Decision<'a> {
    Decision { effect: Effect::Allow, slot, matched: allow.map(|(statement, _)| statement) }
}

/// Puts together what the slots say, when none denies.
fn compose<'a>(slots: &Slots<'a>, request: &Request<'_>, action: &[u8], found: &Found<'a>) -> Decision<'a> {
    if !found.scp {
        return lacks(Slot::Scp);
    }
    if !found.rcp {
        return lacks(Slot::Rcp);
    }
    if !found.endpoint {
        return lacks(Slot::Endpoint);
    }
    let gate = Gate::of(slots, request, action, found);
    let kind = request.principal.kind();
    if !has_own_policies(kind) {
        // Nobody but the resource can grant to these; naming an account does not reach them.
        return if gate.allow.is_some() { allowed(gate.slot, gate.allow) } else { lacks(gate.slot) };
    }
    let same = same_account(request);
    let grant = gate.allow.map(|(_, grant)| grant);
    if same && grant == Some(Grant::Direct) {
        return allowed(gate.slot, gate.allow);
    }
    // The root user has every permission in its account, except where a resource's policy must grant.
    let own = found.identity.is_some() || kind == PrincipalKind::Root;
    let by_resource = same && grant == Some(Grant::Role);
    if (gate.needed || !same) && gate.allow.is_none() {
        return lacks(if own || gate.needed { gate.slot } else { Slot::Identity });
    }
    if !own && !by_resource {
        return lacks(Slot::Identity);
    }
    if !found.boundary {
        return lacks(Slot::Boundary);
    }
    if !found.session {
        return lacks(Slot::Session);
    }
    if own { allowed(Slot::Identity, found.identity) } else { allowed(gate.slot, gate.allow) }
}
