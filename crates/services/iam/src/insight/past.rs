//! Principals of calls of the past, found again by what the journal says of them.

use stoa_kernel::ports::{PastPrincipal, PastTarget};
use stoa_kernel::{ApiError, Principal, PrincipalIdentity};
use stoa_types::{AccountId, Arn};

use super::subjects::user_principal;
use crate::Iam;
use crate::authority::Gathered;
use crate::state::{RoleRecord, UserRecord, load, role_key, user_key};

impl Iam {
    /// The policies that bear on a target of the past, as they are now; none when the principal is gone. Session
    /// policies are not known any more and left out.
    pub(super) async fn gather_past(
        &self,
        past: &PastPrincipal,
        target: &PastTarget,
    ) -> Result<Option<Gathered>, ApiError> {
        let Some(principal) = self.find_principal(past).await? else { return Ok(None) };
        self.gather(&principal, &target.action, &target.resource, &target.keys).await
    }

    /// The principal, where it is still the one that called.
    pub(super) async fn find_principal(&self, past: &PastPrincipal) -> Result<Option<Principal>, ApiError> {
        let arn = past.arn.as_str();
        if arn.is_empty() || arn == "*" {
            return Ok(Some(Principal::anonymous()));
        }
        let Ok(parsed) = arn.parse::<Arn>() else {
            return Ok(Some(Principal::service(arn, AccountId::from_number(0))));
        };
        let Ok(account) = parsed.account().parse::<AccountId>() else { return Ok(None) };
        let same = |id: &str| past.id.as_deref().is_none_or(|past| past.split(':').next() == Some(id));
        match (parsed.service(), parsed.resource_type()) {
            ("iam", "root") => {
                let identity = PrincipalIdentity::Root;
                Ok(Some(made(&account, arn, account.to_string(), identity)))
            }
            ("iam", "user") => {
                let name = arn.rsplit('/').next().unwrap_or_default();
                let user = load::<UserRecord>(&*self.store, &user_key(&account, name)).await?;
                let user = user.map(|user| user.record).filter(|user| user.arn == arn && same(&user.id));
                Ok(user.map(|user| user_principal(&account, user)))
            }
            ("sts", "assumed-role") => {
                let mut parts = parsed.resource().split('/').skip(1);
                let (name, session) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                let role = load::<RoleRecord>(&*self.store, &role_key(&account, name)).await?;
                let role = role.map(|role| role.record).filter(|role| same(&role.id));
                Ok(role.map(|role| {
                    let identity = PrincipalIdentity::AssumedRole {
                        role_arn: role.arn,
                        role_name: role.name,
                        session_name: session.to_owned(),
                    };
                    made(&account, arn, format!("{}:{session}", role.id), identity)
                }))
            }
            ("iam", "saml-provider" | "oidc-provider") => {
                let identity = PrincipalIdentity::Federated { provider: arn.to_owned() };
                Ok(Some(made(&account, arn, arn.to_owned(), identity)))
            }
            // Federated user sessions can do nothing but by their session policies, which are not known any more.
            _ => Ok(None),
        }
    }
}

fn made(account: &AccountId, arn: &str, principal_id: String, identity: PrincipalIdentity) -> Principal {
    Principal {
        account: account.clone(),
        arn: arn.to_owned(),
        principal_id,
        identity,
        access_key_id: String::new(),
        tags: Default::default(),
        session: None,
    }
}
