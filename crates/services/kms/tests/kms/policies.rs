//! Key policies.

use crate::support::*;
use stoa_models_kms::operations as op;
use stoa_models_kms::types::*;

fn put(key: &KeyMetadata, policy: &str, bypass: bool) -> PutKeyPolicyRequest {
    PutKeyPolicyRequest {
        key_id: key.key_id.clone(),
        policy_name: None,
        policy: policy.to_owned(),
        bypass_policy_lockout_safety_check: Some(bypass),
    }
}

#[tokio::test]
async fn the_default_policy_delegates_to_the_account() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    let request = GetKeyPolicyRequest { key_id: key.key_id.clone(), policy_name: None };
    let found = world.call::<op::GetKeyPolicy>(&admin, request).await.unwrap();
    assert_eq!(found.policy_name.as_deref(), Some("default"));
    let policy: serde_json::Value = serde_json::from_str(&found.policy.unwrap()).unwrap();
    assert_eq!(policy["Id"], "key-default-1");
    assert_eq!(policy["Statement"][0]["Principal"]["AWS"], format!("arn:aws:iam::{}:root", world.management));
    let with = world.user(&admin, "with", &allow(r#""kms:Encrypt""#, key.arn.as_deref().unwrap())).await;
    let without = world.user(&admin, "without", "").await;
    world.encrypt(&with, &key.key_id, &[]).await.unwrap();
    refused(
        world.encrypt(&without, &key.key_id, &[]).await,
        "AccessDeniedException",
        "because no identity-based policy allows the kms:Encrypt action",
    );
    let other = GetKeyPolicyRequest { key_id: key.key_id.clone(), policy_name: Some("other".to_owned()) };
    refused(world.call::<op::GetKeyPolicy>(&admin, other).await, "NotFoundException", "No such policy exists");
    let names = ListKeyPoliciesRequest { key_id: key.key_id, ..Default::default() };
    let names = world.call::<op::ListKeyPolicies>(&admin, names).await.unwrap();
    assert_eq!(names.policy_names, Some(vec!["default".to_owned()]));
}

#[tokio::test]
async fn without_delegation_the_key_policy_alone_decides() {
    let world = world().await;
    let admin = world.admin();
    let user = world.user(&admin, "named", "").await;
    let strong = world.user(&admin, "strong", &allow(r#""kms:*""#, "*")).await;
    let key = world.key_with_policy(&admin, &key_policy(&[letting(&user.principal.arn, r#""kms:*""#, "{}")])).await;
    world.encrypt(&user, &key.key_id, &[]).await.unwrap();
    let words = "because no resource-based policy allows the kms:Encrypt action";
    refused(world.encrypt(&strong, &key.key_id, &[]).await, "AccessDeniedException", words);
    // Not even the root user.
    refused(world.encrypt(&admin, &key.key_id, &[]).await, "AccessDeniedException", words);
    // A Deny in the identity policy holds all the same.
    let denied = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"kms:Encrypt","Resource":"*"}]}"#;
    let denied = world.user(&admin, "denied", denied).await;
    let both = [letting(&user.principal.arn, r#""kms:*""#, "{}"), letting(&denied.principal.arn, r#""kms:*""#, "{}")];
    world.call::<op::PutKeyPolicy>(&user, put(&key, &key_policy(&both), false)).await.unwrap();
    refused(world.encrypt(&denied, &key.key_id, &[]).await, "AccessDeniedException", "with an explicit deny");
    world.describe(&denied, &key.key_id).await.unwrap();
}

#[tokio::test]
async fn a_policy_must_let_its_author_put_the_next_one() {
    let world = world().await;
    let admin = world.admin();
    let user = world.user(&admin, "author", &allow(r#""kms:*""#, "*")).await;
    let key = world.key(&user).await;
    let root = format!("arn:aws:iam::{}:root", world.management);
    let words = "The new key policy will not allow you to update the key policy in the future.";
    let useless = key_policy(&[letting(&root, r#"["kms:Encrypt"]"#, "{}")]);
    let put_by = |policy: String, bypass| world.call::<op::PutKeyPolicy>(&user, put(&key, &policy, bypass));
    refused(put_by(useless.clone(), false).await, "MalformedPolicyDocumentException", words);
    let conditional = letting(&root, r#""kms:*""#, r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#);
    refused(put_by(key_policy(&[conditional]), false).await, "MalformedPolicyDocumentException", words);
    let create = CreateKeyRequest { policy: Some(useless.clone()), ..Default::default() };
    refused(world.call::<op::CreateKey>(&user, create).await, "MalformedPolicyDocumentException", words);
    put_by(key_policy(&[letting(&user.principal.arn, r#""kms:*""#, "{}")]), false).await.unwrap();
    put_by(useless.clone(), true).await.unwrap();
    refused(put_by(useless, true).await, "AccessDeniedException", "kms:PutKeyPolicy");
}

#[tokio::test]
async fn what_is_no_key_policy_is_refused() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    let no_principal = allow(r#""kms:*""#, "*");
    let no_resource = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*"}]}"#;
    for wrong in ["nonsense", "{}", &no_principal, no_resource] {
        let made = world.call::<op::PutKeyPolicy>(&admin, put(&key, wrong, true)).await;
        refused(made, "MalformedPolicyDocumentException", "");
    }
    let long = format!("{}{}", " ".repeat(32 * 1024), no_principal);
    let made = world.call::<op::PutKeyPolicy>(&admin, put(&key, &long, true)).await;
    refused(made, "LimitExceededException", "32768");
}
