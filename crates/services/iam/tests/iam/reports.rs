//! What an account tells of itself: summary, authorization details, credential report.

use serde_json::json;
use stoa_models_iam::operations as op;
use stoa_models_iam::types::*;
use stoa_schema::Empty;

use crate::groups::{join, new_group};
use crate::roles::new_role;
use crate::support::{ALLOW_ALL, World, code, trusting, world};
use crate::users::{new_key, new_user, put_policy};

const HOUR: i64 = 3_600_000;
const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

async fn filled() -> World {
    let world = world().await;
    new_user(&world, "anna").await;
    new_user(&world, "bert").await;
    put_policy(&world, "anna", "own", ALLOW_ALL).await;
    new_group(&world, "g").await;
    join(&world, "anna", "g").await;
    let input = json!({"PolicyName": "p", "PolicyDocument": ALLOW_ALL, "Description": "d"});
    let arn = world.root_does::<op::CreatePolicy>(input).await.policy.unwrap().arn.unwrap();
    world.root_does::<op::CreatePolicyVersion>(json!({"PolicyArn": arn, "PolicyDocument": ALLOW_ALL})).await;
    world.root_does::<op::AttachGroupPolicy>(json!({"GroupName": "g", "PolicyArn": arn})).await;
    world.root_does::<op::PutUserPermissionsBoundary>(json!({"UserName": "bert", "PermissionsBoundary": ADMIN})).await;
    new_role(&world, "r", &trusting(r#"{"Service":"ec2.amazonaws.com"}"#)).await;
    world.root_does::<op::CreateInstanceProfile>(json!({"InstanceProfileName": "i"})).await;
    world.root_does::<op::AddRoleToInstanceProfile>(json!({"InstanceProfileName": "i", "RoleName": "r"})).await;
    world
}

#[tokio::test]
async fn the_summary_counts_what_there_is() {
    let world = filled().await;
    let summary = world.call::<op::GetAccountSummary>(&world.admin(), Empty {}).await.unwrap().summary_map.unwrap();
    let wanted = [
        ("Users", 2),
        ("Groups", 1),
        ("Roles", 2),
        ("Policies", 1),
        ("PolicyVersionsInUse", 2),
        ("InstanceProfiles", 1),
        ("UsersQuota", 5000),
        ("GroupsQuota", 300),
        ("RolesQuota", 1000),
        ("PoliciesQuota", 1500),
        ("PolicySizeQuota", 6144),
        ("UserPolicySizeQuota", 2048),
        ("GroupPolicySizeQuota", 5120),
        ("RolePolicySizeQuota", 10240),
        ("AssumeRolePolicySizeQuota", 2048),
        ("GroupsPerUserQuota", 10),
        ("AccessKeysPerUserQuota", 2),
        ("VersionsPerPolicyQuota", 5),
        ("AttachedPoliciesPerRoleQuota", 10),
        ("AccountAccessKeysPresent", 1),
        ("AccountMFAEnabled", 0),
    ];
    for (key, value) in wanted {
        assert_eq!(summary.get(key), Some(&value), "{key}");
    }
}

#[tokio::test]
async fn authorization_details_are_whole_filtered_and_paged() {
    let world = filled().await;
    let all = world.root_does::<op::GetAccountAuthorizationDetails>(json!({})).await;
    let users = all.user_detail_list.unwrap();
    assert_eq!(users.iter().filter_map(|user| user.user_name.as_deref()).collect::<Vec<_>>(), ["anna", "bert"]);
    assert_eq!(users[0].group_list.as_deref(), Some(&["g".to_owned()][..]));
    let inline = &users[0].user_policy_list.as_ref().unwrap()[0];
    assert_eq!(inline.policy_name.as_deref(), Some("own"));
    assert!(inline.policy_document.as_ref().unwrap().starts_with("%7B"));
    let boundary = users[1].permissions_boundary.clone().unwrap();
    assert_eq!(boundary.permissions_boundary_arn.as_deref(), Some(ADMIN));
    let groups = all.group_detail_list.unwrap();
    let attached = groups[0].attached_managed_policies.as_ref().unwrap();
    assert_eq!(attached[0].policy_name.as_deref(), Some("p"));
    let roles = all.role_detail_list.unwrap();
    let role = roles.iter().find(|role| role.role_name.as_deref() == Some("r")).unwrap();
    let profiles = role.instance_profile_list.as_ref().unwrap();
    assert_eq!(profiles[0].instance_profile_name, "i");
    assert_eq!(profiles[0].roles[0].role_name, "r");
    let policies = all.policies.unwrap();
    let names: Vec<_> = policies.iter().filter_map(|policy| policy.policy_name.as_deref()).collect();
    assert_eq!(names, ["p", "AdministratorAccess"]);
    let versions = policies[0].policy_version_list.as_ref().unwrap();
    assert_eq!((versions.len(), versions[0].version_id.as_deref()), (2, Some("v2")));
    assert!(versions[0].document.is_some());
    let used = (policies[1].attachment_count, policies[1].permissions_boundary_usage_count);
    assert_eq!(used, (Some(1), Some(1)), "by StoaAdmin and by bert");
    let some = world.root_does::<op::GetAccountAuthorizationDetails>(json!({"Filter": ["Role"]})).await;
    assert_eq!((some.role_detail_list.unwrap().len(), some.user_detail_list.unwrap().len()), (2, 0));
    let (mut count, mut marker) = (0, None);
    loop {
        let input = GetAccountAuthorizationDetailsRequest { max_items: Some(2), marker, ..Default::default() };
        let page = world.call::<op::GetAccountAuthorizationDetails>(&world.admin(), input).await.unwrap();
        count += page.user_detail_list.unwrap().len() + page.group_detail_list.unwrap().len();
        count += page.role_detail_list.unwrap().len() + page.policies.unwrap().len();
        marker = page.marker;
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(count, 7);
}

#[tokio::test]
async fn the_credential_report_has_the_real_credentials() {
    let world = filled().await;
    let get = async || world.call::<op::GetCredentialReport>(&world.admin(), Empty {}).await;
    assert_eq!(code(get().await.map(|_| ())), ("CredentialReportNotPresentException".to_owned(), 410));
    let key = new_key(&world, "anna").await;
    let policy = json!({"MinimumPasswordLength": 8, "MaxPasswordAge": 10});
    world.root_does::<op::UpdateAccountPasswordPolicy>(policy).await;
    world.root_does::<op::CreateLoginProfile>(json!({"UserName": "anna", "Password": "abcdefgh"})).await;
    let cx = world.cx(world.principal(&key.access_key_id, None).await.unwrap());
    world.ask::<op::ListUsers>(&cx, json!({})).await.unwrap();
    let made = world.call::<op::GenerateCredentialReport>(&world.admin(), Empty {}).await.unwrap();
    assert_eq!(made.state, Some(ReportStateType::Complete));
    let report = get().await.unwrap();
    let text = String::from_utf8(report.content.unwrap().to_vec()).unwrap();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert!(lines.iter().all(|line| line.len() == 22), "{text}");
    assert_eq!((lines.len(), lines[0][0], lines[1][0]), (4, "user", "<root_account>"));
    assert_eq!(lines[1][8], "true", "the root user has an access key");
    let anna = lines.iter().find(|line| line[0] == "anna").unwrap();
    let now = "2026-11-21T00:00:00+00:00";
    let wanted =
        ["true", "no_information", now, "2026-12-01T00:00:00+00:00", "false", "true", now, now, "us-west-2", "iam"];
    assert_eq!(anna[3..13], wanted);
    let bert = lines.iter().find(|line| line[0] == "bert").unwrap();
    assert_eq!(bert[3..10], ["false", "N/A", "N/A", "N/A", "false", "false", "N/A"]);
    new_user(&world, "later").await;
    world.clock.advance_millis(4 * HOUR - 1);
    world.call::<op::GenerateCredentialReport>(&world.admin(), Empty {}).await.unwrap();
    assert_eq!(get().await.unwrap().content.unwrap(), text.as_bytes(), "within four hours the report stays");
    world.clock.advance_millis(1);
    assert_eq!(code(get().await.map(|_| ())), ("CredentialReportExpiredException".to_owned(), 410));
    world.call::<op::GenerateCredentialReport>(&world.admin(), Empty {}).await.unwrap();
    let text = String::from_utf8(get().await.unwrap().content.unwrap().to_vec()).unwrap();
    assert!(text.contains("\nlater,"), "{text}");
}

#[tokio::test]
async fn a_deleted_account_leaves_none_of_it() {
    let world = world().await;
    let account = world.iam.create_account("member").await.unwrap().account_id;
    let cx = world.root(&account);
    world.ask::<op::CreateGroup>(&cx, json!({"GroupName": "g"})).await.unwrap();
    world
        .ask::<op::CreateInstanceProfile>(
            &cx,
            json!({"InstanceProfileName": "i", "Tags": [{"Key": "k", "Value": "v"}]}),
        )
        .await
        .unwrap();
    world.ask::<op::UpdateAccountPasswordPolicy>(&cx, json!({})).await.unwrap();
    world.ask::<op::CreateServiceLinkedRole>(&cx, json!({"AWSServiceName": "sagemaker.amazonaws.com"})).await.unwrap();
    let role = "AWSServiceRoleForAmazonSageMakerNotebooks";
    world.ask::<op::DeleteServiceLinkedRole>(&cx, json!({"RoleName": role})).await.unwrap();
    world.call::<op::GenerateCredentialReport>(&cx, Empty {}).await.unwrap();
    let arn = format!("arn:aws:iam::{account}:role/StoaAdmin");
    world.ask::<op::GenerateServiceLastAccessedDetails>(&cx, json!({"Arn": arn})).await.unwrap();
    world.iam.flush_key_uses().await.unwrap();
    world.ask::<op::ListUsers>(&cx, json!({})).await.unwrap();
    world.iam.delete_account(&account).await.unwrap();
    // What was noted before the end is not written after it.
    world.iam.flush_key_uses().await.unwrap();
    let kinds = [
        "iam:group",
        "iam:instance-profile",
        "iam:password-policy",
        "iam-report:credentials",
        "iam-report:last-accessed",
        "iam-report:role-deletion",
        "iam-usage:principal",
        "iam:role",
    ];
    for kind in kinds {
        let query = stoa_store::Query::of(kind).owned_by(&account, None);
        assert_eq!(world.store.count(&query).await.unwrap(), 0, "{kind}");
    }
    let profile = format!("arn:aws:iam::{account}:instance-profile/i");
    assert!(world.store.tags(&profile).await.unwrap().is_empty());
}
