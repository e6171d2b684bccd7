//! What an account leaves behind in hosting: its endpoints are marked for deletion, the rest goes at once.

use async_trait::async_trait;
use stoa_kernel::ApiError;
use stoa_kernel::ports::DeleteAccountData;
use stoa_sagemaker_common::store_error;
use stoa_store::{Expect, Query, Transaction};
use stoa_types::AccountId;

use crate::endpoint::{self, EndpointState};
use crate::endpoint_config;
use crate::model;
use crate::service::Hosting;

#[async_trait]
impl DeleteAccountData for Hosting {
    async fn delete_account_data(&self, account: &AccountId) -> Result<(), ApiError> {
        for kind in [endpoint::KIND, endpoint_config::KIND, model::KIND] {
            let mut query = Query::of(kind).owned_by(account, None);
            loop {
                let page = self.parts.store.query(&query).await.map_err(store_error)?;
                for document in &page.documents {
                    if document.status == "Deleting" {
                        continue;
                    }
                    let transaction = if kind == endpoint::KIND {
                        Transaction::new().update((**document).clone().with_status("Deleting"))
                    } else {
                        Transaction::new().delete(document.key.clone(), Expect::Any)
                    };
                    self.parts.store.commit(forget_tags(transaction, kind, document)?).await.map_err(store_error)?;
                }
                match page.next {
                    Some(next) => query.after = Some(next),
                    None => break,
                }
            }
        }
        self.parts.nudge.nudge();
        Ok(())
    }
}

fn forget_tags(
    transaction: Transaction,
    kind: &'static str,
    document: &stoa_store::Document,
) -> Result<Transaction, ApiError> {
    let arn = match kind {
        endpoint::KIND => document.decode::<EndpointState>().map_err(store_error)?.arn,
        endpoint_config::KIND => document.decode::<endpoint_config::EndpointConfigState>().map_err(store_error)?.arn,
        _ => document.decode::<model::ModelState>().map_err(store_error)?.arn,
    };
    Ok(transaction.set_tags(&arn, Vec::new()))
}
