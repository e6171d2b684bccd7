//! THE pipeline: identify → authenticate → decode → bind → decide → audit → validate → handle → audit → encode.
//!
//! [`run`] reads top to bottom and is the only way to a handler. Stage 0 (limits) and stage 1 (identify) have been
//! done by the gateway, because they need the body unread.
//!
//! INVARIANTS
//! - A mutating call is durably in the journal before its handler runs; every call is before its answer leaves.
//! - A mutation and the record of its end run in a task of their own: a client that goes away stops neither.
//! - A call that cannot be audited is refused with 503.
//!
//! A crash between the two records of a mutation leaves a begin without an end, which the journal reports as `unknown`.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::HeaderValue;
use http::request::Parts;
use serde_json::{Value as Json, json};
use stoa_audit::{AuditError, Phase};
use stoa_codecs::{Encoded, RequestParts, protocol};
use stoa_kernel::{ApiError, Authorized, Connection, Cx, Permit, bind_targets, default_target};
use stoa_schema::{AuditKind, Authz, OperationSpec, ServiceSpec, Value, redact, to_json, validate, validation_message};
use stoa_sigv4::{SigError, SignatureRequest};
use stoa_types::{Timestamp, uuid_v4};

use crate::audit::{CallFacts, Caller, Outcome, line};
use crate::authenticate::{Failure, Presented, anonymous, authenticate};
use crate::errors::{
    decode_error, log_failure, recorded_code, signature_error, too_late, unaudited, unknown_operation, wire_error,
};
use crate::gateway::Gateway;
use crate::identify::{Call, header};

/// Inputs above this size are named in the journal, not copied into it.
const RECORDED_BYTES: usize = 100 * 1024;
const RECORDED_USER_AGENT: usize = 1024;

/// A request whose body is there and whose operation is found.
pub(crate) struct Arrived<'r> {
    pub parts: &'r Parts,
    pub body: Bytes,
    pub call: Call,
    pub signature: Result<Option<SignatureRequest<'r>>, SigError>,
    pub now: Timestamp,
    pub request_id: &'r str,
    pub connection: &'r Arc<Connection>,
}

/// What is known of a call so far, for its audit record: filled as the stages pass.
struct Trail {
    event_id: String,
    cx: Option<Arc<Cx>>,
    parameters: Option<Json>,
    /// The record of the end is written (or on its way, behind a durable begin).
    recorded: bool,
    /// The record of the beginning is durable.
    begun: bool,
}

/// Runs a call to its answer. `early` is a failure found before this point; it is audited like any other.
pub(crate) async fn run(gateway: &Arc<Gateway>, arrived: Arrived<'_>, early: Option<ApiError>) -> Encoded {
    let event_id = uuid_v4(&*gateway.platform().ids);
    let mut trail = Trail { event_id, cx: None, parameters: None, recorded: false, begun: false };
    let result = match early {
        Some(error) => Err(Failure::Api(error)),
        // A bug of ours costs this call alone.
        None => match AssertUnwindSafe(stages(gateway, &arrived, &mut trail)).catch_unwind().await {
            Ok(result) => result,
            Err(panic) => Err(ApiError::internal(panic_text(&*panic)).into()),
        },
    };
    // 9. audit complete: a failure before the handler, or a read
    let result = record_end(gateway, &arrived, &trail, result).await;
    // 10. encode
    let headers = trail.cx.as_ref().map(|cx| told_headers(cx, &result)).unwrap_or_default();
    let mut encoded = encode(&arrived, result);
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            encoded.headers.append(name, value);
        }
    }
    encoded
}

/// What the headers of the answer tell beside it.
fn told_headers(cx: &Cx, result: &Result<Value, Failure>) -> Vec<(&'static str, String)> {
    match result {
        Err(Failure::Api(error)) => cx.answer_headers(error.code() == "AccessDeniedException", error.refusal()),
        Ok(_) | Err(Failure::Signature(_)) => cx.answer_headers(false, None),
    }
}

/// Stage 10: the answer in the protocol of the request.
fn encode(arrived: &Arrived<'_>, result: Result<Value, Failure>) -> Encoded {
    let Call { service, spec, protocol: name, .. } = arrived.call;
    let codec = protocol(name);
    match (result, spec) {
        (Ok(output), Some(spec)) => codec.encode(spec, &output, arrived.request_id),
        (Ok(_), None) => {
            let error = wire_error(&unknown_operation(&arrived.call.name), name, None);
            codec.encode_error(None, service, &error, arrived.request_id)
        }
        (Err(Failure::Signature(error)), spec) => {
            codec.encode_error(spec, service, &signature_error(&error, name), arrived.request_id)
        }
        (Err(Failure::Api(error)), spec) => {
            log_failure(&error, &arrived.call.name, arrived.request_id);
            codec.encode_error(spec, service, &wire_error(&error, name, spec), arrived.request_id)
        }
    }
}

/// Stages 2 to 8 (and 9 for mutations, whose end must be recorded though the caller be gone).
async fn stages(gateway: &Arc<Gateway>, arrived: &Arrived<'_>, trail: &mut Trail) -> Result<Value, Failure> {
    let call = &arrived.call;
    // 2. authenticate
    let signature = arrived.signature.as_ref().map_err(Clone::clone)?.as_ref();
    let presented = Presented {
        parts: arrived.parts,
        body: &arrived.body,
        call,
        now: arrived.now,
        request_id: arrived.request_id,
        connection: arrived.connection,
    };
    let cx = match (signature, call.spec) {
        (Some(signature), _) => authenticate(gateway, &presented, signature).await?,
        (None, Some(spec)) if spec.takes_unsigned() => anonymous(gateway, &presented)?,
        (None, _) => return Err(SigError::MissingAuthenticationToken.into()),
    };
    let cx = Arc::new(cx);
    trail.cx = Some(Arc::clone(&cx));
    let spec = call.spec.ok_or_else(|| unknown_operation(&call.name))?;
    // 3. decode
    let input = decode(arrived, spec)?;
    trail.parameters = parameters(spec, &input, arrived.body.len());
    // 4. bind, 5. decide
    let permit = decide(gateway, &cx, call.service, spec, &input).await?;
    if gateway.registry().route(spec).is_none() {
        return Err(ApiError::not_implemented(spec.name).into());
    }
    // 6. audit begin
    if spec.access.mutates() {
        let facts = facts_of(call.service, spec, &cx, &trail.event_id);
        let parameters = trail.parameters.as_ref();
        let outcome = Outcome { parameters, additional: cx.additional_data(None), ..Outcome::default() };
        append(gateway, line(&facts, Caller::Known(&cx.principal), Phase::Begin, outcome)).await.map_err(unaudited)?;
        trail.begun = true;
    }
    // 7. validate
    if let Some(shape) = spec.input {
        let violations = validate(shape, &input);
        if !violations.is_empty() {
            return Err(ApiError::validation(validation_message(&violations)).into());
        }
    }
    // 8. handle
    let input = Authorized::new(&permit, input);
    let (event_id, traced) = (trail.event_id.clone(), cx.traced());
    let work = Work { gateway: Arc::clone(gateway), service: call.service, spec, cx, event_id, traced };
    if spec.access.mutates() {
        trail.recorded = true;
        let parameters = trail.parameters.take();
        let task = gateway.mutations().spawn(async move {
            let result = work.handle(input).await;
            work.record_mutation(parameters, &result).await;
            result
        });
        return task.await.unwrap_or_else(|error| Err(ApiError::internal(error))).map_err(Failure::Api);
    }
    if spec.audit == AuditKind::Data {
        return overlap(gateway, &work, input, trail).await;
    }
    work.handle(input).await.map_err(Failure::Api)
}

/// Stage 3. An operation that is not implemented has no schema; it is decided on an empty input.
fn decode(arrived: &Arrived<'_>, spec: &OperationSpec) -> Result<Value, ApiError> {
    if spec.input.is_none() {
        return Ok(Value::empty());
    }
    let parts = RequestParts {
        method: &arrived.parts.method,
        path: arrived.parts.uri.path(),
        query: arrived.parts.uri.query().unwrap_or(""),
        headers: &arrived.parts.headers,
    };
    protocol(arrived.call.protocol).decode(spec, &parts, &arrived.body).map_err(decode_error)
}

/// Stages 4 and 5: the targets by table, or by hand where the table says so; each of them must be allowed.
async fn decide(
    gateway: &Gateway,
    cx: &Cx,
    service: &ServiceSpec,
    spec: &'static OperationSpec,
    input: &Value,
) -> Result<Permit, ApiError> {
    let route = gateway.registry().route(spec);
    let targets = match &spec.authz {
        Authz::None { reason } | Authz::Unsigned { reason } => return Ok(cx.decide_nothing(reason)),
        Authz::Targets(specs) => {
            let mut targets = bind_targets(cx, specs, input);
            if let Some(further) = gateway.registry().further_targets(spec) {
                targets.extend((further.targets)(cx, input).await?);
            }
            targets
        }
        Authz::Custom => match route.and_then(|route| route.targets.as_ref()) {
            Some(targets) => targets(cx, input).await?,
            // Not implemented, so nobody wrote its targets: its own action on everything.
            None => vec![default_target(service.action_prefix, spec)],
        },
    };
    // INVARIANT: an operation that must be decided names at least one target; none would be an open door.
    if targets.is_empty() {
        return cx.decide(&[default_target(service.action_prefix, spec)]).await;
    }
    cx.decide(&targets).await
}

/// What the handling of one call owns, so that it can outlive its connection.
struct Work {
    gateway: Arc<Gateway>,
    service: &'static ServiceSpec,
    spec: &'static OperationSpec,
    cx: Arc<Cx>,
    event_id: String,
    /// How much had been decided when the begin record was written.
    traced: usize,
}

impl Work {
    /// Stage 8, within the request's time; a panic becomes an internal error of this call alone.
    async fn handle(&self, input: Authorized<Value>) -> Result<Value, ApiError> {
        let Some(route) = self.gateway.registry().route(self.spec) else {
            return Err(ApiError::not_implemented(self.spec.name));
        };
        let handled = AssertUnwindSafe((route.handler)(&self.cx, input)).catch_unwind();
        match tokio::time::timeout(self.gateway.config().limits.request, handled).await {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => Err(ApiError::internal(panic_text(&*panic))),
            Err(_) => Err(too_late()),
        }
    }

    /// Stage 9 of a mutation. It has happened, so its record is tried again rather than the answer withdrawn; the
    /// begin record is durable in any case.
    async fn record_mutation(&self, parameters: Option<Json>, result: &Result<Value, ApiError>) {
        let bytes = self.end_line(parameters.as_ref(), result);
        for pause in [20, 200, 1000, 0] {
            match append(&self.gateway, bytes.clone()).await {
                Ok(()) => return,
                Err(error) if pause == 0 => {
                    let request_id = &self.cx.request_id;
                    tracing::error!(%error, request_id, operation = self.spec.name, "the end of a mutation is not recorded");
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(pause)).await,
            }
        }
    }

    fn end_line(&self, parameters: Option<&Json>, result: &Result<Value, ApiError>) -> Vec<u8> {
        let facts = facts_of(self.service, self.spec, &self.cx, &self.event_id);
        let mut outcome = Outcome { parameters, ..Outcome::default() };
        match result {
            Ok(output) if self.spec.access.mutates() => outcome.response = response_elements(self.spec, output),
            Ok(_) => {}
            Err(error) => note_error(&mut outcome, error),
        }
        let refusal = result.as_ref().err().and_then(ApiError::refusal);
        // The begin record has what was decided before; both are read as one. Who else has the record is said by its end.
        if refusal.is_some() || self.cx.traced() > self.traced || !self.cx.other_owners().is_empty() {
            outcome.additional = self.cx.additional_data(refusal);
        }
        line(&facts, Caller::Known(&self.cx.principal), Phase::Complete, outcome)
    }
}

/// Data calls (invocations) change nothing of ours and must be quick: the begin record becomes durable while the
/// handler works, and both must be done before the answer leaves; the end record follows behind.
async fn overlap(
    gateway: &Arc<Gateway>,
    work: &Work,
    input: Authorized<Value>,
    trail: &mut Trail,
) -> Result<Value, Failure> {
    let facts = facts_of(work.service, work.spec, &work.cx, &work.event_id);
    let parameters = trail.parameters.as_ref();
    let outcome = Outcome { parameters, additional: work.cx.additional_data(None), ..Outcome::default() };
    let begin = line(&facts, Caller::Known(&work.cx.principal), Phase::Begin, outcome);
    let (begun, result) = tokio::join!(append(gateway, begin), work.handle(input));
    begun.map_err(unaudited)?;
    trail.begun = true;
    trail.recorded = true;
    let end = work.end_line(trail.parameters.as_ref(), &result);
    let (owner, request_id) = (Arc::clone(gateway), work.cx.request_id.clone());
    gateway.mutations().spawn(async move {
        if let Err(error) = append(&owner, end).await {
            tracing::error!(%error, request_id, "the end of a data call is not recorded");
        }
    });
    result.map_err(Failure::Api)
}

/// Stage 9 of everything but handled mutations: one record with the result. Who cannot be audited gets no result.
async fn record_end(
    gateway: &Gateway,
    arrived: &Arrived<'_>,
    trail: &Trail,
    result: Result<Value, Failure>,
) -> Result<Value, Failure> {
    if trail.recorded {
        return result;
    }
    let mut outcome = Outcome { parameters: trail.parameters.as_ref(), ..Outcome::default() };
    let signature_text;
    match &result {
        Ok(_) => {}
        Err(Failure::Api(error)) => note_error(&mut outcome, error),
        Err(Failure::Signature(error)) => {
            // The short form: the wire message repeats the request's headers.
            let wire = error.wire(crate::errors::dialect(arrived.call.protocol));
            signature_text = error.to_string();
            outcome.error = Some((wire.code, &signature_text));
        }
    }
    let bytes = match &trail.cx {
        Some(cx) => {
            let federated = cx.federated_caller();
            let facts = CallFacts { region: cx.region.as_str(), federated, ..early_facts(arrived, &trail.event_id) };
            let refusal = match &result {
                Err(Failure::Api(error)) => error.refusal(),
                _ => None,
            };
            outcome.additional = cx.additional_data(refusal);
            line(&facts, Caller::Known(&cx.principal), Phase::Complete, outcome)
        }
        None => {
            let claimed = arrived.signature.as_ref().ok().and_then(|found| found.as_ref());
            let key = claimed.map_or("", |found| cut(&found.access_key_id, 128));
            line(&early_facts(arrived, &trail.event_id), Caller::Claimed(key), Phase::Complete, outcome)
        }
    };
    match append(gateway, bytes).await {
        Ok(()) => result,
        Err(error) if trail.begun => {
            tracing::error!(%error, request_id = arrived.request_id, "the end of a refused call is not recorded");
            result
        }
        Err(error) => Err(unaudited(error).into()),
    }
}

async fn append(gateway: &Gateway, line: Vec<u8>) -> Result<(), AuditError> {
    gateway.journal().append(line).await
}

fn note_error<'e>(outcome: &mut Outcome<'e>, error: &'e ApiError) {
    outcome.error = Some((recorded_code(error.code()), error.message()));
}

/// The input as the journal shows it: sensitive members and blobs replaced, large inputs only named.
fn parameters(spec: &OperationSpec, input: &Value, size: usize) -> Option<Json> {
    let shape = spec.input?;
    if size > RECORDED_BYTES && spec.audit == AuditKind::Management {
        return Some(json!({ "omitted": true, "originalSize": size, "reason": "the input is larger than 100 KiB" }));
    }
    Some(to_json(&redact(shape, input)))
}

fn response_elements(spec: &OperationSpec, output: &Value) -> Option<Json> {
    spec.output.map(|shape| to_json(&redact(shape, output)))
}

fn facts_of<'a>(
    service: &'static ServiceSpec,
    spec: &'static OperationSpec,
    cx: &'a Cx,
    event_id: &'a str,
) -> CallFacts<'a> {
    CallFacts {
        service,
        spec: Some(spec),
        name: spec.name,
        now: cx.now,
        region: cx.region.as_str(),
        peer: cx.connection.peer,
        user_agent: cut(&cx.user_agent, RECORDED_USER_AGENT),
        request_id: &cx.request_id,
        event_id,
        federated: cx.federated_caller(),
        vpc_endpoint: cx.connection.vpc_endpoint.as_ref().map(|endpoint| &*endpoint.id),
    }
}

fn early_facts<'a>(arrived: &'a Arrived<'_>, event_id: &'a str) -> CallFacts<'a> {
    let claimed = arrived.signature.as_ref().ok().and_then(|found| found.as_ref());
    CallFacts {
        service: arrived.call.service,
        spec: arrived.call.spec,
        name: recorded_name(&arrived.call),
        now: arrived.now,
        region: claimed.map_or("", |found| cut(&found.region, 64)),
        peer: arrived.connection.peer,
        user_agent: cut(header(arrived.parts, "user-agent").unwrap_or(""), RECORDED_USER_AGENT),
        request_id: arrived.request_id,
        event_id,
        federated: None,
        vpc_endpoint: arrived.connection.vpc_endpoint.as_ref().map(|endpoint| &*endpoint.id),
    }
}

fn recorded_name(call: &Call) -> &str {
    match (call.spec, &*call.name) {
        (Some(spec), _) => spec.name,
        (None, "") => "Unknown",
        (None, name) => cut(name, 128),
    }
}

/// At most so many bytes, ending at a character.
fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or("")
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("no message"))
}
