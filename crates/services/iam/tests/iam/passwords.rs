//! Login profiles and the account's password policy.

use serde_json::json;
use stoa_kernel::Cx;
use stoa_models_iam::operations as op;
use stoa_models_iam::types::*;
use stoa_schema::Empty;

use crate::support::{World, code, statement, world};
use crate::users::{new_key, new_user, put_policy};

const FIRST: &str = "Correct-Horse-1";
const SECOND: &str = "Battery-Staple-2";

async fn anna(world: &World) -> Cx {
    new_user(world, "anna").await;
    let key = new_key(world, "anna").await;
    world.cx(world.principal(&key.access_key_id, None).await.unwrap())
}

fn change(old: &str, new: &str) -> ChangePasswordRequest {
    ChangePasswordRequest { old_password: old.to_owned(), new_password: new.to_owned() }
}

#[tokio::test]
async fn a_password_is_set_kept_as_a_hash_changed_and_removed() {
    let world = world().await;
    let cx = anna(&world).await;
    let create = || json!({"UserName": "anna", "Password": FIRST, "PasswordResetRequired": true});
    let missing = world.root_refused::<op::GetLoginProfile>(json!({"UserName": "anna"})).await;
    assert_eq!(missing.1, "Login Profile for User anna cannot be found.");
    let made = world.root_does::<op::CreateLoginProfile>(create()).await.login_profile;
    assert_eq!((made.user_name.as_str(), made.password_reset_required), ("anna", Some(true)));
    assert_eq!(world.root_refused::<op::CreateLoginProfile>(create()).await.0, "EntityAlreadyExistsException");
    let stored = world.store.query(&stoa_store::Query::of("iam:user")).await.unwrap();
    assert!(stored.documents.iter().all(|document| !document.body.contains(FIRST)));
    // A password that must be set anew gives the right to do so.
    world.call::<op::ChangePassword>(&cx, change(FIRST, SECOND)).await.unwrap();
    let refused = world.call::<op::ChangePassword>(&cx, change(SECOND, FIRST)).await.map(|_| ());
    assert_eq!(code(refused).0, "AccessDeniedException");
    put_policy(&world, "anna", "p", &statement("Allow", "iam:ChangePassword", "*")).await;
    let wrong = world.call::<op::ChangePassword>(&cx, change(FIRST, "Third-Password-3")).await.map(|_| ());
    assert_eq!(wrong.unwrap_err().message(), "The old password was incorrect.");
    let again = world.restarted().await;
    again.call::<op::ChangePassword>(&cx, change(SECOND, FIRST)).await.unwrap();
    let update = json!({"UserName": "anna", "Password": SECOND, "PasswordResetRequired": false});
    world.root_does::<op::UpdateLoginProfile>(update).await;
    let got = world.root_does::<op::GetLoginProfile>(json!({"UserName": "anna"})).await.login_profile;
    assert_eq!(got.password_reset_required, Some(false));
    let root = world.call::<op::ChangePassword>(&world.admin(), change(SECOND, FIRST)).await.map(|_| ());
    assert_eq!(code(root), ("InvalidUserTypeException".to_owned(), 400));
    let key = world.root_does::<op::ListAccessKeys>(json!({"UserName": "anna"})).await.access_key_metadata;
    world.root_does::<op::DeleteAccessKey>(json!({"UserName": "anna", "AccessKeyId": key[0].access_key_id})).await;
    world.root_does::<op::DeleteUserPolicy>(json!({"UserName": "anna", "PolicyName": "p"})).await;
    let conflict = world.root_refused::<op::DeleteUser>(json!({"UserName": "anna"})).await;
    assert_eq!(conflict.1, "Cannot delete entity, must delete login profile first.");
    world.root_does::<op::DeleteLoginProfile>(json!({"UserName": "anna"})).await;
    assert_eq!(
        world.root_refused::<op::DeleteLoginProfile>(json!({"UserName": "anna"})).await.0,
        "NoSuchEntityException"
    );
    world.root_does::<op::DeleteUser>(json!({"UserName": "anna"})).await;
}

#[tokio::test]
async fn the_accounts_policy_is_kept_and_enforced() {
    let world = world().await;
    let cx = anna(&world).await;
    let none = world.call::<op::GetAccountPasswordPolicy>(&world.admin(), Empty {}).await.map(|_| ());
    let words = format!("The Password Policy with domain name {} cannot be found.", world.management);
    assert_eq!(none.unwrap_err().message(), words);
    let weak = world.root_refused::<op::CreateLoginProfile>(json!({"UserName": "anna", "Password": "password"})).await;
    assert_eq!(weak.0, "PasswordPolicyViolationException");
    let policy = json!({"MinimumPasswordLength": 12, "RequireSymbols": true, "PasswordReusePrevention": 2,
        "MaxPasswordAge": 90, "AllowUsersToChangePassword": true});
    world.root_does::<op::UpdateAccountPasswordPolicy>(policy).await;
    let got = world.call::<op::GetAccountPasswordPolicy>(&world.admin(), Empty {}).await.unwrap().password_policy;
    let told = (got.minimum_password_length, got.expire_passwords, got.require_numbers, got.max_password_age);
    assert_eq!(told, (Some(12), Some(true), Some(false), Some(90)));
    let short = json!({"UserName": "anna", "Password": "Short-1"});
    assert_eq!(world.root_refused::<op::CreateLoginProfile>(short).await.0, "PasswordPolicyViolationException");
    world.root_does::<op::CreateLoginProfile>(json!({"UserName": "anna", "Password": FIRST})).await;
    // The policy lets every user change its own password.
    world.call::<op::ChangePassword>(&cx, change(FIRST, SECOND)).await.unwrap();
    let reused = world.call::<op::ChangePassword>(&cx, change(SECOND, FIRST)).await.map(|_| ());
    assert_eq!(code(reused), ("PasswordPolicyViolationException".to_owned(), 400));
    world.call::<op::ChangePassword>(&cx, change(SECOND, "Third-Password-3")).await.unwrap();
    world.call::<op::ChangePassword>(&cx, change("Third-Password-3", FIRST)).await.unwrap();
    put_policy(&world, "anna", "no", &statement("Deny", "iam:ChangePassword", "*")).await;
    let denied = world.call::<op::ChangePassword>(&cx, change(FIRST, "Fourth-Password-4")).await.map(|_| ());
    assert_eq!(code(denied).0, "AccessDeniedException");
    world.call::<op::DeleteAccountPasswordPolicy>(&world.admin(), Empty {}).await.unwrap();
    let gone = world.call::<op::DeleteAccountPasswordPolicy>(&world.admin(), Empty {}).await.map(|_| ());
    assert_eq!(code(gone).0, "NoSuchEntityException");
}
