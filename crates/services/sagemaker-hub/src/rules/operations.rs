//! PutHubRules, DescribeHubRules, PreviewHubRules, ListHubRuleChanges, and the same for the local administrator.

use std::sync::Arc;

use stoa_kernel::{ApiError, Authorized, Cx, Handles, Target, Targets};
use stoa_models_stoa::operations as op;
use stoa_models_stoa::types::{
    DescribeHubRulesRequest, DescribeHubRulesResponse, HubRuleCause, HubRuleChange, HubRulesStatus,
    ListHubRuleChangesRequest, ListHubRuleChangesResponse, PreviewHubRulesRequest, PreviewHubRulesResponse,
    PutHubRulesRequest, PutHubRulesResponse, RuledContent,
};
use stoa_sagemaker_common::{Paging, store_error};
use stoa_schema::Value;
use stoa_store::{Document, Expect, Order, Position, Query, SortValue, StoreError, Transaction};
use stoa_types::{AccountId, Region, Timestamp};

use super::plan::{Plan, Step, wanted};
use super::{APPLIED, APPLYING, Cause, ChangeBody, LOG_KIND, Ruled, RulesBody, key, log_key, parse};
use crate::hub;
use crate::names::HubName;
use crate::service::Hubs;
use crate::settings::{own, private, stoa_words};
use crate::targets::hub as hub_in;

/// How often a change is tried again when hub or rules were changed meanwhile.
const ATTEMPTS: usize = 8;
/// The longest rules.
const LONGEST: usize = 16_384;

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
        if input.rules.chars().count() > LONGEST {
            return Err(ApiError::validation(format!("Rules: at most {LONGEST} characters are allowed")));
        }
        parse(&input.rules)?;
        let hub = private(&caller.account, &caller.region, &input.hub_name)?;
        for _ in 0..ATTEMPTS {
            let hub_document = self.rules_hub(&hub).await?;
            let found = self.parts.store.get(&key(&hub)).await.map_err(store_error)?;
            let answer = |status| PutHubRulesResponse { hub_arn: hub.arn(), rules: input.rules.clone(), status };
            let transaction = match found {
                None if input.rules.trim().is_empty() => return Ok(answer(HubRulesStatus::None)),
                None => {
                    let body =
                        RulesBody { rules: input.rules.clone(), set_by: caller.name.clone(), changes: 0, left_out: 0 };
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
                    let document = found.with_body(caller.now, &body).map_err(store_error)?;
                    Transaction::new().update(document.with_status(APPLYING))
                }
            };
            let held = transaction.require(hub_document.key.clone(), Expect::Generation(hub_document.generation));
            match self.parts.store.commit(held).await {
                Ok(()) => {
                    self.parts.catalog.changed().nudge();
                    return Ok(answer(HubRulesStatus::Applying));
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(store_error(error)),
            }
        }
        Err(ApiError::new("ConflictException", 409, format!("hub {} is changed by many at once, try again", hub.name)))
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
            });
        };
        Ok(DescribeHubRulesResponse {
            hub_arn,
            status: status(&document, &body),
            left_out: count(body.left_out),
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
        self.rules_hub(&hub).await?;
        let text = match &input.rules {
            Some(text) => text.clone(),
            None => self.stored_rules(&hub).await?.map(|(_, body)| body.rules).unwrap_or_default(),
        };
        let rule = parse(&text)?;
        let index = self.parts.catalog.index().await?;
        let wanted = wanted(rule.as_ref(), &index, None);
        let plan = self.plan_whole(&hub, rule.as_ref(), &wanted, &index).await?;
        Ok(preview(hub.arn(), wanted.len(), plan))
    }

    /// What the rules of a hub changed, the latest first.
    pub async fn list_hub_rule_changes(
        &self,
        caller: &RulesCaller,
        input: &ListHubRuleChangesRequest,
    ) -> Result<ListHubRuleChangesResponse, ApiError> {
        let hub = private(&caller.account, &caller.region, &input.hub_name)?;
        self.rules_hub(&hub).await?;
        let paging = Paging {
            tokens: &self.parts.tokens,
            scope: format!("{}/ListHubRuleChanges/{}", caller.account, hub.arn()),
            ascending: false,
            max_results: input.max_results,
            next_token: input.next_token.clone(),
            now: caller.now,
        };
        let mut query = Query::of(LOG_KIND).owned_by(&hub.account, Some(&hub.region)).children_of(&hub.name);
        query.order = Order::Descending;
        if let Some(last) = paging.last_text()? {
            let number = last.parse().map_err(ApiError::internal)?;
            let (account, region) = (hub.account.as_str().to_owned(), hub.region.as_str().to_owned());
            let position = Position(SortValue::Text(last), account, region, log_key(&hub, number).id);
            query.after = Some(position.encode().map_err(store_error)?);
        }
        let page = self.parts.store.query(&query.limit(paging.limit())).await.map_err(store_error)?;
        let changes: Result<Vec<_>, ApiError> = page.documents.iter().map(|document| change(document)).collect();
        let last = page.documents.last().filter(|_| page.next.is_some());
        let next_token = last.map(|last| paging.token_of_text(&last.name)).transpose()?;
        Ok(ListHubRuleChangesResponse { hub_arn: hub.arn(), changes: changes?, next_token })
    }

    /// A hub that rules are about: there, and not being deleted.
    async fn rules_hub(&self, hub: &HubName) -> Result<Arc<Document>, ApiError> {
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
        let query = Query::of(LOG_KIND).owned_by(&hub.account, Some(&hub.region)).children_of(&hub.name);
        let log = self.all(query).await?;
        let keys = log.iter().map(|document| document.key.clone()).chain([key(hub)]);
        Ok(keys.fold(transaction, |transaction, key| transaction.delete(key, Expect::Any)))
    }

    /// Has the rules of a hub judged again, where it has any: a reference that hid one of theirs goes.
    pub(crate) async fn again(&self, hub: &HubName, transaction: Transaction) -> Result<Transaction, ApiError> {
        Ok(match self.stored_rules(hub).await? {
            Some((document, body)) if !body.rules.trim().is_empty() => {
                transaction.update((*document).clone().with_status(APPLYING))
            }
            _ => transaction,
        })
    }
}

fn status(document: &Document, body: &RulesBody) -> HubRulesStatus {
    match document.status.as_str() {
        APPLIED if body.rules.trim().is_empty() => HubRulesStatus::None,
        APPLIED => HubRulesStatus::Applied,
        _ => HubRulesStatus::Applying,
    }
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn content(ruled: Ruled) -> RuledContent {
    RuledContent {
        hub_content_name: ruled.name,
        versions: ruled.versions.iter().map(ToString::to_string).collect(),
        reason: ruled.reason,
    }
}

fn preview(hub_arn: String, matched: usize, plan: Plan) -> PreviewHubRulesResponse {
    let (mut added, mut removed, mut updated) = (Vec::new(), Vec::new(), Vec::new());
    for step in plan.steps {
        match step {
            Step::Add(ruled) => added.push(content(ruled)),
            Step::Update(ruled, _) => updated.push(content(ruled)),
            Step::Remove(ruled, _) => removed.push(content(ruled)),
        }
    }
    PreviewHubRulesResponse {
        hub_arn,
        matched: count(matched as u64),
        unchanged: count(plan.unchanged),
        added,
        removed,
        updated,
        by_hand: plan.by_hand,
        left_out: count(plan.left_out),
    }
}

fn change(document: &Document) -> Result<HubRuleChange, ApiError> {
    let body: ChangeBody = document.decode().map_err(store_error)?;
    let contents = |ruled: Vec<Ruled>| ruled.into_iter().map(content).collect();
    Ok(HubRuleChange {
        change_number: count(body.number),
        time: document.created,
        cause: match body.cause {
            Cause::Rules => HubRuleCause::Rules,
            Cause::Catalog => HubRuleCause::Catalog,
        },
        rules: body.rules,
        set_by: Some(body.set_by),
        added: contents(body.added),
        removed: contents(body.removed),
        updated: contents(body.updated),
        left_out: count(body.left_out),
    })
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
