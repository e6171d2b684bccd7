//! Model folders on disk: found, read and judged, all problems at once. Blocking; nothing is written.
//!
//! Links are refused wherever they stand, and names are plain, so that nothing outside the folder is ever read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Manifest;
use super::model::{FileSource, ModelFolder};

/// HubContentMarkdown's limit.
pub(crate) const LONGEST_CARD: usize = 170_391;
/// HubContentDocument's limit.
pub(crate) const LONGEST_DOCUMENT: usize = 327_680;
const LONGEST_MANIFEST: u64 = 1 << 20;
pub(crate) const LONGEST_EULA: u64 = 1 << 20;
pub(crate) const MOST_FILES: usize = 10_000;
pub(crate) const LONGEST_PATH: usize = 512;
const REQUIRED: [&str; 14] = [
    "id",
    "version",
    "display_name",
    "description",
    "task",
    "framework",
    "provider",
    "licence",
    "default_instance_type",
    "supported_instance_types",
    "image",
    "content_types",
    "accept_types",
    "min_memory_mb",
];

/// What is wrong, each with the path it is about.
pub(crate) type Problems = Vec<String>;

/// The model folders in a folder: itself, its children or its grandchildren, whichever holds a `manifest.json`.
pub(crate) fn read_all(root: &Path) -> Result<Vec<ModelFolder>, Problems> {
    let mut candidates = Vec::new();
    let mut problems = Problems::new();
    find(root, 2, &mut candidates, &mut problems);
    if candidates.is_empty() && problems.is_empty() {
        problems.push(format!("{}: no manifest.json is in this folder or the two levels below it", root.display()));
    }
    let mut folders: Vec<ModelFolder> = Vec::new();
    let mut origins = BTreeMap::new();
    for path in candidates {
        match read(&path) {
            Ok(folder) => {
                let (id, version) = (folder.manifest.id.clone(), folder.manifest.version);
                if let Some(other) = origins.insert((id.clone(), version), folder.origin.clone()) {
                    problems.push(format!("{}: {id} {version} is also in {other}", folder.origin));
                }
                folders.push(folder);
            }
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(folders) } else { Err(problems) }
}

fn find(folder: &Path, deeper: usize, found: &mut Vec<PathBuf>, problems: &mut Problems) {
    let mut folders = Vec::new();
    let entries = match plain_entries(folder) {
        Ok(entries) => entries,
        Err(problem) => return problems.push(problem),
    };
    for (path, kind) in entries {
        if path.file_name().is_some_and(|name| name == "manifest.json") {
            found.push(folder.to_owned());
            return;
        }
        if kind.is_dir() {
            folders.push(path);
        }
    }
    if deeper > 0 {
        for path in folders {
            find(&path, deeper - 1, found, problems);
        }
    }
}

/// The entries of a folder in order of name; links are not followed.
fn plain_entries(folder: &Path) -> Result<Vec<(PathBuf, fs::FileType)>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        entries.push((entry.path(), entry.file_type().map_err(failed)?));
    }
    entries.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(entries)
}

fn read(folder: &Path) -> Result<ModelFolder, Problems> {
    let mut problems = Problems::new();
    let manifest = match text(&folder.join("manifest.json"), LONGEST_MANIFEST) {
        Ok(text) => parse_manifest(&text).map_err(|found| prefixed(folder, "manifest.json: ", found)),
        Err(problem) => Err(vec![problem]),
    };
    let manifest = manifest.map_err(|found| problems.extend(found)).ok();
    let card = match text(&folder.join("README.md"), LONGEST_CARD as u64 * 4) {
        Ok(card) if card.trim().is_empty() || card.chars().count() > LONGEST_CARD => {
            problems.push(format!("{}/README.md: 1 to {LONGEST_CARD} characters are expected", folder.display()));
            None
        }
        Ok(card) => Some(card),
        Err(problem) => {
            problems.push(format!("{problem} (the model card)"));
            None
        }
    };
    let eula = manifest.as_ref().and_then(|manifest| manifest.eula.clone()).map(|name| {
        let path = folder.join(&name);
        match text(&path, LONGEST_EULA) {
            Ok(text) if text.trim().is_empty() => problems.push(format!("{}: the eula is empty", path.display())),
            Ok(_) => {}
            Err(problem) => problems.push(format!("{problem} (the eula)")),
        }
        (name, FileSource::Disk(path))
    });
    let mut files = Vec::new();
    artifact(&folder.join("artifact"), "", &mut files, &mut problems);
    if files.is_empty() && problems.is_empty() {
        problems.push(format!("{}/artifact: the folder has no file", folder.display()));
    }
    match (manifest, card) {
        (Some(manifest), Some(card)) if problems.is_empty() => {
            Ok(ModelFolder { origin: folder.display().to_string(), manifest, card, eula, files })
        }
        _ => Err(problems),
    }
}

/// Parses a manifest. Missing and unknown keys are all named before anything else is looked at.
pub(crate) fn parse_manifest(text: &str) -> Result<Manifest, Problems> {
    let value: Value = serde_json::from_str(text).map_err(|error| vec![format!("not valid JSON: {error}")])?;
    let Value::Object(members) = &value else { return Err(vec!["an object is expected".to_owned()]) };
    let missing = REQUIRED.iter().filter(|key| !members.contains_key(**key));
    let missing: Problems = missing.map(|key| format!("{key}: the key is missing")).collect();
    if !missing.is_empty() {
        return Err(missing);
    }
    let keys = members.keys().cloned().collect::<BTreeSet<_>>();
    let manifest: Manifest = serde_json::from_value(value).map_err(|error| vec![named(&error.to_string(), &keys)])?;
    let problems = manifest.problems();
    if problems.is_empty() { Ok(manifest) } else { Err(problems) }
}

/// serde does not name the key of a bad value; the version is the likely one and says so itself.
fn named(message: &str, keys: &BTreeSet<String>) -> String {
    if message.contains("is not a version") && keys.contains("version") {
        return format!("version: {message}");
    }
    message.to_owned()
}

fn prefixed(folder: &Path, file: &str, found: Problems) -> Problems {
    found.into_iter().map(|problem| format!("{}/{file}{problem}", folder.display())).collect()
}

/// The text of a plain file of at most so many bytes.
pub(crate) fn text(path: &Path, most: u64) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let kind = fs::symlink_metadata(path).map_err(failed)?;
    if !kind.is_file() {
        return Err(format!("{}: a plain file is expected, links are not followed", path.display()));
    }
    let mut text = String::new();
    let read = fs::File::open(path).and_then(|file| file.take(most + 1).read_to_string(&mut text));
    match read.map_err(failed)? as u64 > most {
        true => Err(format!("{}: more than {most} bytes", path.display())),
        false => Ok(text),
    }
}

fn artifact(folder: &Path, prefix: &str, files: &mut Vec<(String, FileSource)>, problems: &mut Problems) {
    match fs::symlink_metadata(folder) {
        Ok(kind) if kind.is_dir() => {}
        Ok(_) => return problems.push(format!("{}: a folder is expected, links are not followed", folder.display())),
        Err(error) => return problems.push(format!("{}: {error}", folder.display())),
    }
    let entries = match plain_entries(folder) {
        Ok(entries) => entries,
        Err(problem) => return problems.push(problem),
    };
    for (path, kind) in entries {
        let name = path.file_name().and_then(|name| name.to_str()).filter(|name| is_plain(name));
        let Some(name) = name else {
            problems.push(format!("{}: the file name is not plain text", path.display()));
            continue;
        };
        let relative = format!("{prefix}{name}");
        if files.len() >= MOST_FILES || relative.len() > LONGEST_PATH {
            return problems
                .push(format!("{}: at most {MOST_FILES} files with short paths are allowed", path.display()));
        }
        if kind.is_dir() {
            artifact(&path, &format!("{relative}/"), files, problems);
        } else if kind.is_file() {
            files.push((relative, FileSource::Disk(path)));
        } else {
            problems.push(format!("{}: neither a plain file nor a folder, links are not followed", path.display()));
        }
    }
}

/// Whether a name is one path component and nothing else.
pub(crate) fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name != "."
        && name != ".."
        && !name.contains(['/', '\\'])
        && !name.chars().any(char::is_control)
}
