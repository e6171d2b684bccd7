//! A call as a line of the audit journal: the record of the operation it was translated into, with the request beside it.
//!
//! INVARIANT: no token, secret or file byte is ever an input.

use serde_json::{Map, Value as Json, json};
use stoa_audit::{AuditRecord, ErrorInfo, Phase, UserIdentity};
use stoa_kernel::{ApiError, Cx, Principal, PrincipalIdentity};
use stoa_schema::{OperationSpec, Value, redact, to_json};

/// The longest path that is recorded.
const RECORDED_PATH: usize = 1024;

/// What a record is about.
pub(crate) struct Recorded<'r> {
    pub cx: &'r Cx,
    /// None for a request that means no operation.
    pub spec: Option<&'static OperationSpec>,
    pub event_source: &'r str,
    pub input: Option<&'r Value>,
    /// `GET /org/name/resolve/main/config.json`.
    pub request: &'r str,
}

/// The record in this phase.
pub(crate) fn line(
    recorded: &Recorded<'_>,
    phase: Phase,
    error: Option<(&str, &str)>,
    refused: Option<&ApiError>,
) -> Vec<u8> {
    let Recorded { cx, spec, event_source, input, request } = recorded;
    let shape = spec.and_then(|spec| spec.input);
    let record = AuditRecord {
        event_version: "1.11".to_owned(),
        user_identity: identity(&cx.principal),
        event_time: cx.now.iso8601(),
        event_source: (*event_source).to_owned(),
        event_name: spec.map_or("Unknown", |spec| spec.name).to_owned(),
        aws_region: cx.region.to_string(),
        source_ip_address: cx.connection.peer.to_string(),
        user_agent: cut(&cx.user_agent, RECORDED_PATH),
        error: error.map(|(code, message)| ErrorInfo {
            error_code: if code == "AccessDeniedException" { "AccessDenied" } else { code }.to_owned(),
            error_message: message.to_owned(),
        }),
        request_parameters: match (shape, input) {
            (Some(shape), Some(input)) => to_json(&redact(shape, input)),
            _ => Json::Null,
        },
        response_elements: Json::Null,
        additional_event_data: additional(cx, request, refused),
        request_id: cx.request_id.clone(),
        event_id: stoa_types::uuid_v4(&*cx.platform.ids),
        read_only: spec.is_some_and(|spec| !spec.access.mutates()),
        event_type: "AwsApiCall".to_owned(),
        management_event: true,
        recipient_account_id: cx.principal.account.to_string(),
        event_category: "Management".to_owned(),
        vpc_endpoint_id: cx.connection.vpc_endpoint.as_ref().map(|endpoint| endpoint.id.clone()),
        phase,
    };
    // Plain data always serializes; were it not to, an empty line is refused by the journal.
    record.encode().unwrap_or_default()
}

fn additional(cx: &Cx, request: &str, refused: Option<&ApiError>) -> Json {
    let told = cx.additional_data(refused.and_then(ApiError::refusal)).and_then(|told| serde_json::to_value(told).ok());
    let mut data = match told {
        Some(Json::Object(told)) => told,
        _ => Map::new(),
    };
    data.insert("huggingFaceRequest".to_owned(), json!(cut(request, RECORDED_PATH)));
    Json::Object(data)
}

fn cut(text: &str, most: usize) -> String {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or("").to_owned()
}

fn identity(principal: &Principal) -> UserIdentity {
    if principal.identity == PrincipalIdentity::Anonymous {
        return UserIdentity { kind: "Unknown".to_owned(), ..UserIdentity::default() };
    }
    let user_name = match &principal.identity {
        PrincipalIdentity::User { name } => Some(name.clone()),
        _ => None,
    };
    UserIdentity {
        kind: principal.type_name().to_owned(),
        principal_id: principal.principal_id.clone(),
        arn: principal.arn.clone(),
        account_id: principal.account.to_string(),
        access_key_id: principal.access_key_id.clone(),
        user_name,
        session_context: principal.session_record().and_then(|session| serde_json::to_value(session).ok()),
        identity_provider: None,
    }
}
