//! The tags of shares and customer managed permissions.

use std::collections::{BTreeMap, BTreeSet};

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_ram::operations::{TagResource, UntagResource};
use stoa_models_ram::types::{
    Tag, TagResourceRequest, TagResourceResponse, UntagResourceRequest, UntagResourceResponse,
};
use stoa_store::{Document, Key, Transaction};

use crate::Ram;
use crate::error::{invalid, malformed_arn, refused, too_busy, unknown};
use crate::service::ATTEMPTS;
use crate::share::ShareName;
use crate::state::{PermissionRecord, ShareRecord, kind, load, regional};

const MOST: usize = 50;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

type Tags = BTreeMap<String, String>;

fn add(tags: &mut Tags, given: &[Tag]) -> Result<(), ApiError> {
    let mut seen = BTreeSet::new();
    for tag in given {
        let (key, value) = (tag.key.clone().unwrap_or_default(), tag.value.clone().unwrap_or_default());
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid("Tag keys that begin with aws: are reserved."));
        }
        if key.is_empty() || key.chars().count() > LONGEST_KEY || value.chars().count() > LONGEST_VALUE {
            return Err(invalid(format!(
                "A tag has a key of 1 to {LONGEST_KEY} characters and a value of at most {LONGEST_VALUE}."
            )));
        }
        if !seen.insert(key.clone()) {
            return Err(invalid(format!("The tag key {key} is given twice.")));
        }
        tags.insert(key, value);
    }
    if tags.len() > MOST {
        return Err(refused("TagLimitExceededException", format!("A resource has {MOST} tags at most.")));
    }
    Ok(())
}

/// The tags of something new.
pub(crate) fn new(given: Option<&[Tag]>) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    add(&mut tags, given.unwrap_or_default())?;
    Ok(tags)
}

/// Tags in the form of the store.
pub(crate) fn list(tags: &Tags) -> Vec<(String, String)> {
    tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Tags as the API has them.
pub(crate) fn wire(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: Some(key.clone()), value: Some(value.clone()) }).collect()
}

/// The one resource that a request names, by either of two members.
pub(crate) fn named<'a>(share: Option<&'a str>, resource: Option<&'a str>) -> Option<&'a str> {
    match (share, resource) {
        (Some(arn), None) | (None, Some(arn)) => Some(arn),
        _ => None,
    }
}

impl Ram {
    async fn change_tags(
        &self,
        cx: &Cx,
        arn: Option<&str>,
        change: impl Fn(&mut Tags) -> Result<(), ApiError> + Send + Sync,
    ) -> Result<(), ApiError> {
        let arn = arn.ok_or_else(|| invalid("Specify either a resource share ARN or a resource ARN."))?;
        let missing = || unknown("Resource", arn);
        for _ in 0..ATTEMPTS {
            let (document, tags) = match ShareName::parse(arn) {
                Some(name) if name.account == cx.principal.account && name.region == cx.region => {
                    self.tagged_share(cx, &name.key(), &change).await?.ok_or_else(missing)?
                }
                Some(_) => return Err(missing()),
                None => self.tagged_permission(cx, arn, &change).await?.ok_or_else(missing)?,
            };
            if self.applied(Transaction::new().update(document).set_tags(arn, list(&tags))).await? {
                return Ok(());
            }
        }
        Err(too_busy())
    }

    async fn tagged_share(
        &self,
        cx: &Cx,
        key: &Key,
        change: &(impl Fn(&mut Tags) -> Result<(), ApiError> + Send + Sync),
    ) -> Result<Option<(Document, Tags)>, ApiError> {
        let found = load::<ShareRecord>(&*self.parts.store, key).await?;
        let Some(mut found) = found.filter(|found| found.record.is_active()) else { return Ok(None) };
        change(&mut found.record.tags)?;
        Ok(Some((found.changed(cx.now)?, found.record.tags)))
    }

    async fn tagged_permission(
        &self,
        cx: &Cx,
        arn: &str,
        change: &(impl Fn(&mut Tags) -> Result<(), ApiError> + Send + Sync),
    ) -> Result<Option<(Document, Tags)>, ApiError> {
        let own = Ram::arn(cx, "permission/");
        let Some(name) = arn.strip_prefix(&own) else { return Err(malformed_arn(arn)) };
        let key = regional(kind::PERMISSION, &cx.principal.account, &cx.region, name);
        let Some(mut found) = load::<PermissionRecord>(&*self.parts.store, &key).await? else { return Ok(None) };
        change(&mut found.record.tags)?;
        Ok(Some((found.changed(cx.now)?, found.record.tags)))
    }
}

impl Handles<TagResource> for Ram {
    async fn handle(&self, cx: &Cx, input: Authorized<TagResourceRequest>) -> Result<TagResourceResponse, ApiError> {
        let arn = named(input.resource_share_arn.as_deref(), input.resource_arn.as_deref());
        self.change_tags(cx, arn, |tags| add(tags, &input.tags)).await?;
        Ok(TagResourceResponse {})
    }
}

impl Handles<UntagResource> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<UntagResourceRequest>,
    ) -> Result<UntagResourceResponse, ApiError> {
        let arn = named(input.resource_share_arn.as_deref(), input.resource_arn.as_deref());
        let remove = |tags: &mut Tags| {
            for key in &input.tag_keys {
                tags.remove(key);
            }
            Ok(())
        };
        self.change_tags(cx, arn, remove).await?;
        Ok(UntagResourceResponse {})
    }
}
