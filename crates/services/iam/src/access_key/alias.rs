//! The alias of an account: at most one, unique over all accounts.

use serde::{Deserialize, Serialize};
use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    CreateAccountAliasRequest, DeleteAccountAliasRequest, ListAccountAliasesRequest, ListAccountAliasesResponse,
};
use stoa_schema::Empty;
use stoa_store::{Document, Expect, Transaction};
use stoa_types::AccountId;

use crate::Iam;
use crate::error::{already_exists, no_such_entity, store_failed};
use crate::paging::Paging;
use crate::state::{global_key, kind};

#[derive(Serialize, Deserialize)]
struct AliasRecord {
    account: AccountId,
}

impl Handles<op::CreateAccountAlias> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<CreateAccountAliasRequest>) -> Result<Empty, ApiError> {
        let account = self.account(cx);
        let mut loaded = self.load_account(account).await?;
        let alias = &input.account_alias;
        if loaded.record.alias.as_ref() == Some(alias) {
            return Ok(Empty {});
        }
        let owner = AliasRecord { account: account.clone() };
        let key = |alias: &str| global_key(kind::ALIAS, &AccountId::aws(), alias);
        let document = Document::new(key(alias), alias, cx.now, &owner).map_err(store_failed)?;
        let mut transaction = Transaction::new().create(document);
        if let Some(old) = loaded.record.alias.replace(alias.clone()) {
            transaction = transaction.delete(key(&old), Expect::Any);
        }
        let transaction = transaction.update(loaded.changed(cx.now)?);
        self.commit_or(transaction, || already_exists(format!("The account alias {alias} already exists."))).await?;
        Ok(Empty {})
    }
}

impl Handles<op::DeleteAccountAlias> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteAccountAliasRequest>) -> Result<Empty, ApiError> {
        let mut loaded = self.load_account(self.account(cx)).await?;
        let alias = &input.account_alias;
        if loaded.record.alias.as_ref() != Some(alias) {
            return Err(no_such_entity(format!("The account alias {alias} cannot be found.")));
        }
        loaded.record.alias = None;
        let key = global_key(kind::ALIAS, &AccountId::aws(), alias);
        let transaction = Transaction::new().delete(key, Expect::Any).update(loaded.changed(cx.now)?);
        self.commit(transaction).await?;
        Ok(Empty {})
    }
}

impl Handles<op::ListAccountAliases> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListAccountAliasesRequest>,
    ) -> Result<ListAccountAliasesResponse, ApiError> {
        let account = self.load_account(self.account(cx)).await?.record;
        let paging = Paging {
            scope: "ListAccountAliases".to_owned(),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let list = account.alias.into_iter().map(|alias| (alias.clone(), alias)).collect();
        let page = self.page_of_list(cx, &paging, list)?;
        Ok(ListAccountAliasesResponse {
            is_truncated: page.truncated(),
            account_aliases: page.items,
            marker: page.marker,
        })
    }
}
