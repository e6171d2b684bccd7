//! CloudTrail's `sessionContext` of a principal with temporary credentials: the same in every record of the journal.

use serde::Serialize;

use crate::{Principal, PrincipalIdentity};

/// Who issued a session, and what is known of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionRecord<'a> {
    session_issuer: SessionIssuer<'a>,
    attributes: SessionAttributes<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionIssuer<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    principal_id: &'a str,
    arn: &'a str,
    account_id: &'a str,
    user_name: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionAttributes<'a> {
    creation_date: String,
    mfa_authenticated: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_identity: Option<&'a str>,
}

impl Principal {
    /// The `sessionContext` of an audit record; none for long-term credentials.
    pub fn session_record(&self) -> Option<SessionRecord<'_>> {
        let session = self.session.as_ref()?;
        let attributes = SessionAttributes {
            creation_date: session.issued_at.iso8601(),
            mfa_authenticated: if session.mfa_authenticated_at.is_some() { "true" } else { "false" },
            source_identity: session.source_identity.as_deref(),
        };
        let (kind, arn, user_name) = match &self.identity {
            PrincipalIdentity::AssumedRole { role_arn, role_name, .. } => ("Role", &**role_arn, &**role_name),
            PrincipalIdentity::User { name } => ("IAMUser", &*self.arn, &**name),
            _ => (self.type_name(), &*self.arn, ""),
        };
        let principal_id = self.principal_id.split(':').next().unwrap_or_default();
        let session_issuer = SessionIssuer { kind, principal_id, arn, account_id: self.account.as_str(), user_name };
        Some(SessionRecord { session_issuer, attributes })
    }
}
