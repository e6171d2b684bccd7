//! InvokeEndpoint.

use bytes::Bytes;
use stoa_kernel::ApiError;
use stoa_models_sagemaker::operations::{DeleteEndpoint, UpdateEndpoint};
use stoa_models_sagemaker::types::{DeleteEndpointInput, UpdateEndpointInput};
use stoa_models_sagemaker_runtime::operations::InvokeEndpoint;
use stoa_models_sagemaker_runtime::types::{InvokeEndpointInput, InvokeEndpointOutput};
use stoa_runtime::ContainerState::{Healthy, Starting};
use stoa_schema::Value;

use crate::support::{OTHER_ACCOUNT, World, exited, image, refusal, variant, world};

fn input(endpoint: &str) -> InvokeEndpointInput {
    InvokeEndpointInput {
        endpoint_name: endpoint.to_owned(),
        body: Bytes::from_static(b"question"),
        ..Default::default()
    }
}

async fn invoke(world: &World, endpoint: &str) -> Result<InvokeEndpointOutput, ApiError> {
    world.call::<InvokeEndpoint>(input(endpoint)).await
}

#[tokio::test]
async fn an_invocation_goes_to_the_container_and_back_untouched() {
    let world = world();
    world.in_service("e").await;
    let answer = world
        .call::<InvokeEndpoint>(InvokeEndpointInput {
            content_type: Some("application/json".to_owned()),
            accept: Some("text/csv".to_owned()),
            custom_attributes: Some("trace=1".to_owned()),
            ..input("e")
        })
        .await
        .unwrap();
    assert_eq!((&*answer.body, answer.content_type.as_deref()), (&b"answer"[..], Some("text/csv")));
    assert_eq!(answer.invoked_production_variant.as_deref(), Some("AllTraffic"));
    assert_eq!(answer.custom_attributes.as_deref(), Some("trace=1"));
    let (container, request) = world.runtime.requests.lock().pop().unwrap();
    assert_eq!(vec![container], world.runtime.names());
    assert_eq!(
        (request.content_type.as_deref(), request.accept.as_deref()),
        (Some("application/json"), Some("text/csv"))
    );
    assert_eq!(&*request.body, b"question");
}

#[tokio::test]
async fn variants_and_instances_share_the_traffic_and_can_be_named() {
    let world = world();
    world.model("m", image()).await.unwrap();
    let (mut heavy, mut light) = (variant("Heavy", "m"), variant("Light", "m"));
    (heavy.initial_variant_weight, heavy.initial_instance_count) = (Some(3.0), Some(2));
    light.initial_variant_weight = Some(1.0);
    world.config("c", vec![heavy, light]).await.unwrap();
    world.endpoint("e", "c").await.unwrap();
    world.become_all(&Healthy).await;
    for _ in 0..1000 {
        invoke(&world, "e").await.unwrap();
        // Looking again does not begin the turns anew.
        if world.runtime.requests.lock().len().is_multiple_of(100) {
            world.pass().await;
        }
    }
    let hits = |end: &str| world.runtime.requests.lock().iter().filter(|(name, _)| name.ends_with(end)).count();
    assert_eq!([hits("-0-0"), hits("-0-1"), hits("-1-0")], [375, 375, 250]);
    for target in ["Heavy", "Light"] {
        let named = InvokeEndpointInput { target_variant: Some(target.to_owned()), ..input("e") };
        let answer = world.call::<InvokeEndpoint>(named).await.unwrap();
        assert_eq!(answer.invoked_production_variant.as_deref(), Some(target));
    }
    let nobody = InvokeEndpointInput { target_variant: Some("Blue".to_owned()), ..input("e") };
    let refused = refusal(world.call::<InvokeEndpoint>(nobody).await);
    assert_eq!(refused, "ValidationError: Variant Blue was not found for endpoint e.");
}

#[tokio::test]
async fn only_what_is_in_service_is_invoked() {
    let world = world();
    let nobody = "ValidationError: Endpoint e of account 111122223333 not found.";
    assert_eq!(refusal(invoke(&world, "e").await), nobody);
    world.creating("e", image()).await;
    world.settle().await;
    assert!(refusal(invoke(&world, "e").await).contains("is not in service: its status is Creating"));
    world.become_all(&Healthy).await;
    invoke(&world, "e").await.unwrap();
    let other = world.cx_of(OTHER_ACCOUNT);
    assert!(refusal(world.call_as::<InvokeEndpoint>(&other, input("e")).await).contains("not found"));
    world.call::<DeleteEndpoint>(DeleteEndpointInput { endpoint_name: "e".to_owned() }).await.unwrap();
    world.pass().await;
    assert!(refusal(invoke(&world, "e").await).contains("its status is Deleting"));
    world.settle().await;
    assert_eq!(refusal(invoke(&world, "e").await), nobody);
    *world.runtime.next.lock() = exited(1, "");
    world.endpoint("e", "e").await.unwrap();
    world.settle().await;
    assert!(refusal(invoke(&world, "e").await).contains("its status is Failed"));
}

#[tokio::test]
async fn an_endpoint_whose_containers_are_not_ready_says_so() {
    let world = world();
    world.in_service("e").await;
    let restarted = world.restarted();
    let not_ready = |refused: String| assert!(refused.starts_with("ModelNotReadyException"), "{refused}");
    not_ready(refusal(invoke(&restarted, "e").await));
    restarted.settle().await;
    not_ready(refusal(invoke(&restarted, "e").await));
    restarted.become_all(&Healthy).await;
    invoke(&restarted, "e").await.unwrap();
    // Gone, and nobody has looked yet.
    restarted.runtime.containers.lock().clear();
    let error = invoke(&restarted, "e").await.unwrap_err();
    assert_eq!((error.code(), error.status()), ("ModelNotReadyException", 429));
}

#[tokio::test]
async fn an_update_is_never_without_an_answer() {
    let world = world();
    world.in_service("e").await;
    world.config("next", vec![variant("Next", "e")]).await.unwrap();
    let change = UpdateEndpointInput {
        endpoint_name: "e".to_owned(),
        endpoint_config_name: "next".to_owned(),
        ..Default::default()
    };
    *world.runtime.next.lock() = Starting;
    world.call::<UpdateEndpoint>(change).await.unwrap();
    let mut answered = Vec::new();
    for round in 0..6 {
        world.pass().await;
        answered.push(invoke(&world, "e").await.unwrap().invoked_production_variant.unwrap());
        if round == 2 {
            world.runtime.all(&Healthy);
        }
    }
    answered.dedup();
    assert_eq!(answered, ["AllTraffic", "Next"]);
}

#[tokio::test]
async fn the_containers_errors_are_model_errors() {
    let world = world();
    world.in_service("e").await;
    let field =
        |error: &ApiError, name: &str| error.fields().iter().find(|(field, _)| *field == name).unwrap().1.clone();
    for (status, kind) in [(400, "client"), (415, "client"), (500, "server"), (503, "server")] {
        *world.runtime.answer.lock() = Some((status, "what it says"));
        let error = invoke(&world, "e").await.unwrap_err();
        assert_eq!((error.code(), error.status()), ("ModelError", 424));
        let words = format!("Received {kind} error ({status}) from primary with message \"what it says\"");
        assert!(error.message().starts_with(&words), "{error}");
        assert_eq!(field(&error, "OriginalStatusCode"), Value::Int(i64::from(status)));
        assert_eq!(field(&error, "OriginalMessage"), Value::String("what it says".to_owned()));
    }
    *world.runtime.answer.lock() = None;
    let error = invoke(&world, "e").await.unwrap_err();
    assert_eq!((error.code(), error.status()), ("ModelError", 424));
    assert!(error.message().contains("the connection broke"), "{error}");
    assert_eq!(field(&error, "OriginalStatusCode"), Value::Int(0));
}

#[tokio::test]
async fn what_is_not_implemented_is_refused_by_name() {
    let world = world();
    world.in_service("e").await;
    let with = InvokeEndpointInput { target_model: Some("a.tar.gz".to_owned()), ..input("e") };
    assert!(
        refusal(world.call::<InvokeEndpoint>(with).await)
            .starts_with("ValidationError: TargetModel is not implemented")
    );
    world.authority.denied.lock().insert("sagemaker:InvokeEndpoint".to_owned());
    assert!(refusal(invoke(&world, "e").await).starts_with("AccessDeniedException"));
}
