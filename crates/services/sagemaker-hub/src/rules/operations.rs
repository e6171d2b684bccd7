//! PutHubRules, DescribeHubRules, PreviewHubRules, ListHubRuleChanges, and the same for the local administrator.

use std::sync::Arc;

use stoa_kernel::{ApiError, Authorized, Cx, Handles, Target, Targets};
use stoa_models_stoa::operations as op;
use stoa_models_stoa::types::{
    DescribeHubRulesRequest, DescribeHubRulesResponse, HubRulesStatus, ListHubRuleChangesRequest,
    ListHubRuleChangesResponse, PreviewHubRulesRequest, PreviewHubRulesResponse, PutHubRulesRequest,
    PutHubRulesResponse,
};
use stoa_sagemaker_common::store_error;
use stoa_schema::Value;
use stoa_store::{Document, Expect, Transaction};
use stoa_types::{AccountId, Region, Timestamp};

use super::log::{contents, count};
use super::plan::{Plan, Step};
use super::{APPLIED, APPLYING, Cause, MOST_TOLD, RulesBody, key, parse};
use crate::admission::policy_of;
use crate::hub;
use crate::names::HubName;
use crate::service::{ATTEMPTS, Hubs, changed_by_many};
use crate::settings::{own, private, stoa_words};
use crate::targets::hub as hub_in;

/// Who asks: the account and region that a plain name means, and the name that is remembered.
#[derive(Debug, Clone)]
pub struct RulesCaller {
    /// Whose hubs plain names mean.
    pub account: AccountId,
    /// Where.
    pub region: Region,
    /// An ARN, or what the local administrator is called.
    pub name: String,
    /// Now.
    pub now: Timestamp,
}

impl RulesCaller {
    fn of(cx: &Cx) -> RulesCaller {
        RulesCaller {
            account: cx.principal.account.clone(),
            region: cx.region.clone(),
            name: cx.principal.arn.clone(),
            now: cx.now,
        }
    }
}

impl Hubs {
    /// Sets the rules of a hub; an empty text takes them back, with the references that they made.
    pub async fn put_hub_rules(
        &self,
        caller: &RulesCaller,
        input: &PutHubRulesRequest,
    ) -> Result<PutHubRulesResponse, ApiError> {
        parse(&input.rules)?;
        let hub = private(&caller.account, &caller.region, &input.hub_name)?;
        for _ in 0..ATTEMPTS {
            let hub_document = self.rules_hub(&hub).await?;
            let found = self.parts.store.get(&key(&hub)).await.map_err(store_error)?;
            let answer = |status| PutHubRulesResponse { hub_arn: hub.arn(), rules: input.rules.clone(), status };
            let transaction = match found {
                None if input.rules.trim().is_empty() => return Ok(answer(HubRulesStatus::None)),
                None => {
                    let body = RulesBody::new(&input.rules, &caller.name);
                    let document = Document::new(key(&hub), &hub.name, caller.now, &body).map_err(store_error)?;
                    Transaction::new().create(document.with_parent(&hub.name).with_status(APPLYING))
                }
                Some(found) => {
                    let mut body: RulesBody = found.decode().map_err(store_error)?;
                    if body.rules == input.rules {
                        return Ok(answer(status(&found, &body)));
                    }
                    body.rules.clone_from(&input.rules);
                    body.set_by.clone_from(&caller.name);
                    body.cause = None;
                    let document = found.with_body(caller.now, &body).map_err(store_error)?;
                    Transaction::new().update(document.with_status(APPLYING))
                }
            };
            if self.commit_held(&hub_document, transaction).await? {
                self.parts.catalog.changed().nudge();
                return Ok(answer(HubRulesStatus::Applying));
            }
        }
        Err(changed_by_many(&hub))
    }

    /// The rules of a hub and whether they are applied.
    pub async fn describe_hub_rules(
        &self,
        caller: &RulesCaller,
        input: &DescribeHubRulesRequest,
    ) -> Result<DescribeHubRulesResponse, ApiError> {
        let hub = private(&caller.account, &caller.region, &input.hub_name)?;
        self.rules_hub(&hub).await?;
        let hub_arn = hub.arn();
        let Some((document, body)) = self.stored_rules(&hub).await? else {
            let (rules, status) = (String::new(), HubRulesStatus::None);
            return Ok(DescribeHubRulesResponse {
                hub_arn,
                rules,
                status,
                set_by: None,
                last_modified_time: None,
                left_out: 0,
                refused: 0,
            });
        };
        Ok(DescribeHubRulesResponse {
            hub_arn,
            status: status(&document, &body),
            left_out: count(body.left_out),
            refused: count(body.refused),
            rules: body.rules,
            set_by: Some(body.set_by),
            last_modified_time: Some(document.modified),
        })
    }

    /// What rules would change in a hub now: these, or its own.
    pub async fn preview_hub_rules(
        &self,
        caller: &RulesCaller,
        input: &PreviewHubRulesRequest,
    ) -> Result<PreviewHubRulesResponse, ApiError> {
        let hub = private(&caller.account, &caller.region, &input.hub_name)?;
        let hub_document = self.rules_hub(&hub).await?;
        let text = match &input.rules {
            Some(text) => text.clone(),
            None => self.stored_rules(&hub).await?.map(|(_, body)| body.rules).unwrap_or_default(),
        };
        let rule = parse(&text)?.map(Arc::new);
        let index = self.parts.catalog.index().await?;
        let wanted = self.wanted(rule.clone(), &index, None).await?;
        let matched = wanted.len();
        let plan = self.plan_whole(&hub, &policy_of(&hub_document)?, rule, wanted, &index).await?;
        Ok(preview(hub.arn(), matched, plan))
    }

    /// A hub that rules are about: there, and not being deleted.
    pub(super) async fn rules_hub(&self, hub: &HubName) -> Result<Arc<Document>, ApiError> {
        let found = self.parts.store.get(&hub::key(hub)).await.map_err(store_error)?;
        let document = found.ok_or_else(|| crate::service::no_such_hub(hub))?;
        if document.status == hub::DELETING {
            return Err(ApiError::validation(format!("hub {} is being deleted", hub.arn())));
        }
        Ok(document)
    }

    pub(crate) async fn stored_rules(&self, hub: &HubName) -> Result<Option<(Arc<Document>, RulesBody)>, ApiError> {
        let found = self.parts.store.get(&key(hub)).await.map_err(store_error)?;
        let decoded = |document: Arc<Document>| {
            let body = document.decode().map_err(store_error)?;
            Ok((document, body))
        };
        found.map(decoded).transpose()
    }

    /// Takes a hub's rules along with the hub: their document and their log.
    pub(crate) async fn delete_rules(&self, hub: &HubName, transaction: Transaction) -> Result<Transaction, ApiError> {
        Ok(self.delete_log(hub, transaction).await?.delete(key(hub), Expect::Any))
    }

    /// Has the rules of a hub judged again, where it has any, since something else changed what they bring in. Whoever
    /// commits this nudges [`crate::catalog::Catalog::changed`].
    pub(crate) async fn again(
        &self,
        hub: &HubName,
        transaction: Transaction,
        cause: Cause,
    ) -> Result<Transaction, ApiError> {
        Ok(match self.stored_rules(hub).await? {
            Some((document, mut body)) if !body.rules.trim().is_empty() => {
                // What they are being applied for already is the older cause, and the one to tell.
                body.cause = if document.status == APPLYING { body.cause } else { Some(cause) };
                let again = document.with_body(document.modified, &body).map_err(store_error)?;
                transaction.update(again.with_status(APPLYING))
            }
            _ => transaction,
        })
    }
}

impl RulesBody {
    /// Rules that nothing was done for yet.
    fn new(rules: &str, set_by: &str) -> RulesBody {
        RulesBody {
            rules: rules.to_owned(),
            set_by: set_by.to_owned(),
            changes: 0,
            left_out: 0,
            refused: 0,
            refused_digest: None,
            cause: None,
        }
    }
}

fn status(document: &Document, body: &RulesBody) -> HubRulesStatus {
    match document.status.as_str() {
        APPLIED if body.rules.trim().is_empty() => HubRulesStatus::None,
        APPLIED => HubRulesStatus::Applied,
        _ => HubRulesStatus::Applying,
    }
}

/// The whole of a list, and as much of it as is told.
pub(super) fn told<T>(mut list: Vec<T>) -> (i64, Vec<T>) {
    let all = count(list.len() as u64);
    list.truncate(MOST_TOLD);
    (all, list)
}

fn preview(hub_arn: String, matched: usize, plan: Plan) -> PreviewHubRulesResponse {
    let (mut added, mut removed, mut updated) = (Vec::new(), Vec::new(), Vec::new());
    for step in plan.steps {
        match step {
            Step::Add(ruled) => added.push(ruled),
            Step::Update(ruled, _) => updated.push(ruled),
            Step::Remove(ruled, _) => removed.push(ruled),
        }
    }
    let (added_count, added) = told(added);
    let (removed_count, removed) = told(removed);
    let (updated_count, updated) = told(updated);
    let (by_hand_count, by_hand) = told(plan.by_hand);
    let (refused_count, refused) = told(plan.refused);
    PreviewHubRulesResponse {
        hub_arn,
        matched: count(matched as u64),
        unchanged: count(plan.unchanged),
        added_count,
        added: contents(added),
        removed_count,
        removed: contents(removed),
        updated_count,
        updated: contents(updated),
        by_hand_count,
        by_hand,
        left_out: count(plan.left_out),
        refused_count,
        refused: contents(refused),
        unscanned_count: count(plan.unscanned.len() as u64),
    }
}

macro_rules! rules_operations {
    // rules_operations!(DescribeHubRules(DescribeHubRulesRequest) -> DescribeHubRulesResponse = describe_hub_rules)
    // expands to its `impl Handles<op::DescribeHubRules> for Hubs`.
    ($($operation:ident($input:ty) -> $output:ty = $method:ident,)*) => {$(
        impl Handles<op::$operation> for Hubs {
            async fn handle(&self, cx: &Cx, input: Authorized<$input>) -> Result<$output, ApiError> {
                own(cx, &input.hub_name)?;
                self.$method(&RulesCaller::of(cx), &input).await.map_err(stoa_words)
            }
        }
    )*};
}

rules_operations! {
    PutHubRules(PutHubRulesRequest) -> PutHubRulesResponse = put_hub_rules,
    DescribeHubRules(DescribeHubRulesRequest) -> DescribeHubRulesResponse = describe_hub_rules,
    PreviewHubRules(PreviewHubRulesRequest) -> PreviewHubRulesResponse = preview_hub_rules,
    ListHubRuleChanges(ListHubRuleChangesRequest) -> ListHubRuleChangesResponse = list_hub_rule_changes,
}

impl Targets<op::PutHubRules> for Hubs {
    /// Besides the hub's rules, what they do: refer to public models. A policy that denies a caller the public hub
    /// keeps it from bringing models in by a rule, too.
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let public = HubName::public(cx).content_arn("Model", "*");
        Ok(vec![
            Target::new("stoa:PutHubRules", hub_in(cx, input).arn()),
            Target::new("sagemaker:CreateHubContentReference", public),
        ])
    }
}
