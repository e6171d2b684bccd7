//! Who may read (the kernel's `ObjectAccess`): the one place that puts together what S3 looks at for a read.

use async_trait::async_trait;
use stoa_kernel::ports::{BucketConfiguration, Buckets, ObjectAccess, ObjectRead, ObjectSource, ReadObject};
use stoa_kernel::{ApiError, Cx, Principal, PrincipalIdentity, Target};
use stoa_types::AccountId;

use crate::service::{S3Objects, no_such_bucket};

impl S3Objects {
    async fn owner(&self, bucket: &str) -> Result<AccountId, ApiError> {
        Ok(self.bucket(bucket).await?.ok_or_else(no_such_bucket)?.owner)
    }
}

fn owned(target: Target, owner: &AccountId) -> Target {
    target.with_key("aws:ResourceAccount", owner.as_str()).with_key("s3:ResourceAccount", owner.as_str())
}

#[async_trait]
impl ObjectAccess for S3Objects {
    async fn may_get(&self, cx: &Cx, principal: &Principal, read: &ObjectRead<'_>) -> Result<(), ApiError> {
        let ObjectRead { bucket, key, version, keys } = read;
        let owner = self.owner(bucket).await?;
        let action = if version.is_some() { "s3:GetObjectVersion" } else { "s3:GetObject" };
        let resource = format!("arn:{}:s3:::{bucket}/{key}", cx.partition);
        let mut target = owned(Target { keys: keys.clone(), ..Target::new(action, resource) }, &owner);
        if let Some(version) = version {
            target = target.with_key("s3:VersionId", *version);
        }
        for (name, value) in self.object_tags((bucket, key), *version).await?.unwrap_or_default() {
            target = target.with_key(&format!("s3:ExistingObjectTag/{name}"), value);
        }
        cx.authorize_as(principal, &target).await?;
        self.may_enter(principal, bucket, &owner).await
    }

    async fn may_read(&self, cx: &Cx, read: &ObjectRead<'_>) -> Result<(), ApiError> {
        self.may_get(cx, &cx.principal, read).await?;
        let ObjectRead { bucket, key, .. } = read;
        let entry = match self.derived(bucket).await? {
            Some((source, _)) => {
                source.check_read(cx, bucket, key).await?;
                source.object(bucket, key).await?
            }
            None => {
                self.check_grants(cx, bucket, key).await?;
                ObjectSource::object(self, bucket, key).await?
            }
        };
        match entry.and_then(|entry| entry.sealed) {
            Some(sealed) => self.may_open(cx, &sealed).await,
            None => Ok(()),
        }
    }

    async fn may_list(&self, cx: &Cx, principal: &Principal, bucket: &str, prefix: &str) -> Result<(), ApiError> {
        let owner = self.owner(bucket).await?;
        let target = Target::new("s3:ListBucket", format!("arn:{}:s3:::{bucket}", cx.partition));
        cx.authorize_as(principal, &owned(target.with_key("s3:prefix", prefix), &owner)).await?;
        self.may_enter(principal, bucket, &owner).await
    }

    async fn may_enter(&self, principal: &Principal, bucket: &str, owner: &AccountId) -> Result<(), ApiError> {
        if matches!(principal.identity, PrincipalIdentity::Service { .. }) || *owner == principal.account {
            return Ok(());
        }
        let settings = self.bucket_settings(bucket).await?;
        if settings.public && settings.public_access_block.is_some_and(|block| block.restrict_public_buckets) {
            let text = "Access Denied: the bucket's policy is public, and its public access block setting \
                        RestrictPublicBuckets keeps other accounts out";
            return Err(ApiError::access_denied(text));
        }
        Ok(())
    }
}
