//! The log of what rules changed in a hub: its entries, and ListHubRuleChanges.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stoa_kernel::ApiError;
use stoa_models_stoa::types::{
    HubRuleCause, HubRuleChange, ListHubRuleChangesRequest, ListHubRuleChangesResponse, RuledContent,
};
use stoa_sagemaker_common::{Paging, store_error};
use stoa_store::{Document, Expect, Key, Order, Position, Query, SortValue, Transaction};
use stoa_types::Timestamp;

use super::plan::Step;
use super::{MOST_TOLD, Ruled, RulesBody, RulesCaller};
use crate::names::HubName;
use crate::service::{Hubs, key_in};
use crate::settings::private;

/// What rules added and removed. Parent: the hub; name: the number of the change, with leading zeros.
pub(crate) const KIND: &str = "sagemaker:hub-rules-log";
/// Changes that the log of a hub keeps.
const KEPT: u64 = 1000;
/// Contents of the changes of a page; a page has one change at least.
const MOST_CONTENTS: usize = 5000;

/// One change of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChangeBody {
    pub number: u64,
    pub cause: Cause,
    pub rules: String,
    pub set_by: String,
    pub added: Vec<Ruled>,
    pub removed: Vec<Ruled>,
    pub updated: Vec<Ruled>,
    pub left_out: u64,
    /// What the admission policy keeps out: the first ones in order of name, and how many models there are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Ruled>,
    #[serde(default)]
    pub refused_count: u64,
}

/// Why rules were applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cause {
    /// They were set.
    Rules,
    /// The public hub changed.
    Catalog,
    /// A reference that was made by hand was deleted.
    Reference,
    /// The hub's admission policy was put.
    Admission,
}

fn number_text(number: u64) -> String {
    format!("{number:012}")
}

fn log_key(hub: &HubName, number: u64) -> Key {
    key_in(hub, KIND, format!("{}/{}", hub.name, number_text(number)))
}

/// Writes a change's entry along with the change; the oldest entry goes where there are too many.
pub(super) fn logged(
    transaction: Transaction,
    hub: &HubName,
    rules: &RulesBody,
    (cause, steps, refused): (Cause, &[Step], &[Ruled]),
    now: Timestamp,
) -> Result<Transaction, ApiError> {
    let mut body = ChangeBody {
        number: rules.changes,
        cause,
        rules: rules.rules.clone(),
        set_by: rules.set_by.clone(),
        added: Vec::new(),
        removed: Vec::new(),
        updated: Vec::new(),
        left_out: rules.left_out,
        refused: refused.iter().take(MOST_TOLD).cloned().collect(),
        refused_count: refused.len() as u64,
    };
    for step in steps {
        match step {
            Step::Add(ruled) => body.added.push(ruled.clone()),
            Step::Update(ruled, _) => body.updated.push(ruled.clone()),
            Step::Remove(ruled, _) => body.removed.push(ruled.clone()),
        }
    }
    let document = Document::new(log_key(hub, body.number), &number_text(body.number), now, &body);
    let transaction = transaction.create(document.map_err(store_error)?.with_parent(&hub.name));
    Ok(match body.number.checked_sub(KEPT).filter(|old| *old > 0) {
        Some(old) => transaction.delete(log_key(hub, old), Expect::Any),
        None => transaction,
    })
}

impl Hubs {
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
        let mut query = Query::of(KIND).owned_by(&hub.account, Some(&hub.region)).children_of(&hub.name);
        query.order = Order::Descending;
        if let Some(last) = paging.last_text()? {
            let number = last.parse().map_err(ApiError::internal)?;
            let (account, region) = (hub.account.as_str().to_owned(), hub.region.as_str().to_owned());
            let position = Position(SortValue::Text(last), account, region, log_key(&hub, number).id);
            query.after = Some(position.encode().map_err(store_error)?);
        }
        let page = self.parts.store.query(&query.limit(paging.limit())).await.map_err(store_error)?;
        let (changes, more) = told(&page.documents)?;
        let last = changes.len().checked_sub(1).and_then(|last| page.documents.get(last));
        let last = last.filter(|_| more || page.next.is_some());
        let next_token = last.map(|last| paging.token_of_text(&last.name)).transpose()?;
        Ok(ListHubRuleChangesResponse { hub_arn: hub.arn(), changes, next_token })
    }

    /// Takes the log of a hub's rules along with the hub.
    pub(super) async fn delete_log(&self, hub: &HubName, transaction: Transaction) -> Result<Transaction, ApiError> {
        let query = Query::of(KIND).owned_by(&hub.account, Some(&hub.region)).children_of(&hub.name);
        let log = self.all(query).await?;
        Ok(log.iter().fold(transaction, |transaction, entry| transaction.delete(entry.key.clone(), Expect::Any)))
    }
}

/// As many of these changes as a page has room for, and whether there are more of them.
fn told(documents: &[Arc<Document>]) -> Result<(Vec<HubRuleChange>, bool), ApiError> {
    let (mut changes, mut contents) = (Vec::new(), 0);
    for document in documents {
        let body: ChangeBody = document.decode().map_err(store_error)?;
        contents += body.added.len() + body.removed.len() + body.updated.len() + body.refused.len();
        if contents > MOST_CONTENTS && !changes.is_empty() {
            return Ok((changes, true));
        }
        changes.push(change(document.created, body));
    }
    Ok((changes, false))
}

fn change(time: Timestamp, body: ChangeBody) -> HubRuleChange {
    HubRuleChange {
        change_number: count(body.number),
        time,
        cause: match body.cause {
            Cause::Rules => HubRuleCause::Rules,
            Cause::Catalog => HubRuleCause::Catalog,
            Cause::Reference => HubRuleCause::Reference,
            Cause::Admission => HubRuleCause::Admission,
        },
        rules: body.rules,
        set_by: Some(body.set_by),
        added: contents(body.added),
        removed: contents(body.removed),
        updated: contents(body.updated),
        left_out: count(body.left_out),
        refused: contents(body.refused),
        refused_count: count(body.refused_count),
    }
}

pub(super) fn contents(ruled: Vec<Ruled>) -> Vec<RuledContent> {
    let content = |ruled: Ruled| RuledContent {
        hub_content_name: ruled.name,
        versions: ruled.versions.iter().map(ToString::to_string).collect(),
        reason: ruled.reason,
    };
    ruled.into_iter().map(content).collect()
}

pub(super) fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
