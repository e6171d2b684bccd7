//! SimulatePrincipalPolicy and SimulateCustomPolicy: the same engine as decisions, over an entity's policies or given
//! ones. Which condition keys policies ask for is told by `keys`.
//!
//! Only the condition keys that the request gives are there, as in AWS's simulator. Nothing is written.

mod context;
mod evaluate;
mod keys;
mod resources;
mod sources;

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    ContextEntry, EvaluationResult, SimulateCustomPolicyRequest, SimulatePolicyResponse, SimulatePrincipalPolicyRequest,
};
use stoa_policy::{PrincipalRef, Request};

use crate::Iam;
use crate::error::invalid_input;
use crate::paging::Paging;
use sources::Sources;

/// What both operations ask, besides where the policies come from.
struct Question<'a> {
    /// Whom resource policies see. None: nobody in particular, in the caller's account.
    caller: Option<&'a str>,
    actions: &'a [String],
    resources: &'a [String],
    owner: Option<&'a str>,
    entries: &'a [ContextEntry],
    handling: Option<&'a str>,
    paging: Paging<'a>,
}

impl Iam {
    fn simulate(
        &self,
        cx: &Cx,
        sources: &Sources,
        question: &Question<'_>,
    ) -> Result<SimulatePolicyResponse, ApiError> {
        let nobody = format!("arn:aws:iam::{}:user/-", self.account(cx));
        let who = PrincipalRef::parse(question.caller.unwrap_or(&nobody));
        let context = context::made_of(question.entries, question.caller)?;
        let sets = sources.compile();
        let owner = question.owner.map(account_of).transpose()?;
        let everything = ["*".to_owned()];
        let resources = if question.resources.is_empty() { &everything } else { question.resources };
        let mut results = Vec::new();
        for (index, action) in question.actions.iter().enumerate() {
            if !is_action(action) {
                return Err(invalid_input(format!("Invalid entity name: {action}")));
            }
            let mut of_action = Vec::with_capacity(resources.len());
            for resource in resources {
                let request = Request {
                    principal: &who,
                    action,
                    resource,
                    resource_account: owner,
                    management_account: sets.management_account,
                    context: &context,
                };
                of_action.push(evaluate::evaluate(sources, &sets, &request));
            }
            if let Some(option) = question.handling {
                of_action = vec![resources::together(option, action, of_action)?];
            }
            let place = |(place, result): (usize, EvaluationResult)| (format!("{index:06}/{place:06}"), result);
            results.extend(of_action.into_iter().enumerate().map(place));
        }
        let page = self.page_of_list(cx, &question.paging, results)?;
        Ok(SimulatePolicyResponse {
            is_truncated: page.truncated(),
            evaluation_results: Some(page.items),
            marker: page.marker,
        })
    }
}

/// `service:Name`, wildcards in the name allowed.
fn is_action(action: &str) -> bool {
    action.split_once(':').is_some_and(|(service, name)| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !service.is_empty() && service.bytes().all(letter) && !name.is_empty() && !name.contains(':')
    })
}

/// The account in an ARN such as `arn:aws:iam::A:root`, or the account itself.
fn account_of(owner: &str) -> Result<&str, ApiError> {
    let account = if owner.starts_with("arn:") { owner.split(':').nth(4).unwrap_or_default() } else { owner };
    let valid = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    valid.then_some(account).ok_or_else(|| invalid_input(format!("Invalid ResourceOwner: {owner}")))
}

/// A user or role that a simulation can be made as.
fn checked_caller(caller: Option<&str>) -> Result<Option<&str>, ApiError> {
    match caller {
        Some(arn) if arn.starts_with("arn:aws:iam::") && (arn.contains(":user/") || arn.contains(":role/")) => {
            Ok(Some(arn))
        }
        Some(arn) => Err(invalid_input(format!("Invalid CallerArn: {arn} is not the ARN of a user or role."))),
        None => Ok(None),
    }
}

const NO_CALLER: &str = "CallerArn is required when ResourcePolicy is given and no user is simulated.";

impl Handles<op::SimulatePrincipalPolicy> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<SimulatePrincipalPolicyRequest>,
    ) -> Result<SimulatePolicyResponse, ApiError> {
        let source = &input.policy_source_arn;
        let mut sources = self.principal_sources(cx, source).await?;
        sources.exclude(input.policy_exclusion_list.as_deref().unwrap_or_default());
        sources.add_given(input.policy_input_list.as_deref().unwrap_or_default())?;
        sources.replace_boundary(input.permissions_boundary_policy_input_list.as_deref().unwrap_or_default())?;
        if let Some(text) = &input.resource_policy {
            sources.add_resource_policy(text)?;
        }
        let own = Some(source.as_str()).filter(|source| !source.contains(":group/"));
        let caller = checked_caller(input.caller_arn.as_deref())?.or(own);
        if caller.is_none() && input.resource_policy.is_some() {
            return Err(invalid_input(NO_CALLER));
        }
        let question = Question {
            caller,
            actions: &input.action_names,
            resources: input.resource_arns.as_deref().unwrap_or_default(),
            owner: input.resource_owner.as_deref(),
            entries: input.context_entries.as_deref().unwrap_or_default(),
            handling: input.resource_handling_option.as_deref(),
            paging: Paging {
                scope: format!("SimulatePrincipalPolicy/{source}/{}", input.action_names.join(",")),
                marker: input.marker.as_deref(),
                max_items: input.max_items,
            },
        };
        self.simulate(cx, &sources, &question)
    }
}

impl Handles<op::SimulateCustomPolicy> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<SimulateCustomPolicyRequest>,
    ) -> Result<SimulatePolicyResponse, ApiError> {
        let mut sources = Sources::default();
        sources.add_given(&input.policy_input_list)?;
        sources.replace_boundary(input.permissions_boundary_policy_input_list.as_deref().unwrap_or_default())?;
        for (level, given) in input.ordered_organization_policy_input_list.iter().flatten().enumerate() {
            sources.add_given_scps(level, given.service_control_policy_input_list.as_deref().unwrap_or_default())?;
        }
        if let Some(text) = &input.resource_policy {
            sources.add_resource_policy(text)?;
        }
        let caller = checked_caller(input.caller_arn.as_deref())?;
        if caller.is_none() && input.resource_policy.is_some() {
            return Err(invalid_input(NO_CALLER));
        }
        let question = Question {
            caller,
            actions: &input.action_names,
            resources: input.resource_arns.as_deref().unwrap_or_default(),
            owner: input.resource_owner.as_deref(),
            entries: input.context_entries.as_deref().unwrap_or_default(),
            handling: input.resource_handling_option.as_deref(),
            paging: Paging {
                scope: format!("SimulateCustomPolicy/{}", input.action_names.join(",")),
                marker: input.marker.as_deref(),
                max_items: input.max_items,
            },
        };
        self.simulate(cx, &sources, &question)
    }
}
