//! The two policies of organizations that AWS manages: everything may be done. Nothing is stored.

use crate::state::PolicyType;

/// A policy of AWS.
#[derive(Debug)]
pub(crate) struct AwsPolicy {
    pub(crate) id: &'static str,
    pub(crate) policy_type: PolicyType,
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) content: &'static str,
}

impl AwsPolicy {
    /// `arn:aws:organizations::aws:policy/…`
    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:organizations::aws:policy/{}/{}", self.policy_type.in_arns(), self.id)
    }
}

const FULL_ACCESS: AwsPolicy = AwsPolicy {
    id: "p-FullAWSAccess",
    policy_type: PolicyType::ServiceControl,
    name: "FullAWSAccess",
    description: "Allows access to every operation",
    content: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
};

const RCP_FULL_ACCESS: AwsPolicy = AwsPolicy {
    id: "p-RCPFullAWSAccess",
    policy_type: PolicyType::ResourceControl,
    name: "RCPFullAWSAccess",
    description: "Allows access to every operation",
    content: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#,
};

/// Both.
pub(crate) static AWS_POLICIES: [AwsPolicy; 2] = [FULL_ACCESS, RCP_FULL_ACCESS];

/// The policy of AWS with this id.
pub(crate) fn find(id: &str) -> Option<&'static AwsPolicy> {
    AWS_POLICIES.iter().find(|policy| policy.id == id)
}

/// What every node has of a type that is enabled, until another is attached in its stead.
pub(crate) const fn default_policy(policy_type: PolicyType) -> &'static str {
    match policy_type {
        PolicyType::ServiceControl => FULL_ACCESS.id,
        PolicyType::ResourceControl => RCP_FULL_ACCESS.id,
    }
}
