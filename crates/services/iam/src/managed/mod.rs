//! AWS managed policies that come with the server: read-only, the same for every account, under their real ARNs.
//!
//! Nothing is stored. `policies.jsonl` is part of the binary: one policy a line, sorted by name, with the default
//! version that AWS published on 7 March 2026 (ids, dates and documents as AWS gives them out; earlier versions are not
//! kept). It is read at the first use, without copying a document.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::value::RawValue;
use stoa_types::Timestamp;

/// A policy that AWS manages.
#[derive(Debug)]
pub(crate) struct Managed {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    /// `ANPA…`
    pub(crate) id: &'static str,
    pub(crate) created: Option<Timestamp>,
    pub(crate) updated: Option<Timestamp>,
    /// `v29`: the default version, the only one there is here.
    pub(crate) version: &'static str,
    pub(crate) version_created: Option<Timestamp>,
    pub(crate) document: &'static str,
}

/// A line.
#[derive(Deserialize)]
struct Line {
    name: &'static str,
    path: &'static str,
    id: &'static str,
    created: &'static str,
    updated: &'static str,
    version: &'static str,
    version_created: &'static str,
    #[serde(borrow)]
    document: &'static RawValue,
}

impl Managed {
    /// `arn:aws:iam::aws:policy/service-role/Name`.
    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:iam::aws:policy{}{}", self.path, self.name)
    }

    fn read(line: &'static str) -> Option<Managed> {
        let line: Line = serde_json::from_str(line).ok()?;
        Some(Managed {
            name: line.name,
            path: line.path,
            id: line.id,
            created: Timestamp::parse_iso8601(line.created).ok(),
            updated: Timestamp::parse_iso8601(line.updated).ok(),
            version: line.version,
            version_created: Timestamp::parse_iso8601(line.version_created).ok(),
            document: line.document.get(),
        })
    }
}

const LINES: &str = include_str!("policies.jsonl");

// A test reads every line; one that could not be read would be missing, never wrong.
static MANAGED: LazyLock<Vec<Managed>> = LazyLock::new(|| LINES.lines().filter_map(Managed::read).collect());

/// All of them, by name.
pub(crate) fn all() -> &'static [Managed] {
    &MANAGED
}

/// The managed policy with this ARN.
pub(crate) fn find(arn: &str) -> Option<&'static Managed> {
    let rest = arn.strip_prefix("arn:aws:iam::aws:policy")?;
    let (path, name) = rest.split_at_checked(rest.rfind('/')? + 1)?;
    let at = all().binary_search_by(|policy| policy.name.cmp(name)).ok()?;
    all().get(at).filter(|policy| policy.path == path)
}

#[cfg(test)]
mod tests {
    use super::{LINES, all, find};
    use stoa_policy::{Document, PolicyKind, PolicySet};

    #[test]
    fn every_line_is_a_policy_that_parses_and_is_found_by_its_arn() {
        assert_eq!(all().len(), LINES.lines().count());
        for policy in all() {
            let document = Document::parse_as(policy.document, PolicyKind::Identity);
            let document = document.unwrap_or_else(|error| panic!("{}: {error}", policy.name));
            assert!(document.statement_count() > 0, "{}", policy.name);
            PolicySet::compile([(std::sync::Arc::from(policy.name), &document)]);
            assert_eq!(find(&policy.arn()).map(|found| found.name), Some(policy.name));
            assert!(policy.created.is_some() && policy.updated.is_some() && policy.version_created.is_some());
            assert!(policy.id.starts_with("ANPA") && policy.version.starts_with('v'), "{}", policy.name);
        }
        assert!(find("arn:aws:iam::aws:policy/Nothing").is_none());
        assert!(find("arn:aws:iam::aws:policy/service-role/AdministratorAccess").is_none());
        assert!(all().is_sorted_by_key(|policy| policy.name));
    }

    #[test]
    fn what_sagemakers_users_attach_is_there() {
        for arn in [
            "AdministratorAccess",
            "PowerUserAccess",
            "ReadOnlyAccess",
            "SecurityAudit",
            "job-function/ViewOnlyAccess",
            "AmazonSageMakerFullAccess",
            "AmazonSageMakerReadOnly",
            "AmazonSageMakerCanvasFullAccess",
            "AmazonSageMakerFeatureStoreAccess",
            "AmazonSageMakerPipelinesIntegrations",
            "AmazonSageMakerClusterInstanceRolePolicy",
            "service-role/AmazonSageMakerEdgeDeviceFleetPolicy",
            "AmazonSageMakerAdmin-ServiceCatalogProductsServiceRolePolicy",
            "IAMFullAccess",
            "IAMReadOnlyAccess",
            "IAMUserChangePassword",
            "IAMUserSSHKeys",
            "IAMSelfManageServiceSpecificCredentials",
            "AmazonS3FullAccess",
            "AmazonS3ReadOnlyAccess",
            "AWSKeyManagementServicePowerUser",
            "CloudWatchFullAccess",
            "CloudWatchFullAccessV2",
            "CloudWatchLogsFullAccess",
            "CloudWatchLogsReadOnlyAccess",
            "AmazonEC2ContainerRegistryFullAccess",
            "AmazonEC2ContainerRegistryReadOnly",
            "AWSServiceCatalogAdminFullAccess",
            "AWSServiceCatalogEndUserFullAccess",
            "AWSCloudFormationFullAccess",
            "AWSOrganizationsFullAccess",
            "AWSResourceAccessManagerFullAccess",
        ] {
            assert!(find(&format!("arn:aws:iam::aws:policy/{arn}")).is_some(), "{arn}");
        }
    }
}
