//! Whom to look at: the principals of an account, and those outside whom a resource's policy names.

use std::collections::BTreeSet;

use stoa_kernel::ports::Subject;
use stoa_kernel::{ApiError, Principal, PrincipalIdentity};
use stoa_policy::{NamedPrincipal, NoContext};
use stoa_store::Query;
use stoa_types::AccountId;

use crate::Iam;
use crate::error::store_failed;
use crate::session::root_arn;
use crate::state::{RoleRecord, UserRecord, kind};

const PAGE: usize = 1000;

impl Iam {
    /// The root user, users and roles of an account.
    pub(super) async fn subjects_of(&self, account: &AccountId) -> Result<Vec<Subject>, ApiError> {
        let root = Principal {
            arn: root_arn(account),
            principal_id: account.to_string(),
            ..principal(account, PrincipalIdentity::Root)
        };
        let mut subjects = vec![Subject { kind: "Root", principal: root }];
        for user in self.all_owned::<UserRecord>(kind::USER, account).await? {
            subjects.push(Subject { kind: "User", principal: user_principal(account, user) });
        }
        for role in self.all_owned::<RoleRecord>(kind::ROLE, account).await? {
            subjects.push(Subject { kind: "Role", principal: role_principal(account, role) });
        }
        Ok(subjects)
    }

    async fn all_owned<T: serde::de::DeserializeOwned>(
        &self,
        kind: &'static str,
        account: &AccountId,
    ) -> Result<Vec<T>, ApiError> {
        let mut query = Query::of(kind).owned_by(account, None).limit(PAGE);
        let mut all = Vec::new();
        loop {
            let page = self.store.query(&query).await.map_err(store_failed)?;
            for document in &page.documents {
                all.push(document.decode().map_err(store_failed)?);
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// Those outside the organization whom the policy of a resource names. The members' principals are looked at one by
    /// one, whether named or not.
    pub(super) async fn subjects_named(&self, action: &str, resource: &str) -> Result<Vec<Subject>, ApiError> {
        let nobody = Principal::anonymous();
        let Some(gathered) = self.gather(&nobody, action, resource, &NoContext).await? else { return Ok(Vec::new()) };
        let mut named = BTreeSet::new();
        for set in gathered.resource.iter().chain(&gathered.trust) {
            named.extend(set.named_principals());
        }
        let mut subjects = Vec::new();
        for name in named {
            let (kind, arn) = match name {
                NamedPrincipal::Everyone => ("Everyone", "*".to_owned()),
                NamedPrincipal::Service(name) => ("Service", name),
                NamedPrincipal::Federated(name) => ("Federated", name),
                NamedPrincipal::Account(account) => ("Account", format!("arn:aws:iam::{account}:root")),
                NamedPrincipal::Arn(arn) => ("Account", arn),
            };
            if kind == "Account" && self.is_member(&arn).await? {
                continue;
            }
            subjects.push(Subject { kind, principal: outsider(kind, arn) });
        }
        Ok(subjects)
    }

    async fn is_member(&self, arn: &str) -> Result<bool, ApiError> {
        let account = arn.split(':').nth(4).unwrap_or_default();
        Ok(self.place_of_account(account).await?.is_some())
    }
}

fn principal(account: &AccountId, identity: PrincipalIdentity) -> Principal {
    Principal {
        account: account.clone(),
        arn: String::new(),
        principal_id: String::new(),
        identity,
        access_key_id: String::new(),
        tags: Default::default(),
        session: None,
    }
}

/// A user as the principal of a call.
pub(super) fn user_principal(account: &AccountId, user: UserRecord) -> Principal {
    let identity = PrincipalIdentity::User { name: user.name };
    Principal { arn: user.arn, principal_id: user.id, tags: user.tags, ..principal(account, identity) }
}

/// A role as the principal of a call: what is true of it is true of each of its sessions without session policies.
fn role_principal(account: &AccountId, role: RoleRecord) -> Principal {
    let identity = PrincipalIdentity::AssumedRole {
        role_arn: role.arn.clone(),
        role_name: role.name,
        session_name: String::new(),
    };
    Principal { arn: role.arn, principal_id: role.id, tags: role.tags, ..principal(account, identity) }
}

/// Somebody of whom only the name is known.
fn outsider(kind: &str, arn: String) -> Principal {
    let nobodys = AccountId::from_number(0);
    let identity = match kind {
        "Service" => PrincipalIdentity::Service { name: arn.clone() },
        "Everyone" => PrincipalIdentity::Anonymous,
        _ => PrincipalIdentity::Federated { provider: arn.clone() },
    };
    let account = arn.split(':').nth(4).and_then(|account| account.parse().ok()).unwrap_or(nobodys);
    Principal { principal_id: arn.clone(), arn, ..principal(&account, identity) }
}
