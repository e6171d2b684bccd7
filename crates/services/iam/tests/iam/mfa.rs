//! MFA devices: their life, and what a code is worth to STS.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use stoa_kernel::{ApiError, Cx};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::*;
use stoa_models_sts::operations as sts_op;
use stoa_models_sts::types::{AssumeRoleRequest, Credentials, GetFederationTokenRequest, GetSessionTokenRequest};
use stoa_policy::{Context, Effect, Values};

use crate::roles::new_role;
use crate::support::{World, code, statement, world};
use crate::users::{new_key, new_user, put_policy};

/// A device as its owner holds it.
struct Phone {
    serial: String,
    seed: Vec<u8>,
}

fn from_base32(text: &[u8]) -> Vec<u8> {
    let (mut bits, mut held, mut bytes) = (0_u64, 0, Vec::new());
    for letter in text {
        let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|known| known == letter).unwrap();
        bits = (bits << 5) | value as u64;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    bytes
}

impl Phone {
    /// What the device shows `steps` times thirty seconds from now.
    fn code(&self, world: &World, steps: i64) -> String {
        let step = stoa_types::Clock::now(&*world.clock).seconds().div_euclid(30) + steps;
        let mut mac = <Hmac<Sha1> as KeyInit>::new_from_slice(&self.seed).unwrap();
        mac.update(&step.to_be_bytes());
        let digest = mac.finalize().into_bytes();
        let at = usize::from(digest[19] & 15);
        let number = u32::from_be_bytes(digest[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
        format!("{:06}", number % 1_000_000)
    }
}

async fn phone(world: &World, name: &str) -> Phone {
    let input = CreateVirtualMFADeviceRequest { virtual_mfa_device_name: name.to_owned(), ..Default::default() };
    let device = world.call::<op::CreateVirtualMFADevice>(&world.admin(), input).await.unwrap().virtual_mfa_device;
    assert!(device.qr_code_png.unwrap().starts_with(b"\x89PNG"));
    let text = device.base32_string_seed.unwrap();
    assert_eq!(text.len(), 64);
    Phone { serial: device.serial_number, seed: from_base32(&text) }
}

async fn enable(world: &World, user: &str, phone: &Phone, codes: (i64, i64)) -> Result<(), ApiError> {
    let input = EnableMFADeviceRequest {
        user_name: user.to_owned(),
        serial_number: phone.serial.clone(),
        authentication_code1: phone.code(world, codes.0),
        authentication_code2: phone.code(world, codes.1),
    };
    world.call::<op::EnableMFADevice>(&world.admin(), input).await.map(|_| ())
}

async fn anna(world: &World) -> Cx {
    new_user(world, "anna").await;
    let key = new_key(world, "anna").await;
    world.cx(world.principal(&key.access_key_id, None).await.unwrap())
}

/// The caller again, at the time it is now.
fn now(world: &World, cx: &Cx) -> Cx {
    world.cx(cx.principal.clone())
}

async fn session(world: &World, cx: &Cx, serial: &str, code: &str) -> Result<Credentials, ApiError> {
    let input = GetSessionTokenRequest {
        serial_number: Some(serial.to_owned()),
        token_code: Some(code.to_owned()),
        ..Default::default()
    };
    Ok(world.call::<sts_op::GetSessionToken>(&now(world, cx), input).await?.credentials.unwrap())
}

async fn as_session(world: &World, credentials: &Credentials) -> Cx {
    let token = Some(&*credentials.session_token);
    world.cx(world.principal(&credentials.access_key_id, token).await.unwrap())
}

#[tokio::test]
async fn a_device_lives_with_its_user() {
    let world = world().await;
    let admin = world.admin();
    anna(&world).await;
    let phone = phone(&world, "annas-phone").await;
    assert_eq!(phone.serial, format!("arn:aws:iam::{}:mfa/annas-phone", world.management));
    let again =
        CreateVirtualMFADeviceRequest { virtual_mfa_device_name: "ANNAS-phone".to_owned(), ..Default::default() };
    let again = world.call::<op::CreateVirtualMFADevice>(&admin, again).await.map(|_| ());
    assert_eq!(code(again), ("EntityAlreadyExistsException".to_owned(), 409));
    let wrong = enable(&world, "anna", &phone, (0, 0)).await;
    assert_eq!(code(wrong), ("InvalidAuthenticationCodeException".to_owned(), 403));
    assert!(enable(&world, "anna", &phone, (0, -1)).await.is_err());
    assert!(enable(&world, "anna", &phone, (40, 41)).await.is_err());
    assert_eq!(code(enable(&world, "bert", &phone, (-1, 0)).await).0, "NoSuchEntityException");
    enable(&world, "anna", &phone, (-1, 0)).await.unwrap();
    assert_eq!(code(enable(&world, "anna", &phone, (0, 1)).await).0, "EntityAlreadyExistsException");
    let list = |user: &str| ListMFADevicesRequest { user_name: Some(user.to_owned()), ..Default::default() };
    let devices = world.call::<op::ListMFADevices>(&admin, list("anna")).await.unwrap().mfa_devices;
    assert_eq!((&*devices[0].serial_number, &*devices[0].user_name), (&*phone.serial, "anna"));
    let virtual_devices = |status| ListVirtualMFADevicesRequest { assignment_status: status, ..Default::default() };
    let assigned = virtual_devices(Some(AssignmentStatusType::Assigned));
    let assigned = world.call::<op::ListVirtualMFADevices>(&admin, assigned).await.unwrap().virtual_mfa_devices;
    assert_eq!(assigned[0].user.as_ref().unwrap().user_name, "anna");
    assert!(assigned[0].base32_string_seed.is_none());
    let loose = virtual_devices(Some(AssignmentStatusType::Unassigned));
    let loose = world.call::<op::ListVirtualMFADevices>(&admin, loose).await.unwrap();
    assert!(loose.virtual_mfa_devices.is_empty());
    let get = GetMFADeviceRequest { serial_number: phone.serial.clone(), user_name: Some("anna".to_owned()) };
    assert_eq!(world.call::<op::GetMFADevice>(&admin, get).await.unwrap().enable_date, Some(admin.now));
    let delete = || DeleteVirtualMFADeviceRequest { serial_number: phone.serial.clone() };
    let early = world.call::<op::DeleteVirtualMFADevice>(&admin, delete()).await.map(|_| ());
    assert_eq!(code(early), ("DeleteConflictException".to_owned(), 409));
    let delete_user = || DeleteUserRequest { user_name: "anna".to_owned() };
    let keys = world.call::<op::ListAccessKeys>(
        &admin,
        ListAccessKeysRequest { user_name: Some("anna".to_owned()), ..Default::default() },
    );
    for key in keys.await.unwrap().access_key_metadata {
        let key =
            DeleteAccessKeyRequest { user_name: Some("anna".to_owned()), access_key_id: key.access_key_id.unwrap() };
        world.call::<op::DeleteAccessKey>(&admin, key).await.unwrap();
    }
    let conflict = world.call::<op::DeleteUser>(&admin, delete_user()).await.unwrap_err();
    assert_eq!(conflict.message(), "Cannot delete entity, must delete MFA device first.");
    let off = || DeactivateMFADeviceRequest { user_name: Some("anna".to_owned()), serial_number: phone.serial.clone() };
    world.call::<op::DeactivateMFADevice>(&admin, off()).await.unwrap();
    let twice = world.call::<op::DeactivateMFADevice>(&admin, off()).await.map(|_| ());
    assert_eq!(code(twice).0, "NoSuchEntityException");
    world.call::<op::DeleteVirtualMFADevice>(&admin, delete()).await.unwrap();
    world.call::<op::DeleteUser>(&admin, delete_user()).await.unwrap();
    assert_eq!(
        code(world.call::<op::DeleteVirtualMFADevice>(&admin, delete()).await.map(|_| ())).0,
        "NoSuchEntityException"
    );
}

#[tokio::test]
async fn tags_of_a_device() {
    let world = world().await;
    let admin = world.admin();
    let phone = phone(&world, "p").await;
    let tag = |key: &str| Tag { key: key.to_owned(), value: "1".to_owned() };
    let input = TagMFADeviceRequest { serial_number: phone.serial.clone(), tags: vec![tag("a"), tag("b")] };
    world.call::<op::TagMFADevice>(&admin, input).await.unwrap();
    let input = UntagMFADeviceRequest { serial_number: phone.serial.clone(), tag_keys: vec!["A".to_owned()] };
    world.call::<op::UntagMFADevice>(&admin, input).await.unwrap();
    let list = ListMFADeviceTagsRequest { serial_number: phone.serial.clone(), ..Default::default() };
    let tags = world.call::<op::ListMFADeviceTags>(&admin, list).await.unwrap().tags;
    assert_eq!(tags.iter().map(|tag| &*tag.key).collect::<Vec<_>>(), ["b"]);
    assert_eq!(world.store.tags(&phone.serial).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_code_opens_a_session_with_mfa_once() {
    let world = world().await;
    let anna = anna(&world).await;
    let phone = phone(&world, "p").await;
    let unassigned = session(&world, &anna, &phone.serial, &phone.code(&world, 0)).await.unwrap_err();
    assert!(unassigned.message().starts_with("MultiFactorAuthentication failed, unable to validate MFA code."));
    enable(&world, "anna", &phone, (-1, 0)).await.unwrap();
    // Both codes of the enabling are used up.
    let used = session(&world, &anna, &phone.serial, &phone.code(&world, 0)).await.unwrap_err();
    assert_eq!(used.message(), "MultiFactorAuthentication failed with invalid MFA one time pass code. ");
    assert_eq!(used.code(), "AccessDeniedException");
    let next = phone.code(&world, 1);
    let credentials = session(&world, &anna, &phone.serial, &next).await.unwrap();
    assert!(session(&world, &anna, &phone.serial, &next).await.is_err());
    let alone = GetSessionTokenRequest { serial_number: Some(phone.serial.clone()), ..Default::default() };
    let alone = world.call::<sts_op::GetSessionToken>(&anna, alone).await.unwrap_err();
    assert!(alone.message().contains("must provide both"), "{}", alone.message());
    world.clock.advance_millis(600_000);
    let cx = as_session(&world, &credentials).await;
    assert_eq!(cx.global_keys.get("aws:multifactorauthpresent"), Some(Values::One("true")));
    assert_eq!(cx.global_keys.get("aws:multifactorauthage"), Some(Values::One("600")));
    // The seed is in no document as it is.
    let documents = world.store.query(&stoa_store::Query::of("iam-mfa:device")).await.unwrap().documents;
    let text = format!("{:?}", documents[0].decode::<serde_json::Value>().unwrap());
    assert!(text.contains("sealed_seed") && !text.contains(&next));
    world.restarted().await;
    session(&world, &anna, &phone.serial, &phone.code(&world, 0)).await.unwrap();
}

#[tokio::test]
async fn two_calls_with_one_code_cannot_both_succeed_and_guessing_stops() {
    let world = world().await;
    let anna = anna(&world).await;
    let phone = phone(&world, "p").await;
    enable(&world, "anna", &phone, (-1, 0)).await.unwrap();
    world.clock.advance_millis(30_000);
    let code = phone.code(&world, 0);
    let call = || session(&world, &anna, &phone.serial, &code);
    let (first, second) = tokio::join!(call(), call());
    assert_eq!([first.is_ok(), second.is_ok()].iter().filter(|good| **good).count(), 1);
    world.clock.advance_millis(30_000);
    for _ in 0..10 {
        assert!(session(&world, &anna, &phone.serial, &phone.code(&world, 30)).await.is_err());
    }
    assert!(session(&world, &anna, &phone.serial, &phone.code(&world, 0)).await.is_err());
    world.clock.advance_millis(300_000);
    session(&world, &anna, &phone.serial, &phone.code(&world, 0)).await.unwrap();
}

#[tokio::test]
async fn a_device_that_is_a_day_off_is_synchronized_anew() {
    let world = world().await;
    let anna = anna(&world).await;
    let phone = phone(&world, "p").await;
    enable(&world, "anna", &phone, (-1, 0)).await.unwrap();
    assert!(session(&world, &anna, &phone.serial, &phone.code(&world, 2_000)).await.is_err());
    let resync = |first: i64, second: i64| ResyncMFADeviceRequest {
        user_name: "anna".to_owned(),
        serial_number: phone.serial.clone(),
        authentication_code1: phone.code(&world, first),
        authentication_code2: phone.code(&world, second),
    };
    let admin = world.admin();
    assert!(world.call::<op::ResyncMFADevice>(&admin, resync(2_000, 2_002)).await.is_err());
    assert!(world.call::<op::ResyncMFADevice>(&admin, resync(5_000, 5_001)).await.is_err());
    world.call::<op::ResyncMFADevice>(&admin, resync(2_000, 2_001)).await.unwrap();
    world.clock.advance_millis(30_000);
    session(&world, &anna, &phone.serial, &phone.code(&world, 2_001)).await.unwrap();
}

#[tokio::test]
async fn a_trust_policy_that_wants_mfa_gets_it_by_code_or_by_session() {
    let world = world().await;
    let anna = anna(&world).await;
    let phone = phone(&world, "p").await;
    enable(&world, "anna", &phone, (-1, 0)).await.unwrap();
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{}"}},"Action":"sts:AssumeRole",
        "Condition":{{"Bool":{{"aws:MultiFactorAuthPresent":"true"}},"NumericLessThan":{{"aws:MultiFactorAuthAge":"300"}}}}}}]}}"#,
        anna.principal.arn
    );
    new_role(&world, "r", &trust).await;
    let assume = |code: Option<String>| AssumeRoleRequest {
        role_arn: format!("arn:aws:iam::{}:role/r", world.management),
        role_session_name: "work".to_owned(),
        serial_number: code.is_some().then(|| phone.serial.clone()),
        token_code: code,
        ..Default::default()
    };
    let without = world.call::<sts_op::AssumeRole>(&anna, assume(None)).await.unwrap_err();
    assert!(without.message().contains("not authorized to perform: sts:AssumeRole"), "{}", without.message());
    let wrong = world.call::<sts_op::AssumeRole>(&anna, assume(Some("000000".to_owned()))).await.unwrap_err();
    assert!(wrong.message().contains("invalid MFA one time pass code"), "{}", wrong.message());
    let good = assume(Some(phone.code(&world, 1)));
    let output = world.call::<sts_op::AssumeRole>(&anna, good.clone()).await.unwrap();
    let role = as_session(&world, &output.credentials.unwrap()).await;
    assert_eq!(role.global_keys.get("aws:multifactorauthpresent"), Some(Values::One("true")));
    assert!(world.call::<sts_op::AssumeRole>(&anna, good).await.is_err());
    world.clock.advance_millis(60_000);
    let credentials = session(&world, &anna, &phone.serial, &phone.code(&world, 0)).await.unwrap();
    let with_mfa = as_session(&world, &credentials).await;
    world.call::<sts_op::AssumeRole>(&with_mfa, assume(None)).await.unwrap();
    world.clock.advance_millis(301_000);
    let late = now(&world, &with_mfa);
    assert_eq!(
        code(world.call::<sts_op::AssumeRole>(&late, assume(None)).await.map(|_| ())).0,
        "AccessDeniedException"
    );
}

#[tokio::test]
async fn user_sessions_call_iam_with_mfa_only_and_little_of_sts() {
    let world = world().await;
    let anna = anna(&world).await;
    put_policy(&world, "anna", "all", &statement("Allow", "*", "*")).await;
    let phone = phone(&world, "p").await;
    enable(&world, "anna", &phone, (-1, 0)).await.unwrap();
    let plain = world.call::<sts_op::GetSessionToken>(&anna, GetSessionTokenRequest::default()).await.unwrap();
    let plain = as_session(&world, &plain.credentials.unwrap()).await;
    assert_eq!(plain.global_keys.get("aws:multifactorauthpresent"), Some(Values::One("false")));
    let list = |cx| world.call::<op::ListUsers>(cx, ListUsersRequest::default());
    assert_eq!(code(list(&plain).await.map(|_| ())), ("InvalidClientTokenId".to_owned(), 403));
    // Passing a role is a right, not a call of IAM.
    let role = format!("arn:aws:iam::{}:role/x", world.management);
    assert_eq!(world.decide(&plain.principal, "iam:PassRole", &role).await.effect, Effect::Allow);
    let federation = GetFederationTokenRequest { name: "bob".to_owned(), ..Default::default() };
    let refused = world.call::<sts_op::GetFederationToken>(&plain, federation).await.unwrap_err();
    assert_eq!(refused.message(), "Cannot call GetFederationToken with session credentials");
    let credentials = session(&world, &anna, &phone.serial, &phone.code(&world, 1)).await.unwrap();
    list(&as_session(&world, &credentials).await).await.unwrap();
}

#[tokio::test]
async fn a_device_goes_along_with_its_users_new_name_and_into_the_reports() {
    let world = world().await;
    new_user(&world, "anna").await;
    let phone = phone(&world, "p").await;
    enable(&world, "anna", &phone, (0, 1)).await.unwrap();
    let summary = async || {
        let answer = world.call::<op::GetAccountSummary>(&world.admin(), stoa_schema::Empty {}).await.unwrap();
        let map = answer.summary_map.unwrap();
        (map["MFADevices"], map["MFADevicesInUse"])
    };
    assert_eq!(summary().await, (1, 1));
    world.root_does::<op::UpdateUser>(serde_json::json!({"UserName": "anna", "NewUserName": "bea"})).await;
    let list = world.root_does::<op::ListMFADevices>(serde_json::json!({"UserName": "bea"})).await.mfa_devices;
    assert_eq!((list.len(), list[0].user_name.as_str()), (1, "bea"));
    world.call::<op::GenerateCredentialReport>(&world.admin(), stoa_schema::Empty {}).await.unwrap();
    let report = world.call::<op::GetCredentialReport>(&world.admin(), stoa_schema::Empty {}).await.unwrap();
    let text = String::from_utf8(report.content.unwrap().to_vec()).unwrap();
    let bea = text.lines().find(|line| line.starts_with("bea,")).unwrap();
    assert_eq!(bea.split(',').nth(7), Some("true"), "{bea}");
    let off = serde_json::json!({"UserName": "bea", "SerialNumber": phone.serial});
    world.root_does::<op::DeactivateMFADevice>(off).await;
    assert_eq!(summary().await, (1, 0));
}
