//! Encryption at rest: whether an object is sealed, under which data key, and who may have that key.
//!
//! A write with `x-amz-server-side-encryption`, or into a bucket (or a server) with a default, gets a fresh data key: for
//! SSE-S3 wrapped under the master key, for SSE-KMS made by KMS in the caller's name. What is stored of it is in the
//! object's document ([`Sealed`]). Nothing else claims encryption: an object is sealed where its document says so, and
//! only there.
//!
//! INVARIANT: a data key in the clear lives as long as the call that needs it; none is cached. A copy is made of the opened
//! bytes under a key of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stoa_frames::{DataKey, FrameError, Sealer};
use stoa_kernel::ports::{BucketEncryption, DataKeyCall, DataKeys, ObjectAttributes, SealAlgorithm, Sealed};
use stoa_kernel::{ApiError, Cx};
use stoa_seal::SealingKey;
use stoa_types::IdSource;

use crate::documents::Bucket;
use crate::service::S3Objects;

/// Pair of the encryption context that S3 adds.
const ARN_PAIR: &str = "aws:s3:arn";
const PURPOSE: &str = "stoa/s3/data-key/v1";
/// The service in `kms:ViaService`.
const SERVICE: &str = "s3";

/// What encryption needs beside the blobs.
pub struct Encryption {
    /// Wraps the data keys of SSE-S3.
    pub key: SealingKey,
    /// Makes and opens those of SSE-KMS.
    pub data_keys: Arc<dyn DataKeys>,
    /// What is done to objects where neither the write nor the bucket says anything.
    pub default: Option<BucketEncryption>,
}

/// What a write says of encryption.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    method: Option<String>,
    kms_key: Option<String>,
    bucket_key: Option<bool>,
    context: Option<String>,
}

impl Asked {
    /// Takes it out of the attributes: it is no attribute of the object.
    pub fn take(attributes: &mut ObjectAttributes) -> Asked {
        Asked {
            method: attributes.encryption.take(),
            kms_key: attributes.kms_key_id.take(),
            bucket_key: attributes.bucket_key.take(),
            context: attributes.encryption_context.take(),
        }
    }
}

/// A data key in hand, and what is stored of it.
#[derive(Debug, Clone)]
pub(crate) struct Sealing {
    pub sealed: Arc<Sealed>,
    pub key: DataKey,
}

/// What is to be done to an object.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Aes256,
    Kms { key: Option<String>, bucket_key: bool, context: BTreeMap<String, String> },
}

fn invalid(text: impl Into<String>) -> ApiError {
    ApiError::new("InvalidArgument", 400, text)
}

/// Refuses a method that is not there; AWS's words for one that nobody knows.
pub(crate) fn check_method(method: &str) -> Result<(), ApiError> {
    match method {
        "AES256" | "aws:kms" => Ok(()),
        "aws:kms:dsse" => {
            let text = "dual-layer encryption (aws:kms:dsse) is not implemented by Stoa; use aws:kms";
            Err(ApiError::new("NotImplemented", 501, text))
        }
        _ => Err(invalid("The encryption method specified is not supported")),
    }
}

/// The caller's own pairs of the encryption context.
fn callers_context(text: Option<&str>) -> Result<BTreeMap<String, String>, ApiError> {
    let Some(text) = text else { return Ok(BTreeMap::new()) };
    let decoded = STANDARD.decode(text).ok();
    decoded.and_then(|json| serde_json::from_slice(&json).ok()).ok_or_else(|| {
        invalid(
            "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which \
             represents a string-string map",
        )
    })
}

fn wanted(asked: Asked, default: Option<&BucketEncryption>) -> Result<Option<Wanted>, ApiError> {
    let Asked { method, kms_key, bucket_key, context } = asked;
    if let Some(method) = &method {
        check_method(method)?;
    }
    if method.as_deref() != Some("aws:kms") && (kms_key.is_some() || context.is_some()) {
        return Err(invalid(
            "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
        ));
    }
    let usual = matches!(default, Some(BucketEncryption::Kms { bucket_key: true, .. }));
    let bucket_key = bucket_key.unwrap_or(usual);
    let context = callers_context(context.as_deref())?;
    Ok(match (method.as_deref(), default) {
        (Some("AES256"), _) | (None, Some(BucketEncryption::Aes256)) => Some(Wanted::Aes256),
        (Some(_), _) => Some(Wanted::Kms { key: kms_key, bucket_key, context }),
        (None, Some(BucketEncryption::Kms { key, .. })) => Some(Wanted::Kms { key: key.clone(), bucket_key, context }),
        (None, None) => None,
    })
}

/// KMS's errors as S3 tells them.
fn kms_failed(error: ApiError) -> ApiError {
    if !error.sender() || error.code() == "AccessDeniedException" {
        return error;
    }
    ApiError::new(format!("KMS.{}", error.code()), 400, error.message().to_owned())
}

pub(crate) fn frames_failed(error: FrameError) -> ApiError {
    ApiError::internal(error)
}

fn call<'a>(key: Option<&'a str>, context: &'a BTreeMap<String, String>) -> DataKeyCall<'a> {
    DataKeyCall { service: SERVICE, key, context }
}

impl S3Objects {
    fn encryption(&self) -> Result<&Encryption, ApiError> {
        let text = "this server was put together without encryption";
        self.encryption.as_ref().ok_or_else(|| ApiError::new("NotImplemented", 501, text))
    }

    /// Default encryption of a bucket: its own, or the server's.
    pub(crate) fn default_encryption(&self, bucket: &Bucket) -> Option<BucketEncryption> {
        let own = bucket.body.encryption.clone();
        own.or_else(|| self.encryption.as_ref().and_then(|encryption| encryption.default.clone()))
    }

    /// The data key of a new object, where it is to have one. For SSE-KMS the caller must be allowed to make it.
    pub(crate) async fn new_sealing(
        &self,
        cx: &Cx,
        bucket: &Bucket,
        key: &str,
        asked: Asked,
    ) -> Result<Option<Sealing>, ApiError> {
        let default = self.default_encryption(bucket);
        let Some(wanted) = wanted(asked, default.as_ref())? else { return Ok(None) };
        let bucket_arn = format!("arn:{}:s3:::{}", cx.partition, bucket.name());
        let object_arn = format!("{bucket_arn}/{key}");
        match wanted {
            Wanted::Aes256 => self.own_sealing(cx, object_arn).map(Some),
            Wanted::Kms { key, bucket_key, mut context } => {
                let arn = if bucket_key { bucket_arn } else { object_arn };
                if context.get(ARN_PAIR).is_some_and(|given| *given != arn) {
                    return Err(invalid(format!("the encryption context's {ARN_PAIR} can only be {arn}")));
                }
                context.insert(ARN_PAIR.to_owned(), arn);
                self.kms_sealing(cx, bucket, key.as_deref(), bucket_key, context).await.map(Some)
            }
        }
    }

    fn own_sealing(&self, cx: &Cx, object_arn: String) -> Result<Sealing, ApiError> {
        let ids = &*cx.platform.ids;
        let mut random = zeroize::Zeroizing::new([0_u8; 32]);
        ids.fill(&mut *random);
        let key = self.encryption()?.key.seal(PURPOSE, &object_arn, &*random, ids).map_err(ApiError::internal)?;
        let sealed = Sealed {
            algorithm: SealAlgorithm::Frames1,
            key,
            kms_key_arn: None,
            context: BTreeMap::from([(ARN_PAIR.to_owned(), object_arn)]),
            bucket_key: false,
        };
        Ok(Sealing { sealed: Arc::new(sealed), key: DataKey::new(*random) })
    }

    async fn kms_sealing(
        &self,
        cx: &Cx,
        bucket: &Bucket,
        key: Option<&str>,
        bucket_key: bool,
        context: BTreeMap<String, String>,
    ) -> Result<Sealing, ApiError> {
        let keys = &self.encryption()?.data_keys;
        let made = keys.generate_data_key(cx, &call(key, &context)).await.map_err(kms_failed)?;
        // AWS: an object is not sealed under a key of another region than its bucket's.
        let region = made.key_arn.split(':').nth(3).unwrap_or_default();
        if region != bucket.region.as_str() {
            return Err(ApiError::new("KMS.NotFoundException", 400, format!("Invalid arn {region}")));
        }
        let opened = DataKey::of(&made.plaintext).ok_or_else(|| ApiError::internal("a data key has another size"))?;
        let sealed = Sealed {
            algorithm: SealAlgorithm::Frames1,
            key: STANDARD.encode(&made.ciphertext),
            kms_key_arn: Some(made.key_arn),
            context,
            bucket_key,
        };
        Ok(Sealing { sealed: Arc::new(sealed), key: opened })
    }

    /// The data key of what is sealed. For SSE-KMS the caller must be allowed to open it.
    pub(crate) async fn data_key(&self, cx: &Cx, sealed: &Sealed) -> Result<DataKey, ApiError> {
        let encryption = self.encryption()?;
        let opened = match &sealed.kms_key_arn {
            None => {
                let owner = sealed.context.get(ARN_PAIR).map_or("", String::as_str);
                encryption.key.open(PURPOSE, owner, &sealed.key).map_err(ApiError::internal)?
            }
            Some(key) => {
                let ciphertext = STANDARD.decode(&sealed.key).map_err(ApiError::internal)?;
                let call = call(Some(key), &sealed.context);
                let reader = self.reader_of(cx).await?;
                let opening = reader.as_ref().unwrap_or(cx);
                let opened = encryption.data_keys.decrypt_data_key(opening, &call, &ciphertext).await;
                if let Some(reader) = &reader {
                    cx.note_decided_in(reader);
                }
                opened.map_err(kms_failed)?
            }
        };
        DataKey::of(&opened).ok_or_else(|| ApiError::internal("a data key has another size"))
    }

    /// In whose name the caller of a URL with a grant opens what is sealed.
    async fn reader_of(&self, cx: &Cx) -> Result<Option<Cx>, ApiError> {
        for source in &self.derived {
            if let Some(reader) = source.reader(cx).await? {
                return Ok(Some(reader));
            }
        }
        Ok(None)
    }

    /// A data key that is there, for more bytes under it.
    pub(crate) async fn reopened(&self, cx: &Cx, sealed: &Arc<Sealed>) -> Result<Sealing, ApiError> {
        Ok(Sealing { sealed: Arc::clone(sealed), key: self.data_key(cx, sealed).await? })
    }
}

/// A sealer for one blob under a data key.
pub(crate) fn sealer(key: &DataKey, ids: &dyn IdSource) -> Result<Sealer, ApiError> {
    let mut salt = [0; 32];
    ids.fill(&mut salt);
    Sealer::new(key, salt).map_err(frames_failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: Option<&str>, key: Option<&str>, bucket_key: Option<bool>, context: Option<&str>) -> Asked {
        let text = |text: &str| text.to_owned();
        Asked { method: method.map(text), kms_key: key.map(text), bucket_key, context: context.map(text) }
    }

    fn kms(key: Option<&str>, bucket_key: bool, context: &[(&str, &str)]) -> Option<Wanted> {
        let context = context.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Some(Wanted::Kms { key: key.map(str::to_owned), bucket_key, context })
    }

    #[test]
    fn the_write_comes_before_the_bucket() {
        let default = BucketEncryption::Kms { key: Some("k".to_owned()), bucket_key: true };
        let default = Some(&default);
        let aes = BucketEncryption::Aes256;
        assert_eq!(wanted(Asked::default(), None).unwrap(), None);
        assert_eq!(wanted(Asked::default(), Some(&aes)).unwrap(), Some(Wanted::Aes256));
        assert_eq!(wanted(Asked::default(), default).unwrap(), kms(Some("k"), true, &[]));
        assert_eq!(wanted(asked(None, None, Some(false), None), default).unwrap(), kms(Some("k"), false, &[]));
        assert_eq!(wanted(asked(Some("AES256"), None, None, None), default).unwrap(), Some(Wanted::Aes256));
        // A key that is not named is the account's own, whatever the bucket's is.
        assert_eq!(wanted(asked(Some("aws:kms"), None, None, None), default).unwrap(), kms(None, true, &[]));
        let own = asked(Some("aws:kms"), Some("other"), Some(true), Some("eyJhIjoiMSJ9"));
        assert_eq!(wanted(own, Some(&aes)).unwrap(), kms(Some("other"), true, &[("a", "1")]));
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let code = |asked: Asked| wanted(asked, None).unwrap_err().code().to_owned();
        assert_eq!(code(asked(Some("aws:kms:dsse"), None, None, None)), "NotImplemented");
        assert_eq!(code(asked(Some("rot13"), None, None, None)), "InvalidArgument");
        assert_eq!(code(asked(Some("AES256"), Some("k"), None, None)), "InvalidArgument");
        assert_eq!(code(asked(None, Some("k"), None, None)), "InvalidArgument");
        assert_eq!(code(asked(None, None, None, Some("e30="))), "InvalidArgument");
        for context in ["{}", "bm9uZQ==", "eyJhIjoxfQ=="] {
            assert_eq!(code(asked(Some("aws:kms"), None, None, Some(context))), "InvalidArgument", "{context}");
        }
    }

    #[test]
    fn errors_of_kms_are_told_with_its_name() {
        let told = kms_failed(ApiError::new("DisabledException", 400, "it is disabled"));
        assert_eq!((told.code(), told.message()), ("KMS.DisabledException", "it is disabled"));
        assert_eq!(kms_failed(ApiError::access_denied("no")).code(), "AccessDeniedException");
        assert_eq!(kms_failed(ApiError::internal("disk")).code(), "InternalFailure");
    }
}
