//! Which records a reader wants, and whether a record is one of them.

use stoa_types::Timestamp;

use crate::AuditRecord;

/// Which records a reader wants.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// Not before.
    pub since: Option<Timestamp>,
    /// Not after.
    pub until: Option<Timestamp>,
    /// Exactly this event name.
    pub event_name: Option<String>,
    /// Exactly this event source.
    pub event_source: Option<String>,
    /// Contained in the caller's ARN.
    pub principal: Option<String>,
    /// Of this account: what it called, and what others did to what it owns, each as that account may see it.
    pub account: Option<String>,
    /// Exactly this request id.
    pub request_id: Option<String>,
    /// Exactly this error code.
    pub error_code: Option<String>,
    /// Only refused (true) or only answered (false) calls.
    pub denied: Option<bool>,
    /// The newest so many, in order of time.
    pub limit: Option<usize>,
}

/// Error codes of calls that were refused before anything was looked at: who called could not be told.
const AUTHENTICATION_FAILURES: [&str; 12] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

impl AuditQuery {
    /// Whether a (merged) record passes every filter. Times are compared by the second, as records carry them.
    pub fn matches(&self, record: &AuditRecord) -> bool {
        let same = |wanted: &Option<String>, text: &str| wanted.as_deref().is_none_or(|wanted| wanted == text);
        let code = record.error.as_ref().map(|error| error.error_code.as_str());
        same(&self.event_name, &record.event_name)
            && same(&self.event_source, &record.event_source)
            && same(&self.request_id, &record.request_id)
            && self.account.as_deref().is_none_or(|account| record.concerns(account))
            && self.principal.as_deref().is_none_or(|part| record.user_identity.arn.contains(part))
            && self.error_code.as_deref().is_none_or(|wanted| code == Some(wanted))
            && self.denied.is_none_or(|denied| denied == record.denied())
            && self.in_time(record)
    }

    /// A record that matches, as the account sees it that the query is for.
    pub fn shown(&self, record: AuditRecord) -> AuditRecord {
        match &self.account {
            Some(account) => record.seen_by(account),
            None => record,
        }
    }

    fn in_time(&self, record: &AuditRecord) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        // A time that cannot be read is in no range.
        let Ok(time) = Timestamp::parse_iso8601(&record.event_time) else { return false };
        self.since.is_none_or(|since| time.seconds() >= since.seconds())
            && self.until.is_none_or(|until| time.seconds() <= until.seconds())
    }
}

impl AuditRecord {
    /// Whether the call was refused: access denied, or the caller could not be authenticated.
    pub fn denied(&self) -> bool {
        self.error.as_ref().is_some_and(|error| {
            let code = error.error_code.as_str();
            code.starts_with("AccessDenied")
                || code.ends_with("UnauthorizedOperation")
                || AUTHENTICATION_FAILURES.contains(&code)
        })
    }
}
