//! AWS managed keys, and data keys for other services.

use std::collections::BTreeMap;

use crate::support::*;
use stoa_kernel::ports::{DataKeyCall, DataKeys};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::*;

fn call<'a>(key: Option<&'a str>, context: &'a BTreeMap<String, String>) -> DataKeyCall<'a> {
    DataKeyCall { service: "s3", key, context }
}

#[tokio::test]
async fn an_aws_managed_key_is_made_when_it_is_first_asked_for_and_only_its_service_uses_it() {
    let world = world().await;
    let admin = world.admin();
    let key = world.describe(&admin, "alias/aws/s3").await.unwrap();
    assert_eq!(key.key_manager, Some(KeyManagerType::Aws));
    assert_eq!(world.describe(&admin, "alias/aws/s3").await.unwrap().key_id, key.key_id);
    refused(world.describe(&admin, "alias/aws/unknown").await, "NotFoundException", "is not found");
    refused(world.encrypt(&admin, "alias/aws/s3", &[]).await, "AccessDeniedException", "");
    let schedule = ScheduleKeyDeletionRequest { key_id: key.key_id.clone(), pending_window_in_days: None };
    refused(world.call::<op::ScheduleKeyDeletion>(&admin, schedule).await, "AccessDeniedException", "");
    let rotation = GetKeyRotationStatusRequest { key_id: key.key_id.clone() };
    let rotation = world.call::<op::GetKeyRotationStatus>(&admin, rotation).await.unwrap();
    assert_eq!(rotation.key_rotation_enabled, Some(true));
    let context = BTreeMap::new();
    // Everyone in the account, through the service.
    let weak = world.user(&admin, "weak", "").await;
    let made = world.kms.generate_data_key(&weak, &call(None, &context)).await.unwrap();
    assert_eq!(made.key_arn, key.arn.unwrap());
    let opened = world.kms.decrypt_data_key(&weak, &call(None, &context), &made.ciphertext).await.unwrap();
    assert_eq!(*opened, *made.plaintext);
    // Nobody else.
    let other = world.other().await;
    let refusal = world.kms.decrypt_data_key(&other, &call(None, &context), &made.ciphertext).await;
    refused(refusal, "AccessDeniedException", "");
}

#[tokio::test]
async fn a_customers_key_is_used_through_a_service_in_the_callers_name() {
    let world = world().await;
    let admin = world.admin();
    let user = world.user(&admin, "user", "").await;
    let via = r#"{"StringEquals":{"kms:ViaService":"s3.us-west-2.amazonaws.com","kms:EncryptionContext:aws:s3:arn":"arn:aws:s3:::b"}}"#;
    let key = world
        .key_with_policy(
            &admin,
            &key_policy(&[
                letting(&format!("arn:aws:iam::{}:root", world.management), r#""kms:*""#, "{}"),
                letting(&user.principal.arn, r#"["kms:GenerateDataKey","kms:Decrypt"]"#, via),
            ]),
        )
        .await;
    let context = pairs(&[("aws:s3:arn", "arn:aws:s3:::b")]).unwrap();
    let made = world.kms.generate_data_key(&user, &call(Some(&key.key_id), &context)).await.unwrap();
    assert_eq!(made.plaintext.len(), 32);
    let opened = world.kms.decrypt_data_key(&user, &call(None, &context), &made.ciphertext).await.unwrap();
    assert_eq!(*opened, *made.plaintext);
    let wrong = pairs(&[("aws:s3:arn", "arn:aws:s3:::c")]).unwrap();
    let refusal = world.kms.generate_data_key(&user, &call(Some(&key.key_id), &wrong)).await;
    refused(refusal, "AccessDeniedException", "kms:GenerateDataKey");
    refused(world.encrypt(&user, &key.key_id, &[("aws:s3:arn", "arn:aws:s3:::b")]).await, "AccessDeniedException", "");
    assert_eq!(world.kms.key_arn(&user, &call(Some(&key.key_id), &context)).await.unwrap(), key.arn.clone().unwrap());
    let disable = DisableKeyRequest { key_id: key.key_id.clone() };
    world.call::<op::DisableKey>(&admin, disable).await.unwrap();
    let refusal = world.kms.decrypt_data_key(&user, &call(None, &context), &made.ciphertext).await;
    refused(refusal, "DisabledException", "is disabled.");
}

#[tokio::test]
async fn a_grant_works_through_a_service_too() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    let user = world.user(&admin, "user", "").await;
    let context = pairs(&[("a", "1")]).unwrap();
    let request = CreateGrantRequest {
        key_id: key.key_id.clone(),
        grantee_principal: Some(user.principal.arn.clone()),
        operations: vec![GrantOperation::GenerateDataKey],
        constraints: Some(GrantConstraints { encryption_context_equals: Some(context.clone()), ..Default::default() }),
        ..Default::default()
    };
    world.call::<op::CreateGrant>(&admin, request).await.unwrap();
    world.kms.generate_data_key(&user, &call(Some(&key.key_id), &context)).await.unwrap();
    let none = BTreeMap::new();
    let refusal = world.kms.generate_data_key(&user, &call(Some(&key.key_id), &none)).await;
    refused(refusal, "AccessDeniedException", "kms:GenerateDataKey");
}
