//! Sizes and quotas at their edges, and the place of what is wrong in a document.

use serde_json::json;
use stoa_models_iam::operations as op;

use crate::groups::new_group;
use crate::roles::new_role;
use crate::support::{statement, trusting, world};
use crate::users::new_user;

/// A document of exactly so many characters without white space.
fn sized(most: usize) -> String {
    let empty = statement("Allow", "s3:GetObject", "arn:aws:s3:::").len();
    let text = statement("Allow", "s3:GetObject", &format!("arn:aws:s3:::{}", "x".repeat(most - empty)));
    text.replace("},", "} ,\n").replace("\":", "\" :  ")
}

#[tokio::test]
async fn documents_are_taken_up_to_their_limit_and_not_beyond() {
    let world = world().await;
    new_user(&world, "u").await;
    new_group(&world, "g").await;
    new_role(&world, "r", &trusting(r#"{"Service":"sagemaker.amazonaws.com"}"#)).await;
    let user = |size| json!({"UserName": "u", "PolicyName": "p", "PolicyDocument": sized(size)});
    world.root_does::<op::PutUserPolicy>(user(2048)).await;
    let over = world.root_refused::<op::PutUserPolicy>(user(2049)).await;
    assert_eq!(over.1, "Maximum policy size of 2048 bytes exceeded for user u");
    let group = |name: &str, size| json!({"GroupName": "g", "PolicyName": name, "PolicyDocument": sized(size)});
    world.root_does::<op::PutGroupPolicy>(group("a", 5000)).await;
    let over = world.root_refused::<op::PutGroupPolicy>(group("b", 121)).await;
    assert_eq!(over.1, "Maximum policy size of 5120 bytes exceeded for group g");
    world.root_does::<op::PutGroupPolicy>(group("b", 120)).await;
    let role = |size| json!({"RoleName": "r", "PolicyName": "p", "PolicyDocument": sized(size)});
    world.root_does::<op::PutRolePolicy>(role(10_240)).await;
    assert_eq!(world.root_refused::<op::PutRolePolicy>(role(10_241)).await.0, "LimitExceededException");
    let policy = |size| json!({"PolicyName": "p", "PolicyDocument": sized(size)});
    let over = world.root_refused::<op::CreatePolicy>(policy(6145)).await;
    assert_eq!(over.1, "Cannot exceed quota for PolicySize: 6144");
    world.root_does::<op::CreatePolicy>(policy(6144)).await;
}

#[tokio::test]
async fn an_account_has_at_most_so_many_groups() {
    let world = world().await;
    for number in 0..300 {
        new_group(&world, &format!("g{number}")).await;
    }
    let more = world.root_refused::<op::CreateGroup>(json!({"GroupName": "more"})).await;
    let words = "Cannot exceed quota for GroupsPerAccount: 300".to_owned();
    assert_eq!(more, ("LimitExceededException".to_owned(), words));
    world.root_does::<op::DeleteGroup>(json!({"GroupName": "g7"})).await;
    new_group(&world, "more").await;
}

#[tokio::test]
async fn a_malformed_document_is_told_with_its_place() {
    let world = world().await;
    new_group(&world, "g").await;
    let cases = [
        ("{\n  \"Version\": }", "line 2 column 14"),
        (
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Maybe","Action":"s3:*","Resource":"*"}]}"#,
            "$.Statement[1].Effect",
        ),
        (r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*"}}"#, "$.Statement[0]"),
    ];
    for (document, place) in cases {
        let put = json!({"GroupName": "g", "PolicyName": "p", "PolicyDocument": document});
        let (code, message) = world.root_refused::<op::PutGroupPolicy>(put).await;
        assert_eq!(code, "MalformedPolicyDocumentException");
        assert!(message.contains(place), "{message}");
    }
}
