//! Stage 2: from a claimed signature to a principal, over the raw bytes of the request.
//!
//! INVARIANT: nothing the caller says is believed before its signature held; a session's end and its token are
//! checked on every request.

use std::sync::Arc;

use http::request::Parts;
use stoa_kernel::{ApiError, Connection, Cx, Principal};
use stoa_sigv4::{RequestParts, SigError, SignatureRequest, payload_hash, verify};
use stoa_types::{Partition, Region, Secret, Timestamp};

use crate::gateway::Gateway;
use crate::hosts::{aws_host, split_port};
use crate::identify::{Call, header, request_host};

/// Why a call ends before its handler: a signature error has its own codes in each protocol.
#[derive(Debug)]
pub(crate) enum Failure {
    Signature(SigError),
    Api(ApiError),
}

impl From<SigError> for Failure {
    fn from(error: SigError) -> Failure {
        Failure::Signature(error)
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Failure {
        Failure::Api(error)
    }
}

/// A request as authentication sees it.
pub(crate) struct Presented<'r> {
    pub parts: &'r Parts,
    pub body: &'r [u8],
    pub call: &'r Call,
    pub now: Timestamp,
    pub request_id: &'r str,
    pub connection: &'r Arc<Connection>,
}

/// Makes the context of the call, or says why not.
pub(crate) async fn authenticate(
    gateway: &Gateway,
    presented: &Presented<'_>,
    signature: &SignatureRequest<'_>,
) -> Result<Cx, Failure> {
    let region = check_scope(gateway, presented, signature)?;
    let authority = &gateway.platform().authority;
    let token = signature.session_token.as_deref();
    let credential = authority.credential(&signature.access_key_id, token).await?.ok_or(SigError::UnknownAccessKey)?;
    check_token(credential.session_token.as_ref(), token)?;
    let uri = &presented.parts.uri;
    let parts = RequestParts {
        method: presented.parts.method.as_str(),
        path: uri.path(),
        query: uri.query().unwrap_or(""),
        authority: uri.authority().map(|authority| authority.as_str()),
        headers: &presented.parts.headers,
    };
    let hash = payload_hash(presented.body);
    verify(signature, &parts, &hash, &credential.secret, presented.now, gateway.keys())?;
    if credential.expires_at.is_some_and(|end| end <= presented.now) {
        return Err(SigError::ExpiredToken.into());
    }
    Ok(context(gateway, presented, Arc::clone(&credential.principal), region))
}

/// The context of a call without a signature, for the operations that take one: nobody calls, until the handler has
/// verified what the request carries.
pub(crate) fn anonymous(gateway: &Gateway, presented: &Presented<'_>) -> Result<Cx, Failure> {
    let named = request_host(presented.parts).map(|host| split_port(host).0).and_then(aws_host);
    let named = named.and_then(|host| host.region).and_then(|region| gateway.region(region, false));
    let region = named.or_else(|| gateway.config().regions.first().cloned());
    let region = region.or_else(|| gateway.region("us-east-1", true));
    let region = region.ok_or_else(|| ApiError::unavailable("no region is served"))?;
    Ok(context(gateway, presented, Arc::new(Principal::anonymous()), region))
}

fn check_scope(
    gateway: &Gateway,
    presented: &Presented<'_>,
    signature: &SignatureRequest<'_>,
) -> Result<Region, SigError> {
    let service = presented.call.service;
    if signature.service != service.signing_name {
        return Err(SigError::Scope(format!(
            "Credential should be scoped to correct service: '{}'.",
            service.signing_name
        )));
    }
    let wrong = || SigError::Scope("Credential should be scoped to a valid region.".to_owned());
    let named = request_host(presented.parts).map(|host| split_port(host).0).and_then(aws_host);
    if let Some(region) = named.and_then(|host| host.region)
        && !service.global
        && !region.eq_ignore_ascii_case(&signature.region)
    {
        return Err(wrong());
    }
    gateway.region(&signature.region, service.global).ok_or_else(wrong)
}

fn check_token(expected: Option<&Secret>, given: Option<&str>) -> Result<(), SigError> {
    match (expected, given) {
        (None, None) => Ok(()),
        // Secret compares in constant time.
        (Some(expected), Some(given)) if *expected == Secret::new(given) => Ok(()),
        _ => Err(SigError::InvalidToken),
    }
}

fn context(gateway: &Gateway, presented: &Presented<'_>, principal: Arc<Principal>, region: Region) -> Cx {
    let user_agent = header(presented.parts, "user-agent").unwrap_or("");
    let mut global_keys = Cx::global_keys(&principal, &region, presented.now, presented.connection);
    if !user_agent.is_empty() {
        global_keys.set("aws:UserAgent", user_agent);
    }
    if let Some(referer) = header(presented.parts, "referer") {
        global_keys.set("aws:referer", referer);
    }
    Cx {
        request_id: presented.request_id.to_owned(),
        principal,
        partition: Partition::of(&region),
        region,
        now: presented.now,
        connection: Arc::clone(presented.connection),
        user_agent: user_agent.to_owned(),
        global_keys,
        platform: Arc::clone(gateway.platform()),
        trace: Default::default(),
    }
}
