//! What the fuzz target does with a run of bytes as a bundle, shared with the ordinary tests: `fuzz/` includes this file.

use std::path::Path;

use stoa_sagemaker_hub::verify_bundle;

/// Any bytes as a bundle: refused in words, or right, and then right again. `file` is a place for them.
pub async fn verifying(data: &[u8], file: &Path) {
    std::fs::write(file, data).unwrap();
    match verify_bundle(file, &[]).await {
        Ok(report) => {
            assert!(report.bytes <= data.len() as u64, "more bytes than there are");
            assert_eq!(verify_bundle(file, &[]).await.unwrap(), report);
        }
        Err(error) => {
            assert_eq!(error.code(), "ValidationException", "a file is no failure of ours: {error}");
            assert!(!error.message().is_empty());
        }
    }
}
