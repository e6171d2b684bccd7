//! Search for hub contents: operators, combinations, order, pages, and what a caller may find.

use stoa_kernel::{ApiError, Cx};
use stoa_models_sagemaker::operations::{ImportHubContent, Search};
use stoa_models_sagemaker::types::{
    BooleanOperator, CrossAccountFilterOption, Filter, HubContent, HubContentType, ImportHubContentRequest,
    NestedFilters, Operator, Relation, ResourceType, SearchExpression, SearchRequest, SearchSortOrder, Tag,
    VisibilityConditions,
};
use stoa_models_stoa::operations::PutHubSettings;
use stoa_models_stoa::types::{HubSettings as Settings, PutHubSettingsRequest};

use crate::support::*;

fn search() -> SearchRequest {
    SearchRequest {
        resource: ResourceType::HubContent,
        search_expression: None,
        sort_by: None,
        sort_order: None,
        next_token: None,
        max_results: Some(100),
        cross_account_filter_option: None,
        visibility_conditions: None,
    }
}

fn filter(name: &str, operator: impl Into<Option<Operator>>, value: &str) -> Filter {
    let value = (!value.is_empty()).then(|| value.to_owned());
    Filter { name: name.to_owned(), operator: operator.into(), value }
}

fn all_of(filters: Vec<Filter>) -> SearchExpression {
    SearchExpression { filters: Some(filters), ..SearchExpression::default() }
}

fn expression(expression: SearchExpression) -> SearchRequest {
    SearchRequest { search_expression: Some(expression), ..search() }
}

fn one(name: &str, operator: impl Into<Option<Operator>>, value: &str) -> SearchRequest {
    expression(all_of(vec![filter(name, operator, value)]))
}

async fn contents(world: &World, cx: &Cx, request: SearchRequest) -> Result<Vec<HubContent>, ApiError> {
    let found = world.call::<Search>(cx, request).await?;
    Ok(found.results.unwrap().into_iter().map(|record| record.hub_content.unwrap()).collect())
}

/// `name version`, in order of both.
async fn found(world: &World, cx: &Cx, request: SearchRequest) -> Result<Vec<String>, ApiError> {
    let mut names: Vec<String> = contents(world, cx, request)
        .await?
        .into_iter()
        .map(|content| format!("{} {}", content.hub_content_name, content.hub_content_version))
        .collect();
    names.sort();
    Ok(names)
}

async fn import(world: &World, name: &str, version: &str, change: impl FnOnce(&mut ImportHubContentRequest)) {
    let mut input = ImportHubContentRequest {
        hub_content_name: name.to_owned(),
        hub_content_version: Some(version.to_owned()),
        hub_content_type: HubContentType::Model,
        document_schema_version: "2.3.0".to_owned(),
        hub_name: "h".to_owned(),
        hub_content_display_name: None,
        hub_content_description: None,
        hub_content_markdown: None,
        hub_content_document: own_document("s3://own/model/").to_string(),
        support_status: None,
        hub_content_search_keywords: None,
        tags: None,
    };
    change(&mut input);
    world.call::<ImportHubContent>(&world.admin(), input).await.unwrap();
    world.clock.advance_millis(1000);
}

fn tag(key: &str, value: &str) -> Vec<Tag> {
    vec![Tag { key: key.to_owned(), value: value.to_owned() }]
}

/// `h` with `alpha` in two versions, `beta` and a reference; `other` with nothing but a reference.
async fn searched() -> (World, Cx) {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    world.hub(&admin, "other").await;
    import(&world, "alpha", "1.9.0", |input| {
        input.hub_content_search_keywords = Some(vec!["text".to_owned(), "small".to_owned()]);
        input.hub_content_description = Some("the first".to_owned());
        input.tags = Some(tag("team", "one"));
    })
    .await;
    import(&world, "alpha", "1.10.0", |input| input.hub_content_markdown = Some("# Alpha card".to_owned())).await;
    import(&world, "beta", "1.0.0", |input| input.tags = Some(tag("team", "two"))).await;
    world.reference(&admin, "h", IRIS).await;
    world.reference(&admin, "other", IRIS).await;
    (world, admin)
}

const EVERYTHING_IN_H: [&str; 3] = ["alpha 1.10.0", "alpha 1.9.0", "beta 1.0.0"];

#[tokio::test]
async fn every_operator_finds_what_it_says() {
    let (world, admin) = searched().await;
    use Operator::*;
    for (name, operator, value, expected) in [
        ("HubContentName", Some(Equals), "alpha", vec!["alpha 1.10.0", "alpha 1.9.0"]),
        ("HubContentName", None, "beta", vec!["beta 1.0.0"]),
        ("HubContentName", Some(Equals), "Alpha", vec![]),
        ("HubContentName", Some(Contains), "eta", vec!["beta 1.0.0"]),
        ("HubContentName", Some(In), "beta, gone", vec!["beta 1.0.0"]),
        ("HubContentVersion", Some(Equals), "1.9.0", vec!["alpha 1.9.0"]),
        ("HubContentSearchKeywords", Some(Equals), "small", vec!["alpha 1.9.0"]),
        ("HubContentDescription", Some(Exists), "", vec!["alpha 1.9.0"]),
        ("HubContentMarkdown", Some(Contains), "Alpha", vec!["alpha 1.10.0"]),
        ("HubContentDocument", Some(Contains), "s3://own/model/", EVERYTHING_IN_H.to_vec()),
        ("Tags.team", Some(Equals), "one", vec!["alpha 1.10.0", "alpha 1.9.0"]),
        ("Tags.team", Some(NotEquals), "one", vec!["beta 1.0.0"]),
        ("Tags.team", Some(NotExists), "", vec![]),
        ("CreatedBy.UserProfileName", Some(NotExists), "", EVERYTHING_IN_H.to_vec()),
        ("CreatedBy.UserProfileName", Some(Exists), "", vec![]),
        ("CreationTime", Some(Equals), "2026-11-21T00:00:02", vec!["alpha 1.10.0"]),
        ("CreationTime", Some(NotEquals), "2026-11-21T00:00:02Z", vec!["alpha 1.9.0", "beta 1.0.0"]),
        ("CreationTime", Some(GreaterThan), "2026-11-21T00:00:02", vec!["beta 1.0.0"]),
        ("CreationTime", Some(GreaterThanOrEqualTo), "2026-11-21T00:00:02", vec!["alpha 1.10.0", "beta 1.0.0"]),
        ("CreationTime", Some(LessThan), "2026-11-21T00:00:02", vec!["alpha 1.9.0"]),
        ("LastModifiedTime", Some(LessThanOrEqualTo), "2026-11-21T00:00:02", vec!["alpha 1.10.0", "alpha 1.9.0"]),
        ("FailureReason", Some(Exists), "", vec![]),
    ] {
        let models = filter("HubContentType", Equals, "Model");
        let request = expression(all_of(vec![models, filter(name, operator, value)]));
        let names = found(&world, &admin, request).await.unwrap();
        assert_eq!(names, expected, "{name} {operator:?} {value}");
    }
    let references = contents(&world, &admin, one("SageMakerPublicHubContentArn", Operator::Exists, "")).await.unwrap();
    let mut hubs: Vec<&str> = references.iter().map(|content| content.hub_name.as_str()).collect();
    hubs.dedup();
    assert_eq!(hubs.len(), 2, "in every hub of the account: {hubs:?}");
    assert!(references.iter().all(|content| content.hub_content_type == HubContentType::ModelReference));
}

#[tokio::test]
async fn conditions_combine() {
    let (world, admin) = searched().await;
    let either = SearchExpression {
        operator: Some(BooleanOperator::Or),
        ..all_of(vec![
            filter("HubContentVersion", Operator::Equals, "1.9.0"),
            filter("HubContentName", Operator::Equals, "beta"),
        ])
    };
    assert_eq!(found(&world, &admin, expression(either.clone())).await.unwrap(), ["alpha 1.9.0", "beta 1.0.0"]);
    let both = SearchExpression {
        filters: Some(vec![filter("Tags.team", Operator::Equals, "one")]),
        sub_expressions: Some(vec![either]),
        ..SearchExpression::default()
    };
    assert_eq!(found(&world, &admin, expression(both)).await.unwrap(), ["alpha 1.9.0"]);
    let all = found(&world, &admin, search()).await.unwrap();
    assert!(all.len() > 4 && EVERYTHING_IN_H.iter().all(|name| all.contains(&(*name).to_owned())), "{all:?}");
}

#[tokio::test]
async fn one_dependency_satisfies_a_nested_filter() {
    let (world, admin) = searched().await;
    let notebook = serde_json::json!({"NotebookLocation": "s3://own/n.ipynb", "Dependencies": [
        {"DependencyOriginPath": "s3://own/a", "DependencyCopyPath": "a"},
        {"DependencyOriginPath": "s3://own/b", "DependencyCopyPath": "b"},
    ]});
    import(&world, "note", "1.0.0", |input| {
        input.hub_content_type = HubContentType::Notebook;
        input.hub_content_document = notebook.to_string();
        input.document_schema_version = "1.0.0".to_owned();
    })
    .await;
    let origin = |value| filter("HubContentDependencies.DependencyOriginPath", Operator::Equals, value);
    let copy = |value| filter("HubContentDependencies.DependencyCopyPath", Operator::Equals, value);
    let nested = |filters| {
        let nested_property_name = "HubContentDependencies".to_owned();
        let nested_filters = Some(vec![NestedFilters { nested_property_name, filters }]);
        expression(SearchExpression { nested_filters, ..SearchExpression::default() })
    };
    assert_eq!(found(&world, &admin, nested(vec![origin("s3://own/a"), copy("a")])).await.unwrap(), ["note 1.0.0"]);
    assert!(found(&world, &admin, nested(vec![origin("s3://own/a"), copy("b")])).await.unwrap().is_empty());
    let plain = expression(all_of(vec![origin("s3://own/a"), copy("b")]));
    assert_eq!(found(&world, &admin, plain).await.unwrap(), ["note 1.0.0"], "each has some dependency");
    let foreign = nested(vec![filter("HubContentName", Operator::Equals, "note")]);
    refused(found(&world, &admin, foreign).await, "ValidationException", &["HubContentName", "DependencyCopyPath"]);
}

#[tokio::test]
async fn pages_are_in_order_and_count_everything() {
    let (world, admin) = searched().await;
    let models = all_of(vec![filter("HubContentType", Operator::Equals, "Model")]);
    for (sort_by, order, expected) in [
        (None, None, ["beta 1.0.0", "alpha 1.10.0", "alpha 1.9.0"]),
        (Some("HubContentVersion"), Some(SearchSortOrder::Ascending), ["beta 1.0.0", "alpha 1.9.0", "alpha 1.10.0"]),
        (
            Some("HubContentDescription"),
            Some(SearchSortOrder::Descending),
            ["alpha 1.9.0", "beta 1.0.0", "alpha 1.10.0"],
        ),
        (Some("Tags.team"), Some(SearchSortOrder::Descending), ["beta 1.0.0", "alpha 1.9.0", "alpha 1.10.0"]),
    ] {
        let (mut names, mut next_token) = (Vec::new(), None);
        loop {
            let page = SearchRequest {
                sort_by: sort_by.map(str::to_owned),
                sort_order: order,
                max_results: Some(1),
                next_token,
                ..expression(models.clone())
            };
            let answer = world.call::<Search>(&admin, page).await.unwrap();
            let total = answer.total_hits.unwrap();
            assert_eq!((total.value, total.relation), (Some(3), Some(Relation::EqualTo)));
            let content = answer.results.unwrap().pop().unwrap().hub_content.unwrap();
            assert!(content.hub_content_document.unwrap().contains("s3://own/model/"));
            assert_eq!(content.tags.unwrap().len(), 1);
            names.push(format!("{} {}", content.hub_content_name, content.hub_content_version));
            next_token = answer.next_token;
            if next_token.is_none() {
                break;
            }
        }
        assert_eq!(names, expected, "{sort_by:?}");
    }
    let first = SearchRequest { max_results: Some(1), ..search() };
    let token = world.call::<Search>(&admin, first).await.unwrap().next_token;
    let other = SearchRequest { next_token: token, ..one("HubName", Operator::Equals, "h") };
    refused(world.call::<Search>(&admin, other).await, "ValidationException", &["NextToken"]);
}

#[tokio::test]
async fn what_cannot_be_searched_is_refused_by_name() {
    let (world, admin) = searched().await;
    use Operator::*;
    let validation = "ValidationException";
    let contains = || filter("HubContentName", Contains, "a");
    let nested = NestedFilters { nested_property_name: "InputDataConfig".to_owned(), filters: vec![contains()] };
    let nested = SearchExpression { nested_filters: Some(vec![nested]), ..SearchExpression::default() };
    let exists = |count| all_of(vec![filter("HubName", Exists, ""); count]);
    let many = SearchExpression { sub_expressions: Some(vec![exists(17); 3]), ..SearchExpression::default() };
    let condition = |key: &str| SearchRequest {
        visibility_conditions: Some(vec![VisibilityConditions {
            key: Some(key.to_owned()),
            value: Some("v".to_owned()),
        }]),
        ..search()
    };
    let sorted = |name: &str| SearchRequest { sort_by: Some(name.to_owned()), ..search() };
    let foreign = Some(CrossAccountFilterOption::CrossAccount);
    for (request, code, words) in [
        (
            SearchRequest { resource: ResourceType::TrainingJob, ..search() },
            "UnknownOperationException",
            "Search of TrainingJob",
        ),
        (
            SearchRequest { cross_account_filter_option: foreign, ..one("Tags.team", Exists, "") },
            validation,
            "tags of other accounts",
        ),
        (one("TrainingJobName", Equals, "x"), validation, "TrainingJobName"),
        (one("Tags.", Exists, ""), validation, "Tags."),
        (one("HubContentName", GreaterThan, "x"), validation, "GreaterThan is not supported for text"),
        (one("CreationTime", Contains, "2026"), validation, "Contains is not supported for timestamp"),
        (one("CreationTime", In, "2026"), validation, "In is not supported for timestamp"),
        (one("CreationTime", Equals, "yesterday"), validation, "YYYY-mm-ddTHH:MM:SS"),
        (one("HubContentName", Equals, ""), validation, "Value of HubContentName"),
        (expression(nested), validation, "InputDataConfig"),
        (
            expression(all_of(vec![contains(), contains()])),
            validation,
            "'CONTAINS' operator usage limit of 1 exceeded.",
        ),
        (expression(SearchExpression::default()), validation, "at least one of"),
        (expression(many), validation, "at most 50"),
        (sorted("HubContentDocument"), validation, "HubContentDocument"),
        (sorted("HubContentSearchKeywords"), validation, "HubContentSearchKeywords"),
        (sorted("Size"), validation, "Size"),
        (condition("team"), validation, "Tags.<key>"),
    ] {
        refused(world.call::<Search>(&admin, request).await, code, &[words]);
    }
}

#[tokio::test]
async fn a_caller_finds_its_account_s_contents_and_what_it_may_describe() {
    let (world, admin) = searched().await;
    let stranger = world.user("444455556666", "admin", &[allow_all()]);
    assert!(found(&world, &stranger, search()).await.unwrap().is_empty(), "another account's");
    let nobody = world.user(ACCOUNT, "nobody", &[]);
    refused(found(&world, &nobody, search()).await, "AccessDeniedException", &["sagemaker:Search"]);

    let searching = statement("Allow", "sagemaker:Search", &["*"]);
    let beta = [arn("hub/h"), arn("hub-content/h/Model/beta")];
    let beta = statement("Allow", "sagemaker:DescribeHubContent", &[&beta[0], &beta[1]]);
    let ana = world.user(ACCOUNT, "ana", &[searching, beta]);
    let models = || one("HubContentType", Operator::Equals, "Model");
    assert_eq!(found(&world, &ana, models()).await.unwrap(), EVERYTHING_IN_H, "as AWS");
    let settings = Settings { filter_lists: Some(true), ..Settings::default() };
    let put = PutHubSettingsRequest { hub_name: "h".to_owned(), settings };
    world.call::<PutHubSettings>(&admin, put).await.unwrap();
    let answer = world.call::<Search>(&ana, models()).await.unwrap();
    assert_eq!(answer.total_hits.unwrap().value, Some(1), "what is hidden is not counted");
    assert_eq!(found(&world, &ana, models()).await.unwrap(), ["beta 1.0.0"]);
    assert_eq!(found(&world, &admin, models()).await.unwrap(), EVERYTHING_IN_H);
}

#[tokio::test]
async fn visibility_conditions_hide_what_is_tagged_otherwise() {
    let (world, admin) = searched().await;
    let condition = VisibilityConditions { key: Some("Tags.team".to_owned()), value: Some("two".to_owned()) };
    let conditions = Some(vec![condition]);
    let request = SearchRequest { visibility_conditions: conditions, ..search() };
    let all = found(&world, &admin, request).await.unwrap();
    assert!(all.contains(&"beta 1.0.0".to_owned()), "{all:?}");
    assert!(all.iter().any(|name| name.starts_with(IRIS)), "without the tag: {all:?}");
    assert!(!all.iter().any(|name| name.starts_with("alpha")), "{all:?}");
}
