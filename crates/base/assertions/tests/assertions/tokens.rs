//! Tokens: every algorithm that is accepted, and every way in which one is forged.

use proptest::prelude::*;
use serde_json::{Value, json};
use stoa_assertions::{KeySet, TokenError, peek_issuer, peek_key_id, verify_token};
use stoa_types::Timestamp;

use crate::signing::{Issuer, base64url, now};

fn claims() -> Value {
    let now = now().seconds();
    json!({"iss": "https://idp.example.com", "sub": "anna", "aud": "app", "iat": now, "exp": now + 600})
}

fn with(changes: Value) -> Value {
    let mut all = claims();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => all.as_object_mut().unwrap().remove(name),
            value => all.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    all
}

fn keys(issuer: &Issuer) -> KeySet {
    KeySet::parse(issuer.jwks().to_string().as_bytes()).unwrap()
}

fn refusal(issuer: &Issuer, token: &str) -> TokenError {
    verify_token(token, &keys(issuer), now()).unwrap_err()
}

#[test]
fn every_accepted_algorithm() {
    let issuer = Issuer::new();
    for algorithm in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384"] {
        let token = issuer.token(algorithm, &with(json!({"azp": "app2", "aud": ["app", "other"]})));
        let read = verify_token(&token, &keys(&issuer), now()).unwrap();
        assert_eq!((&*read.issuer, &*read.subject), ("https://idp.example.com", "anna"), "{algorithm}");
        assert_eq!(read.audiences, ["app", "other"]);
        assert_eq!(read.authorized_party.as_deref(), Some("app2"));
        assert_eq!(peek_issuer(&token).unwrap(), read.issuer);
        // Any letter changed anywhere spoils it.
        let last = token.len() - 20;
        let other = if token.as_bytes()[last] == b'A' { "B" } else { "A" };
        let mut forged = token.clone();
        forged.replace_range(last..=last, other);
        assert_eq!(refusal(&issuer, &forged), TokenError::Signature, "{algorithm}");
    }
}

#[test]
fn a_token_without_a_key_id_is_tried_with_every_key_that_fits() {
    let issuer = Issuer::new();
    let token = issuer.token_with(&json!({"alg": "ES256"}), &claims(), "ES256");
    assert_eq!(peek_key_id(&token), None);
    verify_token(&token, &keys(&issuer), now()).unwrap();
}

#[test]
fn other_claims_under_the_signature_are_refused() {
    let issuer = Issuer::new();
    let token = issuer.token("RS256", &claims());
    let parts: Vec<&str> = token.split('.').collect();
    let other = base64url(with(json!({"sub": "admin"})).to_string());
    assert_eq!(refusal(&issuer, &format!("{}.{other}.{}", parts[0], parts[2])), TokenError::Signature);
    let of_another = Issuer::new();
    assert_eq!(refusal(&of_another, &issuer.token("ES256", &claims())), TokenError::Signature);
}

#[test]
fn algorithms_cannot_be_confused() {
    let issuer = Issuer::new();
    let message = |header: Value| format!("{}.{}", base64url(header.to_string()), base64url(claims().to_string()));
    for none in ["none", "None", "NONE", ""] {
        for signature in ["", "AAAA"] {
            let token = format!("{}.{signature}", message(json!({"alg": none, "kid": "rsa"})));
            assert_eq!(refusal(&issuer, &token), TokenError::Algorithm, "{none}");
        }
    }
    // The public key, which everyone has, as the secret of an HMAC.
    let jwk = issuer.rsa_jwk();
    for secret in [jwk["n"].as_str().unwrap().to_owned(), jwk.to_string(), "secret".to_owned()] {
        for kid in ["rsa", "shared", "p256"] {
            let message = message(json!({"alg": "HS256", "kid": kid}));
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
            let token = format!("{message}.{}", base64url(ring::hmac::sign(&key, message.as_bytes())));
            assert_eq!(refusal(&issuer, &token), TokenError::Algorithm, "{kid}");
        }
    }
    // An algorithm of another family or curve than the key's, and another than the key says it is for.
    let crossed =
        |alg: &str, kid: &str, real: &str| issuer.token_with(&json!({"alg": alg, "kid": kid}), &claims(), real);
    for (alg, kid, real) in [("ES256", "rsa", "ES256"), ("RS256", "p256", "RS256"), ("ES256", "p384", "ES384")] {
        assert_eq!(refusal(&issuer, &crossed(alg, kid, real)), TokenError::Algorithm, "{alg} {kid}");
    }
    let mut only = issuer.rsa_jwk();
    only["alg"] = json!("RS512");
    let only = KeySet::parse(json!({"keys": [only]}).to_string().as_bytes()).unwrap();
    let token = issuer.token("RS256", &claims());
    assert_eq!(verify_token(&token, &only, now()).unwrap_err(), TokenError::Algorithm);
    verify_token(&issuer.token("RS512", &claims()), &only, now()).unwrap();
}

#[test]
fn keys_come_from_the_set_alone() {
    let (issuer, attacker) = (Issuer::new(), Issuer::new());
    let headers = [
        json!({"alg": "ES256", "kid": "p256", "jku": "https://attacker.example/keys"}),
        json!({"alg": "ES256", "kid": "p256", "jwk": attacker.jwks()["keys"][1]}),
        json!({"alg": "ES256", "jwk": attacker.jwks()["keys"][1]}),
    ];
    for header in headers {
        let token = attacker.token_with(&header, &claims(), "ES256");
        assert_eq!(refusal(&issuer, &token), TokenError::Signature, "{header}");
    }
    let unknown = issuer.token_with(&json!({"alg": "ES256", "kid": "new"}), &claims(), "ES256");
    assert_eq!(refusal(&issuer, &unknown), TokenError::UnknownKey);
    assert!(!keys(&issuer).knows(Some("new")) && keys(&issuer).knows(Some("rsa")));
    let critical = issuer.token_with(&json!({"alg": "ES256", "kid": "p256", "crit": ["b64"]}), &claims(), "ES256");
    assert_eq!(refusal(&issuer, &critical), TokenError::Critical);
}

#[test]
fn time_is_looked_at_with_a_minute_of_skew() {
    let issuer = Issuer::new();
    let start = now().seconds();
    let judged = |changes: Value, at: i64| {
        let token = issuer.token("ES256", &with(changes));
        verify_token(&token, &keys(&issuer), Timestamp::from_millis(at * 1000)).map(|_| ())
    };
    let expires = json!({"exp": start + 600});
    assert_eq!(judged(expires.clone(), start + 659), Ok(()));
    assert_eq!(judged(expires, start + 660), Err(TokenError::Expired));
    assert_eq!(judged(json!({"nbf": start + 60}), start), Ok(()));
    assert_eq!(judged(json!({"nbf": start + 61}), start), Err(TokenError::NotYet));
    assert_eq!(judged(json!({"iat": start + 61}), start), Err(TokenError::NotYet));
    assert_eq!(judged(json!({"nbf": start - 600, "iat": start + 61}), start), Err(TokenError::NotYet));
    assert_eq!(judged(json!({"exp": (start + 600) as f64 + 0.5}), start), Ok(()));
    for (changes, name) in [
        (json!({"exp": null}), "exp"),
        (json!({"exp": "soon"}), "exp"),
        (json!({"exp": 1e300}), "exp"),
        (json!({"iat": null}), "iat"),
        (json!({"nbf": []}), "nbf"),
        (json!({"sub": null}), "sub"),
        (json!({"sub": ""}), "sub"),
        (json!({"sub": 7}), "sub"),
        (json!({"iss": null}), "iss"),
        (json!({"aud": null}), "aud"),
        (json!({"aud": []}), "aud"),
        (json!({"aud": ["a", 1]}), "aud"),
        (json!({"azp": 1}), "azp"),
    ] {
        assert_eq!(judged(changes, start), Err(TokenError::Claim(name)), "{name}");
    }
}

#[test]
fn what_is_no_token_is_malformed() {
    let issuer = Issuer::new();
    let long = format!("{}.a.b", "a".repeat(30_000));
    for text in ["", "a", "a.b", "a.b.c.d", "..", &long, "e30.e30.", "%%.e30.AA"] {
        let error = refusal(&issuer, text);
        assert!(matches!(error, TokenError::Malformed | TokenError::Algorithm), "{error} {text:.20}");
    }
    for set in ["", "[]", "{}", r#"{"keys": []}"#, r#"{"keys": [{"kty": "oct", "k": "AA"}]}"#, r#"{"keys": 7}"#] {
        assert!(KeySet::parse(set.as_bytes()).is_err(), "{set}");
    }
    let encryption = json!({"keys": [{"kty": "RSA", "use": "enc", "n": "AQ", "e": "AQAB"}]});
    assert!(KeySet::parse(encryption.to_string().as_bytes()).is_err());
}

proptest! {
    #[test]
    fn nothing_that_is_presented_panics(head in ".{0,40}", claims in ".{0,80}", signature in "[A-Za-z0-9_-]{0,20}") {
        let issuer = Issuer::new();
        let keys = keys(&issuer);
        for token in [format!("{head}.{claims}.{signature}"), format!("{}.{}.{signature}", base64url(&head), base64url(&claims))] {
            prop_assert!(verify_token(&token, &keys, now()).is_err());
            let _ = (peek_issuer(&token), peek_key_id(&token));
        }
    }
}
