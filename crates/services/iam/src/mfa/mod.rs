//! Virtual MFA devices: their life. Codes are in `totp`, their use by STS in `verify`, seeds as pictures in `picture`.
//!
//! INVARIANT: a seed is sealed under the master key and shown once, in the answer of CreateVirtualMFADevice. A device
//! and the user it is enabled for say so of each other, and change in one transaction.

mod picture;
mod tags;
mod totp;
mod verify;

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    AssignmentStatusType, CreateVirtualMFADeviceRequest, CreateVirtualMFADeviceResponse, DeactivateMFADeviceRequest,
    DeleteVirtualMFADeviceRequest, EnableMFADeviceRequest, GetMFADeviceRequest, GetMFADeviceResponse,
    ListMFADevicesRequest, ListMFADevicesResponse, ListVirtualMFADevicesRequest, ListVirtualMFADevicesResponse,
    MFADevice, ResyncMFADeviceRequest, VirtualMFADevice,
};
use stoa_schema::Empty;
use stoa_store::{Document, Expect, Query, Transaction};
use stoa_types::AccountId;
use zeroize::Zeroizing;

pub(crate) use verify::GivenCode;

use crate::Iam;
use crate::documents::{add_tags, wire_tags};
use crate::error::{already_exists, delete_conflict, invalid_input, limit_exceeded, no_such_entity, store_failed};
use crate::paging::Paging;
use crate::seal::Purpose;
use crate::state::{Loaded, MfaRecord, Tags, UserRecord, kind, mfa_key, tag_list};
use crate::user::wire_user;

const SEED_BYTES: usize = 40;
const MAX_DEVICES: usize = 8;

fn wrong_codes() -> ApiError {
    ApiError::new("InvalidAuthenticationCodeException", 403, "Authentication code for device is not valid")
}

fn not_enabled(serial: &str, user: &str) -> ApiError {
    no_such_entity(format!("MFA Device {serial} is not enabled for the user {user}."))
}

/// A device as listings show it: never with its seed.
fn wire_device(device: &MfaRecord) -> VirtualMFADevice {
    VirtualMFADevice {
        serial_number: device.arn.clone(),
        base32_string_seed: None,
        qr_code_png: None,
        user: None,
        enable_date: device.enabled,
        tags: wire_tags(&device.tags),
    }
}

impl Iam {
    /// The device that is enabled for the user.
    async fn enabled_device(
        &self,
        account: &AccountId,
        serial: &str,
        user: &str,
    ) -> Result<Loaded<MfaRecord>, ApiError> {
        let device = self.entity::<MfaRecord>(account, serial).await?;
        match &device.record.user {
            Some(owner) if owner == user => Ok(device),
            _ => Err(not_enabled(serial, user)),
        }
    }

    /// The step of the second of two consecutive codes of a device.
    fn pair(&self, cx: &Cx, device: &MfaRecord, codes: (&str, &str), window: i64) -> Result<i64, ApiError> {
        let seed = self.key.open(Purpose::MfaSeed, &device.arn, &device.sealed_seed).map_err(ApiError::internal)?;
        let now = totp::step_of(cx.now);
        let found = totp::find_pair(&seed, codes.0, codes.1, now - window..=now + window);
        found.filter(|step| *step > device.last_step).ok_or_else(wrong_codes)
    }

    async fn account_label(&self, account: &AccountId) -> Result<String, ApiError> {
        let record = self.load_account(account).await?.record;
        Ok(record.alias.unwrap_or_else(|| account.to_string()))
    }
}

impl Handles<op::CreateVirtualMFADevice> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<CreateVirtualMFADeviceRequest>,
    ) -> Result<CreateVirtualMFADeviceResponse, ApiError> {
        let input = input.into_inner();
        let account = self.account(cx);
        let path = input.path.unwrap_or_else(|| "/".to_owned());
        let name = input.virtual_mfa_device_name;
        let arn = format!("arn:aws:iam::{account}:mfa{path}{name}");
        let mut seed = Zeroizing::new([0_u8; SEED_BYTES]);
        self.ids.fill(&mut *seed);
        let sealed_seed = self.key.seal(Purpose::MfaSeed, &arn, &*seed, &*self.ids).map_err(ApiError::internal)?;
        let mut tags = Tags::new();
        add_tags(&mut tags, input.tags.unwrap_or_default())?;
        let text = Zeroizing::new(picture::base32(&*seed));
        let qr_code_png = picture::qr_png(&name, &self.account_label(account).await?, &text)?;
        let id = format!("{}{name}", path.strip_prefix('/').unwrap_or(&path));
        let device = MfaRecord {
            arn,
            name,
            sealed_seed,
            created: cx.now,
            tags,
            user: None,
            enabled: None,
            drift: 0,
            last_step: 0,
            failures: 0,
            failing_since: 0,
        };
        let document = Document::new(mfa_key(account, &id), &device.name, cx.now, &device).map_err(store_failed)?;
        let transaction = Transaction::new().create(document).set_tags(&device.arn, tag_list(&device.tags));
        let taken = || already_exists("MFADevice entity at the same path and name already exists.");
        self.commit_or(transaction, taken).await?;
        Ok(CreateVirtualMFADeviceResponse {
            virtual_mfa_device: VirtualMFADevice {
                base32_string_seed: Some(text.as_bytes().to_vec().into()),
                qr_code_png: Some(qr_code_png.into()),
                ..wire_device(&device)
            },
        })
    }
}

impl Handles<op::EnableMFADevice> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<EnableMFADeviceRequest>) -> Result<Empty, ApiError> {
        let account = self.account(cx);
        let mut user = self.holder::<UserRecord>(account, &input.user_name).await?;
        let mut device = self.entity::<MfaRecord>(account, &input.serial_number).await?;
        if device.record.user.is_some() {
            return Err(already_exists(format!("MFA Device {} is already in use.", device.record.arn)));
        }
        if user.record.mfa_devices.len() >= MAX_DEVICES {
            return Err(limit_exceeded(format!("Cannot exceed quota for MFADevicesPerUser: {MAX_DEVICES}")));
        }
        let codes = (&*input.authentication_code1, &*input.authentication_code2);
        let step = self.pair(cx, &device.record, codes, totp::ENABLE_WINDOW)?;
        device.record.user = Some(user.record.name.clone());
        device.record.enabled = Some(cx.now);
        device.record.drift = step - totp::step_of(cx.now);
        device.record.last_step = step;
        user.record.mfa_devices.push(device.record.arn.clone());
        self.commit(Transaction::new().update(user.changed(cx.now)?).update(device.changed(cx.now)?)).await?;
        Ok(Empty {})
    }
}

impl Handles<op::ResyncMFADevice> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<ResyncMFADeviceRequest>) -> Result<Empty, ApiError> {
        let account = self.account(cx);
        self.holder::<UserRecord>(account, &input.user_name).await?;
        let mut device = self.enabled_device(account, &input.serial_number, &input.user_name).await?;
        let codes = (&*input.authentication_code1, &*input.authentication_code2);
        let step = self.pair(cx, &device.record, codes, totp::RESYNC_WINDOW)?;
        device.record.drift = step - totp::step_of(cx.now);
        device.record.last_step = step;
        device.record.failures = 0;
        self.commit(Transaction::new().update(device.changed(cx.now)?)).await?;
        Ok(Empty {})
    }
}

impl Handles<op::DeactivateMFADevice> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<DeactivateMFADeviceRequest>) -> Result<Empty, ApiError> {
        let account = self.account(cx);
        let name = self.named_or_calling_user(cx, input.user_name.as_deref())?;
        let name = name.ok_or_else(|| invalid_input("The root user has no MFA devices here."))?;
        let mut user = self.holder::<UserRecord>(account, &name).await?;
        let mut device = self.enabled_device(account, &input.serial_number, &user.record.name).await?;
        device.record.user = None;
        device.record.enabled = None;
        user.record.mfa_devices.retain(|serial| *serial != device.record.arn);
        self.commit(Transaction::new().update(user.changed(cx.now)?).update(device.changed(cx.now)?)).await?;
        Ok(Empty {})
    }
}

impl Handles<op::DeleteVirtualMFADevice> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteVirtualMFADeviceRequest>) -> Result<Empty, ApiError> {
        let device = self.entity::<MfaRecord>(self.account(cx), &input.serial_number).await?;
        if device.record.user.is_some() {
            return Err(delete_conflict("MFA VirtualDevice in use. Must deactivate first."));
        }
        let expect = Expect::Generation(device.document.generation);
        let transaction = Transaction::new().delete(device.document.key.clone(), expect);
        self.commit(transaction.set_tags(&device.record.arn, Vec::new())).await?;
        Ok(Empty {})
    }
}

impl Handles<op::ListMFADevices> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListMFADevicesRequest>,
    ) -> Result<ListMFADevicesResponse, ApiError> {
        let account = self.account(cx);
        let mut list = Vec::new();
        let name = self.named_or_calling_user(cx, input.user_name.as_deref())?;
        if let Some(name) = &name {
            let user = self.holder::<UserRecord>(account, name).await?.record;
            for serial in &user.mfa_devices {
                let device = self.entity::<MfaRecord>(account, serial).await?.record;
                let enable_date = device.enabled.unwrap_or(device.created);
                let item = MFADevice { user_name: user.name.clone(), serial_number: device.arn, enable_date };
                list.push((item.serial_number.clone(), item));
            }
        }
        let paging = Paging {
            scope: format!("ListMFADevices/{}", name.as_deref().unwrap_or_default()),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let page = self.page_of_list(cx, &paging, list)?;
        Ok(ListMFADevicesResponse { is_truncated: page.truncated(), mfa_devices: page.items, marker: page.marker })
    }
}

impl Handles<op::ListVirtualMFADevices> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListVirtualMFADevicesRequest>,
    ) -> Result<ListVirtualMFADevicesResponse, ApiError> {
        let account = self.account(cx);
        let status = input.assignment_status.unwrap_or(AssignmentStatusType::Any);
        let paging = Paging {
            scope: format!("ListVirtualMFADevices/{}", status.as_str()),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let item = |document: &Document| {
            let device: MfaRecord = document.decode().map_err(store_failed)?;
            let wanted = match status {
                AssignmentStatusType::Any => true,
                AssignmentStatusType::Assigned => device.user.is_some(),
                AssignmentStatusType::Unassigned => device.user.is_none(),
            };
            Ok(wanted.then(|| (device.user.clone(), VirtualMFADevice { tags: None, ..wire_device(&device) })))
        };
        let page = self.page_of_documents(cx, &paging, Query::of(kind::MFA).owned_by(account, None), item).await?;
        let is_truncated = page.truncated();
        let mut devices = Vec::with_capacity(page.items.len());
        for (owner, mut device) in page.items {
            if let Some(name) = owner {
                device.user = Some(wire_user(&self.holder::<UserRecord>(account, &name).await?.record, false));
            }
            devices.push(device);
        }
        Ok(ListVirtualMFADevicesResponse { is_truncated, virtual_mfa_devices: devices, marker: page.marker })
    }
}

impl Handles<op::GetMFADevice> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<GetMFADeviceRequest>) -> Result<GetMFADeviceResponse, ApiError> {
        let name = self.named_or_calling_user(cx, input.user_name.as_deref())?.unwrap_or_default();
        let device = self.enabled_device(self.account(cx), &input.serial_number, &name).await?.record;
        Ok(GetMFADeviceResponse {
            user_name: device.user,
            serial_number: device.arn,
            enable_date: device.enabled,
            certifications: None,
        })
    }
}
