//! Managed policies: customers' own, and AWS's, which cannot be changed. Their versions are in `versions`.

mod entities;
mod granting;
mod list;
mod tags;
mod versions;

pub(crate) use versions::{MAX_VERSIONS, wire_managed_version, wire_version};

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    CreatePolicyRequest, CreatePolicyResponse, DeletePolicyRequest, GetPolicyRequest, GetPolicyResponse, Policy,
};
use stoa_policy::PolicyKind;
use stoa_schema::Empty;
use stoa_store::{Document, Expect, Transaction};
use stoa_types::{AccountId, principal_id};

use crate::Iam;
use crate::authority::policy_key_of;
use crate::documents::{add_tags, check, size, wire_tags};
use crate::error::{already_exists, delete_conflict, invalid_input, limit_exceeded, no_such_policy, store_failed};
use crate::managed::{self, Managed};
use crate::quotas::POLICIES;
use crate::state::{Loaded, PolicyRecord, PolicyVersionRecord, load, policy_key, tag_list};

pub(crate) const MAX_BYTES: usize = 6144;

/// A customer policy as the API has it; listings leave out tags and description.
fn wire_policy(policy: &PolicyRecord, whole: bool) -> Policy {
    Policy {
        policy_name: Some(policy.name.clone()),
        policy_id: Some(policy.id.clone()),
        arn: Some(policy.arn.clone()),
        path: Some(policy.path.clone()),
        default_version_id: Some(format!("v{}", policy.default_version)),
        attachment_count: i64::try_from(policy.attachments).ok(),
        permissions_boundary_usage_count: i64::try_from(policy.boundaries).ok(),
        is_attachable: Some(true),
        description: policy.description.clone().filter(|_| whole),
        create_date: Some(policy.created),
        update_date: Some(policy.updated),
        tags: whole.then(|| wire_tags(&policy.tags)).flatten(),
    }
}

fn wire_managed(policy: &Managed, attachments: i64, boundaries: i64) -> Policy {
    Policy {
        policy_name: Some(policy.name.to_owned()),
        policy_id: Some(policy.id.to_owned()),
        arn: Some(policy.arn()),
        path: Some(policy.path.to_owned()),
        default_version_id: Some(policy.version.to_owned()),
        attachment_count: Some(attachments),
        permissions_boundary_usage_count: Some(boundaries),
        // AWS says so of the policies of its services' roles too, and refuses to attach them.
        is_attachable: Some(true),
        description: None,
        create_date: policy.created,
        update_date: policy.updated,
        tags: None,
    }
}

fn check_managed(text: &str) -> Result<(), ApiError> {
    check(text, PolicyKind::Identity)?;
    if size(text) > MAX_BYTES {
        return Err(limit_exceeded(format!("Cannot exceed quota for PolicySize: {MAX_BYTES}")));
    }
    Ok(())
}

impl Iam {
    /// The customer policy with this ARN, in the caller's account.
    pub(crate) async fn own_policy(&self, account: &AccountId, arn: &str) -> Result<Loaded<PolicyRecord>, ApiError> {
        if managed::find(arn).is_some() {
            return Err(ApiError::access_denied(format!("AWS managed policies cannot be changed: {arn}")));
        }
        let key = policy_key_of(arn).or_else(|| arn.starts_with("arn:aws:iam::aws:").then(|| policy_key(account, "")));
        let key = key.ok_or_else(|| invalid_input(format!("ARN {arn} is not valid.")))?;
        let found = load::<PolicyRecord>(&*self.store, &key).await?;
        let own = found.filter(|found| found.record.arn == arn && found.document.key.account == *account);
        own.ok_or_else(|| no_such_policy(arn))
    }
}

impl Handles<op::CreatePolicy> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<CreatePolicyRequest>) -> Result<CreatePolicyResponse, ApiError> {
        let input = input.into_inner();
        let account = self.account(cx);
        check_managed(&input.policy_document)?;
        self.room_for(POLICIES, account).await?;
        let path = input.path.unwrap_or_else(|| "/".to_owned());
        let version = PolicyVersionRecord { number: 1, document: input.policy_document, created: cx.now };
        let mut policy = PolicyRecord {
            id: principal_id(&*self.ids, "ANPA"),
            arn: format!("arn:aws:iam::{account}:policy{path}{}", input.policy_name),
            name: input.policy_name,
            path,
            description: input.description,
            created: cx.now,
            updated: cx.now,
            default_version: 1,
            next_version: 2,
            versions: vec![version],
            attachments: 0,
            boundaries: 0,
            tags: Default::default(),
        };
        add_tags(&mut policy.tags, input.tags.unwrap_or_default())?;
        let key = policy_key(account, &policy.name);
        let document = Document::new(key, &policy.name, cx.now, &policy).map_err(store_failed)?;
        let transaction = Transaction::new().create(document).set_tags(&policy.arn, tag_list(&policy.tags));
        let taken = || {
            already_exists(format!("A policy called {} already exists. Duplicate names are not allowed.", policy.name))
        };
        self.commit_or(transaction, taken).await?;
        Ok(CreatePolicyResponse { policy: Some(wire_policy(&policy, true)) })
    }
}

impl Handles<op::GetPolicy> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<GetPolicyRequest>) -> Result<GetPolicyResponse, ApiError> {
        let policy = match managed::find(&input.policy_arn) {
            Some(policy) => {
                let uses = self.managed_uses(self.account(cx)).await?;
                let (attachments, boundaries) = uses.get(&input.policy_arn).copied().unwrap_or_default();
                wire_managed(policy, attachments, boundaries)
            }
            None => wire_policy(&self.own_policy(self.account(cx), &input.policy_arn).await?.record, true),
        };
        Ok(GetPolicyResponse { policy: Some(policy) })
    }
}

impl Handles<op::DeletePolicy> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<DeletePolicyRequest>) -> Result<Empty, ApiError> {
        let policy = self.own_policy(self.account(cx), &input.policy_arn).await?;
        if policy.record.attachments > 0 || policy.record.boundaries > 0 {
            return Err(delete_conflict("Cannot delete a policy attached to entities."));
        }
        if policy.record.versions.len() > 1 {
            return Err(delete_conflict(
                "This policy has more than one version. Before you delete a policy, you must delete the policy's \
                 versions. The default version is deleted with the policy.",
            ));
        }
        let expect = Expect::Generation(policy.document.generation);
        let transaction =
            Transaction::new().delete(policy.document.key.clone(), expect).set_tags(&policy.record.arn, Vec::new());
        self.commit(transaction).await?;
        Ok(Empty {})
    }
}
