//! Who calls: the bearer token of the request, opened to the principal that had it made.

use std::sync::Arc;

use http::HeaderMap;
use stoa_kernel::ports::{Bearer, BearerTokens};
use stoa_kernel::{Cx, Platform, Principal};
use stoa_types::{Partition, Region};

use crate::answer::Refusal;
use crate::service::ServerCall;

/// Opens the token, or says why not.
pub(crate) async fn authenticate(
    tokens: &dyn BearerTokens,
    headers: &HeaderMap,
    call: &ServerCall,
) -> Result<Bearer, Refusal> {
    let refused = |text: &str| Err(Refusal::Unauthenticated(text.to_owned()));
    let given = headers.get("authorization").and_then(|value| value.to_str().ok());
    let Some(token) = given.and_then(|value| value.strip_prefix("Bearer ")) else {
        return refused("a bearer token is expected: `stoa hf token` makes one, clients take it from HF_TOKEN");
    };
    let Some(bearer) = tokens.bearer(token.trim()).await? else {
        return refused("the token was not made here, or the key, session, user or role behind it is gone");
    };
    let session_end = bearer.credential.expires_at.unwrap_or(bearer.expires_at);
    if bearer.expires_at.min(session_end) <= call.now {
        return refused("the token has expired: `stoa hf token` makes another");
    }
    Ok(bearer)
}

/// The context of one operation in the name of this principal.
pub(crate) fn context(
    platform: &Arc<Platform>,
    headers: &HeaderMap,
    call: &ServerCall,
    principal: Arc<Principal>,
    region: Region,
) -> Cx {
    let user_agent = headers.get("user-agent").and_then(|value| value.to_str().ok()).unwrap_or("");
    let mut global_keys = Cx::global_keys(&principal, &region, call.now, &call.connection);
    if !user_agent.is_empty() {
        global_keys.set("aws:UserAgent", user_agent);
    }
    Cx {
        request_id: call.request_id.clone(),
        principal,
        partition: Partition::of(&region),
        region,
        now: call.now,
        connection: Arc::clone(&call.connection),
        user_agent: user_agent.to_owned(),
        global_keys,
        platform: Arc::clone(platform),
        trace: Default::default(),
    }
}
