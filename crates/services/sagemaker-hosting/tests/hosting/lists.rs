//! Lists: pages, order, filters, tokens.

use stoa_kernel::ApiError;
use stoa_models_sagemaker::operations::{ListEndpointConfigs, ListEndpoints, ListModels};
use stoa_models_sagemaker::types::{
    EndpointConfigSortKey, EndpointSortKey, ListEndpointConfigsInput, ListEndpointsInput, ListModelsInput,
    ModelSortKey, OrderKey,
};
use stoa_runtime::ContainerState::Healthy;
use stoa_types::Clock;

use crate::support::{OTHER_ACCOUNT, World, assert_refused, exited, image, variant, world};

/// Models a to e and configurations of them, a second apart, in another order than their names.
async fn filled() -> World {
    let world = world();
    for name in ["m-b", "m-d", "m-a", "m-c", "m-e"] {
        world.model(name, image()).await.unwrap();
        world.config(name, vec![variant("v", name)]).await.unwrap();
        world.durable.clock.advance_millis(1000);
    }
    world
}

async fn models(world: &World, input: ListModelsInput) -> Result<(Vec<String>, Option<String>), ApiError> {
    let page = world.call::<ListModels>(input).await?;
    Ok((page.models.into_iter().map(|model| model.model_name).collect(), page.next_token))
}

#[tokio::test]
async fn models_come_in_pages_and_in_order() {
    let world = filled().await;
    let all = |names: &[&str]| (names.iter().map(|name| format!("m-{name}")).collect::<Vec<_>>(), None::<String>);
    assert_eq!(models(&world, ListModelsInput::default()).await.unwrap(), all(&["e", "c", "a", "d", "b"]));
    let ascending = ListModelsInput { sort_order: Some(OrderKey::Ascending), ..Default::default() };
    assert_eq!(models(&world, ascending.clone()).await.unwrap(), all(&["b", "d", "a", "c", "e"]));
    let by_name = ListModelsInput { sort_by: Some(ModelSortKey::Name), max_results: Some(2), ..ascending };
    let (mut pages, mut token) = (Vec::new(), None);
    loop {
        let (page, next) = models(&world, ListModelsInput { next_token: token, ..by_name.clone() }).await.unwrap();
        pages.push(page.join(" "));
        match next {
            Some(next) => token = Some(next),
            None => break,
        }
    }
    assert_eq!(pages, ["m-a m-b", "m-c m-d", "m-e"]);
}

#[tokio::test]
async fn filters_choose() {
    let world = filled().await;
    let contains = ListModelsInput { name_contains: Some("M-C".to_owned()), ..Default::default() };
    assert_eq!(models(&world, contains).await.unwrap().0, ["m-c"]);
    let start = world.durable.clock.now().millis() - 5000;
    let at = |seconds: i64| Some(stoa_types::Timestamp::from_millis(start + seconds * 1000));
    let between = ListModelsInput { creation_time_after: at(0), creation_time_before: at(3), ..Default::default() };
    assert_eq!(models(&world, between).await.unwrap().0, ["m-a", "m-d"]);
    let other = world.cx_of(OTHER_ACCOUNT);
    assert!(world.call_as::<ListModels>(&other, ListModelsInput::default()).await.unwrap().models.is_empty());
}

#[tokio::test]
async fn a_token_opens_only_for_its_own_request() {
    let world = filled().await;
    let first = ListModelsInput { max_results: Some(2), ..Default::default() };
    let token = models(&world, first.clone()).await.unwrap().1;
    assert!(token.is_some());
    let go_on = ListModelsInput { next_token: token.clone(), ..first };
    assert_eq!(models(&world, go_on.clone()).await.unwrap().0, ["m-a", "m-d"]);
    let filtered = ListModelsInput { name_contains: Some("m".to_owned()), ..go_on.clone() };
    assert_refused(models(&world, filtered).await, "NextToken");
    let sorted = ListModelsInput { sort_by: Some(ModelSortKey::Name), ..go_on.clone() };
    assert_refused(models(&world, sorted).await, "NextToken");
    let forged = ListModelsInput { next_token: Some("AAAA".to_owned()), ..go_on.clone() };
    assert_refused(models(&world, forged).await, "NextToken");
    let other = world.cx_of(OTHER_ACCOUNT);
    assert_refused(world.call_as::<ListModels>(&other, go_on).await, "NextToken");
    let configs = ListEndpointConfigsInput { max_results: Some(2), next_token: token, ..Default::default() };
    assert_refused(world.call::<ListEndpointConfigs>(configs).await, "NextToken");
}

#[tokio::test]
async fn configurations_are_listed_like_models() {
    let world = filled().await;
    let input = ListEndpointConfigsInput {
        sort_by: Some(EndpointConfigSortKey::Name),
        sort_order: Some(OrderKey::Descending),
        max_results: Some(3),
        ..Default::default()
    };
    let first = world.call::<ListEndpointConfigs>(input.clone()).await.unwrap();
    let second =
        world.call::<ListEndpointConfigs>(ListEndpointConfigsInput { next_token: first.next_token, ..input }).await;
    let second = second.unwrap();
    let names = first.endpoint_configs.into_iter().chain(second.endpoint_configs).map(|one| one.endpoint_config_name);
    assert_eq!(names.collect::<Vec<_>>(), ["m-e", "m-d", "m-c", "m-b", "m-a"]);
    assert_eq!(second.next_token, None);
}

#[tokio::test]
async fn endpoints_are_listed_by_status_and_times() {
    let world = filled().await;
    world.endpoint("good", "m-a").await.unwrap();
    world.become_all(&Healthy).await;
    *world.runtime.next.lock() = exited(1, "");
    let before = world.durable.clock.now();
    world.durable.clock.advance_millis(1000);
    world.endpoint("bad", "m-b").await.unwrap();
    world.settle().await;
    let list = async |input: ListEndpointsInput| {
        let page = world.call::<ListEndpoints>(input).await.unwrap();
        let shown = |one: &stoa_models_sagemaker::types::EndpointSummary| {
            format!("{} {}", one.endpoint_name, one.endpoint_status)
        };
        page.endpoints.iter().map(shown).collect::<Vec<_>>()
    };
    assert_eq!(list(ListEndpointsInput::default()).await, ["bad Failed", "good InService"]);
    let status =
        |status: &str| ListEndpointsInput { status_equals: Some(status.parse().unwrap()), ..Default::default() };
    assert_eq!(list(status("Failed")).await, ["bad Failed"]);
    assert_eq!(list(status("Creating")).await, Vec::<String>::new());
    let modified = ListEndpointsInput { last_modified_time_after: Some(before), ..Default::default() };
    assert_eq!(list(modified).await, ["bad Failed"]);
    let by_status = ListEndpointsInput {
        sort_by: Some(EndpointSortKey::Status),
        sort_order: Some(OrderKey::Descending),
        ..Default::default()
    };
    assert_eq!(list(by_status).await, ["good InService", "bad Failed"]);
}
