//! What an account leaves behind: its hubs, their contents and references, and the tags of all of them.

use async_trait::async_trait;
use stoa_kernel::ApiError;
use stoa_kernel::ports::DeleteAccountData;
use stoa_sagemaker_common::store_error;
use stoa_store::{Document, Expect, Query, Transaction};
use stoa_types::{AccountId, Partition};

use crate::names::HubName;
use crate::service::Hubs;
use crate::{content, eula, hub, provenance, reference, rules};

const KINDS: [&str; 9] = [
    eula::ACCEPTANCE_KIND,
    eula::DECISION_KIND,
    provenance::KIND,
    content::TEXT_KIND,
    content::KIND,
    rules::KIND,
    reference::KIND,
    rules::LOG_KIND,
    hub::KIND,
];

#[async_trait]
impl DeleteAccountData for Hubs {
    async fn delete_account_data(&self, account: &AccountId) -> Result<(), ApiError> {
        // Contents before hubs: a crash in between leaves nothing without a hub.
        for kind in KINDS {
            for document in self.all(Query::of(kind).owned_by(account, None)).await? {
                let mut transaction = Transaction::new().delete(document.key.clone(), Expect::Any);
                if let Some(arn) = tagged_arn(kind, &document) {
                    transaction = transaction.set_tags(&arn, Vec::new());
                }
                self.parts.store.commit(transaction).await.map_err(store_error)?;
            }
        }
        Ok(())
    }
}

/// The ARN that the document's tags are under.
fn tagged_arn(kind: &str, document: &Document) -> Option<String> {
    let region = document.key.region.clone()?;
    let parent = document.parent.as_deref().unwrap_or_default();
    let (hub_name, content_kind) = match kind {
        hub::KIND => (document.name.as_str(), None),
        reference::KIND => (parent, Some("ModelReference")),
        content::KIND => {
            let (hub_name, content_kind) = parent.split_once('/')?;
            (hub_name, Some(content_kind))
        }
        _ => return None,
    };
    let partition = Partition::of(&region);
    let hub = HubName { partition, region, account: document.key.account.clone(), name: hub_name.to_owned() };
    Some(content_kind.map_or_else(|| hub.arn(), |content_kind| hub.content_arn(content_kind, &document.name)))
}
