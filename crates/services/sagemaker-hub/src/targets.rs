//! What must be allowed for each hub operation: the hub, and where a content is named the content too.
//!
//! HubName may be a name or an ARN, also of another account. Input is not validated yet: what is no name becomes `*`,
//! which only a right on everything covers, and validation refuses it right after.

use stoa_kernel::{ApiError, Cx, Target, Targets};
use stoa_models_sagemaker::operations::{
    CreateHubContentPresignedUrls, CreateHubContentReference, DeleteHub, DeleteHubContent, DeleteHubContentReference,
    DescribeHub, DescribeHubContent, ImportHubContent, ListHubContentVersions, ListHubContents, UpdateHub,
    UpdateHubContent, UpdateHubContentReference,
};
use stoa_models_stoa::operations::{
    DescribeHubAdmissionPolicy, DescribeHubRules, DescribeHubSettings, DescribeModelProvenance, ListHubRuleChanges,
    PreviewHubRules, PutHubAdmissionPolicy, PutHubSettings,
};
use stoa_sagemaker_common::tagging_targets;
use stoa_schema::Value;

use crate::catalog::is_name;
use crate::names::{ContentArn, HubName};
use crate::service::Hubs;

/// The hub in the input; without a usable name, one of the caller's that stands for all of them.
pub(crate) fn hub(cx: &Cx, input: &Value) -> HubName {
    let named = input.str_member("HubName").and_then(|text| HubName::parse(cx, text));
    named.unwrap_or_else(|| HubName::own(cx, "*"))
}

fn name_or_any(name: Option<&str>) -> &str {
    name.filter(|name| is_name(name)).unwrap_or("*")
}

/// A hub and a content of it, for one action. `DeployHubModel` uses it too.
pub(crate) fn hub_and_content(action: &'static str, hub: &HubName, kind: &str, name: &str) -> Vec<Target> {
    vec![Target::new(action, hub.arn()), Target::new(action, hub.content_arn(kind, name))]
}

fn content_targets(cx: &Cx, action: &'static str, input: &Value) -> Vec<Target> {
    let kind = name_or_any(input.str_member("HubContentType"));
    hub_and_content(action, &hub(cx, input), kind, name_or_any(input.str_member("HubContentName")))
}

macro_rules! hub_targets {
    // hub_targets!(DescribeHub => "sagemaker:DescribeHub") expands to an `impl Targets<DescribeHub> for Hubs` whose
    // only target is that action on the hub.
    ($($operation:ident => $action:literal,)*) => {$(
        impl Targets<$operation> for Hubs {
            async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
                Ok(vec![Target::new($action, hub(cx, input).arn())])
            }
        }
    )*};
}

macro_rules! hub_content_targets {
    // As above, with the hub and the content as targets.
    ($($operation:ident => $action:literal,)*) => {$(
        impl Targets<$operation> for Hubs {
            async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
                Ok(content_targets(cx, $action, input))
            }
        }
    )*};
}

hub_targets! {
    DescribeHub => "sagemaker:DescribeHub",
    UpdateHub => "sagemaker:UpdateHub",
    DeleteHub => "sagemaker:DeleteHub",
    ListHubContents => "sagemaker:ListHubContents",
    DescribeHubSettings => "stoa:DescribeHubSettings",
    PutHubSettings => "stoa:PutHubSettings",
    DescribeHubAdmissionPolicy => "stoa:DescribeHubAdmissionPolicy",
    PutHubAdmissionPolicy => "stoa:PutHubAdmissionPolicy",
    DescribeHubRules => "stoa:DescribeHubRules",
    PreviewHubRules => "stoa:PreviewHubRules",
    ListHubRuleChanges => "stoa:ListHubRuleChanges",
}

hub_content_targets! {
    DescribeHubContent => "sagemaker:DescribeHubContent",
    ListHubContentVersions => "sagemaker:ListHubContentVersions",
    UpdateHubContent => "sagemaker:UpdateHubContent",
    DeleteHubContent => "sagemaker:DeleteHubContent",
    UpdateHubContentReference => "sagemaker:UpdateHubContentReference",
    DeleteHubContentReference => "sagemaker:DeleteHubContentReference",
    CreateHubContentPresignedUrls => "sagemaker:CreateHubContentPresignedUrls",
    DescribeModelProvenance => "stoa:DescribeModelProvenance",
}

impl Targets<ImportHubContent> for Hubs {
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let targets = content_targets(cx, "sagemaker:ImportHubContent", input);
        Ok(with_tags(targets, "ImportHubContent", input))
    }
}

impl Targets<CreateHubContentReference> for Hubs {
    /// Besides the hub and the new content, the public content that it will show: who may not see that one (a policy
    /// that denies the public hub) cannot bring it in by a reference.
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let source = input.str_member("SageMakerPublicHubContentArn").and_then(ContentArn::parse);
        let source = source.map(|arn| arn.name);
        let own = input.str_member("HubContentName").or(source.as_deref());
        let action = "sagemaker:CreateHubContentReference";
        let targets = hub_and_content(action, &hub(cx, input), "ModelReference", name_or_any(own));
        let mut targets = with_tags(targets, "CreateHubContentReference", input);
        // Always in the region of the call: the ARN's region must be the same, which the handler sees to.
        let public = HubName::public(cx).content_arn("Model", source.as_deref().unwrap_or("*"));
        targets.push(Target::new(action, public));
        Ok(targets)
    }
}

/// Adds the request's tags to the targets and the dependent AddTags on the last of them, the new content.
fn with_tags(targets: Vec<Target>, operation: &str, input: &Value) -> Vec<Target> {
    let tagging = targets.last().and_then(|content| tagging_targets(operation, &content.resource, input));
    let mut targets: Vec<Target> = targets.into_iter().map(|target| target.with_request_tags(input, "Tags")).collect();
    targets.extend(tagging);
    targets
}
