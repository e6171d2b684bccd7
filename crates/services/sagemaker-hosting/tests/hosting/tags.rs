//! Tags.

use std::sync::Arc;

use stoa_kernel::ApiError;
use stoa_models_sagemaker::operations::{AddTags, DeleteTags, ListTags};
use stoa_models_sagemaker::types::{AddTagsInput, DeleteTagsInput, ListTagsInput, Tag};

use crate::support::{OTHER_ACCOUNT, World, arn, assert_refused, image, tag, world};

async fn add(world: &World, resource: &str, tags: Vec<Tag>) -> Result<(), ApiError> {
    world.call::<AddTags>(AddTagsInput { resource_arn: resource.to_owned(), tags }).await.map(|_| ())
}

async fn list(world: &World, resource: &str) -> Result<Vec<String>, ApiError> {
    let input = ListTagsInput { resource_arn: resource.to_owned(), ..Default::default() };
    let tags = world.call::<ListTags>(input).await?.tags.unwrap();
    Ok(tags.into_iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect())
}

#[tokio::test]
async fn tags_are_added_changed_and_removed() {
    let world = world();
    world.in_service("e").await;
    for resource in ["model/e", "endpoint-config/e", "endpoint/e"].map(arn) {
        assert_eq!(list(&world, &resource).await.unwrap(), Vec::<String>::new());
        add(&world, &resource, vec![tag("b", "1"), tag("a", "2")]).await.unwrap();
        add(&world, &resource, vec![tag("b", "3")]).await.unwrap();
        assert_eq!(list(&world, &resource).await.unwrap(), ["a=2", "b=3"]);
        let keys = vec!["a".to_owned(), "never".to_owned()];
        let input = DeleteTagsInput { resource_arn: resource.clone(), tag_keys: keys };
        world.call::<DeleteTags>(input).await.unwrap();
        assert_eq!(list(&world, &resource).await.unwrap(), ["b=3"]);
    }
}

#[tokio::test]
async fn tags_that_cannot_be_are_refused() {
    let world = world();
    world.model("m", image()).await.unwrap();
    let model = arn("model/m");
    assert_refused(add(&world, &model, vec![tag("AWS:x", "")]).await, "reserved");
    assert_refused(add(&world, &model, vec![tag("a", "1"), tag("a", "2")]).await, "Duplicate tag key");
    let many = |from: usize, to: usize| (from..to).map(|number| tag(&format!("k{number}"), "")).collect::<Vec<_>>();
    add(&world, &model, many(0, 50)).await.unwrap();
    add(&world, &model, many(10, 20)).await.unwrap();
    assert_refused(add(&world, &model, many(50, 51)).await, "at most 50 tags");
    assert_refused(add(&world, &arn("model/nobody"), vec![tag("a", "1")]).await, "Could not find resource");
    assert_refused(add(&world, &arn("training-job/t"), vec![tag("a", "1")]).await, "are not implemented by Stoa");
    assert_refused(add(&world, "no arn", vec![tag("a", "1")]).await, "is not a valid ARN");
    let other = world.cx_of(OTHER_ACCOUNT);
    let input = ListTagsInput { resource_arn: model, ..Default::default() };
    assert_refused(world.call_as::<ListTags>(&other, input).await, "Could not find resource");
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_added_at_the_same_time_are_all_there() {
    let world = Arc::new(world());
    world.model("m", image()).await.unwrap();
    let adding = (0..20).map(|number| {
        let world = Arc::clone(&world);
        tokio::spawn(
            async move { add(&world, &arn("model/m"), vec![tag(&format!("k{number:02}"), "")]).await.unwrap() },
        )
    });
    for added in adding.collect::<Vec<_>>() {
        added.await.unwrap();
    }
    assert_eq!(list(&world, &arn("model/m")).await.unwrap().len(), 20);
}
