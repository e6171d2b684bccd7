//! Keys: their states, their material, and the operations on them.

mod create;
mod describe;
mod lifecycle;
mod list;
mod material;
mod policy;
mod public_key;
mod rotation;

use stoa_kernel::ApiError;
use stoa_models_kms::types::{KeyMetadata, KeyState, KeyUsageType, OriginType};
use stoa_types::AccountId;

pub(crate) use create::{NewKey, document as create_document};
pub(crate) use material::aside;
pub(crate) use rotation::rotate;

use crate::error::{invalid_state, invalid_usage, refused, unsupported};
use crate::spec::{agreement_algorithms, encryption_algorithms, is_pair, mac_algorithms, old_name, signing_algorithms};
use crate::state::{KeyRecord, State};

impl KeyRecord {
    /// Refuses a disabled key, and one that is to be deleted.
    pub(crate) fn must_be_enabled(&self) -> Result<(), ApiError> {
        match self.state {
            State::Enabled => Ok(()),
            State::Disabled => Err(refused("DisabledException", format!("{} is disabled.", self.arn))),
            State::PendingDeletion => self.must_not_be_pending(),
        }
    }

    /// Refuses a key that is to be deleted.
    pub(crate) fn must_not_be_pending(&self) -> Result<(), ApiError> {
        if self.state == State::PendingDeletion {
            return Err(invalid_state(format!("{} is pending deletion.", self.arn)));
        }
        Ok(())
    }

    /// Refuses a key that is not enabled, or is for something else than this operation.
    pub(crate) fn must_be_for(&self, usage: KeyUsageType, operation: &str) -> Result<(), ApiError> {
        self.must_be_enabled()?;
        if self.usage != usage {
            return Err(invalid_usage(&self.arn, self.usage.as_str(), operation));
        }
        Ok(())
    }

    /// Refuses a key that is no pair of keys.
    pub(crate) fn must_be_pair(&self, operation: &str) -> Result<(), ApiError> {
        if !is_pair(self.spec) {
            let spec = self.spec.as_str();
            return Err(unsupported(format!("{} key spec is {spec} which is not valid for {operation}.", self.arn)));
        }
        Ok(())
    }

    fn wire_state(&self) -> KeyState {
        match self.state {
            State::Enabled => KeyState::Enabled,
            State::Disabled => KeyState::Disabled,
            State::PendingDeletion => KeyState::PendingDeletion,
        }
    }

    /// `KeyMetadata`.
    pub(crate) fn metadata(&self, account: &AccountId) -> KeyMetadata {
        let symmetric = !encryption_algorithms(self.spec, self.usage).is_empty() && !is_pair(self.spec);
        KeyMetadata {
            aws_account_id: Some(account.to_string()),
            key_id: self.id.clone(),
            arn: Some(self.arn.clone()),
            creation_date: Some(self.created),
            enabled: Some(self.state == State::Enabled),
            description: Some(self.description.clone()),
            key_usage: Some(self.usage),
            key_state: Some(self.wire_state()),
            deletion_date: self.deletion.map(|deletion| deletion.at),
            origin: Some(OriginType::AwsKms),
            key_manager: Some(self.manager),
            customer_master_key_spec: old_name(self.spec),
            key_spec: Some(self.spec),
            encryption_algorithms: some(encryption_algorithms(self.spec, self.usage)),
            signing_algorithms: some(signing_algorithms(self.spec, self.usage)),
            key_agreement_algorithms: some(agreement_algorithms(self.usage)),
            mac_algorithms: some(mac_algorithms(self.spec)),
            multi_region: Some(false),
            current_key_material_id: self.current().filter(|_| symmetric).map(|material| material.id.clone()),
            ..KeyMetadata::default()
        }
    }
}

/// A list that is left out where it is empty.
pub(crate) fn some<T: Clone>(list: &[T]) -> Option<Vec<T>> {
    (!list.is_empty()).then(|| list.to_vec())
}
