//! What must be allowed for each operation.

use stoa_kernel::Target;
use stoa_models_sagemaker::operations::{
    CreateHub, CreateHubContentReference, DescribeHub, DescribeHubContent, ImportHubContent, ListHubContents,
};
use stoa_models_sagemaker::types::{
    CreateHubContentReferenceRequest, CreateHubRequest, DescribeHubContentRequest, DescribeHubRequest, HubContentType,
    ImportHubContentRequest, Tag,
};

use crate::contents::import;
use crate::references::list;
use crate::support::*;

fn pairs(targets: &[Target]) -> Vec<(&str, &str)> {
    targets.iter().map(|target| (target.action.as_ref(), target.resource.as_str())).collect()
}

fn tags() -> Option<Vec<Tag>> {
    Some(vec![Tag { key: "team".to_owned(), value: "red".to_owned() }])
}

#[tokio::test]
async fn hubs_and_contents_by_name_and_arn() {
    let world = world().await;
    let admin = world.admin();
    let hub = async |name: &str| {
        let input = DescribeHubRequest { hub_name: name.to_owned() };
        let targets = world.targets::<DescribeHub>(&admin, input).await.unwrap();
        assert_eq!(targets.len(), 1);
        targets[0].resource.clone()
    };
    assert_eq!(hub("h").await, arn("hub/h"));
    assert_eq!(hub(&arn("hub/h")).await, arn("hub/h"));
    assert_eq!(hub(PUBLIC_HUB).await, format!("arn:aws:sagemaker:{REGION}:aws:hub/{PUBLIC_HUB}"));
    let theirs = arn("hub/h").replace(ACCOUNT, "444455556666");
    assert_eq!(hub(&theirs).await, theirs);
    // What is no name stands for all, which only a right on everything covers.
    for bad in ["a/b", "", "*", "arn:aws:iam::1:role/x", "arn:aws:sagemaker:us-west-2:1:hub/a/b"] {
        assert_eq!(hub(bad).await, arn("hub/*"), "{bad}");
    }
    let input = DescribeHubContentRequest {
        hub_name: "h".to_owned(),
        hub_content_type: HubContentType::ModelReference,
        hub_content_name: IRIS.to_owned(),
        hub_content_version: Some("1.0.0".to_owned()),
    };
    let targets = world.targets::<DescribeHubContent>(&admin, input).await.unwrap();
    let action = "sagemaker:DescribeHubContent";
    let content = arn(&format!("hub-content/h/ModelReference/{IRIS}"));
    assert_eq!(pairs(&targets), [(action, arn("hub/h").as_str()), (action, content.as_str())]);
    let targets = world.targets::<ListHubContents>(&admin, list("h", HubContentType::Model)).await.unwrap();
    assert_eq!(pairs(&targets), [("sagemaker:ListHubContents", arn("hub/h").as_str())]);
}

#[tokio::test]
async fn tags_are_a_right_of_their_own() {
    let world = world().await;
    let admin = world.admin();
    let input = CreateHubRequest { hub_name: "h".to_owned(), tags: tags(), ..CreateHubRequest::default() };
    let targets = world.targets::<CreateHub>(&admin, input).await.unwrap();
    assert_eq!(pairs(&targets)[1], ("sagemaker:AddTags", arn("hub/h").as_str()));
    let input = CreateHubContentReferenceRequest {
        tags: tags(),
        hub_content_name: Some("x".to_owned()),
        ..reference("h", IRIS)
    };
    let targets = world.targets::<CreateHubContentReference>(&admin, input).await.unwrap();
    let action = "sagemaker:CreateHubContentReference";
    let content = arn("hub-content/h/ModelReference/x");
    assert_eq!(
        pairs(&targets),
        [
            (action, arn("hub/h").as_str()),
            (action, content.as_str()),
            ("sagemaker:AddTags", content.as_str()),
            (action, public_arn(IRIS).as_str()),
        ]
    );
    use stoa_policy::Context;
    for target in &targets[..3] {
        let value = target.keys.get("aws:requesttag/team").and_then(|values| values.single().map(str::to_owned));
        assert_eq!(value.as_deref(), Some("red"));
    }
    let untagged = world.targets::<CreateHubContentReference>(&admin, reference("h", IRIS)).await.unwrap();
    assert_eq!(untagged.len(), 3);
    let input = ImportHubContentRequest { tags: tags(), ..import("own", None) };
    let targets = world.targets::<ImportHubContent>(&admin, input).await.unwrap();
    assert_eq!(pairs(&targets)[2], ("sagemaker:AddTags", arn("hub-content/h/Model/own").as_str()));
}

#[tokio::test]
async fn an_operation_without_its_rights_is_refused() {
    let world = world().await;
    world.hub(&world.admin(), "h").await;
    let one = world.user(ACCOUNT, "one", &[statement("Allow", "sagemaker:DescribeHub", &[&arn("hub/h")])]);
    let describe = |name: &str| DescribeHubRequest { hub_name: name.to_owned() };
    assert!(world.call::<DescribeHub>(&one, describe("h")).await.is_ok());
    refused(world.call::<DescribeHub>(&one, describe("other")).await, "AccessDeniedException", &["hub/other"]);
    refused(world.call::<DescribeHub>(&one, describe("a/b")).await, "AccessDeniedException", &["hub/*"]);
    // The hub alone is not enough for a content of it.
    let hub_only = world.user(ACCOUNT, "two", &[statement("Allow", "*", &[&arn("hub/h")])]);
    world.reference(&world.admin(), "h", IRIS).await;
    let input = DescribeHubContentRequest {
        hub_name: "h".to_owned(),
        hub_content_type: HubContentType::ModelReference,
        hub_content_name: IRIS.to_owned(),
        hub_content_version: None,
    };
    refused(
        world.call::<DescribeHubContent>(&hub_only, input).await,
        "AccessDeniedException",
        &["hub-content/h/ModelReference"],
    );
}
