//! The stages in order: what is decided, validated, handled and recorded, and what a failing journal does.

use std::sync::atomic::Ordering;

use stoa_audit::Phase;

use crate::client::Call;
use crate::world::{ADMIN, NOBODY, SESSION, World, until};

#[tokio::test]
async fn a_read_is_answered_and_recorded_once() {
    let world = World::start().await;
    let answer = Call::json("DescribeHub", r#"{"HubName":"h1"}"#).header("user-agent", "tests/1").send(&world).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["HubArn"], "arn:aws:sagemaker:us-west-2:111122223333:hub/h1");
    let records = world.journal.records();
    assert_eq!(records.len(), 1);
    let record = &records[0];
    assert_eq!(record.request_id, answer.headers["x-amzn-requestid"].to_str().unwrap());
    assert_eq!((&*record.event_name, &*record.aws_region, record.read_only), ("DescribeHub", "us-west-2", true));
    assert_eq!((record.phase, record.error.is_none()), (Phase::Complete, true));
    assert_eq!(record.user_identity.kind, "IAMUser");
    assert_eq!(record.user_identity.access_key_id, ADMIN);
    assert_eq!(record.user_identity.user_name.as_deref(), Some("admin"));
    assert_eq!((&*record.user_agent, &*record.source_ip_address), ("tests/1", "127.0.0.1"));
    assert_eq!(record.request_parameters["hubName"], "h1");
    assert!(record.response_elements.is_null(), "reads record no response");
    assert_eq!(record.event_time, "2026-11-21T01:00:00Z");
    let decision = &record.additional_event_data["stoaDecision"];
    assert_eq!(decision["targets"][0]["action"], "sagemaker:DescribeHub");
    assert_eq!(decision["targets"][0]["effect"], "allow");
    assert!(!answer.headers.contains_key("x-stoa-decision-id"), "nothing was denied");
}

#[tokio::test]
async fn a_session_is_recorded_with_its_issuer() {
    let world = World::start().await;
    let answer = Call::json("DescribeHub", r#"{"HubName":"h1"}"#).by(SESSION).send(&world).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let identity = world.journal.last().user_identity;
    assert_eq!(identity.kind, "AssumedRole");
    let context = identity.session_context.unwrap();
    assert_eq!(context["sessionIssuer"]["arn"], "arn:aws:iam::111122223333:role/admin");
    assert_eq!(context["attributes"]["mfaAuthenticated"], "false");
}

#[tokio::test]
async fn a_mutation_is_recorded_before_and_after_without_what_is_sensitive() {
    let world = World::start().await;
    let call = Call::json("CreateHub", r#"{"HubName":"h1","Passphrase":"open sesame"}"#);
    assert_eq!(call.send(&world).await.status, 200);
    let again = call.send(&world).await;
    assert_eq!((again.status.as_u16(), &*again.code()), (400, "ResourceInUse"));
    let records = world.journal.records();
    let phases: Vec<Phase> = records.iter().map(|record| record.phase).collect();
    assert_eq!(phases, [Phase::Begin, Phase::Complete, Phase::Begin, Phase::Complete]);
    assert_eq!(records[0].event_id, records[1].event_id, "one call, one event");
    assert_ne!(records[1].event_id, records[2].event_id);
    assert_eq!(records[1].response_elements["hubArn"], "arn:aws:sagemaker:us-west-2:111122223333:hub/h1");
    assert_eq!(records[3].error.as_ref().unwrap().error_code, "ResourceInUse");
    assert!(!records[1].read_only);
    let all = serde_json::to_string(&records).unwrap();
    assert!(!all.contains("open sesame"), "{all}");
    assert!(all.contains("HIDDEN_DUE_TO_SECURITY_REASONS"));
}

#[tokio::test]
async fn what_is_not_allowed_is_refused_and_recorded_with_the_reason() {
    let world = World::start().await;
    let answer = Call::json("CreateHub", r#"{"HubName":"h1"}"#).by(NOBODY).send(&world).await;
    assert_eq!((answer.status.as_u16(), &*answer.code()), (400, "AccessDeniedException"));
    assert_eq!(
        answer.message(),
        "User: arn:aws:iam::111122223333:user/nobody is not authorized to perform: sagemaker:CreateHub on resource: \
         arn:aws:sagemaker:us-west-2:111122223333:hub/h1 because no identity-based policy allows the \
         sagemaker:CreateHub action"
    );
    let records = world.journal.records();
    assert_eq!(records.len(), 1, "nothing began");
    assert_eq!(records[0].error.as_ref().unwrap().error_code, "AccessDenied");
    let told = &records[0].additional_event_data;
    assert_eq!(told["stoaRefusal"]["action"], "sagemaker:CreateHub");
    let decision = &told["stoaDecision"];
    assert_eq!(decision["id"], *records[0].request_id);
    assert_eq!(answer.headers["x-stoa-decision-id"], *records[0].request_id);
    assert_eq!(decision["principalArn"], "arn:aws:iam::111122223333:user/nobody");
    assert_eq!(decision["global"]["aws:sourceip"], "127.0.0.1");
    let target = &decision["targets"][0];
    assert_eq!(target["resource"], "arn:aws:sagemaker:us-west-2:111122223333:hub/h1");
    assert_eq!((&target["effect"], &target["slot"]), (&"implicit_deny".into(), &"identity".into()));
    assert_eq!(target["keys"]["aws:resourceaccount"], "111122223333");
    assert_eq!(records[0].request_parameters["hubName"], "h1");
    assert_eq!(world.handlers.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn not_implemented_is_said_only_to_who_is_allowed() {
    let world = World::start().await;
    let answer = Call::json("DeleteHub", "{}").send(&world).await;
    assert_eq!(answer.code(), "UnknownOperationException");
    assert_eq!(answer.message(), "DeleteHub is not implemented by Stoa");
    let refused = Call::json("DeleteHub", "{}").by(NOBODY).send(&world).await;
    assert_eq!(refused.code(), "AccessDeniedException");
    assert_eq!(world.journal.records().len(), 2);
}

#[tokio::test]
async fn all_constraints_are_reported_at_once_and_recorded() {
    let world = World::start().await;
    let answer = Call::json("CreateHub", r#"{"HubName":"a/b"}"#).send(&world).await;
    assert_eq!((answer.status.as_u16(), &*answer.code()), (400, "ValidationException"));
    assert!(answer.message().starts_with("1 validation error detected: Value 'a/b' at 'hubName' failed"));
    let records = world.journal.records();
    assert_eq!(records.len(), 2, "a mutation is recorded before it is validated");
    assert_eq!(records[1].error.as_ref().unwrap().error_code, "ValidationException");
    assert_eq!(records[1].phase, Phase::Complete);
    assert_eq!(world.handlers.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn without_a_journal_nothing_happens() {
    let world = World::start().await;
    world.journal.failing.store(true, Ordering::SeqCst);
    let mutation = Call::json("CreateHub", r#"{"HubName":"h1"}"#).send(&world).await;
    assert_eq!((mutation.status.as_u16(), &*mutation.code()), (503, "ServiceUnavailable"));
    assert_eq!(world.handlers.calls.load(Ordering::SeqCst), 0, "the handler never ran");
    for call in [
        Call::json("DescribeHub", r#"{"HubName":"h1"}"#),
        Call::json("DescribeHub", r#"{"HubName":"h1"}"#).by(NOBODY),
        Call::json("Nothing", "{}"),
        Call::invoke("e1", "1,2"),
    ] {
        assert_eq!(call.send(&world).await.status, 503);
    }
    world.journal.failing.store(false, Ordering::SeqCst);
    assert_eq!(Call::json("CreateHub", r#"{"HubName":"h1"}"#).send(&world).await.status, 200);
}

#[tokio::test]
async fn an_invocation_is_begun_and_ended_in_the_journal_without_its_payload() {
    let world = World::start().await;
    let answer = Call::invoke("e1", "secret payload").send(&world).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "secret payload".to_owned()));
    until("the end is recorded", || world.journal.records().len() == 2).await;
    let records = world.journal.records();
    assert_eq!((records[0].phase, records[1].phase), (Phase::Begin, Phase::Complete));
    assert_eq!((&*records[0].event_category, records[0].management_event), ("Data", false));
    assert_eq!(records[0].request_parameters["endpointName"], "e1");
    assert!(!serde_json::to_string(&records).unwrap().contains("secret payload"));
}

#[tokio::test]
async fn a_panicking_handler_costs_its_own_call_only() {
    let world = World::start().await;
    let answer = Call::json("DescribeHub", r#"{"HubName":"panic"}"#).send(&world).await;
    assert_eq!((answer.status.as_u16(), &*answer.code()), (500, "InternalFailure"));
    assert!(!answer.text().contains("a bug"), "the cause is for the log");
    assert_eq!(world.journal.last().error.unwrap().error_code, "InternalFailure");
    assert_eq!(Call::json("DescribeHub", r#"{"HubName":"h"}"#).send(&world).await.status, 200);
}

#[tokio::test]
async fn large_inputs_are_named_in_the_journal_not_copied() {
    let world = World::start().await;
    let body = format!(r#"{{"HubName":"h1","Extra":"{}"}}"#, "x".repeat(200_000));
    assert_eq!(Call::json("CreateHub", body).send(&world).await.status, 200);
    assert_eq!(world.journal.last().request_parameters["omitted"], true);
}
