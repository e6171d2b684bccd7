//! Accounts through Organizations' API: made, described, closed.
//!
//! An account is made whole within the request, so a request for one is `SUCCEEDED` or `FAILED` when it is answered;
//! `IN_PROGRESS` is never seen. Account and answer are one transaction.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_organizations::operations as op;
use stoa_models_organizations::types::{
    Account, AccountJoinedMethod, AccountState, AccountStatus, CloseAccountRequest, CreateAccountFailureReason,
    CreateAccountRequest, CreateAccountResponse, CreateAccountState, CreateAccountStatus, DescribeAccountRequest,
    DescribeAccountResponse, DescribeCreateAccountStatusRequest, DescribeCreateAccountStatusResponse,
    ListAccountsRequest, ListAccountsResponse, ListCreateAccountStatusRequest, ListCreateAccountStatusResponse,
    RemoveAccountFromOrganizationRequest,
};
use stoa_schema::Empty;
use stoa_store::{Document, Query, Transaction};
use stoa_types::{AccountId, Timestamp};

use super::error::{busy, constraint, invalid, no_such_account, refused};
use super::wire::{Asked, path, tags_added};
use super::{ATTEMPTS, new_id};
use crate::Iam;
use crate::accounts::AccountOrder;
use crate::error::store_failed;
use crate::state::{
    AccountRecord, AccountRequestRecord, Loaded, NodeKind, account_key, account_request_key, kind, load,
};

pub(super) const ACTIVE: &str = "Active";
const SUSPENDED: &str = "Suspended";

fn status_of(document: &Document) -> (AccountStatus, AccountState) {
    match document.status.as_str() {
        ACTIVE => (AccountStatus::Active, AccountState::Active),
        SUSPENDED => (AccountStatus::Suspended, AccountState::Closed),
        _ => (AccountStatus::PendingClosure, AccountState::PendingClosure),
    }
}

fn wire_request(record: &AccountRequestRecord) -> CreateAccountStatus {
    let failure = record.failure.as_deref().map(|failure| match failure {
        "EMAIL_ALREADY_EXISTS" => CreateAccountFailureReason::EmailAlreadyExists,
        _ => CreateAccountFailureReason::InternalFailure,
    });
    CreateAccountStatus {
        id: Some(record.id.clone()),
        account_name: Some(record.account_name.clone()),
        state: Some(state_of(record)),
        requested_timestamp: Some(record.requested),
        completed_timestamp: record.completed,
        account_id: record.account.as_ref().map(|account| account.as_str().to_owned()),
        gov_cloud_account_id: None,
        failure_reason: failure,
    }
}

fn state_of(record: &AccountRequestRecord) -> CreateAccountState {
    if record.account.is_some() { CreateAccountState::Succeeded } else { CreateAccountState::Failed }
}

/// The answered request: with an account, or with why there is none.
fn request(id: &str, name: &str, now: Timestamp, outcome: Result<&AccountId, &str>) -> AccountRequestRecord {
    AccountRequestRecord {
        id: id.to_owned(),
        account_name: name.to_owned(),
        requested: now,
        completed: Some(now),
        account: outcome.ok().cloned(),
        failure: outcome.err().map(str::to_owned),
    }
}

fn request_document(record: &AccountRequestRecord) -> Result<Document, ApiError> {
    let document = Document::new(account_request_key(&record.id), &record.id, record.requested, record);
    Ok(document.map_err(store_failed)?.with_status(state_of(record).as_str()))
}

impl Iam {
    /// An account of the organization as the API has it.
    pub(super) async fn wire_account(&self, id: &str) -> Result<Option<Account>, ApiError> {
        let Ok(account) = id.parse::<AccountId>() else { return Ok(None) };
        let Some(found) = load::<AccountRecord>(&*self.store, &account_key(&account)).await? else { return Ok(None) };
        let organization = self.organization().await?;
        let Some(way) = self.way_to(id).await? else { return Ok(None) };
        let (status, state) = status_of(&found.document);
        let joined = if found.record.management { AccountJoinedMethod::Invited } else { AccountJoinedMethod::Created };
        Ok(Some(Account {
            id: Some(id.to_owned()),
            arn: Some(organization.node_arn(id)),
            email: Some(found.record.email()),
            name: Some(found.record.name),
            status: Some(status),
            state: Some(state),
            paths: Some(vec![path(&organization, &way)]),
            joined_method: Some(joined),
            joined_timestamp: Some(found.record.created),
        }))
    }

    /// A member account.
    pub(super) async fn member_account(&self, id: &str) -> Result<Loaded<AccountRecord>, ApiError> {
        let account: AccountId = id.parse().map_err(|_| no_such_account())?;
        // An account outside the organization has no node.
        self.node(id).await?.ok_or_else(no_such_account)?;
        load(&*self.store, &account_key(&account)).await?.ok_or_else(no_such_account)
    }
}

impl Handles<op::CreateAccount> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<CreateAccountRequest>,
    ) -> Result<CreateAccountResponse, ApiError> {
        let input = input.into_inner();
        let mut order = AccountOrder::named(&input.account_name);
        order.email = Some(&input.email);
        order.tags = tags_added(Vec::new(), input.tags)?;
        if let Some(role) = input.role_name.as_deref().filter(|role| !role.is_empty()) {
            if order.is_taken_role(role) {
                return Err(invalid("INVALID_ROLE_NAME", format!("every account has a role {role} of its own")));
            }
            order.access_role = role;
        }
        let id = new_id(&*self.ids, "car-", 32);
        let with_request = |account: &AccountId| {
            let record = request(&id, &input.account_name, cx.now, Ok(account));
            Ok((Transaction::new().create(request_document(&record)?), record))
        };
        let record = match self.create_member(&order, with_request).await {
            Ok((_, record)) => record,
            Err(error) if error.code() == "EntityAlreadyExistsException" => {
                let record = request(&id, &input.account_name, cx.now, Err("EMAIL_ALREADY_EXISTS"));
                self.commit(Transaction::new().create(request_document(&record)?)).await?;
                record
            }
            Err(error) => return Err(error),
        };
        Ok(CreateAccountResponse { create_account_status: Some(wire_request(&record)) })
    }
}

impl Handles<op::DescribeCreateAccountStatus> for Iam {
    async fn handle(
        &self,
        _cx: &Cx,
        input: Authorized<DescribeCreateAccountStatusRequest>,
    ) -> Result<DescribeCreateAccountStatusResponse, ApiError> {
        let key = account_request_key(&input.create_account_request_id);
        let found = load::<AccountRequestRecord>(&*self.store, &key).await?.ok_or_else(|| {
            refused(
                "CreateAccountStatusNotFoundException",
                "You specified a create account request that doesn't exist.",
            )
        })?;
        Ok(DescribeCreateAccountStatusResponse { create_account_status: Some(wire_request(&found.record)) })
    }
}

impl Handles<op::ListCreateAccountStatus> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListCreateAccountStatusRequest>,
    ) -> Result<ListCreateAccountStatusResponse, ApiError> {
        let states: Vec<String> = input.states.iter().flatten().map(|state| state.as_str().to_owned()).collect();
        let asked = Asked {
            scope: format!("ListCreateAccountStatus/{}", states.join(",")),
            next_token: input.next_token.as_deref(),
            max_results: input.max_results,
        };
        let mut list = Vec::new();
        for document in self.all(Query { statuses: states, ..Query::of(kind::ACCOUNT_REQUEST) }).await? {
            let record: AccountRequestRecord = document.decode().map_err(store_failed)?;
            list.push((record.id.clone(), wire_request(&record)));
        }
        let page = self.organization_page(cx, &asked, list)?;
        Ok(ListCreateAccountStatusResponse { create_account_statuses: Some(page.items), next_token: page.marker })
    }
}

impl Handles<op::DescribeAccount> for Iam {
    async fn handle(
        &self,
        _cx: &Cx,
        input: Authorized<DescribeAccountRequest>,
    ) -> Result<DescribeAccountResponse, ApiError> {
        let account = self.wire_account(&input.account_id).await?.ok_or_else(no_such_account)?;
        Ok(DescribeAccountResponse { account: Some(account) })
    }
}

impl Handles<op::ListAccounts> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<ListAccountsRequest>) -> Result<ListAccountsResponse, ApiError> {
        let mut ids = Vec::new();
        let statuses = vec![NodeKind::Account.as_str().to_owned()];
        for document in self.all(Query { statuses, ..Query::of(kind::NODE) }).await? {
            ids.push((document.key.id.clone(), document.key.id.clone()));
        }
        let asked = Asked {
            scope: "ListAccounts".to_owned(),
            next_token: input.next_token.as_deref(),
            max_results: input.max_results,
        };
        let page = self.organization_page(cx, &asked, ids)?;
        let mut accounts = Vec::with_capacity(page.items.len());
        for id in page.items {
            accounts.extend(self.wire_account(&id).await?);
        }
        Ok(ListAccountsResponse { accounts: Some(accounts), next_token: page.marker })
    }
}

impl Handles<op::CloseAccount> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<CloseAccountRequest>) -> Result<Empty, ApiError> {
        for _ in 0..ATTEMPTS {
            let mut account = self.member_account(&input.account_id).await?;
            if account.record.management {
                return Err(constraint(
                    "CANNOT_CLOSE_MANAGEMENT_ACCOUNT",
                    "You cannot close the management account of the organization.",
                ));
            }
            if account.document.status != ACTIVE {
                return Err(refused(
                    "AccountAlreadyClosedException",
                    "You attempted to close an account that is already closed.",
                ));
            }
            account.record.closed = Some(cx.now);
            let closed = Document { status: SUSPENDED.to_owned(), ..account.changed(cx.now)? };
            if self.applied(Transaction::new().update(closed)).await? {
                return Ok(Empty {});
            }
        }
        Err(busy())
    }
}

impl Handles<op::RemoveAccountFromOrganization> for Iam {
    async fn handle(
        &self,
        _cx: &Cx,
        input: Authorized<RemoveAccountFromOrganizationRequest>,
    ) -> Result<Empty, ApiError> {
        self.member_account(&input.account_id).await?;
        Err(self.cannot_leave(&input.account_id).await?)
    }
}
