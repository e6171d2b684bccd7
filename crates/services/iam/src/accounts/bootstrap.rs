//! The first start: an organization with its management account; and the credentials file of this machine's operator.
//!
//! INVARIANT: the organization is one document that must not exist, written together with the account, so two servers
//! that start at once make one organization. Credentials can always be written again: the root's secret is in the
//! store, sealed, and a session needs none.

use std::collections::BTreeSet;

use stoa_kernel::ApiError;
use stoa_store::Document;
use stoa_types::AccountId;

use super::create::AccountOrder;
use super::credentials_file::{CredentialsFile, Profile};
use crate::Iam;
use crate::error::{no_such_entity, store_failed};
use crate::organizations::{new_id, new_node, node_document};
use crate::seal::Purpose;
use crate::session::{Claims, Subject, issue, open};
use crate::state::{
    AccessKeyRecord, NodeKind, Organization, RoleRecord, key_owner, kind, load, organization_key, role_key,
};

/// The role that every account has for its administrators.
pub(super) const ADMIN_ROLE: &str = "StoaAdmin";
const DAY: i64 = 24 * 60 * 60 * 1000;
const LOCAL_SESSION: i64 = 365 * DAY;
const RENEW_BEFORE: i64 = 30 * DAY;
const ROOT_PROFILE: &str = "stoa-root";
const EXPIRES: &str = "x_stoa_expiration";

/// What the operator's credentials file must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalCredentials {
    /// The whole file.
    pub text: String,
    /// Whether it differs from what was there; only then it needs to be written (mode 0600).
    pub changed: bool,
}

impl Iam {
    /// Makes the organization at the first start, and converts what early versions kept of it. Idempotent.
    ///
    /// # Errors
    /// The store's.
    pub async fn bootstrap(&self) -> Result<Organization, ApiError> {
        if let Some(organization) = load::<Organization>(&*self.store, &organization_key()).await? {
            return self.convert_organization(organization).await;
        }
        let now = self.clock.now();
        let mut organization = Organization {
            id: new_id(&*self.ids, "o-", 10),
            root_id: new_id(&*self.ids, "r-", 4),
            management_account: AccountId::aws(),
            created: now,
            policy_types: BTreeSet::new(),
        };
        let order = AccountOrder::named("management");
        let (id, mut transaction) = self.prepare_account(&order, None)?;
        transaction.changes.extend(self.root_key(&id)?.0.changes);
        organization.management_account = id;
        let mut root = new_node(&organization, NodeKind::Root, &organization.root_id, "Root", None);
        root.children = 1;
        let id = organization.management_account.as_str();
        let account = new_node(&organization, NodeKind::Account, id, order.name, Some(&organization.root_id));
        let document = Document::new(organization_key(), "organization", now, &organization).map_err(store_failed)?;
        let transaction =
            transaction.create(document).create(node_document(&root, now)?).create(node_document(&account, now)?);
        match self.store.commit(transaction).await {
            Ok(()) => Ok(organization),
            Err(error) if error.is_conflict() => self.organization().await,
            Err(error) => Err(store_failed(error)),
        }
    }

    /// The organization.
    ///
    /// # Errors
    /// `NoSuchEntity` before the first [`Iam::bootstrap`], and the store's.
    pub async fn organization(&self) -> Result<Organization, ApiError> {
        let found = load::<Organization>(&*self.store, &organization_key()).await?;
        found.map(|found| found.record).ok_or_else(|| no_such_entity("there is no organization yet"))
    }

    /// The credentials file of the operator, from what it holds now: `[default]` is a session of the management
    /// account's StoaAdmin for a year (made anew when it does not work any more, or ends within thirty days),
    /// `[stoa-root]` the root user's key. Other profiles stay as they are.
    ///
    /// # Errors
    /// `NoSuchEntity` before the first [`Iam::bootstrap`], and the store's.
    pub async fn local_credentials(
        &self,
        existing: Option<&str>,
        session_name: &str,
    ) -> Result<LocalCredentials, ApiError> {
        let existing = existing.unwrap_or_default();
        let account = self.organization().await?.management_account;
        let mut file = CredentialsFile::parse(existing);
        if !self.session_profile_is_good(&file, &account).await? {
            file.set("default", self.session_profile(&account, session_name).await?);
        }
        match self.root_profile(&account).await? {
            Some(profile) => file.set(ROOT_PROFILE, profile),
            None => file.remove(ROOT_PROFILE),
        }
        let text = file.to_text();
        Ok(LocalCredentials { changed: text != existing, text })
    }

    async fn session_profile_is_good(&self, file: &CredentialsFile, account: &AccountId) -> Result<bool, ApiError> {
        let values = [file.get("default", "aws_access_key_id"), file.get("default", "aws_session_token")];
        let [Some(id), Some(token)] = values else { return Ok(false) };
        let Ok((secret, claims)) = open(&self.key, id, token) else { return Ok(false) };
        let lasting = claims.expires > self.clock.now().plus_millis(RENEW_BEFORE);
        let whole = file.get("default", "aws_secret_access_key") == Some(secret.expose());
        Ok(lasting && whole && claims.account == *account && self.find_credential_now(id, token).await?)
    }

    async fn find_credential_now(&self, id: &str, token: &str) -> Result<bool, ApiError> {
        Ok(stoa_kernel::ports::Authority::credential(self, id, Some(token)).await?.is_some())
    }

    async fn session_profile(&self, account: &AccountId, session_name: &str) -> Result<Profile, ApiError> {
        let role = load::<RoleRecord>(&*self.store, &role_key(account, ADMIN_ROLE)).await?;
        let role = role.ok_or_else(|| crate::error::no_such_role(ADMIN_ROLE))?.record;
        let now = self.clock.now();
        let claims = Claims {
            account: account.clone(),
            subject: Subject::Role {
                arn: role.arn,
                name: role.name,
                id: role.id,
                session: session_name_from(session_name),
            },
            issued: now,
            expires: now.plus_millis(LOCAL_SESSION),
            principal_tags: role.tags,
            tags: Default::default(),
            transitive: Vec::new(),
            policies: Vec::new(),
            source_identity: None,
            mfa_at: None,
            provider: None,
            keys: Default::default(),
        };
        let session = issue(&self.key, &*self.ids, &claims)?;
        Ok(vec![
            ("aws_access_key_id".to_owned(), session.access_key_id),
            ("aws_secret_access_key".to_owned(), session.secret_access_key.expose().to_owned()),
            ("aws_session_token".to_owned(), session.session_token.expose().to_owned()),
            (EXPIRES.to_owned(), session.expires_at.iso8601()),
        ])
    }

    async fn root_profile(&self, account: &AccountId) -> Result<Option<Profile>, ApiError> {
        for document in self.all_with_parent(kind::ACCESS_KEY, &key_owner(account, None)).await? {
            let key: AccessKeyRecord = document.decode().map_err(store_failed)?;
            if !key.active {
                continue;
            }
            let secret = self.key.open(Purpose::AccessKey, &key.id, &key.sealed_secret).map_err(ApiError::internal)?;
            let secret = std::str::from_utf8(&secret).map_err(ApiError::internal)?.to_owned();
            return Ok(Some(vec![
                ("aws_access_key_id".to_owned(), key.id),
                ("aws_secret_access_key".to_owned(), secret),
            ]));
        }
        Ok(None)
    }
}

/// A session name made of what the operating system calls its user: letters STS does not take become dashes.
fn session_name_from(text: &str) -> String {
    let fit = |letter: char| if letter.is_ascii_alphanumeric() || "_=,.@-".contains(letter) { letter } else { '-' };
    let name: String = text.chars().take(64).map(fit).collect();
    if name.chars().count() < 2 { "local".to_owned() } else { name }
}
