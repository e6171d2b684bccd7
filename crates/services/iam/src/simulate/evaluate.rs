//! One decision of a simulation, and what the answer tells of it.

use std::collections::BTreeMap;

use stoa_models_iam::types::{
    EvaluationResult, OrganizationsDecisionDetail, PermissionsBoundaryDecisionDetail,
    PolicyEvaluationDecisionType as Decision, Statement,
};
use stoa_policy::{Considered, Context, Effect, Explanation, Failed, PolicySet, Request, Slot, Slots, explain};

use super::sources::{Sets, Sources};
use crate::inspect::Keys;

/// Decides a request.
pub(super) fn evaluate(sources: &Sources, sets: &Sets, request: &Request<'_>) -> EvaluationResult {
    let identity = [&sets.identity];
    let scp: Vec<&PolicySet> = sets.scp.iter().collect();
    let slots = Slots {
        identity: &identity,
        resource: sets.resource.as_ref(),
        boundary: sets.boundary.as_ref(),
        scp: &scp,
        ..Slots::default()
    };
    let explanation = explain(&slots, request);
    let allowed_by = |slot: Slot| {
        let mut levels = explanation.slots.iter().filter(|one| one.slot == slot && one.applies);
        levels.all(|level| decision_of(&level.statements) == Decision::Allowed)
    };
    EvaluationResult {
        eval_action_name: request.action.to_owned(),
        eval_resource_name: Some(request.resource.to_owned()),
        eval_decision: match explanation.effect {
            Effect::Allow => Decision::Allowed,
            Effect::ExplicitDeny => Decision::ExplicitDeny,
            Effect::ImplicitDeny => Decision::ImplicitDeny,
        },
        matched_statements: Some(matched(sources, &explanation)),
        missing_context_values: Some(missing(sources, &explanation, request.context)),
        organizations_decision_detail: (!sets.scp.is_empty() && !sets.management_account)
            .then(|| OrganizationsDecisionDetail { allowed_by_organizations: Some(allowed_by(Slot::Scp)) }),
        permissions_boundary_decision_detail: sets.boundary.is_some().then(|| PermissionsBoundaryDecisionDetail {
            allowed_by_permissions_boundary: Some(allowed_by(Slot::Boundary)),
        }),
        eval_decision_details: Some(details(&explanation, request)),
        resource_specific_results: None,
    }
}

/// What statements come to by themselves.
fn decision_of(statements: &[Considered]) -> Decision {
    let matching = |effect: &str| statements.iter().any(|one| one.matches && one.effect == effect);
    if matching("Deny") {
        Decision::ExplicitDeny
    } else if matching("Allow") {
        Decision::Allowed
    } else {
        Decision::ImplicitDeny
    }
}

/// Across accounts, what each side says by itself; within one, nothing.
fn details(explanation: &Explanation, request: &Request<'_>) -> BTreeMap<String, Decision> {
    let owner = request.resource_account.or_else(|| request.resource.split(':').nth(4).filter(|part| !part.is_empty()));
    if owner.is_none() || owner == request.principal.account() {
        return BTreeMap::new();
    }
    let of = |slot: Slot| {
        let statements = explanation.slots.iter().filter(|one| one.slot == slot).flat_map(|one| &one.statements);
        decision_of(&statements.cloned().collect::<Vec<_>>())
    };
    let sides = [("IAM Policy", Slot::Identity), ("Resource Policy", Slot::Resource)];
    sides.into_iter().map(|(name, slot)| (name.to_owned(), of(slot))).collect()
}

/// The statements behind the decision: those that deny for an explicit deny, those that allow for an Allow.
fn matched(sources: &Sources, explanation: &Explanation) -> Vec<Statement> {
    let wanted = match explanation.effect {
        Effect::Allow => "Allow",
        Effect::ExplicitDeny => "Deny",
        Effect::ImplicitDeny => return Vec::new(),
    };
    let in_slots = explanation.slots.iter().filter(|slot| slot.applies).flat_map(|slot| &slot.statements);
    in_slots.filter(|one| one.matches && one.effect == wanted).filter_map(|one| sources.statement(one)).collect()
}

/// Keys that statements over this action ask for and that the request does not have.
fn missing(sources: &Sources, explanation: &Explanation, context: &dyn Context) -> Vec<String> {
    let mut keys = Keys::new();
    for statement in explanation.slots.iter().flat_map(|slot| &slot.statements) {
        if !statement.failed.contains(&Failed::Action) {
            sources.statement_keys(statement, &mut keys);
        }
    }
    keys.into_iter().filter(|(key, _)| context.get(key).is_none()).map(|(_, written)| written).collect()
}
