//! Every rule finds what it is for, where it is, and stays silent on the nearest policy that is all right; the seven
//! traps are found on the guardrails as printed.

use std::collections::BTreeSet;

use stoa_policy::Slot;
use stoa_policy::lint::{Code, Finding, Holder, Severity, Subject, lint, lint_set};

use crate::facts::catalog;

fn codes(findings: &[Finding]) -> Vec<Code> {
    let set: BTreeSet<Code> = findings.iter().map(|finding| finding.code).collect();
    set.into_iter().collect()
}

fn document(statements: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)
}

const USER: Subject = Subject { slot: Slot::Identity, holder: Holder::User };

/// Rule, subject, statements with the fault, its path, and statements without the fault.
fn table() -> Vec<(Code, Subject, &'static str, &'static str, &'static str)> {
    use Code::*;
    let resource = Subject::slot(Slot::Resource);
    let endpoint = Subject::slot(Slot::Endpoint);
    let role = Subject { slot: Slot::Identity, holder: Holder::Role };
    vec![
        (
            Malformed,
            USER,
            r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"bucket"}"#,
            "$.Statement[0].Resource",
            r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}"#,
        ),
        (
            UnknownService,
            USER,
            r#"{"Effect":"Allow","Action":["sagemakr:DescribeModel"],"Resource":"*"}"#,
            "$.Statement[0].Action[0]",
            r#"{"Effect":"Allow","Action":["bedrock:InvokeModel"],"Resource":"*"}"#,
        ),
        (
            UnknownAction,
            USER,
            r#"{"Effect":"Allow","Action":"sagemaker:DescribeModels","Resource":"*"}"#,
            "$.Statement[0].Action",
            r#"{"Effect":"Allow","Action":"sagemaker:describeMODEL","Resource":"*"}"#,
        ),
        (
            WildcardMatchesNothing,
            USER,
            r#"{"Effect":"Allow","Action":"sagemaker:Fetch*","Resource":"*"}"#,
            "$.Statement[0].Action",
            r#"{"Effect":"Allow","Action":"sagemaker:Describe*","Resource":"*"}"#,
        ),
        (
            WildcardJoinsNewActions,
            USER,
            r#"{"Effect":"Allow","Action":["sagemaker:Describe*","sagemaker:Create*"],"Resource":"*"}"#,
            "$.Statement[0].Action[1]",
            r#"{"Effect":"Deny","Action":["sagemaker:Create*"],"Resource":"*"}"#,
        ),
        (
            NotActionAllow,
            USER,
            r#"{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}"#,
            "$.Statement[0].NotAction",
            r#"{"Effect":"Deny","NotAction":"iam:*","Resource":"*"}"#,
        ),
        (
            NotResourceAllow,
            USER,
            r#"{"Effect":"Allow","Action":"s3:GetObject","NotResource":"arn:aws:s3:::b/*"}"#,
            "$.Statement[0].NotResource",
            r#"{"Effect":"Deny","Action":"s3:GetObject","NotResource":"arn:aws:s3:::b/*"}"#,
        ),
        (
            OverBroad,
            USER,
            r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#,
            "$.Statement[0]",
            r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}"#,
        ),
        (
            PassRoleAny,
            USER,
            r#"{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::*:role/*"}"#,
            "$.Statement[0].Resource",
            r#"{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"sagemaker.amazonaws.com"}}}"#,
        ),
        (
            ResourceNotOfAction,
            USER,
            r#"{"Effect":"Allow","Action":["sagemaker:CreateModel","sagemaker:CreateEndpoint"],"Resource":"arn:aws:sagemaker:*:*:model/*"}"#,
            "$.Statement[0].Action[1]",
            r#"{"Effect":"Allow","Action":["sagemaker:CreateModel"],"Resource":"arn:aws:sagemaker:*:*:model/*"}"#,
        ),
        (
            UnknownResourceType,
            USER,
            r#"{"Effect":"Deny","Action":"sagemaker:*","Resource":"arn:aws:sagemaker:*:*:modle/*"}"#,
            "$.Statement[0].Resource",
            r#"{"Effect":"Deny","Action":"sagemaker:*","Resource":"arn:aws:sagemaker:*:*:m*l/*"}"#,
        ),
        (
            ArnCase,
            USER,
            r#"{"Effect":"Deny","Action":"sagemaker:*","Resource":["*","arn:aws:sagemaker:*:*:Model/*"]}"#,
            "$.Statement[0].Resource[1]",
            r#"{"Effect":"Deny","Action":"sagemaker:*","Resource":"arn:aws:sagemaker:*:*:model/*"}"#,
        ),
        (
            ArnNameCase,
            USER,
            r#"{"Effect":"Deny","Action":"sagemaker:*","Resource":"arn:aws:sagemaker:*:*:endpoint/Churn-*"}"#,
            "$.Statement[0].Resource",
            r#"{"Effect":"Deny","Action":"sagemaker:*","Resource":"arn:aws:sagemaker:*:*:endpoint/${aws:PrincipalTag/Team}-*"}"#,
        ),
        (
            NotPrincipalAllow,
            resource,
            r#"{"Effect":"Allow","NotPrincipal":{"AWS":"111122223333"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}"#,
            "$.Statement[0].NotPrincipal",
            r#"{"Effect":"Deny","NotPrincipal":{"AWS":"111122223333"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}"#,
        ),
        (
            PublicAllow,
            resource,
            r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}"#,
            "$.Statement[0].Principal",
            r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}}"#,
        ),
        (
            UnknownConditionKey,
            USER,
            r#"{"Effect":"Allow","Action":"sagemaker:CreateApp","Resource":"*","Condition":{"StringEquals":{"sagemaker:InstanceTypo":"x"}}}"#,
            "$.Statement[0].Condition.StringEquals[\"sagemaker:InstanceTypo\"]",
            r#"{"Effect":"Allow","Action":"sagemaker:CreateApp","Resource":"*","Condition":{"StringEquals":{"saml:aud":"x"}}}"#,
        ),
        (
            KeyNeverSet,
            USER,
            r#"{"Effect":"Allow","Action":"sagemaker:ListModels","Resource":"*","Condition":{"StringEquals":{"sagemaker:RootAccess":"Disabled"}}}"#,
            "$.Statement[0].Condition.StringEquals[\"sagemaker:RootAccess\"]",
            r#"{"Effect":"Allow","Action":"sagemaker:CreateNotebookInstance","Resource":"*","Condition":{"StringEquals":{"sagemaker:RootAccess":"Disabled"}}}"#,
        ),
        (
            KeySometimesSet,
            USER,
            r#"{"Effect":"Allow","Action":["sagemaker:CreateNotebookInstance","sagemaker:ListModels"],"Resource":"*","Condition":{"StringEquals":{"sagemaker:RootAccess":"Disabled"}}}"#,
            "$.Statement[0].Condition.StringEquals[\"sagemaker:RootAccess\"]",
            r#"{"Effect":"Allow","Action":["sagemaker:CreateNotebookInstance","sagemaker:ListModels"],"Resource":"*","Condition":{"StringEqualsIfExists":{"sagemaker:RootAccess":"Disabled"}}}"#,
        ),
        (
            LegacyKey,
            USER,
            r#"{"Effect":"Allow","Action":"sagemaker:CreateEndpointConfig","Resource":"*","Condition":{"Null":{"sagemaker:VolumeKmsKey":"false"}}}"#,
            "$.Statement[0].Condition.Null[\"sagemaker:VolumeKmsKey\"]",
            r#"{"Effect":"Allow","Action":"sagemaker:CreateEndpointConfig","Resource":"*","Condition":{"Null":{"sagemaker:VolumeKmsKeyArn":"false"}}}"#,
        ),
        (
            TypeMismatch,
            USER,
            r#"{"Effect":"Allow","Action":"sagemaker:CreateModel","Resource":"*","Condition":{"StringEquals":{"sagemaker:NetworkIsolation":"true"}}}"#,
            "$.Statement[0].Condition.StringEquals[\"sagemaker:NetworkIsolation\"]",
            r#"{"Effect":"Allow","Action":"sagemaker:CreateModel","Resource":"*","Condition":{"Bool":{"sagemaker:NetworkIsolation":"true"},"StringLike":{"aws:PrincipalArn":"*"}}}"#,
        ),
        (
            SetOperatorMissing,
            USER,
            r#"{"Effect":"Allow","Action":"sagemaker:CreateApp","Resource":"*","Condition":{"StringEquals":{"sagemaker:InstanceTypes":"system"}}}"#,
            "$.Statement[0].Condition.StringEquals[\"sagemaker:InstanceTypes\"]",
            r#"{"Effect":"Allow","Action":"sagemaker:CreateApp","Resource":"*","Condition":{"ForAnyValue:StringEquals":{"sagemaker:InstanceTypes":"system"}}}"#,
        ),
        (
            SetOperatorNotNeeded,
            USER,
            r#"{"Effect":"Allow","Action":"sagemaker:CreateApp","Resource":"*","Condition":{"ForAnyValue:StringEquals":{"aws:SourceVpce":"vpce-1"}}}"#,
            "$.Statement[0].Condition.ForAnyValue:StringEquals[\"aws:SourceVpce\"]",
            r#"{"Effect":"Allow","Action":"sagemaker:CreateApp","Resource":"*","Condition":{"StringEquals":{"aws:SourceVpce":"vpce-1"}}}"#,
        ),
        (
            ForAllValuesAbsent,
            USER,
            r#"{"Effect":"Allow","Action":"sagemaker:CreateApp","Resource":"*","Condition":{"ForAllValues:StringEquals":{"sagemaker:InstanceTypes":"system"}}}"#,
            "$.Statement[0].Condition.ForAllValues:StringEquals[\"sagemaker:InstanceTypes\"]",
            r#"{"Effect":"Allow","Action":"sagemaker:CreateApp","Resource":"*","Condition":{"ForAllValues:StringEquals":{"sagemaker:InstanceTypes":"system"},"Null":{"sagemaker:InstanceTypes":"false"}}}"#,
        ),
        (
            ForAnyValueAbsent,
            USER,
            r#"{"Effect":"Deny","Action":"sagemaker:CreateApp","Resource":"*","Condition":{"ForAnyValue:StringNotLike":{"sagemaker:InstanceTypes":"ml.t3.*"}}}"#,
            "$.Statement[0].Condition.ForAnyValue:StringNotLike[\"sagemaker:InstanceTypes\"]",
            r#"{"Effect":"Deny","Action":"sagemaker:CreateApp","Resource":"*","Condition":{"ForAnyValue:StringNotLikeIfExists":{"sagemaker:InstanceTypes":"ml.t3.*"}}}"#,
        ),
        (
            DenyTestsAnded,
            USER,
            r#"{"Effect":"Deny","Action":"sagemaker:CreateDomain","Resource":"*","Condition":{"Null":{"sagemaker:VpcSubnets":"true"},"StringNotEquals":{"sagemaker:AppNetworkAccessType":"VpcOnly"}}}"#,
            "$.Statement[0].Condition",
            r#"{"Effect":"Deny","Action":"sagemaker:CreateDomain","Resource":"*","Condition":{"Null":{"sagemaker:VpcSubnets":"true"},"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/Admin"}}}"#,
        ),
        (
            AllowNullOrs,
            USER,
            r#"{"Effect":"Allow","Action":"sagemaker:CreateDomain","Resource":"*","Condition":{"Null":{"sagemaker:VolumeKmsKeyArn":"false"}}},
               {"Effect":"Allow","Action":"sagemaker:Create*","Resource":"*","Condition":{"Null":{"sagemaker:VpcSubnets":"false"}}}"#,
            "$.Statement[1].Condition",
            r#"{"Effect":"Allow","Action":"sagemaker:CreateDomain","Resource":"*","Condition":{"Null":{"sagemaker:VolumeKmsKeyArn":"false"}}},
               {"Effect":"Allow","Action":"sagemaker:CreateModel","Resource":"*","Condition":{"Null":{"sagemaker:VpcSubnets":"false"}}}"#,
        ),
        (
            GuardrailBypassed,
            USER,
            r#"{"Effect":"Allow","Action":"sagemaker:CreateDomain","Resource":"*","Condition":{"Null":{"sagemaker:VolumeKmsKeyArn":"false"}}},
               {"Effect":"Allow","Action":"sagemaker:*","Resource":"*"}"#,
            "$.Statement[0].Condition",
            r#"{"Effect":"Allow","Action":"sagemaker:CreateDomain","Resource":"*","Condition":{"Null":{"sagemaker:VolumeKmsKeyArn":"false"}}},
               {"Effect":"Allow","Action":"sagemaker:CreateModel","Resource":"*"}"#,
        ),
        (
            MfaAbsent,
            USER,
            r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"false"}}}"#,
            "$.Statement[0].Condition.Bool[\"aws:MultiFactorAuthPresent\"]",
            r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}"#,
        ),
        (
            NamespaceNeverEqual,
            USER,
            r#"{"Effect":"Allow","Action":"cloudwatch:PutMetricData","Resource":"*","Condition":{"StringLike":{"cloudwatch:namespace":["AWS/SageMaker","Aws/Sagemaker*"]}}}"#,
            "$.Statement[0].Condition.StringLike[\"cloudwatch:namespace\"][1]",
            r#"{"Effect":"Allow","Action":"cloudwatch:PutMetricData","Resource":"*","Condition":{"StringLike":{"cloudwatch:namespace":["AWS/SageMaker","/aws/sagemaker/*","Team"]}}}"#,
        ),
        (
            SourceIpAbsent,
            USER,
            r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}"#,
            "$.Statement[0].Condition.NotIpAddress[\"aws:SourceIp\"]",
            r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NotIpAddressIfExists":{"aws:SourceIp":"10.0.0.0/8"}}}"#,
        ),
        (
            SourceIpAtEndpoint,
            endpoint,
            r#"{"Effect":"Allow","Principal":"*","Action":"sagemaker:ListModels","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}"#,
            "$.Statement[0].Condition.IpAddress[\"aws:SourceIp\"]",
            r#"{"Effect":"Allow","Principal":"*","Action":"sagemaker:ListModels","Resource":"*","Condition":{"IpAddress":{"aws:VpcSourceIp":"10.0.0.0/8"}}}"#,
        ),
        (
            UsernameAbsent,
            role,
            r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username}/*"}"#,
            "$.Statement[0].Resource",
            r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:userid}/*"}"#,
        ),
        (
            UnknownVariable,
            USER,
            r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:usernam}/*"}"#,
            "$.Statement[0].Resource",
            r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:PrincipalTag/x}/${*}"}"#,
        ),
        (
            DenyOnly,
            endpoint,
            r#"{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"*"}"#,
            "$.Statement",
            r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}"#,
        ),
        (
            AllowShadowed,
            USER,
            r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/x/*"},{"Effect":"Deny","Action":"s3:Get*","Resource":"arn:aws:s3:::b/*"}"#,
            "$.Statement[0]",
            r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"},{"Effect":"Deny","Action":"s3:Get*","Resource":"arn:aws:s3:::b/x/*"}"#,
        ),
        (
            AllowRepeated,
            USER,
            r#"{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::b/*"},{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/x/${aws:username}"}"#,
            "$.Statement[1]",
            r#"{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::b/*","Condition":{"Bool":{"aws:SecureTransport":"true"}}},{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/x/y"}"#,
        ),
    ]
}

#[test]
fn every_rule_finds_its_fault_and_only_that() {
    for (code, subject, bad, path, good) in table() {
        let found = lint(&document(bad), subject, catalog());
        let hit = found.iter().find(|finding| finding.code == code);
        assert!(hit.is_some(), "{code} is not found in {bad}: {found:?}");
        assert_eq!(hit.unwrap().path, path, "{code}");
        let found = lint(&document(good), subject, catalog());
        assert!(found.iter().all(|finding| finding.code != code), "{code} is found in {good}: {found:?}");
    }
}

#[test]
fn every_rule_is_in_the_table() {
    let mut covered: BTreeSet<Code> = table().into_iter().map(|(code, ..)| code).collect();
    covered.insert(Code::VariableInOldVersion);
    let old = r#"{"Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:userid}"}]}"#;
    assert_eq!(codes(&lint(old, USER, catalog())), [Code::VariableInOldVersion]);
    let missing: Vec<&Code> = Code::ALL.iter().filter(|code| !covered.contains(code)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let names: BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(names.len(), Code::ALL.len());
}

fn printed(name: &str) -> String {
    std::fs::read_to_string(format!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/policies/{}.json"), name)).unwrap()
}

fn found_in(name: &str, slot: Slot) -> Vec<Code> {
    codes(&lint(&printed(name), Subject::slot(slot), catalog()))
}

#[test]
fn the_seven_traps_are_found_on_the_printed_policies() {
    let has = |name: &str, slot: Slot, code: Code| {
        let found = found_in(name, slot);
        assert!(found.contains(&code), "{name}: {found:?}");
    };
    has("LockDownStudioDomain", Slot::Identity, Code::DenyTestsAnded);
    has("cloudwatch-metrics-sns-permissions", Slot::Identity, Code::NamespaceNeverEqual);
    let (volume, sharing) = (printed("EncryptDomainStorage"), printed("EncryptDomainSharingS3Bucket"));
    let identity = Subject::slot(Slot::Identity);
    let alone = [&volume, &sharing].map(|text| codes(&lint(text, identity, catalog())));
    assert!(alone.iter().all(|codes| !codes.contains(&Code::AllowNullOrs)), "{alone:?}");
    let both = lint_set(&[(&volume, identity), (&sharing, identity)], catalog());
    let ored = both.iter().find(|finding| finding.code == Code::AllowNullOrs).unwrap();
    assert_eq!((ored.document, ored.sid.as_deref()), (1, Some("EncryptDomainSharingS3Bucket")));
    has("LimitInstanceTypesforNotebooks", Slot::Identity, Code::ForAnyValueAbsent);
    for name in ["s3-deny-amazon-linux-repositories", "s3-deny-amazon-linux2-repositories"] {
        has(name, Slot::Endpoint, Code::DenyOnly);
    }
    has("EnableSageMakerStudioAccess-SourceIp", Slot::Identity, Code::SourceIpAbsent);
    has("AmazonSageMakerPresignedUrlPolicy-username", Slot::Identity, Code::UsernameAbsent);
    has("Encryption-endpoint-config", Slot::Identity, Code::LegacyKey);
    has("Encryption-monitoring-schedule", Slot::Identity, Code::LegacyKey);
}

#[test]
fn findings_of_the_printed_policies() {
    // Reviewed by hand: what is said about policies that AWS prints. A change here is a change for users.
    let mut lines = Vec::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/policies");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    for name in names {
        let text = printed(&name);
        let slot = if text.contains("sts:AssumeRole") && !text.contains("\"Resource\"") {
            Slot::Trust
        } else if name.starts_with("AmazonSageMaker") || !text.contains("\"Principal\"") {
            Slot::Identity
        } else {
            Slot::Endpoint
        };
        for finding in lint(&text, Subject::slot(slot), catalog()) {
            if finding.severity > Severity::Note {
                lines.push(format!("{name}: {} {}: {}", finding.code, finding.path, finding.message));
            }
        }
    }
    let expected = include_str!("../data/lint_of_printed_policies.txt");
    let text = lines.join("\n") + "\n";
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/lint_of_printed_policies.txt");
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(text, expected, "run with UPDATE_EXPECT=1 and review the difference");
}

#[test]
fn findings_say_what_and_how() {
    let text = document(r#"{"Sid":"S","Effect":"Allow","Action":"sagemaker:CreateModle","Resource":"*"}"#);
    let found = lint(&text, USER, catalog());
    let json = serde_json::to_value(&found[0]).unwrap();
    assert_eq!(json["code"], "unknown-action");
    assert_eq!(json["severity"], "warning");
    assert_eq!(json["sid"], "S");
    assert_eq!(json["message"], "`sagemaker:CreateModle` is no action of sagemaker; `sagemaker:CreateModel` is one");
    let broken = lint("{\n \"Version\": 1", USER, catalog());
    assert_eq!((broken[0].code, broken[0].path.as_str()), (Code::Malformed, "line 2 column 13"));
    assert_eq!(broken[0].severity, Severity::Error);
}

#[test]
fn large_documents_take_bounded_work() {
    let statement = |n: usize| {
        format!(
            r#"{{"Effect":"{}","Action":["sagemaker:Create*","sagemaker:D*{n}"],"Resource":"arn:aws:sagemaker:*:*:*a*{n}/*{}"}}"#,
            if n.is_multiple_of(3) { "Deny" } else { "Allow" },
            "*x".repeat(100)
        )
    };
    let text = document(&(0..3000).map(statement).collect::<Vec<_>>().join(","));
    assert!(lint(&text, USER, catalog()).len() <= 500);
}
