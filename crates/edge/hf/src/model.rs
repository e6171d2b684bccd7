//! Models, trees and references as `huggingface_hub` reads them. Pure: from what the hub said to JSON.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};
use stoa_kernel::ports::{RepositoryCard, RepositoryFile, Revision};
use stoa_types::Timestamp;

/// Bytes of the text that stands for a file in a repository whose bytes are elsewhere.
const POINTER_BYTES: u64 = 134;

/// What lists and descriptions of a model have in common.
fn of_card(card: &RepositoryCard) -> Map<String, Json> {
    let mut model = Map::new();
    let mut put = |key: &str, value: Json| {
        model.insert(key.to_owned(), value);
    };
    put("id", json!(card.repository));
    put("modelId", json!(card.repository));
    if let Some((author, _)) = card.repository.split_once('/') {
        put("author", json!(author));
    }
    put("private", json!(true));
    put("disabled", json!(false));
    put("gated", if card.gated { json!("manual") } else { json!(false) });
    put("tags", json!(card.tags));
    if let Some(tag) = &card.pipeline_tag {
        put("pipeline_tag", json!(tag));
    }
    if let Some(library) = &card.library {
        put("library_name", json!(library));
    }
    model
}

/// An entry of `GET /api/models`.
pub(crate) fn listed(card: &RepositoryCard, created: Timestamp) -> Json {
    let mut model = of_card(card);
    model.insert("createdAt".to_owned(), json!(created.iso8601()));
    model.insert("lastModified".to_owned(), json!(created.iso8601()));
    Json::Object(model)
}

/// `GET /api/models/{repo}`; with `blobs`, each file's size and digest.
pub(crate) fn described(found: &Revision, blobs: bool) -> Json {
    let card = &found.card;
    let mut model = of_card(card);
    let sibling = |file: &RepositoryFile| {
        let mut sibling = json!({ "rfilename": file.path });
        if let (true, Json::Object(members)) = (blobs, &mut sibling) {
            members.insert("size".to_owned(), json!(file.size));
            members.insert("blobId".to_owned(), json!(oid(file)));
            // Of sealed bytes no hash is known but that of the blob.
            if file.sealed.is_none() {
                let lfs = json!({ "sha256": file.sha256, "size": file.size, "pointerSize": POINTER_BYTES });
                members.insert("lfs".to_owned(), lfs);
            }
        }
        sibling
    };
    let mut put = |key: &str, value: Json| {
        model.insert(key.to_owned(), value);
    };
    put("sha", json!(found.commit));
    put("createdAt", json!(found.created.iso8601()));
    put("lastModified", json!(found.created.iso8601()));
    put("siblings", found.files.iter().map(sibling).collect());
    put("usedStorage", json!(found.files.iter().map(|file| file.size).sum::<u64>()));
    if card.card_data.is_object() {
        put("cardData", card.card_data.clone());
    }
    if card.config.is_object() {
        put("config", card.config.clone());
    }
    if !card.parameters.is_empty() {
        let parameters: Map<String, Json> =
            card.parameters.iter().map(|(kind, count)| (kind.clone(), json!(count))).collect();
        let total: u64 = card.parameters.iter().map(|(_, count)| count).sum();
        put("safetensors", json!({ "parameters": parameters, "total": total }));
    }
    Json::Object(model)
}

/// `GET /api/models/{repo}/tree/…`: what is in a folder, or in and below it. None where there is no such folder.
pub(crate) fn tree(files: &[RepositoryFile], path: &str, recursive: bool) -> Option<Json> {
    let folder = path.trim_matches('/');
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let (mut entries, mut folders) = (Vec::new(), BTreeSet::new());
    for file in files {
        if file.path == folder {
            entries.push(file_entry(file));
        }
        let Some(rest) = file.path.strip_prefix(prefix.as_str()) else { continue };
        let steps: Vec<&str> = rest.split('/').collect();
        let depth = if recursive { steps.len() } else { steps.len().min(2) };
        for end in 1..depth {
            folders.insert(format!("{prefix}{}", steps.get(..end).unwrap_or_default().join("/")));
        }
        if recursive || steps.len() == 1 {
            entries.push(file_entry(file));
        }
    }
    let found = !entries.is_empty() || !folders.is_empty() || folder.is_empty();
    let folders = folders.iter().map(|path| json!({ "type": "directory", "oid": "", "size": 0, "path": path }));
    found.then(|| folders.chain(entries).collect())
}

fn file_entry(file: &RepositoryFile) -> Json {
    let mut entry = json!({ "type": "file", "oid": oid(file), "size": file.size, "path": file.path });
    if let (None, Json::Object(members)) = (&file.sealed, &mut entry) {
        let lfs = json!({ "oid": file.sha256, "size": file.size, "pointerSize": POINTER_BYTES });
        members.insert("lfs".to_owned(), lfs);
    }
    entry
}

/// A name for the file's content of git's length. All files are told as kept elsewhere, by their SHA-256.
fn oid(file: &RepositoryFile) -> &str {
    file.sha256.get(..40).unwrap_or(&file.sha256)
}

/// What `GET /api/models` may ask for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub search: Option<String>,
    pub author: Option<String>,
    pub pipeline_tag: Option<String>,
    pub gated: Option<bool>,
    /// All of them must be among the tags.
    pub tags: Vec<String>,
}

impl Filter {
    pub fn fits(&self, card: &RepositoryCard) -> bool {
        let id = card.repository.to_lowercase();
        let author = card.repository.split_once('/').map(|(author, _)| author);
        let has = |tag: &String| {
            card.tags.contains(tag) || card.pipeline_tag.as_ref() == Some(tag) || card.library.as_ref() == Some(tag)
        };
        self.search.as_ref().is_none_or(|search| id.contains(&search.to_lowercase()))
            && self.author.as_ref().is_none_or(|wanted| author == Some(wanted))
            && self.pipeline_tag.as_ref().is_none_or(|wanted| card.pipeline_tag.as_ref() == Some(wanted))
            && self.gated.is_none_or(|wanted| card.gated == wanted)
            && self.tags.iter().all(has)
    }
}

#[cfg(test)]
mod tests {
    //! Trees and filters.

    use super::*;

    fn file(path: &str) -> RepositoryFile {
        RepositoryFile { path: path.to_owned(), size: 1, sha256: "a".repeat(64), inline: None, sealed: None }
    }

    fn paths(tree: &Json) -> Vec<&str> {
        tree.as_array().unwrap().iter().map(|entry| entry["path"].as_str().unwrap()).collect()
    }

    #[test]
    fn trees_of_folders() {
        let files = [file("a.json"), file("sub/b.bin"), file("sub/deep/c.bin")];
        assert_eq!(paths(&tree(&files, "", false).unwrap()), ["sub", "a.json"]);
        assert_eq!(
            paths(&tree(&files, "", true).unwrap()),
            ["sub", "sub/deep", "a.json", "sub/b.bin", "sub/deep/c.bin"]
        );
        assert_eq!(paths(&tree(&files, "sub", false).unwrap()), ["sub/deep", "sub/b.bin"]);
        assert_eq!(paths(&tree(&files, "sub/", true).unwrap()), ["sub/deep", "sub/b.bin", "sub/deep/c.bin"]);
        assert_eq!(paths(&tree(&files, "a.json", false).unwrap()), ["a.json"]);
        assert_eq!(tree(&files, "su", false), None);
        assert_eq!(paths(&tree(&[], "", true).unwrap()), Vec::<&str>::new());
    }

    #[test]
    fn filters_of_lists() {
        let card = RepositoryCard {
            repository: "Org/Tiny-Llama".to_owned(),
            pipeline_tag: Some("text-generation".to_owned()),
            library: Some("transformers".to_owned()),
            tags: vec!["license:mit".to_owned()],
            ..RepositoryCard::default()
        };
        let text = |text: &str| Some(text.to_owned());
        let fitting = [
            Filter::default(),
            Filter { search: text("tiny-ll"), ..Filter::default() },
            Filter { author: text("Org"), gated: Some(false), ..Filter::default() },
            Filter { pipeline_tag: text("text-generation"), ..Filter::default() },
            Filter { tags: vec!["license:mit".to_owned(), "transformers".to_owned()], ..Filter::default() },
        ];
        assert!(fitting.iter().all(|filter| filter.fits(&card)));
        let others = [
            Filter { search: text("bert"), ..Filter::default() },
            Filter { author: text("Other"), ..Filter::default() },
            Filter { gated: Some(true), ..Filter::default() },
            Filter { pipeline_tag: text("fill-mask"), ..Filter::default() },
            Filter { tags: vec!["license:mit".to_owned(), "onnx".to_owned()], ..Filter::default() },
        ];
        assert!(!others.iter().any(|filter| filter.fits(&card)));
    }
}
