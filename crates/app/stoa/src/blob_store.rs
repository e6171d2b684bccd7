//! Where the bytes are: in the data folder, or in the object store that the configuration names.

use std::error::Error;
use std::sync::Arc;

use stoa_blob::BlobStore;
use stoa_blob_fs::FsBlobs;
use stoa_store::Store;
use stoa_types::{Clock, IdSource};

use crate::config::Config;
use crate::data_dir::DataDir;

/// Opens it, once the store's index of blobs is whole.
pub async fn open(
    _config: &Config,
    data_dir: &DataDir,
    store: &dyn Store,
    clock: &dyn Clock,
    _ids: &dyn IdSource,
) -> Result<Arc<dyn BlobStore>, Box<dyn Error>> {
    crate::blob_names::index(store, clock).await?;
    Ok(Arc::new(FsBlobs::open(data_dir.path())?))
}
