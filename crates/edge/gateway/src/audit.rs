//! A call as one line of the audit journal, written from borrowed parts in CloudTrail's form.
//!
//! INVARIANT: the line parses as [`stoa_audit::AuditRecord`] (a test holds it to that); no secret, signature, session
//! token or body byte is ever an input of it.

use serde::Serialize;
use serde_json::Value as Json;
use stoa_audit::Phase;
use stoa_kernel::{AdditionalData, FederatedCaller, Principal, PrincipalIdentity, SessionRecord};
use stoa_schema::{AuditKind, OperationSpec, ServiceSpec};
use stoa_types::Timestamp;

/// What is known of a call from its first moment on.
#[derive(Debug)]
pub(crate) struct CallFacts<'a> {
    pub service: &'static ServiceSpec,
    /// Absent for operations no model knows.
    pub spec: Option<&'static OperationSpec>,
    /// The operation's name as the caller gave it.
    pub name: &'a str,
    pub now: Timestamp,
    pub region: &'a str,
    pub peer: std::net::IpAddr,
    pub user_agent: &'a str,
    pub request_id: &'a str,
    pub event_id: &'a str,
    /// Who an unsigned call turned out to be from.
    pub federated: Option<&'a FederatedCaller>,
    pub vpc_endpoint: Option<&'a str>,
}

/// Who the record names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Caller<'a> {
    /// Authenticated.
    Known(&'a Principal),
    /// Not authenticated; the access key id is what the request claimed, possibly nothing.
    Claimed(&'a str),
}

/// How the call ended, if it did.
#[derive(Debug, Default)]
pub(crate) struct Outcome<'a> {
    pub error: Option<(&'a str, &'a str)>,
    pub parameters: Option<&'a Json>,
    pub response: Option<Json>,
    /// What was decided and why it was refused.
    pub additional: Option<AdditionalData<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    event_version: &'static str,
    user_identity: Identity<'a>,
    event_time: String,
    event_source: &'a str,
    event_name: &'a str,
    aws_region: &'a str,
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: std::net::IpAddr,
    #[serde(skip_serializing_if = "str::is_empty")]
    user_agent: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
    request_parameters: Option<&'a Json>,
    response_elements: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_event_data: Option<AdditionalData<'a>>,
    #[serde(rename = "requestID")]
    request_id: &'a str,
    #[serde(rename = "eventID")]
    event_id: &'a str,
    read_only: bool,
    event_type: &'static str,
    management_event: bool,
    recipient_account_id: &'a str,
    event_category: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    vpc_endpoint_id: Option<&'a str>,
    #[serde(rename = "stoaPhase")]
    phase: Phase,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    principal_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    arn: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    account_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    access_key_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_context: Option<SessionRecord<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_provider: Option<&'a str>,
}

/// The journal's line for this call in this phase.
pub(crate) fn line(facts: &CallFacts<'_>, caller: Caller<'_>, phase: Phase, outcome: Outcome<'_>) -> Vec<u8> {
    let management = facts.spec.is_none_or(|spec| spec.audit == AuditKind::Management);
    let account = match (facts.federated, caller) {
        (Some(federated), _) => federated.account.as_str(),
        (None, Caller::Known(principal)) => principal.account.as_str(),
        (None, Caller::Claimed(_)) => "",
    };
    let line = Line {
        event_version: "1.11",
        user_identity: facts.federated.map_or_else(|| identity(caller), federated_identity),
        event_time: facts.now.iso8601(),
        event_source: facts.service.event_source,
        event_name: facts.name,
        aws_region: facts.region,
        source_ip_address: facts.peer,
        user_agent: facts.user_agent,
        error_code: outcome.error.map(|(code, _)| code),
        error_message: outcome.error.map(|(_, message)| message),
        request_parameters: outcome.parameters,
        response_elements: outcome.response,
        additional_event_data: outcome.additional,
        request_id: facts.request_id,
        event_id: facts.event_id,
        read_only: facts.spec.is_some_and(|spec| !spec.access.mutates()),
        event_type: "AwsApiCall",
        management_event: management,
        recipient_account_id: account,
        event_category: if management { "Management" } else { "Data" },
        vpc_endpoint_id: facts.vpc_endpoint,
        phase,
    };
    let mut bytes = Vec::with_capacity(1024);
    // Writing plain data to memory does not fail; were it to, an empty line is refused by the journal.
    if let Err(error) = serde_json::to_writer(&mut bytes, &line) {
        tracing::error!(%error, "cannot write an audit record");
        bytes.clear();
    }
    bytes
}

/// CloudTrail's identity of who presented an assertion: it has no ARN and no key.
fn federated_identity(caller: &FederatedCaller) -> Identity<'_> {
    Identity {
        kind: caller.kind,
        principal_id: &caller.principal_id,
        arn: "",
        account_id: "",
        access_key_id: "",
        user_name: Some(&caller.user_name),
        session_context: None,
        identity_provider: Some(&caller.identity_provider),
    }
}

fn identity<'a>(caller: Caller<'a>) -> Identity<'a> {
    let principal = match caller {
        Caller::Known(principal) => principal,
        Caller::Claimed(access_key_id) => {
            return Identity {
                kind: "Unknown",
                principal_id: "",
                arn: "",
                account_id: "",
                access_key_id,
                user_name: None,
                session_context: None,
                identity_provider: None,
            };
        }
    };
    let user_name = match &principal.identity {
        PrincipalIdentity::User { name } => Some(&**name),
        _ => None,
    };
    Identity {
        kind: principal.type_name(),
        principal_id: &principal.principal_id,
        arn: &principal.arn,
        account_id: principal.account.as_str(),
        access_key_id: &principal.access_key_id,
        user_name,
        session_context: principal.session_record(),
        identity_provider: None,
    }
}
