//! The front door's certificate authority: made at first start, kept in the data folder, mints a certificate per host.
//!
//! INVARIANT: the CA's key is readable by its owner only and is written before its certificate, each to a temporary
//! file that is synced and renamed: after a crash at any line the pair is either whole or made anew.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use stoa_types::{Clock, Timestamp};

const CACHED_HOSTS: usize = 512;
const DAY_MILLIS: i64 = 86_400_000;
const LEAF_DAYS: i64 = 90;
const RENEW_DAYS: i64 = 30;
const CA_DAYS: i64 = 3650;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// A file could not be read or written.
    #[error("cannot read or write {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key or certificate could not be made or parsed.
    #[error("cannot make or read a certificate")]
    Certificate(#[from] rcgen::Error),
    /// TLS refused what was made.
    #[error("cannot set TLS up")]
    Tls(#[from] rustls::Error),
    /// The name is none a certificate can carry.
    #[error("`{0}` is not a host name")]
    HostName(String),
}

struct Minted {
    config: Arc<ServerConfig>,
    at: Timestamp,
}

/// Stoa's own certificate authority.
pub struct CertificateAuthority {
    certificate: CertificateDer<'static>,
    pem_path: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    leaf_key: KeyPair,
    clock: Arc<dyn Clock>,
    minted: Mutex<HashMap<String, Minted>>,
}

impl std::fmt::Debug for CertificateAuthority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("CertificateAuthority").field("pem_path", &self.pem_path).finish_non_exhaustive()
    }
}

impl CertificateAuthority {
    /// Loads `ca.pem` and `ca-key.pem` of the folder, or makes them.
    pub fn open(data_dir: &Path, clock: Arc<dyn Clock>) -> Result<CertificateAuthority, CaError> {
        let (pem_path, key_path) = (data_dir.join("ca.pem"), data_dir.join("ca-key.pem"));
        let pair = match (read_if_there(&pem_path)?, read_if_there(&key_path)?) {
            (Some(pem), Some(key)) => (pem, KeyPair::from_pem(&key)?),
            _ => create(&pem_path, &key_path, clock.now())?,
        };
        let (pem, key) = pair;
        let certificate = rustls_pki_types::pem::PemObject::from_pem_slice(pem.as_bytes())
            .map_err(|_| CaError::Certificate(rcgen::Error::CouldNotParseCertificate))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key)?;
        let leaf_key = KeyPair::generate()?;
        Ok(CertificateAuthority { certificate, pem_path, issuer, leaf_key, clock, minted: Mutex::default() })
    }

    /// Where clients find the CA's certificate.
    pub fn certificate_path(&self) -> &Path {
        &self.pem_path
    }

    /// The CA's certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// TLS for one host: a certificate of its own, TLS 1.2 and 1.3, forward-secret suites only.
    pub fn server_config(&self, host: &str) -> Result<Arc<ServerConfig>, CaError> {
        let now = self.clock.now();
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        if let Some(found) = self.minted.lock().get(&host)
            && now < found.at.plus_millis(RENEW_DAYS * DAY_MILLIS)
        {
            return Ok(Arc::clone(&found.config));
        }
        let config = Arc::new(self.mint(&host, now)?);
        let mut minted = self.minted.lock();
        if minted.len() >= CACHED_HOSTS {
            minted.clear();
        }
        minted.insert(host, Minted { config: Arc::clone(&config), at: now });
        Ok(config)
    }

    fn mint(&self, host: &str, now: Timestamp) -> Result<ServerConfig, CaError> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = alternative_names(host)?;
        // A common name holds at most 64 characters; clients look at the alternative names only.
        if host.len() <= 64 {
            params.distinguished_name.push(DnType::CommonName, host);
        }
        set_validity(&mut params, now, LEAF_DAYS);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        let leaf = params.signed_by(&self.leaf_key, &self.issuer)?;
        let chain = vec![leaf.der().clone(), self.certificate.clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.leaf_key.serialize_der()));
        // INVARIANT: ring's suites for TLS 1.2 are all ECDHE, those of TLS 1.3 forward-secret by design.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn alternative_names(host: &str) -> Result<Vec<SanType>, CaError> {
    if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(vec![SanType::IpAddress(address), SanType::DnsName("localhost".try_into()?)]);
    }
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if host.is_empty() || host.len() > 253 || !host.bytes().all(letters) {
        return Err(CaError::HostName(host.chars().take(64).collect()));
    }
    let mut names = vec![SanType::DnsName(host.try_into()?)];
    if host == "localhost" {
        names.extend([IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])].map(SanType::IpAddress));
    }
    Ok(names)
}

fn create(pem_path: &Path, key_path: &Path, now: Timestamp) -> Result<(String, KeyPair), CaError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Stoa local certificate authority");
    params.distinguished_name.push(DnType::OrganizationName, "Stoa");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    set_validity(&mut params, now, CA_DAYS);
    let pem = params.self_signed(&key)?.pem();
    write_whole(key_path, &key.serialize_pem(), 0o600)?;
    write_whole(pem_path, &pem, 0o644)?;
    Ok((pem, key))
}

/// Sets the certificate valid from a day ago for so many days.
fn set_validity(params: &mut CertificateParams, now: Timestamp, days: i64) {
    let date = |at: Timestamp| {
        let text = at.iso8601();
        let number = |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse().ok()).unwrap_or(1_u16);
        date_time_ymd(i32::from(number(0, 4)), number(5, 7) as u8, number(8, 10) as u8)
    };
    params.not_before = date(now.plus_millis(-DAY_MILLIS));
    params.not_after = date(now.plus_millis(days * DAY_MILLIS));
}

fn read_if_there(path: &Path) -> Result<Option<String>, CaError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(CaError::File { path: path.to_owned(), source }),
    }
}

fn write_whole(path: &Path, text: &str, mode: u32) -> Result<(), CaError> {
    use std::os::unix::fs::OpenOptionsExt;
    let temporary = path.with_extension("pem.new");
    let write = || -> io::Result<()> {
        let _ = fs::remove_file(&temporary);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    };
    write().map_err(|source| CaError::File { path: path.to_owned(), source })
}
