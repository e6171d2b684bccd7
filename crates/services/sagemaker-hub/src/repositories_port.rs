//! Models as repositories of files (the kernel's `HubRepositories`), for the Hugging Face read API.
//!
//! A reference shows the files of its source, an imported model those at the place that its document names. Every
//! repository has a README.md: its own, or the model's card.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use stoa_kernel::ports::{HubContentName, HubRepositories, ObjectEntry, RepositoryCard, RepositoryFile, Revision};
use stoa_kernel::{ApiError, Cx};
use stoa_models_sagemaker::types::{HubContentStatus, HubContentType};
use stoa_sagemaker_common::store_error;

use crate::catalog::{ModelBody, PublicModel, commit_of, is_plain};
use crate::content::{ContentView, ViewSource, unavailable};
use crate::eula;
use crate::hub;
use crate::location::S3Place;
use crate::names::HubName;
use crate::service::{Hub, HubSource, Hubs, no_such_hub};

const README: &str = "README.md";
/// The branch that the latest version is.
const MAIN: &str = "main";
/// What holds models, in the order in which a name is looked for.
const KINDS: [HubContentType; 2] = [HubContentType::ModelReference, HubContentType::Model];
/// Files of an imported model.
const MOST_FILES: usize = 10_000;

#[async_trait]
impl HubRepositories for Hubs {
    async fn repository(&self, hub_arn: &str, id: &str) -> Result<Option<HubContentName>, ApiError> {
        let hub = self.any_hub(hub_arn).await?;
        if !id.contains('/') {
            for kind in KINDS {
                if !self.versions(&hub, kind, id).await?.is_empty() {
                    return Ok(Some(named(&hub, kind, id)));
                }
            }
            return Ok(None);
        }
        if let HubSource::Public(index) = &hub.source {
            return Ok(index.repositories.get(id).map(|name| named(&hub, HubContentType::Model, name)));
        }
        let kind = HubContentType::ModelReference;
        let views = self.contents(&hub, kind).await?;
        let found = views.iter().find(|view| repository_of(view) == Some(id));
        Ok(found.map(|view| named(&hub, kind, &view.name)))
    }

    async fn revision(
        &self,
        cx: &Cx,
        hub_arn: &str,
        content: &HubContentName,
        revision: &str,
    ) -> Result<Option<Revision>, ApiError> {
        let mut versions = self.views(hub_arn, content).await?;
        if revision == MAIN {
            return Ok(match versions.pop() {
                Some(view) => Some(self.revision_of(cx, &view).await?),
                None => None,
            });
        }
        let is_commit = revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
        let version = revision.strip_prefix('v').unwrap_or(revision);
        for view in versions.iter().rev() {
            if !is_commit && view.version.to_string() != version {
                continue;
            }
            let found = self.revision_of(cx, view).await?;
            if !is_commit || found.commit == revision {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    async fn cards(
        &self,
        hub_arn: &str,
        contents: &[HubContentName],
    ) -> Result<Vec<(HubContentName, RepositoryCard)>, ApiError> {
        let mut cards = Vec::with_capacity(contents.len());
        for content in contents {
            if let Some(view) = self.views(hub_arn, content).await?.pop() {
                let body = self.public_body(&view).await?;
                cards.push((content.clone(), card(&view, body.as_deref())));
            }
        }
        Ok(cards)
    }

    async fn check_file(
        &self,
        cx: &Cx,
        hub_arn: &str,
        content: &HubContentName,
        version: &str,
        file: &RepositoryFile,
    ) -> Result<(), ApiError> {
        let gone = || ApiError::resource_not_found(format!("{} {version} is not in the hub any more", content.name));
        let views = self.views(hub_arn, content).await?;
        let view = views.iter().find(|view| view.version.to_string() == version).ok_or_else(gone)?;
        if view.status != HubContentStatus::Available {
            return Err(unavailable(view));
        }
        let hub = self.any_hub(hub_arn).await?;
        match &view.source {
            ViewSource::Public(model) => self.check_public_file(&hub, model, file).await,
            ViewSource::Imported => self.check_imported_file(cx, &hub, view, file).await,
        }
    }
}

impl Hubs {
    async fn check_public_file(&self, hub: &Hub, model: &PublicModel, file: &RepositoryFile) -> Result<(), ApiError> {
        self.admits_public(&hub.admission()?, model).await?;
        let body = self.parts.catalog.body(model).await?;
        let stored = body.files.iter().find(|stored| stored.path == file.path);
        match stored {
            Some(stored) if stored.digest.as_str() == file.sha256 => {
                self.must_be_intact(&format!("{} of {}", file.path, model.id), &file.sha256).await
            }
            None if is_card(file, &body.card) => Ok(()),
            _ => Err(another(file)),
        }
    }

    /// The object behind the file is still the one that was listed, is as stated, and the caller may read it.
    async fn check_imported_file(
        &self,
        cx: &Cx,
        hub: &Hub,
        view: &ContentView,
        file: &RepositoryFile,
    ) -> Result<(), ApiError> {
        let place = self.artifact_uri(view).await?.as_deref().and_then(S3Place::parse);
        if let Some(place) = place {
            let key = place.key_of(&file.path);
            let entry = self.objects()?.object(&place.bucket, &key).await?;
            let entry = entry.filter(|entry| place.relative(&entry.key) == file.path);
            if let Some(entry) = entry {
                self.may_read(cx, &place.bucket, &key).await?;
                if entry.digest != file.sha256 {
                    return Err(another(file));
                }
                if entry.inline.is_none() {
                    self.must_be_intact(&format!("{} of {}", file.path, view.name), &file.sha256).await?;
                }
                return self.file_must_be_servable(hub, view, &key, &file.sha256).await;
            }
        }
        // The card, which the caller was shown already.
        let card = self.text(view).await?.markdown.unwrap_or_default();
        if is_card(file, &card) { Ok(()) } else { Err(another(file)) }
    }
}

fn is_card(file: &RepositoryFile, card: &str) -> bool {
    file.path == README && file.inline.as_deref() == Some(card.as_bytes())
}

fn another(file: &RepositoryFile) -> ApiError {
    ApiError::validation(format!("{} is not what it was when its revision was looked up: ask anew", file.path))
}

impl Hubs {
    /// A hub by its ARN, whoever asks.
    pub(crate) async fn any_hub(&self, hub_arn: &str) -> Result<Hub, ApiError> {
        let refused = || ApiError::validation(format!("`{hub_arn}` is not the ARN of a hub"));
        let name = HubName::parse_arn(hub_arn).ok_or_else(refused)?;
        if name.is_public() {
            return Ok(Hub { name, source: HubSource::Public(self.parts.catalog.index().await?) });
        }
        let found = self.parts.store.get(&hub::key(&name)).await.map_err(store_error)?;
        Ok(Hub { source: HubSource::Private(found.ok_or_else(|| no_such_hub(&name))?), name })
    }

    async fn views(&self, hub_arn: &str, content: &HubContentName) -> Result<Vec<ContentView>, ApiError> {
        let hub = self.any_hub(hub_arn).await?;
        let Ok(kind) = content.kind.parse() else { return Ok(Vec::new()) };
        self.versions(&hub, kind, &content.name).await
    }

    async fn revision_of(&self, cx: &Cx, view: &ContentView) -> Result<Revision, ApiError> {
        let body = self.public_body(view).await?;
        let (commit, files) = match &body {
            Some(body) => (body.commit(), public_files(body)),
            None => {
                let files = self.files_at_place(cx, view).await?;
                let digests = files.iter().map(|file| (file.path.as_str(), file.sha256.as_str()));
                (commit_of(&view.name, &view.version.to_string(), digests), files)
            }
        };
        Ok(Revision {
            version: view.version.to_string(),
            commit,
            created: view.created,
            files,
            card: card(view, body.as_deref()),
            licence: eula::licence_of(view),
        })
    }

    /// All of a public model; none of an imported one.
    async fn public_body(&self, view: &ContentView) -> Result<Option<Arc<ModelBody>>, ApiError> {
        match &view.source {
            ViewSource::Public(model) => Ok(Some(self.parts.catalog.body(model).await?)),
            ViewSource::Imported => Ok(None),
        }
    }

    async fn files_at_place(&self, cx: &Cx, view: &ContentView) -> Result<Vec<RepositoryFile>, ApiError> {
        let mut files = Vec::new();
        if let Some(place) = self.artifact_uri(view).await?.as_deref().and_then(S3Place::parse) {
            let objects = self.objects()?;
            self.may_list(cx, &place).await?;
            for entry in place.entries(objects, None, MOST_FILES).await? {
                let path = place.relative(&entry.key).to_owned();
                // What cannot be a path on the client's disk is no file of the repository.
                if path.split('/').all(is_plain) {
                    let ObjectEntry { size, digest: sha256, inline, sealed, .. } = entry;
                    files.push(RepositoryFile { path, size, sha256, inline, sealed });
                }
            }
        }
        let markdown = self.text(view).await?.markdown;
        with_readme(&mut files, markdown.as_deref().unwrap_or_default());
        Ok(files)
    }
}

fn named(hub: &Hub, kind: HubContentType, name: &str) -> HubContentName {
    let arn = hub.name.content_arn(kind.as_str(), name);
    HubContentName { kind: kind.as_str().to_owned(), name: name.to_owned(), arn }
}

fn repository_of(view: &ContentView) -> Option<&str> {
    match &view.source {
        ViewSource::Public(model) => model.huggingface.as_ref()?.repository.as_deref(),
        ViewSource::Imported => None,
    }
}

fn public_files(body: &ModelBody) -> Vec<RepositoryFile> {
    let file = |file: &crate::catalog::ModelFile| RepositoryFile {
        path: file.path.clone(),
        size: file.size,
        sha256: file.digest.as_str().to_owned(),
        inline: None,
        sealed: None,
    };
    let mut files = body.files.iter().map(file).collect();
    with_readme(&mut files, &body.card);
    files
}

/// Adds the card as README.md, where there is none. Files stay in order of path.
fn with_readme(files: &mut Vec<RepositoryFile>, card: &str) {
    let place = files.binary_search_by(|file| file.path.as_str().cmp(README));
    if let (Err(place), false) = (place, card.is_empty()) {
        let bytes = bytes::Bytes::copy_from_slice(card.as_bytes());
        let sha256 = hex::encode(Sha256::digest(&bytes));
        let (path, size) = (README.to_owned(), bytes.len() as u64);
        let readme = RepositoryFile { path, size, sha256, inline: Some(bytes), sealed: None };
        files.insert(place, readme);
    }
}

fn card(view: &ContentView, body: Option<&ModelBody>) -> RepositoryCard {
    let Some(manifest) = body.map(|body| &body.manifest) else {
        return RepositoryCard {
            repository: view.name.clone(),
            tags: view.keywords.clone(),
            ..RepositoryCard::default()
        };
    };
    let origin = manifest.huggingface.clone().unwrap_or_default();
    let licence = manifest.licence.to_lowercase();
    let mut tags = origin.tags.clone();
    tags.extend(origin.library_name.clone());
    tags.extend(origin.languages.iter().cloned());
    tags.extend(origin.base_models.iter().map(|base| format!("base_model:{base}")));
    tags.push(format!("license:{licence}"));
    tags.extend(view.keywords.iter().cloned());
    let mut seen = std::collections::BTreeSet::new();
    tags.retain(|tag| seen.insert(tag.clone()));
    let task = manifest.task.to_lowercase().split_whitespace().collect::<Vec<_>>().join("-");
    RepositoryCard {
        repository: origin.repository.clone().unwrap_or_else(|| view.name.clone()),
        pipeline_tag: Some(origin.pipeline_tag.clone().unwrap_or(task)),
        library: origin.library_name.clone(),
        tags,
        card_data: card_data(&origin, licence),
        config: json!({ "architectures": origin.architectures, "model_type": origin.model_type }),
        parameters: origin.parameters.clone().into_iter().collect(),
        gated: manifest.gated,
    }
}

fn card_data(origin: &crate::catalog::HuggingFace, licence: String) -> Value {
    let mut data = Map::new();
    data.insert("license".to_owned(), Value::String(licence));
    for (key, values) in [("language", &origin.languages), ("base_model", &origin.base_models), ("tags", &origin.tags)]
    {
        if !values.is_empty() {
            data.insert(key.to_owned(), json!(values));
        }
    }
    for (key, value) in [("pipeline_tag", &origin.pipeline_tag), ("library_name", &origin.library_name)] {
        if let Some(value) = value {
            data.insert(key.to_owned(), json!(value));
        }
    }
    Value::Object(data)
}
