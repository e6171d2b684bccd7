//! Models and endpoint configurations.

use stoa_models_sagemaker::operations::{
    CreateModel, DeleteEndpointConfig, DeleteModel, DescribeEndpointConfig, DescribeModel,
};
use stoa_models_sagemaker::types::{
    ContainerDefinition, CreateModelInput, DeleteEndpointConfigInput, DeleteModelInput, DescribeEndpointConfigInput,
    DescribeModelInput, InferenceHubAccessConfig, ModelAccessConfig, ModelCompressionType, ModelDataSource,
    ProductionVariant, S3ModelDataSource, S3ModelDataType, VpcConfig,
};
use stoa_policy::{Context, Values};

use crate::support::{
    ACCOUNT, OTHER_ACCOUNT, ROLE, World, arn, assert_refused, image, model_input, refusal, tag, variant, with_data,
    world,
};

const HUB_CONTENT: &str = "arn:aws:sagemaker:us-west-2:111122223333:hub-content/h/Model/m/1.0.0";

fn source(uri: &str, eula: Option<bool>, hub: Option<&str>) -> ContainerDefinition {
    let source = S3ModelDataSource {
        s3_uri: uri.to_owned(),
        s3_data_type: S3ModelDataType::S3Prefix,
        compression_type: ModelCompressionType::None,
        model_access_config: eula.map(|accept_eula| ModelAccessConfig { accept_eula }),
        hub_access_config: hub.map(|arn| InferenceHubAccessConfig { hub_content_arn: arn.to_owned() }),
        manifest_s3_uri: None,
        e_tag: None,
        manifest_etag: None,
    };
    ContainerDefinition { model_data_source: Some(ModelDataSource { s3_data_source: Some(source) }), ..image() }
}

async fn described(
    world: &World,
    name: &str,
) -> Result<stoa_models_sagemaker::types::DescribeModelOutput, stoa_kernel::ApiError> {
    world.call::<DescribeModel>(DescribeModelInput { model_name: name.to_owned() }).await
}

#[tokio::test]
async fn a_model_from_birth_to_death() {
    let world = world();
    let mut input = model_input("m", image());
    input.tags = Some(vec![tag("team", "a")]);
    input.enable_network_isolation = Some(true);
    let made = world.call::<CreateModel>(input.clone()).await.unwrap();
    assert_eq!(made.model_arn, arn("model/m"));
    assert_eq!(*world.durable.store.tags(&made.model_arn).await.unwrap(), [("team".to_owned(), "a".to_owned())]);
    let found = described(&world, "m").await.unwrap();
    assert_eq!((found.primary_container, found.containers), (Some(image()), None));
    assert_eq!((found.execution_role_arn.as_deref(), found.enable_network_isolation), (Some(ROLE), Some(true)));
    assert_refused(
        world.call::<CreateModel>(input).await,
        &format!("Cannot create already existing model \"{}\"", arn("model/m")),
    );
    let delete = || world.call::<DeleteModel>(DeleteModelInput { model_name: "m".to_owned() });
    delete().await.unwrap();
    assert_refused(delete().await, &format!("Could not find model \"{}\"", arn("model/m")));
    assert_refused(described(&world, "m").await, "Could not find model");
    assert!(world.durable.store.tags(&arn("model/m")).await.unwrap().is_empty());
}

#[tokio::test]
async fn one_of_containers_is_given_back_as_it_came() {
    let world = world();
    let mut input = model_input("m", image());
    input.containers = input.primary_container.take().map(|container| vec![container]);
    world.call::<CreateModel>(input).await.unwrap();
    let found = described(&world, "m").await.unwrap();
    assert_eq!((found.primary_container, found.containers), (None, Some(vec![image()])));
}

#[tokio::test]
async fn models_that_cannot_be_are_refused() {
    let world = world();
    let unknown = ContainerDefinition { image: Some("nobody/knows:1".to_owned()), ..Default::default() };
    assert_refused(
        world.model("m", unknown).await,
        "Requested image nobody/knows:1 not found. Images of this site: image.",
    );
    type Change = fn(&mut CreateModelInput);
    let cases: [(&str, Change); 5] = [
        ("One of PrimaryContainer or Containers", |input| input.primary_container = None),
        ("Only one of PrimaryContainer and Containers", |input| input.containers = Some(vec![image()])),
        ("several Containers is not implemented", |input| {
            input.primary_container = None;
            input.containers = Some(vec![image(), image()]);
        }),
        ("VpcConfig is not implemented", |input| input.vpc_config = Some(VpcConfig::default())),
        ("Duplicate tag key", |input| input.tags = Some(vec![tag("a", "1"), tag("a", "2")])),
    ];
    for (part, change) in cases {
        let mut input = model_input("m", image());
        change(&mut input);
        assert_refused(world.call::<CreateModel>(input).await, part);
    }
    assert_refused(described(&world, "m").await, "Could not find model");
}

#[tokio::test]
async fn everything_a_model_needs_is_decided() {
    let world = world();
    let key = |target: &stoa_kernel::Target, key: &str| match target.keys.get(key) {
        Some(Values::One(value)) => value.to_owned(),
        _ => panic!("{key} is not one value"),
    };
    let mut input = model_input("m", source("s3://cache/gated/", Some(true), None));
    input.tags = Some(vec![tag("team", "a")]);
    input.enable_network_isolation = Some(true);
    let targets = world.targets::<CreateModel>(input).await;
    let named: Vec<(&str, &str)> = targets.iter().map(|target| (&*target.action, &*target.resource)).collect();
    let model = arn("model/m");
    assert_eq!(named, [("sagemaker:CreateModel", &*model), ("iam:PassRole", ROLE), ("sagemaker:AddTags", &*model)]);
    assert_eq!(key(&targets[0], "sagemaker:directgatedmodelaccess"), "true");
    assert_eq!(key(&targets[0], "sagemaker:networkisolation"), "true");
    assert_eq!(key(&targets[0], "aws:requesttag/team"), "a");
    assert_eq!(key(&targets[1], "iam:passedtoservice"), "sagemaker.amazonaws.com");
    assert_eq!(key(&targets[2], "sagemaker:taggingaction"), "CreateModel");
    let mut input = model_input("m", source("s3://cache/gated/", Some(true), Some(HUB_CONTENT)));
    input.execution_role_arn = None;
    let targets = world.targets::<CreateModel>(input).await;
    let named: Vec<(&str, &str)> = targets.iter().map(|target| (&*target.action, &*target.resource)).collect();
    assert_eq!(named, [("sagemaker:CreateModel", &*model), ("sagemaker:DeployHubModel", HUB_CONTENT)]);
    assert_eq!(key(&targets[0], "sagemaker:directgatedmodelaccess"), "false");
    // Gated data is found wherever it is named.
    let listed = CreateModelInput {
        containers: Some(vec![image(), with_data("s3://cache/gated/model.tar.gz")]),
        primary_container: None,
        ..model_input("m", image())
    };
    assert_eq!(key(&world.targets::<CreateModel>(listed).await[0], "sagemaker:directgatedmodelaccess"), "true");
}

#[tokio::test]
async fn each_of_them_can_refuse() {
    let world = world();
    world.durable.objects.put(ACCOUNT, "b", "open/model", "w").await;
    for action in ["sagemaker:CreateModel", "iam:PassRole", "sagemaker:AddTags", "sagemaker:DeployHubModel"] {
        *world.authority.denied.lock() = [action.to_owned()].into();
        let mut input = model_input("m", source("s3://b/open/", None, Some(HUB_CONTENT)));
        input.tags = Some(vec![tag("a", "b")]);
        let refusal = refusal(world.call::<CreateModel>(input).await);
        assert!(refusal.starts_with("AccessDeniedException") && refusal.contains(action), "{refusal}");
    }
    world.authority.denied.lock().clear();
    assert_refused(described(&world, "m").await, "Could not find model");
}

#[tokio::test]
async fn the_execution_role_must_be_able_to_read_the_data() {
    let world = world();
    world.durable.objects.put(OTHER_ACCOUNT, "theirs", "model.tar.gz", "x").await;
    let data = || with_data("s3://theirs/model.tar.gz");
    world.model("readable", data()).await.unwrap();
    let asked = world.authority.asked.lock().last().unwrap().clone();
    assert_eq!((&*asked.action, &*asked.resource), ("s3:GetObject", "arn:aws:s3:::theirs/model.tar.gz"));
    assert!(asked.principal.ends_with("assumed-role/Execution/SageMaker"), "{}", asked.principal);
    world.authority.denied.lock().insert("s3:GetObject".to_owned());
    let refused = refusal(world.model("m", data()).await);
    for part in [
        "ValidationException: Could not access model data at s3://theirs/model.tar.gz.",
        ROLE,
        "assumed-role/Execution/SageMaker is not authorized to perform: s3:GetObject on resource",
        "because no identity-based policy allows it",
    ] {
        assert!(refused.contains(part), "{refused}");
    }
    world.authority.denied.lock().clear();
    let mut input = model_input("m", data());
    input.execution_role_arn = Some("arn:aws:iam::111122223333:role/Untrusting".to_owned());
    assert_refused(world.call::<CreateModel>(input.clone()).await, "Could not assume role");
    input.execution_role_arn = None;
    assert_refused(world.call::<CreateModel>(input).await, "ExecutionRoleArn is required");
    for uri in ["s3://theirs/other.tar.gz", "s3://nobody/model.tar.gz"] {
        assert_refused(world.model("m", with_data(uri)).await, "Could not access model data");
    }
    for uri in ["http://theirs/model", "s3://", "s3:///model", "theirs"] {
        assert_refused(world.model("m", with_data(uri)).await, "is not a valid S3 URI");
    }
}

#[tokio::test]
async fn each_object_of_a_prefix_is_decided_then_and_at_the_start() {
    const LAST: &str = "s3:GetObject arn:aws:s3:::b/m/z/last";
    let world = world();
    for (key, content) in [("m/", ""), ("m/a", "w"), ("m/z/", ""), ("m/z/last", "w"), ("other", "x")] {
        world.durable.objects.put(ACCOUNT, "b", key, content).await;
    }
    let deny = |what: &[&str]| *world.authority.denied.lock() = what.iter().map(|what| (*what).to_owned()).collect();
    deny(&[LAST]);
    assert_refused(world.model("m", with_data("s3://b/m/")).await, "s3:GetObject on resource: arn:aws:s3:::b/m/z/last");
    // Markers of folders and what is elsewhere are not given to anybody.
    deny(&["s3:GetObject arn:aws:s3:::b/m/", "s3:GetObject arn:aws:s3:::b/m/z/", "s3:GetObject arn:aws:s3:::b/other"]);
    world.creating("e", with_data("s3://b/m/")).await;
    // The right goes between the model and its first container.
    deny(&[LAST]);
    world.settle().await;
    assert_eq!(world.status("e").await, "Failed");
    let reason = world.reason("e").await;
    let words = "Failed to download model data for container \"container_1\" from URL: \"s3://b/m/\". Please ensure";
    assert!(reason.starts_with(words) && reason.contains("m/z/last"), "{reason}");
    assert_eq!(*world.runtime.starts.lock(), 0);
    // What a hub vouches for needs no right of the role, then or now.
    deny(&["s3:GetObject"]);
    let vouched = source("s3://b/m/", None, Some(HUB_CONTENT));
    world.creating("vouched", vouched).await;
    world.settle().await;
    let reason = world.reason("vouched").await;
    assert_eq!(*world.runtime.starts.lock(), 1, "{reason}");
}

#[tokio::test]
async fn hubs_rule_over_their_data() {
    let world = world();
    world.durable.objects.put("aws", "cache", "gated/model", "w").await;
    for eula in [None, Some(false)] {
        assert_refused(world.model("m", source("s3://cache/gated/", eula, None)).await, "EULA");
        assert_refused(world.model("m", source("s3://cache/gated/", eula, Some(HUB_CONTENT))).await, "EULA");
    }
    // A hub vouches for its data: the role needs no right on the bucket.
    world.authority.denied.lock().insert("s3:GetObject".to_owned());
    assert_refused(world.model("m", source("s3://cache/gated/", Some(true), None)).await, "Could not access");
    world.model("m", source("s3://cache/gated/", Some(true), Some(HUB_CONTENT))).await.unwrap();
    assert_refused(
        world.model("n", source("s3://cache/nothing/", None, Some(HUB_CONTENT))).await,
        "no object is there",
    );
    assert_refused(world.model("n", source("s3://cache/open", None, Some(HUB_CONTENT))).await, "must end with '/'");
}

#[tokio::test]
async fn a_configuration_from_birth_to_death() {
    let world = world();
    world.model("m", image()).await.unwrap();
    world.config("c", vec![variant("v", "m")]).await.unwrap();
    let name = || "c".to_owned();
    let describe =
        || world.call::<DescribeEndpointConfig>(DescribeEndpointConfigInput { endpoint_config_name: name() });
    let delete = || world.call::<DeleteEndpointConfig>(DeleteEndpointConfigInput { endpoint_config_name: name() });
    let found = describe().await.unwrap();
    assert_eq!(
        (found.endpoint_config_arn, found.production_variants),
        (arn("endpoint-config/c"), vec![variant("v", "m")])
    );
    assert_refused(
        world.config("c", vec![variant("v", "m")]).await,
        "Cannot create already existing endpoint configuration",
    );
    delete().await.unwrap();
    assert_refused(delete().await, "Could not find endpoint configuration");
    assert_refused(describe().await, "Could not find endpoint configuration");
}

#[tokio::test]
async fn configurations_that_cannot_be_are_refused() {
    let world = world();
    world.model("m", image()).await.unwrap();
    assert_refused(world.config("c", vec![variant("v", "nobody")]).await, "Could not find model");
    assert_refused(world.config("c", vec![variant("v", "m"), variant("v", "m")]).await, "used twice");
    type Change = fn(&mut ProductionVariant);
    let cases: [(&str, Change); 5] = [
        ("names no model", |variant| variant.model_name = None),
        ("needs an InstanceType", |variant| variant.instance_type = None),
        ("is not offered at this site", |variant| variant.instance_type = "ml.inf1.xlarge".parse().ok()),
        ("needs an InitialInstanceCount", |variant| variant.initial_instance_count = None),
        ("ServerlessConfig is not implemented", |variant| variant.serverless_config = Some(Default::default())),
    ];
    for (part, change) in cases {
        let mut variant = variant("v", "m");
        change(&mut variant);
        assert_refused(world.config("c", vec![variant]).await, part);
    }
}
