//! The ids and ARNs of an organization's parts.

use stoa_types::IdSource;

use crate::state::{Organization, PolicyType};

impl Organization {
    fn arn(&self, rest: &str) -> String {
        format!("arn:aws:organizations::{}:{rest}", self.management_account)
    }

    /// `arn:aws:organizations::M:organization/o-…`
    pub(crate) fn own_arn(&self) -> String {
        self.arn(&format!("organization/{}", self.id))
    }

    /// The ARN of the root, a unit or an account, by the form of its id.
    pub(crate) fn node_arn(&self, id: &str) -> String {
        let what = if id.starts_with("r-") {
            "root"
        } else if id.starts_with("ou-") {
            "ou"
        } else {
            "account"
        };
        self.arn(&format!("{what}/{}/{id}", self.id))
    }

    /// The ARN of a customer's policy.
    pub(crate) fn policy_arn(&self, policy_type: PolicyType, id: &str) -> String {
        self.arn(&format!("policy/{}/{}/{id}", self.id, policy_type.in_arns()))
    }

    /// The ARN of the organization's resource policy.
    pub(crate) fn resource_policy_arn(&self, id: &str) -> String {
        self.arn(&format!("resourcepolicy/{}/{id}", self.id))
    }
}

/// A new id: a prefix and random letters, as AWS's ids have them.
pub(crate) fn new_id(ids: &dyn IdSource, prefix: &str, length: usize) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bytes = vec![0_u8; length];
    ids.fill(&mut bytes);
    let letter = |byte: &u8| LETTERS.get(usize::from(*byte) % LETTERS.len()).map(|letter| char::from(*letter));
    format!("{prefix}{}", bytes.iter().filter_map(letter).collect::<String>())
}
