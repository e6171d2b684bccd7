//! Whether the mutations of a bucket are events. There is one destination: EventBridge, which here is the outbox.

use s3s::S3Response;
use s3s::dto::*;
use stoa_kernel::ApiError;
use stoa_kernel::ports::SettingChange;

use super::settings::change;
use super::{Answer, Api, Request};
use crate::call::call_of;

pub(super) async fn put(
    api: &Api,
    request: Request<PutBucketNotificationConfigurationInput>,
) -> Answer<PutBucketNotificationConfigurationOutput> {
    let call = call_of(&request.extensions)?;
    let given = request.input.notification_configuration;
    let destinations = [
        ("QueueConfiguration", given.queue_configurations.map_or(0, |list| list.len())),
        ("TopicConfiguration", given.topic_configurations.map_or(0, |list| list.len())),
        ("CloudFunctionConfiguration", given.lambda_function_configurations.map_or(0, |list| list.len())),
    ];
    if let Some((name, _)) = destinations.into_iter().find(|(_, count)| *count > 0) {
        let text = format!(
            "Unable to validate the following destination configurations: {name} is not implemented by Stoa, which has \
             neither queues, topics nor functions; use EventBridgeConfiguration"
        );
        return Err(call.fail(ApiError::new("InvalidArgument", 400, text)));
    }
    let wanted = given.event_bridge_configuration.is_some();
    change(api, &call, &request.input.bucket, SettingChange::EventBridge(wanted)).await?;
    Ok(S3Response::new(PutBucketNotificationConfigurationOutput {}))
}

pub(super) async fn get(
    api: &Api,
    request: Request<GetBucketNotificationConfigurationInput>,
) -> Answer<GetBucketNotificationConfigurationOutput> {
    let call = call_of(&request.extensions)?;
    let settings = api.0.backend.bucket_settings(&request.input.bucket).await.map_err(|error| call.fail(error))?;
    Ok(S3Response::new(GetBucketNotificationConfigurationOutput {
        event_bridge_configuration: settings.event_bridge.then(EventBridgeConfiguration::default),
        ..Default::default()
    }))
}
