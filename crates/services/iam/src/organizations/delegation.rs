//! The organization's resource policy: which member accounts may call Organizations, and what.
//!
//! Two policies are one here: AWS's own rule that a delegated administrator may read the organization, and the policy
//! that the management account has put. Both are asked as the resource policy of everything in the organization, so
//! that the ordinary rules of access across accounts hold.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use serde_json::{Value, json};
use stoa_kernel::ports::ResourcePolicies;
use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_organizations::operations as op;
use stoa_models_organizations::types::{
    DescribeResourcePolicyResponse, PutResourcePolicyRequest, PutResourcePolicyResponse, ResourcePolicy,
    ResourcePolicySummary,
};
use stoa_policy::{Document as PolicyDocument, PolicyKind, PolicySet};
use stoa_schema::Empty;
use stoa_store::{Document, Expect, Query, Store, Transaction};

use super::error::{busy, invalid, refused};
use super::wire::tags_added;
use super::{ATTEMPTS, new_id};
use crate::Iam;
use crate::error::store_failed;
use crate::state::{DelegationPolicyRecord, DelegationRecord, Organization, delegation_policy_key, kind, load};

const OURS: &str = "arn:aws:organizations::";
const AWSS: &str = "arn:aws:organizations::aws:";

/// What lets member accounts in.
pub(crate) struct Delegation {
    store: Arc<dyn Store>,
    /// The policies at an `organizations:` version.
    compiled: ArcSwapOption<(u64, Option<Arc<PolicySet>>)>,
}

impl Delegation {
    pub(crate) fn new(store: Arc<dyn Store>) -> Delegation {
        Delegation { store, compiled: ArcSwapOption::empty() }
    }

    async fn compile(&self) -> Result<Option<Arc<PolicySet>>, ApiError> {
        let mut documents = Vec::new();
        let page = self.store.query(&Query::of(kind::DELEGATION).limit(1000)).await.map_err(store_failed)?;
        if let Some(text) = readers(&page.documents)? {
            documents.push((Arc::from("delegated administrators"), parse(&text)?));
        }
        if let Some(found) = load::<DelegationPolicyRecord>(&*self.store, &delegation_policy_key()).await? {
            documents.push((Arc::from(&*found.record.id), parse(&found.record.content)?));
        }
        let parts = documents.iter().map(|(name, document): &(Arc<str>, PolicyDocument)| (Arc::clone(name), document));
        Ok((!documents.is_empty()).then(|| Arc::new(PolicySet::compile(parts))))
    }
}

fn parse(text: &str) -> Result<PolicyDocument, ApiError> {
    PolicyDocument::parse(text).map_err(ApiError::internal)
}

/// AWS's rule: accounts that administer the organization for a service may read it.
fn readers(delegations: &[Arc<Document>]) -> Result<Option<String>, ApiError> {
    let mut accounts = Vec::new();
    for document in delegations {
        let delegation: DelegationRecord = document.decode().map_err(store_failed)?;
        accounts.push(format!("arn:aws:iam::{}:root", delegation.account));
    }
    if accounts.is_empty() {
        return Ok(None);
    }
    let statement = json!({
        "Sid": "DelegatedAdministratorsRead",
        "Effect": "Allow",
        "Principal": { "AWS": accounts },
        "Action": ["organizations:Describe*", "organizations:List*"],
        "Resource": "*",
    });
    Ok(Some(json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()))
}

#[async_trait]
impl ResourcePolicies for Delegation {
    async fn resource_policy(&self, resource: &str) -> Result<Option<Arc<PolicySet>>, ApiError> {
        if !resource.starts_with(OURS) {
            return Ok(None);
        }
        let version = self.store.version("organizations:");
        if let Some(compiled) = self.compiled.load_full()
            && compiled.0 == version
        {
            return Ok(compiled.1.clone());
        }
        let policies = self.compile().await?;
        self.compiled.store(Some(Arc::new((version, policies.clone()))));
        Ok(policies)
    }
}

/// Refuses what cannot be the organization's resource policy.
fn check(content: &str) -> Result<(), ApiError> {
    let malformed = |error: &dyn std::fmt::Display| {
        invalid("INVALID_RESOURCE_POLICY_JSON", format!("The provided resource policy content is not valid: {error}"))
    };
    PolicyDocument::parse_as(content, PolicyKind::Resource).map_err(|error| malformed(&error))?;
    let whole: Value = serde_json::from_str(content).map_err(|error| malformed(&error))?;
    let statements = match whole.get("Statement") {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    for statement in statements {
        let actions = match statement.get("Action") {
            Some(Value::Array(list)) => list.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        let named = |action: &Value| action.as_str().is_some_and(|action| action.starts_with("organizations:"));
        if actions.is_empty() || !actions.iter().all(named) {
            return Err(invalid(
                "UNSUPPORTED_ACTION_IN_RESOURCE_POLICY",
                "You provided an action that is not supported in a resource policy: actions are of `organizations:`.",
            ));
        }
    }
    Ok(())
}

fn wire_resource_policy(organization: &Organization, policy: &DelegationPolicyRecord) -> ResourcePolicy {
    let summary =
        ResourcePolicySummary { id: Some(policy.id.clone()), arn: Some(organization.resource_policy_arn(&policy.id)) };
    ResourcePolicy { resource_policy_summary: Some(summary), content: Some(policy.content.clone()) }
}

fn no_resource_policy() -> ApiError {
    refused(
        "ResourcePolicyNotFoundException",
        "We can't find a resource policy request with the parameter that you specified.",
    )
}

impl Handles<op::PutResourcePolicy> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<PutResourcePolicyRequest>,
    ) -> Result<PutResourcePolicyResponse, ApiError> {
        let input = input.into_inner();
        check(&input.content)?;
        let organization = self.organization().await?;
        let tags = tags_added(Vec::new(), input.tags)?;
        for _ in 0..ATTEMPTS {
            let key = delegation_policy_key();
            let (transaction, record) = match load::<DelegationPolicyRecord>(&*self.store, &key).await? {
                Some(mut found) => {
                    if !tags.is_empty() {
                        return Err(invalid(
                            "INVALID_SYSTEM_TAGS_PARAMETER",
                            "tags are given with a new resource policy only; use TagResource for one that is there",
                        ));
                    }
                    found.record.content.clone_from(&input.content);
                    (Transaction::new().update(found.changed(cx.now)?), found.record)
                }
                None => {
                    let id = new_id(&*self.ids, "rp-", 8);
                    let record = DelegationPolicyRecord { id, content: input.content.clone() };
                    let document = Document::new(key, &record.id, cx.now, &record).map_err(store_failed)?;
                    let arn = organization.resource_policy_arn(&record.id);
                    (Transaction::new().create(document).set_tags(&arn, tags.clone()), record)
                }
            };
            if self.applied(transaction).await? {
                return Ok(PutResourcePolicyResponse {
                    resource_policy: Some(wire_resource_policy(&organization, &record)),
                });
            }
        }
        Err(busy())
    }
}

impl Handles<op::DescribeResourcePolicy> for Iam {
    async fn handle(&self, _cx: &Cx, _input: Authorized<Empty>) -> Result<DescribeResourcePolicyResponse, ApiError> {
        let found = load::<DelegationPolicyRecord>(&*self.store, &delegation_policy_key()).await?;
        let found = found.ok_or_else(no_resource_policy)?;
        let organization = self.organization().await?;
        Ok(DescribeResourcePolicyResponse { resource_policy: Some(wire_resource_policy(&organization, &found.record)) })
    }
}

impl Handles<op::DeleteResourcePolicy> for Iam {
    async fn handle(&self, _cx: &Cx, _input: Authorized<Empty>) -> Result<Empty, ApiError> {
        for _ in 0..ATTEMPTS {
            let found = load::<DelegationPolicyRecord>(&*self.store, &delegation_policy_key()).await?;
            let found = found.ok_or_else(no_resource_policy)?;
            let arn = self.organization().await?.resource_policy_arn(&found.record.id);
            let expect = Expect::Generation(found.document.generation);
            let transaction = Transaction::new().delete(found.document.key.clone(), expect).set_tags(&arn, Vec::new());
            if self.applied(transaction).await? {
                return Ok(Empty {});
            }
        }
        Err(busy())
    }
}

/// Whether an ARN is of a policy that AWS manages.
pub(super) fn is_awss(arn: &str) -> bool {
    arn.starts_with(AWSS)
}
