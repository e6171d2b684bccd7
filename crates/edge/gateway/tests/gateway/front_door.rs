//! CONNECT to AWS's names, our own authority's certificates, TLS on the listener, HTTP/2 both ways, tunnels.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use stoa_gateway::{CertificateAuthority, GatewayConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::Call;
use crate::world::{NOW, World};

/// The client's clock, standing where the server's does.
#[derive(Debug)]
struct StandingClock;

impl TimeProvider for StandingClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(NOW.millis().unsigned_abs())))
    }
}

fn client(
    ca: &CertificateDer<'static>,
    alpn: &[u8],
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
    let mut config = ClientConfig::builder_with_details(provider, Arc::new(StandingClock))
        .with_protocol_versions(versions)
        .unwrap()
        .with_webpki_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    TlsConnector::from(Arc::new(config))
}

async fn connect_raw(world: &World, target: &str) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    (String::from_utf8(head).unwrap(), stream)
}

pub async fn through(world: &World, host: &str, alpn: &[u8]) -> TlsStream<TcpStream> {
    let (head, stream) = connect_raw(world, &format!("{host}:443")).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let name = ServerName::try_from(host.to_owned()).unwrap();
    client(world.authority.certificate(), alpn, rustls::ALL_VERSIONS).connect(name, stream).await.unwrap()
}

#[tokio::test]
async fn aws_hosts_lead_back_here() {
    let world = World::start().await;
    let sts = Call { host: "sts.us-west-2.amazonaws.com".to_owned(), ..Call::query("GetCallerIdentity") };
    let answer = sts.send_over(through(&world, "sts.us-west-2.amazonaws.com", b"http/1.1").await).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("user/admin"));
    let host = "runtime.sagemaker.us-west-2.amazonaws.com";
    let invoke = Call { host: host.to_owned(), ..Call::invoke("e1", "1,2") };
    assert_eq!(invoke.send_over(through(&world, host, b"http/1.1").await).await.text(), "1,2");
    let host = "bucket.s3.us-west-2.amazonaws.com";
    let object = Call { host: host.to_owned(), ..Call::plain("GET", "/key") };
    let answer = object.send_over(through(&world, host, b"http/1.1").await).await;
    assert_eq!(answer.text(), "s3 GET /key https://s3.us-west-2.amazonaws.com");
}

#[tokio::test]
async fn http2_inside_the_front_door() {
    let world = World::start().await;
    let host = "sagemaker.us-west-2.amazonaws.com";
    let stream = through(&world, host, b"h2").await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let call = Call { host: host.to_owned(), ..Call::json("DescribeHub", r#"{"HubName":"h1"}"#) };
    let answer = call.send_http2(stream, "https").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn tls_and_http2_on_the_listener() {
    let world = World::start().await;
    let call = Call::json("DescribeHub", r#"{"HubName":"h1"}"#);
    for versions in [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13][..]] {
        for alpn in [&b"http/1.1"[..], b"h2"] {
            for name in ["localhost", "127.0.0.1"] {
                let stream = TcpStream::connect(world.address).await.unwrap();
                let connector = client(world.authority.certificate(), alpn, versions);
                let stream = connector.connect(ServerName::try_from(name).unwrap(), stream).await.unwrap();
                let suite = format!("{:?}", stream.get_ref().1.negotiated_cipher_suite().unwrap().suite());
                assert!(suite.starts_with("TLS13") || suite.starts_with("TLS_ECDHE"), "{suite}");
                let answer = match alpn {
                    b"h2" => call.send_http2(stream, "https").await,
                    _ => call.send_over(stream).await,
                };
                assert_eq!(answer.status, 200, "{}", answer.text());
            }
        }
    }
    let plain = TcpStream::connect(world.address).await.unwrap();
    assert_eq!(call.send_http2(plain, "http").await.status, 200, "prior knowledge");
}

#[tokio::test]
async fn other_hosts_are_refused() {
    let world = World::start().await;
    for target in [
        "example.com:443",
        "amazonaws.com.evil.org:443",
        "evilamazonaws.com:443",
        "sts.amazonaws.com:80",
        "169.254.169.254:80",
    ] {
        let (head, mut stream) = connect_raw(&world, target).await;
        assert!(head.starts_with("HTTP/1.1 403 "), "{target}: {head}");
        let mut body = [0_u8; 5];
        stream.read_exact(&mut body).await.unwrap();
    }
    let (head, stream) = connect_raw(&world, "sts.us-west-2.amazonaws.com:443").await;
    assert!(head.starts_with("HTTP/1.1 200 "));
    let other = ServerName::try_from("iam.amazonaws.com").unwrap();
    let connector = client(world.authority.certificate(), b"http/1.1", rustls::ALL_VERSIONS);
    assert!(connector.connect(other, stream).await.is_err(), "the certificate is the CONNECT host's");
}

#[tokio::test]
async fn listed_hosts_are_tunnelled() {
    let remote = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = remote.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = remote.accept().await.unwrap();
        let mut word = [0_u8; 4];
        stream.read_exact(&mut word).await.unwrap();
        stream.write_all(&[b"got ", &word[..]].concat()).await.unwrap();
    });
    let world =
        World::with(GatewayConfig { allow_tunnel: vec![format!("127.0.0.1:{port}")], ..GatewayConfig::default() })
            .await;
    let (head, mut stream) = connect_raw(&world, &format!("127.0.0.1:{port}")).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    stream.write_all(b"ping").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "got ping");
    let (head, _) = connect_raw(&world, "127.0.0.1:1").await;
    assert!(head.starts_with("HTTP/1.1 403 "), "only the listed port: {head}");
}

#[tokio::test]
async fn an_open_front_door_does_not_delay_the_end() {
    let world = World::start().await;
    let idle = through(&world, "sts.us-west-2.amazonaws.com", b"http/1.1").await;
    world.stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), world.server).await.unwrap().unwrap();
    drop(idle);
}

#[tokio::test]
async fn the_authority_is_made_once_and_kept_private() {
    let world = World::start().await;
    let mode = |name: &str| world.folder.path().join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("ca-key.pem"), mode("ca.pem")), (0o600, 0o644));
    let again = CertificateAuthority::open(world.folder.path(), world.clock.clone()).unwrap();
    assert_eq!(again.certificate(), world.authority.certificate());
    let first = again.server_config("sts.amazonaws.com").unwrap();
    assert!(Arc::ptr_eq(&first, &again.server_config("STS.amazonaws.com.").unwrap()), "minted once");
    world.clock.advance_millis(31 * 86_400_000);
    assert!(!Arc::ptr_eq(&first, &again.server_config("sts.amazonaws.com").unwrap()), "renewed in time");
    for bad in ["", "a b", "a/b", "ü.example"] {
        assert!(again.server_config(bad).is_err(), "{bad}");
    }
    let third = CertificateAuthority::open(world.folder.path(), world.clock.clone()).unwrap();
    assert!(!format!("{third:?}").contains("PRIVATE"));
}
