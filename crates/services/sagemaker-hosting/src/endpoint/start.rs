//! Starting a container: from a variant to what the runtime is told, and what a failure means for the endpoint.

use std::sync::Arc;

use stoa_blob::Pin;
use stoa_kernel::ports::ImageCommand;
use stoa_kernel::{ApiError, Cx};
use stoa_runtime::{ContainerSpec, RuntimeError};
use stoa_sagemaker_common::instance_type;
use stoa_types::Region;
use stoa_work::{PassError, chain, failpoint};

use super::plan::{Observed, Step};
use super::reconcile::{Done, Endpoint, EndpointReconciler};
use super::{Deployment, Variant};
use crate::data::{self, ModelFile, OpenedFile, Shelf};

/// A deployment on its way is given up when the runtime failed so often to start one of its containers.
const MOST_FAILURES: u32 = 6;

/// Why a container did not start.
enum NotStarted {
    /// It never will (an unknown image, data that is not there): the failure reason.
    Never(String),
    /// Perhaps later.
    Later(PassError),
}

/// Whose container it is.
struct Place<'a> {
    variant: &'a Variant,
    /// The variant's first container, under which its files are remembered.
    first: String,
    /// Of the deployment on its way, not of the one that serves.
    coming: bool,
    /// The endpoint's.
    region: Option<&'a Region>,
}

impl EndpointReconciler {
    /// Starts a container. What will never work fails the deployment on its way; the rest, and whatever happens to a
    /// deployment that serves, is tried again after a pause.
    pub(super) async fn start(&self, endpoint: &Endpoint, container: &str, seen: &Observed) -> Result<Done, PassError> {
        let Some(place) = place(endpoint, container) else { return Ok(Done::Step) };
        let failure = match self.try_start(&place, container).await {
            Ok(()) => return Ok(Done::Step),
            Err(failure) => failure,
        };
        let failures = self.memory.failed(container, self.clock.now());
        let name = &place.variant.name;
        let reason = match failure {
            NotStarted::Never(reason) => reason,
            NotStarted::Later(error) if place.coming && failures >= MOST_FAILURES => {
                tracing::warn!(container, error = chain(&*error), "a deployment is given up");
                format!("The container for production variant {name} could not be started: {error}.")
            }
            NotStarted::Later(error) => return Err(error),
        };
        if !place.coming {
            return Err(reason.into());
        }
        let replaces = endpoint.state.current.is_some();
        let step = if replaces { Step::RollBack { reason } } else { Step::Fail { reason } };
        Box::pin(self.execute(endpoint, &step, seen)).await
    }

    async fn try_start(&self, place: &Place<'_>, container: &str) -> Result<(), NotStarted> {
        if self.memory.started(container).is_some() {
            self.memory.stopped(container);
            return Err(NotStarted::Later("the container was started and is gone".into()));
        }
        // Kept until the runtime has linked or copied them.
        let (spec, _kept) = self.spec(place, container).await.map_err(|error| {
            if error.sender() { NotStarted::Never(error.message().to_owned()) } else { NotStarted::Later(error.into()) }
        })?;
        failpoint("container-before-start").map_err(|error| NotStarted::Later(error.into()))?;
        self.parts.runtime.start(&spec).await.map_err(|error| match error {
            RuntimeError::UnknownImage(_) => NotStarted::Never(format!("{error}.")),
            other => NotStarted::Later(other.into()),
        })?;
        failpoint("container-after-start").map_err(|error| NotStarted::Later(error.into()))?;
        self.memory.runs(container, self.clock.now());
        Ok(())
    }

    async fn spec(&self, place: &Place<'_>, container: &str) -> Result<(ContainerSpec, Kept), ApiError> {
        let variant = place.variant;
        let image = variant.container.image.as_deref().unwrap_or_default();
        let image = match self.parts.images.resolve(image) {
            Some(ImageCommand::BuiltIn { program }) => program,
            Some(ImageCommand::Container { reference }) => reference,
            None => return Err(ApiError::validation(format!("The image {image} is not known at this site."))),
        };
        let size = instance_type(&variant.instance_type).ok_or_else(|| {
            ApiError::validation(format!("The instance type {} is not offered at this site.", variant.instance_type))
        })?;
        let (model_files, kept) = self.model_files(place).await?;
        let spec = ContainerSpec {
            name: container.to_owned(),
            image,
            environment: variant.container.environment.clone().unwrap_or_default(),
            model_files,
            memory_mib: size.memory_mib(),
            cpu_millis: size.cpu_millis(),
            network_isolation: variant.network_isolation,
        };
        Ok((spec, kept))
    }

    /// The stores behind a variant's data. The role is asked for anew each time: what it may open is decided now.
    async fn shelf(&self, place: &Place<'_>) -> Result<Shelf, ApiError> {
        let role = match (&place.variant.execution_role_arn, place.region) {
            (Some(role), Some(region)) => {
                let session =
                    self.parts.authority.service_session(role, "sagemaker.amazonaws.com", "SageMaker").await?;
                session.map(|principal| Arc::new(Cx::of_service(&self.parts.platform, principal, region.clone())))
            }
            _ => None,
        };
        Ok(Shelf {
            blobs: Arc::clone(&self.parts.blobs),
            bytes: Arc::clone(&self.parts.bytes),
            opened: Arc::clone(&self.parts.opened),
            role,
        })
    }

    async fn model_files(&self, place: &Place<'_>) -> Result<(LocalFiles, Kept), ApiError> {
        // Also where the files are known already: bytes that were altered since are given to no container.
        let vouched = match data::source_of(&place.variant.container)? {
            Some(source) => self.parts.hubs.check_files(&source.access).await?,
            None => false,
        };
        let shelf = self.shelf(place).await?;
        let files = self.files_of(place, &shelf, vouched).await?;
        let (mut local, mut kept) = (Vec::with_capacity(files.len()), Kept::default());
        for file in files.iter() {
            if let Some(sealed) = &file.sealed {
                let uri = data::source_of(&place.variant.container)?.map(|source| source.access.s3_uri);
                let opened = shelf.open(&file.digest, sealed).await;
                let opened = opened.map_err(|error| data::not_opened(uri.as_deref().unwrap_or_default(), error))?;
                local.push((file.path.clone(), opened.path().to_owned()));
                kept.opened.push(opened);
                continue;
            }
            kept.pins.push(self.parts.blobs.pins().pin(&file.digest).await);
            let path = self.parts.blobs.local_path(&file.digest).await.map_err(ApiError::internal)?;
            let missing = || ApiError::internal(format!("the blob {} has no local file", file.digest.as_str()));
            local.push((file.path.clone(), path.ok_or_else(missing)?));
        }
        Ok((local, kept))
    }

    /// The files as the deployment has them; of one on its way they are found once and remembered.
    async fn files_of(&self, place: &Place<'_>, shelf: &Shelf, vouched: bool) -> Result<Arc<Vec<ModelFile>>, ApiError> {
        if let Some(files) = &place.variant.files {
            return Ok(Arc::new(files.clone()));
        }
        if let Some(files) = self.memory.files(&place.first) {
            return Ok(files);
        }
        let files = match data::source_of(&place.variant.container)? {
            Some(source) => {
                let role = shelf.role.as_deref().filter(|_| !vouched);
                if role.is_none() && !vouched {
                    let why = "the execution role does not exist or does not trust sagemaker.amazonaws.com";
                    return Err(data::no_download(&source.access.s3_uri, why));
                }
                let reader = role.map(|cx| data::Reader { access: &*self.parts.access, cx, role: &cx.principal });
                data::files(&*self.parts.objects, reader.as_ref(), shelf, &source).await?
            }
            None => Vec::new(),
        };
        let files = Arc::new(files);
        self.memory.found(&place.first, Arc::clone(&files));
        Ok(files)
    }

    /// Writes the files that its containers were given into a deployment that is promoted.
    pub(super) fn keep_files(&self, deployment: &mut Deployment) {
        let firsts: Vec<Option<String>> =
            (0..deployment.variants.len()).map(|index| deployment.containers_of(index).into_iter().next()).collect();
        for (variant, first) in deployment.variants.iter_mut().zip(firsts) {
            let found = first.and_then(|first| self.memory.files(&first));
            if let Some(files) = found {
                variant.files = Some((*files).clone());
            }
        }
    }
}

/// What must be there until the runtime has the files: opened ones, and pins of those that a cache could let go.
#[derive(Default)]
struct Kept {
    opened: Vec<OpenedFile>,
    pins: Vec<Pin>,
}

/// Paths that a container sees, each with the local file behind it.
type LocalFiles = Vec<(String, std::path::PathBuf)>;

fn place<'a>(endpoint: &'a Endpoint, container: &str) -> Option<Place<'a>> {
    let (state, region) = (&endpoint.state, endpoint.document.key.region.as_ref());
    for (deployment, coming) in [(&state.current, false), (&state.next, true)] {
        let Some(deployment) = deployment else { continue };
        for (index, variant) in deployment.variants.iter().enumerate() {
            let names = deployment.containers_of(index);
            if names.iter().any(|name| name == container) {
                let first = names.into_iter().next().unwrap_or_default();
                return Some(Place { variant, first, coming, region });
            }
        }
    }
    None
}
