//! What shares let others do: a policy on each shared resource, compiled from the shares that have it.
//!
//! A share is one statement for each kind of principal it has: the permission's actions, on the resource and what is in
//! it, for accounts, users and roles by ARN, for the organization and its units by the place of the caller. Access
//! across accounts is decided as ever: the caller's own policies must allow it too.
//!
//! INVARIANT: what is compiled is used only at the version of RAM's documents it was made at, and only while the
//! resource is the very one that was shared.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value as Json, json};
use stoa_kernel::ApiError;
use stoa_kernel::ports::ResourcePolicies;
use stoa_policy::{Document, PolicyKind, PolicySet};
use stoa_store::Query;
use stoa_types::{AccountId, Arn, Region, Timestamp};

use crate::Ram;
use crate::principal::Named;
use crate::shareable::ShareableType;
use crate::state::{ShareRecord, kind};

/// Owners whose shares are kept compiled; a full cache is emptied.
const KEPT: usize = 1024;

/// A shared resource: its ARN, and when it was made.
type Shared = (String, Timestamp);
/// A policy under the name of the share that it comes of.
type SharePolicy = (Arc<str>, Document);

/// The shared resources of an account in a region.
pub(crate) struct Compiled {
    version: u64,
    organization_shares: bool,
    policies: HashMap<Shared, Arc<PolicySet>>,
}

/// What was compiled, by owner and region.
pub(crate) type Cache = HashMap<(AccountId, Region), Arc<Compiled>>;

/// The condition operators of the statements' own conditions. A permission may not have the same key under the same
/// operator: one of the two would be lost.
pub(crate) const OWN_CONDITIONS: [(&str, &str); 3] = [
    ("StringEqualsIgnoreCase", "aws:PrincipalOrgID"),
    ("ForAnyValue:StringLike", "aws:PrincipalOrgPaths"),
    ("StringNotEqualsIgnoreCase", "aws:PrincipalAccount"),
];

#[async_trait]
impl ResourcePolicies for Ram {
    async fn resource_policy(&self, resource: &str) -> Result<Option<Arc<PolicySet>>, ApiError> {
        let Some((_, shared)) = ShareableType::holder_of(resource) else { return Ok(None) };
        let Some((owner, region)) = owner_of(&shared) else { return Ok(None) };
        let compiled = self.compiled(owner.clone(), region).await?;
        // A closed account shares nothing, and one that is being deleted neither.
        if compiled.policies.is_empty() || !self.parts.organization.has_account(&owner).await? {
            return Ok(None);
        }
        let Some(created) = self.resource_created(&shared).await? else { return Ok(None) };
        Ok(compiled.policies.get(&(shared, created)).cloned())
    }
}

fn owner_of(arn: &str) -> Option<(AccountId, Region)> {
    let arn: Arn = arn.parse().ok()?;
    Some((arn.account().parse().ok()?, arn.region().parse().ok()?))
}

impl Ram {
    async fn compiled(&self, owner: AccountId, region: Region) -> Result<Arc<Compiled>, ApiError> {
        let version = self.parts.store.version("ram:");
        let organization_shares = self.organization_shares().await?;
        let key = (owner, region);
        let kept = self.access.read().get(&key).cloned();
        if let Some(kept) = kept
            && kept.version == version
            && kept.organization_shares == organization_shares
        {
            return Ok(kept);
        }
        // The version was read before the documents: what is made now can be newer than it says, never older.
        let policies = self.compile(&key.0, &key.1, organization_shares).await?;
        let made = Arc::new(Compiled { version, organization_shares, policies });
        let mut cache = self.access.write();
        if cache.len() >= KEPT {
            cache.clear();
        }
        cache.insert(key, Arc::clone(&made));
        Ok(made)
    }

    async fn compile(
        &self,
        owner: &AccountId,
        region: &Region,
        organization_shares: bool,
    ) -> Result<HashMap<Shared, Arc<PolicySet>>, ApiError> {
        let mut documents: BTreeMap<Shared, Vec<SharePolicy>> = BTreeMap::new();
        for document in self.all(Query::of(kind::SHARE).owned_by(owner, Some(region))).await? {
            // What cannot be read gives nothing, and takes nothing from the owner's other shares.
            let share: ShareRecord = match document.decode() {
                Ok(share) => share,
                Err(error) => {
                    tracing::error!(%error, %owner, share = document.key.id, "a resource share cannot be read");
                    continue;
                }
            };
            for (arn, policy) in self.policies_of(&share, organization_shares).await? {
                let policy = match Document::parse_as(&policy.to_string(), PolicyKind::Resource) {
                    Ok(policy) => policy,
                    Err(error) => {
                        tracing::error!(%error, share = share.arn, "the policy of a resource share is none");
                        continue;
                    }
                };
                let entry = (Arc::from(share.arn.as_str()), policy);
                let born = share.resources.get(&arn).map_or(share.created, |association| association.born);
                documents.entry((arn, born)).or_default().push(entry);
            }
        }
        let compile = |parts: Vec<SharePolicy>| {
            Arc::new(PolicySet::compile(parts.iter().map(|(name, document)| (Arc::clone(name), document))))
        };
        Ok(documents.into_iter().map(|(key, parts)| (key, compile(parts))).collect())
    }

    /// The policy that a share puts on each of its resources.
    pub(crate) async fn policies_of(
        &self,
        share: &ShareRecord,
        organization_shares: bool,
    ) -> Result<Vec<(String, Json)>, ApiError> {
        let mut policies = Vec::new();
        if !share.is_active() {
            return Ok(policies);
        }
        let principals: Vec<&String> = share
            .principals
            .iter()
            .filter(|(_, association)| association.counts(organization_shares))
            .map(|(id, _)| id)
            .collect();
        if principals.is_empty() {
            return Ok(policies);
        }
        for (arn, association) in share.resources.iter().filter(|(_, association)| association.is_associated()) {
            let Some(known) = ShareableType::named(&association.kind) else { continue };
            let Some(used) = share.permissions.get(known.name) else { continue };
            let Some(template) = self.template(&used.arn, used.version).await? else { continue };
            let statements = match statements(&share.owner, &principals, &template, &known.covered(arn)) {
                Ok(statements) if statements.is_empty() => continue,
                Ok(statements) => statements,
                Err(error) => {
                    tracing::error!(?error, share = share.arn, permission = used.arn, "a permission cannot be read");
                    continue;
                }
            };
            policies.push((arn.clone(), json!({ "Version": "2012-10-17", "Statement": statements })));
        }
        Ok(policies)
    }
}

/// The statements of a permission for the principals of a share.
pub(crate) fn statements(
    owner: &AccountId,
    principals: &[&String],
    template: &str,
    resources: &[String],
) -> Result<Vec<Json>, ApiError> {
    let template: Map<String, Json> = serde_json::from_str(template).map_err(ApiError::internal)?;
    let (mut arns, mut organizations, mut units) = (Vec::new(), Vec::new(), Vec::new());
    for principal in principals {
        match Named::parse(principal) {
            Some(Named::Account(account)) => arns.push(format!("arn:aws:iam::{account}:root")),
            Some(Named::Identity(_)) => arns.push((*principal).clone()),
            Some(Named::Organization(id)) => organizations.push(id),
            Some(Named::Unit(organization, id)) => units.push(format!("{organization}/*/{id}/*")),
            None => {}
        }
    }
    let [by_id, by_path, by_account] = OWN_CONDITIONS;
    let mut statements = Vec::new();
    if !arns.is_empty() {
        statements.push(statement(&template, json!({ "AWS": arns }), resources, &[]));
    }
    // Everyone there but the owner's own principals, who are let in by their own policies alone.
    let others = (by_account, json!(owner.as_str()));
    if !organizations.is_empty() {
        let conditions = [(by_id, json!(organizations)), others.clone()];
        statements.push(statement(&template, json!("*"), resources, &conditions));
    }
    if !units.is_empty() {
        statements.push(statement(&template, json!("*"), resources, &[(by_path, json!(units)), others]));
    }
    Ok(statements)
}

fn statement(
    template: &Map<String, Json>,
    principal: Json,
    resources: &[String],
    conditions: &[((&str, &str), Json)],
) -> Json {
    let mut all = match template.get("Condition") {
        Some(Json::Object(given)) => given.clone(),
        _ => Map::new(),
    };
    for ((operator, key), value) in conditions {
        let block = all.entry((*operator).to_owned()).or_insert_with(|| json!({}));
        if let Json::Object(block) = block {
            block.insert((*key).to_owned(), value.clone());
        }
    }
    let mut statement = json!({
        "Effect": "Allow",
        "Principal": principal,
        "Action": template.get("Action").cloned().unwrap_or_default(),
        "Resource": resources,
    });
    if let (false, Json::Object(statement)) = (all.is_empty(), &mut statement) {
        statement.insert("Condition".to_owned(), Json::Object(all));
    }
    statement
}
