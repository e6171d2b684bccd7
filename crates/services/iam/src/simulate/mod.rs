//! SimulatePrincipalPolicy: the same engine as decisions, over a user's or role's policies and what the request adds.
//!
//! Only the condition keys that the request gives are there, as in AWS's simulator. Nothing is written.

mod sources;

use std::collections::BTreeMap;

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    ContextEntry, ContextKeyTypeEnum, EvaluationResult, OrganizationsDecisionDetail, PermissionsBoundaryDecisionDetail,
    PolicyEvaluationDecisionType, SimulatePolicyResponse, SimulatePrincipalPolicyRequest, Statement,
};
use stoa_policy::{
    Considered, Context, Effect, Explanation, Failed, MapContext, PolicySet, PrincipalRef, Request, Slot, Slots,
    explain,
};

use crate::Iam;
use crate::error::invalid_input;
use crate::paging::Paging;
use sources::Sources;

/// The sets that a simulation decides over.
struct Sets {
    identity: PolicySet,
    boundary: Option<PolicySet>,
    resource: Option<PolicySet>,
    scp: Vec<PolicySet>,
    management_account: bool,
}

impl Handles<op::SimulatePrincipalPolicy> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<SimulatePrincipalPolicyRequest>,
    ) -> Result<SimulatePolicyResponse, ApiError> {
        if input.policy_exclusion_list.as_ref().is_some_and(|list| !list.is_empty()) {
            return Err(invalid_input("PolicyExclusionList is not supported."));
        }
        let sources = self.simulation_sources(cx, &input).await?;
        let sets = sources.compile();
        let caller = input.caller_arn.as_deref().unwrap_or(&input.policy_source_arn);
        let who = PrincipalRef::parse(caller);
        let context = context(input.context_entries.as_deref().unwrap_or_default(), caller)?;
        let everything = ["*".to_owned()];
        let resources = input.resource_arns.as_deref().filter(|list| !list.is_empty()).unwrap_or(&everything);
        let mut results = Vec::new();
        for (index, action) in input.action_names.iter().enumerate() {
            if !action.contains(':') {
                return Err(invalid_input(format!("Invalid entity name: {action}")));
            }
            for (place, resource) in resources.iter().enumerate() {
                let request = Request {
                    principal: &who,
                    action,
                    resource,
                    resource_account: input.resource_owner.as_deref().and_then(account_in),
                    management_account: sets.management_account,
                    context: &context,
                };
                results.push((format!("{index:06}/{place:06}"), evaluate(&sources, &sets, &request)));
            }
        }
        let paging = Paging {
            scope: format!("SimulatePrincipalPolicy/{}/{}", input.policy_source_arn, input.action_names.join(",")),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let page = self.page_of_list(cx, &paging, results)?;
        Ok(SimulatePolicyResponse {
            is_truncated: page.truncated(),
            evaluation_results: Some(page.items),
            marker: page.marker,
        })
    }
}

/// The account in an ARN such as `arn:aws:iam::A:root`.
fn account_in(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|account| !account.is_empty())
}

fn context(entries: &[ContextEntry], caller: &str) -> Result<MapContext, ApiError> {
    let mut context = MapContext::new();
    if let Some((_, name)) = caller.split_once(":user/") {
        context.set("aws:username", name.rsplit('/').next().unwrap_or(name));
    }
    for entry in entries {
        let name = entry.context_key_name.as_deref().ok_or_else(|| invalid_input("A context key has no name."))?;
        let values = entry.context_key_values.clone().unwrap_or_default();
        use ContextKeyTypeEnum as Type;
        match (entry.context_key_type, values.as_slice()) {
            (
                Some(
                    Type::StringList
                    | Type::NumericList
                    | Type::BooleanList
                    | Type::IpList
                    | Type::BinaryList
                    | Type::DateList,
                ),
                _,
            ) => context.set_many(name, values),
            (_, [one]) => context.set(name, one.as_str()),
            (_, _) => return Err(invalid_input(format!("The context key {name} takes one value."))),
        };
    }
    Ok(context)
}

fn evaluate(sources: &Sources, sets: &Sets, request: &Request<'_>) -> EvaluationResult {
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
        levels.all(|level| passes(&level.statements))
    };
    EvaluationResult {
        eval_action_name: request.action.to_owned(),
        eval_resource_name: Some(request.resource.to_owned()),
        eval_decision: match explanation.effect {
            Effect::Allow => PolicyEvaluationDecisionType::Allowed,
            Effect::ExplicitDeny => PolicyEvaluationDecisionType::ExplicitDeny,
            Effect::ImplicitDeny => PolicyEvaluationDecisionType::ImplicitDeny,
        },
        matched_statements: Some(matched(sources, &explanation)),
        missing_context_values: Some(missing(&explanation, request.context)),
        organizations_decision_detail: (!sets.scp.is_empty() && !sets.management_account)
            .then(|| OrganizationsDecisionDetail { allowed_by_organizations: Some(allowed_by(Slot::Scp)) }),
        permissions_boundary_decision_detail: sets.boundary.is_some().then(|| PermissionsBoundaryDecisionDetail {
            allowed_by_permissions_boundary: Some(allowed_by(Slot::Boundary)),
        }),
        eval_decision_details: None::<BTreeMap<_, _>>,
        resource_specific_results: None,
    }
}

fn passes(statements: &[Considered]) -> bool {
    let matching = |effect: &str| statements.iter().any(|one| one.matches && one.effect == effect);
    matching("Allow") && !matching("Deny")
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

/// Keys that conditions ask for, of statements over this action, and that the request does not have.
fn missing(explanation: &Explanation, context: &dyn Context) -> Vec<String> {
    let mut keys = std::collections::BTreeSet::new();
    for statement in explanation.slots.iter().flat_map(|slot| &slot.statements) {
        if statement.failed.contains(&Failed::Action) {
            continue;
        }
        for failed in &statement.failed {
            if let Failed::Condition { key, .. } = failed
                && context.get(key).is_none()
            {
                keys.insert(key.clone());
            }
        }
    }
    keys.into_iter().collect()
}
