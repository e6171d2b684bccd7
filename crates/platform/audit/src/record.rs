//! A call as CloudTrail records it (event version 1.11; the seeds' pages 8189-8190 show 1.05).

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Room for a usual record, so that encoding one allocates once.
const USUAL_BYTES: usize = 1536;

/// Where a record stands in the life of its call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Written before a mutating call was handled.
    Begin,
    /// The call is answered.
    #[default]
    Complete,
    /// A begin whose end was never written: the server died in between.
    Unknown,
}

/// A CloudTrail record. Field names on disk are CloudTrail's; `stoa*` fields are ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditRecord {
    /// `1.11`.
    pub event_version: String,
    /// Who.
    pub user_identity: UserIdentity,
    /// When, ISO 8601.
    pub event_time: String,
    /// `sagemaker.amazonaws.com`.
    pub event_source: String,
    /// `CreateHub`.
    pub event_name: String,
    /// `us-west-2`.
    pub aws_region: String,
    /// The caller's address.
    #[serde(rename = "sourceIPAddress")]
    pub source_ip_address: String,
    /// The `User-Agent`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user_agent: String,
    /// The error, where the call failed.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorInfo>,
    /// The input without what is sensitive; null for data events.
    #[serde(default)]
    pub request_parameters: Json,
    /// The output of a mutating call; null for reads.
    #[serde(default)]
    pub response_elements: Json,
    /// What it was about and why it was refused.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub additional_event_data: Json,
    /// The id the caller saw.
    #[serde(rename = "requestID")]
    pub request_id: String,
    /// Unique to this record.
    #[serde(rename = "eventID")]
    pub event_id: String,
    /// Whether the call changes nothing.
    #[serde(default)]
    pub read_only: bool,
    /// `AwsApiCall`.
    pub event_type: String,
    /// Whether it is a management event.
    #[serde(default = "yes")]
    pub management_event: bool,
    /// The account that has this record: the caller's, or (S3, and a call that is shown to it) who owns what it was about.
    pub recipient_account_id: String,
    /// `Management` or `Data`.
    #[serde(default = "management")]
    pub event_category: String,
    /// The VPC endpoint, where the call came through one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_endpoint_id: Option<String>,
    /// Begin, complete or unknown.
    #[serde(default, rename = "stoaPhase")]
    pub phase: Phase,
}

fn yes() -> bool {
    true
}

fn management() -> String {
    "Management".to_owned()
}

impl AuditRecord {
    /// The record as one line of JSON, without its newline, for [`crate::Journal::append`].
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut line = Vec::with_capacity(USUAL_BYTES);
        serde_json::to_writer(&mut line, self)?;
        Ok(line)
    }
    /// Reads a line back.
    pub fn decode(line: &[u8]) -> Result<AuditRecord, serde_json::Error> {
        serde_json::from_slice(line)
    }
    /// The end of a call, completed with what only its beginning recorded. The end's own fields count, where set.
    #[must_use]
    pub fn merge(begin: AuditRecord, mut complete: AuditRecord) -> AuditRecord {
        let fill = |end: &mut Json, start: Json| {
            if end.is_null() {
                *end = start;
            }
        };
        fill(&mut complete.request_parameters, begin.request_parameters);
        fill(&mut complete.additional_event_data, begin.additional_event_data);
        if complete.user_agent.is_empty() {
            complete.user_agent = begin.user_agent;
        }
        complete.vpc_endpoint_id = complete.vpc_endpoint_id.or(begin.vpc_endpoint_id);
        complete
    }
    /// What is recorded of a call whose end was never written.
    #[must_use]
    pub fn into_unknown(self) -> AuditRecord {
        AuditRecord { phase: Phase::Unknown, ..self }
    }
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorInfo {
    /// `AccessDenied`, `ValidationException`, …
    pub error_code: String,
    /// What the caller was told.
    #[serde(default)]
    pub error_message: String,
}

/// CloudTrail's `userIdentity`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct UserIdentity {
    /// `Root`, `IAMUser`, `AssumedRole`, `AWSService`, `WebIdentityUser`, `SAMLUser`, `Unknown`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `AIDA…`, `AROA…:session`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub principal_id: String,
    /// The caller's ARN.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub arn: String,
    /// The caller's account.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub account_id: String,
    /// The key the call was signed with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub access_key_id: String,
    /// For IAM users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// For role sessions: issuer and attributes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_context: Option<serde_json::Value>,
    /// For `WebIdentityUser` and `SAMLUser`: who vouched for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_provider: Option<String>,
}
