//! Grants: who asked for download URLs of what, so that each download is judged again.
//!
//! The files of imported content lie where their owner can write, so their URLs always have a grant: they open the very
//! bytes that they were made for, as long as the hub still lets the content out (it is `Available`, its statement and
//! signature hold), and open what is under a KMS key in the name of whoever asked. URLs of public models, whose bytes
//! never change, have one by the hub's setting `revoke_urls`. With that setting (when the URL was made, or now) the rights
//! count too: the content must be there, and whoever asked must still be allowed to ask, have consent to the licence, and
//! may read the object. Without it a URL outlives these, as AWS's do.
//!
//! A grant is a document with the life of the URLs that name it; the next grant of the account takes expired ones away.
//! A URL whose grant is gone opens nothing. A crash leaves grants behind, which expire like any other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stoa_kernel::ports::GRANT_KEY;
use stoa_kernel::{ApiError, Cx, Principal, Target};
use stoa_models_sagemaker::types::{HubContentStatus, HubContentType};
use stoa_sagemaker_common::{Version, store_error};
use stoa_store::{Document, Expect, Key, Order, Query, SortBy, Transaction};
use stoa_types::{AccountId, Region, Timestamp};

use super::{ContentView, ViewSource};
use crate::catalog::PublicModel;
use crate::eula::{self, Consent};
use crate::names::HubName;
use crate::service::Hubs;
use crate::targets::hub_and_content;

/// Owner: the account that asked; name: the grant's.
pub(crate) const KIND: &str = "sagemaker:presigned-grant";
/// Expired grants that one new grant takes away: more than it adds.
const SWEPT: usize = 20;

/// What the URLs of one call were granted on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Grant {
    caller: Principal,
    region: Region,
    hub: String,
    kind: HubContentType,
    name: String,
    version: Version,
    expires: Timestamp,
    /// Whether the rights count. Grants of before there were others have all been of that kind.
    #[serde(default = "yes")]
    rights: bool,
    /// Imported content: the blob behind each key that a URL was made for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    files: BTreeMap<String, String>,
}

fn yes() -> bool {
    true
}

impl Grant {
    pub fn of(
        cx: &Cx,
        view: &ContentView,
        expires_seconds: u32,
        rights: bool,
        files: BTreeMap<String, String>,
    ) -> Grant {
        Grant {
            caller: (*cx.principal).clone(),
            region: cx.region.clone(),
            hub: view.hub.arn(),
            kind: view.kind,
            name: view.name.clone(),
            version: view.version,
            expires: cx.now.plus_millis(i64::from(expires_seconds) * 1000),
            rights,
            files,
        }
    }

    /// Whether a URL without it would open the same.
    pub fn is_needed(&self) -> bool {
        self.rights || !self.files.is_empty()
    }
}

fn key(id: &str) -> Key {
    // Looked up by its name alone, so it belongs to the pseudo-account.
    Key { kind: KIND, account: AccountId::aws(), region: None, id: id.to_owned() }
}

impl Hubs {
    /// Keeps the grant and returns its name.
    pub(crate) async fn grant(&self, cx: &Cx, grant: &Grant) -> Result<String, ApiError> {
        let id = stoa_types::uuid_v4(&*cx.platform.ids).replace('-', "");
        let document = Document::new(key(&id), &id, cx.now, grant).map_err(store_error)?;
        let mut query = Query::of(KIND).limit(SWEPT);
        (query.sort_by, query.order) = (SortBy::Created, Order::Ascending);
        let oldest = self.parts.store.query(&query).await.map_err(store_error)?;
        let mut transaction = Transaction::new().create(document);
        for old in oldest.documents {
            if old.decode::<Grant>().map_err(store_error)?.expires <= cx.now {
                transaction = transaction.delete(old.key.clone(), Expect::Any);
            }
        }
        self.parts.store.commit(transaction).await.map_err(store_error)?;
        Ok(id)
    }

    /// The grant that a download stands on; none for a principal that came by no URL of this kind.
    async fn grant_of(&self, cx: &Cx) -> Result<Option<Grant>, ApiError> {
        let session = cx.principal.session.as_ref();
        let id = session.and_then(|session| session.keys.get(GRANT_KEY)).and_then(|names| names.first());
        let Some(id) = id else { return Ok(None) };
        let over = || ApiError::new("AccessDenied", 403, "Access Denied: this URL was revoked or has expired");
        let found = self.parts.store.get(&key(id)).await.map_err(store_error)?.ok_or_else(over)?;
        let grant: Grant = found.decode().map_err(store_error)?;
        if grant.expires <= cx.now { Err(over()) } else { Ok(Some(grant)) }
    }

    /// In whose name a download reads.
    pub(crate) async fn asked_by(&self, cx: &Cx) -> Result<Option<Cx>, ApiError> {
        Ok(self.grant_of(cx).await?.map(|grant| as_caller(cx, &grant)))
    }

    /// Refuses a download whose grant no longer holds; false where it stands on none.
    pub(crate) async fn check_grant(&self, cx: &Cx, bucket: &str, key: &str) -> Result<bool, ApiError> {
        let Some(grant) = self.grant_of(cx).await? else { return Ok(false) };
        let asking = as_caller(cx, &grant);
        let held = self.holds(&asking, &grant, bucket, key).await;
        cx.note_decided_in(&asking);
        held.map(|()| true).map_err(|error| revoked(&error))
    }

    async fn holds(&self, asking: &Cx, grant: &Grant, bucket: &str, key: &str) -> Result<(), ApiError> {
        self.same_bytes(grant, bucket, key).await?;
        let hub = HubName::parse_arn(&grant.hub).ok_or_else(|| ApiError::internal("a grant names no hub"))?;
        let hub = match self.find_hub(asking, hub).await {
            Err(error) if is_gone(&error) && !grant.rights => return Ok(()),
            hub => hub?,
        };
        // The hub was decided when the grant was made; its settings say whether it is decided again.
        let rights = grant.rights || hub.settings()?.revoke_urls;
        if rights {
            asking.decide(&targets(&hub.name, grant)).await?;
        }
        let view = match self.content(&hub, grant.kind, &grant.name, Some(grant.version)).await {
            Err(error) if is_gone(&error) && !rights => return Ok(()),
            view => view?,
        };
        match &view.source {
            ViewSource::Public(model) if rights => {
                self.admits_public(&hub.admission()?, model).await?;
                self.still_consented(asking, model).await
            }
            ViewSource::Public(_) => Ok(()),
            ViewSource::Imported => {
                if view.status != HubContentStatus::Available {
                    return Err(super::unavailable(&view));
                }
                let digest = grant.files.get(key).map_or("", String::as_str);
                self.file_must_be_servable(&hub, &view, key, digest).await?;
                if rights { self.may_read(asking, bucket, key).await } else { Ok(()) }
            }
        }
    }

    /// The object is the blob that it was. One that is gone is S3's to tell.
    async fn same_bytes(&self, grant: &Grant, bucket: &str, key: &str) -> Result<(), ApiError> {
        if grant.files.is_empty() {
            return Ok(());
        }
        let wanted = grant.files.get(key);
        match self.objects()?.object(bucket, key).await? {
            Some(entry) if wanted != Some(&entry.digest) => Err(ApiError::validation(format!(
                "{key} is not what it was when the URL was made: it was written over, ask for a URL anew"
            ))),
            _ => Ok(()),
        }
    }

    async fn still_consented(&self, asking: &Cx, model: &PublicModel) -> Result<(), ApiError> {
        let id = &model.id;
        match self.consent_of_before(asking, model).await? {
            Consent::Given => Ok(()),
            Consent::Forbidden => Err(ApiError::access_denied(eula::forbidden(id, asking.principal.account.as_str()))),
            missing => Err(ApiError::access_denied(format!("the EULA of {id} was not accepted{}", missing.note()))),
        }
    }
}

fn is_gone(error: &ApiError) -> bool {
    error.code() == "ResourceNotFound"
}

fn targets(hub: &HubName, grant: &Grant) -> Vec<Target> {
    hub_and_content("sagemaker:CreateHubContentPresignedUrls", hub, grant.kind.as_str(), &grant.name)
}

/// The context of the download, as if whoever asked for the URL made it: from the same place and at the same time.
fn as_caller(cx: &Cx, grant: &Grant) -> Cx {
    Cx {
        request_id: cx.request_id.clone(),
        global_keys: Cx::global_keys(&grant.caller, &grant.region, cx.now, &cx.connection),
        principal: std::sync::Arc::new(grant.caller.clone()),
        partition: stoa_types::Partition::of(&grant.region),
        region: grant.region.clone(),
        now: cx.now,
        connection: std::sync::Arc::clone(&cx.connection),
        user_agent: cx.user_agent.clone(),
        platform: std::sync::Arc::clone(&cx.platform),
        trace: Default::default(),
    }
}

fn revoked(error: &ApiError) -> ApiError {
    if error.status() >= 500 {
        return ApiError::unavailable("the grant behind this URL cannot be looked at right now");
    }
    ApiError::new("AccessDenied", 403, format!("Access Denied: this URL was revoked, {}", error.message()))
}
