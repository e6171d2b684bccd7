//! Who calls: SigV4 in a header or in the query (or a presigned URL of Version 2), over the request as it came, before anything is decoded.
//!
//! INVARIANT: s3s sees no signature at all; what it is given was proved here, or carries the failure with it.

use std::sync::Arc;

use http::HeaderMap;
use http::request::Parts;
use stoa_kernel::ports::Credential;
use stoa_kernel::{ApiError, Cx, Principal};
use stoa_sigv4::{Dialect, Form, PayloadMode, RequestParts, SigError, SignatureRequest, parse_credential, verify};
use stoa_types::{Partition, Region, Secret};

use crate::call::AuthType;
use crate::chunked::ChunkKey;
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

/// Authenticates the request. A failure is part of the answer, since it is told (and audited) under the operation.
pub(crate) async fn authenticate(inner: &Inner, parts: &Parts, server: &ServerCall) -> Authenticated {
    if let Some(claim) = signature_v2::find(parts) {
        let proved = prove_version_2(inner, parts, server, &claim).await;
        return concluded(inner, parts, server, AuthType::QueryVersion2, claim.access_key_id, proved);
    }
    let signature = match parse_credential(&parts.headers, parts.uri.query().unwrap_or("")) {
        Ok(Some(signature)) => signature,
        Ok(None) => return failed(inner, parts, server, String::new(), told(SigError::MissingAuthenticationToken)),
        Err(error) => return failed(inner, parts, server, String::new(), told(error)),
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
    if signature.service != "s3" {
        let text = format!(
            "The authorization header is malformed; incorrect service \"{}\". This endpoint belongs to \"s3\".",
            signature.service
        );
        return Err(told(SigError::Scope(text)));
    }
    let region = inner.settings.region(&signature.region).ok_or_else(|| {
        let expected = &inner.settings.default_region;
        let text = format!(
            "The authorization header is malformed; the region '{}' is wrong; expecting '{expected}'",
            signature.region
        );
        told(SigError::Scope(text))
    })?;
    let credential = credential(inner, &signature.access_key_id, signature.session_token.as_deref()).await?;
    let query = parts.uri.query().unwrap_or("");
    let mode = PayloadMode::of(signature, &parts.headers, query).map_err(told)?;
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
