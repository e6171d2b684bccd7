//! The rules of a bucket for other origins.

use s3s::S3Response;
use s3s::dto::*;
use stoa_kernel::ApiError;
use stoa_kernel::ports::{CorsRule, SettingChange};

use super::convert::malformed_xml;
use super::settings::change;
use super::{Answer, Api, Request};
use crate::call::call_of;

const MOST_RULES: usize = 100;
/// Of all texts of a configuration; S3 takes documents of so many bytes.
const MOST_BYTES: usize = 64 << 10;
const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

fn invalid(text: String) -> ApiError {
    ApiError::new("InvalidRequest", 400, text)
}

fn one_wildcard(name: &str, texts: &[String]) -> Result<(), ApiError> {
    match texts.iter().find(|text| text.matches('*').count() > 1) {
        None => Ok(()),
        Some(text) => Err(invalid(format!("{name} \"{text}\" can not have more than one wildcard."))),
    }
}

fn rule(given: CORSRule) -> Result<CorsRule, ApiError> {
    let rule = CorsRule {
        id: given.id,
        allowed_origins: given.allowed_origins,
        allowed_methods: given.allowed_methods,
        allowed_headers: given.allowed_headers.unwrap_or_default(),
        expose_headers: given.expose_headers.unwrap_or_default(),
        max_age_seconds: given.max_age_seconds,
    };
    if rule.allowed_origins.is_empty() || rule.allowed_methods.is_empty() {
        return Err(malformed_xml());
    }
    one_wildcard("AllowedOrigin", &rule.allowed_origins)?;
    one_wildcard("AllowedHeader", &rule.allowed_headers)?;
    if let Some(method) = rule.allowed_methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
        return Err(invalid(format!("Found unsupported HTTP method in CORS config. Unsupported method is {method}")));
    }
    if let Some(header) = rule.expose_headers.iter().find(|header| header.contains('*')) {
        return Err(invalid(format!(
            "ExposeHeader \"{header}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
        )));
    }
    Ok(rule)
}

pub(super) async fn put(api: &Api, request: Request<PutBucketCorsInput>) -> Answer<PutBucketCorsOutput> {
    let call = call_of(&request.extensions)?;
    let given = request.input.cors_configuration.cors_rules;
    let texts = |rule: &CORSRule| {
        let lists = [rule.allowed_headers.as_ref(), Some(&rule.allowed_methods), Some(&rule.allowed_origins)];
        let lists = lists.into_iter().chain([rule.expose_headers.as_ref()]).flatten().flatten();
        lists.map(String::len).sum::<usize>() + rule.id.as_ref().map_or(0, String::len)
    };
    let size = given.iter().map(texts).sum::<usize>();
    if given.is_empty() || given.len() > MOST_RULES || size > MOST_BYTES {
        return Err(call.fail(malformed_xml()));
    }
    let rules: Result<Vec<CorsRule>, ApiError> = given.into_iter().map(rule).collect();
    let rules = rules.map_err(|error| call.fail(error))?;
    change(api, &call, &request.input.bucket, SettingChange::Cors(Some(rules))).await?;
    Ok(S3Response::new(PutBucketCorsOutput {}))
}

pub(super) async fn delete(api: &Api, request: Request<DeleteBucketCorsInput>) -> Answer<DeleteBucketCorsOutput> {
    let call = call_of(&request.extensions)?;
    change(api, &call, &request.input.bucket, SettingChange::Cors(None)).await?;
    Ok(S3Response::new(DeleteBucketCorsOutput {}))
}

pub(super) async fn get(api: &Api, request: Request<GetBucketCorsInput>) -> Answer<GetBucketCorsOutput> {
    let call = call_of(&request.extensions)?;
    let settings = api.0.backend.bucket_settings(&request.input.bucket).await.map_err(|error| call.fail(error))?;
    if settings.cors.is_empty() {
        let text = "The CORS configuration does not exist";
        return Err(call.fail(ApiError::new("NoSuchCORSConfiguration", 404, text)));
    }
    let some = |list: Vec<String>| (!list.is_empty()).then_some(list);
    let shown = |rule: CorsRule| CORSRule {
        allowed_headers: some(rule.allowed_headers),
        allowed_methods: rule.allowed_methods,
        allowed_origins: rule.allowed_origins,
        expose_headers: some(rule.expose_headers),
        id: rule.id,
        max_age_seconds: rule.max_age_seconds,
    };
    Ok(S3Response::new(GetBucketCorsOutput { cors_rules: Some(settings.cors.into_iter().map(shown).collect()) }))
}
