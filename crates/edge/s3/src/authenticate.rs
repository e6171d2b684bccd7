//! Who calls: SigV4 in a header or in the query, over the request as it came, before anything is decoded.
//!
//! INVARIANT: s3s sees no signature at all; what it is given was proved here, or carries the failure with it.

use std::sync::Arc;

use http::HeaderMap;
use http::request::Parts;
use stoa_kernel::{ApiError, Cx, Principal};
use stoa_sigv4::{
    Dialect, Form, PayloadMode, RequestParts, SigError, SignatureRequest, parse_credential, verify,
};
use stoa_types::{Partition, Region, Secret};

use crate::call::AuthType;
use crate::chunked::ChunkKey;
use crate::service::{Inner, ServerCall};

/// What authentication found out.
pub(crate) struct Authenticated {
    pub cx: Cx,
    pub auth_type: AuthType,
    pub claimed_key: String,
    pub failure: Option<ApiError>,
    /// How the body is bound to the signature, and for signed chunks with which key.
    pub payload: Option<(PayloadMode, ChunkKey)>,
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
    let query = parts.uri.query().unwrap_or("");
    let signature = match parse_credential(&parts.headers, query) {
        Ok(Some(signature)) => signature,
        Ok(None) => return failed(inner, parts, server, String::new(), told(SigError::MissingAuthenticationToken)),
        Err(error) => return failed(inner, parts, server, String::new(), told(error)),
    };
    let claimed_key = signature.access_key_id.to_string();
    match prove(inner, parts, server, &signature).await {
        Ok((principal, region, payload)) => {
            let auth_type = match signature.form {
                Form::Header => AuthType::Header,
                Form::Query => AuthType::Query,
            };
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

type Proved = (Arc<Principal>, Region, (PayloadMode, ChunkKey));

async fn prove(
    inner: &Inner,
    parts: &Parts,
    server: &ServerCall,
    signature: &SignatureRequest<'_>,
) -> Result<Proved, ApiError> {
    if signature.service != "s3" {
        let text = format!("The authorization header is malformed; incorrect service \"{}\". This endpoint belongs to \"s3\".", signature.service);
        return Err(told(SigError::Scope(text)));
    }
    let region = inner.settings.region(&signature.region).ok_or_else(|| {
        let expected = &inner.settings.default_region;
        let text = format!("The authorization header is malformed; the region '{}' is wrong; expecting '{expected}'", signature.region);
        told(SigError::Scope(text))
    })?;
    let token = signature.session_token.as_deref();
    let authority = &inner.platform.authority;
    let credential = authority.credential(&signature.access_key_id, token).await?;
    let credential = credential.ok_or_else(|| {
        told(if token.is_some() { SigError::InvalidToken } else { SigError::UnknownAccessKey })
    })?;
    match (&credential.session_token, token) {
        (None, None) => {}
        // Secrets compare in constant time.
        (Some(expected), Some(given)) if *expected == Secret::new(given) => {}
        _ => return Err(told(SigError::InvalidToken)),
    }
    let query = parts.uri.query().unwrap_or("");
    let mode = PayloadMode::of(signature, &parts.headers, query).map_err(told)?;
    let request = RequestParts {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query,
        authority: parts.uri.authority().map(|authority| authority.as_str()),
        headers: &parts.headers,
    };
    verify(signature, &request, &canonical_payload(&mode, signature, &parts.headers), &credential.secret, server.now, &inner.keys)
        .map_err(told)?;
    if credential.expires_at.is_some_and(|end| end <= server.now) {
        return Err(told(SigError::ExpiredToken));
    }
    let key = ChunkKey::new(&credential.secret, signature);
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
    for (key, name) in [("aws:UserAgent", "user-agent"), ("aws:Referer", "referer")] {
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
    }
}
