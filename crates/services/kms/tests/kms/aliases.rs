//! Aliases.

use crate::support::*;
use stoa_models_kms::operations as op;
use stoa_models_kms::types::*;

#[tokio::test]
async fn aliases_have_rules_for_their_names() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    let make = |name: &'static str| world.alias(&admin, name, &key.key_id);
    refused(make("mine").await, "ValidationException", "Alias must start with the prefix \"alias/\"");
    refused(make("alias/a:b").await, "ValidationException", "alias/a:b contains invalid characters for an alias");
    refused(make("alias/aws/s3").await, "NotAuthorizedException", "");
    make("alias/a/b_c-D").await.unwrap();
    let words =
        format!("An alias with the name arn:aws:kms:us-west-2:{}:alias/a/b_c-D already exists", world.management);
    refused(make("alias/a/b_c-D").await, "AlreadyExistsException", &words);
    let missing = world.alias(&admin, "alias/x", "00000000-0000-0000-0000-000000000000").await;
    refused(missing, "NotFoundException", "does not exist");
}

#[tokio::test]
async fn an_alias_moves_and_what_it_named_before_still_decrypts() {
    let world = world().await;
    let admin = world.admin();
    let (one, two) = (world.key(&admin).await, world.key(&admin).await);
    world.alias(&admin, "alias/moves", &one.key_id).await.unwrap();
    let blob = world.encrypt(&admin, "alias/moves", &[]).await.unwrap();
    let update = |key: &str| UpdateAliasRequest { alias_name: "alias/moves".to_owned(), target_key_id: key.to_owned() };
    world.call::<op::UpdateAlias>(&admin, update(&two.key_id)).await.unwrap();
    assert_eq!(world.describe(&admin, "alias/moves").await.unwrap().key_id, two.key_id);
    assert_eq!(world.decrypt(&admin, &blob, &[]).await.unwrap(), b"plain");
    let list = |key: Option<&KeyMetadata>| ListAliasesRequest {
        key_id: key.map(|key| key.key_id.clone()),
        ..Default::default()
    };
    let of_one = world.call::<op::ListAliases>(&admin, list(Some(&one))).await.unwrap().aliases.unwrap();
    assert!(of_one.is_empty());
    let of_two = world.call::<op::ListAliases>(&admin, list(Some(&two))).await.unwrap().aliases.unwrap();
    assert_eq!(of_two[0].alias_name.as_deref(), Some("alias/moves"));
    let signing = world.key_of(&admin, KeySpec::EccNistP256, KeyUsageType::SignVerify).await;
    refused(world.call::<op::UpdateAlias>(&admin, update(&signing.key_id)).await, "ValidationException", "same type");
    let delete = DeleteAliasRequest { alias_name: "alias/moves".to_owned() };
    world.call::<op::DeleteAlias>(&admin, delete.clone()).await.unwrap();
    refused(world.call::<op::DeleteAlias>(&admin, delete).await, "NotFoundException", "is not found");
    refused(world.encrypt(&admin, "alias/moves", &[]).await, "NotFoundException", "is not found");
    assert_eq!(world.call::<op::ListAliases>(&admin, list(None)).await.unwrap().aliases, Some(Vec::new()));
}

#[tokio::test]
async fn an_alias_needs_rights_on_itself_and_on_its_keys() {
    let world = world().await;
    let admin = world.admin();
    let (one, two) = (world.key(&admin).await, world.key(&admin).await);
    let arn = |key: &KeyMetadata| key.arn.clone().unwrap();
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":["kms:CreateAlias","kms:UpdateAlias","kms:DeleteAlias"],
        "Resource":["{}","arn:aws:kms:us-west-2:{}:alias/ours-*"]}}]}}"#,
        arn(&one),
        world.management
    );
    let user = world.user(&admin, "aliaser", &policy).await;
    refused(world.alias(&user, "alias/theirs", &one.key_id).await, "AccessDeniedException", "alias/theirs");
    refused(world.alias(&user, "alias/ours-1", &two.key_id).await, "AccessDeniedException", &arn(&two));
    world.alias(&user, "alias/ours-1", &one.key_id).await.unwrap();
    let update = UpdateAliasRequest { alias_name: "alias/ours-1".to_owned(), target_key_id: two.key_id.clone() };
    refused(world.call::<op::UpdateAlias>(&user, update.clone()).await, "AccessDeniedException", &arn(&two));
    world.call::<op::UpdateAlias>(&admin, update).await.unwrap();
    // It names the other key now.
    let delete = DeleteAliasRequest { alias_name: "alias/ours-1".to_owned() };
    refused(world.call::<op::DeleteAlias>(&user, delete).await, "AccessDeniedException", &arn(&two));
}
