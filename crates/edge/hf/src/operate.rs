//! An operation run for a request: bound, decided, validated, handled, recorded, in the pipeline's order.
//!
//! INVARIANT: the record is durable before the output is given back; who cannot be audited gets none. A crash before
//! it leaves no answer and no record, after it a record of an answer that was not sent.

use std::sync::Arc;

use stoa_audit::{Journal, Phase};
use stoa_kernel::{ApiError, Authorized, Cx, Registry, bind_targets};
use stoa_schema::{Authz, OperationSpec, ServiceSpec, Value, validate, validation_message};

use crate::answer::Refusal;
use crate::audit::{Recorded, line};

/// The operations that requests are translated into.
pub(crate) struct Operations {
    pub registry: Registry,
    pub journal: Arc<dyn Journal>,
}

impl Operations {
    fn find(&self, name: &str) -> Result<(&'static ServiceSpec, &'static OperationSpec), ApiError> {
        for service in self.registry.services() {
            if let Some(spec) = service.operations.iter().find(|spec| spec.name == name) {
                return Ok((service, spec));
            }
        }
        Err(ApiError::internal(format!("{name} is not among the operations of the Hugging Face API")))
    }

    /// Runs the operation. `request` goes into the record.
    pub async fn run(&self, cx: &Cx, name: &str, input: Value, request: &str) -> Result<Value, Refusal> {
        let (service, spec) = self.find(name)?;
        let result = self.handled(cx, spec, input.clone()).await;
        let recorded =
            Recorded { cx, spec: Some(spec), event_source: service.event_source, input: Some(&input), request };
        let error = result.as_ref().err();
        self.append(line(&recorded, Phase::Complete, error.map(|error| (error.code(), error.message())), error))
            .await?;
        Ok(result?)
    }

    async fn handled(&self, cx: &Cx, spec: &'static OperationSpec, input: Value) -> Result<Value, ApiError> {
        let route = self.registry.route(spec).ok_or_else(|| ApiError::not_implemented(spec.name))?;
        let permit = match (&spec.authz, &route.targets) {
            (Authz::None { reason } | Authz::Unsigned { reason }, _) => cx.decide_nothing(reason),
            (Authz::Custom, Some(targets)) => cx.decide(&targets(cx, &input).await?).await?,
            (Authz::Targets(specs), _) => cx.decide(&bind_targets(cx, specs, &input)).await?,
            (Authz::Custom, None) => return Err(ApiError::internal(format!("{} has no targets", spec.name))),
        };
        if spec.access.mutates() {
            return Err(ApiError::internal(format!("{} changes something, which this API does not", spec.name)));
        }
        if let Some(shape) = spec.input {
            let violations = validate(shape, &input);
            if !violations.is_empty() {
                return Err(ApiError::validation(validation_message(&violations)));
            }
        }
        (route.handler)(cx, Authorized::new(&permit, input)).await
    }

    /// Records a request that no operation was run for.
    pub async fn record_refused(
        &self,
        cx: &Cx,
        name: Option<&str>,
        refusal: &Refusal,
        request: &str,
    ) -> Result<(), ApiError> {
        let found = name.map(|name| self.find(name)).transpose()?;
        let (code, message) = refusal.recorded();
        let recorded = Recorded {
            cx,
            spec: found.map(|(_, spec)| spec),
            event_source: found.map_or("sagemaker.amazonaws.com", |(service, _)| service.event_source),
            input: None,
            request,
        };
        let error = match refusal {
            Refusal::Denied(error) | Refusal::Failed(error) => Some(error),
            _ => None,
        };
        self.append(line(&recorded, Phase::Complete, Some((&code, &message)), error)).await
    }

    async fn append(&self, line: Vec<u8>) -> Result<(), ApiError> {
        self.journal.append(line).await.map_err(|error| {
            ApiError::unavailable("the call cannot be recorded in the audit journal and is refused").with_cause(error)
        })
    }
}
