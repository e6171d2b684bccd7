//! Bytes on their way into a blob: measured while they stream, checked before anything names them.
//!
//! SHA-256 is the blob's own name, so it costs nothing more here; where the blob is sealed it is computed if it is asked
//! for. What is measured are the bytes as they came, before they are sealed.

use std::error::Error;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use futures_util::stream::{StreamExt, unfold};
use md5::{Digest as _, Md5};
use parking_lot::Mutex;
use sha1::Sha1;
use sha2::Sha256;
use stoa_blob::{BlobError, ByteStream, Digest, Pin};
use stoa_frames::seal;
use stoa_kernel::ports::{BodyChecks, BodyStream, Checksum, ChecksumAlgorithm, Sealed};
use stoa_kernel::{ApiError, Cx};
use tokio::task::{JoinError, JoinHandle};

use crate::encryption::{Sealing, sealer};
use crate::service::S3Objects;

/// Bytes that are a blob now.
#[derive(Debug, Clone)]
pub(crate) struct StoredBody {
    pub digest: Digest,
    pub size: u64,
    md5: [u8; 16],
    pub etag: String,
    pub checksum: Checksum,
    pub sealed: Option<Arc<Sealed>>,
    /// To be kept until the blob has its name.
    pub pin: Pin,
}

enum Running {
    Crc(Box<crc_fast::Digest>),
    Sha1(Sha1),
    /// The blob's name tells it.
    Sha256,
}

struct Measure {
    md5: Md5,
    checksum: Running,
    size: u64,
    /// Of what the blob's name does not tell.
    sha256: Option<Sha256>,
}

/// What S3 computes when nobody asks for another.
const DEFAULT: ChecksumAlgorithm = ChecksumAlgorithm::Crc64Nvme;

pub(crate) fn crc_of(algorithm: ChecksumAlgorithm) -> Option<CrcAlgorithm> {
    match algorithm {
        ChecksumAlgorithm::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
        ChecksumAlgorithm::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
        ChecksumAlgorithm::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
        ChecksumAlgorithm::Sha1 | ChecksumAlgorithm::Sha256 => None,
    }
}

/// A CRC as S3 writes it: big-endian, as wide as it is.
pub(crate) fn crc_text(algorithm: ChecksumAlgorithm, value: u64) -> String {
    match algorithm {
        ChecksumAlgorithm::Crc64Nvme => STANDARD.encode(value.to_be_bytes()),
        _ => STANDARD.encode((value as u32).to_be_bytes()),
    }
}

impl Measure {
    fn new(algorithm: ChecksumAlgorithm, sha256: bool) -> Measure {
        let checksum = match (crc_of(algorithm), algorithm) {
            (Some(crc), _) => Running::Crc(Box::new(crc_fast::Digest::new(crc))),
            (None, ChecksumAlgorithm::Sha1) => Running::Sha1(Sha1::new()),
            (None, _) => Running::Sha256,
        };
        Measure { md5: Md5::new(), checksum, size: 0, sha256: sha256.then(Sha256::new) }
    }

    fn update(&mut self, piece: &[u8]) {
        self.md5.update(piece);
        self.size += piece.len() as u64;
        if let Some(digest) = &mut self.sha256 {
            digest.update(piece);
        }
        match &mut self.checksum {
            Running::Crc(digest) => digest.update(piece),
            Running::Sha1(digest) => digest.update(piece),
            Running::Sha256 => {}
        }
    }

    fn update_all(&mut self, pieces: &[Bytes]) {
        pieces.iter().for_each(|piece| self.update(piece));
    }
}

/// Bytes that are measured at once; fewer are measured where the stream is read.
const BATCH: usize = 256 << 10;

/// What measures a stream: a batch on a thread of its own, while the pieces of the next are read and those of this one
/// are hashed once more and written by the blob store. At most two batches are held.
struct Measuring {
    body: BodyStream,
    measure: Arc<Mutex<Measure>>,
    batch: Vec<Bytes>,
    size: usize,
    /// It gives its batch back, so that memory is freed where it came from.
    job: Option<JoinHandle<Vec<Bytes>>>,
}

impl Measuring {
    /// Waits for the batch before, so that they are measured in order, then begins with this one.
    async fn begin(&mut self) -> Result<(), JoinError> {
        self.settle().await?;
        let (measure, batch) = (Arc::clone(&self.measure), std::mem::take(&mut self.batch));
        self.size = 0;
        self.job = Some(tokio::task::spawn_blocking(move || {
            measure.lock().update_all(&batch);
            batch
        }));
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), JoinError> {
        match self.job.take() {
            Some(job) => job.await.map(drop),
            None => Ok(()),
        }
    }

    /// The next piece of the body, noted. At the end everything is measured.
    async fn next(&mut self) -> Option<Result<Bytes, Box<dyn Error + Send + Sync>>> {
        let piece = self.body.next().await;
        if let Some(Ok(piece)) = &piece {
            self.size += piece.len();
            self.batch.push(piece.clone());
            if self.size < BATCH {
                return Some(Ok(piece.clone()));
            }
        }
        let measured = match &piece {
            Some(Ok(_)) => self.begin().await,
            Some(Err(_)) => Ok(()),
            None => {
                let settled = self.settle().await;
                self.measure.lock().update_all(&std::mem::take(&mut self.batch));
                settled
            }
        };
        match measured {
            Ok(()) => piece,
            Err(error) => Some(Err(error.into())),
        }
    }
}

fn measured(body: BodyStream, measure: &Arc<Mutex<Measure>>) -> ByteStream {
    let measuring = Measuring { body, measure: Arc::clone(measure), batch: Vec::new(), size: 0, job: None };
    unfold(measuring, |mut measuring| async move { measuring.next().await.map(|piece| (piece, measuring)) }).boxed()
}

pub(crate) fn blob_failed(error: BlobError) -> ApiError {
    match error {
        BlobError::Source(cause) => match cause.downcast::<ApiError>() {
            Ok(told) => *told,
            Err(cause) => {
                let text = "You did not provide the number of bytes specified by the Content-Length HTTP header";
                ApiError::new("IncompleteBody", 400, text).with_cause(cause)
            }
        },
        BlobError::Full(_) => {
            ApiError::new("InternalError", 507, "There is no space left to store these bytes.").with_cause(error)
        }
        BlobError::NotFound(_) | BlobError::Backend(_) => ApiError::internal(error),
    }
}

impl S3Objects {
    /// Stores the bytes as a blob, sealed where there is a key for it, and holds them to the checks.
    pub(crate) async fn store_body(
        &self,
        cx: &Cx,
        checks: BodyChecks,
        body: BodyStream,
        sealing: Option<&Sealing>,
    ) -> Result<StoredBody, ApiError> {
        let algorithm = checks.algorithm.unwrap_or(DEFAULT);
        let hash = sealing.is_some() && (checks.sha256.is_some() || algorithm == ChecksumAlgorithm::Sha256);
        let measure = Arc::new(Mutex::new(Measure::new(algorithm, hash)));
        let mut bytes = measured(body, &measure);
        if let Some(sealing) = sealing {
            bytes = seal(bytes, sealer(&sealing.key, &*cx.platform.ids)?);
        }
        let written = self.blobs.put(bytes).await.map_err(blob_failed)?;
        let mut measure = measure.lock();
        let md5: [u8; 16] = measure.md5.finalize_reset().into();
        let mut sha256 = [0_u8; 32];
        match measure.sha256.take() {
            Some(digest) => sha256 = digest.finalize().into(),
            // A digest is sixty-four hex digits by its type. (Of sealed bytes it is not looked at.)
            None => drop(hex::decode_to_slice(written.digest.as_str(), &mut sha256)),
        }
        let value = match &mut measure.checksum {
            Running::Crc(digest) => crc_text(algorithm, digest.finalize()),
            Running::Sha1(digest) => STANDARD.encode(digest.finalize_reset()),
            Running::Sha256 => STANDARD.encode(sha256),
        };
        let checksum = Checksum { algorithm, value, composite: false };
        let etag = match sealing.is_some_and(|sealing| sealing.sealed.kms_key_arn.is_some()) {
            // As AWS: of an object under a KMS key it is not the MD5, and says nothing of the bytes.
            true => written.digest.as_str().get(..32).unwrap_or_default().to_owned(),
            false => hex::encode(md5),
        };
        let sealed = sealing.map(|sealing| Arc::clone(&sealing.sealed));
        let pin = written.pin;
        let stored = StoredBody { digest: written.digest, size: measure.size, md5, etag, checksum, sealed, pin };
        check(&stored, sha256, checks)?;
        Ok(stored)
    }
}

fn check(stored: &StoredBody, sha256: [u8; 32], checks: BodyChecks) -> Result<(), ApiError> {
    if checks.length.is_some_and(|length| length != stored.size) {
        let text = "You did not provide the number of bytes specified by the Content-Length HTTP header";
        return Err(ApiError::new("IncompleteBody", 400, text));
    }
    if checks.sha256.is_some_and(|declared| declared != sha256) {
        let text = "The provided 'x-amz-content-sha256' header does not match what was computed.";
        return Err(ApiError::new("XAmzContentSHA256Mismatch", 400, text));
    }
    if checks.md5.is_some_and(|declared| declared != stored.md5) {
        let text = "The Content-MD5 you specified did not match what we received.";
        return Err(ApiError::new("BadDigest", 400, text));
    }
    let Some(expected) = checks.expected else { return Ok(()) };
    let Some(expected) = expected() else {
        let text =
            "The request contained trailing data that was not well-formed or did not conform to our published schema.";
        return Err(ApiError::new("MalformedTrailerError", 400, text));
    };
    if expected != stored.checksum.value {
        let name = stored.checksum.algorithm.name();
        let text = format!("The {name} you specified did not match the calculated checksum.");
        return Err(ApiError::new("BadDigest", 400, text));
    }
    Ok(())
}
