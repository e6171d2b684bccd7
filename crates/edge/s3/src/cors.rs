//! Cross-Origin Resource Sharing: preflights, which nobody signs, and the headers of other answers to other origins.
//!
//! INVARIANT: nothing is decided by an origin: a request is allowed or refused as if it had none.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderName,
    HeaderValue, VARY,
};
use http::request::Parts;
use http::{Method, Response};
use percent_encoding::percent_decode_str;
use stoa_kernel::ApiError;
use stoa_kernel::ports::CorsRule;

use crate::access::no_such_bucket;
use crate::answer;
use crate::call::Call;
use crate::operations::Operation;
use crate::service::Inner;

const VARIES: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether a text fits a pattern with one `*` at most.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end),
    }
}

/// What another origin asks for.
pub(crate) struct Asked {
    origin: String,
    method: String,
    headers: Vec<String>,
}

impl Asked {
    /// What a request with an `Origin` asks for, other than a preflight.
    pub fn of(parts: &Parts) -> Option<Asked> {
        let origin = header(&parts.headers, "origin")?.to_owned();
        Some(Asked { origin, method: parts.method.as_str().to_owned(), headers: Vec::new() })
    }

    fn of_preflight(parts: &Parts) -> Result<Asked, ApiError> {
        let insufficient = |what: &str| ApiError::new("BadRequest", 400, format!("Insufficient information. {what}"));
        let origin = header(&parts.headers, "origin").ok_or_else(|| insufficient("Origin request header needed."))?;
        let method = header(&parts.headers, "access-control-request-method")
            .ok_or_else(|| ApiError::new("BadRequest", 400, "Invalid Access-Control-Request-Method: null"))?;
        let headers = header(&parts.headers, "access-control-request-headers").unwrap_or("");
        let headers = headers.split(',').map(|name| name.trim().to_ascii_lowercase());
        Ok(Asked {
            origin: origin.to_owned(),
            method: method.to_owned(),
            headers: headers.filter(|name| !name.is_empty()).collect(),
        })
    }

    /// The first rule that allows it, with the origin to tell.
    fn allowed<'r>(&self, rules: &'r [CorsRule]) -> Option<(&'r CorsRule, String)> {
        rules.iter().find_map(|rule| {
            let pattern = rule.allowed_origins.iter().find(|pattern| fits(pattern, &self.origin))?;
            let named =
                |name: &String| rule.allowed_headers.iter().any(|pattern| fits(&pattern.to_ascii_lowercase(), name));
            let whole = rule.allowed_methods.contains(&self.method) && self.headers.iter().all(named);
            whole.then(|| (rule, if pattern == "*" { "*".to_owned() } else { self.origin.clone() }))
        })
    }

    fn told(&self, (rule, origin): (&CorsRule, String)) -> HeaderMap {
        let mut told = HeaderMap::new();
        let mut put = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                told.insert(name, value);
            }
        };
        if origin != "*" {
            put(ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
        put(ACCESS_CONTROL_ALLOW_ORIGIN, &origin);
        put(ACCESS_CONTROL_ALLOW_METHODS, &rule.allowed_methods.join(", "));
        if !self.headers.is_empty() {
            put(ACCESS_CONTROL_ALLOW_HEADERS, &self.headers.join(", "));
        }
        if !rule.expose_headers.is_empty() {
            put(ACCESS_CONTROL_EXPOSE_HEADERS, &rule.expose_headers.join(", "));
        }
        if let Some(seconds) = rule.max_age_seconds {
            put(ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
        }
        put(VARY, VARIES);
        told
    }
}

/// Bucket and key that a request names.
pub(crate) fn named(inner: &Inner, parts: &Parts) -> (String, Option<String>) {
    let host = header(&parts.headers, "host").or_else(|| parts.uri.authority().map(|authority| authority.as_str()));
    let path =
        percent_decode_str(parts.uri.path().strip_prefix('/').unwrap_or_default()).decode_utf8_lossy().into_owned();
    let key = |key: &str| Some(key.to_owned()).filter(|key| !key.is_empty());
    match inner.hosts.bucket(host.unwrap_or("")) {
        Some(bucket) => (bucket, key(&path)),
        None => match path.split_once('/') {
            Some((bucket, rest)) => (bucket.to_owned(), key(rest)),
            None => (path, None),
        },
    }
}

/// Answers a preflight.
pub(crate) async fn preflight(inner: &Inner, parts: &Parts, call: &Call) -> Response<s3s::Body> {
    let (bucket, key) = named(inner, parts);
    // Set once: a preflight comes here once.
    let _ = call.operation.set(Operation::of_preflight());
    let _ = call.bucket.set(bucket.clone());
    if let Some(key) = key {
        let _ = call.key.set(key);
    }
    match answer_of(inner, parts, &bucket).await {
        Ok(headers) => {
            let mut answer = Response::new(s3s::Body::empty());
            answer.headers_mut().extend(headers);
            answer
        }
        Err(error) => answer::refusal(error),
    }
}

async fn answer_of(inner: &Inner, parts: &Parts, bucket: &str) -> Result<HeaderMap, ApiError> {
    let asked = Asked::of_preflight(parts)?;
    if bucket.is_empty() || inner.backend.bucket(bucket).await?.is_none() {
        return Err(no_such_bucket());
    }
    let rules = inner.backend.bucket_settings(bucket).await?.cors;
    if rules.is_empty() {
        let text = "CORSResponse: CORS is not enabled for this bucket.";
        return Err(ApiError::new("AccessForbidden", 403, text));
    }
    let allowed = asked.allowed(&rules).ok_or_else(|| {
        let text = "CORSResponse: This CORS request is not allowed. This is usually because the evaluation of Origin, \
                    request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted \
                    by the resource's CORS spec.";
        ApiError::new("AccessForbidden", 403, text)
    })?;
    Ok(asked.told(allowed))
}

/// Adds to an answer what a page of another origin must see to be given it.
pub(crate) async fn decorate(inner: &Inner, asked: Option<Asked>, call: &Call, answer: &mut Response<s3s::Body>) {
    let (Some(asked), Some(bucket)) = (asked, call.bucket.get()) else { return };
    // Without its rules an answer says nothing to other origins.
    let Ok(settings) = inner.backend.bucket_settings(bucket).await else { return };
    if let Some(allowed) = asked.allowed(&settings.cors) {
        answer.headers_mut().extend(asked.told(allowed));
    }
}

/// Whether a request is a preflight.
pub(crate) fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, wanted) in [
            ("*", "https://a.example", true),
            ("https://*.example", "https://a.example", true),
            ("https://*.example", "https://.example", true),
            ("https://*.example", "https://example", false),
            ("https://a.example", "https://a.example", true),
            ("https://a.example", "https://a.example.evil", false),
            ("ab*ba", "aba", false),
            ("x-amz-*", "x-amz-date", true),
        ] {
            assert_eq!(fits(pattern, text), wanted, "{pattern} {text}");
        }
    }
}
