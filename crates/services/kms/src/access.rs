//! Who may use a key: its policy, and its grants as statements beside it.
//!
//! A grant is an Allow for its grantee on the key. It becomes a statement that holds when the target's key
//! `stoa:grants` names it: targets name the grants whose operations and constraints fit the request (`grant::fitting`),
//! so that constraints are compared exactly, not by the policy language. The retiring principal likewise by
//! `stoa:retires`. No request can set either key.
//!
//! INVARIANT: what is cached is used only at the generation of the key's document that it was made at.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value as Json, json};
use stoa_kernel::ports::ResourcePolicies;
use stoa_kernel::{ApiError, Cx, Target};
use stoa_policy::{Document, PolicySet};
use stoa_store::Query;
use stoa_types::Arn;

use crate::Kms;
use crate::error::store_failed;
use crate::grant::{Wanted, fitting};
use crate::state::{GrantRecord, KeyRecord, Loaded, key_key, kind, load};

/// Names, in a target, the grants that fit the request.
pub(crate) const GRANTS: &str = "stoa:grants";
/// Names, in a target, the grant that is to be retired.
pub(crate) const RETIRES: &str = "stoa:retires";
/// The caller's account, where a grant that fits is the caller's own: IAM then asks no policy of the caller's account
/// beside it, also for a key of another account. Empty otherwise.
pub(crate) const GRANTED: &str = "stoa:granted";
/// Keys whose policies are kept; a full cache is emptied.
const KEPT: usize = 4096;
const BATCH: usize = 1000;

/// A key's policy and grants, compiled.
pub(crate) struct Access {
    generation: u64,
    policy: Arc<PolicySet>,
    pub(crate) grants: Vec<GrantRecord>,
}

/// What was compiled, by the key's ARN.
pub(crate) type Cache = HashMap<String, Arc<Access>>;

#[async_trait]
impl ResourcePolicies for Kms {
    async fn resource_policy(&self, resource: &str) -> Result<Option<Arc<PolicySet>>, ApiError> {
        if resource.split(':').nth(2) != Some("kms") {
            return Ok(None);
        }
        let Some(key) = key_of_arn(resource) else { return Ok(None) };
        let Some(loaded) = load::<KeyRecord>(&*self.store, &key).await? else { return Ok(None) };
        if loaded.record.arn != resource {
            return Ok(None);
        }
        Ok(Some(Arc::clone(&self.access_of(&loaded).await?.policy)))
    }
}

impl Access {
    /// Names the grants in a target that fit a request, and whether one of them is the caller's.
    pub(crate) fn name_grants(&self, cx: &Cx, target: &mut Target, wanted: &Wanted) {
        let fits: Vec<&GrantRecord> = self.grants.iter().filter(|grant| fitting(grant, wanted)).collect();
        let own = fits.iter().any(|grant| is_caller(cx, &grant.grantee));
        name_granted(cx, target, own);
        target.keys.set_many(GRANTS, fits.iter().map(|grant| grant.id.clone()).collect::<Vec<String>>());
    }
}

/// Whether a grant's principal is the caller itself (not the account that it belongs to).
pub(crate) fn is_caller(cx: &Cx, principal: &str) -> bool {
    principal == cx.principal.arn || principal == cx.principal.policy_arn()
}

/// INVARIANT: always set, so that nothing a principal carries with it can stand in for it.
pub(crate) fn name_granted(cx: &Cx, target: &mut Target, own: bool) {
    target.keys.set(GRANTED, if own { cx.principal.account.as_str() } else { "" });
}

impl Kms {
    /// The policy and grants of a key, as they are now.
    pub(crate) async fn access_of(&self, key: &Loaded<KeyRecord>) -> Result<Arc<Access>, ApiError> {
        let generation = key.document.generation;
        let kept = self.access.read().get(&key.record.arn).cloned();
        if let Some(kept) = kept.filter(|kept| kept.generation == generation) {
            return Ok(kept);
        }
        // The key was read before its grants, and each change of them moves its generation: what is made now can be
        // newer than it says, never older.
        let grants = if key.record.grants_revision == 0 { Vec::new() } else { self.grants_of(key).await? };
        let policy = Arc::new(compile(&key.record, &grants)?);
        let made = Arc::new(Access { generation, policy, grants });
        let mut cache = self.access.write();
        if cache.len() >= KEPT {
            cache.clear();
        }
        cache.insert(key.record.arn.clone(), Arc::clone(&made));
        Ok(made)
    }

    /// All grants on a key.
    pub(crate) async fn grants_of(&self, key: &Loaded<KeyRecord>) -> Result<Vec<GrantRecord>, ApiError> {
        let owner = &key.document.key;
        let mut query = Query::of(kind::GRANT)
            .owned_by(&owner.account, owner.region.as_ref())
            .children_of(&key.record.id)
            .limit(BATCH);
        let mut grants = Vec::new();
        loop {
            let page = self.store.query(&query).await.map_err(store_failed)?;
            for document in &page.documents {
                grants.push(document.decode().map_err(store_failed)?);
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(grants),
            }
        }
    }
}

/// The key document's key, from a key ARN.
fn key_of_arn(text: &str) -> Option<stoa_store::Key> {
    let arn: Arn = text.parse().ok()?;
    if arn.resource_type() != "key" {
        return None;
    }
    Some(key_key(&arn.account().parse().ok()?, &arn.region().parse().ok()?, arn.resource_id()))
}

fn compile(key: &KeyRecord, grants: &[GrantRecord]) -> Result<PolicySet, ApiError> {
    // Policies and principals were checked when they were saved; one that does not parse now is corrupt, and nothing is
    // decided.
    let own = Document::parse(&key.policy).map_err(ApiError::internal)?;
    let mut documents = vec![(Arc::from("key-policy"), own)];
    if !grants.is_empty() {
        let statements: Vec<Json> = grants.iter().flat_map(statements).collect();
        documents.push((Arc::from("grants"), parse_statements(statements)?));
    }
    Ok(PolicySet::compile(documents.iter().map(|(name, document)| (Arc::clone(name), document))))
}

fn parse_statements(statements: Vec<Json>) -> Result<Document, ApiError> {
    // The older version of the language has no variables: an ARN or id stands for itself.
    let document = json!({ "Version": "2008-10-17", "Statement": statements });
    Document::parse(&document.to_string()).map_err(ApiError::internal)
}

fn statements(grant: &GrantRecord) -> Vec<Json> {
    let actions: Vec<String> = grant.operations.iter().map(|operation| format!("kms:{}", operation.as_str())).collect();
    let mut all = vec![json!({
        "Effect": "Allow",
        "Principal": { "AWS": grant.grantee },
        "Action": actions,
        "Resource": "*",
        "Condition": { "ForAnyValue:StringEquals": { GRANTS: grant.id } },
    })];
    if let Some(retiring) = &grant.retiring {
        all.push(json!({
            "Effect": "Allow",
            "Principal": { "AWS": retiring },
            "Action": "kms:RetireGrant",
            "Resource": "*",
            "Condition": { "StringEquals": { RETIRES: grant.id } },
        }));
    }
    all
}

/// Whether a principal's ARN can be named by a grant.
pub(crate) fn is_principal(arn: &str) -> bool {
    let Ok(parsed) = arn.parse::<Arn>() else { return false };
    let known = match (parsed.service(), parsed.resource_type()) {
        ("iam", "root") => parsed.resource() == "root",
        ("iam", "user" | "role") | ("sts", "assumed-role" | "federated-user") => !parsed.resource_id().is_empty(),
        _ => false,
    };
    let account = parsed.account();
    let statement = json!({ "Effect": "Allow", "Principal": { "AWS": arn }, "Action": "kms:*", "Resource": "*" });
    known
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && parse_statements(vec![statement]).is_ok()
}
