//! Each global key in each situation, as a table: present with this value, or absent.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::*;
use crate::{SessionContext, VpcEndpoint};

const ACCOUNT: &str = "111122223333";
const NOW: i64 = 1_795_222_800_000;

fn now() -> Timestamp {
    Timestamp::from_millis(NOW)
}

fn region() -> Region {
    "us-west-2".parse().unwrap()
}

fn connection(endpoint: bool) -> Connection {
    let endpoint = endpoint.then(|| {
        Arc::new(VpcEndpoint {
            id: "vpce-1".to_owned(),
            vpc: "vpc-1".to_owned(),
            account: "444455556666".parse().unwrap(),
            region: None,
            services: Vec::new(),
            policy: None,
        })
    });
    Connection {
        peer: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7)),
        secure: false,
        base_url: String::new(),
        vpc_endpoint: endpoint,
    }
}

fn principal(identity: Identity, arn: &str, id: &str, session: Option<SessionContext>) -> Principal {
    Principal {
        account: ACCOUNT.parse().unwrap(),
        arn: arn.replace("ACCOUNT", ACCOUNT),
        principal_id: id.to_owned(),
        identity,
        access_key_id: "AKIA".to_owned(),
        tags: BTreeMap::from([("team".to_owned(), "ml".to_owned()), ("cost".to_owned(), "7".to_owned())]),
        session,
    }
}

fn session(mfa: bool) -> SessionContext {
    SessionContext {
        issued_at: Timestamp::from_millis(NOW - 60_000),
        expires_at: Timestamp::from_millis(NOW + 60_000),
        tags: BTreeMap::from([("team".to_owned(), "research".to_owned())]),
        transitive_tag_keys: vec!["team".to_owned()],
        policies: Vec::new(),
        source_identity: Some("anna@example.com".to_owned()),
        mfa_authenticated_at: mfa.then(|| Timestamp::from_millis(NOW - 30_000)),
        federated_provider: None,
        keys: BTreeMap::new(),
    }
}

fn user(session: Option<SessionContext>) -> Principal {
    principal(Identity::User { name: "anna".to_owned() }, "arn:aws:iam::ACCOUNT:user/x/anna", "AIDA1", session)
}

fn role(session: SessionContext) -> Principal {
    let identity = Identity::AssumedRole {
        role_arn: format!("arn:aws:iam::{ACCOUNT}:role/p/R"),
        role_name: "R".to_owned(),
        session_name: "s".to_owned(),
    };
    principal(identity, "arn:aws:sts::ACCOUNT:assumed-role/R/s", "AROA1:s", Some(session))
}

fn federated_user() -> Principal {
    let identity = Identity::FederatedUser { name: "f".to_owned(), user: Some("anna".to_owned()) };
    principal(identity, "arn:aws:sts::ACCOUNT:federated-user/f", &format!("{ACCOUNT}:f"), Some(session(false)))
}

fn root() -> Principal {
    let mut root = principal(Identity::Root, "arn:aws:iam::ACCOUNT:root", ACCOUNT, None);
    root.tags.clear();
    root
}

/// The situations, in the order of the columns below.
fn situations() -> Vec<(&'static str, MapContext)> {
    let direct = |principal: &Principal| Cx::global_keys(principal, &region(), now(), &connection(false));
    let mut web = session(false);
    web.federated_provider = Some("token.example.com".to_owned());
    web.keys.insert("token.example.com:aud".to_owned(), vec!["stoa".to_owned()]);
    let service = Principal::service("cloudtrail.amazonaws.com", ACCOUNT.parse().unwrap());
    let mut by_service = Cx::service_keys(&service, &region(), now());
    let place = AccountPlace { organization: "o-1".to_owned(), paths: vec!["o-1/r-1/".to_owned()] };
    Cx::source_keys(&mut by_service, &format!("arn:aws:cloudtrail:us-west-2:{ACCOUNT}:trail/t"), Some(&place));
    vec![
        ("user", direct(&user(None))),
        ("user with mfa", direct(&user(Some(session(true))))),
        ("role", direct(&role(session(false)))),
        ("web identity", direct(&role(web))),
        ("federated user", direct(&federated_user())),
        ("root", direct(&root())),
        ("service", by_service),
        ("execution role", Cx::service_keys(&role(session(false)), &region(), now())),
        ("endpoint", Cx::global_keys(&user(None), &region(), now(), &connection(true))),
        ("nobody", direct(&Principal::anonymous())),
    ]
}

/// A key, and its value in each situation; `-` is absent.
const TABLE: &[(&str, [&str; 10])] = &[
    ("aws:PrincipalArn", ["USER", "USER", "ROLE", "ROLE", "FEDERATED", "ROOT", "-", "ROLE", "USER", "-"]),
    ("aws:PrincipalAccount", ["A", "A", "A", "A", "A", "A", "-", "A", "A", "anonymous"]),
    (
        "aws:PrincipalType",
        [
            "User",
            "User",
            "AssumedRole",
            "AssumedRole",
            "FederatedUser",
            "Account",
            "Service",
            "AssumedRole",
            "User",
            "Anonymous",
        ],
    ),
    ("aws:userid", ["AIDA1", "AIDA1", "AROA1:s", "AROA1:s", "A:f", "A", "-", "AROA1:s", "AIDA1", "anonymous"]),
    ("aws:username", ["anna", "anna", "-", "-", "-", "-", "-", "-", "anna", "-"]),
    (
        "aws:PrincipalIsAWSService",
        ["false", "false", "false", "false", "false", "false", "true", "false", "false", "-"],
    ),
    ("aws:PrincipalServiceName", ["-", "-", "-", "-", "-", "-", "cloudtrail.amazonaws.com", "-", "-", "-"]),
    ("aws:PrincipalServiceNamesList", ["-", "-", "-", "-", "-", "-", "cloudtrail.amazonaws.com", "-", "-", "-"]),
    ("aws:PrincipalTag/team", ["ml", "research", "research", "research", "research", "-", "-", "research", "ml", "-"]),
    ("aws:PrincipalTag/cost", ["7", "7", "7", "7", "7", "-", "-", "7", "7", "-"]),
    ("aws:MultiFactorAuthPresent", ["-", "true", "false", "false", "false", "-", "-", "false", "-", "-"]),
    ("aws:MultiFactorAuthAge", ["-", "30", "-", "-", "-", "-", "-", "-", "-", "-"]),
    ("aws:TokenIssueTime", ["-", "ISSUED", "ISSUED", "ISSUED", "ISSUED", "-", "-", "ISSUED", "-", "-"]),
    ("aws:FederatedProvider", ["-", "-", "-", "token.example.com", "-", "-", "-", "-", "-", "-"]),
    ("token.example.com:aud", ["-", "-", "-", "stoa", "-", "-", "-", "-", "-", "-"]),
    ("aws:SourceIdentity", ["-", "ANNA", "ANNA", "ANNA", "ANNA", "-", "-", "ANNA", "-", "-"]),
    ("aws:SourceIp", ["IP", "IP", "IP", "IP", "IP", "IP", "-", "-", "-", "IP"]),
    ("aws:SourceVpce", ["-", "-", "-", "-", "-", "-", "-", "-", "vpce-1", "-"]),
    ("aws:SourceVpc", ["-", "-", "-", "-", "-", "-", "-", "-", "vpc-1", "-"]),
    ("aws:SourceVpcArn", ["-", "-", "-", "-", "-", "-", "-", "-", "arn:aws:ec2:us-west-2:444455556666:vpc/vpc-1", "-"]),
    ("aws:VpcSourceIp", ["-", "-", "-", "-", "-", "-", "-", "-", "IP", "-"]),
    ("aws:VpceAccount", ["-", "-", "-", "-", "-", "-", "-", "-", "444455556666", "-"]),
    ("aws:ViaAWSService", ["false", "false", "false", "false", "false", "false", "-", "false", "false", "-"]),
    ("aws:CalledVia", ["-", "-", "-", "-", "-", "-", "-", "-", "-", "-"]),
    ("aws:SourceArn", ["-", "-", "-", "-", "-", "-", "TRAIL", "-", "-", "-"]),
    ("aws:SourceAccount", ["-", "-", "-", "-", "-", "-", "A", "-", "-", "-"]),
    ("aws:SourceOrgID", ["-", "-", "-", "-", "-", "-", "o-1", "-", "-", "-"]),
    ("aws:SourceOrgPaths", ["-", "-", "-", "-", "-", "-", "o-1/r-1/", "-", "-", "-"]),
    ("aws:SecureTransport", ["false", "false", "false", "false", "false", "false", "true", "true", "false", "false"]),
    ("aws:AssumedRoot", ["-", "-", "-", "-", "-", "-", "-", "-", "-", "-"]),
];

fn meant(text: &str) -> String {
    match text {
        "USER" => format!("arn:aws:iam::{ACCOUNT}:user/x/anna"),
        "ROLE" => format!("arn:aws:iam::{ACCOUNT}:role/p/R"),
        "FEDERATED" => format!("arn:aws:sts::{ACCOUNT}:federated-user/f"),
        "ROOT" => format!("arn:aws:iam::{ACCOUNT}:root"),
        "TRAIL" => format!("arn:aws:cloudtrail:us-west-2:{ACCOUNT}:trail/t"),
        "A" => ACCOUNT.to_owned(),
        "A:f" => format!("{ACCOUNT}:f"),
        "IP" => "10.0.0.7".to_owned(),
        "ISSUED" => Timestamp::from_millis(NOW - 60_000).iso8601(),
        "ANNA" => "anna@example.com".to_owned(),
        other => other.to_owned(),
    }
}

#[test]
fn every_key_is_there_when_aws_has_it_and_only_then() {
    for (column, (situation, keys)) in situations().into_iter().enumerate() {
        for (key, row) in TABLE {
            let found = keys.get(&key.to_ascii_lowercase()).map(Values::to_strings).map(|values| values.join(","));
            let wanted = (row[column] != "-").then(|| meant(row[column]));
            assert_eq!(found, wanted, "{key} of {situation}");
        }
        for key in ["aws:currenttime", "aws:epochtime", "aws:requestedregion"] {
            assert!(keys.get(key).is_some(), "{key} of {situation}");
        }
        let known: Vec<String> = TABLE.iter().map(|(key, _)| key.to_ascii_lowercase()).collect();
        let others = ["aws:currenttime", "aws:epochtime", "aws:requestedregion"];
        for (key, _) in keys.iter() {
            assert!(known.iter().any(|one| one == key) || others.contains(&key), "{key} of {situation} is in no table");
        }
    }
}

#[test]
fn keys_of_the_organization_are_looked_at_and_a_targets_own_come_first() {
    let place = AccountPlace { organization: "o-1".to_owned(), paths: vec!["o-1/r-1/ou-1/".to_owned()] };
    let other = AccountPlace { organization: "o-2".to_owned(), paths: vec!["o-2/r-2/".to_owned()] };
    let (target, tags) =
        (MapContext::new().with("aws:ResourceAccount", "9"), MapContext::new().with("aws:ResourceTag/a", "b"));
    let global = MapContext::new().with("aws:username", "anna");
    let seen = Seen {
        target: &target,
        tags: &tags,
        resource_account: Some("1"),
        resource_place: Some(&other),
        principal_place: Some(&place),
        endpoint_place: Some(&place),
        global: &global,
    };
    let get = |key: &str| seen.get(key).map(Values::to_strings).map(|values| values.join(","));
    for (key, wanted) in [
        ("aws:resourceaccount", Some("9")),
        ("aws:resourcetag/a", Some("b")),
        ("aws:principalorgid", Some("o-1")),
        ("aws:principalorgpaths", Some("o-1/r-1/ou-1/")),
        ("aws:resourceorgid", Some("o-2")),
        ("aws:resourceorgpaths", Some("o-2/r-2/")),
        ("aws:vpceorgid", Some("o-1")),
        ("aws:vpceorgpaths", Some("o-1/r-1/ou-1/")),
        ("aws:username", Some("anna")),
        ("aws:sourcevpce", None),
    ] {
        assert_eq!(get(key).as_deref(), wanted, "{key}");
    }
}

#[test]
fn whose_a_resource_is() {
    let owner = |resource: &str| resource_account(&Target::new("a:B", resource)).map(str::to_owned);
    assert_eq!(owner("arn:aws:sagemaker:us-west-2:111122223333:hub/a:b").as_deref(), Some(ACCOUNT));
    for nobody in ["*", "arn:aws:s3:::bucket/key", "arn:aws:sagemaker:*:*:hub/x", "hub"] {
        assert_eq!(owner(nobody), None, "{nobody}");
    }
    let said = Target::new("s3:GetObject", "arn:aws:s3:::b/k").with_key("aws:ResourceAccount", ACCOUNT);
    assert_eq!(resource_account(&said), Some(ACCOUNT));
}
