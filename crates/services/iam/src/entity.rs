//! What MFA devices and identity providers have in common: one document each, found by ARN, with tags.
//!
//! INVARIANT: a change is a read, a pure change and a write at the generation that was read; when another change came
//! between, it is done again.

use serde::Serialize;
use serde::de::DeserializeOwned;
use stoa_kernel::{ApiError, Cx};
use stoa_models_iam::types::Tag;
use stoa_store::{Key, StoreError, Transaction};
use stoa_types::{AccountId, Arn};

use crate::Iam;
use crate::documents::{add_tags, wire_tags};
use crate::error::{no_such_entity, store_failed};
use crate::paging::{Items, Paging};
use crate::state::{Loaded, MfaRecord, OidcRecord, SamlRecord, Tags, load, mfa_key, oidc_key, saml_key, tag_list};

const ATTEMPTS: usize = 32;

/// A device or a provider.
pub(crate) trait Entity: Serialize + DeserializeOwned + Send + Sync {
    /// The resource type in its ARN.
    const TYPE: &'static str;
    /// Its key, by account and what stands after the type in its ARN.
    fn key(account: &AccountId, id: &str) -> Key;
    fn arn(&self) -> &str;
    fn tags(&mut self) -> &mut Tags;
    /// That there is none with this ARN, in AWS's words.
    fn missing(arn: &str) -> String;
}

macro_rules! entity {
    // entity!(MfaRecord "mfa" mfa_key |arn| "…") implements Entity over the record's fields.
    ($record:ty, $kind:literal, $key:ident, |$arn:ident| $missing:expr) => {
        impl Entity for $record {
            const TYPE: &'static str = $kind;
            fn key(account: &AccountId, id: &str) -> Key {
                $key(account, id)
            }
            fn arn(&self) -> &str {
                &self.arn
            }
            fn tags(&mut self) -> &mut Tags {
                &mut self.tags
            }
            fn missing($arn: &str) -> String {
                $missing
            }
        }
    };
}

entity!(MfaRecord, "mfa", mfa_key, |arn| format!("VirtualMFADevice with serial number {arn} doesn't exist."));
entity!(OidcRecord, "oidc-provider", oidc_key, |arn| format!("OpenIDConnect Provider not found for arn {arn}"));
entity!(SamlRecord, "saml-provider", saml_key, |arn| format!("SAMLProvider {arn} does not exist."));

/// The account and the key that an ARN of this kind names.
fn key_of<E: Entity>(text: &str) -> Option<Key> {
    let arn: Arn = text.parse().ok()?;
    if arn.service() != "iam" || !arn.region().is_empty() {
        return None;
    }
    let id = arn.resource().strip_prefix(E::TYPE)?.strip_prefix('/')?;
    Some(E::key(&arn.account().parse().ok()?, id))
}

impl Iam {
    /// The device or provider with this ARN, in this account.
    pub(crate) async fn entity<E: Entity>(&self, account: &AccountId, arn: &str) -> Result<Loaded<E>, ApiError> {
        let missing = || no_such_entity(E::missing(arn));
        let key = key_of::<E>(arn).filter(|key| key.account == *account).ok_or_else(missing)?;
        let found = load::<E>(&*self.store, &key).await?;
        found.filter(|found| found.record.arn() == arn).ok_or_else(missing)
    }

    /// Changes it, again if another change came between.
    pub(crate) async fn modify_entity<E: Entity>(
        &self,
        account: &AccountId,
        arn: &str,
        change: impl Fn(&mut E) -> Result<(), ApiError> + Send + Sync,
    ) -> Result<(), ApiError> {
        let mut attempts = 0;
        loop {
            let mut loaded = self.entity::<E>(account, arn).await?;
            change(&mut loaded.record)?;
            let tags = tag_list(loaded.record.tags());
            let transaction = Transaction::new().update(loaded.changed(self.clock.now())?).set_tags(arn, tags);
            attempts += 1;
            match self.store.commit(transaction).await {
                Ok(()) => return Ok(()),
                Err(StoreError::Conflict { .. }) if attempts < ATTEMPTS => {}
                Err(other) => return Err(store_failed(other)),
            }
        }
    }

    /// Adds tags.
    pub(crate) async fn tag_entity<E: Entity>(&self, cx: &Cx, arn: &str, tags: &[Tag]) -> Result<(), ApiError> {
        self.modify_entity::<E>(self.account(cx), arn, |entity| add_tags(entity.tags(), tags.to_vec())).await
    }

    /// Removes tags.
    pub(crate) async fn untag_entity<E: Entity>(&self, cx: &Cx, arn: &str, keys: &[String]) -> Result<(), ApiError> {
        let remove = |entity: &mut E| {
            entity.tags().retain(|key, _| !keys.iter().any(|other| other.to_lowercase() == key.to_lowercase()));
            Ok(())
        };
        self.modify_entity::<E>(self.account(cx), arn, remove).await
    }

    /// A page of its tags.
    pub(crate) async fn entity_tags<E: Entity>(
        &self,
        cx: &Cx,
        arn: &str,
        marker: Option<&str>,
        max_items: Option<i64>,
    ) -> Result<Items<Tag>, ApiError> {
        let mut entity = self.entity::<E>(self.account(cx), arn).await?.record;
        let tags = wire_tags(entity.tags()).unwrap_or_default();
        let list = tags.into_iter().map(|tag| (tag.key.clone(), tag)).collect();
        self.page_of_list(cx, &Paging { scope: format!("Tags/{arn}"), marker, max_items }, list)
    }
}
