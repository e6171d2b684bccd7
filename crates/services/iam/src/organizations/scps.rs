//! Control policies by name, for those who manage them without AWS's API: tests and tools.

use stoa_kernel::ApiError;

use super::error::no_such_policy;
use super::policies::NewPolicy;
use crate::Iam;
use crate::state::{OrganizationPolicyRecord, PolicyType, load, organization_policy_name_key};

impl Iam {
    /// Puts a service control policy on a node: the root, a unit or an account. Enables the type where it is not
    /// (every node then has `FullAWSAccess`), and makes the policy or changes its text where a policy of this name has
    /// another.
    ///
    /// # Errors
    /// As `CreatePolicy` and `AttachPolicy`; a policy that is attached already is none.
    pub async fn attach_scp(&self, target: &str, name: &str, document: &str) -> Result<(), ApiError> {
        self.attach_control(PolicyType::ServiceControl, target, name, document).await
    }

    /// Takes it off again. `FullAWSAccess` is a name too.
    ///
    /// # Errors
    /// As `DetachPolicy`.
    pub async fn detach_scp(&self, target: &str, name: &str) -> Result<(), ApiError> {
        self.detach_control(PolicyType::ServiceControl, target, name).await
    }

    /// As [`Iam::attach_scp`], a resource control policy.
    ///
    /// # Errors
    /// As `CreatePolicy` and `AttachPolicy`.
    pub async fn attach_rcp(&self, target: &str, name: &str, document: &str) -> Result<(), ApiError> {
        self.attach_control(PolicyType::ResourceControl, target, name, document).await
    }

    /// As [`Iam::detach_scp`], a resource control policy.
    ///
    /// # Errors
    /// As `DetachPolicy`.
    pub async fn detach_rcp(&self, target: &str, name: &str) -> Result<(), ApiError> {
        self.detach_control(PolicyType::ResourceControl, target, name).await
    }

    async fn attach_control(&self, of: PolicyType, target: &str, name: &str, document: &str) -> Result<(), ApiError> {
        if !self.organization().await?.policy_types.contains(&of) {
            self.enable_policy_type(of).await?;
        }
        let id = match self.control_named(of, name).await? {
            Some(id) => {
                self.change_policy(&id, None, None, Some(document)).await?;
                id
            }
            None => {
                let new = NewPolicy { policy_type: of, name, description: "", content: document, tags: Vec::new() };
                self.make_policy(&new).await?.id
            }
        };
        match self.attach_organization_policy(&id, target).await {
            Err(error) if error.code() == "DuplicatePolicyAttachmentException" => Ok(()),
            other => other,
        }
    }

    async fn detach_control(&self, of: PolicyType, target: &str, name: &str) -> Result<(), ApiError> {
        let id = match super::aws_policies::AWS_POLICIES.iter().find(|policy| policy.name == name) {
            Some(policy) => policy.id.to_owned(),
            None => self.control_named(of, name).await?.ok_or_else(no_such_policy)?,
        };
        self.detach_organization_policy(&id, target).await
    }

    async fn control_named(&self, of: PolicyType, name: &str) -> Result<Option<String>, ApiError> {
        let key = organization_policy_name_key(of, name);
        Ok(load::<String>(&*self.store, &key).await?.map(|found| found.record))
    }
}

impl NewPolicy<'_> {
    /// The record of the new policy.
    pub(super) fn record(&self, id: String) -> OrganizationPolicyRecord {
        OrganizationPolicyRecord {
            id,
            policy_type: self.policy_type,
            name: self.name.to_owned(),
            description: self.description.to_owned(),
            content: self.content.to_owned(),
            attachments: 0,
        }
    }
}
