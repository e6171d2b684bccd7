//! S3's operations over the kernel's ports: a table of contents. What is not here answers `NotImplemented` after it was
//! decided and recorded.

mod buckets;
pub(crate) mod convert;
mod cors;
mod encryption;
mod lifecycle;
mod listing;
mod notifications;
mod objects;
mod read;
mod settings;
mod tagging;
mod uploads;
mod versions;

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result};

use crate::service::SharedInner;

/// The operations.
pub(crate) struct Api(pub SharedInner);

type Request<T> = S3Request<T>;
type Answer<T> = S3Result<S3Response<T>>;

/// Forwards the methods of s3s's one big trait to the files they live in, such as
/// `async fn get_object(&self, request: Request<GetObjectInput>) -> Answer<GetObjectOutput> { read::get(self, request).await }`.
macro_rules! operations {
    ($($method:ident: $input:ty => $output:ty, $module:ident::$function:ident;)*) => {
        #[async_trait::async_trait]
        impl S3 for Api {
            $(async fn $method(&self, request: Request<$input>) -> Answer<$output> {
                $module::$function(self, request).await
            })*
        }
    };
}

operations! {
    list_buckets: ListBucketsInput => ListBucketsOutput, buckets::list;
    create_bucket: CreateBucketInput => CreateBucketOutput, buckets::create;
    delete_bucket: DeleteBucketInput => DeleteBucketOutput, buckets::delete;
    head_bucket: HeadBucketInput => HeadBucketOutput, buckets::head;
    get_bucket_location: GetBucketLocationInput => GetBucketLocationOutput, buckets::location;
    get_bucket_versioning: GetBucketVersioningInput => GetBucketVersioningOutput, versions::versioning;
    put_bucket_versioning: PutBucketVersioningInput => PutBucketVersioningOutput, versions::put_versioning;
    list_object_versions: ListObjectVersionsInput => ListObjectVersionsOutput, versions::list;
    get_bucket_lifecycle_configuration: GetBucketLifecycleConfigurationInput => GetBucketLifecycleConfigurationOutput, lifecycle::get;
    put_bucket_lifecycle_configuration: PutBucketLifecycleConfigurationInput => PutBucketLifecycleConfigurationOutput, lifecycle::put;
    delete_bucket_lifecycle: DeleteBucketLifecycleInput => DeleteBucketLifecycleOutput, lifecycle::delete;
    get_bucket_cors: GetBucketCorsInput => GetBucketCorsOutput, cors::get;
    put_bucket_cors: PutBucketCorsInput => PutBucketCorsOutput, cors::put;
    delete_bucket_cors: DeleteBucketCorsInput => DeleteBucketCorsOutput, cors::delete;
    get_bucket_notification_configuration: GetBucketNotificationConfigurationInput => GetBucketNotificationConfigurationOutput, notifications::get;
    put_bucket_notification_configuration: PutBucketNotificationConfigurationInput => PutBucketNotificationConfigurationOutput, notifications::put;
    get_bucket_policy: GetBucketPolicyInput => GetBucketPolicyOutput, settings::policy;
    put_bucket_policy: PutBucketPolicyInput => PutBucketPolicyOutput, settings::put_policy;
    delete_bucket_policy: DeleteBucketPolicyInput => DeleteBucketPolicyOutput, settings::delete_policy;
    get_bucket_policy_status: GetBucketPolicyStatusInput => GetBucketPolicyStatusOutput, settings::policy_status;
    get_public_access_block: GetPublicAccessBlockInput => GetPublicAccessBlockOutput, settings::public_access;
    put_public_access_block: PutPublicAccessBlockInput => PutPublicAccessBlockOutput, settings::put_public_access;
    delete_public_access_block: DeletePublicAccessBlockInput => DeletePublicAccessBlockOutput, settings::delete_public_access;
    get_bucket_encryption: GetBucketEncryptionInput => GetBucketEncryptionOutput, encryption::get;
    put_bucket_encryption: PutBucketEncryptionInput => PutBucketEncryptionOutput, encryption::put;
    delete_bucket_encryption: DeleteBucketEncryptionInput => DeleteBucketEncryptionOutput, encryption::delete;
    get_bucket_ownership_controls: GetBucketOwnershipControlsInput => GetBucketOwnershipControlsOutput, settings::ownership;
    put_bucket_ownership_controls: PutBucketOwnershipControlsInput => PutBucketOwnershipControlsOutput, settings::put_ownership;
    delete_bucket_ownership_controls: DeleteBucketOwnershipControlsInput => DeleteBucketOwnershipControlsOutput, settings::delete_ownership;
    get_bucket_acl: GetBucketAclInput => GetBucketAclOutput, settings::bucket_acl;
    get_object_acl: GetObjectAclInput => GetObjectAclOutput, settings::object_acl;
    get_bucket_tagging: GetBucketTaggingInput => GetBucketTaggingOutput, tagging::bucket;
    put_bucket_tagging: PutBucketTaggingInput => PutBucketTaggingOutput, tagging::put_bucket;
    delete_bucket_tagging: DeleteBucketTaggingInput => DeleteBucketTaggingOutput, tagging::delete_bucket;
    get_object_tagging: GetObjectTaggingInput => GetObjectTaggingOutput, tagging::object;
    put_object_tagging: PutObjectTaggingInput => PutObjectTaggingOutput, tagging::put_object;
    delete_object_tagging: DeleteObjectTaggingInput => DeleteObjectTaggingOutput, tagging::delete_object;
    get_object_attributes: GetObjectAttributesInput => GetObjectAttributesOutput, read::attributes;
    list_objects: ListObjectsInput => ListObjectsOutput, listing::version_1;
    list_objects_v2: ListObjectsV2Input => ListObjectsV2Output, listing::version_2;
    get_object: GetObjectInput => GetObjectOutput, read::get;
    head_object: HeadObjectInput => HeadObjectOutput, read::head;
    put_object: PutObjectInput => PutObjectOutput, objects::put;
    copy_object: CopyObjectInput => CopyObjectOutput, objects::copy;
    delete_object: DeleteObjectInput => DeleteObjectOutput, objects::delete;
    delete_objects: DeleteObjectsInput => DeleteObjectsOutput, objects::delete_many;
    create_multipart_upload: CreateMultipartUploadInput => CreateMultipartUploadOutput, uploads::create;
    upload_part: UploadPartInput => UploadPartOutput, uploads::put_part;
    upload_part_copy: UploadPartCopyInput => UploadPartCopyOutput, uploads::copy_part;
    complete_multipart_upload: CompleteMultipartUploadInput => CompleteMultipartUploadOutput, uploads::complete;
    abort_multipart_upload: AbortMultipartUploadInput => AbortMultipartUploadOutput, uploads::abort;
    list_parts: ListPartsInput => ListPartsOutput, uploads::list_parts;
    list_multipart_uploads: ListMultipartUploadsInput => ListMultipartUploadsOutput, uploads::list;
}
