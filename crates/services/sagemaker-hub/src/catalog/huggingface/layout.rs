//! Where a repository's files lie: a plain folder, or a snapshot in Hugging Face's cache.
//!
//! In a cache the files are links into the `blobs` folder beside `snapshots`. INVARIANT: nothing is read but plain files
//! below the repository's folder, or below that `blobs` folder through such a link.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::folder::{LONGEST_PATH, MOST_FILES, Problems, is_plain};
use super::super::manifest::is_repository;
use super::{RepositoryPath, text_of};

/// What tools leave beside a repository's files.
const LEFT_OUT: [&str; 4] = [".git", ".cache", ".gitattributes", ".huggingface"];
const DEEPEST: usize = 32;

/// A repository on disk.
#[derive(Debug)]
pub(super) struct Layout {
    /// The folder with the files.
    pub root: PathBuf,
    /// `org/name`, where the folder says so.
    pub repository: Option<String>,
    /// The commit, where the folder says so.
    pub commit: Option<String>,
    /// The cache's blobs, resolved.
    blobs: Option<PathBuf>,
}

impl Layout {
    /// Finds out what kind of folder it is.
    pub fn find(path: &Path, revision: Option<&str>) -> Result<Layout, String> {
        if !path.is_dir() {
            return Err(format!("{}: a folder is expected", path.display()));
        }
        if path.join("snapshots").is_dir() && cached_name(path).is_some() {
            return Layout::of_cache(path, revision);
        }
        let cache = path.parent().filter(|parent| parent.file_name().is_some_and(|name| name == "snapshots"));
        if let Some(cache) = cache.and_then(Path::parent).filter(|cache| cached_name(cache).is_some()) {
            return Layout::of_snapshot(cache, path.to_owned());
        }
        if revision.is_some() {
            return Err(format!("{}: only a cache's folder (models--org--name) has revisions", path.display()));
        }
        Ok(Layout { root: path.to_owned(), repository: None, commit: None, blobs: None })
    }

    fn of_cache(cache: &Path, revision: Option<&str>) -> Result<Layout, String> {
        let wanted = revision.unwrap_or("main");
        if !wanted.split('/').all(is_plain) {
            return Err(format!("--revision `{}`: no branch, tag or commit is called so", wanted.escape_default()));
        }
        let snapshots = cache.join("snapshots");
        let reference = cache.join("refs").join(wanted);
        let commit = match fs::symlink_metadata(&reference).is_ok_and(|found| found.is_file()) {
            true => text_of(&reference, 256)?.trim().to_owned(),
            false => wanted.to_owned(),
        };
        if is_plain(&commit) && snapshots.join(&commit).is_dir() {
            return Layout::of_snapshot(cache, snapshots.join(&commit));
        }
        let failed = |error: std::io::Error| format!("{}: {error}", snapshots.display());
        let mut found: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(&snapshots).map_err(failed)? {
            found.push(entry.map_err(failed)?.path());
        }
        match (revision, found.as_slice()) {
            (None, [only]) => Layout::of_snapshot(cache, only.clone()),
            _ => Err(format!(
                "{}: {wanted} is none of its {} snapshots: name one with --revision",
                cache.display(),
                found.len()
            )),
        }
    }

    fn of_snapshot(cache: &Path, root: PathBuf) -> Result<Layout, String> {
        let blobs = fs::canonicalize(cache.join("blobs")).ok();
        let commit = root.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        Ok(Layout { repository: cached_name(cache).flatten(), root, commit, blobs })
    }

    /// The repository's files, in order of path.
    pub fn files(&self, problems: &mut Problems) -> Vec<RepositoryPath> {
        let mut files = Vec::new();
        self.walk(&self.root, "", DEEPEST, &mut files, problems);
        files.sort_by(|left, right| left.path.cmp(&right.path));
        if files.is_empty() && problems.is_empty() {
            problems.push(format!("{}: the folder has no file", self.root.display()));
        }
        files
    }

    fn walk(
        &self,
        folder: &Path,
        prefix: &str,
        deeper: usize,
        files: &mut Vec<RepositoryPath>,
        problems: &mut Problems,
    ) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return problems.push(format!("{}: {error}", folder.display())),
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return problems.push(format!("{}: {error}", folder.display())),
            };
            let (on_disk, name) = (entry.path(), entry.file_name());
            let Some(name) = name.to_str().filter(|name| is_plain(name)) else {
                problems.push(format!("{}: the file name is not plain text", on_disk.display()));
                continue;
            };
            if prefix.is_empty() && LEFT_OUT.contains(&name) {
                continue;
            }
            let path = format!("{prefix}{name}");
            if files.len() >= MOST_FILES || path.len() > LONGEST_PATH || deeper == 0 {
                return problems
                    .push(format!("{}: at most {MOST_FILES} files with short paths are allowed", on_disk.display()));
            }
            match self.plain(&on_disk) {
                Ok(Found::Folder) => self.walk(&on_disk, &format!("{path}/"), deeper - 1, files, problems),
                Ok(Found::File(on_disk, size)) => files.push(RepositoryPath { path, on_disk, size }),
                Err(problem) => problems.push(problem),
            }
        }
    }

    /// A folder or a plain file; in a cache also through a link to one of its blobs.
    fn plain(&self, path: &Path) -> Result<Found, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        let found = fs::symlink_metadata(path).map_err(failed)?;
        if found.is_dir() {
            return Ok(Found::Folder);
        }
        if found.is_file() {
            return Ok(Found::File(path.to_owned(), found.len()));
        }
        if let (true, Some(blobs)) = (found.is_symlink(), &self.blobs) {
            let target = fs::canonicalize(path).map_err(failed)?;
            let size = fs::symlink_metadata(&target).ok().filter(|found| found.is_file()).map(|found| found.len());
            if let (Some(size), true) = (size, target.parent() == Some(blobs)) {
                return Ok(Found::File(target, size));
            }
            return Err(format!("{}: the link leads out of the cache's blobs", path.display()));
        }
        Err(format!("{}: neither a plain file nor a folder, links are not followed", path.display()))
    }
}

enum Found {
    Folder,
    File(PathBuf, u64),
}

/// The repository that a cache's folder is named for; `Some(None)` for one without an owner.
fn cached_name(path: &Path) -> Option<Option<String>> {
    let name = path.file_name()?.to_str()?.strip_prefix("models--")?;
    let id = name.replace("--", "/");
    Some(is_repository(&id).then_some(id))
}
