//! The lifecycle rules of a bucket.

use s3s::S3Response;
use s3s::dto::*;
use stoa_kernel::ApiError;
use stoa_kernel::ports::{LifecycleFilter, ObjectTags, SettingChange};
use stoa_types::uuid_v4;

use super::convert::{from_time, long, malformed_xml, time};
use super::settings::change;
use super::{Answer, Api, Request};
use crate::call::{Call, call_of};

type Rule = stoa_kernel::ports::LifecycleRule;

fn not_implemented(what: &str) -> ApiError {
    ApiError::new("NotImplemented", 501, format!("{what} is not implemented by Stoa: there is one storage class"))
}

/// A number of days or versions; what is below zero is told like zero.
fn count(given: i32) -> u32 {
    u32::try_from(given).unwrap_or(0)
}

fn days(given: Option<i32>) -> Option<u32> {
    given.map(count)
}

fn size(given: Option<i64>) -> Result<Option<u64>, ApiError> {
    given.map(|size| u64::try_from(size).map_err(|_| malformed_xml())).transpose()
}

fn tag(tag: Tag, tags: &mut ObjectTags) -> Result<(), ApiError> {
    let key = tag.key.filter(|key| !key.is_empty()).ok_or_else(malformed_xml)?;
    match tags.insert(key, tag.value.unwrap_or_default()) {
        None => Ok(()),
        Some(_) => Err(ApiError::new("InvalidRequest", 400, "Duplicate Tag Keys are not allowed.")),
    }
}

fn filter(given: LifecycleRuleFilter) -> Result<LifecycleFilter, ApiError> {
    let LifecycleRuleFilter { and, object_size_greater_than, object_size_less_than, prefix, tag: one } = given;
    let alone = [object_size_greater_than.is_some(), object_size_less_than.is_some(), prefix.is_some(), one.is_some()];
    if alone.into_iter().chain([and.is_some()]).filter(|given| *given).count() > 1 {
        return Err(malformed_xml());
    }
    let mut tags = ObjectTags::new();
    if let Some(one) = one {
        tag(one, &mut tags)?;
    }
    let Some(and) = and else {
        let (greater_than, less_than) = (size(object_size_greater_than)?, size(object_size_less_than)?);
        return Ok(LifecycleFilter { prefix, tags, greater_than, less_than, and: false });
    };
    for one in and.tags.unwrap_or_default() {
        tag(one, &mut tags)?;
    }
    let (greater_than, less_than) = (size(and.object_size_greater_than)?, size(and.object_size_less_than)?);
    Ok(LifecycleFilter { prefix: and.prefix, tags, greater_than, less_than, and: true })
}

fn rule(given: LifecycleRule, call: &Call) -> Result<Rule, ApiError> {
    if given.transitions.is_some_and(|list| !list.is_empty()) {
        return Err(not_implemented("Transition"));
    }
    if given.noncurrent_version_transitions.is_some_and(|list| !list.is_empty()) {
        return Err(not_implemented("NoncurrentVersionTransition"));
    }
    let enabled = match given.status.as_str() {
        ExpirationStatus::ENABLED => true,
        ExpirationStatus::DISABLED => false,
        _ => return Err(malformed_xml()),
    };
    let (filter, plain_prefix) = match (given.filter, given.prefix) {
        (Some(given), None) => (filter(given)?, false),
        (None, Some(prefix)) => (LifecycleFilter { prefix: Some(prefix), ..LifecycleFilter::default() }, true),
        _ => return Err(malformed_xml()),
    };
    let expiration = given.expiration.unwrap_or_default();
    let noncurrent = given.noncurrent_version_expiration.unwrap_or_default();
    if noncurrent.newer_noncurrent_versions.is_some() && noncurrent.noncurrent_days.is_none() {
        return Err(malformed_xml());
    }
    Ok(Rule {
        id: given.id.filter(|id| !id.is_empty()).unwrap_or_else(|| uuid_v4(&*call.cx.platform.ids)),
        enabled,
        filter,
        plain_prefix,
        days: days(expiration.days),
        date: expiration.date.map(from_time),
        expired_marker: expiration.expired_object_delete_marker == Some(true),
        noncurrent_days: days(noncurrent.noncurrent_days),
        newer_noncurrent: noncurrent.newer_noncurrent_versions.map(count),
        abort_days: days(given.abort_incomplete_multipart_upload.and_then(|abort| abort.days_after_initiation)),
    })
}

pub(super) async fn put(
    api: &Api,
    request: Request<PutBucketLifecycleConfigurationInput>,
) -> Answer<PutBucketLifecycleConfigurationOutput> {
    let call = call_of(&request.extensions)?;
    let fail = |error| call.fail(error);
    let rules = request.input.lifecycle_configuration.map(|configuration| configuration.rules).unwrap_or_default();
    if rules.is_empty() {
        return Err(fail(malformed_xml()));
    }
    let rules: Result<Vec<Rule>, ApiError> = rules.into_iter().map(|given| rule(given, &call)).collect();
    let rules = rules.map_err(fail)?;
    change(api, &call, &request.input.bucket, SettingChange::Lifecycle(Some(rules))).await?;
    Ok(S3Response::new(PutBucketLifecycleConfigurationOutput::default()))
}

pub(super) async fn delete(
    api: &Api,
    request: Request<DeleteBucketLifecycleInput>,
) -> Answer<DeleteBucketLifecycleOutput> {
    let call = call_of(&request.extensions)?;
    change(api, &call, &request.input.bucket, SettingChange::Lifecycle(None)).await?;
    Ok(S3Response::new(DeleteBucketLifecycleOutput {}))
}

fn signed(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn shown_filter(filter: LifecycleFilter) -> LifecycleRuleFilter {
    let LifecycleFilter { prefix, tags, greater_than, less_than, and } = filter;
    let mut tags = tags.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) });
    let (greater, less) = (greater_than.map(long), less_than.map(long));
    if !and {
        let tag = tags.next();
        return LifecycleRuleFilter {
            and: None,
            object_size_greater_than: greater,
            object_size_less_than: less,
            prefix,
            tag,
        };
    }
    let tags: TagSet = tags.collect();
    let and = LifecycleRuleAndOperator {
        object_size_greater_than: greater,
        object_size_less_than: less,
        prefix,
        tags: (!tags.is_empty()).then_some(tags),
    };
    LifecycleRuleFilter { and: Some(and), ..Default::default() }
}

fn shown(rule: Rule) -> LifecycleRule {
    let expires = rule.days.is_some() || rule.date.is_some() || rule.expired_marker;
    let expiration = expires.then(|| LifecycleExpiration {
        date: rule.date.map(time),
        days: rule.days.map(signed),
        expired_object_delete_marker: rule.expired_marker.then_some(true),
    });
    let noncurrent = rule.noncurrent_days.map(|days| NoncurrentVersionExpiration {
        newer_noncurrent_versions: rule.newer_noncurrent.map(signed),
        noncurrent_days: Some(signed(days)),
    });
    let status = if rule.enabled { ExpirationStatus::ENABLED } else { ExpirationStatus::DISABLED };
    LifecycleRule {
        abort_incomplete_multipart_upload: rule
            .abort_days
            .map(|days| AbortIncompleteMultipartUpload { days_after_initiation: Some(signed(days)) }),
        expiration,
        prefix: rule.filter.prefix.clone().filter(|_| rule.plain_prefix),
        filter: (!rule.plain_prefix).then(|| shown_filter(rule.filter)),
        id: Some(rule.id),
        noncurrent_version_expiration: noncurrent,
        noncurrent_version_transitions: None,
        status: ExpirationStatus::from_static(status),
        transitions: None,
    }
}

pub(super) async fn get(
    api: &Api,
    request: Request<GetBucketLifecycleConfigurationInput>,
) -> Answer<GetBucketLifecycleConfigurationOutput> {
    let call = call_of(&request.extensions)?;
    let settings = api.0.backend.bucket_settings(&request.input.bucket).await.map_err(|error| call.fail(error))?;
    if settings.lifecycle.is_empty() {
        let text = "The lifecycle configuration does not exist";
        return Err(call.fail(ApiError::new("NoSuchLifecycleConfiguration", 404, text)));
    }
    let rules = settings.lifecycle.into_iter().map(shown).collect();
    Ok(S3Response::new(GetBucketLifecycleConfigurationOutput { rules: Some(rules), ..Default::default() }))
}
