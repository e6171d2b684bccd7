//! SAML providers, and the roles that their responses open.

use stoa_kernel::{ApiError, Cx};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::*;
use stoa_models_sts::operations as sts_op;
use stoa_models_sts::types::{AssumeRoleWithSAMLRequest, AssumeRoleWithSAMLResponse};
use stoa_policy::{Context, Values};
use stoa_types::{Clock, Timestamp};

use crate::idp::{ENTITY, Idp, nobody, trusting};
use crate::roles::new_role;
use crate::support::{World, code, world};

const SAML: &str = "https://aws.amazon.com/SAML/Attributes/";
const ASSUME: &str = r#""sts:AssumeRoleWithSAML""#;

fn provider_arn(world: &World) -> String {
    format!("arn:aws:iam::{}:saml-provider/lab", world.management)
}

async fn provider(world: &World, idp: &Idp) {
    let input = CreateSAMLProviderRequest {
        saml_metadata_document: idp.metadata(),
        name: "lab".to_owned(),
        ..Default::default()
    };
    let made = world.call::<op::CreateSAMLProvider>(&world.admin(), input).await.unwrap();
    assert_eq!(made.saml_provider_arn, Some(provider_arn(world)));
}

fn now(world: &World) -> Timestamp {
    world.clock.now()
}

/// A response for the role `r`, with these attributes of AWS's besides.
fn response(world: &World, idp: &Idp, more: &[(&str, &[&str])]) -> String {
    let pair = format!("arn:aws:iam::{}:role/r,{}", world.management, provider_arn(world));
    let mut attributes: Vec<(String, Vec<&str>)> = vec![(format!("{SAML}Role"), vec![&pair])];
    if !more.iter().any(|(name, _)| *name == "RoleSessionName") {
        attributes.push((format!("{SAML}RoleSessionName"), vec!["anna"]));
    }
    for (name, values) in more {
        let name = if name.contains(':') && !name.starts_with("PrincipalTag") {
            (*name).to_owned()
        } else {
            format!("{SAML}{name}")
        };
        attributes.push((name, values.to_vec()));
    }
    let attributes: Vec<(&str, &[&str])> = attributes.iter().map(|(name, values)| (&**name, &**values)).collect();
    idp.response(now(world), "anna@lab", &attributes)
}

fn request(world: &World, response: String) -> AssumeRoleWithSAMLRequest {
    AssumeRoleWithSAMLRequest {
        role_arn: format!("arn:aws:iam::{}:role/r", world.management),
        principal_arn: provider_arn(world),
        saml_assertion: response,
        ..Default::default()
    }
}

async fn assume(world: &World, cx: &Cx, response: String) -> Result<AssumeRoleWithSAMLResponse, ApiError> {
    world.call::<sts_op::AssumeRoleWithSAML>(cx, request(world, response)).await
}

#[tokio::test]
async fn a_provider_lives() {
    let world = world().await;
    let admin = world.admin();
    let idp = Idp::new();
    provider(&world, &idp).await;
    let arn = provider_arn(&world);
    let create = |document: String| CreateSAMLProviderRequest {
        saml_metadata_document: document,
        name: "LAB".to_owned(),
        ..Default::default()
    };
    let again = world.call::<op::CreateSAMLProvider>(&admin, create(idp.metadata())).await.map(|_| ());
    assert_eq!(code(again).0, "EntityAlreadyExistsException");
    let bad = world.call::<op::CreateSAMLProvider>(&admin, create("<a/>".to_owned())).await.unwrap_err();
    assert_eq!(bad.code(), "InvalidInputException");
    assert!(bad.message().starts_with("Could not parse metadata"), "{}", bad.message());
    let encrypted = CreateSAMLProviderRequest { add_private_key: Some("x".to_owned()), ..create(idp.metadata()) };
    let encrypted = world.call::<op::CreateSAMLProvider>(&admin, encrypted).await.map(|_| ());
    assert_eq!(code(encrypted).0, "InvalidInputException");
    let get = || GetSAMLProviderRequest { saml_provider_arn: arn.clone() };
    let got = world.call::<op::GetSAMLProvider>(&admin, get()).await.unwrap();
    assert_eq!(got.saml_metadata_document, Some(idp.metadata()));
    assert!(got.valid_until.unwrap() > admin.now);
    let other = Idp::new();
    let update = UpdateSAMLProviderRequest {
        saml_metadata_document: Some(other.metadata()),
        saml_provider_arn: arn.clone(),
        ..Default::default()
    };
    world.call::<op::UpdateSAMLProvider>(&admin, update).await.unwrap();
    let got = world.call::<op::GetSAMLProvider>(&admin, get()).await.unwrap();
    assert_eq!(got.saml_metadata_document, Some(other.metadata()));
    let tag = Tag { key: "k".to_owned(), value: "v".to_owned() };
    let tag = TagSAMLProviderRequest { saml_provider_arn: arn.clone(), tags: vec![tag] };
    world.call::<op::TagSAMLProvider>(&admin, tag).await.unwrap();
    let tags = ListSAMLProviderTagsRequest { saml_provider_arn: arn.clone(), ..Default::default() };
    assert_eq!(world.call::<op::ListSAMLProviderTags>(&admin, tags).await.unwrap().tags.len(), 1);
    let untag = UntagSAMLProviderRequest { saml_provider_arn: arn.clone(), tag_keys: vec!["k".to_owned()] };
    world.call::<op::UntagSAMLProvider>(&admin, untag).await.unwrap();
    let listed = world.call::<op::ListSAMLProviders>(&admin, ListSAMLProvidersRequest {}).await.unwrap();
    assert_eq!(listed.saml_provider_list.unwrap()[0].arn, Some(arn.clone()));
    let delete = || DeleteSAMLProviderRequest { saml_provider_arn: arn.clone() };
    world.call::<op::DeleteSAMLProvider>(&admin, delete()).await.unwrap();
    let gone = world.call::<op::DeleteSAMLProvider>(&admin, delete()).await.map(|_| ());
    assert_eq!(code(gone).0, "NoSuchEntityException");
}

#[tokio::test]
async fn a_response_opens_the_role_whose_conditions_it_meets() {
    let world = world().await;
    let idp = Idp::new();
    provider(&world, &idp).await;
    let condition = format!(
        r#"{{"StringEquals":{{"saml:aud":"https://signin.aws.amazon.com/saml","saml:iss":"{ENTITY}","saml:sub":"anna@lab",
        "saml:sub_type":"persistent","saml:doc":"{}/lab","saml:edupersonprincipalname":"anna@uni"}},
        "ForAnyValue:StringEquals":{{"saml:edupersonaffiliation":"staff"}}}}"#,
        world.management
    );
    new_role(&world, "r", &trusting(&provider_arn(&world), ASSUME, &condition)).await;
    let attributes = |affiliation: &'static [&'static str]| {
        [("urn:oid:1.3.6.1.4.1.5923.1.1.1.1", affiliation), ("urn:oid:1.3.6.1.4.1.5923.1.1.1.6", &["anna@uni"][..])]
    };
    let good = response(&world, &idp, &attributes(&["member", "staff"]));
    let cx = nobody(&world);
    let made = assume(&world, &cx, good.clone()).await.unwrap();
    assert_eq!((made.subject.as_deref(), made.subject_type.as_deref()), (Some("anna@lab"), Some("persistent")));
    assert_eq!(
        (made.issuer.as_deref(), made.audience.as_deref()),
        (Some(ENTITY), Some("https://signin.aws.amazon.com/saml"))
    );
    let qualifier = made.name_qualifier.unwrap();
    assert_eq!(qualifier.len(), 28, "the base64 of a SHA-1");
    assert_eq!(made.assumed_role_user.unwrap().arn, format!("arn:aws:sts::{}:assumed-role/r/anna", world.management));
    let caller = cx.federated_caller().unwrap();
    assert_eq!((caller.kind, &caller.identity_provider), ("SAMLUser", &qualifier));
    assert_eq!(caller.principal_id, format!("{qualifier}:anna@lab"));
    let credentials = made.credentials.unwrap();
    let session = world.principal(&credentials.access_key_id, Some(&credentials.session_token)).await.unwrap();
    let session = world.cx(session);
    assert_eq!(session.global_keys.get("saml:sub"), Some(Values::One("anna@lab")));
    assert_eq!(session.global_keys.get("saml:namequalifier"), Some(Values::One(&qualifier)));
    assert_eq!(session.global_keys.get("saml:edupersonaffiliation"), None);
    let refused = assume(&world, &nobody(&world), response(&world, &idp, &attributes(&["member"]))).await.unwrap_err();
    assert_eq!(refused.message(), "Not authorized to perform sts:AssumeRoleWithSAML");
    // The pair of role and provider must be among those that the identity provider grants, in either order.
    let pairs = |value: String| {
        let attributes: [(&str, &[&str]); 2] =
            [(&format!("{SAML}Role"), &[&*value]), (&format!("{SAML}RoleSessionName"), &["anna"])];
        idp.response(now(&world), "anna@lab", &attributes)
    };
    new_role(&world, "r2", &trusting(&provider_arn(&world), ASSUME, "{}")).await;
    let role = format!("arn:aws:iam::{}:role/r2", world.management);
    let to = |response| AssumeRoleWithSAMLRequest { role_arn: role.clone(), ..request(&world, response) };
    let swapped = to(pairs(format!("{}, {role}", provider_arn(&world))));
    world.call::<sts_op::AssumeRoleWithSAML>(&nobody(&world), swapped).await.unwrap();
    let other = world.call::<sts_op::AssumeRoleWithSAML>(&nobody(&world), to(good)).await.map(|_| ());
    assert_eq!(code(other).0, "AccessDeniedException");
}

#[tokio::test]
async fn responses_that_are_not_believed() {
    let world = world().await;
    let (idp, attacker) = (Idp::new(), Idp::new());
    provider(&world, &idp).await;
    new_role(&world, "r", &trusting(&provider_arn(&world), ASSUME, "{}")).await;
    let good = response(&world, &idp, &[]);
    assume(&world, &nobody(&world), good.clone()).await.unwrap();
    let forged = response(&world, &attacker, &[]);
    let invalid = "InvalidIdentityTokenException";
    for (response, words) in [
        (forged, "Response signature invalid"),
        ("AAAA".to_owned(), "Invalid SAML response"),
        (response(&world, &idp, &[("RoleSessionName", &["a b"])]), "RoleSessionName in AuthnResponse must match"),
        (response(&world, &idp, &[("RoleSessionName", &["anna", "bert"])]), "must have one value"),
        (response(&world, &idp, &[("SourceIdentity", &["aws:anna"])]), "Source Identity must match"),
        (response(&world, &idp, &[("SessionDuration", &["60"])]), "SessionDuration"),
        (response(&world, &idp, &[("PrincipalTag:k", &["a", "b"])]), "PrincipalTag:k"),
    ] {
        let error = assume(&world, &nobody(&world), response).await.unwrap_err();
        assert_eq!(error.code(), invalid, "{words}");
        assert!(error.message().contains(words), "{} lacks {words}", error.message());
    }
    let elsewhere = AssumeRoleWithSAMLRequest {
        principal_arn: format!("arn:aws:iam::{}:saml-provider/other", world.management),
        ..request(&world, good.clone())
    };
    let elsewhere = world.call::<sts_op::AssumeRoleWithSAML>(&nobody(&world), elsewhere).await.unwrap_err();
    assert_eq!(elsewhere.message(), "Specified provider doesn't exist");
    world.clock.advance_millis(360_000);
    let late = assume(&world, &nobody(&world), good).await.unwrap_err();
    assert_eq!(
        (late.code(), late.message()),
        ("ExpiredTokenException", "Token must be redeemed within 5 minutes of issuance")
    );
}

#[tokio::test]
async fn tags_duration_and_source_identity_of_a_response() {
    let world = world().await;
    let idp = Idp::new();
    provider(&world, &idp).await;
    let asks: [(&str, &[&str]); 4] = [
        ("PrincipalTag:Team", &["ml"]),
        ("TransitiveTagKeys", &["Team"]),
        ("SourceIdentity", &["anna.k"]),
        ("SessionDuration", &["1800"]),
    ];
    new_role(&world, "r", &trusting(&provider_arn(&world), ASSUME, "{}")).await;
    let refused = assume(&world, &nobody(&world), response(&world, &idp, &asks)).await.unwrap_err();
    assert_eq!(refused.message(), "Not authorized to perform sts:TagSession");
    let all = r#"["sts:AssumeRoleWithSAML","sts:TagSession","sts:SetSourceIdentity"]"#;
    let update = UpdateAssumeRolePolicyRequest {
        role_name: "r".to_owned(),
        policy_document: trusting(&provider_arn(&world), all, r#"{"StringEquals":{"aws:RequestTag/Team":"ml"}}"#),
    };
    world.call::<op::UpdateAssumeRolePolicy>(&world.admin(), update).await.unwrap();
    let made = assume(&world, &nobody(&world), response(&world, &idp, &asks)).await.unwrap();
    assert_eq!(made.source_identity.as_deref(), Some("anna.k"));
    assert!(made.packed_policy_size.is_some());
    let credentials = made.credentials.unwrap();
    assert_eq!(credentials.expiration, now(&world).plus_millis(1_800_000));
    let session = world.principal(&credentials.access_key_id, Some(&credentials.session_token)).await.unwrap();
    let session = session.session.as_ref().unwrap();
    assert_eq!(session.transitive_tag_keys, ["Team"]);
    assert_eq!(session.federated_provider, Some(provider_arn(&world)));
}
