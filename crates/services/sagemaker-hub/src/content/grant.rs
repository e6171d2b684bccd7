//! Grants: who asked for download URLs of what, so that by a hub's setting `revoke_urls` each download is decided again.
//!
//! A grant is a document with the life of the URLs that name it; the next grant of the account takes expired ones away.
//! A URL whose grant is gone opens nothing. A crash leaves grants behind, which expire like any other.

use serde::{Deserialize, Serialize};
use stoa_kernel::ports::GRANT_KEY;
use stoa_kernel::{ApiError, Cx, Principal, Target};
use stoa_models_sagemaker::types::HubContentType;
use stoa_sagemaker_common::{Version, store_error};
use stoa_store::{Document, Expect, Key, Order, Query, SortBy, Transaction};
use stoa_types::{AccountId, Region, Timestamp};

use super::ContentView;
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
}

impl Grant {
    pub fn of(cx: &Cx, view: &ContentView, expires_seconds: u32) -> Grant {
        Grant {
            caller: (*cx.principal).clone(),
            region: cx.region.clone(),
            hub: view.hub.arn(),
            kind: view.kind,
            name: view.name.clone(),
            version: view.version,
            expires: cx.now.plus_millis(i64::from(expires_seconds) * 1000),
        }
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

    /// Whether what a download URL was granted on still holds: the content is there, and whoever asked for the URL may
    /// still ask for it. A principal without a grant has no URL of this kind.
    pub(crate) async fn check_grant(&self, cx: &Cx) -> Result<(), ApiError> {
        let session = cx.principal.session.as_ref();
        let id = session.and_then(|session| session.keys.get(GRANT_KEY)).and_then(|names| names.first());
        let Some(id) = id else { return Ok(()) };
        let over = || ApiError::new("AccessDenied", 403, "Access Denied: this URL was revoked or has expired");
        let found = self.parts.store.get(&key(id)).await.map_err(store_error)?.ok_or_else(over)?;
        let grant: Grant = found.decode().map_err(store_error)?;
        if grant.expires <= cx.now {
            return Err(over());
        }
        let asking = as_caller(cx, &grant);
        let hub = HubName::parse_arn(&grant.hub).ok_or_else(over)?;
        asking.decide(&targets(&hub, &grant)).await.map_err(|error| revoked(&error))?;
        let hub = self.find_hub(&asking, hub).await.map_err(|error| revoked(&error))?;
        self.content(&hub, grant.kind, &grant.name, Some(grant.version)).await.map_err(|error| revoked(&error))?;
        Ok(())
    }
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
