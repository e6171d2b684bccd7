//! Condition keys, other accounts, and what a refusal shows.

use crate::support::*;
use stoa_models_kms::operations as op;
use stoa_models_kms::types::*;

/// A user in the key's account with no policy of its own; the key policy lets it do everything under a condition.
async fn conditional(world: &World, condition: &str) -> (stoa_kernel::Cx, KeyMetadata) {
    let admin = world.admin();
    let name = format!("u{}", condition.bytes().map(u64::from).sum::<u64>());
    let user = world.user(&admin, &name, "").await;
    let key = world
        .key_with_policy(
            &admin,
            &key_policy(&[
                letting(&format!("arn:aws:iam::{}:root", world.management), r#""kms:*""#, "{}"),
                letting(&user.principal.arn, r#""kms:*""#, condition),
            ]),
        )
        .await;
    (user, key)
}

#[tokio::test]
async fn encryption_contexts_are_condition_keys() {
    let world = world().await;
    let (user, key) = conditional(&world, r#"{"StringEquals":{"kms:EncryptionContext:team":"red"}}"#).await;
    world.encrypt(&user, &key.key_id, &[("team", "red")]).await.unwrap();
    let blob = world.encrypt(&user, &key.key_id, &[("team", "red"), ("more", "1")]).await.unwrap();
    assert_eq!(world.decrypt(&user, &blob, &[("team", "red"), ("more", "1")]).await.unwrap(), b"plain");
    for context in [&[][..], &[("team", "blue")]] {
        refused(world.encrypt(&user, &key.key_id, context).await, "AccessDeniedException", "kms:Encrypt");
        refused(world.decrypt(&user, &blob, context).await, "AccessDeniedException", "The ciphertext refers to");
    }
    let names = r#"{"ForAllValues:StringEquals":{"kms:EncryptionContextKeys":["a","b"]}}"#;
    let (user, key) = conditional(&world, names).await;
    world.encrypt(&user, &key.key_id, &[("a", "1"), ("b", "2")]).await.unwrap();
    refused(world.encrypt(&user, &key.key_id, &[("A", "1")]).await, "AccessDeniedException", "");
}

#[tokio::test]
async fn the_key_and_the_request_are_condition_keys() {
    let world = world().await;
    let admin = world.admin();
    let account = world.management.to_string();
    for condition in [
        r#"{"StringEquals":{"kms:KeySpec":"SYMMETRIC_DEFAULT"}}"#,
        r#"{"StringEquals":{"kms:KeyUsage":"ENCRYPT_DECRYPT","kms:KeyOrigin":"AWS_KMS"}}"#,
        r#"{"Bool":{"kms:MultiRegion":"false"}}"#,
        r#"{"StringEquals":{"kms:EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}}"#,
        &format!(r#"{{"StringEquals":{{"kms:CallerAccount":"{account}","aws:ResourceAccount":"{account}"}}}}"#),
    ] {
        let (user, key) = conditional(&world, condition).await;
        world.encrypt(&user, &key.key_id, &[]).await.unwrap_or_else(|error| panic!("{condition}: {error}"));
    }
    for condition in [
        r#"{"StringEquals":{"kms:KeySpec":"RSA_2048"}}"#,
        r#"{"StringEquals":{"kms:ViaService":"s3.us-west-2.amazonaws.com"}}"#,
        r#"{"StringEquals":{"kms:EncryptionAlgorithm":"RSAES_OAEP_SHA_256"}}"#,
        r#"{"ForAnyValue:StringEquals":{"stoa:grants":"x"}}"#,
    ] {
        let (user, key) = conditional(&world, condition).await;
        refused(world.encrypt(&user, &key.key_id, &[]).await, "AccessDeniedException", "");
    }
    let (user, key) = conditional(&world, r#"{"StringEquals":{"kms:RequestAlias":"alias/through"}}"#).await;
    world.alias(&admin, "alias/through", &key.key_id).await.unwrap();
    world.encrypt(&user, "alias/through", &[]).await.unwrap();
    refused(world.encrypt(&user, &key.key_id, &[]).await, "AccessDeniedException", "");
    let (user, key) = conditional(&world, r#"{"ForAnyValue:StringLike":{"kms:ResourceAliases":"alias/red-*"}}"#).await;
    refused(world.encrypt(&user, &key.key_id, &[]).await, "AccessDeniedException", "");
    world.alias(&admin, "alias/red-1", &key.key_id).await.unwrap();
    world.encrypt(&user, &key.key_id, &[]).await.unwrap();
}

#[tokio::test]
async fn administration_has_condition_keys_too() {
    let world = world().await;
    let days = r#"{"NumericGreaterThanEquals":{"kms:ScheduleKeyDeletionPendingWindowInDays":"20"}}"#;
    let (user, key) = conditional(&world, days).await;
    let schedule = |days| ScheduleKeyDeletionRequest { key_id: key.key_id.clone(), pending_window_in_days: Some(days) };
    refused(world.call::<op::ScheduleKeyDeletion>(&user, schedule(7)).await, "AccessDeniedException", "");
    world.call::<op::ScheduleKeyDeletion>(&user, schedule(20)).await.unwrap();

    let period = r#"{"NumericLessThanEquals":{"kms:RotationPeriodInDays":"180"}}"#;
    let (user, key) = conditional(&world, period).await;
    let rotate = |days| EnableKeyRotationRequest { key_id: key.key_id.clone(), rotation_period_in_days: days };
    refused(world.call::<op::EnableKeyRotation>(&user, rotate(None)).await, "AccessDeniedException", "");
    world.call::<op::EnableKeyRotation>(&user, rotate(Some(180))).await.unwrap();

    let bypass = r#"{"Bool":{"kms:BypassPolicyLockoutSafetyCheck":"false"}}"#;
    let (user, key) = conditional(&world, bypass).await;
    let policy = key_policy(&[letting(&user.principal.arn, r#""kms:*""#, "{}")]);
    let put = |bypass| PutKeyPolicyRequest {
        key_id: key.key_id.clone(),
        policy_name: None,
        policy: policy.clone(),
        bypass_policy_lockout_safety_check: bypass,
    };
    refused(world.call::<op::PutKeyPolicy>(&user, put(Some(true))).await, "AccessDeniedException", "");
    world.call::<op::PutKeyPolicy>(&user, put(None)).await.unwrap();
}

#[tokio::test]
async fn making_keys_has_condition_keys_and_tags_ask_for_more() {
    let world = world().await;
    let admin = world.admin();
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:CreateKey","Resource":"*",
        "Condition":{"StringEquals":{"kms:KeySpec":["SYMMETRIC_DEFAULT","HMAC_256"]},"Bool":{"kms:MultiRegion":"false"}}}]}"#;
    let user = world.user(&admin, "maker", policy).await;
    world.key(&user).await;
    let request = CreateKeyRequest {
        key_spec: Some(KeySpec::EccNistP256),
        key_usage: Some(KeyUsageType::SignVerify),
        ..Default::default()
    };
    refused(world.call::<op::CreateKey>(&user, request).await, "AccessDeniedException", "kms:CreateKey");
    let tags = Some(vec![Tag { tag_key: "a".to_owned(), tag_value: "b".to_owned() }]);
    let request = CreateKeyRequest { tags, ..Default::default() };
    refused(world.call::<op::CreateKey>(&user, request).await, "AccessDeniedException", "kms:TagResource");
}

#[tokio::test]
async fn another_account_needs_the_key_policy_and_its_own() {
    let world = world().await;
    let admin = world.admin();
    let other = world.other().await;
    let strong = world.user(&other, "strong", &allow(r#""kms:*""#, "*")).await;
    let weak = world.user(&other, "weak", "").await;
    let account = other.principal.account.to_string();
    let own = letting(&format!("arn:aws:iam::{}:root", world.management), r#""kms:*""#, "{}");
    let shared = letting(&format!("arn:aws:iam::{account}:root"), r#"["kms:*"]"#, "{}");
    let key = world.key_with_policy(&admin, &key_policy(&[own.clone(), shared])).await;
    let arn = key.arn.clone().unwrap();
    let blob = world.encrypt(&strong, &arn, &[]).await.unwrap();
    assert_eq!(world.decrypt(&strong, &blob, &[]).await.unwrap(), b"plain");
    refused(world.encrypt(&weak, &arn, &[]).await, "AccessDeniedException", "no identity-based policy allows");
    refused(world.decrypt(&weak, &blob, &[]).await, "AccessDeniedException", "The ciphertext refers to");
    // By id it would be a key of the caller's own account.
    refused(world.encrypt(&strong, &key.key_id, &[]).await, "NotFoundException", "does not exist");
    // What AWS never lets another account do, no policy gives.
    let disable = DisableKeyRequest { key_id: arn.clone() };
    refused(world.call::<op::DisableKey>(&strong, disable).await, "AccessDeniedException", "another account");

    let private = world.key_with_policy(&admin, &key_policy(&[own])).await.arn.unwrap();
    let missing = format!("arn:aws:kms:us-west-2:{}:key/00000000-0000-0000-0000-000000000000", world.management);
    let (code, message) = refusal(world.encrypt(&strong, &private, &[]).await);
    let (missing_code, missing_message) = refusal(world.encrypt(&strong, &missing, &[]).await);
    assert_eq!((code, message.replace(&private, "X")), (missing_code, missing_message.replace(&missing, "X")));
}

#[tokio::test]
async fn another_accounts_alias_is_not_shown_to_who_may_not_use_its_key() {
    let world = world().await;
    let admin = world.admin();
    let other = world.other().await;
    let strong = world.user(&other, "strong", &allow(r#""kms:*""#, "*")).await;
    let key = world.key(&admin).await;
    world.alias(&admin, "alias/secret", &key.key_id).await.unwrap();
    let arn = |name: &str| format!("arn:aws:kms:us-west-2:{}:alias/{name}", world.management);
    let (code, message) = refusal(world.encrypt(&strong, &arn("secret"), &[]).await);
    let (missing_code, missing) = refusal(world.encrypt(&strong, &arn("nothing"), &[]).await);
    assert_eq!((code, message.replace("secret", "X")), (missing_code, missing.replace("nothing", "X")));
}

#[tokio::test]
async fn a_missing_key_is_told_only_to_who_might_use_it() {
    let world = world().await;
    let admin = world.admin();
    let weak = world.user(&admin, "weak", "").await;
    let missing = "00000000-0000-0000-0000-000000000000";
    refused(world.encrypt(&admin, missing, &[]).await, "NotFoundException", "does not exist");
    refused(world.encrypt(&weak, missing, &[]).await, "AccessDeniedException", "no identity-based policy allows");
}

#[tokio::test]
async fn re_encryption_is_decided_on_both_keys() {
    let world = world().await;
    let admin = world.admin();
    let (from, to) = (world.key(&admin).await, world.key(&admin).await);
    let blob = world.encrypt(&admin, &from.key_id, &[]).await.unwrap();
    let request = ReEncryptRequest {
        ciphertext_blob: Some(blob.into()),
        destination_key_id: to.key_id.clone(),
        ..Default::default()
    };
    let only_from = world.user(&admin, "from", &allow(r#""kms:ReEncryptFrom""#, from.arn.as_deref().unwrap())).await;
    let only_to = world.user(&admin, "to", &allow(r#""kms:ReEncryptTo""#, to.arn.as_deref().unwrap())).await;
    let both = world.user(&admin, "both", &allow(r#""kms:ReEncrypt*""#, "*")).await;
    let refused_to = world.call::<op::ReEncrypt>(&only_from, request.clone()).await;
    refused(refused_to, "AccessDeniedException", "kms:ReEncryptTo");
    let refused_from = world.call::<op::ReEncrypt>(&only_to, request.clone()).await;
    refused(refused_from, "AccessDeniedException", "The ciphertext refers to");
    world.call::<op::ReEncrypt>(&both, request.clone()).await.unwrap();
    let same = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:ReEncrypt*","Resource":"*",
        "Condition":{"Bool":{"kms:ReEncryptOnSameKey":"true"}}}]}"#;
    let same = world.user(&admin, "same", same).await;
    refused(world.call::<op::ReEncrypt>(&same, request.clone()).await, "AccessDeniedException", "");
}
