//! Grants.

use crate::support::*;
use stoa_kernel::Cx;
use stoa_models_kms::operations as op;
use stoa_models_kms::types::*;

fn grant(key: &KeyMetadata, grantee: &Cx, operations: &[GrantOperation]) -> CreateGrantRequest {
    CreateGrantRequest {
        key_id: key.key_id.clone(),
        grantee_principal: Some(grantee.principal.arn.clone()),
        operations: operations.to_vec(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_grant_allows_its_operations_at_once_until_it_is_revoked() {
    let world = world().await;
    let admin = world.admin();
    let (key, other_key) = (world.key(&admin).await, world.key(&admin).await);
    let user = world.user(&admin, "grantee", "").await;
    let stranger = world.user(&admin, "stranger", "").await;
    refused(world.encrypt(&user, &key.key_id, &[]).await, "AccessDeniedException", "");
    let given = world.grant(&admin, grant(&key, &user, &[GrantOperation::Encrypt, GrantOperation::DescribeKey])).await;
    let blob = world.encrypt(&user, &key.key_id, &[("a", "1")]).await.unwrap();
    world.describe(&user, &key.key_id).await.unwrap();
    refused(world.decrypt(&user, &blob, &[("a", "1")]).await, "AccessDeniedException", "");
    refused(world.encrypt(&user, &other_key.key_id, &[]).await, "AccessDeniedException", "");
    refused(world.encrypt(&stranger, &key.key_id, &[]).await, "AccessDeniedException", "");
    let revoke =
        RevokeGrantRequest { key_id: key.key_id.clone(), grant_id: given.grant_id.clone().unwrap(), dry_run: None };
    refused(world.call::<op::RevokeGrant>(&user, revoke.clone()).await, "AccessDeniedException", "kms:RevokeGrant");
    world.call::<op::RevokeGrant>(&admin, revoke.clone()).await.unwrap();
    refused(world.encrypt(&user, &key.key_id, &[]).await, "AccessDeniedException", "");
    refused(world.call::<op::RevokeGrant>(&admin, revoke).await, "InvalidGrantIdException", "");
}

#[tokio::test]
async fn constraints_hold_and_a_deny_wins() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    let user = world.user(&admin, "grantee", "").await;
    let request = CreateGrantRequest {
        constraints: Some(GrantConstraints {
            encryption_context_subset: pairs(&[("team", "${aws:username}")]),
            ..Default::default()
        }),
        ..grant(&key, &user, &[GrantOperation::Encrypt])
    };
    world.grant(&admin, request).await;
    // A constraint is text, never a policy variable.
    world.encrypt(&user, &key.key_id, &[("team", "${aws:username}"), ("x", "y")]).await.unwrap();
    for context in [&[][..], &[("team", "grantee")], &[("Team", "${aws:username}")]] {
        refused(world.encrypt(&user, &key.key_id, context).await, "AccessDeniedException", "");
    }
    let denied = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"kms:Encrypt","Resource":"*"}]}"#;
    let denied = world.user(&admin, "denied", denied).await;
    world.grant(&admin, grant(&key, &denied, &[GrantOperation::Encrypt])).await;
    refused(world.encrypt(&denied, &key.key_id, &[]).await, "AccessDeniedException", "explicit deny");
}

#[tokio::test]
async fn a_name_makes_a_grant_idempotent_with_a_new_token() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    let user = world.user(&admin, "grantee", "").await;
    let request = CreateGrantRequest {
        name: Some("n".to_owned()),
        ..grant(&key, &user, &[GrantOperation::Encrypt, GrantOperation::Decrypt])
    };
    let one = world.grant(&admin, request.clone()).await;
    let turned =
        CreateGrantRequest { operations: vec![GrantOperation::Decrypt, GrantOperation::Encrypt], ..request.clone() };
    let two = world.grant(&admin, turned).await;
    assert_eq!(one.grant_id, two.grant_id);
    assert_ne!(one.grant_token, two.grant_token);
    let other = CreateGrantRequest { operations: vec![GrantOperation::Encrypt], ..request };
    assert_ne!(world.grant(&admin, other).await.grant_id, one.grant_id);
    let unnamed = grant(&key, &user, &[GrantOperation::Encrypt]);
    let first = world.grant(&admin, unnamed.clone()).await;
    assert_ne!(world.grant(&admin, unnamed).await.grant_id, first.grant_id);
}

#[tokio::test]
async fn grants_are_retired_by_whom_they_name_and_by_token() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    let user = world.user(&admin, "grantee", "").await;
    let retiring = world.user(&admin, "retiring", "").await;
    let request = CreateGrantRequest {
        retiring_principal: Some(retiring.principal.arn.clone()),
        ..grant(&key, &user, &[GrantOperation::Encrypt])
    };
    let (one, two) = (world.grant(&admin, request.clone()).await, world.grant(&admin, request).await);
    let list =
        ListRetirableGrantsRequest { retiring_principal: Some(retiring.principal.arn.clone()), ..Default::default() };
    let listed = world.call::<op::ListRetirableGrants>(&admin, list.clone()).await.unwrap().grants.unwrap();
    assert_eq!(listed.len(), 2);
    let by_token = RetireGrantRequest { grant_token: one.grant_token.clone(), ..Default::default() };
    refused(world.call::<op::RetireGrant>(&user, by_token.clone()).await, "AccessDeniedException", "kms:RetireGrant");
    world.call::<op::RetireGrant>(&retiring, by_token.clone()).await.unwrap();
    refused(world.call::<op::RetireGrant>(&retiring, by_token).await, "InvalidGrantTokenException", "");
    let by_id = RetireGrantRequest { key_id: key.arn.clone(), grant_id: two.grant_id.clone(), ..Default::default() };
    world.call::<op::RetireGrant>(&retiring, by_id.clone()).await.unwrap();
    refused(world.call::<op::RetireGrant>(&admin, by_id).await, "NotFoundException", "Grant ID");
    refused(world.encrypt(&user, &key.key_id, &[]).await, "AccessDeniedException", "");
    // A grantee retires its own grant where that is among its operations, and no other grant.
    let with = world.grant(&admin, grant(&key, &user, &[GrantOperation::Encrypt, GrantOperation::RetireGrant])).await;
    let without = world.grant(&admin, grant(&key, &user, &[GrantOperation::Encrypt])).await;
    let retire = |grant: &CreateGrantResponse| RetireGrantRequest {
        key_id: key.arn.clone(),
        grant_id: grant.grant_id.clone(),
        ..Default::default()
    };
    refused(world.call::<op::RetireGrant>(&user, retire(&without)).await, "AccessDeniedException", "");
    world.call::<op::RetireGrant>(&user, retire(&with)).await.unwrap();
}

#[tokio::test]
async fn tokens_must_be_genuine() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    let user = world.user(&admin, "grantee", "").await;
    let given = world.grant(&admin, grant(&key, &user, &[GrantOperation::Encrypt])).await;
    let token = given.grant_token.unwrap();
    let encrypt = |token: &str| EncryptRequest {
        key_id: key.key_id.clone(),
        plaintext: b"p".to_vec().into(),
        grant_tokens: Some(vec![token.to_owned()]),
        ..Default::default()
    };
    world.call::<op::Encrypt>(&user, encrypt(&token)).await.unwrap();
    let mut altered = token.clone().into_bytes();
    let middle = altered.len() / 2;
    altered[middle] = if altered[middle] == b'A' { b'B' } else { b'A' };
    for wrong in ["nonsense", &String::from_utf8(altered).unwrap(), &token[..token.len() - 4]] {
        refused(world.call::<op::Encrypt>(&user, encrypt(wrong)).await, "InvalidGrantTokenException", "");
    }
}

#[tokio::test]
async fn a_grantee_passes_on_no_more_than_it_has() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    let (first, second) = (world.user(&admin, "first", "").await, world.user(&admin, "second", "").await);
    world.grant(&admin, grant(&key, &first, &[GrantOperation::Encrypt, GrantOperation::CreateGrant])).await;
    let more = grant(&key, &second, &[GrantOperation::Decrypt]);
    refused(world.call::<op::CreateGrant>(&first, more).await, "AccessDeniedException", "kms:CreateGrant");
    world.grant(&first, grant(&key, &second, &[GrantOperation::Encrypt])).await;
    world.encrypt(&second, &key.key_id, &[]).await.unwrap();
}

#[tokio::test]
async fn grants_have_condition_keys_and_rules() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    let grantee = world.user(&admin, "grantee", "").await;
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"kms:CreateGrant","Resource":"*","Condition":{{
        "ForAllValues:StringEquals":{{"kms:GrantOperations":["Encrypt","Decrypt"]}},
        "StringEquals":{{"kms:GranteePrincipal":"{}","kms:GrantConstraintType":"EncryptionContextEquals",
        "kms:EncryptionContext:a":"1"}},"Bool":{{"kms:GrantIsForAWSResource":"false"}}}}}}]}}"#,
        grantee.principal.arn
    );
    let maker = world.user(&admin, "maker", &policy).await;
    let good = CreateGrantRequest {
        constraints: Some(GrantConstraints { encryption_context_equals: pairs(&[("a", "1")]), ..Default::default() }),
        ..grant(&key, &grantee, &[GrantOperation::Encrypt])
    };
    world.grant(&maker, good.clone()).await;
    let bad = [
        CreateGrantRequest { operations: vec![GrantOperation::GenerateDataKey], ..good.clone() },
        CreateGrantRequest { grantee_principal: Some(maker.principal.arn.clone()), ..good.clone() },
        CreateGrantRequest { constraints: None, ..good.clone() },
    ];
    for request in bad {
        refused(world.call::<op::CreateGrant>(&maker, request).await, "AccessDeniedException", "");
    }
    let wrong = [
        (CreateGrantRequest { operations: vec![GrantOperation::Sign], ..good.clone() }, "ValidationException"),
        (CreateGrantRequest { operations: Vec::new(), ..good.clone() }, "ValidationException"),
        (CreateGrantRequest { grantee_principal: Some("nobody".to_owned()), ..good.clone() }, "InvalidArnException"),
        (
            CreateGrantRequest { grantee_principal: Some("arn:aws:s3:::b".to_owned()), ..good.clone() },
            "InvalidArnException",
        ),
        (CreateGrantRequest { dry_run: Some(true), ..good.clone() }, "DryRunOperationException"),
    ];
    for (request, code) in wrong {
        refused(world.call::<op::CreateGrant>(&admin, request).await, code, "");
    }
    let service = CreateGrantRequest { grantee_service_principal: Some("s3.amazonaws.com".to_owned()), ..good };
    refused(
        world.call::<op::CreateGrant>(&admin, service).await,
        "UnsupportedOperationException",
        "GranteeServicePrincipal",
    );
    let list = ListGrantsRequest {
        key_id: key.key_id.clone(),
        limit: None,
        marker: None,
        grant_id: None,
        grantee_principal: Some(grantee.principal.arn.clone()),
        grantee_service_principal: None,
    };
    let listed = world.call::<op::ListGrants>(&admin, list).await.unwrap().grants.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].key_id, key.arn);
    assert_eq!(listed[0].issuing_account, Some(format!("arn:aws:iam::{}:root", world.management)));
}

#[tokio::test]
async fn a_grantee_of_another_account_needs_no_policy_of_its_own_and_a_deny_still_wins() {
    let world = world().await;
    let admin = world.admin();
    let other = world.other().await;
    let key = world.key(&admin).await;
    let arn = key.arn.clone().unwrap();
    let plain = world.user(&other, "plain", "").await;
    let stranger = world.user(&other, "stranger", &allow(r#""kms:*""#, "*")).await;
    let deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"kms:Encrypt","Resource":"*"}]}"#;
    let denied = world.user(&other, "denied", deny).await;
    let operations = [GrantOperation::Encrypt, GrantOperation::RetireGrant];
    let constraints = GrantConstraints { encryption_context_subset: pairs(&[("team", "red")]), ..Default::default() };
    let request = CreateGrantRequest { constraints: Some(constraints), ..grant(&key, &plain, &operations) };
    refused(world.encrypt(&plain, &arn, &[("team", "red")]).await, "AccessDeniedException", "kms:Encrypt");
    let given = world.grant(&admin, request).await;
    world.grant(&admin, grant(&key, &denied, &operations)).await;
    world.encrypt(&plain, &arn, &[("team", "red")]).await.unwrap();
    refused(world.encrypt(&plain, &arn, &[("team", "blue")]).await, "AccessDeniedException", "kms:Encrypt");
    refused(world.describe(&plain, &arn).await, "AccessDeniedException", "kms:DescribeKey");
    refused(world.encrypt(&stranger, &arn, &[("team", "red")]).await, "AccessDeniedException", "kms:Encrypt");
    refused(world.encrypt(&denied, &arn, &[("team", "red")]).await, "AccessDeniedException", "explicit deny");
    // A grant to the whole account leaves it to the account which of its principals may use it.
    world.grant(&admin, grant(&key, &other, &[GrantOperation::Encrypt])).await;
    world.encrypt(&stranger, &arn, &[]).await.unwrap();
    let nobody = world.user(&other, "nobody", "").await;
    refused(world.encrypt(&nobody, &arn, &[]).await, "AccessDeniedException", "kms:Encrypt");
    let retire = RetireGrantRequest { key_id: Some(arn.clone()), grant_id: given.grant_id, ..Default::default() };
    refused(world.call::<op::RetireGrant>(&stranger, retire.clone()).await, "AccessDeniedException", "");
    world.call::<op::RetireGrant>(&plain, retire).await.unwrap();
    refused(world.encrypt(&plain, &arn, &[("team", "red")]).await, "AccessDeniedException", "kms:Encrypt");
}

#[tokio::test]
async fn the_constraints_of_a_grant_are_condition_keys_of_its_end() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    let grantee = world.user(&admin, "grantee", "").await;
    let constrained = |kind: &str, team: &str| {
        let context = pairs(&[("team", team)]);
        let constraints = match kind {
            "equals" => GrantConstraints { encryption_context_equals: context, ..Default::default() },
            _ => GrantConstraints { encryption_context_subset: context, ..Default::default() },
        };
        let constraints = Some(constraints);
        CreateGrantRequest { constraints, ..grant(&key, &grantee, &[GrantOperation::Encrypt]) }
    };
    let condition = r#"{"StringEquals":{"kms:EncryptionContext:team":"red","kms:GrantConstraintType":"EncryptionContextEquals"},
        "ForAllValues:StringEquals":{"kms:EncryptionContextKeys":["team"]}}"#;
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"kms:RetireGrant","Resource":"*","Condition":{condition}}}]}}"#
    );
    let retirer = world.user(&admin, "retirer", &policy).await;
    for (kind, team, may) in [("equals", "red", true), ("equals", "blue", false), ("subset", "red", false)] {
        let given = world.grant(&admin, constrained(kind, team)).await;
        let retire = RetireGrantRequest { key_id: key.arn.clone(), grant_id: given.grant_id, ..Default::default() };
        match may {
            true => drop(world.call::<op::RetireGrant>(&retirer, retire).await.unwrap()),
            false => refused(world.call::<op::RetireGrant>(&retirer, retire).await, "AccessDeniedException", ""),
        }
    }
}

#[tokio::test]
async fn services_use_grants_of_another_account_too() {
    use stoa_kernel::ports::{DataKeyCall, DataKeys};
    let world = world().await;
    let admin = world.admin();
    let other = world.other().await;
    let key = world.key(&admin).await;
    let user = world.user(&other, "reader", "").await;
    let context = pairs(&[("aws:s3:arn", "arn:aws:s3:::b/k")]).unwrap();
    let call = DataKeyCall { service: "s3", key: key.arn.as_deref(), context: &context };
    let made = world.kms.generate_data_key(&admin, &call).await.unwrap();
    let refusal = world.kms.decrypt_data_key(&user, &call, &made.ciphertext).await;
    refused(refusal, "AccessDeniedException", "kms:Decrypt");
    world.grant(&admin, grant(&key, &user, &[GrantOperation::Decrypt])).await;
    let opened = world.kms.decrypt_data_key(&user, &call, &made.ciphertext).await.unwrap();
    assert_eq!(*opened, *made.plaintext);
}
