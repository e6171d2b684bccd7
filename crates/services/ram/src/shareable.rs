//! What can be shared: one row a type, with the actions that a permission may have and AWS's own permissions.
//!
//! Names, actions and which permissions there are: SageMaker's developer guide, "Cross-account sharing for private model
//! hubs". How long an invitation lasts: RAM's user guide, "Accepting and rejecting resource share invitations".

use stoa_types::Arn;

/// A type of resource.
#[derive(Debug)]
pub(crate) struct ShareableType {
    /// As RAM names it.
    pub(crate) name: &'static str,
    /// As ARNs name it: service and kind.
    pub(crate) service: &'static str,
    pub(crate) kind: &'static str,
    /// The kind of what is in such a resource and goes with it: `<kind>/<name of the resource>/…`.
    pub(crate) contents: Option<&'static str>,
    /// After so many hours an invitation expires.
    pub(crate) invitation_hours: i64,
    /// Whether it can be shared with single users and roles.
    pub(crate) principals: bool,
    /// The actions that a customer's permission may have.
    pub(crate) actions: &'static [&'static str],
    /// AWS's permissions; the first is what a share has when it names none.
    pub(crate) permissions: &'static [ManagedPermission],
}

/// A permission that AWS manages. Each has one version.
#[derive(Debug)]
pub(crate) struct ManagedPermission {
    pub(crate) name: &'static str,
    pub(crate) actions: &'static [&'static str],
}

/// The version of AWS's permissions.
pub(crate) const MANAGED_VERSION: u32 = 1;

const HUB_READ: &[&str] = &[
    "sagemaker:DescribeHub",
    "sagemaker:DescribeHubContent",
    "sagemaker:ListHubContents",
    "sagemaker:ListHubContentVersions",
];
const HUB_USE: &[&str] = &[
    "sagemaker:DescribeHub",
    "sagemaker:DescribeHubContent",
    "sagemaker:ListHubContents",
    "sagemaker:ListHubContentVersions",
    "sagemaker:DeployHubModel",
];
const HUB_FULL: &[&str] = &[
    "sagemaker:DescribeHub",
    "sagemaker:DescribeHubContent",
    "sagemaker:ListHubContents",
    "sagemaker:ListHubContentVersions",
    "sagemaker:ImportHubContent",
    "sagemaker:DeleteHubContent",
    "sagemaker:CreateHubContentReference",
    "sagemaker:DeleteHubContentReference",
    "sagemaker:DeployHubModel",
];
/// What is done to a hub's contents. The hub itself stays its owner's to change, delete and tag.
const HUB_ANY: &[&str] = &[
    "sagemaker:DescribeHub",
    "sagemaker:DescribeHubContent",
    "sagemaker:ListHubContents",
    "sagemaker:ListHubContentVersions",
    "sagemaker:ImportHubContent",
    "sagemaker:UpdateHubContent",
    "sagemaker:DeleteHubContent",
    "sagemaker:CreateHubContentReference",
    "sagemaker:UpdateHubContentReference",
    "sagemaker:DeleteHubContentReference",
    "sagemaker:CreateHubContentPresignedUrls",
    "sagemaker:DeployHubModel",
    "sagemaker:TrainHubModel",
];

/// Every type that Stoa shares.
pub(crate) static TYPES: [ShareableType; 1] = [ShareableType {
    name: "sagemaker:Hub",
    service: "sagemaker",
    kind: "hub",
    contents: Some("hub-content"),
    invitation_hours: 12,
    principals: true,
    actions: HUB_ANY,
    permissions: &[
        ManagedPermission { name: "AWSRAMPermissionSageMakerHubRead", actions: HUB_READ },
        ManagedPermission { name: "AWSRAMPermissionSageMakerHubReadAndUse", actions: HUB_USE },
        ManagedPermission { name: "AWSRAMPermissionSageMakerHubFullAccessPolicy", actions: HUB_FULL },
    ],
}];

impl ShareableType {
    /// The type of this name, in whatever case.
    pub(crate) fn named(name: &str) -> Option<&'static ShareableType> {
        TYPES.iter().find(|known| known.name.eq_ignore_ascii_case(name))
    }

    /// The type of a resource.
    pub(crate) fn of_resource(arn: &Arn) -> Option<&'static ShareableType> {
        TYPES.iter().find(|known| known.service == arn.service() && known.kind == arn.resource_type())
    }

    /// The shareable resource that an ARN names or that holds what it names.
    pub(crate) fn holder_of(text: &str) -> Option<(&'static ShareableType, String)> {
        let mut fields = text.splitn(6, ':');
        let service = fields.nth(2)?;
        let known: Vec<_> = TYPES.iter().filter(|known| known.service == service).collect();
        if known.is_empty() {
            return None;
        }
        let resource = fields.nth(2)?;
        let mut parts = resource.split('/');
        let (kind, name) = (parts.next()?, parts.next()?);
        let nested = parts.next().is_some();
        let prefix = text.strip_suffix(resource)?;
        for known in known {
            if known.kind == kind && !nested {
                return Some((known, text.to_owned()));
            }
            if known.contents == Some(kind) && nested {
                return Some((known, format!("{prefix}{}/{name}", known.kind)));
            }
        }
        None
    }

    /// The ARNs that a share of the resource covers, as a policy has them.
    pub(crate) fn covered(&self, arn: &str) -> Vec<String> {
        let mut covered = vec![arn.to_owned()];
        if let (Some(contents), Some((prefix, name))) = (self.contents, arn.rsplit_once(&format!(":{}/", self.kind))) {
            covered.push(format!("{prefix}:{contents}/{name}/*"));
        }
        covered
    }

    /// An action that a permission may have, in AWS's case.
    pub(crate) fn action(&self, name: &str) -> Option<&'static str> {
        self.actions.iter().copied().find(|known| known.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUB: &str = "arn:aws:sagemaker:us-west-2:111122223333:hub/models";

    #[test]
    fn a_hub_holds_its_contents() {
        let content = "arn:aws:sagemaker:us-west-2:111122223333:hub-content/models/Model/m";
        assert_eq!(ShareableType::holder_of(HUB).unwrap().1, HUB);
        assert_eq!(ShareableType::holder_of(content).unwrap().1, HUB);
        for other in [
            "arn:aws:sagemaker:us-west-2:111122223333:model/models",
            "arn:aws:sagemaker:us-west-2:111122223333:hub-content/models",
            "arn:aws:sagemaker:us-west-2:111122223333:hub/models/more",
            "arn:aws:s3:::hub/models",
            "*",
            "",
        ] {
            assert!(ShareableType::holder_of(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_share_of_a_hub_covers_its_contents() {
        let contents = "arn:aws:sagemaker:us-west-2:111122223333:hub-content/models/*";
        assert_eq!(TYPES[0].covered(HUB), [HUB, contents]);
    }

    #[test]
    fn awss_permissions_have_no_action_that_a_customers_may_not_have() {
        for known in &TYPES {
            for action in known.permissions.iter().flat_map(|permission| permission.actions) {
                assert!(known.actions.contains(action), "{action}");
            }
        }
    }
}
