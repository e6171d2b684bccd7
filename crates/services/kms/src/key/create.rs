//! CreateKey.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::{CreateKeyRequest, CreateKeyResponse, KeyManagerType, KeySpec, KeyUsageType, OriginType};
use stoa_store::{Document, Transaction};
use stoa_types::{AccountId, Region, Timestamp, uuid_v4};

use super::policy::{checked_policy, default_policy};
use crate::Kms;
use crate::error::{not_here, store_failed};
use crate::spec::usages;
use crate::state::{KeyRecord, State, index_status, key_key};
use crate::tags::{add_tags, tag_list};

/// A key to be made.
pub(crate) struct NewKey<'a> {
    pub(crate) account: &'a AccountId,
    pub(crate) region: &'a Region,
    pub(crate) partition: &'a str,
    pub(crate) spec: KeySpec,
    pub(crate) usage: KeyUsageType,
    pub(crate) manager: KeyManagerType,
    pub(crate) description: String,
    pub(crate) now: Timestamp,
}

impl Handles<op::CreateKey> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<CreateKeyRequest>) -> Result<CreateKeyResponse, ApiError> {
        let (spec, usage) = kind_of(&input)?;
        let mut tags = BTreeMap::new();
        add_tags(&mut tags, input.tags.as_deref().unwrap_or_default())?;
        let new = NewKey {
            account: &cx.principal.account,
            region: &cx.region,
            partition: cx.partition.as_str(),
            spec,
            usage,
            manager: KeyManagerType::Customer,
            description: input.description.clone().unwrap_or_default(),
            now: cx.now,
        };
        let mut key = self.new_key(&new).await?;
        key.policy = match &input.policy {
            Some(text) => {
                let bypass = input.bypass_policy_lockout_safety_check == Some(true);
                checked_policy(cx, &key.arn, text, bypass)?
            }
            None => default_policy(new.partition, new.account),
        };
        key.tags = tags;
        let transaction = Transaction::new().create(document(&new, &key)?).set_tags(&key.arn, tag_list(&key.tags));
        self.store.commit(transaction).await.map_err(store_failed)?;
        Ok(CreateKeyResponse { key_metadata: Some(key.metadata(new.account)) })
    }
}

/// The document of a new key.
pub(crate) fn document(new: &NewKey<'_>, key: &KeyRecord) -> Result<Document, ApiError> {
    let document = Document::new(key_key(new.account, new.region, &key.id), &key.id, new.now, key);
    Ok(document.map_err(store_failed)?.with_status(index_status(key)))
}

impl Kms {
    /// A key with fresh material and no policy yet; nothing is stored.
    pub(crate) async fn new_key(&self, new: &NewKey<'_>) -> Result<KeyRecord, ApiError> {
        let id = uuid_v4(&*self.ids);
        let arn = format!("arn:{}:kms:{}:{}:key/{id}", new.partition, new.region, new.account);
        let generated = self.generate(new.spec).await?;
        let material = self.sealed_material(&arn, 1, &generated.secret, None, new.now)?;
        Ok(KeyRecord {
            id,
            arn,
            spec: new.spec,
            usage: new.usage,
            manager: new.manager,
            description: new.description.clone(),
            state: State::Enabled,
            created: new.now,
            policy: String::new(),
            tags: BTreeMap::new(),
            aliases: Default::default(),
            materials: vec![material],
            public_key: generated.public.map(|public| STANDARD.encode(public)),
            deletion: None,
            rotation: None,
            on_demand_rotations: 0,
            grants_revision: 0,
        })
    }
}

/// Kind and usage of the key that is asked for, or what of it Stoa does not have.
fn kind_of(input: &CreateKeyRequest) -> Result<(KeySpec, KeyUsageType), ApiError> {
    if input.custom_key_store_id.is_some() || input.xks_key_id.is_some() {
        return Err(not_here("CustomKeyStoreId"));
    }
    if input.multi_region == Some(true) {
        return Err(not_here("MultiRegion"));
    }
    if let Some(origin) = input.origin.filter(|origin| *origin != OriginType::AwsKms) {
        return Err(not_here(&format!("Origin {}", origin.as_str())));
    }
    let spec = match (input.key_spec, input.customer_master_key_spec) {
        (Some(_), Some(_)) => {
            return Err(ApiError::validation(
                "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is \
                 deprecated.",
            ));
        }
        (Some(spec), None) => spec,
        (None, Some(old)) => old.as_str().parse().map_err(ApiError::internal)?,
        (None, None) => KeySpec::SymmetricDefault,
    };
    let known = usages(spec)?;
    let usage = match input.key_usage {
        Some(usage) => usage,
        None if spec == KeySpec::SymmetricDefault => KeyUsageType::EncryptDecrypt,
        None => {
            return Err(ApiError::validation(
                "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
            ));
        }
    };
    if !known.contains(&usage) {
        let (usage, spec) = (usage.as_str(), spec.as_str());
        return Err(ApiError::validation(format!("KeyUsage {usage} is not compatible with KeySpec {spec}")));
    }
    Ok((spec, usage))
}
