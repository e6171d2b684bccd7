//! The handler. Payloads are handed through untouched; errors are SageMaker Runtime's.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker_runtime::operations::InvokeEndpoint;
use stoa_models_sagemaker_runtime::types::{InvokeEndpointInput, InvokeEndpointOutput};
use stoa_runtime::{Invocation, InvocationRequest, RuntimeError};
use stoa_sagemaker_common::store_error;
use stoa_schema::Value;

use super::choose::{NoChoice, choose};
use crate::endpoint;
use crate::service::{Hosting, own_key};

impl Handles<InvokeEndpoint> for Hosting {
    async fn handle(&self, cx: &Cx, input: Authorized<InvokeEndpointInput>) -> Result<InvokeEndpointOutput, ApiError> {
        let input = input.into_inner();
        refuse_what_is_not_here(&input)?;
        let key = own_key(cx, endpoint::KIND, &input.endpoint_name);
        let serving = self.parts.serving.load().get(&key).cloned();
        let Some(serving) = serving else { return Err(self.not_in_service(cx, &input.endpoint_name).await) };
        let (variant, container) =
            choose(&serving, input.target_variant.as_deref()).map_err(|why| no_choice(why, &input))?;
        let request = InvocationRequest {
            content_type: input.content_type,
            accept: input.accept,
            custom_attributes: input.custom_attributes,
            body: input.body,
        };
        let answer = self.parts.runtime.invoke(container, request).await;
        let answer = answer.map_err(|error| unanswered(&input.endpoint_name, error))?;
        if !(200..300).contains(&answer.status) {
            return Err(model_error(cx, &input.endpoint_name, variant, &answer));
        }
        Ok(InvokeEndpointOutput {
            body: answer.body,
            content_type: answer.content_type,
            invoked_production_variant: Some(variant.to_owned()),
            custom_attributes: answer.custom_attributes,
            ..InvokeEndpointOutput::default()
        })
    }
}

fn refuse_what_is_not_here(input: &InvokeEndpointInput) -> Result<(), ApiError> {
    for (given, what) in [
        (input.target_model.is_some(), "TargetModel"),
        (input.target_container_hostname.is_some(), "TargetContainerHostname"),
        (input.inference_component_name.is_some(), "InferenceComponentName"),
        (input.session_id.is_some(), "SessionId"),
        (input.enable_explanations.is_some(), "EnableExplanations"),
    ] {
        if given {
            let message = format!("{what} is not implemented by Stoa; see docs/compatibility.md");
            return Err(validation_error(message));
        }
    }
    Ok(())
}

/// SageMaker Runtime's own name for it.
fn validation_error(message: String) -> ApiError {
    ApiError::new("ValidationError", 400, message)
}

impl Hosting {
    async fn not_in_service(&self, cx: &Cx, name: &str) -> ApiError {
        let account = &cx.principal.account;
        match self.parts.store.get(&own_key(cx, endpoint::KIND, name)).await {
            Err(error) => store_error(error),
            Ok(None) => validation_error(format!("Endpoint {name} of account {account} not found.")),
            Ok(Some(document)) if document.status == "InService" => not_ready(name),
            Ok(Some(document)) => validation_error(format!(
                "Endpoint {name} of account {account} is not in service: its status is {}.",
                document.status
            )),
        }
    }
}

fn not_ready(name: &str) -> ApiError {
    let message = format!("Endpoint {name} has no container that is ready; it is being started, try again.");
    ApiError::new("ModelNotReadyException", 429, message)
}

fn no_choice(why: NoChoice, input: &InvokeEndpointInput) -> ApiError {
    match why {
        NoChoice::NotReady => not_ready(&input.endpoint_name),
        NoChoice::UnknownVariant => validation_error(format!(
            "Variant {} was not found for endpoint {}.",
            input.target_variant.as_deref().unwrap_or_default(),
            input.endpoint_name
        )),
    }
}

/// No answer of the container's own. One that was just stopped (an update, a restart) is as one that is not ready.
fn unanswered(endpoint: &str, error: RuntimeError) -> ApiError {
    let (status, why) = match &error {
        RuntimeError::NotFound(_) => return not_ready(endpoint),
        RuntimeError::NoAnswer(why) => (0, why.clone()),
        RuntimeError::UnknownImage(_) | RuntimeError::Driver(_) => (500, error.to_string()),
    };
    ApiError::new("ModelError", 424, format!("Received server error ({status}) from primary with message \"{why}\"."))
        .with_field("OriginalStatusCode", Value::Int(status))
        .with_field("OriginalMessage", Value::String(why))
        .with_cause(error)
}

/// The container's own error, in AWS's words, with its status and message as modelled members.
fn model_error(cx: &Cx, endpoint: &str, variant: &str, answer: &Invocation) -> ApiError {
    const SHOWN: usize = 1024;
    let text = String::from_utf8_lossy(&answer.body);
    let shown: String = text.chars().take(SHOWN).collect();
    let kind = if answer.status < 500 { "client" } else { "server" };
    let message = format!(
        "Received {kind} error ({}) from primary with message \"{shown}\". Endpoint {endpoint} of account {}, variant \
         {variant}.",
        answer.status, cx.principal.account
    );
    ApiError::new("ModelError", 424, message)
        .with_field("OriginalStatusCode", Value::Int(i64::from(answer.status)))
        .with_field("OriginalMessage", Value::String(shown))
}
