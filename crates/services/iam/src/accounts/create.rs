//! New accounts: the account, its root user's access key, its roles and its place in the tree, in one transaction.

use stoa_kernel::ApiError;
use stoa_store::{Document, Transaction};
use stoa_types::{AccountId, Secret, Timestamp, access_key_id, principal_id, secret_access_key};

use super::bootstrap::ADMIN_ROLE;
use crate::Iam;
use crate::error::{already_exists, store_failed};
use crate::organizations::ATTEMPTS;
use crate::seal::Purpose;
use crate::session::root_arn;
use crate::state::{
    AccessKeyRecord, AccountRecord, NodeKind, Organization, RoleRecord, account_key, email_key, key_key, key_owner,
    role_key, tag_list,
};

const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
/// The role through which the management account reaches a member account, under AWS's name.
const ACCESS_ROLE: &str = "OrganizationAccountAccessRole";

/// A new account, with its root user's key: shown once.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Twelve digits.
    pub account_id: AccountId,
    /// The root user's.
    pub access_key_id: String,
    /// The root user's.
    pub secret_access_key: Secret,
}

/// A new access key, sealed for the store.
pub(crate) struct NewKey {
    pub(crate) id: String,
    pub(crate) secret: Secret,
    pub(crate) document: Document,
}

/// What an account is to be.
pub(crate) struct AccountOrder<'a> {
    pub(crate) name: &'a str,
    pub(crate) email: Option<&'a str>,
    /// The role that the management account administers it through.
    pub(crate) access_role: &'a str,
    pub(crate) tags: Vec<(String, String)>,
    /// Whether it is to be outside the organization.
    pub(crate) standalone: bool,
}

impl AccountOrder<'_> {
    /// An account with this name, and nothing else said.
    pub(crate) fn named(name: &str) -> AccountOrder<'_> {
        AccountOrder { name, email: None, access_role: ACCESS_ROLE, tags: Vec::new(), standalone: false }
    }

    /// Whether a new account has another role of this name.
    pub(crate) fn is_taken_role(&self, name: &str) -> bool {
        name.eq_ignore_ascii_case(ADMIN_ROLE)
    }
}

impl Iam {
    /// Adds a member account to the organization.
    ///
    /// # Errors
    /// `InvalidInput` for a name that is empty or too long, and the store's.
    pub async fn create_account(&self, name: &str) -> Result<NewAccount, ApiError> {
        let with_key = |id: &AccountId| self.root_key(id);
        let (account_id, key) = self.create_member(&AccountOrder::named(name), with_key).await?;
        Ok(NewAccount { account_id, access_key_id: key.id, secret_access_key: key.secret })
    }

    /// Adds an account outside the organization: no policy of it counts there, and no role lets its management account in.
    ///
    /// # Errors
    /// As [`Iam::create_account`].
    pub async fn create_standalone_account(&self, name: &str) -> Result<NewAccount, ApiError> {
        for _ in 0..ATTEMPTS {
            let order = AccountOrder { standalone: true, ..AccountOrder::named(name) };
            let (account_id, mut transaction) = self.prepare_account(&order, None)?;
            let (more, key) = self.root_key(&account_id)?;
            transaction.changes.extend(more.changes);
            match self.store.commit(transaction).await {
                Ok(()) => return Ok(NewAccount { account_id, access_key_id: key.id, secret_access_key: key.secret }),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(store_failed(error)),
            }
        }
        Err(already_exists("no free account id was found"))
    }

    /// A key of an account's root user, with what stores it.
    pub(super) fn root_key(&self, account: &AccountId) -> Result<(Transaction, NewKey), ApiError> {
        let key = self.new_key(account, None, self.clock.now())?;
        Ok((Transaction::new().create(key.document.clone()), key))
    }

    /// Adds a member account below the root, together with what `also` makes of the new account's id.
    pub(crate) async fn create_member<T>(
        &self,
        order: &AccountOrder<'_>,
        also: impl Fn(&AccountId) -> Result<(Transaction, T), ApiError> + Send + Sync,
    ) -> Result<(AccountId, T), ApiError> {
        // A number that is taken, an address that is, and a root that has changed all conflict: then again.
        for _ in 0..ATTEMPTS {
            let organization = self.loaded_organization().await?;
            if let Some(email) = order.email
                && self.store.get(&email_key(email)).await.map_err(store_failed)?.is_some()
            {
                return Err(already_exists(format!("the address {email} is another account's")));
            }
            let (id, transaction) = self.prepare_account(order, Some(&organization.record))?;
            let root = self.root_node(&organization.record).await?;
            let place = (id.as_str(), order.name);
            let mut transaction = self.with_new_node(transaction, &organization, root, NodeKind::Account, place)?;
            let (more, made) = also(&id)?;
            transaction.changes.extend(more.changes);
            match self.store.commit(transaction).await {
                Ok(()) => return Ok((id, made)),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(store_failed(error)),
            }
        }
        Err(already_exists("no free account id was found"))
    }

    /// A new account without its node and its root user's key. Without an organization: the management account of one that
    /// is not there yet, or one that stays outside.
    pub(super) fn prepare_account(
        &self,
        order: &AccountOrder<'_>,
        organization: Option<&Organization>,
    ) -> Result<(AccountId, Transaction), ApiError> {
        if order.name.is_empty() || order.name.chars().count() > 50 {
            return Err(crate::error::invalid_input("an account's name has 1 to 50 characters"));
        }
        let now = self.clock.now();
        let id = self.new_account_id();
        let record = AccountRecord {
            id: id.clone(),
            name: order.name.to_owned(),
            management: organization.is_none() && !order.standalone,
            alias: None,
            created: now,
            email: order.email.map(str::to_owned),
            closed: None,
        };
        let account = Document::new(account_key(&id), order.name, now, &record).map_err(store_failed)?;
        let mut transaction = Transaction::new().create(account.with_status("Active"));
        if let Some(email) = order.email {
            let reserved = Document::new(email_key(email), email, now, &id).map_err(store_failed)?;
            transaction = transaction.create(reserved);
        }
        let own_root = format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"{}"}},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}}"#,
            root_arn(&id)
        );
        let sagemaker =
            r#"{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}"#;
        let admin = self.admin_role(&id, ADMIN_ROLE, &[&own_root, sagemaker], now);
        transaction = with_role(transaction, &id, &admin, now)?;
        if let Some(organization) = organization {
            let theirs = format!(
                r#"{{"Effect":"Allow","Principal":{{"AWS":"{}"}},"Action":"sts:AssumeRole"}}"#,
                root_arn(&organization.management_account)
            );
            let access = self.admin_role(&id, order.access_role, &[&theirs], now);
            transaction = with_role(transaction, &id, &access, now)?;
            if !order.tags.is_empty() {
                transaction = transaction.set_tags(&organization.node_arn(id.as_str()), order.tags.clone());
            }
        }
        Ok((id, transaction))
    }

    fn new_account_id(&self) -> AccountId {
        let mut bytes = [0; 8];
        self.ids.fill(&mut bytes);
        // Twelve digits that do not begin with zero.
        AccountId::from_number(100_000_000_000 + u64::from_be_bytes(bytes) % 900_000_000_000)
    }

    fn admin_role(&self, account: &AccountId, name: &str, trust: &[&str], now: Timestamp) -> RoleRecord {
        RoleRecord {
            name: name.to_owned(),
            path: "/".to_owned(),
            id: principal_id(&*self.ids, "AROA"),
            arn: format!("arn:aws:iam::{account}:role/{name}"),
            created: now,
            description: Some("Administers this account. Made with it.".to_owned()),
            trust: format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, trust.join(",")),
            max_session_duration: 43_200,
            inline: Default::default(),
            attached: vec![ADMINISTRATOR.to_owned()],
            boundary: None,
            tags: Default::default(),
            instance_profiles: Vec::new(),
        }
    }

    /// A new long-term access key, not written yet.
    pub(crate) fn new_key(&self, account: &AccountId, user: Option<&str>, now: Timestamp) -> Result<NewKey, ApiError> {
        let id = access_key_id(&*self.ids, "AKIA");
        let secret = secret_access_key(&*self.ids);
        let sealed_secret = self
            .key
            .seal(Purpose::AccessKey, &id, secret.expose().as_bytes(), &*self.ids)
            .map_err(ApiError::internal)?;
        let record = AccessKeyRecord {
            id: id.clone(),
            account: account.clone(),
            user: user.map(str::to_owned),
            sealed_secret,
            active: true,
            created: now,
            changed: None,
        };
        let document = Document::new(key_key(&id), &id, now, &record).map_err(store_failed)?;
        let document = document.with_parent(&key_owner(account, user)).with_status("Active");
        Ok(NewKey { id, secret, document })
    }
}

/// Adds a new role and its tags.
pub(crate) fn with_role(
    transaction: Transaction,
    account: &AccountId,
    role: &RoleRecord,
    now: Timestamp,
) -> Result<Transaction, ApiError> {
    let document = Document::new(role_key(account, &role.name), &role.name, now, role).map_err(store_failed)?;
    let transaction = transaction.create(document.with_parent(&role.path));
    Ok(if role.tags.is_empty() { transaction } else { transaction.set_tags(&role.arn, tag_list(&role.tags)) })
}
