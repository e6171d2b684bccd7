//! `sagemaker:TrainHubModel`: what must be allowed of a call that trains, besides its own action.
//!
//! Nothing here trains: the calls are decided, then answered as not implemented, so that a guardrail can be tried today.
//! The rules are those of deploying (`HubAccess`), on every channel and base model that the input names. A data set in a
//! channel (`DatasetSource`) is no model and is not asked about.

use std::sync::Arc;

use stoa_kernel::ports::{HubAccess, ModelAccessRequest};
use stoa_kernel::{ApiError, Cx, FurtherTargets, Target};
use stoa_models_sagemaker::operations::{
    CREATE_ALGORITHM, CREATE_HYPER_PARAMETER_TUNING_JOB, CREATE_TRAINING_JOB, CREATE_TRAINING_SESSION,
};
use stoa_schema::{OperationSpec, Value, pick};

use crate::names::ContentArn;
use crate::service::Hubs;
use crate::targets::hub_and_content;

const ACTION: &str = "sagemaker:TrainHubModel";

/// Where a call names what it trains on.
struct Trains {
    spec: &'static OperationSpec,
    /// S3 data sources, which may name a hub content.
    sources: &'static [&'static str],
    /// ARNs of models of a hub.
    base_models: &'static [&'static str],
}

static TRAINS: [Trains; 4] = [
    Trains {
        spec: &CREATE_TRAINING_JOB,
        sources: &["InputDataConfig[].DataSource.S3DataSource"],
        base_models: &["ServerlessJobConfig.BaseModelArn"],
    },
    Trains {
        spec: &CREATE_HYPER_PARAMETER_TUNING_JOB,
        sources: &[
            "TrainingJobDefinition.InputDataConfig[].DataSource.S3DataSource",
            "TrainingJobDefinitions[].InputDataConfig[].DataSource.S3DataSource",
        ],
        base_models: &[],
    },
    Trains {
        spec: &CREATE_ALGORITHM,
        sources: &[
            "ValidationSpecification.ValidationProfiles[].TrainingJobDefinition.InputDataConfig[].DataSource.S3DataSource",
        ],
        base_models: &[],
    },
    Trains { spec: &CREATE_TRAINING_SESSION, sources: &[], base_models: &["ModelConfig.BaseModelArn"] },
];

/// The targets that hubs add to the calls which train.
pub fn training_targets(hubs: &Arc<Hubs>) -> Vec<FurtherTargets> {
    let further = |trains: &'static Trains| {
        let hubs = Arc::clone(hubs);
        let targets: stoa_kernel::TargetsFn = Box::new(move |cx, input| {
            let hubs = Arc::clone(&hubs);
            Box::pin(async move { hubs.trained_on(cx, trains, input).await })
        });
        FurtherTargets { spec: trains.spec, targets }
    };
    TRAINS.iter().map(further).collect()
}

impl Hubs {
    async fn trained_on(&self, cx: &Cx, trains: &Trains, input: &Value) -> Result<Vec<Target>, ApiError> {
        let mut targets = Vec::new();
        for source in trains.sources.iter().flat_map(|path| pick(input, path)) {
            targets.extend(self.access_targets(cx, ACTION, &access_request(source)).await?);
        }
        for (path, value) in
            trains.base_models.iter().flat_map(|path| pick(input, path).into_iter().map(move |value| (path, value)))
        {
            let text = value.as_str().unwrap_or_default();
            let arn = ContentArn::parse(text)
                .ok_or_else(|| ApiError::validation(format!("{path} `{text}` is not the ARN of a hub content")))?;
            targets.extend(hub_and_content(ACTION, &arn.hub, arn.kind.as_str(), &arn.name));
        }
        Ok(targets)
    }
}

/// A data source of a channel, decoded but not validated.
fn access_request(source: &Value) -> ModelAccessRequest {
    let arn = pick(source, "HubAccessConfig.HubContentArn").first().and_then(|arn| arn.as_str().map(str::to_owned));
    let accept_eula = match pick(source, "ModelAccessConfig.AcceptEula").first() {
        Some(Value::Bool(accepted)) => Some(*accepted),
        _ => None,
    };
    let s3_uri = source.str_member("S3Uri").unwrap_or_default().to_owned();
    ModelAccessRequest { s3_uri, hub_content_arn: arn, accept_eula }
}
