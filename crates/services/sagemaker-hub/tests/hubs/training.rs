//! `sagemaker:TrainHubModel` on calls that train, whose own action their tables bind.

use stoa_kernel::{ApiError, Cx};
use stoa_models_sagemaker::operations::SERVICE;
use stoa_sagemaker_hub::training_targets;
use stoa_schema::Value;

use crate::support::*;

/// A structure, or a list of them, around a value.
fn within(path: &[&'static str], value: Value) -> Value {
    path.iter().rev().fold(value, |value, step| match step.strip_suffix("[]") {
        Some(name) => Value::Struct(vec![(name, Value::List(vec![value]))]),
        None => Value::Struct(vec![(*step, value)]),
    })
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn source(uri: &str, arn: Option<&str>) -> Value {
    let mut source = vec![("S3Uri", text(uri))];
    source.extend(arn.map(|arn| ("HubAccessConfig", within(&["HubContentArn"], text(arn)))));
    Value::Struct(source)
}

async fn targets(world: &World, cx: &Cx, operation: &str, input: &Value) -> Result<Vec<String>, ApiError> {
    let spec = SERVICE.operation(operation).unwrap();
    assert!(!spec.implemented, "its handler must do more than be decided");
    let further = training_targets(&world.hubs).into_iter().find(|further| further.spec.name == operation).unwrap();
    let targets = (further.targets)(cx, input).await?;
    assert!(targets.iter().all(|target| target.action == "sagemaker:TrainHubModel"));
    Ok(targets.into_iter().map(|target| target.resource).collect())
}

fn public(resource: &str) -> String {
    format!("arn:aws:sagemaker:{REGION}:aws:{resource}")
}

#[tokio::test]
async fn every_place_that_names_hub_content_is_asked_about() {
    let world = world().await;
    let cx = world.admin();
    let reference = arn("hub-content/h/ModelReference/m/1.0.0");
    let hub = vec![arn("hub/h"), arn("hub-content/h/ModelReference/m")];
    let place = format!("s3://jumpstart-cache-prod-{REGION}/{IRIS}/artifacts/inference-prepack/v1.1.0/");
    let channel = ["InputDataConfig[]", "DataSource", "S3DataSource"];
    let below = |path: &[&'static str]| [path, &channel].concat();
    for (operation, path) in [
        ("CreateTrainingJob", below(&[])),
        ("CreateHyperParameterTuningJob", below(&["TrainingJobDefinition"])),
        ("CreateHyperParameterTuningJob", below(&["TrainingJobDefinitions[]"])),
        ("CreateAlgorithm", below(&["ValidationSpecification", "ValidationProfiles[]", "TrainingJobDefinition"])),
    ] {
        let input = within(&path, source(&place, Some(&reference)));
        assert_eq!(targets(&world, &cx, operation, &input).await.unwrap(), hub, "{operation}");
        let direct = within(&path, source(&place, None));
        let found = targets(&world, &cx, operation, &direct).await.unwrap();
        let expected = [public(&format!("hub/{PUBLIC_HUB}")), public_arn(IRIS)];
        assert_eq!(found, expected, "{operation}: the public hub's data, directly");
        let own = within(&path, source("s3://own/data/", None));
        assert!(targets(&world, &cx, operation, &own).await.unwrap().is_empty(), "{operation}: no hub's");
        let bad = within(&path, source("s3://own/data/", Some("nonsense")));
        refused(targets(&world, &cx, operation, &bad).await, "ValidationException", &["nonsense"]);
    }
    for (operation, path) in [
        ("CreateTrainingJob", ["ServerlessJobConfig", "BaseModelArn"]),
        ("CreateTrainingSession", ["ModelConfig", "BaseModelArn"]),
    ] {
        let base = format!("{}/1.1.0", public_arn(IRIS));
        let found = targets(&world, &cx, operation, &within(&path, text(&base))).await.unwrap();
        assert_eq!(found, [public(&format!("hub/{PUBLIC_HUB}")), public_arn(IRIS)], "{operation}");
        let bad = within(&path, text("nonsense"));
        refused(targets(&world, &cx, operation, &bad).await, "ValidationException", &["BaseModelArn", "nonsense"]);
    }
    assert!(targets(&world, &cx, "CreateTrainingJob", &Value::empty()).await.unwrap().is_empty());
}
