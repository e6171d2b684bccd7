//! Making and naming keys.

use crate::support::*;
use stoa_models_kms::operations as op;
use stoa_models_kms::types::*;

#[tokio::test]
async fn a_symmetric_key_is_what_is_made_without_words() {
    let world = world().await;
    let admin = world.admin();
    let key = world.create(&admin, CreateKeyRequest { description: Some("d".to_owned()), ..Default::default() }).await;
    assert_eq!(key.arn.as_deref(), Some(&*format!("arn:aws:kms:us-west-2:{}:key/{}", world.management, key.key_id)));
    assert_eq!((key.key_spec, key.key_usage), (Some(KeySpec::SymmetricDefault), Some(KeyUsageType::EncryptDecrypt)));
    assert_eq!((key.key_state, key.enabled), (Some(KeyState::Enabled), Some(true)));
    assert_eq!(key.key_manager, Some(KeyManagerType::Customer));
    assert_eq!(key.customer_master_key_spec, Some(CustomerMasterKeySpec::SymmetricDefault));
    assert_eq!(key.encryption_algorithms, Some(vec![EncryptionAlgorithmSpec::SymmetricDefault]));
    assert_eq!((key.origin, key.multi_region), (Some(OriginType::AwsKms), Some(false)));
    assert_eq!(key.current_key_material_id.as_ref().map(String::len), Some(64));
    assert_eq!(key.description.as_deref(), Some("d"));
    assert_eq!(world.describe(&admin, &key.key_id).await.unwrap(), key);
}

#[tokio::test]
async fn every_kind_is_made_for_its_usages_alone() {
    let world = world().await;
    let admin = world.admin();
    use KeyUsageType as Usage;
    let kinds = [
        (KeySpec::SymmetricDefault, vec![Usage::EncryptDecrypt]),
        (KeySpec::Hmac224, vec![Usage::GenerateVerifyMac]),
        (KeySpec::Hmac256, vec![Usage::GenerateVerifyMac]),
        (KeySpec::Hmac384, vec![Usage::GenerateVerifyMac]),
        (KeySpec::Hmac512, vec![Usage::GenerateVerifyMac]),
        (KeySpec::Rsa2048, vec![Usage::EncryptDecrypt, Usage::SignVerify]),
        (KeySpec::EccNistP256, vec![Usage::SignVerify, Usage::KeyAgreement]),
        (KeySpec::EccNistP384, vec![Usage::SignVerify, Usage::KeyAgreement]),
        (KeySpec::EccNistP521, vec![Usage::SignVerify, Usage::KeyAgreement]),
        (KeySpec::EccSecgP256k1, vec![Usage::SignVerify]),
    ];
    let all = [Usage::EncryptDecrypt, Usage::SignVerify, Usage::GenerateVerifyMac, Usage::KeyAgreement];
    for (spec, usages) in kinds {
        for usage in all {
            let request = CreateKeyRequest { key_spec: Some(spec), key_usage: Some(usage), ..Default::default() };
            let made = world.call::<op::CreateKey>(&admin, request).await;
            if usages.contains(&usage) {
                let key = made.unwrap().key_metadata.unwrap();
                assert_eq!((key.key_spec, key.key_usage), (Some(spec), Some(usage)));
            } else {
                let words = format!("KeyUsage {} is not compatible with KeySpec {}", usage.as_str(), spec.as_str());
                refused(made, "ValidationException", &words);
            }
        }
    }
    let request = CreateKeyRequest { key_spec: Some(KeySpec::Hmac256), ..Default::default() };
    refused(world.call::<op::CreateKey>(&admin, request).await, "ValidationException", "must specify a KeyUsage");
}

#[tokio::test]
async fn what_is_not_here_is_refused_by_name() {
    let world = world().await;
    let admin = world.admin();
    let base = || CreateKeyRequest { key_usage: Some(KeyUsageType::SignVerify), ..Default::default() };
    let cases = [
        (CreateKeyRequest { key_spec: Some(KeySpec::MlDsa65), ..base() }, "KeySpec ML_DSA_65 is not supported by Stoa"),
        (CreateKeyRequest { key_spec: Some(KeySpec::Sm2), ..base() }, "KeySpec SM2"),
        (CreateKeyRequest { key_spec: Some(KeySpec::EccNistEdwards25519), ..base() }, "ECC_NIST_EDWARDS25519"),
        (CreateKeyRequest { multi_region: Some(true), ..Default::default() }, "MultiRegion"),
        (CreateKeyRequest { origin: Some(OriginType::External), ..Default::default() }, "Origin EXTERNAL"),
        (CreateKeyRequest { custom_key_store_id: Some("cks-1".to_owned()), ..Default::default() }, "CustomKeyStoreId"),
    ];
    for (request, words) in cases {
        refused(world.call::<op::CreateKey>(&admin, request).await, "UnsupportedOperationException", words);
    }
}

#[tokio::test]
async fn a_key_is_found_by_each_of_its_names_and_by_no_other() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    let account = &world.management;
    world.alias(&admin, "alias/mine", &key.key_id).await.unwrap();
    let alias_arn = format!("arn:aws:kms:us-west-2:{account}:alias/mine");
    for name in [&*key.key_id, key.arn.as_deref().unwrap(), "alias/mine", &alias_arn] {
        assert_eq!(world.describe(&admin, name).await.unwrap().key_id, key.key_id, "{name}");
    }
    let missing = "00000000-0000-0000-0000-000000000000";
    let missing_arn = format!("arn:aws:kms:us-west-2:{account}:key/{missing}");
    let not_exist = format!("Key '{missing_arn}' does not exist");
    refused(world.describe(&admin, missing).await, "NotFoundException", &not_exist);
    refused(world.describe(&admin, &missing_arn).await, "NotFoundException", &not_exist);
    refused(world.describe(&admin, "nonsense").await, "NotFoundException", "Invalid keyId 'nonsense'");
    let no_alias = format!("Alias arn:aws:kms:us-west-2:{account}:alias/none is not found.");
    refused(world.describe(&admin, "alias/none").await, "NotFoundException", &no_alias);
    let elsewhere = format!("arn:aws:kms:eu-central-1:{account}:key/{}", key.key_id);
    refused(world.describe(&admin, &elsewhere).await, "NotFoundException", "Invalid arn eu-central-1");
    refused(world.describe(&admin, "arn:aws:s3:::bucket").await, "InvalidArnException", "Invalid arn");
    // In another region there is no such key.
    let there = world.cx_in(admin.principal.clone(), "eu-central-1");
    refused(world.describe(&there, &key.key_id).await, "NotFoundException", "does not exist");
}

#[tokio::test]
async fn lists_are_paged_and_their_markers_are_bound_to_the_caller() {
    let world = world().await;
    let admin = world.admin();
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(world.key(&admin).await.key_id);
    }
    made.sort();
    let (mut found, mut marker) = (Vec::new(), None);
    loop {
        let request = ListKeysRequest { limit: Some(2), marker: marker.clone(), ..Default::default() };
        let page = world.call::<op::ListKeys>(&admin, request).await.unwrap();
        assert_eq!(page.truncated, Some(page.next_marker.is_some()));
        found.extend(page.keys.unwrap().into_iter().filter_map(|key| key.key_id));
        match page.next_marker {
            Some(next) => marker = Some(next),
            None => break,
        }
    }
    assert_eq!(found, made);
    let other = world.other().await;
    let request = ListKeysRequest { limit: Some(2), marker, ..Default::default() };
    refused(world.call::<op::ListKeys>(&other, request).await, "InvalidMarkerException", "");
    assert_eq!(world.call::<op::ListKeys>(&other, Default::default()).await.unwrap().keys, Some(Vec::new()));
}

#[tokio::test]
async fn tags_follow_their_rules_and_are_seen_by_policies() {
    let world = world().await;
    let admin = world.admin();
    let tag = |key: &str, value: &str| Tag { tag_key: key.to_owned(), tag_value: value.to_owned() };
    let with = |tags: Vec<Tag>| CreateKeyRequest { tags: Some(tags), ..Default::default() };
    let create = |tags| world.call::<op::CreateKey>(&admin, with(tags));
    refused(create(vec![tag("aws:x", "")]).await, "TagException", "Tags beginning with aws: are reserved");
    refused(create(vec![tag("a", ""), tag("a", "b")]).await, "TagException", "Duplicate tag keys");
    let many = (0..51).map(|number| tag(&number.to_string(), "")).collect();
    refused(create(many).await, "TagException", "Too many tags");

    let key = create(vec![tag("team", "red")]).await.unwrap().key_metadata.unwrap();
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*",
        "Condition":{"StringEquals":{"aws:ResourceTag/team":"red"}}}]}"#;
    let user = world.user(&admin, "red", policy).await;
    world.encrypt(&user, &key.key_id, &[]).await.unwrap();
    let retag = TagResourceRequest { key_id: key.key_id.clone(), tags: vec![tag("team", "blue"), tag("b", "2")] };
    world.call::<op::TagResource>(&admin, retag).await.unwrap();
    refused(world.encrypt(&user, &key.key_id, &[]).await, "AccessDeniedException", "kms:Encrypt");
    let untag = UntagResourceRequest { key_id: key.key_id.clone(), tag_keys: vec!["b".to_owned()] };
    world.call::<op::UntagResource>(&admin, untag).await.unwrap();
    let list = ListResourceTagsRequest { key_id: key.key_id.clone(), ..Default::default() };
    let listed = world.call::<op::ListResourceTags>(&admin, list).await.unwrap();
    assert_eq!(listed.tags, Some(vec![tag("team", "blue")]));
}
