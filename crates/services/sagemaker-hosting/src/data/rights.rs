//! Whether the execution role may read what a container is to be given: each object, since a policy may look at its key,
//! its tags or its bucket. Decided when a model is created, and again for the very objects that a deployment takes.

use stoa_kernel::ports::{ObjectAccess, ObjectEntry, ObjectRead, ObjectSource};
use stoa_kernel::{ApiError, Cx, Principal};

use super::files::MOST_FILES;
use super::{PAGE, Source, is_marker};

/// Who reads.
pub(crate) struct Reader<'a> {
    pub access: &'a dyn ObjectAccess,
    pub cx: &'a Cx,
    /// The execution role as SageMaker assumes it.
    pub role: &'a Principal,
}

impl Reader<'_> {
    /// Refuses an object that the role may not read.
    pub async fn check(&self, source: &Source, entry: &ObjectEntry) -> Result<(), ApiError> {
        let read = ObjectRead::newest(&source.bucket, &entry.key);
        self.access.may_get(self.cx, self.role, &read).await
    }

    /// Refuses a source any of whose objects the role may not read.
    pub async fn check_all(&self, objects: &dyn ObjectSource, source: &Source) -> Result<(), ApiError> {
        if !source.prefix {
            return match objects.object(&source.bucket, &source.key).await? {
                Some(entry) => self.check(source, &entry).await,
                None => Ok(()),
            };
        }
        let (mut after, mut count) = (None::<String>, 0);
        loop {
            let page = objects.objects(&source.bucket, &source.key, after.as_deref(), PAGE).await?;
            for entry in page.iter().filter(|entry| !is_marker(source, entry)) {
                count += 1;
                if count > MOST_FILES {
                    return Err(ApiError::validation(format!("there are more than {MOST_FILES} files")));
                }
                self.check(source, entry).await?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.key.clone()),
                _ => return Ok(()),
            }
        }
    }
}
