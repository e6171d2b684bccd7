//! A content against its statement, before anything of it is served or deployed.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use stoa_kernel::ApiError;
use stoa_kernel::ports::ObjectEntry;
use stoa_sagemaker_common::store_error;

use super::{MOST_FILES, Provenance, Statement, key};
use crate::catalog::PublicModel;
use crate::content::{ContentView, ViewSource};
use crate::location::S3Place;
use crate::service::{Hub, Hubs};

impl Hubs {
    /// The provenance of an imported version, where there is one.
    pub(crate) async fn provenance(&self, view: &ContentView) -> Result<Option<Provenance>, ApiError> {
        let ViewSource::Imported = view.source else { return Ok(None) };
        let key = key(&view.hub, view.kind, &view.name, view.version);
        let found = self.parts.store.get(&key).await.map_err(store_error)?;
        found.map(|document| document.decode().map_err(store_error)).transpose()
    }

    /// Refuses a version that may not be served: one that the hub's policy keeps out, or that is not what it was.
    pub(crate) async fn must_be_servable(&self, hub: &Hub, view: &ContentView) -> Result<(), ApiError> {
        match &view.source {
            ViewSource::Public(model) => {
                self.admits_public(&hub.admission()?, model).await?;
                self.public_files_intact(model).await
            }
            ViewSource::Imported => match self.statement(hub, view).await? {
                Some(statement) => self.files_as_stated(view, &statement).await,
                None => Ok(()),
            },
        }
    }

    /// The same for one file of an imported version: what was stated of it is this blob, and that is intact.
    pub(crate) async fn file_must_be_servable(
        &self,
        hub: &Hub,
        view: &ContentView,
        key: &str,
        digest: &str,
    ) -> Result<(), ApiError> {
        let Some(statement) = self.statement(hub, view).await? else { return Ok(()) };
        let (Some(source), false) = (&statement.source, statement.files.is_empty()) else { return Ok(()) };
        let place = S3Place::parse(source).ok_or_else(|| altered(view, "its place is none"))?;
        let path = place.relative(key);
        match statement.files.iter().find(|file| file.path == path && place.key_of(path) == key) {
            Some(file) if file.sha256 == digest => {
                self.must_be_intact(&format!("{path} of {} {}", view.kind, view.name), digest).await
            }
            Some(_) => Err(altered(view, &format!("the file {path} is another"))),
            None => Err(altered(view, &format!("the file {path} is none of it"))),
        }
    }

    /// What is vouched for an imported version, with its signature and document proved; none where nothing is.
    async fn statement(&self, hub: &Hub, view: &ContentView) -> Result<Option<Statement>, ApiError> {
        let signed = hub.admission()?.signing_key.is_some();
        let Some(provenance) = self.provenance(view).await? else {
            return if signed { Err(unsigned(view)) } else { Ok(None) };
        };
        if (signed || provenance.signature.is_some()) && !self.is_signed(view, &provenance).await? {
            return Err(unsigned(view));
        }
        let statement: Statement = serde_json::from_str(&provenance.statement).map_err(ApiError::internal)?;
        let document = self.text(view).await?.document;
        if statement.content != view.arn() || statement.document != hex::encode(Sha256::digest(&document)) {
            return Err(altered(view, "its document is another"));
        }
        Ok(Some(statement))
    }

    /// The files of a public model are what its digests say.
    pub(crate) async fn public_files_intact(&self, model: &PublicModel) -> Result<(), ApiError> {
        for file in &self.parts.catalog.body(model).await?.files {
            let what = format!("{} of {} {}", file.path, model.id, model.version);
            self.must_be_intact(&what, file.digest.as_str()).await?;
        }
        Ok(())
    }

    /// Whether the statement is signed, by a key of the hub's own account, and untouched.
    pub(crate) async fn is_signed(&self, view: &ContentView, provenance: &Provenance) -> Result<bool, ApiError> {
        let Some(signature) = provenance.signature.as_ref().and_then(|signature| signature.signature()) else {
            return Ok(false);
        };
        if signature.key_arn.split(':').nth(4) != Some(view.hub.account.as_str()) {
            return Ok(false);
        }
        self.signatures()?.is_genuine(&signature, provenance.statement.as_bytes()).await
    }

    async fn files_as_stated(&self, view: &ContentView, statement: &Statement) -> Result<(), ApiError> {
        let (Some(source), false) = (&statement.source, statement.files.is_empty()) else { return Ok(()) };
        let objects = self.objects()?;
        let place = S3Place::parse(source).ok_or_else(|| altered(view, "its place is none"))?;
        let found = place.entries(objects, None, MOST_FILES + 1).await?;
        let found: BTreeMap<&str, &ObjectEntry> =
            found.iter().map(|entry| (place.relative(&entry.key), entry)).collect();
        if found.len() != statement.files.len() {
            return Err(altered(view, &format!("{} files are at {source}", found.len())));
        }
        for file in &statement.files {
            match found.get(file.path.as_str()) {
                Some(entry) if entry.digest == file.sha256 => {
                    if entry.inline.is_none() {
                        self.must_be_intact(&format!("{} of {} {}", file.path, view.kind, view.name), &file.sha256)
                            .await?;
                    }
                }
                Some(_) => return Err(altered(view, &format!("the file {} is another", file.path))),
                None => return Err(altered(view, &format!("the file {} is gone", file.path))),
            }
        }
        Ok(())
    }
}

fn altered(view: &ContentView, why: &str) -> ApiError {
    ApiError::validation(format!(
        "{} {} {} is not what was imported: {why}. Nothing of it is served; import what is there now as a new version",
        view.kind, view.name, view.version
    ))
}

fn unsigned(view: &ContentView) -> ApiError {
    ApiError::validation(format!(
        "{} {} {} has no genuine signature of its files under a key of account {}, which hub {} wants. Nothing of it is \
         served; import it again as a new version",
        view.kind, view.name, view.version, view.hub.account, view.hub.name
    ))
}
