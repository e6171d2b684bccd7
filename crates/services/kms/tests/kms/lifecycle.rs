//! States, deletion, rotation, and what survives a restart.

use crate::support::*;
use stoa_models_kms::operations as op;
use stoa_models_kms::types::*;
use stoa_seal::SealingKey;
use stoa_types::Clock;

macro_rules! by_id {
    // by_id!(world, cx, EnableKey, EnableKeyRequest, key) calls an operation that takes nothing but the key's id;
    // with `more` at the end the request has more members, which stay empty.
    ($world:ident, $cx:expr, $operation:ident, $request:ident, $key:expr) => {
        $world.call::<op::$operation>($cx, $request { key_id: $key.key_id.clone() }).await
    };
    ($world:ident, $cx:expr, $operation:ident, $request:ident, $key:expr, more) => {
        $world.call::<op::$operation>($cx, $request { key_id: $key.key_id.clone(), ..Default::default() }).await
    };
}

#[tokio::test]
async fn a_disabled_key_does_nothing_and_comes_back() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    let blob = world.encrypt(&admin, &key.key_id, &[]).await.unwrap();
    by_id!(world, &admin, DisableKey, DisableKeyRequest, key).unwrap();
    let described = world.describe(&admin, &key.key_id).await.unwrap();
    assert_eq!((described.key_state, described.enabled), (Some(KeyState::Disabled), Some(false)));
    let words = format!("{} is disabled.", key.arn.as_deref().unwrap());
    refused(world.encrypt(&admin, &key.key_id, &[]).await, "DisabledException", &words);
    refused(world.decrypt(&admin, &blob, &[]).await, "DisabledException", &words);
    refused(by_id!(world, &admin, EnableKeyRotation, EnableKeyRotationRequest, key, more), "DisabledException", &words);
    by_id!(world, &admin, EnableKey, EnableKeyRequest, key).unwrap();
    assert_eq!(world.decrypt(&admin, &blob, &[]).await.unwrap(), b"plain");
}

#[tokio::test]
async fn a_key_is_deleted_when_its_time_has_come_and_not_before() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    world.alias(&admin, "alias/gone", &key.key_id).await.unwrap();
    let blob = world.encrypt(&admin, &key.key_id, &[]).await.unwrap();
    let schedule = |days| ScheduleKeyDeletionRequest { key_id: key.key_id.clone(), pending_window_in_days: days };
    for wrong in [6, 31] {
        let made = world.call::<op::ScheduleKeyDeletion>(&admin, schedule(Some(wrong))).await;
        refused(made, "ValidationException", "PendingWindowInDays");
    }
    let made = world.call::<op::ScheduleKeyDeletion>(&admin, schedule(Some(7))).await.unwrap();
    assert_eq!((made.key_id, made.key_state), (key.arn.clone(), Some(KeyState::PendingDeletion)));
    assert_eq!(made.deletion_date, Some(world.clock.now().plus_millis(7 * DAY)));
    let words = format!("{} is pending deletion.", key.arn.as_deref().unwrap());
    refused(world.decrypt(&admin, &blob, &[]).await, "KMSInvalidStateException", &words);
    refused(by_id!(world, &admin, EnableKey, EnableKeyRequest, key), "KMSInvalidStateException", &words);
    refused(world.call::<op::ScheduleKeyDeletion>(&admin, schedule(None)).await, "KMSInvalidStateException", &words);
    refused(world.alias(&admin, "alias/late", &key.key_id).await, "KMSInvalidStateException", &words);

    world.clock.advance_millis(7 * DAY - 1);
    assert_eq!(world.pass().await.changed, 0);
    world.describe(&admin, &key.key_id).await.unwrap();
    world.clock.advance_millis(1);
    assert_eq!(world.pass().await.changed, 1);
    refused(world.describe(&admin, &key.key_id).await, "NotFoundException", "does not exist");
    refused(world.describe(&admin, "alias/gone").await, "NotFoundException", "is not found");
    refused(
        world.decrypt(&admin, &blob, &[]).await,
        "AccessDeniedException",
        "The ciphertext refers to a customer master key that does not exist",
    );
}

#[tokio::test]
async fn a_cancelled_deletion_leaves_the_key_disabled() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    let words = format!("{} is not pending deletion.", key.arn.as_deref().unwrap());
    refused(
        by_id!(world, &admin, CancelKeyDeletion, CancelKeyDeletionRequest, key),
        "KMSInvalidStateException",
        &words,
    );
    by_id!(world, &admin, ScheduleKeyDeletion, ScheduleKeyDeletionRequest, key, more).unwrap();
    let cancelled = by_id!(world, &admin, CancelKeyDeletion, CancelKeyDeletionRequest, key).unwrap();
    assert_eq!(cancelled.key_id, key.arn);
    world.clock.advance_millis(31 * DAY);
    assert_eq!(world.pass().await.changed, 0);
    let described = world.describe(&admin, &key.key_id).await.unwrap();
    assert_eq!((described.key_state, described.deletion_date), (Some(KeyState::Disabled), None));
}

#[tokio::test]
async fn rotated_keys_still_decrypt_what_they_encrypted_before() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    let old = world.encrypt(&admin, &key.key_id, &[]).await.unwrap();
    let enable = EnableKeyRotationRequest { key_id: key.key_id.clone(), rotation_period_in_days: Some(90) };
    world.call::<op::EnableKeyRotation>(&admin, enable).await.unwrap();
    let status = by_id!(world, &admin, GetKeyRotationStatus, GetKeyRotationStatusRequest, key).unwrap();
    assert_eq!((status.key_rotation_enabled, status.rotation_period_in_days), (Some(true), Some(90)));
    assert_eq!(status.next_rotation_date, Some(world.clock.now().plus_millis(90 * DAY)));

    world.clock.advance_millis(90 * DAY);
    assert_eq!(world.pass().await.changed, 1);
    assert_eq!(world.pass().await.changed, 0);
    let rotated = world.describe(&world.admin(), &key.key_id).await.unwrap();
    assert_ne!(rotated.current_key_material_id, key.current_key_material_id);
    let admin = world.admin();
    let new = world.encrypt(&admin, &key.key_id, &[]).await.unwrap();
    assert_eq!(world.decrypt(&admin, &old, &[]).await.unwrap(), b"plain");
    assert_eq!(world.decrypt(&admin, &new, &[]).await.unwrap(), b"plain");
    by_id!(world, &admin, RotateKeyOnDemand, RotateKeyOnDemandRequest, key).unwrap();
    assert_eq!(world.decrypt(&admin, &new, &[]).await.unwrap(), b"plain");

    let listed =
        by_id!(world, &admin, ListKeyRotations, ListKeyRotationsRequest, key, more).unwrap().rotations.unwrap();
    let kinds: Vec<_> = listed.iter().map(|entry| entry.rotation_type.unwrap()).collect();
    assert_eq!(kinds, [RotationType::Automatic, RotationType::OnDemand]);
    let all = ListKeyRotationsRequest {
        key_id: key.key_id.clone(),
        include_key_material: Some(IncludeKeyMaterial::AllKeyMaterial),
        ..Default::default()
    };
    let all = world.call::<op::ListKeyRotations>(&admin, all).await.unwrap().rotations.unwrap();
    assert_eq!(all.len(), 3);
    assert_eq!(all[0].key_material_id, key.current_key_material_id);
    assert_eq!(all[2].key_material_state, Some(KeyMaterialState::Current));

    by_id!(world, &admin, DisableKeyRotation, DisableKeyRotationRequest, key).unwrap();
    world.clock.advance_millis(365 * DAY);
    assert_eq!(world.pass().await.changed, 0);
}

#[tokio::test]
async fn rotation_on_demand_has_a_limit_and_asymmetric_keys_have_none_of_it() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    for _ in 0..25 {
        by_id!(world, &admin, RotateKeyOnDemand, RotateKeyOnDemandRequest, key).unwrap();
    }
    refused(
        by_id!(world, &admin, RotateKeyOnDemand, RotateKeyOnDemandRequest, key),
        "LimitExceededException",
        "The on-demand rotations limit has been reached for the given keyId.",
    );
    let pair = world.key_of(&admin, KeySpec::EccNistP256, KeyUsageType::SignVerify).await;
    refused(
        by_id!(world, &admin, EnableKeyRotation, EnableKeyRotationRequest, pair, more),
        "UnsupportedOperationException",
        "ECC_NIST_P256",
    );
    let enable = EnableKeyRotationRequest { key_id: key.key_id.clone(), rotation_period_in_days: Some(89) };
    refused(world.call::<op::EnableKeyRotation>(&admin, enable).await, "ValidationException", "rotationPeriodInDays");
}

#[tokio::test]
async fn keys_survive_a_restart_under_their_master_key_alone() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    let blob = world.encrypt(&admin, &key.key_id, &[("a", "1")]).await.unwrap();
    let same = world.restarted(SealingKey::new([42; 32])).await;
    assert_eq!(same.decrypt(&same.admin(), &blob, &[("a", "1")]).await.unwrap(), b"plain");
    let other = world.restarted(SealingKey::new([43; 32])).await;
    refused(other.decrypt(&other.admin(), &blob, &[("a", "1")]).await, "InternalFailure", "");
    let both = world.restarted(SealingKey::new([43; 32]).with_older([42; 32])).await;
    assert_eq!(both.decrypt(&both.admin(), &blob, &[("a", "1")]).await.unwrap(), b"plain");
}

#[tokio::test]
async fn nothing_stored_shows_key_material() {
    let world = world().await;
    let admin = world.admin();
    world.key(&admin).await;
    let query = stoa_store::Query::of("kms:key");
    let page = world.store.query(&query).await.unwrap();
    let body = &page.documents[0].body;
    assert!(body.contains("stoa-sealed.2."), "{body}");
    let value: serde_json::Value = serde_json::from_str(body).unwrap();
    // Thirty-two bytes of material do not fit into any other member of it.
    let material = value["materials"][0].as_object().unwrap();
    let members: Vec<&str> = material.keys().map(String::as_str).collect();
    assert_eq!(members, ["created", "id", "rotation", "sealed", "version"]);
}

#[tokio::test]
async fn an_account_that_is_deleted_leaves_no_keys() {
    let world = world().await;
    let admin = world.admin();
    let other = world.other().await;
    let (own, others) = (world.key(&admin).await, world.key(&other).await);
    world.alias(&other, "alias/x", &others.key_id).await.unwrap();
    stoa_kernel::ports::DeleteAccountData::delete_account_data(&*world.kms, &other.principal.account).await.unwrap();
    world.describe(&admin, &own.key_id).await.unwrap();
    refused(world.describe(&other, &others.key_id).await, "NotFoundException", "");
    refused(world.describe(&other, "alias/x").await, "NotFoundException", "");
}
