//! References follow their source, and show what MinVersion lets through.

use stoa_models_sagemaker::operations::{
    CreateHubContentReference, DeleteHub, DeleteHubContentReference, DescribeHubContent, ListHubContentVersions,
    ListHubContents, UpdateHubContentReference,
};
use stoa_models_sagemaker::types::{
    CreateHubContentReferenceRequest, DeleteHubContentReferenceRequest, DeleteHubRequest, DescribeHubContentRequest,
    DescribeHubContentResponse, HubContentType, ListHubContentVersionsRequest, ListHubContentsRequest, Tag,
    UpdateHubContentReferenceRequest,
};

use stoa_kernel::ApiError;

use crate::support::*;

pub async fn describe(
    world: &World,
    hub: &str,
    kind: HubContentType,
    name: &str,
    version: Option<&str>,
) -> Result<DescribeHubContentResponse, ApiError> {
    let input = DescribeHubContentRequest {
        hub_name: hub.to_owned(),
        hub_content_type: kind,
        hub_content_name: name.to_owned(),
        hub_content_version: version.map(str::to_owned),
    };
    world.call::<DescribeHubContent>(&world.admin(), input).await
}

pub fn list(hub: &str, kind: HubContentType) -> ListHubContentsRequest {
    ListHubContentsRequest {
        hub_name: hub.to_owned(),
        hub_content_type: kind,
        name_contains: None,
        max_schema_version: None,
        creation_time_before: None,
        creation_time_after: None,
        sort_by: None,
        sort_order: None,
        max_results: None,
        next_token: None,
    }
}

pub fn list_versions(hub: &str, kind: HubContentType, name: &str) -> ListHubContentVersionsRequest {
    ListHubContentVersionsRequest {
        hub_name: hub.to_owned(),
        hub_content_type: kind,
        hub_content_name: name.to_owned(),
        min_version: None,
        max_schema_version: None,
        creation_time_before: None,
        creation_time_after: None,
        sort_by: None,
        sort_order: None,
        max_results: None,
        next_token: None,
    }
}

pub async fn versions(world: &World, hub: &str, kind: HubContentType, name: &str) -> Result<Vec<String>, ApiError> {
    let listed = world.call::<ListHubContentVersions>(&world.admin(), list_versions(hub, kind, name)).await?;
    assert_eq!(listed.next_token, None, "an empty or needless token makes the SDK loop for ever");
    Ok(listed.hub_content_summaries.into_iter().map(|one| one.hub_content_version).collect())
}

async fn names(world: &World, hub: &str, kind: HubContentType) -> Vec<(String, String)> {
    let listed = world.call::<ListHubContents>(&world.admin(), list(hub, kind)).await.unwrap();
    listed.hub_content_summaries.into_iter().map(|one| (one.hub_content_name, one.hub_content_version)).collect()
}

fn delete(hub: &str, name: &str) -> DeleteHubContentReferenceRequest {
    DeleteHubContentReferenceRequest {
        hub_name: hub.to_owned(),
        hub_content_type: HubContentType::ModelReference,
        hub_content_name: name.to_owned(),
    }
}

const REFERENCE: HubContentType = HubContentType::ModelReference;

#[tokio::test]
async fn a_reference_shows_its_source_under_the_private_hub() {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "Company").await;
    let input = CreateHubContentReferenceRequest {
        tags: Some(vec![Tag { key: "k".to_owned(), value: "v".to_owned() }]),
        ..reference("Company", IRIS)
    };
    let made = world.call::<CreateHubContentReference>(&admin, input).await.unwrap();
    let content = arn(&format!("hub-content/Company/ModelReference/{IRIS}"));
    assert_eq!(made.hub_arn, arn("hub/Company"));
    assert_eq!(made.hub_content_arn, format!("{content}/1.1.0"));
    assert_eq!(world.store.tags(&content).await.unwrap().len(), 1);
    assert_eq!(names(&world, "Company", REFERENCE).await, [(IRIS.to_owned(), "1.1.0".to_owned())]);
    // A hub of references has no models of its own, which is no error.
    assert_eq!(names(&world, "Company", HubContentType::Model).await, []);
    for hub in ["Company".to_owned(), arn("hub/Company")] {
        let one = describe(&world, &hub, REFERENCE, IRIS, None).await.unwrap();
        assert_eq!((one.hub_name.as_str(), one.hub_arn), ("Company", arn("hub/Company")));
        assert_eq!(one.hub_content_arn, made.hub_content_arn);
        assert_eq!(one.hub_content_type, REFERENCE);
        assert_eq!(one.sage_maker_public_hub_content_arn.as_deref(), Some(public_arn(IRIS).as_str()));
        assert_eq!(one.reference_min_version, None);
        assert_eq!(one.creation_time, admin.now, "when it came into this hub");
    }
    refused(describe(&world, "Company", HubContentType::Model, IRIS, None).await, "ResourceNotFound", &[IRIS]);
    refused(describe(&world, "Company", REFERENCE, TINY, None).await, "ResourceNotFound", &[TINY]);
    refused(describe(&world, "Company", REFERENCE, IRIS, Some("9.9.9")).await, "ResourceNotFound", &["9.9.9"]);
    refused(versions(&world, "Company", REFERENCE, TINY).await, "ResourceNotFound", &[TINY]);
    refused(versions(&world, "nobody", REFERENCE, TINY).await, "ResourceNotFound", &["nobody"]);
    world.call::<DeleteHubContentReference>(&admin, delete("Company", IRIS)).await.unwrap();
    assert!(world.store.tags(&content).await.unwrap().is_empty());
    refused(
        world.call::<DeleteHubContentReference>(&admin, delete("Company", IRIS)).await,
        "ResourceNotFound",
        &[IRIS],
    );
}

#[tokio::test]
async fn a_new_version_of_the_source_appears_in_every_reference() {
    let world = world().await;
    let admin = world.admin();
    world.import("acme-tabular-flowers", "1.2.0").await;
    for hub in ["a", "b"] {
        world.hub(&admin, hub).await;
        world.reference(&admin, hub, "acme-tabular-flowers").await;
    }
    world.import("acme-tabular-flowers", "1.10.0").await;
    for hub in ["a", "b"] {
        assert_eq!(versions(&world, hub, REFERENCE, "acme-tabular-flowers").await.unwrap(), ["1.2.0", "1.10.0"]);
        let latest = describe(&world, hub, REFERENCE, "acme-tabular-flowers", None).await.unwrap();
        assert_eq!(latest.hub_content_version, "1.10.0", "compared as numbers");
    }
}

#[tokio::test]
async fn min_version_hides_what_is_below() {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    let alias = CreateHubContentReferenceRequest {
        hub_content_name: Some("flowers".to_owned()),
        min_version: Some("1.1.0".to_owned()),
        ..reference("h", IRIS)
    };
    world.call::<CreateHubContentReference>(&admin, alias).await.unwrap();
    assert_eq!(versions(&world, "h", REFERENCE, "flowers").await.unwrap(), ["1.1.0"]);
    let one = describe(&world, "h", REFERENCE, "flowers", None).await.unwrap();
    assert_eq!(one.reference_min_version.as_deref(), Some("1.1.0"));
    assert_eq!(one.sage_maker_public_hub_content_arn, Some(public_arn(IRIS)));
    refused(describe(&world, "h", REFERENCE, "flowers", Some("1.0.0")).await, "ResourceNotFound", &["1.0.0"]);
    let update = |least: Option<&str>| UpdateHubContentReferenceRequest {
        hub_name: "h".to_owned(),
        hub_content_name: "flowers".to_owned(),
        hub_content_type: REFERENCE,
        min_version: least.map(str::to_owned),
    };
    world.call::<UpdateHubContentReference>(&admin, update(Some("1.0.0"))).await.unwrap();
    assert_eq!(versions(&world, "h", REFERENCE, "flowers").await.unwrap(), ["1.0.0", "1.1.0"]);
    world.call::<UpdateHubContentReference>(&admin, update(None)).await.unwrap();
    assert_eq!(
        describe(&world, "h", REFERENCE, "flowers", None).await.unwrap().reference_min_version.as_deref(),
        Some("1.0.0")
    );
    let above = world.call::<UpdateHubContentReference>(&admin, update(Some("9.9.9"))).await;
    refused(above, "ValidationException", &["9.9.9", "1.1.0"]);
    let mut other = update(None);
    other.hub_content_name = "nobody".to_owned();
    refused(world.call::<UpdateHubContentReference>(&admin, other).await, "ResourceNotFound", &["nobody"]);
}

#[tokio::test]
async fn references_that_cannot_be() {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    world.reference(&admin, "h", IRIS).await;
    let make = |input| world.call::<CreateHubContentReference>(&admin, input);
    refused(make(reference("h", IRIS)).await, "ResourceInUse", &[IRIS, "already exists"]);
    refused(make(reference("h", "no-such-model")).await, "ResourceNotFound", &["no-such-model"]);
    refused(make(reference("nobody", IRIS)).await, "ResourceNotFound", &["nobody"]);
    refused(make(reference(PUBLIC_HUB, IRIS)).await, "AccessDeniedException", &["catalog import"]);
    let bad_arn = |arn: String| CreateHubContentReferenceRequest {
        sage_maker_public_hub_content_arn: arn,
        ..reference("h", IRIS)
    };
    refused(make(bad_arn(public_arn(IRIS).replace(REGION, "eu-central-1"))).await, "ValidationException", &["region"]);
    refused(make(bad_arn(public_arn(IRIS).replace(PUBLIC_HUB, "Other"))).await, "ValidationException", &["public hub"]);
    refused(make(bad_arn(arn(&format!("hub-content/h/Model/{IRIS}")))).await, "ValidationException", &[]);
    refused(make(bad_arn("nonsense".to_owned())).await, "ValidationException", &[]);
    let too_high = CreateHubContentReferenceRequest { min_version: Some("2.0.0".to_owned()), ..reference("h", TINY) };
    refused(make(too_high).await, "ValidationException", &["2.0.0", "1.0.0"]);
    // The schema's pattern has unescaped dots; a version needs real ones.
    let no_dots = CreateHubContentReferenceRequest { min_version: Some("1a0b0".to_owned()), ..reference("h", TINY) };
    refused(make(no_dots).await, "ValidationException", &["MinVersion"]);
    let delete_hub = DeleteHubRequest { hub_name: "h".to_owned() };
    refused(world.call::<DeleteHub>(&admin, delete_hub).await, "ResourceInUse", &["DeleteHubContentReference"]);
    let as_model = DeleteHubContentReferenceRequest { hub_content_type: HubContentType::Model, ..delete("h", IRIS) };
    refused(
        world.call::<DeleteHubContentReference>(&admin, as_model).await,
        "ValidationException",
        &["DeleteHubContent"],
    );
}

#[tokio::test]
async fn many_references_at_once_all_arrive() {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    let calls = (0..20).map(|number| {
        let input =
            CreateHubContentReferenceRequest { hub_content_name: Some(format!("m-{number}")), ..reference("h", IRIS) };
        world.call::<CreateHubContentReference>(&admin, input)
    });
    for answer in futures_util::future::join_all(calls).await {
        answer.unwrap();
    }
    let (mut seen, mut token) = (Vec::new(), None);
    loop {
        let input = ListHubContentsRequest { max_results: Some(7), next_token: token, ..list("h", REFERENCE) };
        let page = world.call::<ListHubContents>(&admin, input).await.unwrap();
        seen.extend(page.hub_content_summaries.into_iter().map(|one| one.hub_content_name));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 20);
    seen.dedup();
    assert_eq!(seen.len(), 20);
    let input = ListHubContentsRequest {
        name_contains: Some("M-1".to_owned()),
        max_results: Some(100),
        ..list("h", REFERENCE)
    };
    assert_eq!(world.call::<ListHubContents>(&admin, input).await.unwrap().hub_content_summaries.len(), 11);
}
