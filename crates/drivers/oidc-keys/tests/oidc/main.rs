//! Issuers on loopback: whose certificate is believed, and which answers are taken.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha1::{Digest, Sha1};
use stoa_kernel::ports::IssuerKeys;
use stoa_oidc_keys::{OidcKeys, Pin, Settings};
use stoa_types::{FixedClock, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

fn thumbprint(certificate: &CertificateDer<'_>) -> String {
    hex::encode(Sha1::digest(certificate.as_ref()))
}

/// Answers of a path: a whole HTTP message but for its length.
type Answers = fn(issuer: &str, path: &str) -> (u16, String);

struct Issuer {
    url: String,
    leaf: String,
    authority: String,
    asked: Arc<AtomicUsize>,
}

fn honest(issuer: &str, path: &str) -> (u16, String) {
    match path {
        "/.well-known/openid-configuration" => (200, format!(r#"{{"issuer":"{issuer}","jwks_uri":"{issuer}/keys"}}"#)),
        "/keys" => (200, r#"{"keys":[]}"#.to_owned()),
        _ => (404, String::new()),
    }
}

/// An issuer whose certificate is for this name, signed by an authority that it shows too.
async fn issuer(name: &str, answers: Answers) -> Issuer {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let chain = vec![leaf.der().clone(), authority.der().clone()];
    let (leaf_print, authority_print) = (thumbprint(&chain[0]), thumbprint(&chain[1]));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let asked = Arc::new(AtomicUsize::new(0));
    let (counter, own) = (Arc::clone(&asked), url.clone());
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(socket).await else { continue };
            let mut head = vec![0; 4096];
            let read = stream.read(&mut head).await.unwrap_or_default();
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            counter.fetch_add(1, Ordering::SeqCst);
            let (status, body) = answers(&own, path);
            let moved = if status == 302 { "location: /keys\r\n" } else { "" };
            let text = format!("HTTP/1.1 {status} X\r\n{moved}content-length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    Issuer { url, leaf: leaf_print, authority: authority_print, asked }
}

fn clock() -> Arc<FixedClock> {
    static CLOCK: OnceLock<Timestamp> = OnceLock::new();
    Arc::new(FixedClock::at(*CLOCK.get_or_init(|| Timestamp::parse_iso8601("2026-11-21T00:00:00Z").unwrap())))
}

fn keys(pins: BTreeMap<String, Pin>, discover: bool) -> OidcKeys {
    OidcKeys::new(Settings { pins, discover }, clock())
}

async fn refusal(keys: &OidcKeys, url: &str, pins: &[String]) -> String {
    keys.key_set(url, pins, false).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_server_is_believed_by_its_own_or_its_authoritys_thumbprint() {
    let issuer = issuer("127.0.0.1", honest).await;
    let keys = keys(BTreeMap::new(), true);
    for pin in [&issuer.leaf, &issuer.authority] {
        assert_eq!(&*keys.key_set(&issuer.url, std::slice::from_ref(pin), false).await.unwrap(), br#"{"keys":[]}"#);
    }
    assert!(refusal(&keys, &issuer.url, &[]).await.contains("certificate"));
    assert!(refusal(&keys, &issuer.url, &["ab".repeat(20)]).await.contains("certificate"));
    assert_eq!(keys.thumbprint(&issuer.url).await.unwrap(), issuer.authority);
}

#[tokio::test]
async fn a_pin_is_no_leave_for_another_name() {
    let issuer = issuer("login.example.com", honest).await;
    let keys = keys(BTreeMap::new(), true);
    for pin in [&issuer.leaf, &issuer.authority] {
        assert!(refusal(&keys, &issuer.url, std::slice::from_ref(pin)).await.contains("certificate"));
    }
}

#[tokio::test]
async fn odd_answers_are_not_taken() {
    let cases: [(Answers, &str); 6] = [
        (|_, _| (404, String::new()), "404"),
        (|_, _| (302, String::new()), "302"),
        (|_, _| (200, "no json".to_owned()), "expected"),
        (|_, _| (200, r#"{"issuer":"https://other","jwks_uri":"https://other/keys"}"#.to_owned()), "another issuer"),
        (
            |issuer, _| (200, format!(r#"{{"issuer":"{issuer}","jwks_uri":"http://127.0.0.1/keys"}}"#)),
            "not an https URL",
        ),
        (|_, _| (200, "x".repeat((1 << 20) + 1)), "length limit"),
    ];
    for (answers, words) in cases {
        let issuer = issuer("127.0.0.1", answers).await;
        let error = refusal(&keys(BTreeMap::new(), true), &issuer.url, std::slice::from_ref(&issuer.leaf)).await;
        assert!(error.contains(words), "{error} lacks {words}");
    }
    assert!(refusal(&keys(BTreeMap::new(), true), "https://127.0.0.1:1", &[]).await.contains("refused"));
    assert!(refusal(&keys(BTreeMap::new(), true), "http://127.0.0.1:1", &[]).await.contains("not an https URL"));
}

#[tokio::test]
async fn keys_are_held_and_asked_for_anew_once() {
    let issuer = issuer("127.0.0.1", honest).await;
    let clock = clock();
    let keys = OidcKeys::new(Settings { pins: BTreeMap::new(), discover: true }, clock.clone());
    let pins = [issuer.leaf.clone()];
    let ask = async |fresh: bool| {
        keys.key_set(&issuer.url, &pins, fresh).await.unwrap();
        issuer.asked.load(Ordering::SeqCst)
    };
    assert_eq!([ask(false).await, ask(false).await], [2, 2]);
    assert_eq!([ask(true).await, ask(true).await, ask(false).await], [4, 4, 4]);
    clock.advance_millis(10_000);
    assert_eq!([ask(false).await, ask(true).await], [4, 6]);
    clock.advance_millis(15 * 60_000);
    assert_eq!(ask(false).await, 8);
    // Another list of thumbprints is another trust.
    assert!(keys.key_set(&issuer.url, &[], false).await.is_err());
}

#[tokio::test]
async fn pinned_keys_need_no_issuer() {
    let file = std::env::temp_dir().join(format!("stoa-oidc-keys-{}.json", std::process::id()));
    std::fs::write(&file, "one").unwrap();
    let served = issuer("127.0.0.1", honest).await;
    let pins = BTreeMap::from([
        ("https://file.example".to_owned(), Pin::File(file.clone())),
        ("https://url.example".to_owned(), Pin::Url(format!("{}/keys", served.url))),
    ]);
    let keys = keys(pins, false);
    let read = async || keys.key_set("https://file.example", &[], false).await;
    assert_eq!(&*read().await.unwrap(), b"one");
    std::fs::write(&file, "two").unwrap();
    assert_eq!(&*read().await.unwrap(), b"two");
    std::fs::remove_file(&file).unwrap();
    let gone = read().await.unwrap_err().to_string();
    assert!(gone.contains("cannot be read") && !gone.contains("stoa-oidc-keys"), "{gone}");
    let by_url = keys.key_set("https://url.example", std::slice::from_ref(&served.leaf), false).await.unwrap();
    assert_eq!(&*by_url, br#"{"keys":[]}"#);
    assert!(refusal(&keys, "https://other.example", &[]).await.contains("none are pinned"));
    assert!(keys.thumbprint("https://other.example").await.is_err());
}
