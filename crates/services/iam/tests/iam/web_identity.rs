//! OpenID Connect providers, and the roles that their tokens open.

use serde_json::{Value, json};
use stoa_kernel::{ApiError, Cx};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::*;
use stoa_models_sts::operations as sts_op;
use stoa_models_sts::types::{AssumeRoleRequest, AssumeRoleWithWebIdentityRequest, AssumeRoleWithWebIdentityResponse};
use stoa_policy::{Context, Values};

use crate::idp::{HOST, ISSUER, Idp, nobody, publish, trusting};
use crate::roles::{new_role, put_role_policy};
use crate::support::{ALLOW_ALL, World, code, world};

fn provider_arn(world: &World) -> String {
    format!("arn:aws:iam::{}:oidc-provider/{HOST}", world.management)
}

async fn provider(world: &World) {
    let input = CreateOpenIDConnectProviderRequest {
        url: ISSUER.to_owned(),
        client_id_list: Some(vec!["stoa".to_owned()]),
        ..Default::default()
    };
    let made = world.call::<op::CreateOpenIDConnectProvider>(&world.admin(), input).await.unwrap();
    assert_eq!(made.open_id_connect_provider_arn, Some(provider_arn(world)));
}

fn claims(world: &World) -> Value {
    let now = stoa_types::Clock::now(&*world.clock).seconds();
    json!({"iss": ISSUER, "sub": "anna", "aud": "stoa", "iat": now, "exp": now + 300, "email": "a@example.com",
        "amr": ["pwd", "otp"], "groups": ["ml", "ops"]})
}

fn with(mut claims: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

async fn assume(
    world: &World,
    cx: &Cx,
    token: &str,
    role: &str,
) -> Result<AssumeRoleWithWebIdentityResponse, ApiError> {
    let input = AssumeRoleWithWebIdentityRequest {
        role_arn: format!("arn:aws:iam::{}:role/{role}", world.management),
        role_session_name: "web".to_owned(),
        web_identity_token: token.to_owned(),
        ..Default::default()
    };
    world.call::<sts_op::AssumeRoleWithWebIdentity>(cx, input).await
}

async fn as_session(world: &World, made: AssumeRoleWithWebIdentityResponse) -> Cx {
    let credentials = made.credentials.unwrap();
    let token = Some(&*credentials.session_token);
    world.cx(world.principal(&credentials.access_key_id, token).await.unwrap())
}

const ASSUME: &str = r#""sts:AssumeRoleWithWebIdentity""#;

#[tokio::test]
async fn a_provider_lives() {
    let world = world().await;
    let admin = world.admin();
    publish(&world, &Idp::new());
    provider(&world).await;
    let arn = provider_arn(&world);
    let again = CreateOpenIDConnectProviderRequest { url: format!("{ISSUER}/"), ..Default::default() };
    let again = world.call::<op::CreateOpenIDConnectProvider>(&admin, again).await.map(|_| ());
    assert_eq!(code(again).0, "EntityAlreadyExistsException");
    for url in ["http://a.example", "https://", "https://a/?q", "https://a/#f", "https://:1", "https://a b"] {
        let input = CreateOpenIDConnectProviderRequest { url: url.to_owned(), ..Default::default() };
        let refused = world.call::<op::CreateOpenIDConnectProvider>(&admin, input).await.map(|_| ());
        assert_eq!(code(refused).0, "InvalidInputException", "{url}");
    }
    let of = || GetOpenIDConnectProviderRequest { open_id_connect_provider_arn: arn.clone() };
    let got = world.call::<op::GetOpenIDConnectProvider>(&admin, of()).await.unwrap();
    assert_eq!((got.url.as_deref(), got.client_id_list.unwrap()), (Some(HOST), vec!["stoa".to_owned()]));
    assert_eq!(got.thumbprint_list.unwrap(), ["ab".repeat(20)], "the server's, since none was given");
    let add = AddClientIDToOpenIDConnectProviderRequest {
        open_id_connect_provider_arn: arn.clone(),
        client_id: "second".to_owned(),
    };
    world.call::<op::AddClientIDToOpenIDConnectProvider>(&admin, add.clone()).await.unwrap();
    world.call::<op::AddClientIDToOpenIDConnectProvider>(&admin, add).await.unwrap();
    let remove = RemoveClientIDFromOpenIDConnectProviderRequest {
        open_id_connect_provider_arn: arn.clone(),
        client_id: "stoa".to_owned(),
    };
    world.call::<op::RemoveClientIDFromOpenIDConnectProvider>(&admin, remove).await.unwrap();
    let thumbprints = |list: &[&str]| UpdateOpenIDConnectProviderThumbprintRequest {
        open_id_connect_provider_arn: arn.clone(),
        thumbprint_list: list.iter().map(|one| (*one).to_owned()).collect(),
    };
    let wrong = world.call::<op::UpdateOpenIDConnectProviderThumbprint>(&admin, thumbprints(&["xy"])).await;
    assert_eq!(code(wrong.map(|_| ())).0, "InvalidInputException");
    let good = "CD".repeat(20);
    world.call::<op::UpdateOpenIDConnectProviderThumbprint>(&admin, thumbprints(&[&good])).await.unwrap();
    let tag = TagOpenIDConnectProviderRequest {
        open_id_connect_provider_arn: arn.clone(),
        tags: vec![Tag { key: "k".to_owned(), value: "v".to_owned() }],
    };
    world.call::<op::TagOpenIDConnectProvider>(&admin, tag).await.unwrap();
    let got = world.call::<op::GetOpenIDConnectProvider>(&admin, of()).await.unwrap();
    assert_eq!(got.client_id_list.unwrap(), ["second"]);
    assert_eq!(got.thumbprint_list.unwrap(), ["cd".repeat(20)]);
    assert_eq!(got.tags.unwrap().len(), 1);
    let listed = world.call::<op::ListOpenIDConnectProviders>(&admin, ListOpenIDConnectProvidersRequest {}).await;
    assert_eq!(listed.unwrap().open_id_connect_provider_list.unwrap()[0].arn, Some(arn.clone()));
    let delete = || DeleteOpenIDConnectProviderRequest { open_id_connect_provider_arn: arn.clone() };
    world.call::<op::DeleteOpenIDConnectProvider>(&admin, delete()).await.unwrap();
    let gone = world.call::<op::DeleteOpenIDConnectProvider>(&admin, delete()).await.map(|_| ());
    assert_eq!(code(gone).0, "NoSuchEntityException");
}

#[tokio::test]
async fn a_token_opens_the_role_whose_conditions_it_meets() {
    let world = world().await;
    let idp = Idp::new();
    publish(&world, &idp);
    provider(&world).await;
    let condition = format!(
        r#"{{"StringEquals":{{"{HOST}:aud":"stoa","{HOST}:sub":"anna","{HOST}:email":"a@example.com"}},
        "ForAnyValue:StringEquals":{{"{HOST}:amr":"otp"}},"IpAddress":{{"aws:SourceIp":"127.0.0.0/8"}},
        "StringLike":{{"sts:RoleSessionName":"web*","aws:FederatedProvider":"*oidc-provider*"}}}}"#
    );
    new_role(&world, "r", &trusting(&provider_arn(&world), ASSUME, &condition)).await;
    put_role_policy(&world, "r", ALLOW_ALL).await;
    let cx = nobody(&world);
    let made = assume(&world, &cx, &idp.token("k1", &claims(&world)), "r").await.unwrap();
    assert_eq!(made.subject_from_web_identity_token.as_deref(), Some("anna"));
    assert_eq!(made.provider, Some(provider_arn(&world)));
    assert_eq!(made.audience.as_deref(), Some("stoa"));
    let user = made.assumed_role_user.clone().unwrap();
    assert_eq!(user.arn, format!("arn:aws:sts::{}:assumed-role/r/web", world.management));
    let caller = cx.federated_caller().unwrap();
    assert_eq!(caller.kind, "WebIdentityUser");
    assert_eq!(caller.principal_id, format!("{}:stoa:anna", provider_arn(&world)));
    assert_eq!((caller.user_name.as_str(), &caller.account), ("anna", &world.management));
    let session = as_session(&world, made).await;
    let seen = |key: &str| session.global_keys.get(key);
    assert_eq!(seen(&format!("{HOST}:sub")), Some(Values::One("anna")));
    assert_eq!(seen("aws:federatedprovider"), Some(Values::One(&provider_arn(&world))));
    assert_eq!(seen(&format!("{HOST}:email")), None, "AWS keeps aud, sub and amr");
    for other in [json!({"sub": "bert"}), json!({"email": "b@example.com"}), json!({"amr": ["pwd"]})] {
        let token = idp.token("k1", &with(claims(&world), other));
        let refused = assume(&world, &nobody(&world), &token, "r").await.unwrap_err();
        assert_eq!(refused.code(), "AccessDeniedException");
        assert_eq!(refused.message(), "Not authorized to perform sts:AssumeRoleWithWebIdentity");
        assert!(refused.refusal().is_some());
    }
    let missing = assume(&world, &nobody(&world), &idp.token("k1", &claims(&world)), "missing").await;
    assert_eq!(code(missing.map(|_| ())).0, "AccessDeniedException");
    new_role(&world, "other", &crate::support::trusting(r#"{"AWS":"*"}"#)).await;
    let token = idp.token("k1", &claims(&world));
    assert_eq!(code(assume(&world, &nobody(&world), &token, "other").await.map(|_| ())).0, "AccessDeniedException");
}

#[tokio::test]
async fn tokens_that_are_not_believed() {
    let world = world().await;
    let (idp, attacker) = (Idp::new(), Idp::new());
    publish(&world, &idp);
    provider(&world).await;
    new_role(&world, "r", &trusting(&provider_arn(&world), ASSUME, "{}")).await;
    let judged = async |token: String| {
        let cx = nobody(&world);
        let error = assume(&world, &cx, &token, "r").await.unwrap_err();
        assert!(cx.federated_caller().is_none(), "nobody is named before the signature held");
        (error.code().to_owned(), error.message().to_owned())
    };
    let with = |changes| with(claims(&world), changes);
    let token = |changes| idp.token("k1", &with(changes));
    let invalid = "InvalidIdentityTokenException";
    for (what, token, wanted, words) in [
        ("another key", attacker.token("k1", &claims(&world)), invalid, "signature"),
        (
            "another issuer",
            token(json!({"iss": "https://other.example"})),
            invalid,
            "No OpenIDConnect provider found in your account for https://other.example",
        ),
        ("another client", token(json!({"aud": "other"})), invalid, "Incorrect token audience"),
        ("another party", token(json!({"azp": "other"})), invalid, "Incorrect token audience"),
        ("late", token(json!({"exp": 1})), "ExpiredTokenException", "expired"),
        ("early", token(json!({"nbf": 9_999_999_999_i64})), invalid, "not valid yet"),
        ("no token", "a.b".to_owned(), invalid, "not a valid JWT"),
        ("an unknown key", idp.token("k9", &claims(&world)), invalid, "verification key"),
        ("tags of a wrong form", token(json!({"https://aws.amazon.com/tags": []})), invalid, "tags"),
    ] {
        if what == "tags of a wrong form" {
            let error = assume(&world, &nobody(&world), &token, "r").await.unwrap_err();
            assert!(error.message().contains(words), "{what}");
            continue;
        }
        let (code, message) = judged(token).await;
        assert_eq!(code, wanted, "{what}");
        assert!(message.contains(words), "{what}: {message}");
    }
    // A provider of another account does not count.
    let account = world.management.clone();
    let other = AssumeRoleWithWebIdentityRequest {
        role_arn: "arn:aws:iam::999999999999:role/r".to_owned(),
        role_session_name: "web".to_owned(),
        web_identity_token: idp.token("k1", &claims(&world)),
        ..Default::default()
    };
    let other = world.call::<sts_op::AssumeRoleWithWebIdentity>(&nobody(&world), other).await.map(|_| ());
    assert_eq!(code(other).0, invalid, "{account}");
    let input = CreateOpenIDConnectProviderRequest {
        url: "https://dead.example".to_owned(),
        client_id_list: Some(vec!["stoa".to_owned()]),
        ..Default::default()
    };
    world.call::<op::CreateOpenIDConnectProvider>(&world.admin(), input).await.unwrap();
    let (code, message) = judged(token(json!({"iss": "https://dead.example"}))).await;
    assert_eq!(code, "IDPCommunicationErrorException");
    assert!(message.contains("connection refused"), "{message}");
}

#[tokio::test]
async fn rotated_keys_are_asked_for_once_more() {
    let world = world().await;
    let (idp, next) = (Idp::new(), Idp::new());
    let published = publish(&world, &idp);
    provider(&world).await;
    new_role(&world, "r", &trusting(&provider_arn(&world), ASSUME, "{}")).await;
    *published.after_rotation.lock() = Some(next.jwks("k2"));
    assume(&world, &nobody(&world), &idp.token("k1", &claims(&world)), "r").await.unwrap();
    assume(&world, &nobody(&world), &next.token("k2", &claims(&world)), "r").await.unwrap();
    assert!(assume(&world, &nobody(&world), &idp.token("k1", &claims(&world)), "r").await.is_err());
}

#[tokio::test]
async fn tags_and_source_identity_need_the_trust_policys_leave_and_go_on() {
    let world = world().await;
    let idp = Idp::new();
    publish(&world, &idp);
    provider(&world).await;
    let arn = provider_arn(&world);
    let nested = json!({"principal_tags": {"Team": ["ml"]}, "transitive_tag_keys": ["Team"]});
    let asks = with(
        claims(&world),
        json!({"https://aws.amazon.com/tags": nested, "https://aws.amazon.com/source_identity": "anna.k",
            "https://aws.amazon.com/tags/principal_tags/Cost": "7"}),
    );
    let token = idp.token("k1", &asks);
    new_role(&world, "plain", &trusting(&arn, ASSUME, "{}")).await;
    let refused = assume(&world, &nobody(&world), &token, "plain").await.unwrap_err();
    assert_eq!(refused.message(), "Not authorized to perform sts:TagSession");
    new_role(&world, "tag", &trusting(&arn, r#"["sts:AssumeRoleWithWebIdentity","sts:TagSession"]"#, "{}")).await;
    let refused = assume(&world, &nobody(&world), &token, "tag").await.unwrap_err();
    assert_eq!(refused.message(), "Not authorized to perform sts:SetSourceIdentity");
    let condition = r#"{"StringEquals":{"aws:RequestTag/Team":"ml","sts:SourceIdentity":"anna.k"},
        "ForAllValues:StringEquals":{"aws:TagKeys":["Team","Cost"],"sts:TransitiveTagKeys":["Team"]}}"#;
    let all = r#"["sts:AssumeRoleWithWebIdentity","sts:TagSession","sts:SetSourceIdentity"]"#;
    new_role(&world, "all", &trusting(&arn, all, condition)).await;
    put_role_policy(&world, "all", ALLOW_ALL).await;
    let made = assume(&world, &nobody(&world), &token, "all").await.unwrap();
    assert_eq!(made.source_identity.as_deref(), Some("anna.k"));
    let session = as_session(&world, made).await;
    assert_eq!(session.global_keys.get("aws:principaltag/team"), Some(Values::One("ml")));
    assert_eq!(session.global_keys.get("aws:principaltag/cost"), Some(Values::One("7")));
    assert_eq!(session.global_keys.get("aws:sourceidentity"), Some(Values::One("anna.k")));
    // The chain keeps both; the next role must allow that the source identity is set again.
    let trust = |actions: &str| {
        let root = format!("arn:aws:iam::{}:root", world.management);
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{root}"}},"Action":{actions}}}]}}"#
        )
    };
    new_role(&world, "n1", &trust(r#""sts:AssumeRole""#)).await;
    new_role(&world, "n2", &trust(r#"["sts:AssumeRole","sts:SetSourceIdentity"]"#)).await;
    let next = |role: &str| AssumeRoleRequest {
        role_arn: format!("arn:aws:iam::{}:role/{role}", world.management),
        role_session_name: "next".to_owned(),
        ..Default::default()
    };
    let refused = world.call::<sts_op::AssumeRole>(&session, next("n1")).await.unwrap_err();
    assert!(refused.message().contains("sts:SetSourceIdentity"), "{}", refused.message());
    let chained = world.call::<sts_op::AssumeRole>(&session, next("n2")).await.unwrap();
    assert_eq!(chained.source_identity.as_deref(), Some("anna.k"));
    let credentials = chained.credentials.unwrap();
    let chained = world.principal(&credentials.access_key_id, Some(&credentials.session_token)).await.unwrap();
    let kept = chained.session.as_ref().unwrap();
    assert_eq!(kept.tags.get("Team").map(String::as_str), Some("ml"));
    assert_eq!(kept.tags.get("Cost"), None, "it is not transitive");
    assert_eq!(kept.source_identity.as_deref(), Some("anna.k"));
    for identity in ["a", "aws:x", "a b", &"a".repeat(65)] {
        let bad = idp.token("k1", &with(asks.clone(), json!({"https://aws.amazon.com/source_identity": identity})));
        let refused = assume(&world, &nobody(&world), &bad, "all").await.unwrap_err();
        assert!(refused.message().starts_with("Source Identity must match"), "{}", refused.message());
    }
}
