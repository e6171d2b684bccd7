//! Who calls: SigV4 in a header or in the query (or a presigned URL of Version 2), over the request as it came, before anything is decoded.
//!
//! INVARIANT: s3s sees no signature at all; what it is given was proved here, or carries the failure with it.

use std::sync::Arc;

use http::HeaderMap;
use http::request::Parts;
use stoa_kernel::ports::Credential;
use stoa_kernel::{ApiError, Cx, Principal};
use stoa_sigv4::{
    Dialect, Form, PayloadMode, RequestParts, SigError, SignatureRequest, parse_credential, verify, verify_text,
};
use stoa_types::{Partition, Region, Secret};

use crate::call::AuthType;
use crate::chunked::ChunkKey;
use crate::form::{self, Claim, ClaimKind, Fields};
use crate::service::{Inner, ServerCall};
use crate::signature_v2::{self, Presigned};

/// What authentication found out.
pub(crate) struct Authenticated {
    pub cx: Cx,
    pub auth_type: AuthType,
    pub claimed_key: String,
    pub failure: Option<ApiError>,
    /// How the body is bound to the signature, and for signed chunks with which key.
    pub payload: Option<(PayloadMode, Option<ChunkKey>)>,
}

fn told(error: SigError) -> ApiError {
    if error == SigError::MissingAuthenticationToken {
        return ApiError::access_denied("Access Denied");
    }
    let wire = error.wire(Dialect::S3);
    ApiError::new(wire.code, wire.status, wire.message)
}

/// A claim that cannot be read is named after where it stands.
fn told_of(form: Form, error: SigError) -> ApiError {
    match (form, error) {
        (Form::Query, SigError::IncompleteSignature(text) | SigError::Scope(text)) => {
            ApiError::new("AuthorizationQueryParametersError", 400, text)
        }
        (_, error) => told(error),
    }
}

/// What S3 refuses before it reads a claim: two of them, or one of another kind.
fn check_mechanism(parts: &Parts) -> Result<(), ApiError> {
    let Some(header) = parts.headers.get("authorization") else { return Ok(()) };
    let query = parts.uri.query().unwrap_or("");
    let in_query = |pair: &str| pair.starts_with("X-Amz-Algorithm=") || pair.starts_with("Signature=");
    if query.split('&').any(in_query) {
        let text = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
                    parameter or the Authorization header should be specified";
        return Err(ApiError::new("InvalidArgument", 400, text));
    }
    if header.as_bytes().starts_with(b"AWS") {
        return Ok(());
    }
    Err(ApiError::new("InvalidArgument", 400, "Unsupported Authorization Type"))
}

/// What a declaration of the payload that is absent or none is called.
fn undeclared(headers: &HeaderMap, error: SigError) -> ApiError {
    let code = if headers.contains_key("x-amz-content-sha256") { "InvalidArgument" } else { "InvalidRequest" };
    ApiError::new(code, 400, error.to_string())
}

/// Authenticates the request. A failure is part of the answer, since it is told (and audited) under the operation.
pub(crate) async fn authenticate(inner: &Inner, parts: &Parts, server: &ServerCall) -> Authenticated {
    if let Some(claim) = signature_v2::find(parts) {
        let proved = prove_version_2(inner, parts, server, &claim).await;
        return concluded(inner, parts, server, AuthType::QueryVersion2, claim.access_key_id, proved);
    }
    if let Err(error) = check_mechanism(parts) {
        return failed(inner, parts, server, String::new(), error);
    }
    let form = if parts.headers.contains_key("authorization") { Form::Header } else { Form::Query };
    let signature = match parse_credential(&parts.headers, parts.uri.query().unwrap_or("")) {
        Ok(Some(signature)) => signature,
        Ok(None) => return failed(inner, parts, server, String::new(), told(SigError::MissingAuthenticationToken)),
        Err(error) => return failed(inner, parts, server, String::new(), told_of(form, error)),
    };
    let auth_type = match signature.form {
        Form::Header => AuthType::Header,
        Form::Query => AuthType::Query,
    };
    let proved = prove(inner, parts, server, &signature).await;
    concluded(inner, parts, server, auth_type, signature.access_key_id.to_string(), proved)
}

fn concluded(
    inner: &Inner,
    parts: &Parts,
    server: &ServerCall,
    auth_type: AuthType,
    claimed_key: String,
    proved: Result<Proved, ApiError>,
) -> Authenticated {
    match proved {
        Ok((principal, region, payload)) => {
            let cx = context(inner, parts, server, principal, region);
            Authenticated { cx, auth_type, claimed_key, failure: None, payload: Some(payload) }
        }
        Err(error) => failed(inner, parts, server, claimed_key, error),
    }
}

fn failed(inner: &Inner, parts: &Parts, server: &ServerCall, claimed_key: String, error: ApiError) -> Authenticated {
    let region = inner.settings.default_region.clone();
    let cx = context(inner, parts, server, Arc::new(Principal::anonymous()), region);
    Authenticated { cx, auth_type: AuthType::None, claimed_key, failure: Some(error), payload: None }
}

type Proved = (Arc<Principal>, Region, (PayloadMode, Option<ChunkKey>));

/// The credential of a claimed key, with the token that belongs to it.
async fn credential(inner: &Inner, key: &str, token: Option<&str>) -> Result<Arc<Credential>, ApiError> {
    let found = inner.platform.authority.credential(key, token).await?;
    let missing = || told(if token.is_some() { SigError::InvalidToken } else { SigError::UnknownAccessKey });
    let found = found.ok_or_else(missing)?;
    match (&found.session_token, token) {
        (None, None) => Ok(found),
        // Secrets compare in constant time.
        (Some(expected), Some(given)) if *expected == Secret::new(given) => Ok(found),
        _ => Err(told(SigError::InvalidToken)),
    }
}

/// Who signed the policy of a form.
pub(crate) async fn authenticate_form(
    inner: &Inner,
    parts: &Parts,
    server: &ServerCall,
    fields: &Fields,
) -> Authenticated {
    let claim = match form::claim(fields) {
        Ok(Some(claim)) => claim,
        Ok(None) => return failed(inner, parts, server, String::new(), told(SigError::MissingAuthenticationToken)),
        Err(error) => return failed(inner, parts, server, String::new(), error),
    };
    let auth_type = match claim.kind {
        ClaimKind::Version4 { .. } => AuthType::Form,
        ClaimKind::Version2 { .. } => AuthType::FormVersion2,
    };
    let proved = prove_form(inner, server, &claim).await;
    concluded(inner, parts, server, auth_type, claim.access_key_id.to_owned(), proved)
}

async fn prove_form(inner: &Inner, server: &ServerCall, claim: &Claim<'_>) -> Result<Proved, ApiError> {
    let region = match &claim.kind {
        ClaimKind::Version2 { .. } => Some(inner.settings.default_region.clone()),
        ClaimKind::Version4 { scope: [_, region, "s3"], .. } => inner.settings.region(region),
        ClaimKind::Version4 { .. } => None,
    };
    let region = region.ok_or_else(|| {
        let text = "The credential of the form is not for this service, or for a region that is not served";
        ApiError::new("InvalidArgument", 400, text)
    })?;
    let credential = credential(inner, claim.access_key_id, claim.session_token).await?;
    let genuine = match &claim.kind {
        ClaimKind::Version2 { signature } => {
            signature_v2::signs(&credential.secret, claim.policy.as_bytes(), signature)
        }
        ClaimKind::Version4 { scope: [day, region, service], date, signature } => {
            date.starts_with(day) && verify_text(&credential.secret, [day, region, service], claim.policy, signature)
        }
    };
    if !genuine {
        let text = "The request signature we calculated does not match the signature you provided. Check your key and \
                    signing method.";
        return Err(ApiError::new("SignatureDoesNotMatch", 403, text));
    }
    if credential.expires_at.is_some_and(|end| end <= server.now) {
        return Err(told(SigError::ExpiredToken));
    }
    Ok((Arc::clone(&credential.principal), region, (PayloadMode::Unsigned, None)))
}

async fn prove_version_2(
    inner: &Inner,
    parts: &Parts,
    server: &ServerCall,
    claim: &Presigned,
) -> Result<Proved, ApiError> {
    let credential = credential(inner, &claim.access_key_id, claim.session_token.as_deref()).await?;
    let host = parts.headers.get("host").and_then(|value| value.to_str().ok());
    let host = host.or_else(|| parts.uri.authority().map(|authority| authority.as_str())).unwrap_or("");
    claim.verify(parts, inner.hosts.bucket(host).as_deref(), &credential.secret, server.now)?;
    if credential.expires_at.is_some_and(|end| end <= server.now) {
        return Err(told(SigError::ExpiredToken));
    }
    // This version signs for no region: the host's, if it names one.
    let named = host.split('.').filter(|label| label.bytes().last().is_some_and(|byte| byte.is_ascii_digit()));
    let region = named.into_iter().find_map(|label| inner.settings.region(label));
    let region = region.unwrap_or_else(|| inner.settings.default_region.clone());
    Ok((Arc::clone(&credential.principal), region, (PayloadMode::Unsigned, None)))
}

async fn prove(
    inner: &Inner,
    parts: &Parts,
    server: &ServerCall,
    signature: &SignatureRequest<'_>,
) -> Result<Proved, ApiError> {
    let malformed = match signature.form {
        Form::Header => "The authorization header is malformed",
        Form::Query => "Error parsing the X-Amz-Credential parameter",
    };
    if signature.service != "s3" {
        let service = &signature.service;
        let text = format!("{malformed}; incorrect service \"{service}\". This endpoint belongs to \"s3\".");
        return Err(told_of(signature.form, SigError::Scope(text)));
    }
    let region = inner.settings.region(&signature.region).ok_or_else(|| {
        let expected = &inner.settings.default_region;
        let text = format!("{malformed}; the region '{}' is wrong; expecting '{expected}'", signature.region);
        told_of(signature.form, SigError::Scope(text))
    })?;
    let credential = credential(inner, &signature.access_key_id, signature.session_token.as_deref()).await?;
    let query = parts.uri.query().unwrap_or("");
    let mode = PayloadMode::of(signature, &parts.headers, query).map_err(|error| undeclared(&parts.headers, error))?;
    let request = RequestParts {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query,
        authority: parts.uri.authority().map(|authority| authority.as_str()),
        headers: &parts.headers,
    };
    verify(
        signature,
        &request,
        &canonical_payload(&mode, signature, &parts.headers),
        &credential.secret,
        server.now,
        &inner.keys,
    )
    .map_err(told)?;
    if credential.expires_at.is_some_and(|end| end <= server.now) {
        return Err(told(SigError::ExpiredToken));
    }
    let chunks = matches!(mode, PayloadMode::StreamingSigned | PayloadMode::StreamingSignedTrailer);
    let key = chunks.then(|| ChunkKey::new(&credential.secret, signature));
    Ok((Arc::clone(&credential.principal), region, (mode, key)))
}

/// A presigned URL does not know the body; what a header says of it later is checked, but was not signed.
fn canonical_payload(mode: &PayloadMode, signature: &SignatureRequest<'_>, headers: &HeaderMap) -> String {
    let signed = signature.signed_headers.split(';').any(|name| name == "x-amz-content-sha256");
    if signature.form == Form::Query && headers.contains_key("x-amz-content-sha256") && !signed {
        return stoa_sigv4::UNSIGNED_PAYLOAD.to_owned();
    }
    mode.canonical_text()
}

fn context(inner: &Inner, parts: &Parts, server: &ServerCall, principal: Arc<Principal>, region: Region) -> Cx {
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let mut global_keys = Cx::global_keys(&principal, &region, server.now, &server.connection);
    for (key, name) in [("aws:UserAgent", "user-agent"), ("aws:referer", "referer")] {
        if !header(name).is_empty() {
            global_keys.set(key, header(name));
        }
    }
    Cx {
        request_id: server.request_id.clone(),
        principal,
        partition: Partition::of(&region),
        region,
        now: server.now,
        connection: Arc::clone(&server.connection),
        user_agent: header("user-agent").to_owned(),
        global_keys,
        platform: Arc::clone(&inner.platform),
        trace: Default::default(),
    }
}
