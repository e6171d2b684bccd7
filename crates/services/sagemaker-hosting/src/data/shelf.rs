//! Where model bytes are read from and kept: blobs as they are, and the bytes of sealed objects, which are opened in the
//! name of the model's execution role.
//!
//! What is made of a sealed object stays sealed under the object's own key. A container gets its bytes as a temporary
//! file of mode 0600 in a folder of mode 0700; the file goes when it was given to the container (whose own folder holds
//! it then, as long as the container is there) or when the attempt failed. After a crash the folder is emptied at the
//! next start.

use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::StreamExt;
use sha2::{Digest as _, Sha256};
use stoa_blob::{BlobError, BlobStore, ByteStream, Digest, Pin, Written, put_bytes};
use stoa_kernel::ports::{ObjectEntry, ReadObject, StoredBytes};
use stoa_kernel::{ApiError, Cx};
use tokio::io::AsyncWriteExt;

use super::files::{ModelBytes, SealedBytes};

/// The folder of opened files.
#[derive(Debug)]
pub struct OpenedFolder {
    path: PathBuf,
    next: AtomicU64,
}

impl OpenedFolder {
    /// Empties (makes) the folder: one on the disk of the containers, that nobody else uses. Blocks; for start-up.
    pub fn open(path: PathBuf) -> io::Result<OpenedFolder> {
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        Ok(OpenedFolder { path, next: AtomicU64::new(0) })
    }

    fn file(&self) -> io::Result<OpenedFile> {
        let path = self.path.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(OpenedFile(path))
    }
}

/// An opened file. It goes when this is dropped.
#[derive(Debug)]
pub(crate) struct OpenedFile(PathBuf);

impl OpenedFile {
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for OpenedFile {
    fn drop(&mut self) {
        // Emptying the folder at the next start removes what cannot be removed now.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The stores behind model data, and in whose name sealed bytes are opened: none where the model has no role.
#[derive(Clone)]
pub(crate) struct Shelf {
    pub blobs: Arc<dyn BlobStore>,
    pub bytes: Arc<dyn ReadObject>,
    pub opened: Arc<OpenedFolder>,
    pub role: Option<Arc<Cx>>,
}

impl Shelf {
    fn role(&self) -> Result<&Cx, ApiError> {
        let text = "the data is encrypted, and the model has no execution role that could open it";
        self.role.as_deref().ok_or_else(|| ApiError::validation(text))
    }

    /// The bytes of an object, pinned; derived objects that live in memory are written to a blob.
    pub async fn bytes_of(&self, entry: &ObjectEntry) -> Result<ModelBytes, ApiError> {
        if let Some(bytes) = entry.inline.clone() {
            let written = put_bytes(&*self.blobs, bytes).await.map_err(ApiError::internal)?;
            return Ok(ModelBytes { digest: written.digest, sealed: None, pin: written.pin });
        }
        let digest = Digest::parse(&entry.digest);
        let digest = digest.ok_or_else(|| ApiError::internal(format!("object {} has no digest", entry.key)))?;
        let sealed = entry.sealed.clone().map(|seal| SealedBytes { seal, size: entry.size });
        // The object may lose the bytes to a writer while its container starts.
        let pin = self.pinned(&digest).await.map_err(ApiError::internal)?;
        Ok(ModelBytes { digest, sealed, pin })
    }

    async fn pinned(&self, digest: &Digest) -> Result<Pin, BlobError> {
        self.blobs.hold(digest).await?.ok_or_else(|| BlobError::NotFound(digest.as_str().to_owned()))
    }

    /// Refuses a sealed blob that is not its digest's: what else the same data key seals, such as another file of the same
    /// archive, opens in its place where it is as long.
    async fn must_be_whole(&self, digest: &Digest) -> Result<(), ApiError> {
        let mut pieces = self.blobs.get(digest, 0, None).await.map_err(ApiError::internal)?;
        let mut hash = Sha256::new();
        while let Some(piece) = pieces.next().await {
            hash.update(&piece.map_err(ApiError::internal)?);
        }
        let found = Digest::from_bytes(hash.finalize().into());
        match found == *digest {
            true => Ok(()),
            false => {
                Err(ApiError::internal(format!("the bytes of {} are those of {}", digest.as_str(), found.as_str())))
            }
        }
    }

    /// A sealed file opened.
    pub async fn open(&self, digest: &Digest, sealed: &SealedBytes) -> Result<OpenedFile, ApiError> {
        self.must_be_whole(digest).await?;
        let stored =
            StoredBytes { digest: digest.as_str(), size: sealed.size, inline: None, sealed: Some(&*sealed.seal) };
        let mut pieces = self.bytes.read(self.role()?, &stored, 0, sealed.size).await?;
        let opened = self.opened.file().map_err(ApiError::internal)?;
        let file = tokio::fs::OpenOptions::new().write(true).open(opened.path()).await.map_err(ApiError::internal)?;
        let mut file = tokio::io::BufWriter::with_capacity(1 << 20, file);
        while let Some(piece) = pieces.next().await {
            file.write_all(&piece.map_err(ApiError::internal)?).await.map_err(ApiError::internal)?;
        }
        file.flush().await.map_err(ApiError::internal)?;
        Ok(opened)
    }

    /// Keeps what was made of a sealed object, or of a plain one, as that one is kept.
    pub async fn keep(&self, like: Option<&SealedBytes>, bytes: ByteStream) -> Result<ModelBytes, KeepError> {
        let Some(like) = like else {
            return match self.blobs.put(bytes).await {
                Ok(Written { digest, pin, .. }) => Ok(ModelBytes { digest, sealed: None, pin }),
                Err(BlobError::Source(cause)) => Err(KeepError::Source(cause.to_string())),
                Err(error) => Err(KeepError::Store(error.into())),
            };
        };
        let role = self.role().map_err(|error| KeepError::Store(error.into()))?;
        let kept = self.bytes.keep_sealed(role, &like.seal, bytes).await;
        let (digest, size) = kept.map_err(|error| match std::error::Error::source(&error) {
            Some(cause) if error.sender() => KeepError::Source(cause.to_string()),
            _ => KeepError::Store(error.into()),
        })?;
        let digest = Digest::parse(&digest).ok_or_else(|| KeepError::Store("a blob has no digest".into()))?;
        // Whoever removed it in between makes this attempt fail.
        let pin = self.pinned(&digest).await.map_err(|error| KeepError::Store(error.into()))?;
        Ok(ModelBytes { digest, sealed: Some(SealedBytes { seal: Arc::clone(&like.seal), size }), pin })
    }
}

/// Whose fault it is that bytes were not kept.
#[derive(Debug)]
pub(crate) enum KeepError {
    /// Their producer's.
    Source(String),
    /// Ours.
    Store(Box<dyn std::error::Error + Send + Sync>),
}
