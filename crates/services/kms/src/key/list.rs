//! ListKeys.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::{KeyListEntry, ListKeysRequest, ListKeysResponse, ResourceOwnerType};
use stoa_store::{Document, Query};

use crate::Kms;
use crate::error::not_here;
use crate::paging::Paging;
use crate::state::kind;

impl Handles<op::ListKeys> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<ListKeysRequest>) -> Result<ListKeysResponse, ApiError> {
        let owners = input.resource_owners.as_deref().unwrap_or_default();
        if owners.contains(&ResourceOwnerType::OtherAccountsViaRam) {
            return Err(not_here("ResourceOwners OTHER_ACCOUNTS_VIA_RAM"));
        }
        let paging =
            Paging { scope: "ListKeys".to_owned(), marker: input.marker.as_deref(), limit: input.limit, default: 100 };
        let query = Query::of(kind::KEY).owned_by(&cx.principal.account, Some(&cx.region));
        let item = |document: &Document| {
            let id = document.key.id.clone();
            let arn = cx.arn("kms", &format!("key/{id}"));
            Ok(Some(KeyListEntry { key_id: Some(id), key_arn: Some(arn) }))
        };
        let page = self.page_of_documents(cx, &paging, query, item).await?;
        Ok(ListKeysResponse { truncated: page.truncated(), keys: Some(page.items), next_marker: page.marker })
    }
}
