//! New accounts: the account, its root user's access key and its roles, in one transaction.

use stoa_kernel::ApiError;
use stoa_store::{Document, Transaction};
use stoa_types::{AccountId, Secret, Timestamp, access_key_id, principal_id, secret_access_key};

use super::bootstrap::ADMIN_ROLE;
use crate::Iam;
use crate::error::{already_exists, store_failed};
use crate::seal::Purpose;
use crate::session::root_arn;
use crate::state::{AccessKeyRecord, AccountRecord, RoleRecord, account_key, key_key, key_owner, role_key, tag_list};

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

/// Where a new account stands.
pub(super) struct Place<'a> {
    pub(super) root_id: &'a str,
    /// The management account; none when this is it.
    pub(super) management: Option<&'a AccountId>,
}

impl Iam {
    /// Adds a member account to the organization.
    ///
    /// # Errors
    /// `InvalidInput` for a name that is empty or too long, and the store's.
    pub async fn create_account(&self, name: &str) -> Result<NewAccount, ApiError> {
        let organization = self.organization().await?;
        let place = Place { root_id: &organization.root_id, management: Some(&organization.management_account) };
        // A number that is taken already conflicts; another one is tried.
        for _ in 0..8 {
            let (new, transaction) = self.prepare_account(name, &place)?;
            match self.store.commit(transaction).await {
                Ok(()) => return Ok(new),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(store_failed(error)),
            }
        }
        Err(already_exists("no free account id was found"))
    }

    pub(super) fn prepare_account(&self, name: &str, place: &Place<'_>) -> Result<(NewAccount, Transaction), ApiError> {
        if name.is_empty() || name.chars().count() > 50 {
            return Err(crate::error::invalid_input("an account's name has 1 to 50 characters"));
        }
        let now = self.clock.now();
        let id = self.new_account_id();
        let record = AccountRecord {
            id: id.clone(),
            name: name.to_owned(),
            management: place.management.is_none(),
            alias: None,
            path: vec![place.root_id.to_owned(), id.as_str().to_owned()],
            created: now,
        };
        let account = Document::new(account_key(&id), name, now, &record).map_err(store_failed)?;
        let key = self.new_key(&id, None, now)?;
        let mut transaction = Transaction::new().create(account.with_status("Active")).create(key.document);
        let own_root = format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"{}"}},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}}"#,
            root_arn(&id)
        );
        let sagemaker =
            r#"{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}"#;
        let admin = self.admin_role(&id, ADMIN_ROLE, &[&own_root, sagemaker], now);
        transaction = with_role(transaction, &id, &admin, now)?;
        if let Some(management) = place.management {
            let theirs = format!(
                r#"{{"Effect":"Allow","Principal":{{"AWS":"{}"}},"Action":"sts:AssumeRole"}}"#,
                root_arn(management)
            );
            let access = self.admin_role(&id, ACCESS_ROLE, &[&theirs], now);
            transaction = with_role(transaction, &id, &access, now)?;
        }
        Ok((NewAccount { account_id: id, access_key_id: key.id, secret_access_key: key.secret }, transaction))
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
