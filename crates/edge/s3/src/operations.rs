//! The operations of S3: the IAM action each is, whether it changes anything, which kind of event it is. Pure.

use std::borrow::Cow;

use http::{HeaderMap, Uri};
use percent_encoding::percent_decode_str;
use s3s::dto::CopySource;
use s3s::path::S3Path;
use stoa_kernel::ports::ObjectTags;
use stoa_kernel::{ApiError, Cx, Target};
use stoa_types::{AccountId, Timestamp};

use crate::call::AuthType;

/// What an operation acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    /// `*`.
    Everything,
    Bucket,
    Object,
    /// The keys in the body, each decided when it is known.
    EachKey,
    /// An object, decided when the body is known, since conditions look at it.
    Body,
}

/// An operation.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    /// As the API names it.
    pub name: Cow<'static, str>,
    action: &'static str,
    on: On,
    pub mutates: bool,
    pub management: bool,
}

const fn row(name: &'static str, action: &'static str, on: On, mutates: bool, management: bool) -> Operation {
    Operation { name: Cow::Borrowed(name), action, on, mutates, management }
}

/// The operations that are served. Others are decided as `s3:<name>` and then not implemented.
const TABLE: &[Operation] = &[
    row("ListBuckets", "s3:ListAllMyBuckets", On::Everything, false, true),
    row("CreateBucket", "s3:CreateBucket", On::Body, true, true),
    row("DeleteBucket", "s3:DeleteBucket", On::Bucket, true, true),
    row("HeadBucket", "s3:ListBucket", On::Bucket, false, true),
    row("GetBucketLocation", "s3:GetBucketLocation", On::Bucket, false, true),
    row("GetBucketVersioning", "s3:GetBucketVersioning", On::Bucket, false, true),
    row("PutBucketVersioning", "s3:PutBucketVersioning", On::Bucket, true, true),
    row("GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration", On::Bucket, false, true),
    row("PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration", On::Bucket, true, true),
    row("DeleteBucketLifecycle", "s3:PutLifecycleConfiguration", On::Bucket, true, true),
    row("GetBucketCors", "s3:GetBucketCORS", On::Bucket, false, true),
    row("PutBucketCors", "s3:PutBucketCORS", On::Bucket, true, true),
    row("DeleteBucketCors", "s3:PutBucketCORS", On::Bucket, true, true),
    row("GetBucketNotificationConfiguration", "s3:GetBucketNotification", On::Bucket, false, true),
    row("PutBucketNotificationConfiguration", "s3:PutBucketNotification", On::Bucket, true, true),
    row("GetBucketPolicy", "s3:GetBucketPolicy", On::Bucket, false, true),
    row("PutBucketPolicy", "s3:PutBucketPolicy", On::Bucket, true, true),
    row("DeleteBucketPolicy", "s3:DeleteBucketPolicy", On::Bucket, true, true),
    row("GetBucketPolicyStatus", "s3:GetBucketPolicyStatus", On::Bucket, false, true),
    row("GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", On::Bucket, false, true),
    row("PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock", On::Bucket, true, true),
    row("DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock", On::Bucket, true, true),
    row("GetBucketEncryption", "s3:GetEncryptionConfiguration", On::Bucket, false, true),
    row("PutBucketEncryption", "s3:PutEncryptionConfiguration", On::Bucket, true, true),
    row("DeleteBucketEncryption", "s3:PutEncryptionConfiguration", On::Bucket, true, true),
    row("GetBucketOwnershipControls", "s3:GetBucketOwnershipControls", On::Bucket, false, true),
    row("PutBucketOwnershipControls", "s3:PutBucketOwnershipControls", On::Bucket, true, true),
    row("DeleteBucketOwnershipControls", "s3:PutBucketOwnershipControls", On::Bucket, true, true),
    row("GetBucketAcl", "s3:GetBucketAcl", On::Bucket, false, true),
    row("GetBucketTagging", "s3:GetBucketTagging", On::Bucket, false, true),
    row("PutBucketTagging", "s3:PutBucketTagging", On::Bucket, true, true),
    row("DeleteBucketTagging", "s3:PutBucketTagging", On::Bucket, true, true),
    row("GetObjectTagging", "s3:GetObjectTagging", On::Object, false, false),
    row("PutObjectTagging", "s3:PutObjectTagging", On::Body, true, false),
    row("DeleteObjectTagging", "s3:DeleteObjectTagging", On::Object, true, false),
    row("GetObjectAttributes", "s3:GetObjectAttributes", On::Object, false, false),
    row("GetObjectAcl", "s3:GetObjectAcl", On::Object, false, false),
    row("ListObjects", "s3:ListBucket", On::Bucket, false, false),
    row("ListObjectsV2", "s3:ListBucket", On::Bucket, false, false),
    row("ListObjectVersions", "s3:ListBucketVersions", On::Bucket, false, false),
    row("ListMultipartUploads", "s3:ListBucketMultipartUploads", On::Bucket, false, false),
    row("GetObject", "s3:GetObject", On::Object, false, false),
    row("HeadObject", "s3:GetObject", On::Object, false, false),
    row("PutObject", "s3:PutObject", On::Object, true, false),
    row("CopyObject", "s3:PutObject", On::Object, true, false),
    row("DeleteObject", "s3:DeleteObject", On::Object, true, false),
    row("DeleteObjects", "s3:DeleteObject", On::EachKey, true, false),
    row("CreateMultipartUpload", "s3:PutObject", On::Object, true, false),
    row("UploadPart", "s3:PutObject", On::Object, true, false),
    row("UploadPartCopy", "s3:PutObject", On::Object, true, false),
    row("CompleteMultipartUpload", "s3:PutObject", On::Object, true, false),
    row("AbortMultipartUpload", "s3:AbortMultipartUpload", On::Object, true, false),
    row("ListParts", "s3:ListMultipartUploadParts", On::Object, false, false),
];

/// Parameters that choose another operation on the same method and path.
const SUBRESOURCES: [&str; 40] = [
    "abac",
    "accelerate",
    "acl",
    "analytics",
    "annotation",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metadataAnnotationTable",
    "metadataConfiguration",
    "metadataInventoryTable",
    "metadataJournalTable",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "renameObject",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "session",
    "tagging",
    "torrent",
    "uploads",
    "versioning",
    "versions",
    "website",
];

/// The refusal of a sub-resource that nobody serves.
pub(crate) fn unserved_subresource(query: Option<&str>) -> Option<ApiError> {
    let names = query?.split('&').map(|pair| decoded(pair.split('=').next().unwrap_or("")));
    let name = names.into_iter().find(|name| SUBRESOURCES.contains(&name.as_str()))?;
    Some(ApiError::new("NotImplemented", 501, format!("the sub-resource `{name}` is not implemented by Stoa here")))
}

impl Operation {
    /// Whether no sub-resource chose it. s3s leaves out those it does not know: `DELETE /bucket/key?annotation` must not
    /// become the removal of the object.
    pub fn is_plain(&self) -> bool {
        matches!(
            &*self.name,
            "CreateBucket"
                | "DeleteBucket"
                | "HeadBucket"
                | "ListBuckets"
                | "ListObjects"
                | "ListObjectsV2"
                | "PutObject"
                | "CopyObject"
                | "GetObject"
                | "HeadObject"
                | "DeleteObject"
        )
    }
    /// The row of an operation by s3s's name. None: not served.
    pub fn named(name: &str) -> Option<Operation> {
        TABLE.iter().find(|row| row.name == name).cloned()
    }
    /// An upload by form that does not become a `PutObject`.
    pub fn of_form() -> Operation {
        row("PutObject", "s3:PutObject", On::Object, true, false)
    }
    /// A preflight, which nobody signs and nothing decides but the bucket's rules.
    pub fn of_preflight() -> Operation {
        row("PreflightRequest", "", On::Bucket, false, false)
    }
    /// The row that stands for an operation which is not served: it changes nothing.
    pub fn not_served(name: &str) -> Operation {
        Operation { name: Cow::Owned(name.to_owned()), ..row("", "", On::Bucket, false, true) }
    }
    /// Whether its conditions look at the tags that the object has.
    pub fn looks_at_tags(&self) -> bool {
        self.on == On::Object
            && !matches!(&*self.name, "PutObject" | "CopyObject" | "DeleteObject")
            && !self.is_upload()
    }
    fn is_upload(&self) -> bool {
        matches!(&*self.name, "ListParts" | "AbortMultipartUpload")
            || self.name.contains("UploadPart")
            || self.name.contains("MultipartUpload")
    }
    /// The action that it is on a version by its id; its own, where it takes no such id.
    fn action_on_version(&self) -> &'static str {
        match &*self.name {
            "GetObject" | "HeadObject" => "s3:GetObjectVersion",
            "DeleteObject" => "s3:DeleteObjectVersion",
            "GetObjectTagging" => "s3:GetObjectVersionTagging",
            "PutObjectTagging" => "s3:PutObjectVersionTagging",
            "DeleteObjectTagging" => "s3:DeleteObjectVersionTagging",
            "GetObjectAttributes" => "s3:GetObjectVersionAttributes",
            "GetObjectAcl" => "s3:GetObjectVersionAcl",
            _ => self.action,
        }
    }
    /// Whether its body is a document, which s3s reads whole. The others are streams, read by their handlers.
    pub fn takes_document(&self) -> bool {
        !matches!(&*self.name, "PutObject" | "UploadPart" | "PostObject")
    }
    /// Whether its answer is a document with keys in it.
    pub fn tells_keys(&self) -> bool {
        self.name == "DeleteObjects"
            || self.name.ends_with("MultipartUpload")
            || self.name.starts_with("ListObject")
            || matches!(&*self.name, "ListMultipartUploads" | "ListParts")
    }
    /// Whether `x-amz-tagging` tags what it makes.
    fn writes_tags(&self) -> bool {
        matches!(&*self.name, "PutObject" | "CopyObject" | "CreateMultipartUpload")
    }
    /// Whether the bytes of an object are written or read by it: where a customer's own key could be given.
    pub fn moves_bytes(&self) -> bool {
        matches!(
            &*self.name,
            "PutObject"
                | "CopyObject"
                | "CreateMultipartUpload"
                | "UploadPart"
                | "UploadPartCopy"
                | "CompleteMultipartUpload"
                | "GetObject"
                | "HeadObject"
                | "GetObjectAttributes"
        )
    }
    /// Whether a bucket's owner, as its root user, may do it whatever the bucket's policy says: else a wrong policy
    /// could lock everybody out.
    pub fn is_of_policy(&self) -> bool {
        matches!(&*self.name, "GetBucketPolicy" | "PutBucketPolicy" | "DeleteBucketPolicy")
    }
    /// Whether the bucket must exist.
    pub fn needs_bucket(&self) -> bool {
        self.name != "CreateBucket" && self.on != On::Everything
    }
}

pub(crate) fn bucket_arn(cx: &Cx, bucket: &str) -> String {
    format!("arn:{}:s3:::{bucket}", cx.partition)
}

pub(crate) fn object_arn(cx: &Cx, bucket: &str, key: &str) -> String {
    format!("arn:{}:s3:::{bucket}/{key}", cx.partition)
}

/// What a decision about a request looks at.
pub(crate) struct Asked<'r> {
    pub cx: &'r Cx,
    pub signed: &'r Signed,
    pub path: &'r S3Path,
    pub uri: &'r Uri,
    pub headers: &'r HeaderMap,
    pub owner: Option<&'r AccountId>,
    /// The tags that the object has, for operations whose conditions look at them.
    pub existing_tags: Option<&'r ObjectTags>,
}

/// What the signature says of a request.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    auth_type: AuthType,
    /// Milliseconds since it was signed.
    age: Option<i64>,
    /// What stands for the body in the signature.
    payload: Option<String>,
}

impl Signed {
    pub fn of(auth_type: AuthType, headers: &HeaderMap, uri: &Uri, now: Timestamp) -> Signed {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let query = || uri.query().unwrap_or("").split('&').find_map(|pair| pair.strip_prefix("X-Amz-Date="));
        let date = match auth_type {
            AuthType::Header => header("x-amz-date"),
            AuthType::Query => query().map(decoded),
            AuthType::QueryVersion2 | AuthType::Form | AuthType::FormVersion2 | AuthType::None => None,
        };
        let signed_at = date.and_then(|date| Timestamp::parse_amz_date(&date).ok());
        let age = signed_at.map(|at| now.millis().saturating_sub(at.millis()).max(0));
        let unsigned = (auth_type == AuthType::Query).then(|| "UNSIGNED-PAYLOAD".to_owned());
        Signed { auth_type, age, payload: header("x-amz-content-sha256").or(unsigned) }
    }
}

/// Keys that every S3 target has.
pub(crate) fn common_keys(target: Target, signed: &Signed, owner: Option<&AccountId>) -> Target {
    let mut target = match owner {
        Some(owner) => {
            target.with_key("aws:ResourceAccount", owner.as_str()).with_key("s3:ResourceAccount", owner.as_str())
        }
        None => target,
    };
    if let Some(age) = signed.age {
        target = target.with_key("s3:signatureAge", age.to_string());
    }
    if let Some(payload) = &signed.payload {
        target = target.with_key("s3:x-amz-content-sha256", payload.as_str());
    }
    let (form, version) = match signed.auth_type {
        AuthType::Header => ("REST-HEADER", "AWS4-HMAC-SHA256"),
        AuthType::Query => ("REST-QUERY-STRING", "AWS4-HMAC-SHA256"),
        AuthType::QueryVersion2 => ("REST-QUERY-STRING", "AWS"),
        AuthType::Form => ("POST", "AWS4-HMAC-SHA256"),
        AuthType::FormVersion2 => ("POST", "AWS"),
        AuthType::None => return target,
    };
    target.with_key("s3:authType", form).with_key("s3:signatureversion", version)
}

/// Headers that are keys: `x-amz-acl` is `s3:x-amz-acl`, `x-amz-object-lock-mode` is `s3:object-lock-mode`.
const HEADER_KEYS: [&str; 21] = [
    "x-amz-acl",
    "x-amz-bucket-namespace",
    "x-amz-copy-source",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-metadata-directive",
    "x-amz-object-annotation-directive",
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-object-ownership",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
    "if-match",
    "if-none-match",
];
const QUERY_KEYS: [&str; 3] = ["prefix", "delimiter", "max-keys"];

/// The targets of a request; the source of a copy is decided by its handler, which knows its owner.
pub(crate) fn targets(operation: &Operation, asked: &Asked<'_>) -> Result<Vec<Target>, ApiError> {
    let bucket = asked.path.get_bucket_name();
    let resource = match (operation.on, asked.path.as_object(), bucket) {
        (On::EachKey | On::Body, ..) => return Ok(Vec::new()),
        (On::Everything, ..) => "*".to_owned(),
        (On::Object, Some((bucket, key)), _) => object_arn(asked.cx, bucket, key),
        (_, Some((bucket, key)), _) if operation.action.is_empty() => object_arn(asked.cx, bucket, key),
        (_, _, Some(bucket)) => bucket_arn(asked.cx, bucket),
        (_, _, None) => "*".to_owned(),
    };
    let version = version_id(asked.uri)?;
    let action = match (operation.action, &version) {
        ("", _) => format!("s3:{}", operation.name).into(),
        (action, None) => Cow::Borrowed(action),
        (_, Some(_)) => Cow::Borrowed(operation.action_on_version()),
    };
    let mut target = header_keys(common_keys(Target::new(action, resource), asked.signed, asked.owner), asked.headers);
    if let Some(version) = &version {
        target = target.with_key("s3:VersionId", version.as_str());
    }
    if operation.action == "s3:PutObject" {
        // Starting an upload and its parts make no object; ending it does.
        let creates = operation.name == "CompleteMultipartUpload" || !operation.is_upload();
        target = target.with_key("s3:ObjectCreationOperation", creates.to_string());
    }
    for name in QUERY_KEYS {
        if let Some(value) = query_value(asked.uri.query().unwrap_or(""), name)? {
            target = target.with_key(&format!("s3:{name}"), value);
        }
    }
    if let Some(tags) = asked.existing_tags {
        target = existing_tag_keys(target, tags);
    }
    if operation.name == "GetObjectAttributes" {
        // Reading what an object is made of is reading it.
        let read = if version.is_some() { "s3:GetObjectVersion" } else { "s3:GetObject" };
        let read = Target { action: read.into(), ..target.clone() };
        return Ok(vec![read, target]);
    }
    match header_tags(asked.headers)? {
        Some(tags) if operation.writes_tags() => {
            let target = request_tag_keys(target, &tags);
            let tagging = Target { action: "s3:PutObjectTagging".into(), ..target.clone() };
            Ok(vec![target, tagging])
        }
        _ => Ok(vec![target]),
    }
}

fn header_keys(mut target: Target, headers: &HeaderMap) -> Target {
    for name in HEADER_KEYS {
        if let Some(value) = headers.get(name).and_then(|value| value.to_str().ok()) {
            let key = if name.contains("object-lock") { name.trim_start_matches("x-amz-") } else { name };
            target = target.with_key(&format!("s3:{key}"), value);
        }
    }
    target
}

/// The target of a bucket's creation, decided when its body is read: conditions look at where it is to be.
pub(crate) fn creation(cx: &Cx, signed: &Signed, headers: &HeaderMap, bucket: &str, place: Option<&str>) -> Target {
    let target = Target::new("s3:CreateBucket", bucket_arn(cx, bucket));
    let target = header_keys(common_keys(target, signed, Some(&cx.principal.account)), headers);
    match place.filter(|place| !place.is_empty()) {
        Some(place) => target.with_key("s3:locationconstraint", place),
        None => target,
    }
}

/// The keys that follow from the tags an object has.
pub(crate) fn existing_tag_keys(mut target: Target, tags: &ObjectTags) -> Target {
    for (name, value) in tags {
        target = target.with_key(&format!("s3:ExistingObjectTag/{name}"), value.as_str());
    }
    target
}

/// The keys that follow from the tags a request gives.
pub(crate) fn request_tag_keys(mut target: Target, tags: &ObjectTags) -> Target {
    for (name, value) in tags {
        target = target.with_key(&format!("s3:RequestObjectTag/{name}"), value.as_str());
    }
    target.keys.set_many("s3:RequestObjectTagKeys", tags.keys().map(String::as_str));
    target
}

/// The tags in `x-amz-tagging`: a query string; none without the header.
pub(crate) fn header_tags(headers: &HeaderMap) -> Result<Option<ObjectTags>, ApiError> {
    let Some(header) = headers.get("x-amz-tagging") else { return Ok(None) };
    let invalid = || {
        ApiError::new(
            "InvalidArgument",
            400,
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
        )
    };
    let text = header.to_str().map_err(|_| invalid())?;
    let mut tags = ObjectTags::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if tags.insert(decoded(name), decoded(value)).is_some() {
            return Err(invalid());
        }
    }
    Ok(Some(tags))
}

/// A parameter that decides something stands in a query once, or the decision could see another than the handler.
fn query_value(query: &str, wanted: &str) -> Result<Option<String>, ApiError> {
    let mut found = None;
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if decoded(name) != wanted {
            continue;
        }
        if found.replace(decoded(value)).is_some() {
            return Err(ApiError::new(
                "InvalidArgument",
                400,
                format!("The parameter {wanted} was given more than once"),
            ));
        }
    }
    Ok(found)
}

/// The version that a request names.
pub(crate) fn version_id(uri: &Uri) -> Result<Option<String>, ApiError> {
    query_value(uri.query().unwrap_or(""), "versionId")
}

fn decoded(text: &str) -> String {
    if !text.contains(['%', '+']) {
        return text.to_owned();
    }
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// Bucket, key and version of a copy's source.
pub(crate) fn copy_source(source: &CopySource) -> Result<(&str, &str, Option<&str>), ApiError> {
    match source {
        CopySource::Bucket { key, .. } if key.is_empty() => {
            let text = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey";
            Err(ApiError::new("InvalidArgument", 400, text))
        }
        CopySource::Bucket { bucket, key, version_id } => Ok((bucket, key, version_id.as_deref())),
        _ => Err(ApiError::new("NotImplemented", 501, "copies from access points are not implemented by Stoa")),
    }
}
