//! A call as a line of the audit journal, in CloudTrail's form for S3.
//!
//! INVARIANT: no secret, signature, token or body byte is ever an input; of the query only bucket and key are kept.

use serde_json::{Value as Json, json};
use stoa_audit::{AuditRecord, ErrorInfo, Phase, UserIdentity};
use stoa_kernel::{Principal, PrincipalIdentity};

use crate::call::{AuthType, Call};

/// The record of the call in this phase; with code and message where it failed.
pub(crate) fn line(call: &Call, phase: Phase, error: Option<(String, String)>) -> Vec<u8> {
    let cx = &call.cx;
    let operation = call.operation.get();
    let management = operation.is_none_or(|operation| operation.management);
    let owner = call.owner.get().unwrap_or(&cx.principal.account);
    let record = AuditRecord {
        event_version: "1.11".to_owned(),
        user_identity: identity(&cx.principal, &call.claimed_key),
        event_time: cx.now.iso8601(),
        event_source: "s3.amazonaws.com".to_owned(),
        event_name: event_name(operation.map_or("Unknown", |operation| &operation.name)).to_owned(),
        aws_region: cx.region.to_string(),
        source_ip_address: cx.connection.peer.to_string(),
        user_agent: cx.user_agent.clone(),
        error: error.map(|(error_code, error_message)| ErrorInfo { error_code, error_message }),
        request_parameters: parameters(call),
        response_elements: Json::Null,
        additional_event_data: additional(call),
        request_id: cx.request_id.clone(),
        event_id: stoa_types::uuid_v4(&*cx.platform.ids),
        read_only: operation.is_some_and(|operation| !operation.mutates),
        event_type: "AwsApiCall".to_owned(),
        management_event: management,
        recipient_account_id: owner.to_string(),
        event_category: if management { "Management" } else { "Data" }.to_owned(),
        vpc_endpoint_id: cx.connection.vpc_endpoint.as_ref().map(|endpoint| endpoint.id.clone()),
        phase,
    };
    // Plain data always serializes; were it not to, an empty line is refused by the journal.
    serde_json::to_vec(&record).unwrap_or_default()
}

/// CloudTrail knows one listing.
fn event_name(name: &str) -> &str {
    match name {
        "ListObjectsV2" => "ListObjects",
        name => name,
    }
}

fn parameters(call: &Call) -> Json {
    match (call.bucket.get(), call.key.get()) {
        (Some(bucket), Some(key)) => json!({ "bucketName": bucket, "key": key }),
        (Some(bucket), None) => json!({ "bucketName": bucket }),
        (None, _) => Json::Null,
    }
}

fn additional(call: &Call) -> Json {
    let mut data = serde_json::Map::new();
    let method = match call.auth_type {
        AuthType::Header => Some(("AuthHeader", "SigV4")),
        AuthType::Query => Some(("QueryString", "SigV4")),
        AuthType::QueryVersion2 => Some(("QueryString", "SigV2")),
        AuthType::Form => Some(("HtmlForm", "SigV4")),
        AuthType::FormVersion2 => Some(("HtmlForm", "SigV2")),
        AuthType::None => None,
    };
    if let Some((method, version)) = method {
        data.insert("AuthenticationMethod".to_owned(), json!(method));
        data.insert("SignatureVersion".to_owned(), json!(version));
    }
    let refusal = call.refusal.lock();
    let told = call.cx.additional_data(refusal.as_ref()).and_then(|told| serde_json::to_value(told).ok());
    if let Some(Json::Object(told)) = told {
        data.extend(told);
    }
    if data.is_empty() { Json::Null } else { Json::Object(data) }
}

fn identity(principal: &Principal, claimed_key: &str) -> UserIdentity {
    if principal.identity == PrincipalIdentity::Anonymous {
        let kind = "Unknown".to_owned();
        return UserIdentity { kind, access_key_id: claimed_key.to_owned(), ..UserIdentity::default() };
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
