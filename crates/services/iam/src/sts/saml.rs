//! AssumeRoleWithSAML: a role for whom a SAML provider of its account vouches by a signed response.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use stoa_assertions::{Assertion, Metadata, SamlError, verify_response};
use stoa_kernel::{ApiError, Authorized, Cx, FederatedCaller, Handles};
use stoa_models_sts::operations as op;
use stoa_models_sts::types::{AssumeRoleWithSAMLRequest, AssumeRoleWithSAMLResponse, AssumedRoleUser};
use stoa_types::AccountId;

use super::federated::{Asked, Keys, check_source_identity, is_session_name, role_account};
use super::{denied, wire_credentials};
use crate::Iam;
use crate::state::SamlRecord;

const ACTION: &str = "sts:AssumeRoleWithSAML";
const ATTRIBUTES: &str = "https://aws.amazon.com/SAML/Attributes/";
const FORMATS: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:";
/// The keys that AWS keeps for the session's whole life.
const KEPT: [&str; 3] = ["saml:namequalifier", "saml:sub", "saml:sub_type"];

/// Attributes that become condition keys. The names are those of eduPerson and eduOrg (by OID, as SAML profiles them),
/// of X.500, and of Active Directory's claims.
const MAPPED: [(&str, &str); 31] = [
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.1", "saml:edupersonaffiliation"),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.2", "saml:edupersonnickname"),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.3", "saml:edupersonorgdn"),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.4", "saml:edupersonorgunitdn"),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.5", "saml:edupersonprimaryaffiliation"),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.6", "saml:edupersonprincipalname"),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.7", "saml:edupersonentitlement"),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.8", "saml:edupersonprimaryorgunitdn"),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.9", "saml:edupersonscopedaffiliation"),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.10", "saml:edupersontargetedid"),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.11", "saml:edupersonassurance"),
    ("urn:oid:1.3.6.1.4.1.5923.1.2.1.2", "saml:eduorghomepageuri"),
    ("urn:oid:1.3.6.1.4.1.5923.1.2.1.3", "saml:eduorgidentityauthnpolicyuri"),
    ("urn:oid:1.3.6.1.4.1.5923.1.2.1.4", "saml:eduorglegalname"),
    ("urn:oid:1.3.6.1.4.1.5923.1.2.1.5", "saml:eduorgsuperioruri"),
    ("urn:oid:1.3.6.1.4.1.5923.1.2.1.6", "saml:eduorgwhitepagesuri"),
    ("urn:oid:2.5.4.3", "saml:cn"),
    ("urn:oid:2.5.4.4", "saml:surname"),
    ("urn:oid:2.5.4.42", "saml:givenName"),
    ("urn:oid:2.5.4.45", "saml:x500UniqueIdentifier"),
    ("urn:oid:0.9.2342.19200300.100.1.1", "saml:uid"),
    ("urn:oid:0.9.2342.19200300.100.1.3", "saml:mail"),
    ("urn:oid:0.9.2342.19200300.100.1.45", "saml:organizationStatus"),
    ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name", "saml:name"),
    ("http://schemas.xmlsoap.org/claims/CommonName", "saml:commonName"),
    ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname", "saml:givenName"),
    ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname", "saml:surname"),
    ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", "saml:mail"),
    ("http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid", "saml:primaryGroupSID"),
    ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/uid", "saml:uid"),
    ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/x500uniqueidentifier", "saml:x500UniqueIdentifier"),
];

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidIdentityTokenException", 400, message)
}

fn refused(error: SamlError) -> ApiError {
    match error {
        SamlError::Expired => {
            ApiError::new("ExpiredTokenException", 400, "Token must be redeemed within 5 minutes of issuance")
        }
        SamlError::Status => {
            ApiError::new("IDPRejectedClaimException", 403, "The identity provider reported that authentication failed")
        }
        SamlError::Signature(cause) => invalid(format!("Response signature invalid: {cause}")),
        SamlError::Issuer => invalid("Issuer not present in specified provider"),
        SamlError::Audience => invalid("Response does not contain the required audience."),
        SamlError::NotYet => invalid("Response is not valid yet"),
        SamlError::Malformed(_)
        | SamlError::Arrangement(_)
        | SamlError::Encrypted
        | SamlError::Recipient
        | SamlError::Subject(_) => invalid(format!("Invalid SAML response: {error}")),
    }
}

/// AWS's hash of issuer, account and provider: with the subject, it names a user for ever.
fn name_qualifier(issuer: &str, account: &AccountId, provider: &str) -> String {
    STANDARD.encode(Sha1::digest(format!("{issuer}{account}/{provider}")))
}

/// Persistent, transient, or the whole format where it is not one of SAML's own.
fn subject_type(format: &str) -> &str {
    format.strip_prefix(FORMATS).unwrap_or(format)
}

/// What AWS reads of an assertion's attributes.
struct Attributes<'a>(&'a Assertion);

impl<'a> Attributes<'a> {
    fn values(&self, name: &str) -> &'a [String] {
        self.0.attributes.get(&format!("{ATTRIBUTES}{name}")).map_or(&[], Vec::as_slice)
    }

    /// The one value of an attribute that has at most one.
    fn single(&self, name: &str) -> Result<Option<&'a str>, ApiError> {
        match self.values(name) {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            _ => Err(invalid(format!("{name} in AuthnResponse must have one value"))),
        }
    }

    /// Whether the pair of role and provider, in either order, is among those the identity provider grants.
    fn grants(&self, role: &str, provider: &str) -> bool {
        self.values("Role").iter().any(|pair| {
            let pair = pair.split_once(',').map(|(first, second)| (first.trim(), second.trim()));
            pair == Some((role, provider)) || pair == Some((provider, role))
        })
    }

    fn session_name(&self) -> Result<&'a str, ApiError> {
        let name = self.single("RoleSessionName")?;
        let name = name.ok_or_else(|| invalid("RoleSessionName is required in AuthnResponse"))?;
        if !is_session_name(name) {
            return Err(invalid("RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"));
        }
        Ok(name)
    }

    fn seconds(&self) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.single("SessionDuration")? else { return Ok(None) };
        let seconds = text.parse::<i64>().ok().filter(|seconds| (900..=43_200).contains(seconds));
        seconds.map(Some).ok_or_else(|| invalid("SessionDuration in AuthnResponse must be between 900 and 43200"))
    }

    fn tags(&self) -> Result<Vec<(String, String)>, ApiError> {
        let mut tags = Vec::new();
        let prefix = format!("{ATTRIBUTES}PrincipalTag:");
        for (name, values) in &self.0.attributes {
            let Some(key) = name.strip_prefix(&prefix) else { continue };
            match values.as_slice() {
                [value] => tags.push((key.to_owned(), value.clone())),
                _ => return Err(invalid(format!("PrincipalTag:{key} in AuthnResponse must have one value"))),
            }
        }
        Ok(tags)
    }
}

fn keys(assertion: &Assertion, account: &AccountId, provider: &str, qualifier: &str) -> Keys {
    let mut keys = Keys::new();
    for (attribute, key) in MAPPED {
        if let Some(values) = assertion.attributes.get(attribute).filter(|values| !values.is_empty()) {
            keys.entry(key.to_owned()).or_insert_with(|| values.clone());
        }
    }
    let own = [
        ("saml:aud", assertion.recipient.as_str()),
        ("saml:iss", assertion.issuer.as_str()),
        ("saml:sub", assertion.name_id.as_str()),
        ("saml:sub_type", subject_type(&assertion.name_id_format)),
        ("saml:doc", &*format!("{account}/{provider}")),
        ("saml:namequalifier", qualifier),
    ];
    for (key, value) in own {
        if !value.is_empty() {
            keys.insert(key.to_owned(), vec![value.to_owned()]);
        }
    }
    keys
}

impl Iam {
    /// The provider that a request names, in the role's account.
    async fn saml_provider(&self, account: &AccountId, arn: &str) -> Result<SamlRecord, ApiError> {
        let provider = self.entity::<SamlRecord>(account, arn).await;
        provider.map(|loaded| loaded.record).map_err(|error| match error.code() {
            "NoSuchEntityException" => invalid("Specified provider doesn't exist"),
            _ => error,
        })
    }
}

impl Handles<op::AssumeRoleWithSAML> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<AssumeRoleWithSAMLRequest>,
    ) -> Result<AssumeRoleWithSAMLResponse, ApiError> {
        let account = role_account(&input.role_arn, ACTION)?;
        let provider = self.saml_provider(&account, &input.principal_arn).await?;
        if provider.valid_until.is_some_and(|end| end <= cx.now) {
            return Err(invalid("The metadata of the specified provider is no longer valid"));
        }
        let metadata = Metadata::parse(&provider.metadata).map_err(ApiError::internal)?;
        let assertion = verify_response(&input.saml_assertion, &metadata, cx.now).map_err(refused)?;
        let qualifier = name_qualifier(&assertion.issuer, &account, &provider.name);
        cx.note_federated_caller(FederatedCaller {
            kind: "SAMLUser",
            principal_id: format!("{qualifier}:{}", assertion.name_id),
            user_name: assertion.name_id.clone(),
            identity_provider: qualifier.clone(),
            account: account.clone(),
        });
        let attributes = Attributes(&assertion);
        if !attributes.grants(&input.role_arn, &provider.arn) {
            return Err(denied(&format!("Not authorized to perform {ACTION}")));
        }
        let source_identity = attributes.single("SourceIdentity")?.map(str::to_owned);
        check_source_identity(source_identity.as_deref())?;
        let keys = keys(&assertion, &account, &provider.name, &qualifier);
        let kept = keys.iter().filter(|(key, _)| KEPT.contains(&key.as_str()));
        let asked = Asked {
            action: ACTION,
            role_arn: &input.role_arn,
            provider_arn: &provider.arn,
            session_name: attributes.session_name()?,
            session_keys: kept.map(|(key, values)| (key.clone(), values.clone())).collect(),
            keys,
            tags: attributes.tags()?,
            transitive: attributes.values("TransitiveTagKeys").to_vec(),
            source_identity: source_identity.clone(),
            policy: input.policy.as_deref(),
            policy_arns: input.policy_arns.as_deref(),
            seconds: input.duration_seconds.or(attributes.seconds()?),
            latest_end: assertion.session_ends,
        };
        let made = self.federated_session(cx, asked).await?;
        Ok(AssumeRoleWithSAMLResponse {
            credentials: Some(wire_credentials(&made.credentials)),
            assumed_role_user: Some(AssumedRoleUser {
                assumed_role_id: made.principal.principal_id,
                arn: made.principal.arn,
            }),
            packed_policy_size: made.packed_policy_size,
            subject: Some(assertion.name_id.clone()),
            subject_type: Some(subject_type(&assertion.name_id_format).to_owned()),
            issuer: Some(assertion.issuer.clone()),
            audience: Some(assertion.recipient.clone()),
            name_qualifier: Some(qualifier),
            source_identity,
            session_token_utilization: None,
            session_token_size: None,
        })
    }
}
