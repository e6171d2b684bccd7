//! AWS managed policies that come with the server: read-only, the same for every account, under their real ARNs.
//!
//! Nothing is stored; the documents are part of the binary.

/// A policy that AWS manages.
#[derive(Debug)]
pub(crate) struct Managed {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) document: &'static str,
}

impl Managed {
    /// `arn:aws:iam::aws:policy/service-role/Name`.
    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:iam::aws:policy{}{}", self.path, self.name)
    }
}

/// The managed policy with this ARN.
pub(crate) fn find(arn: &str) -> Option<&'static Managed> {
    let rest = arn.strip_prefix("arn:aws:iam::aws:policy")?;
    let (path, name) = rest.split_at_checked(rest.rfind('/')? + 1)?;
    MANAGED.iter().find(|policy| policy.name == name && policy.path == path)
}

const ALL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const S3_ALL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","s3-object-lambda:*"],"Resource":"*"}]}"#;
const S3_READ: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","s3:List*","s3:Describe*","s3-object-lambda:Get*","s3-object-lambda:List*"],"Resource":"*"}]}"#;

macro_rules! file {
    // file!("/service-role/", "Name") expands to the policy whose document is `Name.json` beside this file.
    ($path:literal, $name:literal) => {
        Managed { name: $name, path: $path, document: include_str!(concat!($name, ".json")) }
    };
}

/// All of them, by name.
pub(crate) static MANAGED: &[Managed] = &[
    Managed { name: "AdministratorAccess", path: "/", document: ALL },
    Managed { name: "AmazonS3FullAccess", path: "/", document: S3_ALL },
    Managed { name: "AmazonS3ReadOnlyAccess", path: "/", document: S3_READ },
    file!("/", "AmazonSageMakerClusterInstanceRolePolicy"),
    file!("/service-role/", "AmazonSageMakerGeospatialExecutionRole"),
    file!("/service-role/", "AmazonSageMakerGeospatialFullAccess"),
    file!("/", "AmazonSageMakerGroundTruthExecution"),
    file!("/aws-service-role/", "AmazonSageMakerHyperPodServiceRolePolicy"),
    file!("/", "AmazonSageMakerModelGovernanceUseAccess"),
    file!("/", "AmazonSageMakerModelRegistryFullAccess"),
    file!("/aws-service-role/", "AmazonSageMakerNotebooksServiceRolePolicy"),
    file!("/", "AmazonSageMakerPartnerAppsFullAccess"),
    file!("/service-role/", "AmazonSageMakerPartnerServiceCatalogProductsApiGatewayServiceRolePolicy"),
    file!("/service-role/", "AmazonSageMakerPartnerServiceCatalogProductsCloudFormationServiceRolePolicy"),
    file!("/service-role/", "AmazonSageMakerPartnerServiceCatalogProductsLambdaServiceRolePolicy"),
    file!("/", "AmazonSageMakerPipelinesIntegrations"),
    file!("/service-role/", "AmazonSageMakerServiceCatalogProductsApiGatewayServiceRolePolicy"),
    file!("/service-role/", "AmazonSageMakerServiceCatalogProductsCloudformationServiceRolePolicy"),
    file!("/service-role/", "AmazonSageMakerServiceCatalogProductsEventsServiceRolePolicy"),
    file!("/service-role/", "AmazonSageMakerServiceCatalogProductsFirehoseServiceRolePolicy"),
    file!("/service-role/", "AmazonSageMakerServiceCatalogProductsGlueServiceRolePolicy"),
    file!("/service-role/", "AmazonSageMakerServiceCatalogProductsLambdaServiceRolePolicy"),
    file!("/", "AmazonSageMakerTrainingPlanCreateAccess"),
];

#[cfg(test)]
mod tests {
    use super::{MANAGED, find};
    use stoa_policy::{Document, PolicyKind};

    #[test]
    fn every_managed_policy_parses_and_is_found_by_its_arn() {
        for policy in MANAGED {
            assert!(Document::parse_as(policy.document, PolicyKind::Identity).is_ok(), "{}", policy.name);
            assert_eq!(find(&policy.arn()).map(|found| found.name), Some(policy.name));
        }
        assert!(find("arn:aws:iam::aws:policy/Nothing").is_none());
        assert!(MANAGED.is_sorted_by_key(|policy| policy.name));
    }
}
