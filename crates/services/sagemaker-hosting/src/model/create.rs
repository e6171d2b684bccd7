//! CreateModel. Refuses what could never be deployed: an unknown image, data that is not there or that the execution
//! role may not read, gated data without consent.

use stoa_kernel::ports::ModelAccessRequest;
use stoa_kernel::{ApiError, Authorized, Cx, Handles, Target, Targets};
use stoa_models_sagemaker::operations::CreateModel;
use stoa_models_sagemaker::types::{ContainerDefinition, ContainerMode, CreateModelInput, CreateModelOutput};
use stoa_sagemaker_common::{already_existing, new_tags, store_error, tagging_targets};
use stoa_schema::{Value, pick};
use stoa_store::{Document, Transaction};

use super::{KIND, ModelState};
use crate::data;
use crate::service::{Hosting, own_key};

impl Targets<CreateModel> for Hosting {
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let name = input.str_member("ModelName").unwrap_or("*");
        let arn = cx.arn("sagemaker", &format!("model/{name}"));
        let mut create = Target::new("sagemaker:CreateModel", arn.as_str()).with_request_tags(input, "Tags");
        let isolated = matches!(input.member("EnableNetworkIsolation"), Some(Value::Bool(true)));
        create.keys.set("sagemaker:NetworkIsolation", isolated.to_string());
        for (key, path) in [
            ("sagemaker:VpcSubnets", "VpcConfig.Subnets"),
            ("sagemaker:VpcSecurityGroupIds", "VpcConfig.SecurityGroupIds"),
        ] {
            let values = stoa_schema::pick_strings(input, path);
            if !values.is_empty() {
                create.keys.set_many(key, values);
            }
        }
        let mut dependent = Vec::new();
        let mut direct_gated = false;
        for request in access_requests(input) {
            direct_gated |= self.parts.hubs.is_direct_gated(&request).await?;
            dependent.extend(self.parts.hubs.access_targets(cx, "sagemaker:DeployHubModel", &request).await?);
        }
        create.keys.set("sagemaker:DirectGatedModelAccess", direct_gated.to_string());
        let mut targets = vec![create];
        if let Some(role) = input.str_member("ExecutionRoleArn") {
            targets.push(Target::pass_role(role, "sagemaker.amazonaws.com", &arn));
        }
        targets.extend(tagging_targets("CreateModel", &arn, input));
        targets.extend(dependent);
        Ok(targets)
    }
}

/// Every data source in the input, decoded but not validated yet.
fn access_requests(input: &Value) -> Vec<ModelAccessRequest> {
    let mut requests = Vec::new();
    let containers = pick(input, "PrimaryContainer").into_iter().chain(pick(input, "Containers[]"));
    for container in containers {
        for source in pick(container, "ModelDataSource.S3DataSource") {
            requests.extend(source.str_member("S3Uri").map(|uri| {
                ModelAccessRequest {
                    s3_uri: uri.to_owned(),
                    hub_content_arn: pick(source, "HubAccessConfig.HubContentArn")
                        .first()
                        .and_then(|arn| arn.as_str())
                        .map(str::to_owned),
                    accept_eula: match pick(source, "ModelAccessConfig.AcceptEula").first() {
                        Some(Value::Bool(accepted)) => Some(*accepted),
                        _ => None,
                    },
                }
            }));
        }
        requests.extend(container.str_member("ModelDataUrl").map(|uri| ModelAccessRequest {
            s3_uri: uri.to_owned(),
            hub_content_arn: None,
            accept_eula: None,
        }));
    }
    requests
}

impl Handles<CreateModel> for Hosting {
    async fn handle(&self, cx: &Cx, input: Authorized<CreateModelInput>) -> Result<CreateModelOutput, ApiError> {
        let input = input.into_inner();
        let arn = cx.arn("sagemaker", &format!("model/{}", input.model_name));
        let (container, primary) = the_container(&input)?;
        if self.find(cx, KIND, &input.model_name).await?.is_some() {
            return Err(already_existing("model", &arn));
        }
        self.check_image(&container)?;
        if let Some(role) = &input.execution_role_arn {
            self.check_role(role).await?;
        }
        self.check_data(cx, &container, input.execution_role_arn.as_deref()).await?;
        let tags = new_tags(input.tags.as_deref())?;
        let state = ModelState {
            arn: arn.clone(),
            container,
            primary,
            execution_role_arn: input.execution_role_arn,
            network_isolation: input.enable_network_isolation.unwrap_or(false),
        };
        let key = own_key(cx, KIND, &input.model_name);
        let document = Document::new(key, &input.model_name, cx.now, &state).map_err(store_error)?;
        let written = self.parts.store.commit(Transaction::new().create(document).set_tags(&arn, tags)).await;
        match written {
            Err(error) if error.is_conflict() => Err(already_existing("model", &arn)),
            Err(error) => Err(store_error(error)),
            Ok(()) => Ok(CreateModelOutput { model_arn: arn }),
        }
    }
}

/// The one container of the model; what needs more than that is refused by name.
fn the_container(input: &CreateModelInput) -> Result<(ContainerDefinition, bool), ApiError> {
    if input.vpc_config.is_some() {
        return Err(not_here("VpcConfig"));
    }
    if input.inference_execution_config.is_some() {
        return Err(not_here("InferenceExecutionConfig"));
    }
    let listed = input.containers.as_deref().unwrap_or_default();
    let (container, primary) = match (&input.primary_container, listed) {
        (Some(_), [_, ..]) => {
            return Err(ApiError::validation("Only one of PrimaryContainer and Containers can be specified."));
        }
        (Some(container), []) => (container.clone(), true),
        (None, [container]) => (container.clone(), false),
        (None, []) => return Err(ApiError::validation("One of PrimaryContainer or Containers must be specified.")),
        (None, _) => return Err(not_here("an inference pipeline of several Containers")),
    };
    for (given, what) in [
        (container.model_package_name.is_some(), "ModelPackageName"),
        (container.inference_specification_name.is_some(), "InferenceSpecificationName"),
        (container.image_config.is_some(), "ImageConfig"),
        (container.mode == Some(ContainerMode::MultiModel), "Mode MultiModel"),
        (container.multi_model_config.is_some(), "MultiModelConfig"),
        (container.additional_model_data_sources.is_some(), "AdditionalModelDataSources"),
        (
            container.model_data_url.is_some() && container.model_data_source.is_some(),
            "ModelDataUrl with ModelDataSource",
        ),
    ] {
        if given {
            return Err(not_here(what));
        }
    }
    Ok((container, primary))
}

pub(crate) fn not_here(what: &str) -> ApiError {
    ApiError::validation(format!("{what} is not implemented by Stoa; see docs/compatibility.md"))
}

impl Hosting {
    fn check_image(&self, container: &ContainerDefinition) -> Result<(), ApiError> {
        let image = container.image.as_deref().unwrap_or_default();
        if self.parts.images.resolve(image).is_some() {
            return Ok(());
        }
        Err(ApiError::validation(format!(
            "Requested image {image} not found. Images of this site: {}. An operator maps further image URIs in the \
             configuration's [images] table.",
            self.parts.images.known().join(", ")
        )))
    }

    /// The execution role is one that SageMaker may assume.
    async fn check_role(&self, role: &str) -> Result<(), ApiError> {
        if self.parts.authority.service_session(role, "sagemaker.amazonaws.com", "SageMaker").await?.is_some() {
            return Ok(());
        }
        Err(ApiError::validation(format!(
            "Could not assume role {role}. Please ensure that the role exists and allows principal \
             'sagemaker.amazonaws.com' to assume the role."
        )))
    }

    /// The data is there, consent is given where it is gated, and the execution role may read it unless a hub vouches.
    async fn check_data(&self, cx: &Cx, container: &ContainerDefinition, role: Option<&str>) -> Result<(), ApiError> {
        let Some(source) = data::source_of(container)? else { return Ok(()) };
        let vouched = self.parts.hubs.check(cx, &source.access).await?;
        if !data::is_there(&*self.parts.objects, &source).await? {
            return Err(data::cannot_access(cx, &source, role, "no object is there"));
        }
        if vouched {
            return Ok(());
        }
        self.check_role_reads(cx, &source, role).await
    }

    /// The execution role may read every object that a container would be given.
    async fn check_role_reads(&self, cx: &Cx, source: &data::Source, role: Option<&str>) -> Result<(), ApiError> {
        let Some(role_arn) = role else {
            return Err(ApiError::validation(format!(
                "ExecutionRoleArn is required to read model data at {}: pass a role that SageMaker may assume",
                source.access.s3_uri
            )));
        };
        let session = self.parts.authority.service_session(role_arn, "sagemaker.amazonaws.com", "SageMaker").await?;
        let Some(principal) = session else {
            let why = "the role does not exist or does not trust sagemaker.amazonaws.com";
            return Err(data::cannot_access(cx, source, role, why));
        };
        let reader = data::Reader { access: &*self.parts.access, cx, role: &principal };
        reader.check_all(&*self.parts.objects, source).await.map_err(|error| match error.sender() {
            true => data::cannot_access(cx, source, role, error.message()),
            false => error,
        })
    }
}
