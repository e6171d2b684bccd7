//! Records against the examples of CloudTrail's documentation, and the filters.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use stoa_types::Timestamp;

use crate::{AuditQuery, AuditRecord, ErrorInfo, Phase};

const CREATE_ENDPOINT: &str = include_str!("../fixtures/CreateEndpoint.json");
const CREATE_MODEL: &str = include_str!("../fixtures/CreateModel.json");

fn record(text: &str) -> AuditRecord {
    AuditRecord::decode(text.as_bytes()).unwrap()
}

#[test]
fn cloudtrails_examples_keep_every_field() {
    for text in [CREATE_ENDPOINT, CREATE_MODEL] {
        let example: Json = serde_json::from_str(text).unwrap();
        let written: Json = serde_json::from_slice(&record(text).encode().unwrap()).unwrap();
        for (field, value) in example.as_object().unwrap() {
            assert_eq!(written.get(field), Some(value), "{field}");
        }
        let added = written.as_object().unwrap().keys().filter(|key| example.get(key).is_none());
        let added: BTreeSet<&str> = added.map(String::as_str).collect();
        assert_eq!(added, BTreeSet::from(["readOnly", "managementEvent", "eventCategory", "stoaPhase"]));
    }
}

#[test]
fn the_fields_have_the_examples_values() {
    let record = record(CREATE_MODEL);
    assert_eq!(record.event_version, "1.05");
    assert_eq!(record.user_identity.kind, "IAMUser");
    assert_eq!(record.user_identity.arn, "arn:aws:iam::123456789012:user/intern");
    assert_eq!(record.user_identity.user_name.as_deref(), Some("intern"));
    assert_eq!((record.event_source.as_str(), record.event_name.as_str()), ("sagemaker.amazonaws.com", "CreateModel"));
    assert_eq!(record.source_ip_address, "127.0.0.1");
    assert_eq!(
        record.request_parameters["primaryContainer"]["image"],
        "174872318107.dkr.ecr.us-west-2.amazonaws.com/kmeans:latest"
    );
    assert_eq!((record.request_id.as_str(), record.event_id.as_str()), ("417b8dab-EXAMPLE", "0f2b3e81-EXAMPLE"));
    assert_eq!(record.recipient_account_id, "444455556666");
    assert_eq!((record.error.clone(), record.phase, record.read_only), (None, Phase::Complete, false));
}

#[test]
fn errors_stand_beside_the_other_fields_as_in_cloudtrail() {
    let mut failed = record(CREATE_ENDPOINT);
    let error = ErrorInfo { error_code: "AccessDenied".to_owned(), error_message: "no, \"never\"\n".to_owned() };
    failed.error = Some(error.clone());
    let line = failed.encode().unwrap();
    assert!(!line.contains(&b'\n'), "one line, whatever is in it");
    let written: Json = serde_json::from_slice(&line).unwrap();
    assert_eq!(
        (&written["errorCode"], &written["errorMessage"]),
        (&json!("AccessDenied"), &json!(error.error_message))
    );
    assert_eq!(AuditRecord::decode(&line).unwrap(), failed);
}

#[test]
fn an_end_takes_from_its_beginning_what_it_lacks() {
    let begin = AuditRecord { phase: Phase::Begin, response_elements: Json::Null, ..record(CREATE_MODEL) };
    let end = AuditRecord {
        request_parameters: Json::Null,
        user_agent: String::new(),
        event_id: "end".to_owned(),
        additional_event_data: json!({"a": 1}),
        ..record(CREATE_MODEL)
    };
    let merged = AuditRecord::merge(begin.clone(), end.clone());
    assert_eq!(merged.phase, Phase::Complete);
    assert_eq!(merged.request_parameters, begin.request_parameters);
    assert_eq!((merged.user_agent, merged.event_id), (begin.user_agent.clone(), "end".to_owned()));
    assert_eq!((merged.response_elements, merged.additional_event_data), (end.response_elements, json!({"a": 1})));
    let unknown = begin.clone().into_unknown();
    assert_eq!(unknown, AuditRecord { phase: Phase::Unknown, ..begin });
}

#[test]
fn each_filter_takes_and_refuses() {
    let mut denied = record(CREATE_ENDPOINT);
    denied.error = Some(ErrorInfo { error_code: "AccessDeniedException".to_owned(), error_message: String::new() });
    let at = |text: &str| Some(Timestamp::parse_iso8601(text).unwrap());
    let text = |text: &str| Some(text.to_owned());
    let all = AuditQuery::default;
    let takes = [
        all(),
        AuditQuery { since: at("2018-01-02T13:39:06.900Z"), ..all() },
        AuditQuery { until: at("2018-01-02T13:39:06Z"), ..all() },
        AuditQuery { event_name: text("CreateEndpoint"), ..all() },
        AuditQuery { event_source: text("sagemaker.amazonaws.com"), ..all() },
        AuditQuery { principal: text("user/intern"), ..all() },
        AuditQuery { account: text("444455556666"), ..all() },
        AuditQuery { account: text("123456789012"), ..all() },
        AuditQuery { request_id: text("6b1b42b9-EXAMPLE"), ..all() },
        AuditQuery { error_code: text("AccessDeniedException"), ..all() },
        AuditQuery { denied: Some(true), ..all() },
    ];
    let refuses = [
        AuditQuery { since: at("2018-01-02T13:39:07Z"), ..all() },
        AuditQuery { until: at("2018-01-02T13:39:05.999Z"), ..all() },
        AuditQuery { event_name: text("createEndpoint"), ..all() },
        AuditQuery { event_source: text("iam.amazonaws.com"), ..all() },
        AuditQuery { principal: text("user/other"), ..all() },
        AuditQuery { account: text("1234"), ..all() },
        AuditQuery { request_id: text("6b1b42b9"), ..all() },
        AuditQuery { error_code: text("AccessDenied"), ..all() },
        AuditQuery { denied: Some(false), ..all() },
    ];
    takes.iter().for_each(|query| assert!(query.matches(&denied), "{query:?}"));
    refuses.iter().for_each(|query| assert!(!query.matches(&denied), "{query:?}"));
    let mut failed = denied;
    for (code, is_denied) in
        [("ValidationException", false), ("Client.UnauthorizedOperation", true), ("SignatureDoesNotMatch", true)]
    {
        failed.error = Some(ErrorInfo { error_code: code.to_owned(), error_message: String::new() });
        assert_eq!(failed.denied(), is_denied, "{code}");
    }
}

const OWNER: &str = "111122223333";

/// A model of 444455556666 by a hub of the owner, made or (with a code) not.
fn with_a_hub_of_the_owner(own: bool) -> AuditRecord {
    let mut record = record(CREATE_MODEL);
    record.user_identity.account_id = "444455556666".to_owned();
    record.response_elements = json!({ "modelArn": "arn:aws:sagemaker:us-west-2:444455556666:model/m" });
    record.error =
        Some(ErrorInfo { error_code: "ValidationException".to_owned(), error_message: "m is bad".to_owned() });
    let hub = "arn:aws:sagemaker:us-west-2:111122223333:hub/h";
    let mut targets = vec![
        json!({ "action": "sagemaker:DeployHubModel", "resource": hub, "owner": OWNER, "effect": "Allow" }),
        json!({ "action": "sagemaker:DescribeHub", "resource": "arn:aws:sagemaker:us-west-2:aws:hub/p", "effect": "Allow" }),
    ];
    if own {
        let model = "arn:aws:sagemaker:us-west-2:444455556666:model/m";
        targets.insert(0, json!({ "action": "sagemaker:CreateModel", "resource": model, "effect": "Allow" }));
    }
    record.additional_event_data = json!({
        "stoaDecision": { "id": "1", "targets": targets, "owners": [OWNER, "999988887777"] },
        "stoaWarnings": ["m is old"],
    });
    record
}

#[test]
fn the_owner_of_what_was_used_has_a_record_of_its_own() {
    let whole = with_a_hub_of_the_owner(true);
    let of = |account: &str| AuditQuery { account: Some(account.to_owned()), ..AuditQuery::default() };
    for account in [OWNER, "999988887777", "444455556666"] {
        assert!(of(account).matches(&whole), "{account}");
    }
    assert!(!of("123123123123").matches(&whole));
    assert_eq!(of("444455556666").shown(whole.clone()), whole);
    assert_eq!(AuditQuery::default().shown(whole.clone()), whole);

    let seen = of(OWNER).shown(whole.clone());
    assert_eq!(seen.recipient_account_id, OWNER);
    assert_eq!((seen.event_name.as_str(), &seen.user_identity.arn), ("CreateModel", &whole.user_identity.arn));
    let decision = &seen.additional_event_data["stoaDecision"];
    assert_eq!(decision["owners"], json!([OWNER]));
    assert_eq!(decision["targets"].as_array().unwrap().len(), 1);
    assert_eq!(decision["targets"][0]["resource"], "arn:aws:sagemaker:us-west-2:111122223333:hub/h");
    assert_eq!(seen.error.as_ref().unwrap().error_code, "ValidationException");
    let line = String::from_utf8(seen.encode().unwrap()).unwrap();
    for hidden in ["444455556666:model", "m is", "kmeans", "999988887777", &whole.user_identity.access_key_id] {
        assert!(!line.contains(hidden), "{hidden} is in {line}");
    }
}

#[test]
fn what_is_about_the_owners_resources_alone_keeps_its_parameters() {
    let whole = with_a_hub_of_the_owner(false);
    let seen = whole.clone().seen_by(OWNER);
    assert_eq!((&seen.request_parameters, &seen.error), (&whole.request_parameters, &whole.error));
    assert_eq!(seen.additional_event_data["stoaWarnings"], json!(["m is old"]));
    // Not where some decisions are not in the record.
    let mut whole = whole;
    whole.additional_event_data["stoaDecision"]["omitted"] = json!(7);
    assert!(whole.seen_by(OWNER).request_parameters.is_null());
}

#[test]
fn a_buckets_owner_sees_no_policies_and_no_resources_of_the_caller() {
    let object = "arn:aws:s3:::owners/k";
    let mut copy = record(CREATE_MODEL);
    copy.user_identity.account_id = "444455556666".to_owned();
    OWNER.clone_into(&mut copy.recipient_account_id);
    let one = |resource: &str, owner: &str, slot: &str| json!({ "action": "s3:GetObject", "resource": resource, "owner": owner, "slot": slot, "matched": "secret#Sid" });
    let targets = [
        one("arn:aws:s3:::callers/private", "444455556666", "identity"),
        one(object, OWNER, "identity"),
        one(object, OWNER, "resource"),
    ];
    copy.additional_event_data =
        json!({ "stoaDecision": { "id": "1", "targets": targets }, "stoaRefusal": { "matched": "secret#Sid" } });
    let seen = copy.clone().seen_by(OWNER);
    let told = &seen.additional_event_data;
    assert_eq!(seen.request_parameters, copy.request_parameters, "they are the bucket's");
    assert_eq!(told["stoaRefusal"], json!(null));
    let targets = told["stoaDecision"]["targets"].as_array().unwrap();
    assert_eq!(targets.iter().map(|one| &one["resource"]).collect::<Vec<_>>(), [object, object]);
    assert_eq!(targets.iter().map(|one| one.get("matched").is_some()).collect::<Vec<_>>(), [false, true]);
    assert_eq!(copy.clone().seen_by("444455556666"), copy);
}

#[test]
#[ignore = "a measurement, not a check: run with --release --nocapture"]
fn how_long_encoding_takes() {
    let record = record(CREATE_MODEL);
    let start = std::time::Instant::now();
    let bytes: usize = (0..200_000).map(|_| record.encode().unwrap().len()).sum();
    println!("{:?} a record of {} bytes", start.elapsed() / 200_000, bytes / 200_000);
}
