//! Hand-written targets set the condition keys that the overlay says they do (`custom_keys`, checked against AWS's
//! authorization facts), shown with an input that has everything in it and a key that has an alias.

use bytes::Bytes;
use stoa_models_authz::hand_written;
use stoa_models_kms::operations::SERVICE;
use stoa_models_kms::types::{CreateGrantRequest, GrantConstraints, GrantOperation};
use stoa_schema::{Value, fullest};

use crate::support::{pairs, world};

#[tokio::test]
async fn hand_written_targets_set_the_keys_they_are_said_to_set() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await.key_id;
    world.alias(&admin, "alias/mine", &key).await.unwrap();
    let blob = Bytes::from(world.encrypt(&admin, &key, &[("key", "text")]).await.unwrap());
    let constraints = GrantConstraints { encryption_context_equals: pairs(&[("key", "text")]), ..Default::default() };
    let request = CreateGrantRequest {
        key_id: key.clone(),
        grantee_principal: Some(admin.principal.arn.clone()),
        operations: vec![GrantOperation::Encrypt],
        constraints: Some(constraints),
        ..Default::default()
    };
    let grant = world.grant(&admin, request).await.grant_id.unwrap();
    let text = |name: &str, by_alias: bool| match name {
        "GrantId" => Some(grant.clone()),
        "KeyId" if !by_alias => Some(key.clone()),
        "KeyId" | "AliasName" | "SourceKeyId" | "DestinationKeyId" => Some("alias/mine".to_owned()),
        "TargetKeyId" => Some(key.clone()),
        "GrantToken" => None,
        "GranteePrincipal" | "RetiringPrincipal" => Some("arn:aws:iam::111122223333:root".to_owned()),
        _ => Some("text".to_owned()),
    };
    let mut missing = Vec::new();
    for declared in hand_written("kms") {
        let spec = SERVICE.operation(declared.operation).unwrap();
        // Only what uses a key takes it by alias.
        let by_alias = declared.sets.contains(&"kms:RequestAlias");
        let text = |name: &str| text(name, by_alias);
        let mut input = spec.input.map_or_else(Value::empty, |shape| fullest(shape, &text));
        if input.member("CiphertextBlob").is_some() {
            input.set_member("CiphertextBlob", Value::Blob(blob.clone()));
        }
        let route = world.registry().route(spec).unwrap();
        let targets = route.targets.as_ref().unwrap()(&admin, &input).await.unwrap();
        let shown: Vec<_> = targets
            .iter()
            .map(|target| (target.action.to_string(), target.keys.iter().map(|(key, _)| key.to_owned()).collect()))
            .collect();
        missing.extend(declared.missing(&shown).iter().map(|what| format!("{}: {what}", declared.operation)));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
