//! Hubs from birth to death, and every way they refuse.

use stoa_models_sagemaker::operations::{CreateHub, DeleteHub, DescribeHub, ListHubs, UpdateHub};
use stoa_models_sagemaker::types::{
    CreateHubRequest, DeleteHubRequest, DescribeHubRequest, HubS3StorageConfig, HubSortBy, HubStatus, ListHubsRequest,
    SortOrder, Tag, UpdateHubRequest,
};
use stoa_store::{Key, Transaction};

use crate::support::*;

fn create(name: &str) -> CreateHubRequest {
    CreateHubRequest { hub_name: name.to_owned(), hub_description: "d".to_owned(), ..CreateHubRequest::default() }
}

fn describe(name: &str) -> DescribeHubRequest {
    DescribeHubRequest { hub_name: name.to_owned() }
}

fn delete(name: &str) -> DeleteHubRequest {
    DeleteHubRequest { hub_name: name.to_owned() }
}

#[tokio::test]
async fn a_hub_is_made_described_changed_and_deleted() {
    let world = world().await;
    let admin = world.admin();
    let input = CreateHubRequest {
        hub_display_name: Some("Team".to_owned()),
        hub_search_keywords: Some(vec!["k".to_owned()]),
        s3_storage_config: Some(HubS3StorageConfig { s3_output_path: Some("s3://b/p".to_owned()) }),
        tags: Some(vec![Tag { key: "team".to_owned(), value: "red".to_owned() }]),
        ..create("Team-1")
    };
    let made = world.call::<CreateHub>(&admin, input).await.unwrap();
    assert_eq!(made.hub_arn, arn("hub/Team-1"));
    assert_eq!(**world.store.tags(&made.hub_arn).await.unwrap(), [("team".to_owned(), "red".to_owned())]);
    world.clock.advance_millis(5);
    let later = world.admin();
    for name in ["Team-1", made.hub_arn.as_str()] {
        let hub = world.call::<DescribeHub>(&later, describe(name)).await.unwrap();
        assert_eq!((hub.hub_name.as_str(), hub.hub_status), ("Team-1", HubStatus::InService));
        assert_eq!(hub.hub_display_name.as_deref(), Some("Team"));
        assert_eq!(hub.s3_storage_config.unwrap().s3_output_path.as_deref(), Some("s3://b/p"));
        assert_eq!((hub.creation_time, hub.last_modified_time), (admin.now, admin.now));
    }
    let update = UpdateHubRequest {
        hub_name: made.hub_arn.clone(),
        hub_description: Some("other".to_owned()),
        hub_display_name: None,
        hub_search_keywords: None,
    };
    world.call::<UpdateHub>(&later, update).await.unwrap();
    let hub = world.call::<DescribeHub>(&later, describe("Team-1")).await.unwrap();
    assert_eq!(hub.hub_description.as_deref(), Some("other"));
    assert_eq!(hub.hub_display_name.as_deref(), Some("Team"), "what is not named stays");
    assert_eq!((hub.creation_time, hub.last_modified_time), (admin.now, later.now));
    world.call::<DeleteHub>(&later, delete("Team-1")).await.unwrap();
    assert!(world.store.tags(&made.hub_arn).await.unwrap().is_empty());
    refused(world.call::<DescribeHub>(&later, describe("Team-1")).await, "ResourceNotFound", &["Team-1"]);
    refused(world.call::<DeleteHub>(&later, delete("Team-1")).await, "ResourceNotFound", &["Team-1"]);
    let update = UpdateHubRequest { hub_name: "Team-1".to_owned(), ..UpdateHubRequest::default() };
    refused(world.call::<UpdateHub>(&later, update).await, "ResourceNotFound", &["ListHubs"]);
}

#[tokio::test]
async fn names_are_taken_once_in_an_account_and_region() {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    refused(world.call::<CreateHub>(&admin, create("h")).await, "ResourceInUse", &["h", "already exists"]);
    refused(world.call::<CreateHub>(&admin, create(PUBLIC_HUB)).await, "ResourceInUse", &[PUBLIC_HUB]);
    refused(world.call::<CreateHub>(&admin, create("a/b")).await, "ValidationException", &["hubName"]);
    // Another account and another region have their own.
    world.hub(&world.user("444455556666", "other", &[allow_all()]), "h").await;
    world.hub(&world.cx((*admin.principal).clone(), "eu-central-1"), "h").await;
    let many = vec![Tag { key: "k".to_owned(), value: String::new() }; 2];
    let twice = CreateHubRequest { tags: Some(many), ..create("tagged") };
    refused(world.call::<CreateHub>(&admin, twice).await, "ValidationException", &["Duplicate tag key"]);
}

#[tokio::test]
async fn two_at_once_and_one_wins() {
    let world = world().await;
    let admin = world.admin();
    let calls = (0..8).map(|_| world.call::<CreateHub>(&admin, create("race")));
    let answers = futures_util::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for answer in answers.into_iter().filter(Result::is_err) {
        refused(answer, "ResourceInUse", &[]);
    }
}

#[tokio::test]
async fn an_account_has_so_many_hubs() {
    let world = world().await;
    let admin = world.admin();
    for number in 0..50 {
        world.hub(&admin, &format!("h{number}")).await;
    }
    refused(world.call::<CreateHub>(&admin, create("one-more")).await, "ResourceLimitExceeded", &["50"]);
    world.call::<DeleteHub>(&admin, delete("h7")).await.unwrap();
    world.hub(&admin, "one-more").await;
}

#[tokio::test]
async fn a_hub_in_another_region_or_account_is_not_found() {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    let elsewhere = world.cx((*admin.principal).clone(), "eu-central-1");
    refused(world.call::<DescribeHub>(&elsewhere, describe("h")).await, "ResourceNotFound", &["eu-central-1"]);
    refused(world.call::<DescribeHub>(&elsewhere, describe(&arn("hub/h"))).await, "ValidationException", &[REGION]);
    let stranger = world.user("444455556666", "ana", &[allow_all()]);
    refused(world.call::<DescribeHub>(&stranger, describe("h")).await, "ResourceNotFound", &["444455556666"]);
    // By its ARN it is another account's, which no policy of one's own opens.
    refused(
        world.call::<DescribeHub>(&stranger, describe(&arn("hub/h"))).await,
        "AccessDeniedException",
        &["DescribeHub"],
    );
}

#[tokio::test]
async fn the_public_hub_is_described_by_name_and_arn_and_never_written() {
    let world = world().await;
    let admin = world.admin();
    let public = format!("arn:aws:sagemaker:{REGION}:aws:hub/{PUBLIC_HUB}");
    for name in [PUBLIC_HUB, public.as_str()] {
        let hub = world.call::<DescribeHub>(&admin, describe(name)).await.unwrap();
        assert_eq!((hub.hub_name.as_str(), hub.hub_arn.as_str()), (PUBLIC_HUB, public.as_str()));
        refused(world.call::<DeleteHub>(&admin, delete(name)).await, "AccessDeniedException", &["stoa catalog import"]);
    }
    // There is no hub of that name in the caller's own account.
    refused(
        world.call::<DescribeHub>(&admin, describe(&arn(&format!("hub/{PUBLIC_HUB}")))).await,
        "ResourceNotFound",
        &[],
    );
}

async fn names(world: &World, input: ListHubsRequest) -> Vec<String> {
    let listed = world.call::<ListHubs>(&world.admin(), input).await.unwrap();
    listed.hub_summaries.into_iter().map(|hub| hub.hub_name).collect()
}

#[tokio::test]
async fn hubs_are_listed_filtered_sorted_and_paged() {
    let world = world().await;
    let start = world.admin().now;
    for name in ["c", "a", "b"] {
        world.clock.advance_millis(10);
        world.hub(&world.admin(), name).await;
    }
    assert_eq!(names(&world, ListHubsRequest::default()).await, [PUBLIC_HUB, "a", "b", "c"]);
    let by = |sort_by, order| ListHubsRequest { sort_by: Some(sort_by), sort_order: Some(order), ..Default::default() };
    assert_eq!(names(&world, by(HubSortBy::HubName, SortOrder::Descending)).await, ["c", "b", "a", PUBLIC_HUB]);
    assert_eq!(names(&world, by(HubSortBy::CreationTime, SortOrder::Ascending)).await, [PUBLIC_HUB, "c", "a", "b"]);
    assert_eq!(names(&world, by(HubSortBy::AccountIdOwner, SortOrder::Ascending)).await.last().unwrap(), PUBLIC_HUB);
    assert_eq!(names(&world, by(HubSortBy::HubStatus, SortOrder::Ascending)).await.len(), 4);
    let contains = |part: &str| ListHubsRequest { name_contains: Some(part.to_owned()), ..Default::default() };
    assert_eq!(names(&world, contains("PUBLIC")).await, [PUBLIC_HUB]);
    assert_eq!(names(&world, contains("nobody")).await, Vec::<String>::new());
    let after = ListHubsRequest { creation_time_after: Some(start.plus_millis(10)), ..Default::default() };
    assert_eq!(names(&world, after).await, ["a", "b"], "strictly after");
    let before = ListHubsRequest { last_modified_time_before: Some(start.plus_millis(20)), ..Default::default() };
    assert_eq!(names(&world, before).await, [PUBLIC_HUB, "c"]);
    let (mut seen, mut token) = (Vec::new(), None);
    loop {
        let input = ListHubsRequest { max_results: Some(2), next_token: token, ..Default::default() };
        let page = world.call::<ListHubs>(&world.admin(), input).await.unwrap();
        seen.extend(page.hub_summaries.into_iter().map(|hub| hub.hub_name));
        match page.next_token {
            Some(next) => {
                assert!(!next.is_empty());
                token = Some(next);
            }
            None => break,
        }
    }
    assert_eq!(seen, [PUBLIC_HUB, "a", "b", "c"]);
}

#[tokio::test]
async fn page_tokens_are_bound_to_account_and_filter() {
    let world = world().await;
    world.hub(&world.admin(), "a").await;
    let first = ListHubsRequest { max_results: Some(1), ..Default::default() };
    let token = world.call::<ListHubs>(&world.admin(), first).await.unwrap().next_token;
    let filtered =
        ListHubsRequest { name_contains: Some("a".to_owned()), next_token: token.clone(), ..Default::default() };
    refused(world.call::<ListHubs>(&world.admin(), filtered).await, "ValidationException", &["NextToken"]);
    let stranger = world.user("444455556666", "ana", &[allow_all()]);
    let same = ListHubsRequest { next_token: token, ..Default::default() };
    refused(world.call::<ListHubs>(&stranger, same).await, "ValidationException", &["NextToken"]);
    let zero = ListHubsRequest { max_results: Some(0), ..Default::default() };
    refused(world.call::<ListHubs>(&world.admin(), zero).await, "ValidationException", &["maxResults"]);
}

#[tokio::test]
async fn a_deletion_that_died_halfway_goes_on_or_is_taken_back() {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    let key = Key {
        kind: "sagemaker:hub",
        account: admin.principal.account.clone(),
        region: Some(admin.region.clone()),
        id: "h".to_owned(),
    };
    let mark = || async {
        let document = world.store.get(&key).await.unwrap().unwrap();
        let marked = (*document).clone().with_status("Deleting");
        world.store.commit(Transaction::new().update(marked)).await.unwrap();
    };
    world.reference(&admin, "h", IRIS).await;
    mark().await;
    let hub = world.call::<DescribeHub>(&admin, describe("h")).await.unwrap();
    assert_eq!(hub.hub_status, HubStatus::Deleting);
    // Nothing comes into it meanwhile.
    use stoa_models_sagemaker::operations::{CreateHubContentReference, DeleteHubContentReference};
    use stoa_models_sagemaker::types::{DeleteHubContentReferenceRequest, HubContentType};
    refused(world.call::<CreateHubContentReference>(&admin, reference("h", TINY)).await, "ResourceInUse", &["deleted"]);
    // It is not empty: the mark goes.
    refused(world.call::<DeleteHub>(&admin, delete("h")).await, "ResourceInUse", &["1 contents"]);
    assert_eq!(world.call::<DescribeHub>(&admin, describe("h")).await.unwrap().hub_status, HubStatus::InService);
    let gone = DeleteHubContentReferenceRequest {
        hub_name: "h".to_owned(),
        hub_content_type: HubContentType::ModelReference,
        hub_content_name: IRIS.to_owned(),
    };
    world.call::<DeleteHubContentReference>(&admin, gone).await.unwrap();
    mark().await;
    world.call::<DeleteHub>(&admin, delete("h")).await.unwrap();
    refused(world.call::<DescribeHub>(&admin, describe("h")).await, "ResourceNotFound", &[]);
}
