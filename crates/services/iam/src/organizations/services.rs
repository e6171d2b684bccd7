//! Services that may act in the organization, and the accounts that administer it for them.
//!
//! INVARIANT: an account administers for a service only while the service is trusted: the service's document is part
//! of both transactions.

use stoa_kernel::ports::OrganizationFacts;
use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_organizations::operations as op;
use stoa_models_organizations::types::{
    DelegatedAdministrator, DelegatedService, DeregisterDelegatedAdministratorRequest, DisableAWSServiceAccessRequest,
    EnableAWSServiceAccessRequest, EnabledServicePrincipal, ListAWSServiceAccessForOrganizationRequest,
    ListAWSServiceAccessForOrganizationResponse, ListDelegatedAdministratorsRequest,
    ListDelegatedAdministratorsResponse, ListDelegatedServicesForAccountRequest,
    ListDelegatedServicesForAccountResponse, RegisterDelegatedAdministratorRequest,
};
use stoa_schema::Empty;
use stoa_store::{Document, Expect, Query, Transaction};
use stoa_types::AccountId;

use super::ATTEMPTS;
use super::error::{busy, constraint, invalid, no_such_account, refused};
use super::wire::Asked;
use crate::Iam;
use crate::error::store_failed;
use crate::state::{DelegationRecord, Loaded, TrustedServiceRecord, delegation_key, kind, load, trusted_service_key};

fn not_registered() -> ApiError {
    refused(
        "AccountNotRegisteredException",
        "The specified account is not a delegated administrator for this AWS service.",
    )
}

fn check_service(name: &str) -> Result<(), ApiError> {
    if name.ends_with(".amazonaws.com") {
        return Ok(());
    }
    Err(invalid("UNRECOGNIZED_SERVICE_PRINCIPAL", "You specified an unrecognized service principal."))
}

impl Iam {
    /// Who administers the organization, for any service.
    pub(super) async fn delegations(&self) -> Result<Vec<DelegationRecord>, ApiError> {
        let documents = self.all(Query::of(kind::DELEGATION)).await?;
        documents.iter().map(|document| document.decode().map_err(store_failed)).collect()
    }

    async fn delegation(&self, account: &str) -> Result<Option<Loaded<DelegationRecord>>, ApiError> {
        let account: AccountId = account.parse().map_err(|_| no_such_account())?;
        load(&*self.store, &delegation_key(&account)).await
    }
}

impl Handles<op::EnableAWSServiceAccess> for Iam {
    async fn handle(&self, _cx: &Cx, input: Authorized<EnableAWSServiceAccessRequest>) -> Result<Empty, ApiError> {
        let service = &input.service_principal;
        check_service(service)?;
        self.trust_service(service).await?;
        Ok(Empty {})
    }
}

impl Handles<op::DisableAWSServiceAccess> for Iam {
    async fn handle(&self, _cx: &Cx, input: Authorized<DisableAWSServiceAccessRequest>) -> Result<Empty, ApiError> {
        let service = &input.service_principal;
        check_service(service)?;
        for _ in 0..ATTEMPTS {
            let key = trusted_service_key(service);
            let Some(found) = load::<TrustedServiceRecord>(&*self.store, &key).await? else { return Ok(Empty {}) };
            if self.delegations().await?.iter().any(|delegation| delegation.services.contains_key(service)) {
                return Err(constraint(
                    "DELEGATED_ADMINISTRATOR_EXISTS_FOR_THIS_SERVICE",
                    "You attempted to disable service access before you deleted the existing delegated administrator \
                     for this service.",
                ));
            }
            let expect = Expect::Generation(found.document.generation);
            if self.applied(Transaction::new().delete(key, expect)).await? {
                return Ok(Empty {});
            }
        }
        Err(busy())
    }
}

impl Handles<op::ListAWSServiceAccessForOrganization> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListAWSServiceAccessForOrganizationRequest>,
    ) -> Result<ListAWSServiceAccessForOrganizationResponse, ApiError> {
        let mut list = Vec::new();
        for document in self.all(Query::of(kind::TRUSTED_SERVICE)).await? {
            let record: TrustedServiceRecord = document.decode().map_err(store_failed)?;
            let service = EnabledServicePrincipal {
                service_principal: Some(record.service.clone()),
                date_enabled: Some(record.enabled),
            };
            list.push((record.service, service));
        }
        let asked = Asked {
            scope: "ListAWSServiceAccessForOrganization".to_owned(),
            next_token: input.next_token.as_deref(),
            max_results: input.max_results,
        };
        let page = self.organization_page(cx, &asked, list)?;
        Ok(ListAWSServiceAccessForOrganizationResponse {
            enabled_service_principals: Some(page.items),
            next_token: page.marker,
        })
    }
}

impl Handles<op::RegisterDelegatedAdministrator> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<RegisterDelegatedAdministratorRequest>,
    ) -> Result<Empty, ApiError> {
        let service = &input.service_principal;
        check_service(service)?;
        for _ in 0..ATTEMPTS {
            let member = self.member_account(&input.account_id).await?;
            if member.record.management {
                return Err(constraint(
                    "CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR",
                    "You cannot register master account/yourself as delegated administrator for your organization.",
                ));
            }
            if member.document.status != "Active" {
                return Err(constraint(
                    "CANNOT_REGISTER_SUSPENDED_ACCOUNT_AS_DELEGATED_ADMINISTRATOR",
                    "You attempted to register a suspended account as a delegated administrator.",
                ));
            }
            let Some(trusted) = load::<TrustedServiceRecord>(&*self.store, &trusted_service_key(service)).await? else {
                return Err(constraint(
                    "SERVICE_ACCESS_NOT_ENABLED",
                    "You attempted to register a delegated administrator before you enabled service access. Call the \
                     EnableAWSServiceAccess API first.",
                ));
            };
            let account = &member.record.id;
            let unchanged = Expect::Generation(member.document.generation);
            // Written again, so that whoever disables the service at the same time begins again.
            let transaction =
                Transaction::new().require(member.document.key.clone(), unchanged).update(trusted.changed(cx.now)?);
            let transaction = match load::<DelegationRecord>(&*self.store, &delegation_key(account)).await? {
                Some(mut found) => {
                    if found.record.services.insert(service.clone(), cx.now).is_some() {
                        return Err(refused(
                            "AccountAlreadyRegisteredException",
                            "The specified account is already a delegated administrator for this AWS service.",
                        ));
                    }
                    transaction.update(found.changed(cx.now)?)
                }
                None => {
                    let services = [(service.clone(), cx.now)].into();
                    let record = DelegationRecord { account: account.clone(), services };
                    let document = Document::new(delegation_key(account), account.as_str(), cx.now, &record);
                    transaction.create(document.map_err(store_failed)?)
                }
            };
            if self.applied(transaction).await? {
                return Ok(Empty {});
            }
        }
        Err(busy())
    }
}

impl Handles<op::DeregisterDelegatedAdministrator> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<DeregisterDelegatedAdministratorRequest>,
    ) -> Result<Empty, ApiError> {
        for _ in 0..ATTEMPTS {
            self.member_account(&input.account_id).await?;
            let mut found = self.delegation(&input.account_id).await?.ok_or_else(not_registered)?;
            found.record.services.remove(&input.service_principal).ok_or_else(not_registered)?;
            let transaction = if found.record.services.is_empty() {
                let expect = Expect::Generation(found.document.generation);
                Transaction::new().delete(found.document.key.clone(), expect)
            } else {
                Transaction::new().update(found.changed(cx.now)?)
            };
            if self.applied(transaction).await? {
                return Ok(Empty {});
            }
        }
        Err(busy())
    }
}

impl Handles<op::ListDelegatedAdministrators> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListDelegatedAdministratorsRequest>,
    ) -> Result<ListDelegatedAdministratorsResponse, ApiError> {
        let mut list = Vec::new();
        for delegation in self.delegations().await? {
            let since = match &input.service_principal {
                Some(service) => delegation.services.get(service).copied(),
                None => delegation.services.values().min().copied(),
            };
            let Some(since) = since else { continue };
            let Some(account) = self.wire_account(delegation.account.as_str()).await? else { continue };
            let administrator = DelegatedAdministrator {
                id: account.id,
                arn: account.arn,
                email: account.email,
                name: account.name,
                status: account.status,
                state: account.state,
                joined_method: account.joined_method,
                joined_timestamp: account.joined_timestamp,
                delegation_enabled_date: Some(since),
            };
            list.push((delegation.account.as_str().to_owned(), administrator));
        }
        let asked = Asked {
            scope: format!("ListDelegatedAdministrators/{}", input.service_principal.as_deref().unwrap_or_default()),
            next_token: input.next_token.as_deref(),
            max_results: input.max_results,
        };
        let page = self.organization_page(cx, &asked, list)?;
        Ok(ListDelegatedAdministratorsResponse { delegated_administrators: Some(page.items), next_token: page.marker })
    }
}

impl Handles<op::ListDelegatedServicesForAccount> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListDelegatedServicesForAccountRequest>,
    ) -> Result<ListDelegatedServicesForAccountResponse, ApiError> {
        self.member_account(&input.account_id).await?;
        let found = self.delegation(&input.account_id).await?.ok_or_else(not_registered)?;
        let services = found.record.services.into_iter().map(|(name, since)| {
            let service =
                DelegatedService { service_principal: Some(name.clone()), delegation_enabled_date: Some(since) };
            (name, service)
        });
        let asked = Asked {
            scope: format!("ListDelegatedServicesForAccount/{}", input.account_id),
            next_token: input.next_token.as_deref(),
            max_results: input.max_results,
        };
        let page = self.organization_page(cx, &asked, services.collect())?;
        Ok(ListDelegatedServicesForAccountResponse { delegated_services: Some(page.items), next_token: page.marker })
    }
}
