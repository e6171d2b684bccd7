//! Rotation: new material encrypts, all material decrypts. The reconciler rotates what is due.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::{
    DisableKeyRotationRequest, EnableKeyRotationRequest, GetKeyRotationStatusRequest, GetKeyRotationStatusResponse,
    IncludeKeyMaterial, KeyMaterialState, KeySpec, ListKeyRotationsRequest, ListKeyRotationsResponse,
    RotateKeyOnDemandRequest, RotateKeyOnDemandResponse, RotationType, RotationsListEntry,
};
use stoa_schema::Empty;
use stoa_types::Timestamp;

use super::lifecycle::DAY_MILLIS;
use crate::Kms;
use crate::error::{limit_exceeded, unsupported};
use crate::paging::Paging;
use crate::state::{KeyRecord, Material, Rotation};

const DEFAULT_PERIOD: i64 = 365;
const MAX_ON_DEMAND: u32 = 25;

impl Rotation {
    /// Every so many days, counted from now.
    pub(crate) fn starting(period_days: i64, now: Timestamp) -> Rotation {
        Rotation { period_days, next: now.plus_millis(period_days.saturating_mul(DAY_MILLIS)) }
    }
}

impl KeyRecord {
    fn must_rotate(&self) -> Result<(), ApiError> {
        if self.spec != KeySpec::SymmetricDefault {
            let spec = self.spec.as_str();
            return Err(unsupported(format!("{} key spec is {spec} which is not valid for key rotation.", self.arn)));
        }
        Ok(())
    }

    fn next_version(&self) -> u32 {
        self.current().map_or(1, |material| material.version.saturating_add(1))
    }
}

/// Adds fresh material to a key, and sets the time of the next automatic rotation where this was one.
pub(crate) fn rotate(key: &mut KeyRecord, material: Material, now: Timestamp) {
    if material.rotation == Some(RotationType::Automatic)
        && let Some(rotation) = &mut key.rotation
    {
        *rotation = Rotation::starting(rotation.period_days, now);
    }
    key.materials.push(material);
}

impl Kms {
    /// Fresh material for a key's next version.
    pub(crate) fn next_material(
        &self,
        key: &KeyRecord,
        rotation: RotationType,
        now: Timestamp,
    ) -> Result<Material, ApiError> {
        let mut secret = zeroize::Zeroizing::new([0_u8; 32]);
        self.ids.fill(&mut *secret);
        self.sealed_material(&key.arn, key.next_version(), &*secret, Some(rotation), now)
    }
}

impl Handles<op::EnableKeyRotation> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<EnableKeyRotationRequest>) -> Result<Empty, ApiError> {
        let found = self.key_by_id(cx, &input.key_id).await?;
        let period = input.rotation_period_in_days.unwrap_or(DEFAULT_PERIOD);
        self.change_key(&found.key, cx.now, |key| {
            key.must_be_enabled()?;
            key.must_rotate()?;
            key.rotation = Some(Rotation::starting(period, cx.now));
            Ok(())
        })
        .await?;
        Ok(Empty {})
    }
}

impl Handles<op::DisableKeyRotation> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<DisableKeyRotationRequest>) -> Result<Empty, ApiError> {
        let found = self.key_by_id(cx, &input.key_id).await?;
        self.change_key(&found.key, cx.now, |key| {
            key.must_be_enabled()?;
            key.must_rotate()?;
            key.rotation = None;
            Ok(())
        })
        .await?;
        Ok(Empty {})
    }
}

impl Handles<op::GetKeyRotationStatus> for Kms {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetKeyRotationStatusRequest>,
    ) -> Result<GetKeyRotationStatusResponse, ApiError> {
        let found = self.key_by_id(cx, &input.key_id).await?;
        let key = found.record();
        key.must_not_be_pending()?;
        key.must_rotate()?;
        Ok(GetKeyRotationStatusResponse {
            key_rotation_enabled: Some(key.rotation.is_some()),
            key_id: Some(key.id.clone()),
            rotation_period_in_days: key.rotation.map(|rotation| rotation.period_days),
            next_rotation_date: key.rotation.map(|rotation| rotation.next),
            on_demand_rotation_start_date: None,
        })
    }
}

impl Handles<op::RotateKeyOnDemand> for Kms {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<RotateKeyOnDemandRequest>,
    ) -> Result<RotateKeyOnDemandResponse, ApiError> {
        let found = self.key_by_id(cx, &input.key_id).await?;
        self.change_key(&found.key, cx.now, |key| {
            key.must_be_enabled()?;
            key.must_rotate()?;
            if key.on_demand_rotations >= MAX_ON_DEMAND {
                let arn = &key.arn;
                return Err(limit_exceeded(format!(
                    "The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can \
                     be performed for this key: {arn}"
                )));
            }
            key.on_demand_rotations += 1;
            let material = self.next_material(key, RotationType::OnDemand, cx.now)?;
            rotate(key, material, cx.now);
            Ok(())
        })
        .await?;
        Ok(RotateKeyOnDemandResponse { key_id: Some(found.record().id.clone()) })
    }
}

impl Handles<op::ListKeyRotations> for Kms {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListKeyRotationsRequest>,
    ) -> Result<ListKeyRotationsResponse, ApiError> {
        let found = self.key_by_id(cx, &input.key_id).await?;
        let key = found.record();
        key.must_rotate()?;
        let all = input.include_key_material == Some(IncludeKeyMaterial::AllKeyMaterial);
        let paging = Paging {
            scope: format!("ListKeyRotations/{}/{all}", key.id),
            marker: input.marker.as_deref(),
            limit: input.limit,
            default: 100,
        };
        let listed = key.materials.iter().filter(|material| all || material.rotation.is_some());
        let list = listed.map(|material| (format!("{:010}", material.version), entry(key, material))).collect();
        let page = self.page_of_list(cx, &paging, list)?;
        Ok(ListKeyRotationsResponse {
            truncated: page.truncated(),
            rotations: Some(page.items),
            next_marker: page.marker,
        })
    }
}

fn entry(key: &KeyRecord, material: &Material) -> RotationsListEntry {
    let current = key.current().is_some_and(|current| current.version == material.version);
    RotationsListEntry {
        key_id: Some(key.id.clone()),
        key_material_id: Some(material.id.clone()),
        key_material_state: Some(if current { KeyMaterialState::Current } else { KeyMaterialState::NonCurrent }),
        rotation_date: material.rotation.map(|_| material.created),
        rotation_type: material.rotation,
        ..RotationsListEntry::default()
    }
}
